from __future__ import annotations

import copy
import dataclasses
import hashlib
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from certmail.bundle import x509
from certmail.bundle.check import CheckedBundle, check
from certmail.bundle.facts import sha256_hex
from certmail.bundle.further import Anchors, Further
from certmail.bundle.key import read
from certmail.bundle.pem import scan
from tests.bundle import make
from tests.bundle.make import AT, DAY, pem_of, rsa_key

PSS = "06092a864886f70d01010a"

if TYPE_CHECKING:
    from certmail.bundle.findings import Finding


def codes(data: bytes, *, at=AT, domains: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(finding.code for finding in check(data, at=at, domains=domains).findings)


def only(data: bytes, *, at=AT, domains: tuple[str, ...] = ()) -> Finding:
    (finding,) = check(data, at=at, domains=domains).findings
    return finding


def checked() -> CheckedBundle:
    found = check(make.bundle(), at=AT, domains=("WWW.example.org.",)).checked
    assert found is not None
    return found


class TestCheckedBundle:
    def test_it_holds_the_very_octets_and_what_was_checked(self):
        bundle = checked()
        assert bundle.pem == make.bundle()
        assert bundle.at == AT
        assert bundle.domains == ("www.example.org",)
        assert [c.subject for c in (bundle.leaf, *bundle.chain)] == [
            "CN=www.example.org",
            "CN=Test Lower",
            "CN=Test Upper",
        ]
        assert bundle.key.spki_sha256 == bundle.leaf.spki_sha256

    def test_nobody_else_can_make_one(self):
        bundle = checked()
        fields = {f.name: getattr(bundle, f.name) for f in dataclasses.fields(bundle)}
        with pytest.raises(TypeError):
            CheckedBundle(**fields, witness=object())
        with pytest.raises((TypeError, ValueError)):
            dataclasses.replace(bundle, pem=b"other")
        with pytest.raises(dataclasses.FrozenInstanceError):
            bundle.pem = b"other"

    def test_it_is_neither_shown_nor_copied_to_disk(self):
        bundle = checked()
        assert "PRIVATE KEY-----" not in repr(bundle)
        for copier in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                copier(bundle)

    def test_both_labels_and_both_sizes_the_provider_takes_pass(self):
        """RFC 5958 §2 and RFC 8017 §A.1.2: each body under its own label."""
        large = rsa_key("large", 4096)
        leaf = pem_of(make.make_leaf(make.lower(), key=large)) + make.chain_pem()
        for data in (
            make.with_key(make.traditional(rsa_key("leaf"))),
            make.pkcs8(large) + leaf,
            make.traditional(large) + leaf,
        ):
            assert codes(data) == ()

    def test_blank_lines_between_blocks_pass(self):
        """Some CAs deliver their chains with a blank line between the certificates."""
        spaced = make.bundle().replace(b"-----\n-----", b"-----\n\n-----")
        assert codes(spaced) == ()


class TestFacts:
    def test_a_certificate_is_described_in_public_facts(self):
        leaf = checked().leaf
        assert leaf.lines == (29, 47)
        assert leaf.names == ("www.example.org", "*.example.org")
        assert (leaf.not_before, leaf.not_after) == (AT - DAY, AT + 89 * DAY)
        assert leaf.serial == f"{make.leaf().serial_number:x}"
        assert (leaf.key_algorithm, leaf.key_bits) == ("RSA", 2048)
        assert leaf.signature_algorithm == "sha256WithRSAEncryption"
        assert (leaf.is_ca, leaf.self_signed) == (False, False)

    def test_digests_are_those_other_programs_compute(self):
        assert checked().leaf.sha256 == hashlib.sha256(make.der_of(make.leaf())).hexdigest().upper()

    def test_a_bundle_with_errors_still_has_facts(self):
        verdict = check(make.bundle(), at=AT + 90 * DAY)
        assert verdict.checked is None
        assert verdict.facts is not None
        assert [c.subject for c in verdict.facts.path] == [
            "CN=www.example.org",
            "CN=Test Lower",
            "CN=Test Upper",
        ]

    def test_a_name_cannot_write_to_the_terminal(self):
        hostile = make.make_ca("\x1b[2J\u202eevil", make.root(), key=rsa_key("Test Lower"))
        verdict = check(make.key_pem() + pem_of(make.make_leaf(hostile)), at=AT)
        assert all(f.what.isprintable() for f in verdict.findings)
        assert verdict.facts is not None
        assert verdict.facts.certificates[0].issuer.isprintable()

    def test_the_first_and_the_last_second_count_as_valid(self):
        """RFC 5280 §4.1.2.5: both ends belong to the period."""
        assert codes(make.bundle(), at=AT - DAY) == ()
        assert codes(make.bundle(), at=AT + 89 * DAY) == ("LEAF-EXPIRES-SOON",)


class TestOrder:
    def test_the_right_order_is_said_by_line_numbers(self):
        """RFC 8446 §4.4.2: the sender's certificate comes first."""
        lower, upper = (pem_of(ca().certificate) for ca in (make.lower, make.upper))
        finding = only(make.key_pem() + upper + make.leaf_pem() + lower)
        assert finding.code == "LEAF-NOT-FIRST"
        assert finding.what == (
            "the server's certificate is number 2 in the file, lines 47-65; the file starts with"
            " CN=Test Upper"
        )
        assert finding.next == (
            "put the certificates behind the key in this order: lines 47-65, lines 66-83,"
            " lines 29-46"
        )
        assert finding.repair == "order"

    def test_every_defect_of_a_file_is_told_at_once(self):
        data = make.leaf_pem() + make.key_pem() + make.chain_pem()
        found = codes(b"# ours\n" + data.replace(b"\n", b"\r\n"), at=AT + 90 * DAY)
        assert found == ("TEXT-OUTSIDE", "LINES-MIXED", "KEY-NOT-FIRST", "LEAF-EXPIRED")

    def test_a_cycle_of_issuers_ends(self):
        one, two = make.name("One"), make.name("Two")
        first = make.make_ca("One", make.Issuer(make.make_ca("Two").certificate, rsa_key("Two")))
        second = make.make_ca("Two", first)
        assert (first.certificate.issuer, second.certificate.issuer) == (two, one)
        data = make.key_pem() + pem_of(make.make_leaf(first))
        assert codes(data + pem_of(first.certificate) + pem_of(second.certificate)) == ()


class TestCost:
    def test_a_file_that_cannot_be_read_ends_without_cryptography(self):
        program = (
            "import sys, datetime\n"
            "from certmail.bundle.check import check\n"
            "check(b'-----BEGIN PRIVATE KEY-----\\n', at=datetime.datetime.now(datetime.UTC))\n"
            "sys.exit('cryptography' in sys.modules)\n"
        )
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

    def test_an_overlong_key_body_is_not_validated(self):
        """Only the size could tell: the numbers in front are sound and of 2048 bits."""
        key = rsa_key("leaf")
        body = make.integers(0, *_numbers(key), 1 << 9000)
        (block,) = scan(make.armor("RSA PRIVATE KEY", body)).blocks
        facts = read(block).facts
        assert facts is not None
        assert not x509.consistent_key(block.der, facts)
        assert codes(make.with_key(make.armor("RSA PRIVATE KEY", body))) == ("KEY-INCONSISTENT",)


class TestSeenBefore:
    def test_the_same_octets_are_not_validated_again_and_others_are(self):
        """A batch reads each bundle twice; what changed in between is looked at like new."""
        sound = make.bundle()
        seen = Further(sound=sha256_hex(sound))
        changed = make.with_key(
            make.armor("RSA PRIVATE KEY", make.pkcs1_der(rsa_key("leaf"), d=65537))
        )
        assert check(sound, at=AT, further=seen).checked is not None
        assert "KEY-INCONSISTENT" in {f.code for f in check(changed, at=AT, further=seen).findings}

    def test_what_was_said_of_these_very_octets_is_believed(self):
        """That is what spares the second validation; only the validation knows this defect."""
        body = make.integers(0, *_numbers(rsa_key("leaf")), 1 << 9000)
        data = make.with_key(make.armor("RSA PRIVATE KEY", body))
        said = Further(sound=sha256_hex(data))
        assert codes(data) == ("KEY-INCONSISTENT",)
        assert check(data, at=AT, further=said).findings == ()


class TestLibrary:
    def test_a_panic_of_the_library_ends_at_the_door(self):
        """pyca/cryptography#12100: a panic is a BaseException and would pass every handler."""
        panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})

        def step() -> None:
            raise panic

        assert x509.attempt(step) is None

    @pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit, RuntimeError])
    def test_what_is_no_verdict_passes(self, fault):
        def step() -> None:
            raise fault

        with pytest.raises(fault):
            x509.attempt(step)

    def test_a_key_that_is_not_the_one_read_is_not_consistent(self):
        (block,) = scan(make.key_pem()).blocks
        facts = read(block).facts
        assert facts is not None
        other = make.pkcs8_der(rsa_key("stranger"))
        assert (x509.consistent_key(block.der, facts), x509.consistent_key(other, facts)) == (
            True,
            False,
        )


class TestMoreThanOneDefect:
    def test_an_encrypted_key_does_not_hide_the_leaf(self):
        data = make.with_key(make.encrypted_pkcs8(rsa_key("leaf")))
        assert codes(data, at=AT + 90 * DAY) == ("KEY-ENCRYPTED", "LEAF-EXPIRED")

    def test_a_mismatch_and_an_expired_leaf_are_both_told(self):
        data = make.with_key(make.pkcs8(rsa_key("stranger")))
        assert codes(data, at=AT + 90 * DAY) == ("LEAF-EXPIRED", "KEY-MISMATCH")

    def test_one_foul_certificate_does_not_hide_another(self):
        foul = make.armor("CERTIFICATE", make.der_of(make.leaf())[:-1])
        assert codes(make.key_pem() + foul + foul) == ("BLOCK-TRUNCATED", "BLOCK-TRUNCATED")


class TestFallout:
    """Somebody who gave a request or a container has one thing to do, and is told one thing."""

    @pytest.mark.parametrize(
        ("label", "code"),
        [
            ("CERTIFICATE REQUEST", "BLOCK-CSR"),
            ("PKCS7", "BLOCK-PKCS7"),
            ("TRUSTED CERTIFICATE", "BLOCK-TRUSTED"),
        ],
    )
    @pytest.mark.parametrize(
        "beside",
        [
            make.key_pem,
            lambda: make.key_pem() + make.chain_pem(),
            lambda: make.with_key(make.pkcs8(rsa_key("stranger"))),
        ],
        ids=["no certificate", "no leaf", "another's leaf"],
    )
    def test_what_holds_the_certificate_explains_that_it_is_missing(self, beside, label, code):
        assert codes(beside() + make.armor(label, b"0")) == (code,)

    @pytest.mark.parametrize(
        ("label", "code"),
        [("OPENSSH PRIVATE KEY", "BLOCK-OPENSSH"), ("PUBLIC KEY", "BLOCK-PUBLIC-KEY")],
    )
    def test_a_key_of_another_kind_explains_that_the_key_is_missing(self, label, code):
        assert codes(make.armor(label, b"0") + make.leaf_pem() + make.chain_pem()) == (code,)


class TestWhatIsToldOfAKey:
    @pytest.mark.parametrize(
        ("key", "label", "first"),
        [
            (lambda: rsa_key("leaf"), "PRIVATE KEY", "KEY-LABEL"),
            (make.unbalanced_key, "RSA PRIVATE KEY", "KEY-UNBALANCED"),
        ],
    )
    def test_a_lesser_defect_does_not_hide_that_the_numbers_do_not_fit(self, key, label, first):
        block = make.armor(label, make.integers(0, *_numbers(key()), 1 << 9000))
        chain = make.bundle_of(key()).partition(b"-----BEGIN CERTIFICATE")
        assert codes(block + chain[1] + chain[2]) == (first, "KEY-INCONSISTENT")

    def test_a_wrong_label_does_not_hide_a_weak_key(self):
        data = make.bundle_of(make.close_primes_key())
        mislabelled = data.replace(b" PRIVATE KEY", b" RSA PRIVATE KEY")
        assert codes(mislabelled) == ("KEY-LABEL", "KEY-CLOSE-PRIMES")

    def test_the_numbers_of_a_key_that_is_not_the_leafs_are_not_validated(self):
        """Whether they fit or not, another key is wanted; to look costs thirty milliseconds."""
        foul = make.armor("RSA PRIVATE KEY", make.pkcs1_der(rsa_key("stranger"), d=65537))
        assert codes(make.with_key(foul)) == ("KEY-MISMATCH",)
        assert codes(foul + make.chain_pem()) == ("LEAF-MISSING",)

    def test_a_key_refused_already_is_not_compared_with_the_others(self):
        data = make.bundle_of(make.shared_prime_key())
        assert codes(data.replace(b" PRIVATE KEY", b" RSA PRIVATE KEY")) == ("KEY-LABEL",)


class TestKindOfTheLeaf:
    """What the leaf's key is counts by itself where the file's key does not say it already."""

    def test_a_leaf_of_another_size_is_refused_though_its_key_cannot_be_read(self):
        small = rsa_key("small", 1024)
        data = make.encrypted_pkcs8(small) + pem_of(make.make_leaf(make.lower(), key=small))
        assert codes(data + make.chain_pem()) == ("KEY-ENCRYPTED", "LEAF-KEY")

    def test_a_leaf_bound_to_pss_is_refused_though_its_key_is_not_so_bound(self):
        """A certificate that names id-RSASSA-PSS limits its key to such signatures."""
        leaf = make.marked_pss(make.leaf(), make.lower())
        assert codes(make.with_leaf(leaf)) == ("LEAF-KEY",)

    def test_a_key_bound_to_pss_explains_its_leaf(self):
        inner = make.pkcs1_der(rsa_key("leaf"))
        key = make.armor("PRIVATE KEY", make.pkcs8_with(PSS, inner))
        leaf = pem_of(make.marked_pss(make.leaf(), make.lower()))
        assert codes(key + leaf + make.chain_pem()) == ("KEY-PSS",)

    def test_a_leaf_that_is_not_of_the_files_key_is_told_as_that_alone(self):
        leaf = make.make_leaf(make.lower(), key=make.ec_key())
        assert codes(make.with_leaf(leaf)) == ("KEY-MISMATCH",)


def test_no_anchor_is_named_where_none_was_reached():
    foul = make.armor("CERTIFICATE", make.der_of(make.leaf())[:-1])
    for data, at in ((make.bundle(), AT + 90 * DAY), (make.key_pem() + foul, AT)):
        facts = check(data, at=at).facts
        assert facts is not None
        assert facts.anchor == ""


def test_what_is_refused_already_is_not_refused_again_for_want_of_trust():
    nobody = Further(anchors=Anchors("none", ()))
    found = check(make.bundle(), at=AT + 90 * DAY, further=nobody).findings
    assert [finding.code for finding in found] == ["LEAF-EXPIRED"]


class TestUses:
    def test_the_constraints_of_the_leaf_are_read_from_its_extensions(self):
        """RFC 5280 §4.2.1.3, RFC 5280 §4.2.1.9, RFC 5280 §4.2.1.12: none hides another."""
        mail = (ExtendedKeyUsageOID.EMAIL_PROTECTION,)
        agreement = make.usage(key_agreement=True)
        leaf = make.make_leaf(make.lower(), is_ca=True, key_usage=agreement, purposes=mail)
        found = codes(make.with_leaf(leaf))
        assert found == ("LEAF-CA", "LEAF-PURPOSE", "LEAF-KEY-USAGE")


def _numbers(key) -> tuple[int, ...]:
    numbers = key.private_numbers()
    public = numbers.public_numbers
    return (public.n, public.e, numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1)
