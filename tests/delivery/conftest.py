"""One throw-away authority for all tests of the transport."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog):
    """What went wrong is said once, by the error; asyncio and aiosmtplib add nothing to it."""
    yield
    said = [record for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    assert said == []


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def good_leaf(authority) -> trustme.LeafCert:
    """A certificate that verifies."""
    return authority.issue_cert("localhost", "127.0.0.1")


@pytest.fixture(scope="session")
def good(good_leaf) -> ssl.SSLContext:
    """A relay with that certificate."""
    return server_context(good_leaf)


def server_context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context
