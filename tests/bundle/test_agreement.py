"""Others' verdicts on the same files: wherever OpenSSL refuses, certmail refuses or warns."""

from __future__ import annotations

from pathlib import Path

import cryptography_vectors

from certmail.bundle.findings import Severity
from tests.bundle import agreement, vectors
from tests.peers import need

EXPLAINED = {
    "self_signed": "the user may have clients of their own, and is warned",
    "leaf_alone": "some clients know the intermediate, and the user is warned",
    "other_name_in_the_subject": "the asked name is in the subject only, and the user is warned",
    "staging_ca": "the staging root is not among the roots, and the user is warned",
}


def warns(name: str) -> bool:
    (vector,) = (vector for vector in vectors.ALL if vector.name == name)
    return any(finding.severity is Severity.WARNING for finding in vector.verdict.findings)


def test_what_the_loader_of_openssl_refuses_is_refused():
    assert [one.name for one in agreement.loader() if one.kind == agreement.LAXER] == []


def test_what_openssl_verify_refuses_is_refused_or_warned_of():
    need("openssl")
    laxer = {one.name for one in agreement.verifier() if one.kind == agreement.LAXER}
    assert laxer == set(EXPLAINED)
    assert all(warns(name) for name in laxer)


def test_no_path_that_pkits_calls_invalid_is_accepted():
    """PKITS travels in the vectors of the cryptography project, of which the tests make use."""
    need("openssl")
    folder = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data" / "certs"
    opinions = [opinion for opinion, _ in agreement.pkits(folder)]
    assert len(opinions) > 70
    assert [one.name for one in opinions if one.kind == agreement.LAXER] == []
    stricter = {one.name: one.codes for one in opinions if one.kind == agreement.STRICTER}
    assert set(stricter.values()) == {("CHAIN-UNRELATED",), ("LEAF-CA",)}
