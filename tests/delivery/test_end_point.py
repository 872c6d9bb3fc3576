"""What binds a login to the relay's certificate."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certmail.delivery import tls
from certmail.delivery.tls import end_point_of
from certmail.errors import RelayError
from tests.delivery.test_tls import relay, shake_hands

# 1.2.840.113549.1.1.N of RFC 8017 §A.2.4: 4 is MD5, 5 SHA-1, 11 SHA-256.
WITH_RSA = bytes.fromhex("06092a864886f70d0101")
MD5, SHA1, SHA256 = b"\x04", b"\x05", b"\x0b"


@pytest.mark.parametrize(
    ("key", "algorithm", "expected"),
    [
        (ec.generate_private_key(ec.SECP256R1()), hashes.SHA256(), hashlib.sha256),
        (ec.generate_private_key(ec.SECP384R1()), hashes.SHA384(), hashlib.sha384),
        (Ed25519PrivateKey.generate(), None, None),
    ],
    ids=["sha256", "sha384", "ed25519"],
)
def test_the_hash_is_that_of_the_certificates_signature(key, algorithm, expected):
    """RFC 5929 §4.1; where the signature has no hash of its own, nothing is claimed."""
    octets = signed_with(key, algorithm)
    assert end_point_of(octets) == (expected(octets).digest() if expected else None)


@pytest.mark.parametrize("weak", [MD5, SHA1], ids=["md5", "sha1"])
def test_a_weak_hash_gives_way_to_sha_256(weak):
    """RFC 5929 §4.1. Nobody makes such signatures any more, so one is renamed: none is verified."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    octets = signed_with(key, hashes.SHA256()).replace(WITH_RSA + SHA256, WITH_RSA + weak)
    read = x509.load_der_x509_certificate(octets)
    assert read.signature_hash_algorithm.name == {MD5: "md5", SHA1: "sha1"}[weak]
    assert end_point_of(octets) == hashlib.sha256(octets).digest()


def test_what_is_no_certificate_binds_nothing():
    assert (end_point_of(b""), end_point_of(b"0" * 99)) == (None, None)


def test_a_live_connection_is_bound_to_the_certificate_it_showed(good, ca_file):
    to = relay(ca_file)
    live = shake_hands(good, tls.context_for(to))
    shown = live.getpeercert(binary_form=True)
    assert tls.end_point(live, relay=to) == hashlib.sha256(shown).digest()


def test_where_there_is_no_certificate_no_login_is_bound(ca_file):
    with pytest.raises(RelayError) as caught:
        tls.end_point(None, relay=relay(ca_file))
    assert caught.value.code == "RELAY-AUTH-BINDING"


def signed_with(key, algorithm) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.test")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return made.sign(key, algorithm).public_bytes(Encoding.DER)
