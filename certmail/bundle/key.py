"""The private key's block: what it is, decided from its DER, and whether the provider takes it.

Comes in: the key blocks. Goes out: the public half as facts, and findings. Everything here is
cheap and reads two numbers, the modulus and the exponent; whether the private numbers fit is for
``x509.consistent_key``, which must not see a key that was refused here. Knows RFC 5958 §2 and
RFC 8017 §A.1.2. No private number leaves this file.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final

from certmail.bundle import der, hints, labels, names, rules
from certmail.bundle.der import Shape
from certmail.bundle.facts import KeyFacts, sha256_hex
from certmail.bundle.findings import Finding, error, span
from certmail.frozen import frozen

if TYPE_CHECKING:
    from certmail.bundle.pem import Block

_KEY_SHAPES: Final = frozenset({Shape.PKCS8, Shape.PKCS1, Shape.SEC1, Shape.DSA, Shape.ENCRYPTED})
_LABEL_OF: Final = {Shape.PKCS8: "PRIVATE KEY", Shape.PKCS1: "RSA PRIVATE KEY"}


@frozen
class KeyReading:
    """What one key block says: ``facts`` only of an RSA key whose public half could be read.

    ``modulus`` is 0 where it could not be read; it is public.
    """

    facts: KeyFacts | None
    findings: tuple[Finding, ...]
    modulus: int = field(default=0, repr=False)


def read(block: Block) -> KeyReading:
    """Read one key block; the first thing that makes it unreadable ends the reading."""
    shape = der.shape(block.der)
    if block.encrypted or block.label == labels.ENCRYPTED_KEY or shape is Shape.ENCRYPTED:
        return KeyReading(None, (_encrypted(block),))
    refusal = framing(block) or _not_a_key(block, shape)
    if refusal is not None:
        return KeyReading(None, (refusal,))
    name = _algorithm(block, shape)
    if name != names.RSA:
        return KeyReading(None, (_other_algorithm(block, name),))
    mislabelled = _label(block, shape)
    numbers = _public_numbers(block, shape)
    if isinstance(numbers, Finding):
        return KeyReading(None, (*mislabelled, numbers))
    modulus, exponent, balanced = numbers
    facts = KeyFacts(
        lines=block.lines,
        label=block.label,
        algorithm=name,
        bits=modulus.bit_length(),
        spki_sha256=sha256_hex(der.rsa_public_key(modulus, exponent)),
    )
    faults = (*_size(facts), *_exponent(facts, exponent))
    if not faults and not balanced:
        faults = _primes(facts)
    return KeyReading(facts, (*mislabelled, *faults), modulus)


def framing(block: Block) -> Finding | None:
    """Compare the size the body claims with the size it has; for keys and certificates alike."""
    claimed, size = der.claimed_size(block.der), len(block.der)
    if claimed == size and der.inside(block.der):
        return None
    if claimed is None or claimed == size:
        return error(
            "BLOCK-NOT-DER",
            block.lines,
            f"the body of {span(block.lines)} is base64 of something that is not DER",
            why="keys and certificates are DER inside PEM; this is other data or damaged",
            next=hints.COPY_AGAIN,
        )
    if claimed > size:
        return error(
            "BLOCK-TRUNCATED",
            block.lines,
            f"the body of {span(block.lines)} has {size} bytes of the {claimed} it announces",
            why="lines were lost when the block was copied",
            next=hints.COPY_AGAIN,
        )
    return error(
        "BLOCK-TRAILING",
        block.lines,
        f"the body of {span(block.lines)} goes on for {size - claimed} bytes after its end",
        why="something was added to the block; strict readers refuse it",
        next=hints.COPY_AGAIN,
    )


def _encrypted(block: Block) -> Finding:
    return error(
        "KEY-ENCRYPTED",
        block.lines,
        f"the private key, {span(block.lines)}, is protected by a passphrase",
        why="the provider's servers start without anybody to type it; the mail itself is encrypted",
        next=hints.DECRYPT,
    )


def _not_a_key(block: Block, shape: Shape) -> Finding | None:
    if shape in _KEY_SHAPES:
        return None
    return error(
        "KEY-BODY",
        block.lines,
        f"the label says {block.label}, but the body is {shape.value}",
        why="the label was changed or the wrong body was pasted; no private key is in this block",
        next="put the private key there, as it was created",
    )


def _algorithm(block: Block, shape: Shape) -> str:
    if shape is Shape.PKCS8:
        return names.key_algorithm(der.algorithm(der.inside(block.der)[1]) or "unknown")
    return {Shape.PKCS1: names.RSA, Shape.SEC1: "EC"}.get(shape, "DSA")


def _other_algorithm(block: Block, name: str) -> Finding:
    if name == names.PSS:
        return error(
            "KEY-PSS",
            block.lines,
            f"the key, {span(block.lines)}, is an RSA key bound to RSASSA-PSS",
            why="the provider's proxy takes keys marked rsaEncryption only",
            next=hints.REISSUE_RSA,
        )
    return error(
        "KEY-ALGORITHM",
        block.lines,
        f"the key, {span(block.lines)}, is of kind {name}, not RSA",
        why=rules.KEY_ALGORITHM.says,
        next=hints.REISSUE_RSA,
    )


def _label(block: Block, shape: Shape) -> tuple[Finding, ...]:
    """Compare label and body: a reader that goes by the label fails on the other encoding."""
    wanted = _LABEL_OF[shape]
    if block.label == wanted:
        return ()
    return (
        error(
            "KEY-LABEL",
            block.lines,
            f"the label says {block.label}, but the body is {shape.value}",
            why=f"{rules.KEY_LABELS.says}; this body needs {wanted}",
            next=hints.TO_PKCS8 if shape is Shape.PKCS1 else f"label the block {wanted}",
            repair="label",
        ),
    )


def _public_numbers(block: Block, shape: Shape) -> tuple[int, int, bool] | Finding:
    """Read modulus and exponent of RFC 8017 §A.1.2, from inside PKCS#8 if need be.

    The third value is whether both primes have half the bits; their values stay here.
    """
    parts = der.inside(block.der)
    if shape is Shape.PKCS8:
        parts = der.inside(parts[2].content)
    values = [der.number(part) for part in parts]
    if len(values) == 10 and values[0] == 1:  # noqa: PLR2004 (otherPrimeInfos makes ten)
        return error(
            "KEY-PRIMES",
            block.lines,
            f"the key, {span(block.lines)}, has more than two primes",
            why="the provider's proxy takes RSA keys of two primes only",
            next=hints.REISSUE_RSA,
        )
    if len(values) != 9 or values[0] != 0 or not values[1] or not values[2]:  # noqa: PLR2004
        return inconsistent(block.lines)
    halves = {2 * (prime or 0).bit_length() for prime in values[4:6]}
    return values[1], values[2], halves == {values[1].bit_length()}


def inconsistent(lines: tuple[int, int]) -> Finding:
    """Report a key whose numbers do not make a key."""
    return error(
        "KEY-INCONSISTENT",
        lines,
        f"the numbers of the key, {span(lines)}, do not fit each other",
        why="the key was damaged or put together wrongly; it would fail or give itself away",
        next="openssl pkey -check -noout -in key.pem",
    )


def _size(facts: KeyFacts) -> tuple[Finding, ...]:
    if facts.bits in rules.KEY_BITS.value:
        return ()
    return (
        error(
            "KEY-SIZE",
            facts.lines,
            f"the key, {span(facts.lines)}, has {facts.bits} bits",
            why=rules.KEY_BITS.says,
            next=hints.REISSUE_RSA,
        ),
    )


def _primes(facts: KeyFacts) -> tuple[Finding, ...]:
    return (
        error(
            "KEY-UNBALANCED",
            facts.lines,
            f"the two primes of the key, {span(facts.lines)}, differ in size",
            why=rules.BALANCED_PRIMES.says,
            next=hints.REISSUE_RSA,
        ),
    )


def _exponent(facts: KeyFacts, exponent: int) -> tuple[Finding, ...]:
    least, most_bits = rules.EXPONENT.value
    if exponent >= least and exponent % 2 and exponent.bit_length() <= most_bits:
        return ()
    shown = str(exponent) if exponent.bit_length() <= most_bits else "too large to show"
    return (
        error(
            "KEY-EXPONENT",
            facts.lines,
            f"the key's public exponent is {shown}",
            why=rules.EXPONENT.says,
            next=hints.REISSUE_RSA,
        ),
    )
