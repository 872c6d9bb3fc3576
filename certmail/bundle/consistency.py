"""Whether the eight numbers of an RSA private key belong to each other, in a few milliseconds.

Comes in: the numbers of RFC 8017 §3.2. Goes out: yes or no. Knows arithmetic and nothing else. That
the key also works, the caller shows by a signature. What each step would miss alone stands in
``docs/decisions/0007-key-consistency.md``.
"""

from __future__ import annotations

from dataclasses import field
from secrets import randbelow
from typing import Final

from certmail.frozen import frozen

_LEAST_PRIME: Final = 3


@frozen(repr=False)
class RsaNumbers:
    """A two-prime RSA private key (RFC 8017 §3.2), named as there; no number is ever shown."""

    n: int = field(repr=False)
    e: int = field(repr=False)
    d: int = field(repr=False)
    p: int = field(repr=False)
    q: int = field(repr=False)
    dp: int = field(repr=False)
    dq: int = field(repr=False)
    qi: int = field(repr=False)


def fit(key: RsaNumbers) -> bool:
    """Tell whether the numbers make one key.

    (1) the primes are odd, two, and make the modulus, (2) each exponent undoes the public one
    modulo its prime, and the private exponent agrees with both, (3) the coefficient is q's inverse,
    (4) p and q stand one strong probable-prime test each, to a base nobody can foresee.
    """
    p, q = key.p, key.q
    # (1) no product of two primes
    if min(p, q) < _LEAST_PRIME or not p & 1 or not q & 1 or p == q or p * q != key.n:
        return False
    # (2) an exponent of another key
    if not 1 < key.d < key.n or (key.d % (p - 1), key.d % (q - 1)) != (key.dp, key.dq):
        return False
    if key.e * key.dp % (p - 1) != 1 or key.e * key.dq % (q - 1) != 1:
        return False
    # (3) a coefficient of another key
    if not 0 < key.qi < p or key.qi * q % p != 1:
        return False
    # (4) a factor that has factors
    return _is_probably_prime(p) and _is_probably_prime(q)


def _is_probably_prime(number: int) -> bool:
    """Run one round of Miller and Rabin's test; the number is odd and at least 3."""
    odd, twos = number - 1, 0
    while not odd & 1:
        odd, twos = odd >> 1, twos + 1
    power = pow(1 + randbelow(number - 1), odd, number)
    if power in {1, number - 1}:
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
