"""Start and end of every command: groups them, catches what they raise, gives the exit status.

The only place where an exception becomes text. A `CertmailError` is drawn in full; anything else
is a bug of ours, and its own text is withheld, since it may quote the bundle.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from certmail import __version__
from certmail.cli.command import Places, Program
from certmail.cli.hardening import harden
from certmail.errors import CertmailError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from certmail.cli.keys_at_hand import World

INTERRUPTED: Final = 130
"""128 + SIGINT, as shells expect."""

TERMINATED: Final = 143
"""128 + SIGTERM."""

BUG: Final = 1
LOST: Final = 22

_OUTPUT_FAULTS: Final[frozenset[int]] = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
)
"""What a write to a full disk, a quota, a failing disk and a size limit ends with."""

_COMMANDS: Final = (
    ("setup", "setup_command:setup", "Set up sender, key, relay and password, and test them."),
    ("verify-key", "key_commands:verify_key", "Tell whether a key is the pinned one, and usable."),
    ("key", "key_group:key", "Look at the recipient's key, and for newer copies of it."),
    ("check", "bundle_commands:check", "Tell whether the provider would take a bundle."),
    ("bundle", "bundle_command:bundle", "Make the one canonical bundle of a file or of parts."),
    ("inspect", "inspect_command:inspect", "Show what a server serves now, and what would change."),
    ("acme-test", "acme_command:acme_test", "Test whether Let's Encrypt can do it without you."),
    ("upload", "upload_command:upload", "Tell what to paste into the provider's form."),
    ("preview", "send_commands:preview", "Show what would be sent, and who could read it."),
    ("send", "send_commands:send", "Check, sign, encrypt and send a bundle."),
    ("outbox", "outbox_command:outbox", "Show, retry and drop what was sealed and not settled."),
    ("log", "log_command:log", "Show what was handed over."),
    ("due", "log_command:due", "List certificates that end soon."),
    ("secret", "secret_command:secret", "Keep the relay's password or token, and try it."),
    ("relay", "relay_command:relay", "Show and accept how relays are spoken to."),
    ("rehearse", "rehearse_command:rehearse", "Run the whole job on a throw-away set-up."),
    ("config", "config_command:config", "Show each setting and where it came from."),
    ("doctor", "doctor_command:doctor", "Look at everything a send would need."),
    (
        "completion",
        "completion_command:completion",
        "Print the script that completes words in a shell.",
    ),
    ("explain", "explain_command:explain", "Explain a code or an exit status."),
)
"""Every command, in the order of use, where it is, and what it does.

A run loads the one that was typed, and the list of all of them loads none."""


@click.group(
    cls=Program,
    commands=Places(_COMMANDS),
    short_help="Hand a TLS private key to Clever Cloud by mail, or refuse.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="certmail %(version)s")
@click.option(
    "--config",
    "settings_file",
    type=click.Path(),
    metavar="FILE",
    help="Read this settings file instead of the usual one.",
)
@click.pass_context
def certmail(context: click.Context, settings_file: str | None) -> None:
    """Hand a TLS private key to Clever Cloud by signed and encrypted mail, or refuse.

    It verifies the provider's pinned OpenPGP key, checks the PEM bundle, seals it with GnuPG, and
    submits it over verified TLS. No flag, file or variable changes the recipient or turns a
    refusal off.
    """
    context.obj = {**(context.obj or {}), "settings_file": settings_file}


def run(arguments: Sequence[str], *, world: World | None = None) -> int:
    """Run one command line; give its exit status.

    ``world`` names other places to look for keys than the real ones: for a program that calls this
    one. No flag, file or variable does.
    """
    signal.signal(signal.SIGTERM, _terminate)
    harden()
    as_json = _wants_json(arguments)
    status: int
    try:
        ended = certmail.main(
            args=list(arguments), prog_name="certmail", standalone_mode=False, obj={"world": world}
        )
        sys.stdout.flush()
        status = ended if isinstance(ended, int) else 0
    except CertmailError as error:
        status = _report(error, as_json=as_json)
    except click.exceptions.Exit as end:
        status = end.exit_code
    except click.ClickException as error:
        if as_json:
            _report_as_json(_usage(error))
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        if as_json:
            _report_as_json(_Interrupted())
        sys.stderr.write("\ncertmail: interrupted; nothing more is done\n")
        status = INTERRUPTED
    except SystemExit as end:
        # click ends so where the reader of a pipe has left, as ``head`` does: nothing is said.
        if end.code != 1:
            raise
        status = LOST
    except Exception as fault:  # noqa: BLE001 - the last line of defence
        status = _report_fault(fault, debug="--debug" in arguments, as_json=as_json)
    return status


def _wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether JSON was asked for, also where the rest of the line makes no sense."""
    words = list(arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def _usage(error: click.ClickException) -> UsageError:
    """Give what is wrong with the command line as one of our own errors."""
    from certmail.values import printable

    context = getattr(error, "ctx", None)
    return UsageError(
        "USAGE",
        printable(error.format_message(), limit=400).removesuffix("."),
        why="the command line cannot be read as it stands",
        next=f"{context.command_path if context else 'certmail'} --help",
    )


class _Bug(CertmailError):
    """Certmail itself has failed."""

    exit_status = BUG

    def __init__(self, kind: str) -> None:
        super().__init__(
            "BUG",
            f"certmail itself has failed ({kind})",
            why="this should not happen, whatever the input",
            next="run the command again with --debug and report what it shows; attach no bundle",
        )


class _OutputLost(CertmailError):
    """What was to be shown could not be written; what was done until then, was done."""

    exit_status = LOST

    def __init__(self, reason: str) -> None:
        super().__init__(
            "OUTPUT-LOST",
            f"what certmail prints cannot be written ({reason})",
            why="what was done until then is done; what was accepted stands in the log",
            next="certmail outbox list, and certmail log",
        )


class _Interrupted(CertmailError):
    """Somebody pressed Ctrl-C, or said no."""

    exit_status = INTERRUPTED

    def __init__(self) -> None:
        super().__init__(
            "INTERRUPTED",
            "interrupted, or answered with no; nothing more is done",
            why="a step that was not taken is not taken later by itself",
            next="certmail outbox list shows whether a message was kept or offered before",
        )


def _report(error: CertmailError, *, as_json: bool) -> int:
    from certmail.cli.draw import echo_error

    if as_json:
        _report_as_json(error)
    echo_error(error)
    return error.exit_status


def _report_as_json(error: CertmailError) -> None:
    from certmail.cli.json_output import echo_json, whole_error

    echo_json("certmail.error/1", **whole_error(error))


def _report_fault(fault: Exception, *, debug: bool, as_json: bool) -> int:
    """Tell a standard stream that failed (of a file, the name would be told) from a bug."""
    reason = fault.errno if isinstance(fault, OSError) and fault.filename is None else None
    if reason is not None and reason in _OUTPUT_FAULTS:
        # What is still held back would be written once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        with suppress(OSError):
            _say_plainly(_OutputLost(os.strerror(reason)))
        return LOST
    return _report_bug(fault, debug=debug, as_json=as_json)


def _say_plainly(error: CertmailError) -> None:
    """Write an error without anything that might fail as well."""
    sys.stderr.write(
        f"certmail: error[{error.code}]: {error.what}\n  why:  {error.why}\n  next: {error.next}\n"
    )


def _report_bug(bug: BaseException, *, debug: bool, as_json: bool) -> int:
    """Name the place and the kind of a bug, and never its text."""
    told = _Bug(type(bug).__name__)
    if as_json:
        _report_as_json(told)
    _say_plainly(told)
    if debug:
        # The text of a foreign exception is withheld: it may quote the private key.
        seen: BaseException | None = bug
        while seen is not None:
            sys.stderr.write(f"  {type(seen).__module__}.{type(seen).__name__}, text withheld\n")
            trace = seen.__traceback__
            while trace is not None:
                code = trace.tb_frame.f_code
                sys.stderr.write(f"    {code.co_filename}:{trace.tb_lineno} {code.co_qualname}\n")
                trace = trace.tb_next
            seen = seen.__cause__ or seen.__context__
    return BUG


def _terminate(number: int, frame: FrameType | None) -> None:
    """Unwind on SIGTERM, so that agents end and throw-away homes are removed."""
    del number, frame
    sys.exit(TERMINATED)
