"""Revocation: what to ask the CA, and what its signed answer is worth.

Comes in: a bundle, then the answers somebody fetched. Goes out: questions, then findings. An answer
counts only when its issuer, or a responder the issuer named, signed it and it is of today. Knows
RFC 6960 (OCSP) and RFC 5280 §5 and §6.3 (CRLs, complete ones for the certificate's own place).
What could not be told is a warning, since clients connect as well then. Touches no network.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from certmail.bundle import chain, key, parts, pem
from certmail.bundle.findings import Finding, error, warning
from certmail.bundle.further import Answer, Further, Kind, Question
from certmail.bundle.x509 import Certificate, attempt, decode, extension
from certmail.values import printable

if TYPE_CHECKING:
    from datetime import datetime

MAX_QUESTIONS: Final = 8
"""A path of eight; each certificate has one question."""

_WEB: Final = ("http://", "https://")
_MAX_URL: Final = 500


def questions(data: bytes, *, at: datetime) -> tuple[Question, ...]:
    """Say what to ask about a bundle; nothing where it cannot be read."""
    scan = pem.scan(data)
    if not scan.legible:
        return ()
    decoded = [decode(block) for block in parts.certificates(scan.blocks)]
    certificates = tuple(one for one in decoded if isinstance(one, Certificate))
    if not certificates:
        return ()
    readings = [key.read(block) for block in parts.keys(scan.blocks)]
    spki = next((reading.facts.spki_sha256 for reading in readings if reading.facts), None)
    path = chain.follow(certificates, spki_sha256=spki, at=at).path
    asked = (_question(below, issuer) for below, issuer in _pairs(path))
    return tuple(question for question in asked if question is not None)[:MAX_QUESTIONS]


def judge(path: tuple[Certificate, ...], further: Further, *, at: datetime) -> tuple[Finding, ...]:
    """Judge the answers about every certificate that has its issuer in the path."""
    if further.answers is None:
        return ()
    by_subject = {answer.question.subject: answer for answer in further.answers}
    found = [
        _judged(below, issuer, by_subject.get(below.facts.sha256), at=at)
        for below, issuer in _pairs(path)
    ]
    if path and not _pairs(path):
        found.append(_untold(path[0], "its issuer is not in the file, and only it can sign that"))
    return tuple(finding for finding in found if finding is not None)


def _pairs(path: tuple[Certificate, ...]) -> list[tuple[Certificate, Certificate]]:
    return list(pairwise(path))


def _question(below: Certificate, issuer: Certificate) -> Question | None:
    """Ask by OCSP where the certificate names a responder, else for the list."""
    access = extension(below.handle.extensions, x509.AuthorityInformationAccess)
    for description in access or ():
        if description.access_method == AuthorityInformationAccessOID.OCSP:
            url = _url(description.access_location)
            body = attempt(lambda: _request(below, issuer))
            if url and body:
                return Question(Kind.OCSP, url, body, below.facts.sha256)
    lists = _lists(below)
    return Question(Kind.CRL, lists[0], b"", below.facts.sha256) if lists else None


def _lists(certificate: Certificate) -> list[str]:
    places = extension(certificate.handle.extensions, x509.CRLDistributionPoints)
    # A point with reasons or another issuer is for a part of what can be revoked.
    whole = [p for p in places or () if not p.reasons and not p.crl_issuer]
    found = [_url(name) for point in whole for name in point.full_name or ()]
    return [url for url in found if url]


def _url(name: x509.GeneralName) -> str:
    if not isinstance(name, x509.UniformResourceIdentifier):
        return ""
    url = name.value
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _MAX_URL
    return url if plain and url.lower().startswith(_WEB) else ""


def _request(below: Certificate, issuer: Certificate) -> bytes:
    # SHA-1 here names the issuer and protects nothing; responders know no other (RFC 5019 §2.1.1).
    builder = ocsp.OCSPRequestBuilder()
    request = builder.add_certificate(below.handle, issuer.handle, hashes.SHA1()).build()  # noqa: S303
    return request.public_bytes(Encoding.DER)


def _judged(
    below: Certificate, issuer: Certificate, answer: Answer | None, *, at: datetime
) -> Finding | None:
    if answer is None:
        return _untold(below, "it names no place to ask that is on the web")
    octets = answer.octets
    if octets is None:
        return _untold(below, f"{printable(answer.question.url)}: {printable(answer.reason)}")
    read = _by_ocsp if answer.question.kind is Kind.OCSP else _by_list
    reason = attempt(lambda: read(below, issuer, octets, answer.question, at))
    if reason is None:
        return _untold(below, f"the answer of {printable(answer.question.url)} cannot be read")
    if reason == _REVOKED:
        return _revoked(below, answer.question)
    return _untold(below, reason) if reason else None


_REVOKED: Final = "revoked"
_GOOD: Final = ""


def _by_ocsp(
    below: Certificate, issuer: Certificate, octets: bytes, question: Question, at: datetime
) -> str:
    """Give ``""`` for good, ``revoked``, or why the answer tells nothing (RFC 6960 §3.2)."""
    response = ocsp.load_der_ocsp_response(octets)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return f"the responder says {response.response_status.name.lower().replace('_', ' ')}"
    if not _signed_by_responder(response, issuer, at):
        return "the answer is not signed by the issuer or a responder of its own"
    asked = ocsp.load_der_ocsp_request(question.body)
    for single in response.responses:
        if single.serial_number != below.handle.serial_number:
            continue
        if single.issuer_key_hash != asked.issuer_key_hash:
            continue
        if not single.this_update_utc <= at or (single.next_update_utc or at) < at:
            return "the answer is not of today"
        if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
            return _REVOKED
        known = single.certificate_status is ocsp.OCSPCertStatus.GOOD
        return _GOOD if known else "the responder does not know the certificate"
    return "the answer is about another certificate"


def _signed_by_responder(response: ocsp.OCSPResponse, issuer: Certificate, at: datetime) -> bool:
    """RFC 6960 §4.2.2.2: signed by the issuer, or by one it certified for just that."""
    keys: list[object] = [issuer.handle.public_key()]
    for certificate in response.certificates:
        uses = extension(certificate.extensions, x509.ExtendedKeyUsage)
        if uses is None or ExtendedKeyUsageOID.OCSP_SIGNING not in uses:
            continue
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            continue
        try:
            certificate.verify_directly_issued_by(issuer.handle)
        except (ValueError, TypeError, InvalidSignature):
            continue
        keys.append(certificate.public_key())
    return any(_verifies(one, response) for one in keys)


def _verifies(public: object, response: ocsp.OCSPResponse) -> bool:
    digest = response.signature_hash_algorithm
    if digest is None or isinstance(digest, hashes.SHA1 | hashes.MD5):
        return False
    try:
        match public:
            case rsa.RSAPublicKey():
                how = padding.PKCS1v15()
                public.verify(response.signature, response.tbs_response_bytes, how, digest)
            case ec.EllipticCurvePublicKey():
                public.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(digest))
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _by_list(
    below: Certificate, issuer: Certificate, octets: bytes, question: Question, at: datetime
) -> str:
    """Give ``""`` for good, ``revoked``, or why the list tells nothing (RFC 5280 §6.3.3)."""
    revoked = x509.load_der_x509_crl(octets)
    signer = issuer.handle.public_key()
    if revoked.issuer != below.handle.issuer or not isinstance(
        signer, rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    ):
        return "the list is of another issuer"
    if not revoked.is_signature_valid(signer):
        return "the list is not signed by the issuer"
    if not revoked.last_update_utc <= at or (revoked.next_update_utc or at) < at:
        return "the list is not of today"
    if not _covers(revoked, below, question.url):
        return "the list is for other certificates"
    found = revoked.get_revoked_certificate_by_serial_number(below.handle.serial_number)
    return _GOOD if found is None else _REVOKED


def _covers(revoked: x509.CertificateRevocationList, below: Certificate, url: str) -> bool:
    """RFC 5280 §5.2.5: a list may be a part; it must say it is the part that was asked for."""
    known = {x509.IssuingDistributionPoint.oid, x509.CRLNumber.oid, x509.AuthorityKeyIdentifier.oid}
    if any(e.critical and e.oid not in known for e in revoked.extensions):
        return False
    part = extension(revoked.extensions, x509.IssuingDistributionPoint)
    if part is None:
        return True
    if part.indirect_crl or part.only_some_reasons or part.only_contains_attribute_certs:
        return False
    if part.only_contains_ca_certs and not below.facts.is_ca:
        return False
    if part.only_contains_user_certs and below.facts.is_ca:
        return False
    names = [n.value for n in part.full_name or () if isinstance(n, x509.UniformResourceIdentifier)]
    return part.full_name is None or url in names


def _revoked(below: Certificate, question: Question) -> Finding:
    return error(
        "CHAIN-REVOKED" if below.facts.is_ca else "LEAF-REVOKED",
        below.facts.lines,
        f"the certificate {below.facts.subject} has been revoked",
        why=f"its issuer says so, by {question.kind.value}; clients that ask refuse it",
        next="have a certificate issued anew, with a new key if the old one leaked",
    )


def _untold(below: Certificate, reason: str) -> Finding:
    return warning(
        "CHAIN-REVOCATION-UNTOLD",
        below.facts.lines,
        f"whether {below.facts.subject} has been revoked could not be told",
        why=reason,
        next="try again later, or look the serial number up at your CA",
    )
