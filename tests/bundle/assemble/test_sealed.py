from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs7, pkcs12

from certmail.bundle.assemble.gather import TRIES, gather
from certmail.bundle.assemble.items import Kind, Unrepairable
from certmail.bundle.repair import repair
from certmail.errors import BundleError
from tests.bundle import make
from tests.bundle.assemble import sealed
from tests.bundle.assemble.sealed import PASSPHRASE, Knows
from tests.bundle.make import AT, rsa_key


@pytest.mark.parametrize("cipher", ["aes128", "aes256", "des3"])
def test_a_key_encrypted_by_its_headers_is_decrypted(cipher):
    knows = Knows(PASSPHRASE)
    repaired = repair(make.with_key(sealed.traditional(cipher)), at=AT, passphrase=knows)
    assert make.bundle() == repaired.pem
    assert [change.repair for change in repaired.changes] == ["decrypt"]
    assert len(knows.asked) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\\n"),
        lambda data: b"".join(row + b"  \n" for row in data.splitlines()),
        lambda data: data.decode().encode("utf-16"),
    ],
    ids=["crlf", "escaped", "trailing", "utf_16"],
)
def test_its_layout_is_repaired_first(damage):
    data = damage(make.with_key(sealed.traditional("aes128")))
    assert make.bundle() == repair(data, at=AT, passphrase=Knows(PASSPHRASE)).pem


@pytest.mark.parametrize("how", [(), ("-v1", "PBE-SHA1-3DES"), ("-scrypt",)], ids=str)
def test_an_encrypted_pkcs8_key_is_decrypted(how):
    data = make.with_key(sealed.pkcs8(*how))
    assert make.bundle() == repair(data, at=AT, passphrase=Knows(PASSPHRASE)).pem


def test_a_mistyped_passphrase_may_be_typed_again():
    data = make.with_key(sealed.pkcs8())
    knows = Knows("wrong", PASSPHRASE)
    assert make.bundle() == repair(data, at=AT, passphrase=knows).pem
    assert len(knows.asked) == 2


def test_a_wrong_passphrase_ends_after_a_few_tries():
    knows = Knows("wrong")
    with pytest.raises(BundleError) as refused:
        repair(make.with_key(sealed.pkcs8()), at=AT, passphrase=knows)
    assert (refused.value.code, len(knows.asked)) == ("PASSPHRASE-WRONG", TRIES)
    assert "wrong" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("how", [(), ("-legacy",), ("-nomac",)], ids=str)
def test_a_pkcs12_package_is_opened(how, tmp_path):
    data = sealed.pkcs12(tmp_path, *how)
    repaired = repair(data, at=AT, name="x.p12", passphrase=Knows(PASSPHRASE))
    assert make.bundle() == repaired.pem
    assert [change.repair for change in repaired.changes] == ["unpack"]


def test_a_package_without_passphrase_asks_nobody(tmp_path):
    knows = Knows(PASSPHRASE)
    data = sealed.pkcs12(tmp_path, phrase="env:NONE")
    assert make.bundle() == repair(data, at=AT, passphrase=knows).pem
    assert knows.asked == []


def test_a_package_that_nobody_can_open_says_so(tmp_path):
    with pytest.raises(BundleError) as refused:
        gather(sealed.pkcs12(tmp_path), name="x.p12")
    assert refused.value.code == "PKCS12-SEALED"


def test_a_damaged_package_is_refused(tmp_path):
    data = bytearray(sealed.pkcs12(tmp_path))
    data[len(data) // 2] ^= 1
    with pytest.raises(BundleError) as refused:
        repair(bytes(data), at=AT, passphrase=Knows(PASSPHRASE))
    assert refused.value.code == "PASSPHRASE-WRONG"


def test_an_ec_key_in_a_package_is_refused_for_what_it_is():
    leaf = make.make_leaf(make.lower(), key=make.ec_key())
    data = pkcs12.serialize_key_and_certificates(b"x", make.ec_key(), leaf, None, NoEncryption())
    with pytest.raises(Unrepairable) as refused:
        repair(data, at=AT)
    assert refused.value.code == "KEY-ALGORITHM"


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_a_pkcs7_package_gives_its_certificates(form, tmp_path):
    found = gather(sealed.pkcs7(tmp_path, form), name="x.p7b")
    assert [item.kind for item in found.items] == [Kind.CERTIFICATE] * 3
    assert {make.der_of(make.leaf())} < {item.der for item in found.items}


def test_a_pkcs7_block_beside_the_key_is_unpacked(tmp_path):
    repaired = repair(make.key_pem() + sealed.pkcs7(tmp_path, "PEM"), at=AT)
    assert make.bundle() == repaired.pem
    assert "unpack" in {change.repair for change in repaired.changes}


def test_a_pkcs7_package_as_windows_writes_it():
    """With CR LF and a description in front."""
    packed = pkcs7.serialize_certificates([make.leaf()], Encoding.PEM)
    data = make.key_pem() + b"subject=CN = x\n" + packed + make.chain_pem()
    assert make.bundle() == repair(data.replace(b"\n", b"\r\n"), at=AT).pem


@pytest.mark.parametrize("body", [b"MIIB", b"!!!!", base64.b64encode(b"\x30\x03\x02\x01\x00")])
def test_a_pkcs7_package_that_is_none_is_refused(body):
    data = make.key_pem() + b"-----BEGIN PKCS7-----\n" + body + b"\n-----END PKCS7-----\n"
    with pytest.raises(BundleError) as refused:
        repair(data, at=AT)
    assert refused.value.code in {"PKCS7-UNREADABLE", "BLOCK-PKCS7"}


def test_a_package_of_a_whole_store_is_refused():
    store = pkcs7.serialize_certificates([make.make_leaf(None) for _ in range(65)], Encoding.DER)
    with pytest.raises(Unrepairable) as refused:
        repair(store, at=AT)
    assert refused.value.code == "FILE-BLOCKS"


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (lambda: make.pkcs8_der(rsa_key("leaf")), Kind.KEY),
        (lambda: make.traditional_der(rsa_key("leaf")), Kind.KEY),
        (lambda: make.der_of(make.leaf()), Kind.CERTIFICATE),
    ],
    ids=["pkcs8", "pkcs1", "certificate"],
)
def test_der_is_taken_for_what_it_is(octets, kind):
    [item] = gather(octets(), name="x.der").items
    assert (item.kind, item.der) == (kind, octets())
