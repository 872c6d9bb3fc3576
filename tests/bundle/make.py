"""Throw-away CAs, leaves and keys for the tests; every RSA key is made once per session."""

from __future__ import annotations

import base64
import ipaddress
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOST = "www.example.org"
SHA256_RSA = bytes.fromhex("06092a864886f70d01010b")
SHA1_RSA = bytes.fromhex("06092a864886f70d010105")
RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")
RSASSA_PSS = bytes.fromhex("300d06092a864886f70d01010a3000")


@cache
def rsa_key(owner: str, bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    """Make the one RSA key of an owner."""
    return rsa.generate_private_key(exponent, bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@cache
def dsa_key() -> dsa.DSAPrivateKey:
    return dsa.generate_private_key(1024)


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA: its certificate and the key that signs."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def usage(**set_bits: bool) -> x509.KeyUsage:
    """Make a key usage in which only the given bits are set."""
    bits = dict.fromkeys(
        [
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    return x509.KeyUsage(**{**bits, **set_bits})


def _build(subject, public_key, issuer_name, extensions, *, start, end):
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension in extensions:
        value, critical = extension if isinstance(extension, tuple) else (extension, False)
        builder = builder.add_extension(value, critical=critical)
    return builder


def make_ca(
    common: str,
    issuer: Issuer | None = None,
    *,
    key: rsa.RSAPrivateKey | None = None,
    start: datetime = AT - 400 * DAY,
    end: datetime = AT + 1000 * DAY,
    is_ca: bool = True,
    path_length: int | None = None,
    key_usage: x509.KeyUsage | None = None,
    extra: tuple = (),
) -> Issuer:
    """Make a CA, self-signed unless an issuer is given."""
    key = key or rsa_key(common)
    builder = _build(
        name(common),
        key.public_key(),
        issuer.certificate.subject if issuer else name(common),
        [
            x509.BasicConstraints(ca=is_ca, path_length=path_length),
            key_usage or usage(key_cert_sign=True, crl_sign=True),
            *extra,
        ],
        start=start,
        end=end,
    )
    return Issuer(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def make_leaf(
    issuer: Issuer | None,
    *,
    key=None,
    names: tuple[str, ...] | None = (HOST, "*.example.org"),
    start: datetime = AT - DAY,
    end: datetime = AT + 89 * DAY,
    is_ca: bool = False,
    purposes=(ExtendedKeyUsageOID.SERVER_AUTH,),
    key_usage: x509.KeyUsage | None = None,
    extra: tuple = (),
    subject: x509.Name | None = None,
) -> x509.Certificate:
    """Make a server's certificate, self-signed where there is no issuer."""
    key = key or rsa_key("leaf")
    extensions = [
        x509.BasicConstraints(ca=is_ca, path_length=None),
        x509.ExtendedKeyUsage(purposes),
        key_usage or usage(digital_signature=True, key_encipherment=True),
        *extra,
    ]
    if names is not None:
        extensions.append(x509.SubjectAlternativeName([_general(n) for n in names]))
    issuer_name = issuer.certificate.subject if issuer else name(HOST)
    subject = subject or name(HOST)
    builder = _build(subject, key.public_key(), issuer_name, extensions, start=start, end=end)
    return builder.sign(issuer.key if issuer else key, hashes.SHA256())


def _general(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def with_sha1(certificate: x509.Certificate, issuer: Issuer) -> x509.Certificate:
    """Sign a certificate again with SHA-1, which the library's builder refuses to do."""
    old_body = certificate.tbs_certificate_bytes
    body = old_body.replace(SHA256_RSA, SHA1_RSA, 1)
    signature = issuer.key.sign(body, padding.PKCS1v15(), hashes.SHA1())
    octets = der_of(certificate).replace(old_body, body).replace(SHA256_RSA, SHA1_RSA)
    octets = octets.replace(certificate.signature, signature)
    return x509.load_der_x509_certificate(octets)


def marked_pss(certificate: x509.Certificate, issuer: Issuer) -> x509.Certificate:
    """Sign a certificate again with its key marked for RSASSA-PSS; the numbers stay the same."""
    old_body = certificate.tbs_certificate_bytes
    body = old_body.replace(RSA_ENCRYPTION, RSASSA_PSS, 1)
    signature = issuer.key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    octets = der_of(certificate).replace(old_body, body)
    return x509.load_der_x509_certificate(octets.replace(certificate.signature, signature))


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def pkcs8(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def pkcs8_der(key) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def traditional(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def traditional_der(key) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def encrypted_pkcs8(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))


def encrypted_traditional(key) -> bytes:
    secret = BestAvailableEncryption(b"x")
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, secret)


def public_pem(key) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_der(key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def armor(label: str, octets: bytes) -> bytes:
    """Write a block by hand, so that label and body may disagree."""
    text = base64.b64encode(octets).decode()
    rows = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *rows, f"-----END {label}-----", ""]).encode()


def tlv(tag: int, content: bytes) -> bytes:
    """Write one DER element, independently of the package's own writer."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 128 + len(octets)]) + octets + content


def integers(*values: int) -> bytes:
    return tlv(0x30, b"".join(tlv(2, v.to_bytes(v.bit_length() // 8 + 1)) for v in values))


def pkcs1_der(key: rsa.RSAPrivateKey, **changed: int) -> bytes:
    """Write a PKCS#1 body with some numbers changed, as no library would."""
    numbers = key.private_numbers()
    public = numbers.public_numbers
    values = {
        "version": 0,
        "n": public.n,
        "e": public.e,
        "d": numbers.d,
        "p": numbers.p,
        "q": numbers.q,
        "dp": numbers.dmp1,
        "dq": numbers.dmq1,
        "qi": numbers.iqmp,
    }
    return integers(*{**values, **changed}.values())


def pkcs8_with(identifier: str, inner: bytes) -> bytes:
    """Write a PKCS#8 body with an algorithm identifier in hex."""
    algorithm = tlv(0x30, bytes.fromhex(identifier))
    return tlv(0x30, bytes([2, 1, 0]) + algorithm + tlv(4, inner))


@dataclass(frozen=True, slots=True)
class Fake:
    """A modulus of a size that would be slow to generate and slower to validate."""

    bits: int
    exponent: int = 65537

    @property
    def modulus(self) -> int:
        return (1 << self.bits) - 1

    def public_key(self) -> rsa.RSAPublicKey:
        return rsa.RSAPublicNumbers(self.exponent, self.modulus).public_key()

    def pem(self) -> bytes:
        return armor(
            "RSA PRIVATE KEY", integers(0, self.modulus, self.exponent, 3, 5, 7, 9, 11, 13)
        )

    def bundle(self) -> bytes:
        """Give the fake key with a certificate that was really issued for it."""
        return self.pem() + pem_of(make_leaf(lower(), key=self)) + chain_pem()


@cache
def root() -> Issuer:
    return make_ca("Test Root")


@cache
def upper() -> Issuer:
    return make_ca("Test Upper", root())


@cache
def lower() -> Issuer:
    return make_ca("Test Lower", upper())


@cache
def leaf() -> x509.Certificate:
    return make_leaf(lower())


def key_pem() -> bytes:
    return pkcs8(rsa_key("leaf"))


def leaf_pem() -> bytes:
    return pem_of(leaf())


def chain_pem() -> bytes:
    return pem_of(lower().certificate) + pem_of(upper().certificate)


def bundle() -> bytes:
    """Give the sound bundle: key, leaf, two intermediates."""
    return key_pem() + leaf_pem() + chain_pem()


def with_leaf(certificate: x509.Certificate) -> bytes:
    """Give the sound bundle with another leaf."""
    return key_pem() + pem_of(certificate) + chain_pem()


def with_key(block: bytes) -> bytes:
    """Give the sound bundle with another key block."""
    return block + leaf_pem() + chain_pem()


def rsa_from(p: int, q: int, exponent: int = 65537) -> rsa.RSAPrivateKey:
    """Put an RSA key together from two primes."""
    public = rsa.RSAPublicNumbers(exponent, p * q)
    d = pow(exponent, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def is_prime(number: int) -> bool:
    """Test with Miller and Rabin, to a few bases; the numbers here are not hostile."""
    if number % 2 == 0 or any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23)):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7):
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        if all((power := power * power % number) != number - 1 for _ in range(twos - 1)):
            return False
    return True


def next_prime(number: int) -> int:
    number |= 1
    while not is_prime(number) or number % 65537 == 1:
        number += 2
    return number


@cache
def close_primes_key() -> rsa.RSAPrivateKey:
    """Make what printers of CVE-2022-26320 made: the next prime for the second one."""
    p = next_prime(rsa_key("close").private_numbers().p)
    return rsa_from(p, next_prime(p + 2))


@cache
def shared_prime_key() -> rsa.RSAPrivateKey:
    """Make a key that has a prime of the lower CA's key."""
    return rsa_from(rsa_key("Test Lower").private_numbers().p, rsa_key("x").private_numbers().q)


@cache
def roca_key() -> rsa.RSAPrivateKey:
    """Make primes as CVE-2017-15361 describes them: k * M + (65537 ** a mod M)."""
    primorial, number = 1, 2
    for number in [n for n in range(2, 702) if all(n % d for d in range(2, n))][:126]:
        primorial *= number
    generate = random.Random(17361)
    found: list[int] = []
    while len(found) < 2:
        low = pow(65537, generate.getrandbits(200), primorial)
        least = -(-(3 << 1022) // primorial)
        for step in range(4000):
            candidate = (least + step) * primorial + low
            if is_prime(candidate):
                found.append(candidate)
                break
    return rsa_from(found[0], found[1])


@cache
def unbalanced_key() -> rsa.RSAPrivateKey:
    """Make a key whose primes have 1000 and 1048 bits."""
    p, q = next_prime((1 << 1000) - (1 << 900)), next_prime((1 << 1048) - (1 << 900))
    return rsa_from(p, q)


@cache
def small_factor_key() -> rsa.RSAPrivateKey:
    return rsa_from(4093, next_prime((1 << 2036) - (1 << 1900)))


def bundle_of(key, leaf: x509.Certificate | None = None) -> bytes:
    """Give a bundle with another key, and a certificate really issued for it."""
    return pkcs8(key) + pem_of(leaf or make_leaf(lower(), key=key)) + chain_pem()


LIST = "http://crl.example/lower.crl"
RESPONDER = "http://ocsp.example/"


def points_to_list() -> x509.CRLDistributionPoints:
    place = x509.UniformResourceIdentifier(LIST)
    return x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)])


def points_to_responder() -> x509.AuthorityInformationAccess:
    place = x509.UniformResourceIdentifier(RESPONDER)
    method = AuthorityInformationAccessOID.OCSP
    return x509.AuthorityInformationAccess([x509.AccessDescription(method, place)])


def revocation_list(
    issuer: Issuer,
    *revoked: x509.Certificate,
    at: datetime = AT,
    key: rsa.RSAPrivateKey | None = None,
    extra: tuple[x509.ExtensionType, ...] = (),
) -> bytes:
    """Sign a list of revoked certificates."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(at - DAY)
        .next_update(at + 6 * DAY)
    )
    for extension in extra:
        builder = builder.add_extension(extension, critical=True)
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(at - DAY).build())
    signed = builder.sign(key or issuer.key, hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


def ocsp_answer(
    certificate: x509.Certificate,
    issuer: Issuer,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    at: datetime = AT,
    responder: Issuer | None = None,
) -> bytes:
    """Sign an answer, as the issuer or as a responder of its own."""
    signer = responder or issuer
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            certificate,
            issuer.certificate,
            hashes.SHA1(),
            status,
            at - DAY,
            at + DAY,
            at - DAY if revoked else None,
            None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    )
    if responder is not None:
        builder = builder.certificates([responder.certificate])
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


@cache
def trusted_bundle() -> tuple[bytes, bytes]:
    """Give a bundle as browsers want it, with all identifiers, and its root in DER."""
    root_key, lower_key = rsa_key("Test Root"), rsa_key("Test Lower")
    top = _profiled("Proper Root", None, root_key, root_key, path_length=None)
    low = _profiled("Proper Lower", top, lower_key, root_key, path_length=0)
    own = _profiled(HOST, low, rsa_key("leaf"), lower_key, path_length=None, is_ca=False)
    return key_pem() + pem_of(own) + pem_of(low), der_of(top)


def _profiled(common, issuer, key, signer, *, path_length, is_ca=True) -> x509.Certificate:
    uses = usage(key_cert_sign=True, crl_sign=True) if is_ca else usage(digital_signature=True)
    issuer_name = issuer.subject if issuer else name(common)
    end = AT + (1000 if is_ca else 89) * DAY
    builder = _build(
        name(common),
        key.public_key(),
        issuer_name,
        [
            (x509.BasicConstraints(ca=is_ca, path_length=path_length), True),
            (uses, True),
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            *([] if is_ca else [x509.SubjectAlternativeName([x509.DNSName(HOST)])]),
        ],
        start=AT - DAY,
        end=end,
    )
    return builder.sign(signer, hashes.SHA256())
