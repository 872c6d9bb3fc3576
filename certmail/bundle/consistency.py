"""Whether the eight numbers of an RSA private key belong to each other, in microseconds.

Comes in: the numbers of RFC 8017 §3.2. Goes out: yes or no. Knows arithmetic and nothing else. That
the primes are primes is not asked here: the signature by which the caller shows that the key works
cannot verify otherwise. What each step would miss alone stands in
``docs/decisions/0007-key-consistency.md``.
"""

from __future__ import annotations

from dataclasses import field
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
    modulo its prime, and the private exponent agrees with both, (3) the coefficient is q's inverse.
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
    return 0 < key.qi < p and key.qi * q % p == 1
