"""Keys that others can work out: by how they were made, or because they were published.

Comes in: a modulus, which is public, and lists that edges have found. Goes out: findings. The
algorithms are the published ones: CVE-2017-15361 (ROCA), CVE-2022-26320 (Fermat), CVE-2008-0166
(Debian), and the greatest common divisor for factors that two keys share. A key that passes is not
proved strong; it has none of these flaws. Under a millisecond for 4096 bits.
"""

from __future__ import annotations

from functools import cache
from math import gcd, isqrt, prod
from typing import TYPE_CHECKING, Final

from certmail.bundle import hints, known
from certmail.bundle.findings import Finding, error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certmail.bundle.facts import KeyFacts
    from certmail.bundle.further import Further

FERMAT_ROUNDS: Final = 100
"""What the finder of CVE-2022-26320 used; no random primes of 1024 bits come that close."""

SMALL: Final = 4096
"""Factors below this are looked for; a key that passed the full validation has none anyway."""

_ROCA_GENERATOR: Final = 65537
_ROCA_LARGEST: Final = 167
_GUESSED: Final = "whoever reads the certificate can work out the private key"


def examine(modulus: int, key: KeyFacts, further: Further) -> tuple[Finding, ...]:
    """Look for the first flaw of a key; a key with several is no weaker for it."""
    if where := known.PUBLISHED.get(key.spki_sha256):
        return (_weak("KEY-PUBLISHED", key, f"is a published test key, of {where}", _PUBLIC),)
    if further.blocklist and fingerprint(modulus) in further.blocklist:
        what = "is one of those that Debian's broken OpenSSL could make"
        return (_weak("KEY-DEBIAN", key, what, "CVE-2008-0166: there are 32768 of each kind"),)
    if shared(modulus, further.moduli):
        return (shares_a_prime(key),)
    return _by_arithmetic(modulus, key)


def _by_arithmetic(modulus: int, key: KeyFacts) -> tuple[Finding, ...]:
    if factor := small_factor(modulus):
        return (_weak("KEY-SMALL-FACTOR", key, f"has the prime factor {factor}", _GUESSED),)
    if has_roca(modulus):
        why = f"CVE-2017-15361, keys of certain Infineon chips: {_GUESSED}"
        return (_weak("KEY-ROCA", key, "has the mark of the ROCA flaw", why),)
    if primes_are_close(modulus):
        why = f"CVE-2022-26320, Fermat's method: {_GUESSED}"
        return (_weak("KEY-CLOSE-PRIMES", key, "has two primes that are close neighbours", why),)
    return ()


def shares_a_prime(key: KeyFacts) -> Finding:
    """Report a key that has a prime in common with another."""
    why = "two moduli with a prime in common give both private keys away"
    return _weak("KEY-SHARED-FACTOR", key, "shares a prime with another key that is here", why)


_PUBLIC: Final = "its private half stands in public repositories; anybody can use it"


def _weak(code: str, key: KeyFacts, what: str, why: str) -> Finding:
    return error(code, key.lines, f"the key {what}", why=why, next=hints.REISSUE)


def fingerprint(modulus: int) -> bytes:
    """Give the last 80 bits that openssl-blacklist lists: SHA-1 of what openssl prints."""
    import hashlib  # noqa: PLC0415 - only where such a list is installed

    printed = f"Modulus={modulus:X}\n".encode()
    digest = hashlib.sha1(printed, usedforsecurity=False).hexdigest()
    return digest[20:].encode()


def small_factor(modulus: int) -> int:
    """Find the least prime factor below 4096, or 0."""
    if gcd(modulus, _primorial()) == 1:
        return 0
    return next(prime for prime in _primes(SMALL) if modulus % prime == 0)


def shared(modulus: int, others: Iterable[int]) -> bool:
    """Tell whether another modulus has one of this one's primes; an equal one is the same key."""
    return any(1 < gcd(modulus, other) < modulus for other in others if other)


def has_roca(modulus: int) -> bool:
    """Tell whether the residues of a modulus are all powers of 65537; by chance 1 in 2^27."""
    return all(modulus % prime in powers for prime, powers in _roca_marks())


def primes_are_close(modulus: int) -> bool:
    """Factor by Fermat's method, for a bounded number of rounds."""
    root = isqrt(modulus)
    root += root * root < modulus
    rest = root * root - modulus
    for _ in range(FERMAT_ROUNDS):
        if isqrt(rest) ** 2 == rest:
            return True
        rest += 2 * root + 1
        root += 1
    return False


@cache
def _primes(below: int) -> tuple[int, ...]:
    sieve = bytearray([1]) * below
    for number in range(2, isqrt(below) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, below, number)))
    return tuple(number for number in range(2, below) if sieve[number])


@cache
def _primorial() -> int:
    return prod(_primes(SMALL))


@cache
def _roca_marks() -> tuple[tuple[int, frozenset[int]], ...]:
    """Pair each small prime with the powers of 65537 modulo it; those that tell nothing drop."""
    marks = []
    for prime in _primes(_ROCA_LARGEST + 1):
        powers, power = set[int](), 1
        while power not in powers:
            powers.add(power)
            power = power * _ROCA_GENERATOR % prime
        if len(powers) < prime - 1:
            marks.append((prime, frozenset(powers)))
    return tuple(marks)
