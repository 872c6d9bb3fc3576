"""A CA for the sources on loopback."""

from __future__ import annotations

import pytest

from tests.keysources.serving import Trust, make_trust, web


@pytest.fixture(scope="session")
def trust(tmp_path_factory, at) -> Trust:
    return make_trust(
        tmp_path_factory.mktemp("sources"), at, "keys.example.org", "other.example.org"
    )


@pytest.fixture
def served(trust):
    with web(trust.server()) as running:
        yield running
