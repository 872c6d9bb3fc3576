"""What help and man pages say about each command beside its options: examples, statuses, files.

Data alone. Every example is run by a test, in a folder with a good ``bundle.pem``; so an example
is a promise. Pages are found by the command's words, as somebody types them.
"""

from __future__ import annotations

from typing import Final

from certmail.frozen import frozen

FIRST_SCREEN: Final = """\
certmail hands a TLS private key to Clever Cloud by signed and encrypted mail,
or refuses.

First steps:
  certmail rehearse                 the whole job, on a throw-away set-up
  certmail setup                    address, key, relay, password: step by step
  certmail doctor                   is everything here that a send needs?
  certmail key refresh              look for the newest copy of the key

Then:
  certmail acme-test DOMAIN         could Let's Encrypt do it, with no bundle?
  certmail check bundle.pem         would the provider take this bundle?
  certmail bundle --lineage DIR     make a bundle of certbot's files
  certmail upload bundle.pem        what to paste into the form, the better way
  certmail preview bundle.pem       what would be sent, and who could read it?
  certmail send bundle.pem          show it, ask, and send it

Afterwards:
  certmail log                      what was handed over
  certmail due                      which certificates end soon

All commands: certmail --help      One of them: certmail COMMAND --help"""


@frozen
class Example:
    """One command line, and what it is for."""

    line: str
    purpose: str


@frozen
class Page:
    """What is said about one command. ``see_also`` names other commands, and documents."""

    examples: tuple[Example, ...] = ()
    statuses: tuple[tuple[int, str], ...] = ()
    see_also: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


STATUSES: Final = {
    0: "done",
    1: "a bug of certmail; nothing is sent",
    2: "the command line cannot be done as asked",
    10: "the bundle has errors",
    11: "the recipient's key is refused, or cannot be used today",
    12: "signing, encrypting or proving did not hold",
    13: "the relay refused for good; nothing was accepted",
    14: "handed over, and no verdict came back: do not resend blindly",
    15: "the relay's password could not be had",
    16: "a setting is unknown, malformed or missing",
    17: "the state folder or the log cannot be used; nothing is sent",
    18: "the relay refused for now; the message waits in the outbox",
    19: "not sent: no relay was reached that is safe to use; it waits in the outbox",
    20: "certificates end soon",
    21: "Let's Encrypt, as the provider runs it, cannot work for the domain",
    22: "what certmail prints could not be written; what came of a message stands in the log",
    130: "interrupted",
    143: "terminated",
}
"""What the exit statuses mean wherever nothing more precise is said."""


def _statuses(*numbers: int, done: str = "") -> tuple[tuple[int, str], ...]:
    return tuple((number, done if done and number == 0 else STATUSES[number]) for number in numbers)


_VERIFY_KEY: Final = Page(
    (
        Example("certmail verify-key", "judge the copy that comes with certmail"),
        Example("certmail verify-key clever-cloud.asc", "judge a copy that you were given"),
        Example(
            "certmail verify-key --fingerprint '0394 3517 934C 1FA5 ED4E 2F61 218B 86BD 5278 460F'",
            "compare a fingerprint from a letter with the pin",
        ),
    ),
    _statuses(0, 11, done="the key is the pinned one, and can be encrypted to today"),
    ("key show", "key refresh", "docs/key.md"),
)

_PAGES: Final = {
    "": Page(
        (
            Example("certmail rehearse", "the whole job, on a throw-away set-up"),
            Example("certmail check bundle.pem", "would the provider take this bundle?"),
            Example("certmail preview bundle.pem", "what would be sent, and who could read it?"),
            Example("certmail send bundle.pem", "sign, encrypt and send it"),
        ),
        tuple(STATUSES.items()),
        ("doctor", "explain"),
        (
            ("~/.config/certmail/config.toml", "the settings; `certmail config` shows the place"),
            ("~/.local/state/certmail/", "outbox, log, copies of the key, records"),
        ),
    ),
    "setup": Page(
        (
            Example("certmail setup", "step by step, at a terminal; run it again to go on"),
            Example(
                "certmail setup --from ops@example.org --provider fastmail",
                "with two of the answers given",
            ),
            Example("certmail setup --discover", "ask the DNS for the mail domain's relay"),
        ),
        _statuses(0, 2, 10, 11, 12, 13, 15, 16, 130, done="a send would find what it needs"),
        ("doctor", "config", "docs/setup.md", "docs/settings.md"),
        (("~/.config/certmail/config.toml", "what was answered; `certmail config` shows it"),),
    ),
    "verify-key": _VERIFY_KEY,
    "key verify": _VERIFY_KEY,
    "key": Page(
        (
            Example("certmail key show", "the best copy, and how long it lives"),
            Example("certmail key refresh", "look for a newer copy"),
        ),
        see_also=("verify-key", "docs/key.md"),
    ),
    "key show": Page(
        (
            Example("certmail key show", "the best copy of all that are here"),
            Example("certmail key show --json", "the same, for a script"),
        ),
        _statuses(0, 11, done="the key can be encrypted to today"),
        ("key refresh", "key history"),
    ),
    "key refresh": Page(
        (
            Example("certmail key refresh", "ask every usual place"),
            Example("certmail key refresh --from clever-cloud.asc", "take a copy from a file"),
        ),
        _statuses(0, 11, done="the key was found, and can be encrypted to today"),
        ("key show", "key history", "docs/key.md"),
    ),
    "key export": Page(
        (
            Example("certmail key export", "print the best copy"),
            Example("certmail key export --output newest.asc", "write it to a new file"),
        ),
        see_also=("key show",),
    ),
    "key history": Page(
        (
            Example("certmail key history", "where each part of the key came from"),
            Example("certmail key history --json", "the same, for a script"),
        ),
        see_also=("key show", "key refresh"),
    ),
    "check": Page(
        (
            Example("certmail check bundle.pem", "is this bundle good to send?"),
            Example(
                "certmail check bundle.pem --domain www.example.org --trust system",
                "does it cover the name, and end in a root that this system trusts?",
            ),
            Example("certmail check bundles/*.pem --warn-days 30 --strict", "many; warnings count"),
            Example("certmail check bundle.pem --at 2026-12-24 --json", "on another day, as JSON"),
        ),
        _statuses(0, 10, done="every bundle is good to send"),
        ("bundle", "inspect", "docs/check.md"),
    ),
    "bundle": Page(
        (
            Example("certmail bundle bundle.pem", "say what would be changed, and write nothing"),
            Example("certmail bundle bundle.pem --output new.pem", "write the mended bundle"),
            Example(
                "certmail bundle --lineage /etc/letsencrypt/live/example.org",
                "would certbot's files make a bundle?",
            ),
            Example(
                "certmail bundle --key privkey.pem --cert fullchain.pem --output x.pem",
                "put one together from its parts",
            ),
        ),
        _statuses(0, 10, done="the bundle is good, or can be made good"),
        ("check", "docs/bundle.md"),
    ),
    "inspect": Page(
        (
            Example("certmail inspect example.org", "what does this server show now?"),
            Example(
                "certmail inspect example.org --bundle bundle.pem",
                "what would change if it had this bundle?",
            ),
        ),
        see_also=("check", "docs/check.md"),
    ),
    "acme-test": Page(
        (
            Example("certmail acme-test www.example.org", "can Let's Encrypt reach this domain?"),
            Example("certmail acme-test www.example.org --json", "the same, for a script"),
        ),
        _statuses(0, 2, 21, done="Let's Encrypt can reach the domain; no bundle is needed"),
        ("upload", "docs/acme.md"),
    ),
    "upload": Page(
        (
            Example("certmail upload bundle.pem", "check it, and tell what to paste where"),
            Example(
                "certmail upload --lineage /etc/letsencrypt/live/example.org",
                "the same, where the bundle has to be put together first",
            ),
            Example("certmail upload bundle.pem --json", "the same, for a script"),
        ),
        _statuses(0, 2, 10, done="the form takes the bundle"),
        ("check", "bundle", "acme-test", "docs/upload.md"),
    ),
    "preview": Page(
        (
            Example("certmail preview bundle.pem", "see both readers' views; nothing is sent"),
            Example(
                "certmail preview bundle.pem --output sealed.eml",
                "keep the sealed message, to send precisely those bytes later",
            ),
            Example(
                "certmail preview bundle.pem --html approve.html",
                "write a page for the colleague who must approve",
            ),
        ),
        _statuses(0, 10, 11, 12, done="this is what would be sent"),
        ("send", "check", "docs/preview-page.md"),
    ),
    "send": Page(
        (
            Example("certmail send bundle.pem", "show everything, ask, and send"),
            Example("certmail send bundle.pem --dry-run", "show everything, and stop there"),
            Example("certmail send --sealed sealed.eml", "send what a preview has kept"),
            Example(
                "certmail send bundle.pem --yes --wait 3600 --json",
                "for a script: do not ask, and try for an hour",
            ),
        ),
        _statuses(
            *(0, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 130), done="the relay has accepted it"
        ),
        ("upload", "preview", "outbox", "log", "docs/delivery.md"),
    ),
    "outbox": Page(
        (
            Example("certmail outbox list", "what was sealed, and what became of it"),
            Example("certmail outbox retry", "offer what waits once more"),
        ),
        see_also=("send", "log"),
    ),
    "outbox list": Page(
        (
            Example("certmail outbox list", "what is kept"),
            Example("certmail outbox list --all --json", "also what was dropped, for a script"),
        ),
        see_also=("outbox show",),
    ),
    "outbox show": Page(
        (
            Example("certmail outbox show 3f2a9c", "one message, and what to do about it"),
            Example("certmail outbox show 3f2a9c --json", "the same, for a script"),
        ),
        see_also=("outbox retry", "outbox drop"),
    ),
    "outbox retry": Page(
        (
            Example("certmail outbox retry", "everything that is due"),
            Example("certmail outbox retry 3f2a9c --now", "one message, at once"),
        ),
        _statuses(
            *(0, 11, 13, 14, 15, 16, 17, 18, 19), done="nothing is left, or all was accepted"
        ),
        ("outbox list", "docs/delivery.md"),
    ),
    "outbox drop": Page(
        (
            Example("certmail outbox drop 3f2a9c --yes", "forget the bytes of one message"),
            Example("certmail outbox drop --accepted --yes", "forget those that were accepted"),
        ),
        see_also=("outbox list", "log"),
    ),
    "outbox export": Page(
        (
            Example(
                "certmail outbox export 3f2a9c sealed.eml", "keep the sealed bytes in a new file"
            ),
            Example("certmail outbox export 3f2a9c ~/evidence.eml", "keep them in another folder"),
        ),
        see_also=("outbox show",),
    ),
    "log": Page(
        (
            Example("certmail log", "everything that was handed over"),
            Example("certmail log --name www.example.org --since 2026-01-31", "of one name"),
            Example("certmail log --export", "the lines as they are kept"),
        ),
        see_also=("log verify", "due"),
    ),
    "log verify": Page(
        (
            Example("certmail log verify", "was a line changed or taken out?"),
            Example("certmail log verify --json", "the same, for a script"),
        ),
        _statuses(0, 17, done="the chain holds"),
        ("log",),
    ),
    "due": Page(
        (
            Example("certmail due", "what ends within 30 days"),
            Example("certmail due --days 60 --json", "further ahead, for a script"),
        ),
        _statuses(0, 17, 20, done="nothing ends soon"),
        ("log",),
    ),
    "relay": Page(
        (
            Example("certmail relay list", "what worked with each relay"),
            Example("certmail relay accept smtp.example.org", "take a weaker offer knowingly"),
        ),
        see_also=("docs/delivery.md",),
    ),
    "relay list": Page(
        (
            Example("certmail relay list", "what worked with each relay"),
            Example("certmail relay list --json", "the same, for a script"),
        ),
        see_also=("relay accept",),
    ),
    "relay accept": Page(
        (
            Example("certmail relay accept smtp.example.org", "take its next offer, after asking"),
            Example("certmail relay accept smtp.example.org --yes", "the same, without asking"),
        ),
        see_also=("relay list", "docs/delivery.md"),
    ),
    "secret": Page(
        (
            Example("certmail secret set", "type it unseen; it is tried, then kept"),
            Example("certmail secret test", "where it comes from, and whether it is taken"),
        ),
        see_also=("relay", "config", "docs/secrets.md"),
    ),
    "secret set": Page(
        (
            Example("certmail secret set", "type it unseen; it is tried, then kept"),
            Example(
                "certmail secret set --password-stdin < password", "take it from a pipe or file"
            ),
        ),
        _statuses(0, 2, 13, 15, 16, done="the relay took it, and the keyring keeps it"),
        ("secret test", "secret forget", "docs/secrets.md"),
    ),
    "secret test": Page(
        (
            Example("certmail secret test", "where it comes from, and whether it is taken"),
            Example("certmail secret test --json", "the same, for a script"),
        ),
        _statuses(0, 2, 13, 15, 16, done="the relay takes it"),
        ("secret set", "doctor", "docs/secrets.md"),
    ),
    "secret forget": Page(
        (
            Example("certmail secret forget", "remove it from the keyring"),
            Example(
                "certmail secret forget --relay-host old.example.org",
                "the one of a relay you have left",
            ),
        ),
        _statuses(0, 2, 15, 16, done="it is removed"),
        ("secret set", "docs/secrets.md"),
    ),
    "rehearse": Page(
        (
            Example("certmail rehearse", "with a bundle made for the purpose"),
            Example("certmail rehearse bundle.pem", "with your own bundle, which stays here"),
        ),
        _statuses(0, done="the bundle arrived byte for byte, and all was refused that must be"),
        ("send", "doctor"),
    ),
    "config": Page(
        (
            Example("certmail config", "each setting, and where it came from"),
            Example("certmail config --json", "the same, for a script"),
        ),
        _statuses(0, 16),
        ("doctor", "docs/settings.md"),
    ),
    "completion": Page(
        (
            Example("certmail completion bash", "print the script"),
            Example('eval "$(certmail completion bash)"', "try it in this shell; zsh as well"),
            Example("certmail completion fish | source", "try it in fish"),
        ),
        see_also=("explain",),
    ),
    "doctor": Page(
        (
            Example("certmail doctor", "look at everything a send would need"),
            Example("certmail doctor --login", "see whether the password works, too"),
            Example("certmail doctor --offline --json", "without the network, for a script"),
        ),
        see_also=("config", "explain", "docs/doctor.md"),
    ),
    "explain": Page(
        (
            Example("certmail explain KEY-EXPIRED", "what a code means, and what to do"),
            Example("certmail explain", "every code there is"),
        ),
        see_also=("docs/errors.md",),
    ),
}


def page(words: str) -> Page:
    """Give what is written about a command; an empty page where there is nothing."""
    return _PAGES.get(words, Page())
