"""The numbers of a private key: what the library's full check finds, this one finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.bundle.consistency import RsaNumbers, _is_probably_prime, fit
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


def test_a_sound_key_fits_every_time():
    """A random base never speaks against a prime."""
    assert all(fit(SOUND) for _ in range(20))
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


# 1729, 56052361 = 211 · 421 · 631 and Chernick's (6k+1)(12k+1)(18k+1) pass every Fermat test.
CARMICHAEL = (561, 1105, 1729, 294409, 56052361, 118901521)


def chernick(bits: int) -> int:
    """Give a Carmichael number of three primes of about ``bits`` bits each."""
    k = 1 << (bits - 4)
    while not all(prime(number * k + 1) for number in (6, 12, 18)):
        k += 1
    return (6 * k + 1) * (12 * k + 1) * (18 * k + 1)


def prime(number: int) -> bool:
    return all(number % small for small in (3, 5, 7, 11, 13)) and pow(2, number - 1, number) == 1


def made_of(p: int, q: int) -> RsaNumbers:
    """Make every number as if p and q were primes."""
    e = 65537
    dp, dq = pow(e, -1, p - 1), pow(e, -1, q - 1)
    d = pow(e, -1, (p - 1) * (q - 1))
    qi = pow(q, -1, p) if p != q else 1
    return RsaNumbers(n=p * q, e=e, d=d, p=p, q=q, dp=dp, dq=dq, qi=qi)


@pytest.mark.parametrize("composite", [*CARMICHAEL, chernick(60)])
def test_a_carmichael_number_is_no_prime(composite):
    """At most a quarter of the bases lie, so that twenty runs in a row hardly ever pass."""
    key = made_of(composite, SOUND.q)
    assert not all(fit(key) for _ in range(20))
    assert not library_says(replace(SOUND, p=composite))


def test_a_product_of_two_primes_in_the_place_of_one_is_found_at_once():
    """A key of three primes that poses as one of two; no base that is met by chance lies."""
    smaller = rsa.generate_private_key(public_exponent=65537, key_size=1024).private_numbers()
    for _ in range(5):
        assert not fit(made_of(smaller.p * smaller.q, SOUND.q))


def test_no_number_is_shown():
    assert repr(SOUND).count(str(SOUND.p)[:12]) == 0
    assert str(SOUND.d)[:12] not in repr(SOUND)


# Small numbers, where each rule stands alone


def small(p: int, q: int, e: int, d: int, qi: int, **changed: int) -> RsaNumbers:
    numbers = {"n": p * q, "e": e, "d": d, "p": p, "q": q, "qi": qi}
    return RsaNumbers(**{**numbers, "dp": d % (p - 1), "dq": d % (q - 1), **changed})


ROUNDS = 40
"""The base of the primality test is drawn anew each time."""


@pytest.mark.parametrize("key", [small(3, 5, 3, 3, 2), small(3, 7, 5, 5, 1), small(5, 3, 3, 3, 2)])
def test_the_smallest_keys_there_are_fit(key):
    assert all(fit(key) for _ in range(ROUNDS))


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
    assert not any(fit(key) for _ in range(ROUNDS))


def test_each_small_prime_passes_to_any_base_and_no_other_number_to_all():
    for number in range(3, 300, 2):
        is_prime = all(number % one for one in range(2, number))
        assert all(_is_probably_prime(number) for _ in range(ROUNDS)) == is_prime, number


@pytest.mark.parametrize("number", [561, 1105, 1729, 2465, 8911, 10585, 15841, 101101])
def test_a_number_that_fermats_test_takes_for_a_prime_is_mostly_found_out(number):
    """Miller and Rabin's lets a quarter of the bases pass at most; Fermat's nearly all."""
    assert sum(_is_probably_prime(number) for _ in range(300)) < 150
