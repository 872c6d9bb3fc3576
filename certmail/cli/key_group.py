"""``certmail key``: look at the best copy of the key, renew it, keep it, and tell how it came."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import key_commands, options, plain_options
from certmail.cli.command import Group
from certmail.cli.json_output import echo_json
from certmail.cli.loudness import is_hushed

if TYPE_CHECKING:
    from certmail.cli.keys_at_hand import KeysAtHand, Refreshed
    from certmail.cli.wiring import Workbench
    from certmail.errors import KeyRefused
    from certmail.key.pin import KeyReport
    from certmail.key.renew.life import Notice
    from certmail.keysources.places import Source

_SETTINGS: Final = (*options.KEY, *options.KEY_WARNING, *options.GNUPG)
_MAX_OCTETS: Final = 2 * 2**20


@click.group(cls=Group)
def key() -> None:
    """Look at the recipient's key, look for newer copies of it, and tell where it came from.

    Only Clever Cloud's pinned key counts, whatever brings it: a newer copy is believed for its own
    signatures, and a revocation once seen is never forgotten.
    """


key.add_command(key_commands.verify_key, "verify")


@key.command(short_help="Show the best copy of the key and its life.")
@plain_options.json_option
@options.with_settings(*_SETTINGS)
@click.pass_obj
def show(common: dict[str, Any], /, as_json: bool, **parameters: Any) -> int:  # noqa: FBT001 - click's flag
    """Show the best copy of the key: united from all that are here, with its time line.

    Nobody is asked. Ends with 11 when the key is refused or cannot be encrypted to today.
    """
    bench = _bench(common, parameters)
    at_hand = bench.keys_at_hand()
    report = at_hand.examine(gpg=bench.gpg, env=bench.env, at=bench.at)
    notices = _notices(bench, at_hand, report)
    if as_json:
        from certmail.cli.key_screens import shown_as_json

        echo_json("certmail.key-show/1", **shown_as_json(at_hand, report, notices))
    else:
        from certmail.cli.key_screens import draw_shown

        draw_shown(at_hand, report, notices)
    return _verdict(report, as_json=as_json)


@key.command("refresh", short_help="Look for a newer copy of the key.")
@click.option(
    "--from",
    "given",
    multiple=True,
    metavar="FILE|URL|-",
    help="Take a copy from here instead of asking the usual places; may be given several times.",
)
@plain_options.json_option
@options.with_settings(*_SETTINGS)
@click.pass_obj
def refresh_key(
    common: dict[str, Any],
    /,
    given: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - click's flag
    **parameters: Any,
) -> int:
    """Ask every place where a copy of the key may lie, and keep what the key itself has said.

    Asked are Clever Cloud's documentation (page and repository), keys.openpgp.org, the Web Key
    Directory, Keybase and a key server, over https only. Whatever they send, only statements signed
    by the pinned key are taken, and none that is known is lost. The copy that comes with certmail
    is not written to.
    """
    from certmail.cli.key_for_send import refresh_aloud
    from certmail.cli.keys_at_hand import sources_of

    bench = _bench(common, parameters)
    sources, bodies = _given(given) if given else (sources_of(bench.world), ())
    done = refresh_aloud(bench, sources, given=bodies)
    if done.unsaved is not None:
        raise done.unsaved
    if not any(heard.known for heard in done.heard):
        raise _refresh_failed(done, told=not is_hushed())
    report = done.now.examine(gpg=bench.gpg, env=bench.env, at=bench.at)
    if as_json:
        from certmail.cli.key_screens import refreshed_as_json

        echo_json("certmail.key-refresh/1", **refreshed_as_json(done, report))
    else:
        from certmail.cli.key_screens import draw_refreshed

        draw_refreshed(done, report)
    return _verdict(report, as_json=as_json)


@key.command(short_help="Write the best copy of the key as text.")
@click.option("--output", metavar="FILE", help="Write to this new file instead of the screen.")
@plain_options.json_option
@options.with_settings(*options.KEY, *options.GNUPG)
@click.pass_obj
def export(
    common: dict[str, Any],
    /,
    output: str | None,
    as_json: bool,  # noqa: FBT001 - click's flag
    **parameters: Any,
) -> int:
    """Write the best copy of the key, revocations included, as an armored key block."""
    from certmail.key import armor

    bench = _bench(common, parameters)
    at_hand = bench.keys_at_hand()
    block = armor.encode("PGP PUBLIC KEY BLOCK", at_hand.known.packets())
    if output is not None:
        _write_new(output, block)
    if as_json:
        echo_json(
            "certmail.key-export/1",
            fingerprint=at_hand.known.fingerprint.text,
            source=at_hand.source(at=bench.at),
            file=output,
            key=block.decode("ascii"),
        )
    elif output is None:
        click.echo(block.decode("ascii"), nl=False)
    else:
        click.echo(f"written to {output}")
    return 0


@key.command(short_help="Tell where each part of the key came from, and when.")
@plain_options.json_option
def history(as_json: bool) -> int:  # noqa: FBT001 - click's flag
    """Tell where and when each statement of the stored key was first heard, and of each refresh."""
    from certmail.cli.key_screens import draw_history, history_as_json
    from certmail.cli.keys_at_hand import keystore

    store = keystore()
    stored = store.read()
    if as_json:
        echo_json("certmail.key-history/1", **history_as_json(stored, path=str(store.path)))
    else:
        draw_history(stored, path=str(store.path))
    return 0


def _write_new(path: str, block: bytes) -> None:
    from pathlib import Path

    from certmail.errors import UsageError
    from certmail.values import printable

    shown = printable(path, limit=400)
    try:
        with Path(path).open("xb") as out:
            out.write(block)
    except FileExistsError:
        raise UsageError(
            "OUTPUT-EXISTS",
            f"{shown} exists already",
            why="no file is ever overwritten",
            next="give another name, or remove the file first",
            file=shown,
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(
            "OUTPUT-UNWRITABLE",
            f"{shown} cannot be written: {getattr(error, 'strerror', None) or 'no such path'}",
            why="the copy of the key was to be written there",
            next="give a path in a folder that you can write to",
            file=shown,
        ) from None


def _bench(common: dict[str, Any], parameters: dict[str, Any]) -> Workbench:
    from certmail.cli.wiring import workbench

    return workbench(common, options.flags_of(parameters, *_SETTINGS))


def _given(words: tuple[str, ...]) -> tuple[tuple[Source, ...], tuple[tuple[Source, bytes], ...]]:
    """Part what the operator typed into addresses to ask and octets that are here."""
    from certmail.key.armor import MAX_KEY_BYTES
    from certmail.key.bundled import read_key_file
    from certmail.key.renew.blocks import too_large
    from certmail.keysources.places import Source

    sources: list[Source] = []
    bodies: list[tuple[Source, bytes]] = []
    for word in words:
        if word == "-":
            bodies.append((Source("standard input", "-"), sys.stdin.buffer.read(_MAX_OCTETS + 1)))
        elif "://" in word:
            sources.append(Source(word, word, typed=True))
        else:
            data = read_key_file(word)
            if len(data) > MAX_KEY_BYTES:
                raise too_large(MAX_KEY_BYTES)
            bodies.append((Source(word, word), data))
    return tuple(sources), tuple(bodies)


def _notices(bench: Workbench, at_hand: KeysAtHand, report: KeyReport) -> tuple[Notice, ...]:
    from certmail.cli.keys_at_hand import stale_notice
    from certmail.key.renew.life import ends_soon
    from certmail.settings import keys

    found = []
    if at_hand.is_stale(at=bench.at, max_age_days=bench.settings.require(keys.KEY_MAX_AGE_DAYS)):
        found.append(stale_notice(at_hand, why=""))
    if report.pinned is not None:
        within = bench.settings.require(keys.KEY_WARN_DAYS)
        soon = ends_soon(report.pinned, within_days=within)
        found += [soon] if soon else []
    return tuple(found)


def _verdict(report: KeyReport, *, as_json: bool) -> int:
    """Draw why the key cannot be used, where it cannot; give the exit status."""
    refusal: KeyRefused | None = report.refused or report.unusable
    if refusal is None:
        return 0
    if not as_json:
        from certmail.cli.draw import echo_error

        echo_error(refusal)
    return refusal.exit_status


def _refresh_failed(done: Refreshed, *, told: bool) -> KeyRefused:
    """Say in one screen what every source answered, and the two ways on.

    ``told`` means that the answers stand on that screen already.
    """
    from certmail.errors import KeyRefused

    if len(done.heard) == 1 and done.heard[0].failure is not None:
        return done.heard[0].failure
    answers = "; ".join(f"{heard.source.name}: {heard.words}" for heard in done.heard)
    answers = "" if told else f". Asked just now: {answers}"
    return KeyRefused(
        "KEY-REFRESH-FAILED",
        f"none of {len(done.heard)} sources has a copy of the pinned key",
        why=f"what is known of the key stays as it was{answers}",
        next="(1) get a copy from Clever Cloud, then certmail key refresh --from FILE; (2) use the"
        " upload form, https://api.clever-cloud.com/v2/certificates/new",
    )
