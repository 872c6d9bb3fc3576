"""``certmail key`` and the key of a send, in worlds that are honest, dead and hostile."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certmail.errors import KeyRefused
from certmail.key.bundled import read_bundled
from certmail.recipient import CLEVER_CLOUD
from tests.cli.conftest import ROOT, Ran, User
from tests.cli.test_terminal import Terminal
from tests.keysources.serving import Trust, Web, answer, dripping, make_trust, moved, pouring, web

PIN = CLEVER_CLOUD.pin.text
BUNDLED = ROOT / "keys" / "clever-cloud.asc"

CALLER = """
import sys
from certmail.cli.entry import run
from certmail.cli.keys_at_hand import World
from certmail.keysources.fetch import Network
from certmail.keysources.places import Places
import os, ssl
base, ca_file, *arguments = sys.argv[1:]
places = Places(base + "/page", base + "/markdown", base, base, base, base, base)
network = Network(
    env={},
    context=ssl.create_default_context(cafile=ca_file),
    private=frozenset({base.removeprefix("https://")}),
    timeout_s=2,
)
sys.exit(run(arguments, world=World(places, network)))
"""
"""A program that calls certmail with a world of its own: the only way to name other sources."""

ALL = (
    "/page",
    "/markdown",
    f"/vks/v1/by-fingerprint/{PIN}",
    "/.well-known/openpgpkey/clever-cloud.com/hu/rntrmr9af3mu1wa8pe8qi68u36hbxjjw?l=ssl",
    "/.well-known/openpgpkey/hu/rntrmr9af3mu1wa8pe8qi68u36hbxjjw?l=ssl",
    f"/pgp_keys.asc?fingerprint={PIN.lower()}",
    f"/pks/lookup?op=get&options=mr&search=0x{PIN}",
)


@dataclass
class Worldly(User):
    """A user for whom the sources are those of a test."""

    base: str = ""
    ca_file: Path = field(default_factory=Path)

    def __call__(self, *arguments, stdin: bytes = b"") -> Ran:
        done = subprocess.run(
            [sys.executable, "-c", CALLER, self.base, str(self.ca_file), *map(str, arguments)],
            input=stdin,
            env={**self.environment(), "CERTMAIL_KEY_REFRESH": "auto"},
            cwd=self.home,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    @property
    def store(self) -> Path:
        return self.home / ".local" / "share" / "certmail" / "keys" / f"{PIN}.json"


@pytest.fixture(scope="session")
def key_trust(tmp_path_factory, at) -> Trust:
    return make_trust(tmp_path_factory.mktemp("key-sources"), at)


@pytest.fixture
def sources(key_trust):
    with web(key_trust.server()) as running:
        yield running


@pytest.fixture
def worldly(tmp_path, sender, sources, key_trust) -> Worldly:
    return Worldly(home=tmp_path, gnupg=sender.home, base=sources.base, ca_file=key_trust.ca_file)


def html(block: bytes) -> bytes:
    code = b"".join(b"<span>" + line + b"</span><br>" for line in block.splitlines())
    return answer(b"<!doctype html><html><body><pre>" + code + b"</pre></body></html>")


def damaged(block: bytes) -> bytes:
    at = block.index(b"\n\n") + 100
    return block[:at] + (b"B" if block[at : at + 1] == b"A" else b"A") + block[at + 1 :]


def hostile(sources: Web, strangers_key: bytes) -> None:
    """Let every source lie in its own way."""
    old = read_bundled()
    lies = (
        html(damaged(old)),
        answer(b"# no key here\n"),
        lambda _: pouring(),
        dripping,
        answer(strangers_key),
        moved("http://127.0.0.1/key.asc"),
        answer(b"<html>internal error</html>", status="500 Oops"),
    )
    sources.pages.update(zip(ALL, lies, strict=True))


# Looking


def test_show_draws_the_life_of_the_key_and_ends_with_11_when_it_is_over(worldly, sources):
    ran = worldly("key", "show")
    assert (ran.status, ran.code) == (11, "KEY-EXPIRED")
    for shown in ("primary key 218B86BD5278460F", "expires 2020-02-08", "today ", "├", "┤"):
        assert shown in ran.out
    assert "certmail key refresh" in ran.err
    assert sources.asked == []
    assert not worldly.store.exists()


def test_show_draws_in_plain_letters_where_nothing_else_can_be_shown(worldly):
    worldly.extra = {"PYTHONIOENCODING": "ascii:replace", "PYTHONUTF8": "0"}
    assert "|---" in worldly("key", "show").out


def test_show_as_json_has_spans_and_notices(worldly):
    value = worldly("key", "show", "--json").json
    assert (value["schema"], value["usable_today"]) == ("certmail.key-show/1", False)
    assert [span["name"] for span in value["life"]] == ["primary key", "encryption subkey"]
    assert value["refusal"]["code"] == "KEY-EXPIRED"
    assert [notice["code"] for notice in value["notices"]] == ["KEY-NOT-REFRESHED"]


def test_verify_is_verify_key(user):
    assert user("key", "verify", "--json").json["schema"] == "certmail.key/1"


@pytest.mark.parametrize(
    ("command", "text", "status", "code"),
    [
        (("verify-key",), CLEVER_CLOUD.pin.grouped().lower(), 0, None),
        (("verify-key",), PIN[:-3] + "70F", 11, "FINGERPRINT-MISPRINT"),
        (("key", "verify"), PIN[-16:], 11, "FINGERPRINT-SHORT"),
    ],
)
def test_a_fingerprint_from_a_letter_is_compared(user, command, text, status, code):
    ran = user(*command, "--fingerprint", text, "--json")
    assert (ran.status, ran.code) == (status, code)
    assert ran.json["schema"] == ("certmail.error/1" if code else "certmail.key-fingerprint/1")


def test_a_file_and_a_fingerprint_are_two_questions(user):
    assert user("verify-key", BUNDLED, "--fingerprint", PIN).status == 2


# Refreshing


def test_every_place_is_asked_and_a_dead_world_is_told_on_one_screen(worldly, sources):
    ran = worldly("key", "refresh")
    assert (ran.status, ran.code) == (11, "KEY-REFRESH-FAILED")
    assert sorted(sources.asked) == sorted(ALL)
    assert ran.err.count("[KEY-SOURCE-ABSENT]") == 7
    told = " ".join(ran.err.split())
    assert "(1) get a copy from Clever Cloud" in told
    assert "(2) use the upload form" in told
    assert len(ran.err.splitlines()) <= 24


def test_a_hostile_world_changes_nothing(worldly, sources, gpg, stranger):
    from tests.conftest import exported

    hostile(sources, exported(gpg, stranger))
    ran = worldly("key", "refresh", "--json")
    assert (ran.status, ran.code) == (11, "KEY-REFRESH-FAILED")
    for code in (
        "KEY-ARMOR-CHECKSUM",
        "KEY-NOT-OPENPGP",
        "KEY-TOO-LARGE",
        "KEY-SOURCE-TIMEOUT",
        "PIN-MISMATCH",
        "KEY-SOURCE-REDIRECT",
        "KEY-SOURCE-STATUS",
    ):
        assert code in ran.json["why"]
    assert worldly("key", "show", "--json").json["copies"] == [
        "the copy that comes with certmail",
        "the stored copy",
    ]
    assert worldly("key", "history", "--json").json["confirmed_at"] is None


def test_an_older_copy_is_evidence_that_somebody_was_asked_and_no_more(worldly, sources):
    sources.pages["/page"] = html(read_bundled())
    ran = worldly("key", "refresh", "--json")
    assert (ran.status, ran.json["changes"]) == (11, [])
    assert [s["has_the_key"] for s in ran.json["sources"]] == [True, *[False] * 6]
    assert worldly("key", "show", "--json").json["notices"] == []
    mode = stat.S_IMODE(worldly.store.stat().st_mode)
    assert (mode, stat.S_IMODE(worldly.store.parent.stat().st_mode)) == (0o600, 0o700)


@pytest.mark.parametrize("where", [ALL[0], ALL[2], ALL[4]])
def test_any_one_honest_place_renews_the_key(worldly, sources, renewed, where):
    block = renewed.read_bytes()
    sources.pages[where] = html(block) if where == "/page" else answer(block)
    ran = worldly("key", "refresh")
    assert (ran.status, ran.code) == (0, None), ran.err
    assert "expires 2036-04-26, where the copy before expires 2020-02-08" in " ".join(
        ran.out.split()
    )
    assert BUNDLED.read_bytes() == read_bundled()


def test_a_file_standard_input_and_a_typed_address_are_taken(worldly, sources, renewed):
    sources.pages["/mine"] = answer(renewed.read_bytes())
    for given, stdin in (
        (renewed, b""),
        ("-", renewed.read_bytes()),
        (f"{sources.base}/mine", b""),
    ):
        worldly.store.unlink(missing_ok=True)
        ran = worldly("key", "refresh", "--from", given, "--json", stdin=stdin)
        assert (ran.status, ran.code) == (0, None), ran.err
        assert len(ran.json["sources"]) == 1
    assert sources.asked == ["/mine"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("http://127.0.0.1/key.asc", "KEY-SOURCE-NOT-HTTPS"),
        ("https://u:p@keys.example.org/", "KEY-SOURCE-NOT-HTTPS"),
        ("nowhere.asc", "KEY-FILE-MISSING"),
        ("-", "KEY-NOT-OPENPGP"),
    ],
)
def test_what_is_named_and_is_no_copy_is_refused_by_its_own_code(worldly, given, code):
    ran = worldly("key", "refresh", "--from", given)
    assert (ran.status, ran.code) == (11, code)


def test_history_tells_who_told_each_part_and_when(worldly, sources, renewed):
    assert "nothing is stored yet" in worldly("key", "history").out
    sources.pages[ALL[2]] = answer(renewed.read_bytes())
    worldly("key", "refresh")
    value = worldly("key", "history", "--json").json
    told = {part["source"] for part in value["parts"]}
    assert told == {"the copy that comes with certmail", "keys.openpgp.org"}
    assert [r["confirmed"] for r in value["refreshes"]] == [True]
    drawn = worldly("key", "history")
    assert (drawn.status, "keys.openpgp.org" in drawn.out) == (0, True)


def test_export_gives_the_united_key(worldly, tmp_path):
    ran = worldly("key", "export")
    copy = tmp_path / "out.asc"
    copy.write_text(ran.out)
    assert worldly("verify-key", copy, "--json").json["matches_pin"] is True
    assert worldly("key", "export", "--output", tmp_path / "new.asc").status == 0
    assert (tmp_path / "new.asc").read_text() == ran.out
    again = worldly("key", "export", "--output", tmp_path / "new.asc")
    assert (again.status, again.code) == (2, "OUTPUT-EXISTS")
    assert worldly("key", "export", "--json").json["key"] == ran.out


def test_a_damaged_store_stops_a_send_and_a_refresh_heals_it(worldly, sources, bundle, relay):
    sources.pages["/page"] = html(read_bundled())
    worldly("key", "refresh")
    value = json.loads(worldly.store.read_text())
    value["parts"].append(
        {"digest": "ab", "words": "revocation", "source": "x", "at": value["heard_at"]}
    )
    worldly.store.write_text(json.dumps(value))
    ran = worldly("send", bundle, "--yes", f"--accept-expired-key={PIN}", *relay.flags)
    assert (ran.status, ran.code) == (11, "KEY-STORE-DAMAGED")
    assert worldly("key", "show").code == "KEY-STORE-DAMAGED"
    healed = worldly("key", "refresh")
    assert "set aside" in healed.out
    assert worldly("key", "show", "--json").json["copies"][-1] == "the stored copy"


# Sending


def test_a_refreshed_key_is_sent_to_with_no_further_flag(worldly, bundle, relay, renewed):
    assert worldly("key", "refresh", "--from", renewed).status == 0
    ran = worldly("send", bundle, "--yes", "--json", *relay.flags)
    assert ran.status == 0, ran.err
    assert len(relay.mailbox.delivered) == 1
    assert ran.json["key"]["source"] == "the stored copy"
    assert [n["code"] for n in ran.json["key_notices"]] == ["KEY-NOT-REFRESHED"]
    assert ran.json["accepted_expired_key"] is None


def test_send_refreshes_by_itself_says_so_and_goes_on(worldly, sources, bundle, relay, renewed):
    sources.pages["/markdown"] = answer(renewed.read_bytes())
    ran = worldly("send", bundle, "--yes", *relay.flags)
    assert (ran.status, ran.code) == (0, None), ran.err
    assert "Looking for a newer copy" in ran.err
    assert "expires 2036-04-26" in ran.err
    asked = len(sources.asked)
    again = worldly("send", bundle, "--yes", "--again", *relay.flags)
    assert (again.status, len(sources.asked)) == (0, asked)
    assert "notice" not in again.err


def aged(worldly: Worldly, days: int) -> None:
    value = json.loads(worldly.store.read_text())
    value["heard_at"] = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    worldly.store.write_text(json.dumps(value))


def test_a_stored_copy_that_is_old_is_refreshed_before_a_send(
    worldly, sources, bundle, relay, renewed
):
    sources.pages["/page"] = answer(renewed.read_bytes())
    worldly("key", "refresh")
    asked = len(sources.asked)
    aged(worldly, 8)
    assert worldly("send", bundle, "--yes", "--again", *relay.flags).status == 0
    assert len(sources.asked) == 2 * asked
    aged(worldly, 8)
    sources.pages.clear()
    ran = worldly("send", bundle, "--yes", "--again", *relay.flags)
    assert (ran.status, "KEY-NOT-REFRESHED" in ran.err) == (0, True)
    strict = worldly("send", bundle, "--yes", "--again", "--require-fresh", *relay.flags)
    assert (strict.status, strict.code) == (11, "KEY-STALE")
    asked = len(sources.asked)
    for flags in (("--offline",), ("--key-refresh", "never"), ("--key-max-age-days", "9")):
        assert worldly("send", bundle, "--yes", "--again", *flags, *relay.flags).status == 0
    assert len(sources.asked) == asked
    assert len(relay.mailbox.delivered) == 5


def test_a_key_that_ends_soon_is_named_in_preview_and_receipt(worldly, bundle, relay, renewed):
    """The copy ends in 2036; somebody who wants to know it ten years ahead can."""
    for command in (("preview", bundle), ("send", bundle, "--yes", "--offline", *relay.flags)):
        ran = worldly(*command, "--key-file", renewed, "--key-warn-days", "730", "--json")
        assert ran.status == 0, ran.err
        ends = datetime(2036, 4, 26, tzinfo=UTC) - datetime.now(UTC) < timedelta(days=730)
        codes = [notice["code"] for notice in ran.json["key_notices"]]
        assert ("KEY-EXPIRES-SOON" in codes) is ends


def test_in_a_hostile_world_the_operator_reads_what_happened_and_the_two_ways_on(
    worldly, sources, bundle, relay, gpg, stranger
):
    from tests.conftest import exported

    hostile(sources, exported(gpg, stranger))
    ran = worldly("send", bundle, "--yes", *relay.flags)
    assert (ran.status, ran.code) == (11, "KEY-EXPIRED")
    assert relay.mailbox.sessions == 0
    told = " ".join(ran.err.split())
    for source in ("documentation page", "repository", "keys.openpgp.org", "Keybase"):
        assert source in told
    assert "(1) certmail key refresh --from FILE" in told
    assert "(2) confirm the fingerprint with Clever Cloud" in told
    as_json = worldly("send", bundle, "--yes", "--json", *relay.flags)
    assert "KEY-SOURCE-TIMEOUT" in as_json.json["why"]


def test_offline_asks_nobody_and_says_so(worldly, sources, bundle, relay):
    ran = worldly("send", bundle, "--yes", "--offline", *relay.flags)
    assert (ran.status, ran.code) == (11, "KEY-EXPIRED")
    assert "--offline was given" in " ".join(ran.err.split())
    assert sources.asked == []


def test_a_preview_asks_nobody(worldly, sources, bundle):
    for command in (("preview", bundle), ("send", bundle, "--dry-run")):
        assert worldly(*command).status == 0
    assert sources.asked == []


# An expired key, on the operator's word


def test_an_expired_key_is_accepted_with_its_whole_fingerprint_and_told_everywhere(
    worldly, bundle, relay
):
    ran = worldly(
        "send", bundle, "--yes", "--offline", "--json", f"--accept-expired-key={PIN}", *relay.flags
    )
    assert ran.status == 0, ran.err
    assert len(relay.mailbox.delivered) == 1
    assert ran.json["accepted_expired_key"]["expired"].startswith("2020-02-08")
    assert "expired on 2020-02-08" in ran.json["inside"]["text"]
    signed = datetime.fromisoformat(ran.json["signature"]["created"])
    assert abs(datetime.now(UTC) - signed) < timedelta(minutes=5)
    assert ran.json["outside"]["encrypted_to"][0]["key_id"] == "A922D5F4C62664A5"


def test_the_receipt_on_a_screen_says_it_too(worldly, bundle, relay):
    ran = worldly(
        "send", bundle, "--yes", "--offline", f"--accept-expired-key={PIN.lower()}", *relay.flags
    )
    assert (ran.status, "KEY-EXPIRED-ACCEPTED" in ran.err) == (0, True)


@pytest.mark.parametrize(
    ("flag", "status", "code"),
    [
        ("--accept-expired-key", 2, "ACCEPT-NOBODY"),
        (f"--accept-expired-key={PIN[-8:]}", 11, "ACCEPT-FINGERPRINT"),
        (f"--accept-expired-key={PIN[:-3]}70F", 11, "ACCEPT-FINGERPRINT"),
        ("--accept-expired-key=", 11, "ACCEPT-FINGERPRINT"),
    ],
)
def test_anything_less_is_not_the_operators_word(worldly, bundle, relay, flag, status, code):
    ran = worldly("send", flag, bundle, "--yes", "--offline", *relay.flags)
    assert (ran.status, ran.code) == (status, code)
    assert relay.mailbox.sessions == 0


def test_the_word_is_no_setting_and_goes_with_send_alone(worldly, bundle, tmp_path):
    worldly.extra = {"CERTMAIL_ACCEPT_EXPIRED_KEY": PIN}
    assert worldly("config").status == 16
    worldly.extra = {}
    settings = tmp_path / "c.toml"
    settings.write_text(f'[key]\naccept_expired = "{PIN}"\n')
    settings.chmod(0o600)
    assert worldly("--config", settings, "config").status == 16
    assert worldly("preview", bundle, f"--accept-expired-key={PIN}").status == 2
    assert worldly("send", "--sealed", "x.eml", f"--accept-expired-key={PIN}").status == 2


def test_a_wrong_fingerprint_is_refused_also_when_none_is_needed(worldly, bundle, relay, renewed):
    flags = ("--key-file", renewed, "--yes", "--offline", *relay.flags)
    ran = worldly("send", bundle, f"--accept-expired-key={'0' * 40}", *flags)
    assert (ran.status, ran.code) == (11, "ACCEPT-FINGERPRINT")
    assert worldly("send", bundle, f"--accept-expired-key={PIN}", *flags).status == 0


@pytest.mark.parametrize("typed", ["5278460F", "5278470F"])
def test_on_a_terminal_the_last_digits_are_typed(user, bundle, relay, typed):
    terminal = Terminal(user, "send", bundle, "--offline", "--accept-expired-key", *relay.flags)
    asked = b"type the last 8 digits"
    assert asked in terminal.until(asked), terminal.seen
    assert b"0394 3517" in terminal.seen
    terminal.type(typed.encode() + b"\n")
    if typed == PIN[-8:]:
        terminal.until(b"Send it now?")
        assert b"used on your word" in terminal.seen
        terminal.type(b"y\n")
        assert terminal.end() == 0
        assert len(relay.mailbox.delivered) == 1
    else:
        assert terminal.end() == 11
        assert b"ACCEPT-FINGERPRINT" in terminal.seen
        assert relay.mailbox.sessions == 0


def test_no_output_of_these_commands_is_a_traceback_or_a_bug(worldly):
    """Read-only homes and odd words included."""
    for arguments in (
        ("key",),
        ("key", "refresh", "--from", ""),
        ("key", "refresh", "--from", "https://"),
        ("key", "refresh", "--from", "\u202e://x"),
        ("key", "export", "--output", "/nowhere/x"),
        ("verify-key", "--fingerprint", ""),
    ):
        ran = worldly(*arguments)
        assert ran.status in {0, 2, 11}, ran.err
        assert re.search("Traceback|BUG", ran.err) is None


def test_a_send_goes_on_where_nothing_can_be_stored(worldly, sources, bundle, relay):
    """What was learnt is used in this run, and the notice says that it will be forgotten."""
    sources.pages["/page"] = html(read_bundled())
    (worldly.home / ".local").mkdir()
    (worldly.home / ".local" / "share").write_text("in the way")
    ran = worldly("send", bundle, "--yes", "--json", f"--accept-expired-key={PIN}", *relay.flags)
    assert ran.status == 0, ran.err
    assert "KEY-STORE-UNWRITABLE" in [n["code"] for n in ran.json["key_notices"]]
    assert worldly("key", "refresh").code == "KEY-STORE-UNWRITABLE"


# A revoked key: the pinned one is not ours to revoke, so its refusal comes from a stand-in.


@dataclass
class RevokedBench:
    """A workbench whose every copy says that the key is revoked."""

    at: datetime
    asked: int = 0

    def keys_at_hand(self):
        return None

    def identify(self, at_hand):
        self.asked += 1
        raise KeyRefused("KEY-REVOKED", "the key is revoked", why="its owner says so", next="wait")


@pytest.mark.parametrize("word", [None, PIN, "ask"])
def test_a_revoked_key_is_accepted_by_nothing(at, word):
    from certmail.cli.key_for_send import key_for_send

    bench = RevokedBench(at)
    parameters = {"accept_expired_key": word, "offline": False, "as_json": False}
    with pytest.raises(KeyRefused) as caught:
        key_for_send(bench, parameters)
    assert (caught.value.code, bench.asked) == ("KEY-REVOKED", 1)
