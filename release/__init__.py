"""What a release brings besides the product: a bill of materials, and an audit of its locks."""
