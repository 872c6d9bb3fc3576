from __future__ import annotations

import ssl

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certmail.bundle import check as checks
from certmail.bundle import pem
from certmail.bundle.assemble.items import KeyFormat, Unrepairable
from certmail.bundle.repair import repair
from tests.bundle import make, vectors
from tests.bundle.make import AT, pem_of

REPAIRED = {
    "old_certificate_label": "label",
    "dh_parameters": "drop",
    "ec_parameters": "drop",
    "revocation_list": "drop",
    "utf_16": "characters",
    "utf_16_without_mark": "characters",
    "utf_32": "characters",
    "key_last": "order",
    "pkcs1_under_the_plain_label": "label",
    "pkcs8_under_the_rsa_label": "label",
}
"""Defects outside the layout that can be cured, and the name of the repair."""

UNREPAIRABLE_FORM = {"letter_outside_ascii", "body_in_the_label", "begin_without_label",
                     "lost_boundaries"}  # fmt: skip
"""Defects of the layout in which something was lost or would have to be guessed."""


def by_name(names) -> list[vectors.Vector]:
    return [vector for vector in vectors.ALL if vector.name in names]


def der_of(data: bytes) -> list[bytes]:
    return [block.der for block in pem.scan(data).blocks]


@pytest.mark.parametrize(
    "vector",
    [v for v in vectors.FORM if v.name not in UNREPAIRABLE_FORM],
    ids=lambda vector: vector.name,
)
def test_every_defect_of_layout_is_repaired_to_the_sound_bundle(vector):
    repaired = repair(vector.data, at=AT)
    assert make.bundle() == repaired.pem
    assert repaired.changes


@pytest.mark.parametrize("vector", by_name(REPAIRED), ids=lambda vector: vector.name)
def test_every_other_curable_defect_is_repaired_under_its_name(vector):
    repaired = repair(vector.data, at=AT)
    assert make.bundle() == repaired.pem
    assert REPAIRED[vector.name] in {change.repair for change in repaired.changes}


@pytest.mark.parametrize(
    "vector",
    [*by_name(UNREPAIRABLE_FORM), *vectors.DAMAGE],
    ids=lambda vector: vector.name,
)
def test_what_was_lost_is_not_guessed(vector):
    """A refusal names the same defect, at the same lines, as the check does."""
    with pytest.raises(Unrepairable) as refused:
        repair(vector.data, at=AT)
    assert set(vector.codes) <= {finding.code for finding in refused.value.findings}


@pytest.mark.parametrize(
    "name",
    [
        "no_key", "two_keys", "no_certificate", "encrypted_pkcs8", "encrypted_by_headers",
        "certificate_under_the_key_label", "ec_key", "request_beside_the_bundle", "openssh_key",
        "pgp_block", "unknown_label", "trusted_certificate", "public_key", "binary_file", "prose",
        "web_page", "java_key_store", "empty_file",
    ],
)  # fmt: skip
def test_what_needs_judgement_is_refused_with_its_finding(name):
    [vector] = by_name({name})
    with pytest.raises(Unrepairable) as refused:
        repair(vector.data, at=AT)
    assert set(vector.codes) <= {finding.code for finding in refused.value.findings}


def test_a_key_of_another_certificate_is_refused():
    data = make.pkcs8(make.rsa_key("stranger")) + make.leaf_pem() + make.chain_pem()
    with pytest.raises(Unrepairable) as refused:
        repair(data, at=AT)
    assert refused.value.code == "KEY-MISMATCH"
    assert refused.value.lines == (29, 29 + make.leaf_pem().count(b"\n") - 1)


def test_two_certificates_for_one_key_are_refused():
    renewed = pem_of(make.make_leaf(make.lower()))
    with pytest.raises(Unrepairable) as refused:
        repair(make.key_pem() + make.leaf_pem() + renewed + make.chain_pem(), at=AT)
    assert refused.value.code == "LEAF-SEVERAL"


def test_an_expired_certificate_is_not_made_good_by_a_repair():
    with pytest.raises(Unrepairable) as refused:
        repair(make.bundle().replace(b"\n", b"\r\n"), at=AT + 5000 * make.DAY)
    assert "LEAF-EXPIRED" in {finding.code for finding in refused.value.findings}


def test_a_canonical_bundle_is_unchanged_octet_by_octet():
    repaired = repair(make.bundle(), at=AT)
    assert (make.bundle(), ()) == (repaired.pem, repaired.changes)


def test_the_certificates_are_put_in_the_order_in_which_they_sign():
    lower, upper = pem_of(make.lower().certificate), pem_of(make.upper().certificate)
    repaired = repair(upper + make.leaf_pem() + lower + make.key_pem(), at=AT)
    assert make.bundle() == repaired.pem
    assert [change.repair for change in repaired.changes] == ["order", "order"]


def test_a_root_is_left_out_and_said():
    repaired = repair(make.bundle() + pem_of(make.root().certificate), at=AT)
    assert make.bundle() == repaired.pem
    [change] = repaired.changes
    assert change.repair == "drop"
    assert "root CN=Test Root" in change.what


def test_a_certificate_that_stands_twice_is_left_out_and_said():
    repaired = repair(make.bundle() + make.leaf_pem(), at=AT)
    assert make.bundle() == repaired.pem
    assert [change.what for change in repaired.changes] == ["left out the same certificate again"]


def test_the_same_key_twice_is_one_key():
    """Also in both encodings: the numbers are the same."""
    twice = make.traditional(make.rsa_key("leaf")) + make.bundle()
    repaired = repair(twice, at=AT)
    assert make.bundle() == repaired.pem
    assert "left out the same key again" in {change.what for change in repaired.changes}


def test_a_lone_self_signed_certificate_is_kept():
    """It is a root by shape, and the leaf by its key."""
    alone = pem_of(make.make_leaf(None))
    repaired = repair(make.key_pem() + alone, at=AT)
    assert make.key_pem() + alone == repaired.pem


def test_with_every_root_gone_a_cross_sign_stays():
    """A root and its cross-signed twin: only what clients have is left out; and it ends."""
    cross = make.make_ca("Test Root", make.make_ca("Old Root"), key=make.rsa_key("Test Root"))
    old_root = make.make_ca("Old Root", key=make.rsa_key("Old Root"))
    data = make.bundle() + b"".join(
        pem_of(one.certificate) for one in (make.root(), cross, old_root)
    )
    repaired = repair(data, at=AT)
    assert make.bundle() + pem_of(cross.certificate) == repaired.pem
    assert repair(repaired.pem, at=AT).pem == repaired.pem


def test_the_key_can_be_written_as_pkcs1_and_back():
    there = repair(make.bundle(), at=AT, key_format=KeyFormat.PKCS1)
    assert make.with_key(make.traditional(make.rsa_key("leaf"))) == there.pem
    back = repair(there.pem, at=AT)
    assert make.bundle() == back.pem
    assert [change.repair for change in back.changes] == ["key-format"]


def test_turning_the_encoding_keeps_every_number():
    """Read by the library, independently of how the octets were moved."""
    there = repair(make.bundle(), at=AT, key_format=KeyFormat.PKCS1)
    key = load_pem_private_key(there.pem.partition(b"-----BEGIN CERT")[0], None)
    assert make.rsa_key("leaf").private_numbers() == key.private_numbers()


def test_no_octet_of_a_block_is_changed():
    crooked = make.bundle().replace(b"\n", b"\\n").replace(b"-----", b"----", 1)
    assert der_of(make.bundle()) == der_of(repair(crooked, at=AT).pem)


def test_the_result_is_one_that_can_be_sent():
    repaired = repair(b"\xef\xbb\xbf" + make.bundle(), at=AT)
    assert checks.check(repaired.pem, at=AT).checked is not None
    assert repaired.checked.pem == repaired.pem


@pytest.mark.parametrize("key_format", KeyFormat)
def test_openssl_takes_the_result_as_it_is(key_format, tmp_path):
    """An independent verdict: the library behind most servers loads key and chain from it."""
    crooked = make.bundle().replace(b"-----\n-----", b"----------").replace(b"\n", b"\r")
    path = tmp_path / "bundle.pem"
    path.write_bytes(repair(crooked, at=AT, key_format=key_format).pem)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)


def test_names_that_must_be_covered_are_asked_for():
    with pytest.raises(Unrepairable) as refused:
        repair(make.bundle(), at=AT, domains=("other.example",))
    assert refused.value.code == "LEAF-NAME"
