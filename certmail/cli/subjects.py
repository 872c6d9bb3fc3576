"""What each option is about, and what each command is for: the order of every help text.

Data, and how to look in it. An option is told by its parameter's name, so that the same option
stands under the same subject in every command.
"""

from __future__ import annotations

from typing import Final

OTHER: Final = "Other"

_SUBJECTS: Final = (
    ("The bundle", ("sealed", "key", "cert", "chains", "lineage", "passphrase_command")),
    ("The bundle", ("chain_from", "aia", "repair")),
    ("What is checked", ("domains", "moment", "warn_days", "strict", "trust", "revocation")),
    ("What is checked", ("blocklist", "replaces", "bundle", "fingerprint", "days", "head")),
    ("What is shown", ("outcome", "host", "since", "everything")),
    ("What is meant", ("accepted",)),
    ("The request", ("note", "set_request_")),
    ("How deep to look", ("no_network", "login", "envelope", "deadline")),
    ("Who signs", ("set_sender_", "make_key", "no_passphrase")),
    ("The recipient's key", ("given", "set_key_", "offline", "require_fresh")),
    ("The recipient's key", ("accept_expired_key",)),
    ("The relay", ("provider", "discover", "set_relay_", "password_stdin", "token_stdin")),
    ("Delivery", ("dry_run", "wait", "connections", "again", "resend_unknown")),
    ("Delivery", ("first_pause", "now")),
    ("GnuPG", ("set_gnupg_",)),
    ("Consent", ("yes", "skip")),
    ("Output", ("output", "html", "export", "in_place", "backup", "key_format")),
    (
        "Output",
        ("opens", "as_json", "quiet", "verbose", "verbosity", "colour", "color", "no_color"),
    ),
    (OTHER, ("settings_file", "timeout_s", "debug", "version", "help", "_click_default_help")),
)
"""Subject and parameters; what ends in ``_`` stands for all that begin so."""

TITLES: Final = tuple(dict.fromkeys(title for title, _ in _SUBJECTS))

_PURPOSES: Final = (
    (
        "Before sending",
        ("rehearse", "doctor", "check", "bundle", "inspect", "acme-test", "preview"),
    ),
    ("Sending", ("upload", "send", "outbox")),
    ("The recipient's key", ("key", "verify-key")),
    ("Afterwards", ("log", "due")),
    ("The set-up", ("setup", "config", "secret", "relay", "completion", "explain")),
)

COMMANDS: Final = "Commands"


def subject_of(parameter: str) -> str:
    """Give the subject of an option; what nobody has placed is ``Other``."""
    for title, names in _SUBJECTS:
        if any(
            parameter == name or (name.endswith("_") and parameter.startswith(name))
            for name in names
        ):
            return title
    return OTHER


def is_placed(parameter: str) -> bool:
    """Tell whether somebody has said what an option is about."""
    return subject_of(parameter) != OTHER or parameter in dict(_SUBJECTS)[OTHER]


def purposes(group: str, names: tuple[str, ...]) -> list[tuple[str, list[str]]]:
    """Sort the commands of the program by what they are for; those of a group stay together."""
    if group:
        return [(COMMANDS, list(names))]
    sorts = [(purpose, [n for n in members if n in names]) for purpose, members in _PURPOSES]
    placed = {name for _, members in sorts for name in members}
    rest = [name for name in names if name not in placed]
    return [(purpose, members) for purpose, members in (*sorts, ("More", rest)) if members]
