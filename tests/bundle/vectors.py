"""One defect each: how to make a file with it, and the codes it must be told by, all of them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs7,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from certmail.bundle import served, weak
from certmail.bundle.check import Verdict, check
from certmail.bundle.further import Anchors, Answer, Further, Replaced, Sent
from certmail.bundle.revocation import questions
from tests.bundle import make
from tests.bundle.make import AT, DAY, Fake, armor, pem_of, rsa_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Vector:
    """A file with one defect and the codes that name it, in order."""

    name: str
    make: Callable[[], bytes]
    codes: tuple[str, ...]
    at: datetime = AT
    domains: tuple[str, ...] = ()
    further: Callable[[], Further] = Further

    @property
    def data(self) -> bytes:
        """The file, made once."""
        return _made(self)

    @property
    def verdict(self) -> Verdict:
        """What the check says of it, asked once."""
        return _judged(self)


@cache
def _made(vector: Vector) -> bytes:
    return vector.make()


@cache
def _judged(vector: Vector) -> Verdict:
    further = vector.further()
    return check(vector.data, at=vector.at, domains=vector.domains, further=further)


def _replaced(old: bytes | str, new: bytes | str, count: int = 1) -> Callable[[], bytes]:
    def build() -> bytes:
        before = old.encode() if isinstance(old, str) else old
        after = new.encode() if isinstance(new, str) else new
        data = make.bundle()
        if before not in data:
            raise LookupError(before)
        return data.replace(before, after, count)

    return build


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[], bytes]:
    return lambda: b"\n".join(change(make.bundle().split(b"\n")))


def _body_line(change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """Change the third line of the file, which is in the middle of the key's body."""
    return _lines(lambda rows: [*rows[:2], change(rows[2]), *rows[3:]])


def _block(label: str, body: bytes = b"\x30\x03\x02\x01\x00") -> Callable[[], bytes]:
    return lambda: make.bundle() + armor(label, body)


END = "-----END CERTIFICATE-----\n"
BEGIN = "-----BEGIN CERTIFICATE-----\n"
KEY_BEGIN = "-----BEGIN PRIVATE KEY-----\n"
KEY_END = "-----END PRIVATE KEY-----\n"

FORM = (
    Vector("windows_line_ends", _replaced("\n", "\r\n", -1), ("LINES-CRLF",)),
    Vector("old_mac_line_ends", _replaced("\n", "\r", -1), ("LINES-CR",)),
    Vector("one_windows_line_end", _replaced("\n", "\r\n", 1), ("LINES-MIXED",)),
    Vector("byte_order_mark", lambda: b"\xef\xbb\xbf" + make.bundle(), ("FILE-BOM",)),
    Vector("no_break_space_in_the_body", _body_line(lambda r: r[:9] + b"\xc2\xa0" + r[9:]),
           ("CHAR-INVISIBLE",)),
    Vector("no_break_space_in_latin_1", _body_line(lambda r: r + b"\xa0"), ("CHAR-INVISIBLE",)),
    Vector("zero_width_space_in_a_boundary", _replaced("BEGIN", "BE\u200bGIN"),
           ("CHAR-INVISIBLE",)),
    Vector("letter_outside_ascii", _body_line(lambda r: "\u0410".encode() + r[1:]),
           ("CHAR-NON-ASCII",)),
    Vector("control_character", _body_line(lambda r: r[:5] + b"\x07" + r[5:]), ("CHAR-CONTROL",)),
    Vector("end_of_file_character_of_dos", lambda: make.bundle() + b"\x1a", ("CHAR-CONTROL",)),
    Vector("no_final_newline", lambda: make.bundle()[:-1], ("FILE-NO-NEWLINE",)),
    Vector("glued_blocks", _replaced("-----\n-----", "----------"), ("BLOCK-GLUED",)),
    Vector("glued_blocks_with_a_dash_lost", _replaced("-----\n-----", "---------"),
           ("BLOCK-GLUED", "BOUNDARY-DASHES")),
    Vector("blocks_separated_by_a_space", _replaced("-----\n-----", "----- -----"),
           ("BLOCK-GLUED",)),
    Vector("blank_line_in_the_body", _body_line(lambda r: r + b"\n"), ("BLOCK-BLANK",)),
    Vector("double_spaced_file", _replaced("\n", "\n\n", -1), ("BLOCK-BLANK",)),
    Vector("space_in_the_body", _body_line(lambda r: r[:8] + b" " + r[8:]), ("BLOCK-SPACES",)),
    Vector("space_at_a_line_end", _body_line(lambda r: r + b" "), ("SPACE-TRAILING",)),
    Vector("line_ends_in_two_letters", lambda: make.bundle().replace(b"\n", b"\\n") + b"\n",
           ("LINES-ESCAPED",)),
    Vector("line_ends_in_four_letters", lambda: make.bundle().replace(b"\n", b"\\r\\n") + b"\n",
           ("LINES-ESCAPED",)),
    Vector("environment_variable_with_escapes",
           lambda: b'KEY="' + make.bundle().replace(b"\n", b"\\n") + b'"\n', ("LINES-ESCAPED",)),
    Vector("everything_on_one_line", lambda: make.bundle().replace(b"\n", b" ") + b"\n",
           ("LINES-JOINED",)),
    Vector("body_joined_to_its_begin_line", _replaced(KEY_BEGIN, KEY_BEGIN.rstrip()),
           ("LINES-JOINED",)),
    Vector("indented_file", lambda: b"".join(b"  " + r + b"\n" for r in make.bundle().split()
           if b"-" not in r) and b"".join(b"  " + r + b"\n" for r in
           make.bundle().splitlines()), ("LINES-INDENTED",)),
    Vector("quoted_as_a_variable", lambda: b"KEY='" + make.bundle().rstrip() + b"'\n",
           ("LINES-QUOTED",)),
    Vector("quoted_as_in_a_mail",
           lambda: b"".join(b"> " + r + b"\n" for r in make.bundle().splitlines()),
           ("LINES-QUOTED",)),
    Vector("wrapped_at_76",
           lambda: make.key_pem() + _wrapped(76) + make.chain_pem(), ("BLOCK-WRAP",)),
    Vector("uneven_lines", _body_line(lambda r: r[:20] + b"\n" + r[20:]), ("BLOCK-WRAP",)),
    Vector("four_dashes_behind_begin", _replaced("KEY-----\n", "KEY----\n"),
           ("BOUNDARY-DASHES",)),
    Vector("four_dashes_before_begin", _replaced("-----BEGIN", "----BEGIN"),
           ("BOUNDARY-DASHES",)),
    Vector("no_dashes_before_begin", _replaced("-----BEGIN", "BEGIN"), ("BOUNDARY-DASHES",)),
    Vector("long_dashes", _replaced("-----BEGIN PRIVATE", "\u2013" * 5 + "BEGIN PRIVATE"),
           ("BOUNDARY-LOOKALIKE",)),
    Vector("long_dashes_that_are_fewer", _replaced("-----BEGIN", "\u2014\u2014-BEGIN"),
           ("BOUNDARY-LOOKALIKE",)),
    Vector("boundary_in_lower_case", _replaced("BEGIN PRIVATE KEY", "begin private key"),
           ("BOUNDARY-SPELLING",)),
    Vector("two_spaces_in_a_boundary", _replaced("BEGIN PRIVATE", "BEGIN  PRIVATE"),
           ("BOUNDARY-SPELLING",)),
    Vector("body_in_the_label", _replaced("KEY-----\n", "KEY"), ("BOUNDARY-LABEL",)),
    Vector("begin_without_label", _replaced("BEGIN CERTIFICATE", "BEGIN"), ("BOUNDARY-LABEL",)),
    Vector("bag_attributes",
           lambda: b"Bag Attributes\n    localKeyID: 01 02\n" + make.bundle(), ("TEXT-BAG",)),
    Vector("subject_and_issuer_lines", _replaced(END, END + "subject=CN = x\nissuer=CN = y\n"),
           ("TEXT-BAG",)),
    Vector("comment", lambda: b"# our key\n" + make.bundle(), ("TEXT-OUTSIDE",)),
    Vector("lost_boundaries", _replaced(KEY_END, KEY_END + "TUlJ" * 16 + "\n"), ("TEXT-BASE64",)),
    Vector("headers_in_a_block", _replaced(KEY_BEGIN, KEY_BEGIN + "Comment: ours\n\n"),
           ("BLOCK-HEADERS",)),
)  # fmt: skip

DAMAGE = (
    Vector("begin_and_end_disagree", _replaced(KEY_END, KEY_END.replace("PRIV", "RSA PRIV")),
           ("BLOCK-MISMATCH",)),
    Vector("last_block_unterminated", lambda: make.bundle().removesuffix(END.encode()),
           ("BLOCK-UNTERMINATED",)),
    Vector("key_unterminated", _replaced(KEY_END, ""), ("BLOCK-UNTERMINATED",)),
    Vector("key_without_begin", _replaced(KEY_BEGIN, ""), ("BLOCK-NO-BEGIN",)),
    Vector("illegal_character", _body_line(lambda r: b"!" + r[1:]), ("BASE64-CHARACTER",)),
    Vector("characters_lost", _body_line(lambda r: r[:-3]), ("BASE64-LENGTH",)),
    Vector("padding_in_the_middle", _body_line(lambda r: r[:-2] + b"=="), ("BASE64-PADDING",)),
    Vector("padding_not_canonical",
           lambda: make.bundle() + b"-----BEGIN CERTIFICATE-----\nMAB=\n" + END.encode(),
           ("BASE64-PADDING",)),
    Vector("empty_block", lambda: make.bundle() + (BEGIN + END).encode(), ("BLOCK-EMPTY",)),
    Vector("huge_block", lambda: make.bundle() + armor("CERTIFICATE", bytes(102_400)),
           ("BLOCK-HUGE",)),
    Vector("too_many_blocks", lambda: make.bundle() * 17, ("FILE-BLOCKS",)),
)  # fmt: skip

MISTAKEN = (
    Vector("empty_file", lambda: b"", ("FILE-EMPTY",)),
    Vector("file_of_blanks", lambda: b" \n\t\n", ("FILE-EMPTY",)),
    Vector("huge_file", lambda: make.bundle() + b"#" * 2**20, ("FILE-HUGE",)),
    Vector("file_of_too_many_lines", lambda: make.bundle() + b"\n" * 40_000, ("FILE-HUGE",)),
    Vector("utf_16", lambda: make.bundle().decode().encode("utf-16"), ("FILE-UTF16",)),
    Vector("utf_16_without_mark", lambda: make.bundle().decode().encode("utf-16-be"),
           ("FILE-UTF16",)),
    Vector("utf_32", lambda: make.bundle().decode().encode("utf-32"), ("FILE-UTF32",)),
    Vector("binary_file", lambda: bytes(range(256)), ("FILE-BINARY",)),
    Vector("certificate_in_der", lambda: make.der_of(make.leaf()), ("FILE-DER",)),
    Vector("key_in_der", lambda: make.pkcs8_der(rsa_key("leaf")), ("FILE-DER",)),
    Vector("pkcs12", lambda: pkcs12.serialize_key_and_certificates(
        b"x", rsa_key("leaf"), make.leaf(), None, NoEncryption()), ("FILE-PKCS12",)),
    Vector("pkcs7_in_der", lambda: pkcs7.serialize_certificates([make.leaf()], Encoding.DER),
           ("FILE-PKCS7",)),
    Vector("java_key_store", lambda: b"\xfe\xed\xfe\xed\0\0\0\2" + bytes(40), ("FILE-JKS",)),
    Vector("zip_archive", lambda: b"PK\x03\x04" + bytes(40), ("FILE-ARCHIVE",)),
    Vector("putty_key", lambda: b"PuTTY-User-Key-File-3: ssh-rsa\n", ("FILE-PUTTY",)),
    Vector("ssh_public_key", lambda: b"ssh-rsa AAAAB3Nza me@here\n", ("FILE-SSH",)),
    Vector("acm_answer", lambda: json.dumps({"Certificate": make.leaf_pem().decode(),
           "CertificateChain": "", "PrivateKey": make.key_pem().decode()}).encode(),
           ("FILE-JSON",)),
    Vector("vault_answer", lambda: json.dumps({"data": {"ca_chain": [], "private_key":
           make.key_pem().decode()}}).encode(), ("FILE-JSON",)),
    Vector("some_json", lambda: b'{"key": "x"}', ("FILE-JSON",)),
    Vector("kubernetes_secret", lambda: b"apiVersion: v1\nkind: Secret\ndata:\n  tls.key: "
           + base64.b64encode(make.key_pem()) + b"\n", ("FILE-YAML",)),
    Vector("yaml_with_a_block_of_pem", lambda: b"tls_key: |\n" + b"".join(b"  " + r + b"\n"
           for r in make.bundle().splitlines()), ("FILE-YAML",)),
    Vector("web_page", lambda: b"<!DOCTYPE html><p>Log in</p>\n", ("FILE-HTML",)),
    Vector("bare_base64", lambda: base64.encodebytes(make.der_of(make.leaf())), ("FILE-BASE64",)),
    Vector("prose", lambda: b"the key is in the other file\n", ("FILE-NO-PEM",)),
    Vector("request_beside_the_bundle", _block("CERTIFICATE REQUEST"), ("BLOCK-CSR",)),
    Vector("request_instead_of_the_certificate",
           lambda: make.key_pem() + armor("NEW CERTIFICATE REQUEST", b"x"), ("BLOCK-CSR",)),
    Vector("public_key", lambda: make.public_pem(rsa_key("leaf")) + make.leaf_pem()
           + make.chain_pem(), ("BLOCK-PUBLIC-KEY",)),
    Vector("pkcs7_in_pem", lambda: make.key_pem()
           + pkcs7.serialize_certificates([make.leaf()], Encoding.PEM), ("BLOCK-PKCS7",)),
    Vector("dh_parameters", _block("DH PARAMETERS"), ("BLOCK-DH-PARAMETERS",)),
    Vector("ec_parameters", _block("EC PARAMETERS"), ("BLOCK-EC-PARAMETERS",)),
    Vector("trusted_certificate", lambda: make.key_pem() + armor("TRUSTED CERTIFICATE",
           make.der_of(make.leaf())) + make.chain_pem(), ("BLOCK-TRUSTED",)),
    Vector("old_certificate_label", _replaced(b"CERTIFICATE", b"X509 CERTIFICATE", 2),
           ("LABEL-X509",)),
    Vector("openssh_key", lambda: make.with_key(rsa_key("leaf").private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())), ("BLOCK-OPENSSH",)),
    Vector("pgp_block", lambda: make.bundle() + b"-----BEGIN PGP MESSAGE-----\nVersion: 1\n\n"
           b"hQEMA\n=abcd\n-----END PGP MESSAGE-----\n", ("BLOCK-PGP",)),
    Vector("revocation_list", _block("X509 CRL"), ("BLOCK-CRL",)),
    Vector("unknown_label", _block("ATTRIBUTE CERTIFICATE"), ("BLOCK-UNKNOWN",)),
)  # fmt: skip


def _wrapped(columns: int) -> bytes:
    text = base64.b64encode(make.der_of(make.leaf())).decode()
    rows = [text[at : at + columns] for at in range(0, len(text), columns)]
    return (BEGIN + "\n".join(rows) + "\n" + END).encode()


def _other_key() -> bytes:
    return make.pkcs8(rsa_key("stranger"))


def _swapped_label(new: str, block: bytes) -> bytes:
    old = b"RSA PRIVATE KEY" if b"RSA PRIVATE KEY" in block else b"PRIVATE KEY"
    return make.with_key(block.replace(old, new.encode()))


def _changed(**numbers: int) -> Callable[[], bytes]:
    return lambda: make.with_key(
        armor("RSA PRIVATE KEY", make.pkcs1_der(rsa_key("leaf"), **numbers))
    )


def _with_der(change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: make.with_key(armor("PRIVATE KEY", change(make.pkcs8_der(rsa_key("leaf")))))


def _three_primes() -> bytes:
    octets = make.pkcs1_der(rsa_key("leaf"), version=1)
    return make.with_key(armor("RSA PRIVATE KEY", make.tlv(0x30, octets[4:] + b"\x30\x00")))


PARTS = (
    Vector("no_key", lambda: make.leaf_pem() + make.chain_pem(), ("KEY-MISSING",)),
    Vector("two_keys", lambda: _other_key() + make.bundle(), ("KEY-SEVERAL",)),
    Vector("key_last", lambda: make.leaf_pem() + make.chain_pem() + make.key_pem(),
           ("KEY-NOT-FIRST",)),
    Vector("no_certificate", make.key_pem, ("CERT-MISSING",)),
)  # fmt: skip

KEYS = (
    Vector("encrypted_pkcs8", lambda: make.with_key(make.encrypted_pkcs8(rsa_key("leaf"))),
           ("KEY-ENCRYPTED",)),
    Vector("encrypted_by_headers",
           lambda: make.with_key(make.encrypted_traditional(rsa_key("leaf"))),
           ("KEY-ENCRYPTED",)),
    Vector("encrypted_under_a_plain_label", lambda: make.with_key(make.encrypted_pkcs8(
        rsa_key("leaf")).replace(b"ENCRYPTED ", b"")), ("KEY-ENCRYPTED",)),
    Vector("pkcs1_under_the_plain_label",
           lambda: _swapped_label("PRIVATE KEY", make.traditional(rsa_key("leaf"))),
           ("KEY-LABEL",)),
    Vector("pkcs8_under_the_rsa_label",
           lambda: _swapped_label("RSA PRIVATE KEY", make.key_pem()), ("KEY-LABEL",)),
    Vector("certificate_under_the_key_label",
           lambda: make.with_key(armor("PRIVATE KEY", make.der_of(make.leaf()))), ("KEY-BODY",)),
    Vector("ec_key", lambda: make.pkcs8(make.ec_key())
           + pem_of(make.make_leaf(make.lower(), key=make.ec_key())) + make.chain_pem(),
           ("KEY-ALGORITHM",)),
    Vector("traditional_ec_key_with_parameters", lambda: armor("EC PARAMETERS", b"\x06\x00")
           + make.traditional(make.ec_key()) + make.leaf_pem() + make.chain_pem(),
           ("KEY-ALGORITHM",)),
    Vector("ed25519_key", lambda: make.with_key(make.pkcs8(make.ed_key())), ("KEY-ALGORITHM",)),
    Vector("dsa_key", lambda: make.with_key(make.pkcs8(make.dsa_key())), ("KEY-ALGORITHM",)),
    Vector("traditional_dsa_key", lambda: make.with_key(make.traditional(make.dsa_key())),
           ("KEY-ALGORITHM",)),
    Vector("rsassa_pss_key", lambda: make.with_key(armor("PRIVATE KEY", make.pkcs8_with(
        "06092a864886f70d01010a", make.pkcs1_der(rsa_key("leaf"))))), ("KEY-PSS",)),
    Vector("rsa_1024", lambda: Fake(1024).bundle(), ("KEY-SIZE",)),
    Vector("rsa_3072", lambda: Fake(3072).bundle(), ("KEY-SIZE",)),
    Vector("rsa_8192_without_validating_it", lambda: Fake(8192).bundle(), ("KEY-SIZE",)),
    Vector("exponent_3", lambda: Fake(2048, 3).bundle(), ("KEY-EXPONENT",)),
    Vector("exponent_of_34_bits", lambda: Fake(2048, 2**33 + 1).bundle(), ("KEY-EXPONENT",)),
    Vector("even_exponent", _changed(e=65538), ("KEY-EXPONENT", "KEY-MISMATCH")),
    Vector("three_primes", _three_primes, ("KEY-PRIMES",)),
    Vector("wrong_private_exponent", _changed(d=65537), ("KEY-INCONSISTENT",)),
    Vector("wrong_coefficient", _changed(qi=12345), ("KEY-INCONSISTENT",)),
    Vector("prime_that_is_none", _changed(p=2**1023 + 1), ("KEY-INCONSISTENT",)),
    Vector("zero_modulus", _changed(n=0), ("KEY-INCONSISTENT",)),
    Vector("pkcs8_around_nothing", lambda: make.with_key(armor("PRIVATE KEY", make.pkcs8_with(
        "06092a864886f70d0101010500", b""))), ("KEY-INCONSISTENT",)),
    Vector("truncated_body", _with_der(lambda o: o[:-300]), ("BLOCK-TRUNCATED",)),
    Vector("trailing_octets", _with_der(lambda o: o + b"\0"), ("BLOCK-TRAILING",)),
    Vector("body_that_is_no_der", _with_der(lambda o: b"PEM" + o), ("BLOCK-NOT-DER",)),
    Vector("key_of_another_certificate", lambda: make.with_key(_other_key()),
           ("KEY-MISMATCH",)),
)  # fmt: skip

LEAVES = (
    Vector("expired", make.bundle, ("LEAF-EXPIRED",), at=AT + 90 * DAY),
    Vector("not_yet_valid", make.bundle, ("LEAF-NOT-YET",), at=AT - 2 * DAY),
    Vector("expires_in_13_days", make.bundle, ("LEAF-EXPIRES-SOON",), at=AT + 76 * DAY),
    Vector("common_name_only", lambda: make.with_leaf(make.make_leaf(make.lower(), names=None)),
           ("LEAF-NO-SAN",)),
    Vector("ca_as_leaf", lambda: make.with_leaf(make.make_leaf(make.lower(), is_ca=True)),
           ("LEAF-CA",)),
    Vector("for_clients_only", lambda: make.with_leaf(make.make_leaf(make.lower(),
           purposes=(ExtendedKeyUsageOID.CLIENT_AUTH,))), ("LEAF-PURPOSE",)),
    Vector("key_usage_of_no_use", lambda: make.with_leaf(make.make_leaf(make.lower(),
           key_usage=make.usage(key_agreement=True))), ("LEAF-KEY-USAGE",)),
    Vector("sha1_signature", lambda: make.with_leaf(make.with_sha1(make.leaf(), make.lower())),
           ("LEAF-WEAK-SIGNATURE",)),
    Vector("self_signed", lambda: make.key_pem() + pem_of(make.make_leaf(None)),
           ("LEAF-SELF-SIGNED",)),
    Vector("name_not_covered", make.bundle, ("LEAF-NAME",), domains=("example.net",)),
    Vector("wildcard_covers_one_label_only", make.bundle, ("LEAF-NAME",),
           domains=("a.b.example.org",)),
    Vector("name_of_two_words", make.bundle, ("DOMAIN-MALFORMED",), domains=("m üller.example",)),
    Vector("leaf_of_another_kind_beside_an_encrypted_key",
           lambda: make.encrypted_pkcs8(make.ec_key())
           + pem_of(make.make_leaf(make.lower(), key=make.ec_key())) + make.chain_pem(),
           ("KEY-ENCRYPTED", "LEAF-KEY")),
    Vector("certificate_undecodable", lambda: make.with_leaf(make.make_leaf(make.lower(),
           names=None, extra=(x509.UnrecognizedExtension(
               ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x05\x82"),))), ("CERT-UNREADABLE",)),
    Vector("key_under_the_certificate_label", lambda: make.key_pem()
           + armor("CERTIFICATE", make.pkcs8_der(rsa_key("leaf"))), ("CERT-BODY",)),
    Vector("request_under_the_certificate_label", lambda: make.key_pem()
           + armor("CERTIFICATE", x509.CertificateSigningRequestBuilder().subject_name(
               make.name("x")).sign(rsa_key("leaf"), hashes.SHA256()).public_bytes(Encoding.DER)),
           ("CERT-BODY",)),
    Vector("renewed_leaf_beside_the_old_one", lambda: make.key_pem() + make.leaf_pem()
           + pem_of(make.make_leaf(make.lower(), end=AT + 30 * DAY)) + make.chain_pem(),
           ("LEAF-SEVERAL",)),
    Vector("chain_file_without_the_leaf", lambda: make.key_pem() + make.chain_pem(),
           ("LEAF-MISSING",)),
    Vector("intermediate_before_the_leaf", lambda: make.key_pem()
           + pem_of(make.lower().certificate) + make.leaf_pem()
           + pem_of(make.upper().certificate), ("LEAF-NOT-FIRST",)),
    Vector("root_first_order", lambda: make.key_pem() + pem_of(make.upper().certificate)
           + pem_of(make.lower().certificate) + make.leaf_pem(), ("LEAF-NOT-FIRST",)),
)  # fmt: skip


def _chain(*issuers: make.Issuer) -> bytes:
    """Give the key, a leaf of the first issuer, and the issuers' certificates."""
    certificates = (make.make_leaf(issuers[0]), *(issuer.certificate for issuer in issuers))
    return make.key_pem() + b"".join(pem_of(c) for c in certificates)


def _short_path() -> bytes:
    short = make.make_ca("Test Upper", make.root(), path_length=0)
    return _chain(make.make_ca("Test Lower", short), short)


def _lower(**changed) -> Callable[[], bytes]:
    return lambda: _chain(make.make_ca("Test Lower", make.upper(), **changed), make.upper())


def _sha1_intermediate() -> bytes:
    weak = make.with_sha1(make.lower().certificate, make.upper())
    return make.key_pem() + make.leaf_pem() + pem_of(weak) + pem_of(make.upper().certificate)


def _cross_signed() -> bytes:
    """Give a chain whose lower CA was also certified by a second root."""
    second = make.make_ca("Second Root")
    crossed = make.make_ca("Test Lower", second, key=make.lower().key)
    return make.bundle() + pem_of(crossed.certificate)


CHAINS = (
    Vector("leaf_alone", lambda: make.key_pem() + make.leaf_pem(), ("CHAIN-INCOMPLETE",)),
    Vector("intermediates_swapped", lambda: make.key_pem() + make.leaf_pem()
           + pem_of(make.upper().certificate) + pem_of(make.lower().certificate),
           ("CHAIN-ORDER",)),
    Vector("root_included", lambda: make.bundle() + pem_of(make.root().certificate),
           ("CHAIN-ROOT",)),
    Vector("leaf_twice", lambda: make.key_pem() + make.leaf_pem() + make.leaf_pem()
           + make.chain_pem(), ("CHAIN-DUPLICATE",)),
    Vector("unrelated_certificate", lambda: make.bundle()
           + pem_of(make.make_ca("Stranger").certificate), ("CHAIN-UNRELATED",)),
    Vector("gap_below_the_root", lambda: make.key_pem() + make.leaf_pem()
           + pem_of(make.lower().certificate) + pem_of(make.root().certificate),
           ("CHAIN-UNRELATED",)),
    Vector("cross_signed_issuer", _cross_signed, ("CHAIN-ALTERNATE",)),
    Vector("issuer_of_another_generation", lambda: make.key_pem() + make.leaf_pem()
           + pem_of(make.make_ca("Test Lower", make.upper(), key=rsa_key("new")).certificate)
           + pem_of(make.upper().certificate), ("CHAIN-SIGNATURE",)),
    Vector("expired_intermediate", _lower(end=AT - DAY), ("CHAIN-EXPIRED",)),
    Vector("intermediate_not_yet_valid", _lower(start=AT + DAY), ("CHAIN-NOT-YET",)),
    Vector("intermediate_that_is_no_ca", _lower(is_ca=False), ("CHAIN-NOT-CA",)),
    Vector("intermediate_that_may_not_sign", _lower(key_usage=make.usage(crl_sign=True)),
           ("CHAIN-NOT-CA",)),
    Vector("path_length_exceeded", _short_path, ("CHAIN-PATH-LENGTH",)),
    Vector("sha1_intermediate", _sha1_intermediate, ("CHAIN-WEAK-SIGNATURE",)),
)  # fmt: skip


def _published() -> bytes:
    key = Path(__file__).with_name("published-key.pem").read_bytes()
    public = load_pem_private_key(key, None)
    return key + pem_of(make.make_leaf(make.lower(), key=public)) + make.chain_pem()


def _blocklist() -> Further:
    number = rsa_key("leaf").public_key().public_numbers().n
    return Further(blocklist=b"# list\n" + weak.fingerprint(number) + b"\n")


WEAK = (
    Vector("published_test_key", _published, ("KEY-PUBLISHED",)),
    Vector("key_of_the_broken_debian", make.bundle, ("KEY-DEBIAN",), further=_blocklist),
    Vector("prime_shared_with_the_ca", lambda: make.bundle_of(make.shared_prime_key()),
           ("KEY-SHARED-FACTOR",)),
    Vector("prime_shared_with_another_bundle", make.bundle, ("KEY-SHARED-FACTOR",),
           further=lambda: Further(moduli=(rsa_key("leaf").private_numbers().p * 3,))),
    Vector("primes_that_are_neighbours", lambda: make.bundle_of(make.close_primes_key()),
           ("KEY-CLOSE-PRIMES",)),
    Vector("primes_of_the_infineon_chips", lambda: make.bundle_of(make.roca_key()),
           ("KEY-ROCA",)),
    Vector("prime_of_twelve_bits", lambda: make.bundle_of(make.small_factor_key()),
           ("KEY-SMALL-FACTOR",)),
    Vector("primes_of_two_sizes", lambda: make.bundle_of(make.unbalanced_key()),
           ("KEY-UNBALANCED",)),
    Vector("file_open_to_all", make.bundle, ("KEY-FILE-OPEN",),
           further=lambda: Further(file_mode=0o644)),
)  # fmt: skip


def _leaf(**changed) -> Callable[[], bytes]:
    return lambda: make.with_leaf(make.make_leaf(make.lower(), **changed))


def _dated(start: datetime, days: float) -> Callable[[], bytes]:
    return _leaf(start=start, end=start + days * DAY)


def _staging() -> bytes:
    staged = make.make_ca("(STAGING) Pretend Pear X1", key=rsa_key("Test Root"))
    low = make.make_ca("Test Lower", staged)
    return make.key_pem() + pem_of(make.make_leaf(low)) + pem_of(low.certificate)


def _critical(octets: bytes = b"\x05\x00") -> tuple:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), octets)
    return ((unknown, True),)


def _old(**changed) -> Callable[[], Further]:
    def build() -> Further:
        pem = pem_of(make.make_leaf(make.lower(), key=rsa_key("old"), **changed))
        found = served.leaf_of(pem)
        return Further(replaces=found and Replaced("old.pem", found))

    return build


def _sent(*, ends) -> Callable[[], Further]:
    return lambda: _logged(ends, "00" * 32)


def _again() -> Further:
    """Give a log that has this very certificate."""
    return _logged(AT, served.read((make.der_of(make.leaf()),))[0].sha256)


def _logged(ends, sha256: str) -> Further:
    one = Sent(at="2026-01-02T03:04:05+00:00", names=(make.HOST,), ends=ends, serial="1f",
               sha256=sha256)  # fmt: skip
    return Further(sent=(one,))


NAMES = (
    Vector("lifetime_of_201_days", _dated(AT - DAY, 200), ("LEAF-LIFETIME",)),
    Vector("wildcard_inside_a_label", _leaf(names=(make.HOST, "w*.example.org")),
           ("LEAF-WILDCARD",)),
    Vector("wildcard_of_a_top_level", _leaf(names=(make.HOST, "*.org")), ("LEAF-WILDCARD",)),
    Vector("two_wildcards", _leaf(names=(make.HOST, "*.*.example.org")), ("LEAF-WILDCARD",)),
    Vector("dot_at_the_end", _leaf(names=(make.HOST, "example.net.")), ("LEAF-NAME-FORM",)),
    Vector("underscore", _leaf(names=(make.HOST, "a_b.example.org")), ("LEAF-NAME-FORM",)),
    Vector("other_name_in_the_subject", _leaf(names=("example.net",)), ("LEAF-COMMON-NAME",)),
    Vector("staging_ca", _staging, ("LEAF-STAGING",)),
    Vector("precertificate", _leaf(extra=((x509.PrecertPoison(), True),)),
           ("LEAF-PRECERTIFICATE",)),
    Vector("critical_extension_nobody_knows", _leaf(extra=_critical()), ("CERT-CRITICAL",)),
    Vector("old_certificate_ends_later", make.bundle, ("REPLACE-LATER",),
           further=_old(end=AT + 120 * DAY)),
    Vector("old_certificate_has_more_names", make.bundle, ("REPLACE-NAMES",),
           further=_old(names=(make.HOST, "example.net"))),
    Vector("the_very_certificate_again", make.bundle, ("REPLACE-SAME",),
           further=lambda: Further(replaces=Replaced("old.pem", served.read(
               (make.der_of(make.leaf()),))[0]))),
    Vector("the_log_has_one_that_ends_later", make.bundle, ("SENT-LATER",),
           further=_sent(ends=AT + 120 * DAY)),
    Vector("the_log_has_this_very_one", make.bundle, ("SENT-SAME",),
           further=_again),
    Vector("leaf_outside_the_constraints", _lower(extra=((x509.NameConstraints(
        [x509.DNSName("example.net")], None), True),)), ("CHAIN-NAME-CONSTRAINTS",)),
    Vector("intermediate_for_mail", _lower(extra=(x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.EMAIL_PROTECTION]),)), ("CHAIN-PURPOSE",)),
    Vector("intermediate_of_1024_bits", _lower(key=rsa_key("small", 1024)),
           ("CHAIN-WEAK-KEY",)),
)  # fmt: skip


def _listed(leaf_place, lower_place=None) -> tuple[bytes, x509.Certificate, make.Issuer]:
    low = make.make_ca("Test Lower", make.upper(), extra=(lower_place,) if lower_place else ())
    own = make.make_leaf(low, extra=(leaf_place,) if leaf_place else ())
    parts = (own, low.certificate, make.upper().certificate)
    return make.key_pem() + b"".join(map(pem_of, parts)), own, low


@cache
def _by_list() -> tuple[bytes, x509.Certificate, make.Issuer]:
    return _listed(make.points_to_list(), make.points_to_list())


def _answers(lower: bytes | None, upper: bytes | None, data=None) -> Further:
    asked = questions((data or _by_list)()[0], at=AT)
    octets = (lower, upper)
    return Further(answers=tuple(
        Answer(question, octets[place], "HTTP status 404")
        for place, question in enumerate(asked)
    ))  # fmt: skip


def _revoked_leaf() -> Further:
    _, own, low = _by_list()
    return _answers(make.revocation_list(low, own), make.revocation_list(make.upper()))


def _revoked_lower() -> Further:
    _, _, low = _by_list()
    revoked = make.revocation_list(make.upper(), low.certificate)
    return _answers(make.revocation_list(low), revoked)


def _no_list() -> Further:
    _, _, low = _by_list()
    return _answers(make.revocation_list(low), None)


ASKED = (
    Vector("root_not_in_the_store", make.bundle, ("CHAIN-UNTRUSTED",),
           further=lambda: Further(anchors=Anchors(
               "roots.pem", (make.der_of(make.make_ca("Stranger").certificate),)))),
    Vector("revoked", lambda: _by_list()[0], ("LEAF-REVOKED",), further=_revoked_leaf),
    Vector("intermediate_revoked", lambda: _by_list()[0], ("CHAIN-REVOKED",),
           further=_revoked_lower),
    Vector("list_that_nobody_has", lambda: _by_list()[0], ("CHAIN-REVOCATION-UNTOLD",),
           further=_no_list),
)  # fmt: skip


ALL = (*FORM, *DAMAGE, *MISTAKEN, *PARTS, *KEYS, *LEAVES, *CHAINS, *WEAK, *NAMES, *ASKED)
