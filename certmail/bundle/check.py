"""The verdict on a bundle: may these octets be sent as they are, and if not, everything why.

Comes in: the file's octets, the instant, the host names that must be covered. Goes out: all
findings at once, causes without their fallout, and, if none is an ERROR, a ``CheckedBundle``.
Cheap checks come first: a file that cannot be read ends before cryptography is imported, and a
key that anything else refused is never validated. Must not know files, the clock or mail.
"""

from __future__ import annotations

from dataclasses import InitVar, field, replace
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.bundle import hosts, key, parts, pem, surroundings, weak
from certmail.bundle.facts import BundleFacts, CertificateFacts, KeyFacts, sha256_hex
from certmail.bundle.findings import Finding, forbids_sending
from certmail.bundle.further import NOTHING, Further
from certmail.bundle.key import KeyReading
from certmail.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.bundle.judge import Judgement
    from certmail.bundle.pem import Scan


class _Witness:
    """Proof that ``check`` is the caller: nobody else has the one instance."""


_WITNESS: Final = _Witness()

_EXPLAINS: Final[dict[str, frozenset[str]]] = {
    "BLOCK-OPENSSH": frozenset({"KEY-MISSING"}),
    "BLOCK-PUBLIC-KEY": frozenset({"KEY-MISSING"}),
    "BLOCK-CSR": frozenset({"CERT-MISSING", "LEAF-MISSING", "KEY-MISMATCH"}),
    "BLOCK-PKCS7": frozenset({"CERT-MISSING", "LEAF-MISSING", "KEY-MISMATCH"}),
    "BLOCK-TRUSTED": frozenset({"CERT-MISSING", "LEAF-MISSING", "KEY-MISMATCH"}),
    "KEY-ALGORITHM": frozenset({"BLOCK-EC-PARAMETERS"}),
    "KEY-SMALL-FACTOR": frozenset({"KEY-UNBALANCED"}),
    "LEAF-PRECERTIFICATE": frozenset({"CERT-CRITICAL"}),
}
"""Findings that are only the fallout of another one, by that one's code."""


@frozen(kw_only=True)
class CheckedBundle:
    """A bundle in which the check found no error; only ``check`` can make one.

    Proves: ``pem`` is one private key the provider takes, the certificate of that very key, and
    the certificates above it, in this order and in the exact form of RFC 7468; at the instant
    ``at`` none that counts had expired, and the leaf covers every name in ``domains``.

    Does not prove: that anybody trusts the chain's end or that nothing was revoked (unless the
    check was asked to look), that the key is strong or unknown to others (known flaws were looked
    for), or that the provider accepts it. ``chain`` is all certificates
    behind the leaf, in file order. Holds the private key: never copied by pickling, never shown.
    """

    pem: bytes = field(repr=False)
    leaf: CertificateFacts
    chain: tuple[CertificateFacts, ...]
    key: KeyFacts
    at: datetime
    domains: tuple[str, ...]
    witness: InitVar[_Witness]

    def __post_init__(self, witness: _Witness) -> None:
        """Refuse every maker but ``check``."""
        if witness is not _WITNESS:
            raise TypeError("a CheckedBundle is made by certmail.bundle.check.check only")

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or deep-copied."""
        raise TypeError("a CheckedBundle is not copied")


@frozen
class Verdict:
    """What a check came to. ``checked`` is None exactly when a finding is an ERROR.

    ``facts`` is None where the file could not be read; else it holds what could be read.
    """

    findings: tuple[Finding, ...]
    checked: CheckedBundle | None
    facts: BundleFacts | None


def check(
    data: bytes, *, at: datetime, domains: tuple[str, ...] = (), further: Further = NOTHING
) -> Verdict:
    """Check a bundle at an instant (aware) for the host names it must cover.

    Takes any octets; at most 1 MiB are looked at. One RSA validation at most, 5 to 30 ms.
    ``further`` is what else is known, or wanted to be judged.
    """
    scan = pem.scan(data)
    asked, malformed = hosts.settle(domains)
    if not scan.legible:
        return Verdict((*malformed, *scan.findings), None, None)
    reading = _key(scan, further)
    found = [
        *malformed,
        *scan.findings,
        *parts.examine(scan.blocks),
        *surroundings.mode(parts.keys(scan.blocks), further),
        *reading.findings,
    ]
    blocks = parts.certificates(scan.blocks)
    if not blocks:
        return Verdict(
            _causes(found), None, BundleFacts(key=reading.facts, certificates=(), path=())
        )
    # Imported here, since it brings cryptography: 40 ms that a file ending above does not pay.
    from certmail.bundle import judge  # noqa: PLC0415

    is_sound = further.sound is not None and further.sound == sha256_hex(data)
    judgement = judge.judge(
        blocks,
        key=reading,
        key_octets=None if is_sound else _octets(scan),
        at=at,
        domains=asked,
        further=further,
    )
    findings = _causes([*found, *judgement.findings])
    facts = BundleFacts(
        key=reading.facts,
        certificates=judgement.certificates,
        path=judgement.path,
        anchor=judgement.anchor,
    )
    if forbids_sending(findings) or reading.facts is None or not judgement.path:
        return Verdict(findings, None, facts)
    return Verdict(
        findings, _checked(bytes(data), reading.facts, judgement, at=at, domains=asked), facts
    )


def modulus(data: bytes) -> int:
    """Read the modulus of a bundle's key, to compare it with other bundles' keys; 0 for none."""
    found = parts.keys(pem.scan(data).blocks)
    return key.read(found[0]).modulus if len(found) == 1 else 0


def _key(scan: Scan, further: Further) -> KeyReading:
    """Read the key if there is one; several are a finding of their own.

    A key that would be refused for its kind is not looked at for flaws of making.
    """
    found = parts.keys(scan.blocks)
    if len(found) != 1:
        return KeyReading(None, ())
    reading = key.read(found[0])
    refused = {finding.code for finding in reading.findings} - {"KEY-LABEL", "KEY-UNBALANCED"}
    if reading.facts is None or refused:
        return reading
    flaws = weak.examine(reading.modulus, reading.facts, further)
    return replace(reading, findings=(*reading.findings, *flaws))


def _octets(scan: Scan) -> bytes | None:
    found = parts.keys(scan.blocks)
    return found[0].der if len(found) == 1 else None


def _causes(findings: list[Finding]) -> tuple[Finding, ...]:
    """Leave out what another finding explains."""
    codes = {finding.code for finding in findings}
    fallout = frozenset[str]().union(*(_EXPLAINS.get(code, ()) for code in codes))
    return tuple(finding for finding in findings if finding.code not in fallout)


def _checked(
    octets: bytes, facts: KeyFacts, judgement: Judgement, *, at: datetime, domains: tuple[str, ...]
) -> CheckedBundle:
    leaf, *chain = judgement.certificates
    return CheckedBundle(
        pem=octets,
        leaf=leaf,
        chain=tuple(chain),
        key=facts,
        at=at,
        domains=domains,
        witness=_WITNESS,
    )
