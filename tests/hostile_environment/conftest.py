"""The same user as in the tests about leaks."""

from tests.cli.conftest import relay, relay_files
from tests.leaks.conftest import watched

__all__ = ["relay", "relay_files", "watched"]
