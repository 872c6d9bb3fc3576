"""The edge to the relay: from a sealed message to an outcome."""
