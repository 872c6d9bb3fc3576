"""The life of the pinned key: copies from anywhere become what its owner has said."""
