"""The numbers of a private key: what the library's full check finds, this one finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.bundle import x509
from certmail.bundle.consistency import RsaNumbers, fit
from certmail.bundle.key import read
from certmail.bundle.pem import scan
from tests.bundle import make
from tests.bundle.make import rsa_key

FIELDS = ("n", "e", "d", "p", "q", "dp", "dq", "qi")


def numbers_of(key: rsa.RSAPrivateKey) -> RsaNumbers:
    secret = key.private_numbers()
    public = secret.public_numbers
    return RsaNumbers(
        n=public.n,
        e=public.e,
        d=secret.d,
        p=secret.p,
        q=secret.q,
        dp=secret.dmp1,
        dq=secret.dmq1,
        qi=secret.iqmp,
    )


def library_says(key: RsaNumbers) -> bool:
    """The full check: every relation, and primes tested until hardly a doubt is left."""
    public = rsa.RSAPublicNumbers(key.e, key.n)
    secret = rsa.RSAPrivateNumbers(key.p, key.q, key.d, key.dp, key.dq, key.qi, public)
    try:
        secret.private_key()
    except ValueError:
        return False
    return True


SOUND = numbers_of(rsa_key("leaf"))


def test_a_sound_key_fits():
    assert fit(SOUND)
    assert library_says(SOUND)


@pytest.mark.parametrize("name", FIELDS)
@given(change=st.integers(-3, 3).filter(bool) | st.integers(2, 2**64).map(lambda n: n * 2**100))
@settings(max_examples=12, deadline=None)
def test_no_number_can_be_another(name, change):
    changed = replace(SOUND, **{name: max(getattr(SOUND, name) + change, 0)})
    assert not fit(changed)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [0, 1, 2, -1])
def test_no_number_can_be_a_trivial_one(name, value):
    assert not fit(replace(SOUND, **{name: value}))


def test_the_primes_are_not_exchanged_behind_the_back_of_the_exponents():
    assert not fit(replace(SOUND, p=SOUND.q, q=SOUND.p))


def test_the_same_prime_twice_is_no_key():
    assert not fit(made_of(SOUND.p, SOUND.p))


def test_a_private_exponent_of_either_kind_fits():
    """RFC 8017 §3.2: modulo the least common multiple; many programs take the product instead."""
    product = (SOUND.p - 1) * (SOUND.q - 1)
    assert fit(replace(SOUND, d=pow(SOUND.e, -1, product)))


def made_of(p: int, q: int) -> RsaNumbers:
    """Make every number as if p and q were primes."""
    e = 65537
    dp, dq = pow(e, -1, p - 1), pow(e, -1, q - 1)
    d = pow(e, -1, (p - 1) * (q - 1))
    qi = pow(q, -1, p) if p != q else 1
    return RsaNumbers(n=p * q, e=e, d=d, p=p, q=q, dp=dp, dq=dq, qi=qi)


def composites() -> dict[str, int]:
    """Give odd numbers of 1024 bits that are no primes, of the kinds that could be met."""
    half = generated(1024)
    return {
        "two primes": half.p * half.q,
        "a square": half.p * half.p,
        "thrice a number": 3 * (SOUND.p // 3 - 2 | 1),
        "beside a prime": SOUND.p + 2,
        "with one bit changed": SOUND.p ^ 1 << 500,
    }


def generated(bits: int) -> rsa.RSAPrivateNumbers:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return key.private_numbers()


COMPOSITES = composites()


@pytest.mark.parametrize("kind", COMPOSITES)
@pytest.mark.parametrize("place", ["p", "q"])
def test_a_composite_in_the_place_of_a_prime_signs_nothing_that_verifies(kind, place):
    """All numbers fit each other; the signature is what finds it, for each message there is."""
    composite = COMPOSITES[kind]
    key = made_of(*((composite, SOUND.q) if place == "p" else (SOUND.q, composite)))
    assert fit(key)
    assert not library_says(key)
    der = make.integers(0, *(getattr(key, name) for name in FIELDS))
    (block,) = scan(make.armor("RSA PRIVATE KEY", der)).blocks
    facts = read(block).facts
    assert facts is not None
    assert not any(x509.consistent_key(block.der, facts) for _ in range(5))


def test_no_number_is_shown():
    assert repr(SOUND).count(str(SOUND.p)[:12]) == 0
    assert str(SOUND.d)[:12] not in repr(SOUND)


# Small numbers, where each rule stands alone


def small(p: int, q: int, e: int, d: int, qi: int, **changed: int) -> RsaNumbers:
    numbers = {"n": p * q, "e": e, "d": d, "p": p, "q": q, "qi": qi}
    return RsaNumbers(**{**numbers, "dp": d % (p - 1), "dq": d % (q - 1), **changed})


@pytest.mark.parametrize("key", [small(3, 5, 3, 3, 2), small(3, 7, 5, 5, 1), small(5, 3, 3, 3, 2)])
def test_the_smallest_keys_there_are_fit(key):
    assert fit(key)


@pytest.mark.parametrize(
    "key",
    [
        small(4, 7, 5, 5, 3),
        small(7, 4, 5, 5, 2),
        small(5, 7, 13, 1, 3),
        small(3, 5, 3, 15, 2),
        small(3, 5, 5, 3, 2),
        small(5, 3, 5, 3, 2),
        small(3, 5, 3, 3, 5),
        small(3, 5, 3, 3, -1),
        small(3, 5, 3, 3, 2, n=16),
    ],
    ids=[
        "even p",
        "even q",
        "d = 1",
        "d = n",
        "dq of another",
        "dp of another",
        "qi beyond p",
        "qi below 0",
        "n of another",
    ],
)
def test_one_number_that_is_not_the_keys_own_is_enough(key):
    assert not fit(key)
