"""The edge to what the user has set: a TOML file, the environment and flags become settings."""
