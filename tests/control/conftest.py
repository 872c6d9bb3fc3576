"""The authority of the transport's tests, and nothing else of theirs."""

from tests.delivery.conftest import authority, ca_file

__all__ = ["authority", "ca_file"]
