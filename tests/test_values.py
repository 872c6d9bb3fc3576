"""Spelling rules: what may be written, and that nothing else is ever raised."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from certmail.errors import CertmailError, SettingsError
from certmail.values import Address, Fingerprint, Hostname, Secret, printable

DIGITS = "03943517934C1FA5ED4E2F61218B86BD5278460F"


def refused(kind, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        kind(text)
    assert caught.value.what.isprintable()
    return caught.value.code


# Address


@pytest.mark.parametrize(
    "text",
    ["ops@example.org", "o.p-s+tls@mail.example.org", "a@b", f"{'l' * 64}@example.org", "a@1.com"],
)
def test_a_plain_address_is_kept_as_written(text):
    """RFC 5321 §4.1.2: a Dot-string and a Domain."""
    assert str(Address(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops",
        "@example.org",
        "ops@",
        "ops@example.org ",
        " ops@example.org",
        "ops@example.org\n",
        "ops@example.org\r\nRCPT TO:<eve@example.net>",
        "ops@example.org> SIZE=1 <",
        "<ops@example.org>",
        "Ops <ops@example.org>",
        "ops@example.org,eve@example.net",
        "eve@example.net@example.org",
        '"ops eve"@example.org',
        "ops(eve)@example.org",
        "ops@[127.0.0.1]",
        "ops@exam_ple.org",
        "ops@-example.org",
        "ops@example-.org",
        "ops@example..org",
        "ops@example.org.",
        ".ops@example.org",
        "o..ps@example.org",
        "öps@example.org",
        "ops@exämple.org",
        "ops@example.org\0",
        "ops@example\u2028.org",
    ],
)
def test_an_address_with_anything_more_in_it_is_refused(text):
    """Anything more can add a recipient or a parameter to the envelope."""
    assert refused(Address, text) == "ADDRESS-MALFORMED"


def test_an_address_too_long_for_an_envelope_is_refused():
    """RFC 5321 §4.5.3.1.1 and RFC 5321 §4.5.3.1.3."""
    domain = ".".join(["d" * 61] * 4)
    assert len(Address(f"{'l' * (253 - len(domain))}@{domain}").text) == 254
    assert refused(Address, f"{'l' * (254 - len(domain))}@{domain}") == "ADDRESS-MALFORMED"
    assert refused(Address, f"{'l' * 65}@example.org") == "ADDRESS-MALFORMED"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("ops@example.org", True),
        ("ops@EXAMPLE.org", True),
        ("Ops@example.org", False),
        ("ops@example.net", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_only_the_domain_of_a_mailbox_ignores_case(other, same):
    """RFC 5321 §2.4: the local part is case sensitive."""
    assert Address("ops@example.org").same_mailbox(other) is same


def test_the_domain_is_what_stands_behind_the_at_sign():
    assert Address("ops@mail.example.org").domain == "mail.example.org"


# Hostname


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("smtp.example.org", "smtp.example.org"),
        ("SMTP.Example.ORG.", "smtp.example.org"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("3com.example", "3com.example"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_a_host_name_settles_on_one_form(text, kept):
    """RFC 1123 §2.1."""
    assert Hostname(text).text == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "smtp example.org",
        "smtp.example.org:465",
        "smtps://smtp.example.org",
        "smtp.example.org\r\n",
        "smtp_1.example.org",
        "-smtp.example.org",
        "smtp..example.org",
        "smtp.example.org..",
        "*.example.org",
        "smtp.example.org\0.example.net",
        "münchen.example",
        "\u017fmtp.example.org",
        f"{'a' * 64}.example.org",
        ".".join(["a" * 49] * 6),
        "[smtp.example.org]",
        "127.1",
        "0x7f000001",
        "2130706433",
        "192.0.2.256",
        "192.0.2.01",
        "2001:db8::1::2",
    ],
)
def test_what_is_not_exactly_a_host_name_is_refused(text):
    """The relay's certificate is checked against this name."""
    assert refused(Hostname, text) == "HOSTNAME-MALFORMED"


@pytest.mark.parametrize(
    "text",
    [
        "fe80::1%eth0",
        "fe80::1%a\r\nRCPT TO:<eve@example.net>",
        "\u212aexample.org",
        "[192.0.2.1",
        "192.0.2.1]",
        "[[2001:db8::1]]",
    ],
    ids=["zone", "zone-with-line-end", "kelvin-sign", "half-open", "half-closed", "twice"],
)
def test_no_foreign_spelling_passes_for_a_host_name(text):
    """A zone may hold any character, and the Kelvin sign in lower case is an ASCII k."""
    assert refused(Hostname, text) == "HOSTNAME-MALFORMED"


@pytest.mark.parametrize(
    ("text", "is_ip", "is_loopback"),
    [
        ("smtp.example.org", False, False),
        ("localhost", False, True),
        ("127.0.0.1", True, True),
        ("127.8.9.1", True, True),
        ("::1", True, True),
        ("192.0.2.1", True, False),
        ("localhost.example.org", False, False),
    ],
)
def test_only_this_very_machine_is_loopback(text, is_ip, is_loopback):
    host = Hostname(text)
    assert (host.is_ip, host.is_loopback) == (is_ip, is_loopback)


# Fingerprint


@pytest.mark.parametrize(
    "text",
    [DIGITS, DIGITS.lower(), f"0x{DIGITS}", "0394 3517 934C 1FA5 ED4E  2F61 218B 86BD 5278 460F"],
)
def test_a_fingerprint_settles_on_one_form(text):
    fingerprint = Fingerprint(text)
    assert str(fingerprint) == DIGITS
    assert fingerprint.key_id == "218B86BD5278460F"
    assert fingerprint.grouped() == "0394 3517 934C 1FA5 ED4E 2F61 218B 86BD 5278 460F"
    assert Fingerprint(fingerprint.grouped()) == fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "",
        DIGITS[-8:],
        DIGITS[-16:],
        DIGITS[:-1],
        DIGITS + "0",
        DIGITS[:-1] + "G",
        DIGITS[:-1] + "٣",
        DIGITS + "\n",
        DIGITS * 2,
    ],
)
def test_only_a_whole_fingerprint_names_a_key(text):
    """A key ID can be forged (RFC 9580 §5.5.4.2 has 20 octets)."""
    assert refused(Fingerprint, text) == "FINGERPRINT-MALFORMED"


def test_a_ligature_is_not_two_digits():
    """The ligature "ff" in upper case is an ASCII FF."""
    assert refused(Fingerprint, DIGITS[:38] + "\ufb00") == "FINGERPRINT-MALFORMED"


# Secret


def test_no_formatting_gives_a_secret_away():
    secret = Secret("canary-hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s" % secret, repr([secret])]  # noqa: UP031 - the old way must hold too
    assert not any("canary" in text for text in shown)
    assert secret.reveal() == "canary-hunter2"


@pytest.mark.parametrize("copying", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_secret_is_not_copied(copying):
    with pytest.raises(TypeError) as caught:
        copying(Secret("canary-hunter2"))
    assert "canary" not in str(caught.value)


def test_two_secrets_are_never_equal():
    """A comparison that tells would tell by how long it takes."""
    assert Secret("same") != Secret("same")


# Any input


@given(st.sampled_from([Address, Hostname, Fingerprint]), st.text(st.characters(), max_size=80))
@example(Hostname, "fe80::1%\n")
@example(Hostname, "\u212a")
@example(Fingerprint, "\ufb00" * 20)
def test_any_text_yields_plain_ascii_or_our_error(kind, text):
    try:
        value = kind(text)
    except CertmailError:
        return
    assert value.text.isascii()
    assert value.text.isprintable()
    assert kind(value.text) == value
    # What was folded was a spelling of the same characters, not other characters.
    assert text.isascii()


@given(st.text(st.characters(), max_size=200), st.integers(1, 100))
def test_foreign_text_is_shown_on_one_line_and_cut(text, limit):
    shown = printable(text, limit=limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    assert printable(shown, limit=limit) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("é ü 漢", "é ü 漢"),
        ("a\nb\x1b[31mc", "a?b?[31mc"),
        ("right\u202eleft", "right?left"),
        ("\udcff", "?"),
        ("x" * 81, "x" * 79 + "…"),
    ],
)
def test_control_and_direction_characters_never_reach_a_terminal(text, shown):
    assert printable(text) == shown
