"""The mail: from a checked bundle to a sealed message, and what can be shown of it."""
