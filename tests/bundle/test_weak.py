from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from certmail.bundle import known, weak
from certmail.bundle.check import check, modulus
from tests.bundle import make
from tests.bundle.make import rsa_key


def number(key) -> int:
    return key.public_key().public_numbers().n


@pytest.mark.parametrize("bits", [2048, 4096])
def test_a_key_made_at_random_has_no_flaw(bits):
    sound = number(rsa_key("leaf", bits))
    assert not weak.has_roca(sound)
    assert not weak.primes_are_close(sound)
    assert weak.small_factor(sound) == 0


def test_the_roca_mark_is_a_power_of_65537_modulo_every_small_prime():
    """CVE-2017-15361, by definition: a discrete logarithm exists for each of the primes."""
    flawed = number(make.roca_key())
    assert weak.has_roca(flawed)
    for prime in (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157):
        assert flawed % prime in {pow(65537, power, prime) for power in range(prime)}
    assert not weak.has_roca(flawed + 2)


def test_neighbouring_primes_are_found_within_the_rounds():
    assert weak.primes_are_close(number(make.close_primes_key()))


def test_the_least_factor_is_named():
    assert weak.small_factor(3 * 5 * 4093) == 3
    assert weak.small_factor(4093 * 65537) == 4093


def test_the_same_key_twice_is_not_a_shared_prime():
    """Two bundles for two names may have one key."""
    own = number(rsa_key("leaf"))
    assert not weak.shared(own, (own, 0, number(rsa_key("stranger"))))


def test_the_fingerprint_is_the_one_of_openssl_blacklist():
    """The last 80 bits of SHA-1 over the line of ``openssl rsa -noout -modulus``."""
    line = f"Modulus={number(rsa_key('leaf')):X}\n".encode()
    whole = hashlib.sha1(line, usedforsecurity=False).hexdigest()
    assert weak.fingerprint(number(rsa_key("leaf"))).decode() == whole[-20:]


def test_every_published_digest_is_one():
    assert all(len(digest) == 64 and int(digest, 16) for digest in known.PUBLISHED)


def test_a_published_key_is_told_before_it_is_validated():
    """The costly validation is not made for a key that is refused anyway."""
    key = Path(__file__).with_name("published-key.pem").read_bytes()
    codes = [f.code for f in check(key + make.chain_pem(), at=make.AT).findings]
    assert codes == ["KEY-PUBLISHED", "LEAF-MISSING"]


def test_the_modulus_is_read_from_whatever_holds_one_key():
    assert modulus(make.bundle()) == number(rsa_key("leaf"))
    assert modulus(make.leaf_pem()) == modulus(b"") == modulus(make.key_pem() * 2) == 0
