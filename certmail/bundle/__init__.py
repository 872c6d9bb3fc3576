"""The PEM bundle: from bytes to a bundle that has been checked."""
