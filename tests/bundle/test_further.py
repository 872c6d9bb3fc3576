"""Trust, revocation, replacement, names and what the page may show of the file."""

from __future__ import annotations

import ipaddress
import time
from datetime import timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.bundle import change, idn, served
from certmail.bundle.check import Verdict, check
from certmail.bundle.excerpt import excerpt
from certmail.bundle.further import Anchors, Answer, Further, Kind
from certmail.bundle.revocation import questions
from tests.bundle import make, vectors
from tests.bundle.make import AT, DAY, der_of, pem_of, rsa_key
from tests.bundle.test_total import TRICKS, grams, leaks


def judged(data: bytes, *, at=AT, domains=(), **further) -> Verdict:
    return check(data, at=at, domains=domains, further=Further(**further))


def codes(data: bytes, **asked) -> list[str]:
    return [finding.code for finding in judged(data, **asked).findings]


class TestTrust:
    def test_a_chain_to_a_chosen_root_names_it(self):
        data, root = make.trusted_bundle()
        verdict = judged(data, anchors=Anchors("our.pem", (root,)))
        assert verdict.findings == ()
        assert verdict.facts is not None
        assert verdict.facts.anchor == "CN=Proper Root, of our.pem"

    def test_nothing_is_trusted_by_default(self):
        data, _ = make.trusted_bundle()
        facts = judged(data).facts
        assert facts is not None
        assert facts.anchor == ""

    def test_another_store_is_never_taken_instead(self):
        data, _ = make.trusted_bundle()
        for roots in ((), (b"no certificate",), (der_of(make.root().certificate),)):
            assert codes(data, anchors=Anchors("other", roots)) == ["CHAIN-UNTRUSTED"]

    def test_every_asked_name_must_be_trusted(self):
        data, root = make.trusted_bundle()
        ours = Anchors("our.pem", (root,))
        assert codes(data, anchors=ours, domains=(make.HOST,)) == []
        assert codes(data, anchors=ours, domains=("example.net",)) == ["LEAF-NAME"]

    def test_what_is_refused_already_is_not_refused_again_for_want_of_trust(self):
        data, _ = make.trusted_bundle()
        found = codes(data, at=AT + 90 * DAY, anchors=Anchors("none", ()))
        assert found == ["LEAF-EXPIRED"]

    def test_the_words_of_the_library_are_never_quoted(self):
        data = make.bundle()
        root = der_of(make.root().certificate)
        (finding,) = judged(data, anchors=Anchors("our.pem", (root,))).findings
        assert finding.why == (
            "a certificate lacks the authorityKeyIdentifier extension that clients want"
        )


def asked(data: bytes):
    return questions(data, at=AT)


def bundle_with(leaf_place) -> tuple[bytes, x509.Certificate]:
    own = make.make_leaf(make.lower(), extra=(leaf_place,))
    return make.with_leaf(own), own


class TestRevocation:
    def test_the_question_goes_where_the_certificate_says(self):
        by_list, _ = bundle_with(make.points_to_list())
        by_ocsp, own = bundle_with(make.points_to_responder())
        (first,), (second,) = asked(by_list), asked(by_ocsp)
        assert (first.kind, first.url, first.body) == (Kind.CRL, make.LIST, b"")
        assert (second.kind, second.url) == (Kind.OCSP, make.RESPONDER)
        request = ocsp.load_der_ocsp_request(second.body)
        assert request.serial_number == own.serial_number

    def test_a_bundle_that_cannot_be_read_asks_nothing(self):
        for data in (b"", b"-----BEGIN", make.key_pem(), make.key_pem() + make.leaf_pem()):
            assert asked(data) == ()

    def test_without_the_issuer_nothing_can_be_told(self):
        data = make.key_pem() + make.leaf_pem()
        assert codes(data, answers=()) == ["CHAIN-INCOMPLETE", "CHAIN-REVOCATION-UNTOLD"]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({}, None),
            ({"status": ocsp.OCSPCertStatus.REVOKED}, "LEAF-REVOKED"),
            ({"status": ocsp.OCSPCertStatus.UNKNOWN}, "CHAIN-REVOCATION-UNTOLD"),
            ({"at": AT - 10 * DAY}, "CHAIN-REVOCATION-UNTOLD"),
            ({"at": AT + 10 * DAY}, "CHAIN-REVOCATION-UNTOLD"),
        ],
    )
    def test_an_answer_counts_when_it_is_signed_and_of_today(self, change, code):
        """RFC 6960 §3.2."""
        data, own = bundle_with(make.points_to_responder())
        told = make.ocsp_answer(own, make.lower(), **change)
        assert self.told(data, told) == code

    def told(self, data: bytes, octets: bytes) -> str | None:
        """Give what is said about the leaf; of the CA nobody said anything."""
        (question,) = asked(data)
        found = judged(data, answers=(Answer(question, octets),)).findings
        about_leaf = [f for f in found if f.lines == (29, f.lines[1])]
        return about_leaf[0].code if about_leaf else None

    def test_a_responder_of_the_issuers_own_may_sign(self):
        """RFC 6960 §4.2.2.2: authorised by the issuer, with id-kp-OCSPSigning."""
        data, own = bundle_with(make.points_to_responder())
        key = rsa_key("stranger")
        for purpose, code in (
            (ExtendedKeyUsageOID.OCSP_SIGNING, None),
            (ExtendedKeyUsageOID.SERVER_AUTH, "CHAIN-REVOCATION-UNTOLD"),
        ):
            named = make.make_leaf(make.lower(), key=key, purposes=(purpose,))
            told = make.ocsp_answer(own, make.lower(), responder=make.Issuer(named, key))
            assert self.told(data, told) == code

    def test_an_answer_signed_by_somebody_else_tells_nothing(self):
        data, own = bundle_with(make.points_to_responder())
        forger = make.make_ca("Test Lower", make.upper(), key=rsa_key("stranger"))
        revoked = make.ocsp_answer(own, forger, status=ocsp.OCSPCertStatus.REVOKED)
        assert self.told(data, revoked) == "CHAIN-REVOCATION-UNTOLD"
        by_list, own = bundle_with(make.points_to_list())
        forged = make.revocation_list(make.lower(), own, key=rsa_key("stranger"))
        assert self.told(by_list, forged) == "CHAIN-REVOCATION-UNTOLD"

    def test_a_part_of_a_list_counts_only_for_its_own_place(self):
        """RFC 5280 §5.2.5."""
        data, own = bundle_with(make.points_to_list())

        def part(url: str) -> x509.IssuingDistributionPoint:
            return x509.IssuingDistributionPoint(
                [x509.UniformResourceIdentifier(url)], None, False, False, None, False, False
            )

        here = make.revocation_list(make.lower(), own, extra=(part(make.LIST),))
        there = make.revocation_list(make.lower(), own, extra=(part("http://x.example/"),))
        assert self.told(data, here) == "LEAF-REVOKED"
        assert self.told(data, there) == "CHAIN-REVOCATION-UNTOLD"

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=300), st.integers(0, 1200), st.booleans())
    def test_any_answer_gives_a_verdict(self, octets, place, whole):
        data, sound = _answered()
        if not whole:
            octets = sound[:place] + octets[:3] + sound[place + 3 :]
        (question,) = asked(data)
        assert judged(data, answers=(Answer(question, octets),)).facts


@cache
def _answered() -> tuple[bytes, bytes]:
    """Give certificates without a key, which would be validated each time, and a sound answer."""
    data, own = bundle_with(make.points_to_responder())
    return data.removeprefix(make.key_pem()), make.ocsp_answer(own, make.lower())


class TestReplacement:
    def test_names_key_and_end_are_compared(self):
        old = make.make_leaf(make.lower(), names=("a.example", "b.example"), end=AT + 30 * DAY)
        new = make.make_leaf(make.lower(), names=("*.example", "c.b.example"))
        first, second = served.read((der_of(old), der_of(new)))
        seen = change.compare(first, second)
        assert (seen.kept, seen.lost) == (("a.example", "b.example"), ())
        assert seen.gained == ("*.example", "c.b.example")
        assert (seen.same, seen.same_key, seen.longer) == (False, True, 59 * DAY)

    def test_many_names_are_compared_in_linear_time(self):
        names = tuple(f"a{number}.example" for number in range(3000))
        (facts,) = served.read((der_of(make.make_leaf(make.lower(), names=names)),))
        start = time.perf_counter()
        assert change.compare(facts, facts).kept == names
        assert time.perf_counter() - start < 2

    def test_a_certificate_is_found_in_a_file_with_or_without_a_key(self):
        for data in (make.leaf_pem(), make.bundle(), make.chain_pem() + make.leaf_pem()):
            found = served.leaf_of(data)
            assert found is not None
            assert found.subject == "CN=www.example.org"
        assert served.leaf_of(make.key_pem()) is None
        assert served.leaf_of(b"\0\1") is None


class TestNames:
    @pytest.mark.parametrize(
        ("name", "read"),
        [
            ("xn--mller-kva.example", "müller.example"),
            ("*.xn--mller-kva.example", "*.müller.example"),
            ("www.example.org", None),
            ("xn--a.example", None),
            ("xn--\u00fc.example", None),
        ],
    )
    def test_a_name_is_read_as_people_write_it(self, name, read):
        """RFC 5890 §2.3.2.1."""
        assert idn.to_unicode(name) == read
        assert idn.both(name) == (f"{name} ({read})" if read else name)

    def test_a_domain_may_be_asked_in_its_own_letters(self):
        leaf = make.make_leaf(make.lower(), names=(make.HOST, "xn--mller-kva.example"))
        assert codes(make.with_leaf(leaf), domains=("müller.example",)) == []
        (finding,) = judged(make.bundle(), domains=("MÜLLER.example",)).findings
        assert "xn--mller-kva.example (müller.example)" in finding.what

    @given(st.text(max_size=40))
    def test_any_text_is_shown_safely(self, text):
        assert idn.both(text).startswith(text)
        read = idn.to_unicode(text)
        assert read is None or read.isprintable()


class TestLifetime:
    @pytest.mark.parametrize(
        ("issued", "days", "told"),
        [
            ("2018-02-28", 1000, False),
            ("2018-03-01", 825, False),
            ("2018-03-01", 826, True),
            ("2020-09-01", 398, False),
            ("2020-09-01", 399, True),
            ("2026-03-15", 200, False),
            ("2026-03-15", 201, True),
            ("2027-03-15", 101, True),
            ("2029-03-15", 48, True),
        ],
    )
    def test_the_day_of_issue_decides(self, issued, days, told):
        """CA/Browser Forum Baseline Requirements §6.3.2; both ends belong to the life."""
        start = AT.fromisoformat(f"{issued}T00:00:00+00:00")
        end = start + days * DAY - timedelta(seconds=1)
        leaf = make.make_leaf(make.lower(), start=start, end=end)
        found = codes(make.with_leaf(leaf), at=start + 5 * DAY)
        assert ("LEAF-LIFETIME" in found) == told

    def test_the_days_of_warning_are_the_users(self):
        assert codes(make.bundle(), warn_before=90 * DAY) == ["LEAF-EXPIRES-SOON"]
        assert codes(make.bundle(), at=AT + 88 * DAY, warn_before=0 * DAY) == []


class TestExcerpt:
    def test_a_body_is_counted_and_its_boundaries_are_shown(self):
        rows = excerpt(make.bundle(), (1, 28))
        assert [(row.number, row.text, row.marked) for row in rows] == [
            (1, "-----BEGIN PRIVATE KEY-----", True),
            (None, "··· 26 lines ···", True),
            (28, "-----END PRIVATE KEY-----", True),
            (29, "-----BEGIN CERTIFICATE-----", False),
        ]

    def test_a_foul_boundary_is_shown_as_it_is(self):
        data = b"# our key\n---BEGIN PRIVATE KEY----\nMIIE\n"
        assert [row.text for row in excerpt(data, (2, 2))] == [
            "# our key",
            "---BEGIN PRIVATE KEY----",
            "··· 1 line ···",
        ]

    @pytest.mark.parametrize(
        "line",
        [b"-----BEGIN PRIVATE KEYMIIEvQIBADAN-----", b"    00:b3:5c:aa", b"password=hunter2",
         b"localKeyID: 01 02", b"TUlJRXZR SUJBREFO"],
    )  # fmt: skip
    def test_what_could_be_a_secret_is_not_shown(self, line):
        assert [row.text for row in excerpt(line + b"\n", (1, 1))] == ["··· 1 line ···"]

    @pytest.mark.parametrize("vector", vectors.ALL, ids=lambda vector: vector.name)
    def test_no_excerpt_of_any_defect_shows_the_key(self, vector):
        data = vector.data
        told = "\n".join(
            row.text
            for finding in vector.verdict.findings
            if finding.lines
            for row in excerpt(data, finding.lines)
        )
        assert leaks(told, grams(data)) == set()

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 1900), st.integers(0, 90), st.sampled_from(TRICKS)),
                 min_size=1, max_size=5),
        st.integers(1, 40), st.integers(0, 40),
    )  # fmt: skip
    def test_no_excerpt_of_a_damaged_file_shows_the_key(self, edits, first, more):
        data = make.key_pem()
        for place, size, trick in edits:
            data = data[:place] + trick + data[place + size :]
        told = "\n".join(row.text for row in excerpt(data, (first, first + more)))
        assert leaks(told, grams(make.key_pem())) == set()
        assert told.isprintable() or "\n" in told

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=400), st.integers(1, 30), st.integers(0, 30))
    def test_any_octets_have_an_excerpt(self, data, first, more):
        assert all(row.text.isprintable() for row in excerpt(data, (first, first + more)))

    def test_a_long_line_costs_little(self):
        start = time.perf_counter()
        excerpt(b"a" * 2**20, (1, 1))
        excerpt(b"a " * 2**19, (1, 1))
        excerpt(b"-" * 2**20, (1, 1))
        assert time.perf_counter() - start < 1


class TestCost:
    def test_everything_but_the_key_takes_a_few_milliseconds(self, monkeypatch):
        """A generous bound for a loaded machine; about one millisecond on an idle one."""
        from certmail.bundle import judge

        monkeypatch.setattr(judge.x509, "consistent_key", lambda octets, facts: True)
        data = make.bundle()
        check(data, at=AT)
        times = []
        for _ in range(7):
            start = time.perf_counter()
            check(data, at=AT)
            times.append(time.perf_counter() - start)
        assert min(times) < 0.02

    def test_the_key_is_validated_once(self, monkeypatch):
        from certmail.bundle import judge

        calls = []
        real = judge.x509.consistent_key
        monkeypatch.setattr(
            judge.x509, "consistent_key", lambda *given: calls.append(1) or real(*given)
        )
        assert check(make.bundle(), at=AT).checked
        assert len(calls) == 1


def test_the_constraints_of_each_ca_hold_for_all_below_it():
    """RFC 5280 §4.2.1.10: dNSName, iPAddress and directoryName, permitted and excluded."""
    inside = x509.DNSName("example.org")
    host = x509.DNSName(make.HOST)
    network = x509.IPAddress(ipaddress.ip_network("192.0.2.0/24"))
    named = x509.DirectoryName(x509.Name([]))
    other = x509.DirectoryName(make.name("Other"))
    for limits, names, allowed in (
        (x509.NameConstraints([inside], None), (make.HOST, "*.example.org"), True),
        (x509.NameConstraints(None, [inside]), (make.HOST,), False),
        (x509.NameConstraints(None, [host]), ("*.example.org",), False),
        (x509.NameConstraints(None, [host]), ("*.a.example.org",), True),
        (x509.NameConstraints([network], None), ("192.0.2.7",), True),
        (x509.NameConstraints([network], None), ("198.51.100.7",), False),
        (x509.NameConstraints([network], None), (make.HOST,), True),
        (x509.NameConstraints([named], None), (make.HOST,), True),
        (x509.NameConstraints([other], None), (make.HOST,), False),
    ):
        low = make.make_ca("Test Lower", make.upper(), extra=((limits, True),))
        leaf = make.make_leaf(low, names=names)
        chain = b"".join(pem_of(c) for c in (leaf, low.certificate, make.upper().certificate))
        found = codes(make.key_pem() + chain)
        assert ("CHAIN-NAME-CONSTRAINTS" not in found) == allowed, (limits, names)


def test_the_answer_of_a_certificate_in_der_is_told_in_full():
    chain = (der_of(make.leaf()), b"\x30\x00", make.lower().certificate.public_bytes(Encoding.DER))
    assert [facts.lines for facts in served.read(chain)] == [(1, 1), (3, 3)]
