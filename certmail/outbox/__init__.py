"""Sealed messages on their way, kept so that no crash loses one or sends one twice."""
