from __future__ import annotations

import ssl

import pytest

from certmail.bundle import body, pem, text
from tests.bundle import make, vectors
from tests.bundle.make import armor, rsa_key

ILLEGIBLE = {"BOUNDARY-LABEL", "TEXT-BASE64", "CHAR-NON-ASCII"}
WARNINGS = {
    "BLOCK-WRAP",
    "CHAIN-ALTERNATE",
    "CHAIN-DUPLICATE",
    "CHAIN-INCOMPLETE",
    "CHAIN-ROOT",
    "FILE-NO-NEWLINE",
    "LEAF-EXPIRES-SOON",
    "LEAF-KEY-USAGE",
    "LEAF-SELF-SIGNED",
    "SPACE-TRAILING",
    "TEXT-BAG",
    "TEXT-OUTSIDE",
}
LAYOUT = [vector for vector in vectors.FORM if not ILLEGIBLE & set(vector.codes)]
SENDABLE = [vector for vector in vectors.ALL if set(vector.codes) <= WARNINGS]


def told(data: bytes) -> list[tuple[str, tuple[int, int] | None]]:
    return [(finding.code, finding.lines) for finding in pem.scan(data).findings]


def test_each_block_is_given_with_its_lines_and_its_octets():
    """RFC 4648 §4: the octets are those that were encoded."""
    scan = pem.scan(make.bundle())
    assert [(block.label, block.lines) for block in scan.blocks] == [
        ("PRIVATE KEY", (1, 28)),
        ("CERTIFICATE", (29, 47)),
        ("CERTIFICATE", (48, 65)),
        ("CERTIFICATE", (66, 83)),
    ]
    assert scan.blocks[0].der == make.pkcs8_der(rsa_key("leaf"))
    assert scan.blocks[1].der == make.der_of(make.leaf())
    assert (scan.findings, scan.legible) == ((), True)


def test_the_octets_are_not_part_of_any_representation():
    scan = pem.scan(make.key_pem())
    assert repr(scan.blocks[0]) == (
        "Block(label='PRIVATE KEY', first_line=1, last_line=28, encrypted=False)"
    )


@pytest.mark.parametrize("vector", LAYOUT, ids=lambda vector: vector.name)
def test_what_can_be_read_in_spite_of_its_layout_has_the_same_octets(vector):
    """RFC 7468 §3: a deviation is told, and never changes what is read."""
    sound = [block.der for block in pem.scan(make.bundle()).blocks]
    read = [block.der for block in pem.scan(vector.data).blocks]
    assert read == sound


@pytest.mark.parametrize("vector", SENDABLE, ids=lambda vector: vector.name)
def test_what_we_let_pass_openssl_loads(vector, tmp_path):
    """A checker that is laxer than the readers behind it proves nothing."""
    assert vector.verdict.checked is not None
    file = tmp_path / "bundle.pem"
    file.write_bytes(vector.verdict.checked.pem)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)


def test_a_foul_character_is_found_by_line_and_column():
    rows = make.bundle().split(b"\n")
    rows[4] = rows[4][:10] + b"!" + rows[4][11:]
    (finding,) = pem.scan(b"\n".join(rows)).findings
    assert finding.what == "a character that base64 does not have, on line 5, column 11"
    assert finding.lines == (5, 5)


def test_pad_bits_that_are_not_zero_are_refused():
    """RFC 4648 §3.5: two texts must not stand for the same octets."""
    block = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
    assert told(block.format("MAA=").encode()) == []
    assert told(block.format("MAB=").encode()) == [("BASE64-PADDING", (1, 3))]


def test_encryption_is_read_from_the_headers():
    """RFC 1421 §4.6.1.1: Proc-Type says that the body is ciphertext."""
    (block,) = pem.scan(make.encrypted_traditional(rsa_key("leaf"))).blocks
    assert (block.encrypted, block.der) == (True, b"")


def test_the_old_label_of_certificates_is_told_and_read():
    """RFC 7468 §5.1."""
    scan = pem.scan(armor("X509 CERTIFICATE", make.der_of(make.leaf())))
    assert [block.der for block in scan.blocks] == [make.der_of(make.leaf())]
    assert [(f.code, f.repair) for f in scan.findings] == [("LABEL-X509", "label")]


def test_defects_are_counted_and_the_first_line_named():
    (finding,) = pem.scan(make.bundle().replace(b"\n", b"\r\n")).findings
    assert finding.what == "Windows line ends, CR LF, on 83 lines, the first is line 1"
    assert finding.repair == "line-ends"


def test_a_label_that_could_hold_the_body_is_never_shown():
    data = b"-----BEGIN PRIVATE KEY " + b"A" * 60 + b"-----\n-----END PRIVATE KEY-----\n"
    (finding,) = pem.scan(data).findings
    assert finding.what == "the BEGIN or END on line 1 is not followed by a label"


@pytest.mark.parametrize("size", [body.MAX_DER_BYTES, body.MAX_DER_BYTES + 1])
def test_the_cap_of_a_block_is_exact(size):
    legible = pem.scan(armor("CERTIFICATE", bytes(size))).legible
    assert legible == (size == body.MAX_DER_BYTES)


@pytest.mark.parametrize("count", [pem.MAX_BLOCKS, pem.MAX_BLOCKS + 1])
def test_the_cap_of_blocks_is_exact(count):
    legible = pem.scan(armor("CERTIFICATE", b"x") * count).legible
    assert legible == (count == pem.MAX_BLOCKS)


@pytest.mark.parametrize("extra", [0, 1])
def test_the_cap_of_a_file_is_exact(extra):
    data = make.bundle()
    data += b"#" * (text.MAX_FILE_BYTES - len(data) - 1 + extra) + b"\n"
    assert pem.scan(data).legible == (extra == 0)
