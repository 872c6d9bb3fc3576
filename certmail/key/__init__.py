"""The recipient's OpenPGP key: from a file to the pinned key."""
