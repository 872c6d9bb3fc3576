"""What a bundle comes from: a file, standard input, separate parts, a lineage or a package.

In: what was typed. Out: one bundle in memory, with its name and the changes made on the way. A PEM
file is taken octet by octet unless a repair is asked for; everything else has to be put together.
Passphrases are asked for at the terminal or come from a command, never from an argument or the
environment. Nothing is written.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from certmail.errors import BundleError, SecretError, UsageError
from certmail.frozen import frozen
from certmail.values import Secret, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from certmail.bundle.assemble.changes import Change
    from certmail.bundle.assemble.complete import Issuers
    from certmail.bundle.assemble.gather import Gathered
    from certmail.bundle.assemble.items import Item, KeyFormat, Passphrase
    from certmail.bundle.repair import Repaired

Command = TypeVar("Command", bound="Callable[..., Any]")

DOCUMENTS: Final = frozenset({"FILE-JSON", "FILE-YAML"})

_PARTS: Final = (
    click.option("--key", metavar="FILE", help="The private key, where it is a file of its own."),
    click.option(
        "--cert",
        metavar="FILE",
        help="The certificate, alone or with its intermediates (fullchain).",
    ),
    click.option(
        "--chain",
        "chains",
        multiple=True,
        metavar="FILE",
        help="Intermediates; may be given several times.",
    ),
    click.option(
        "--lineage",
        metavar="PATH",
        help="A folder of certbot (live/NAME), acme.sh, lego or Caddy; Traefik's acme.json; a"
        " Kubernetes Secret; what Vault or ACM printed. --domain chooses among several.",
    ),
    click.option(
        "--password-command",
        "passphrase_command",
        metavar="COMMAND",
        help="Print the passphrase of a protected key or PKCS#12 file; without it, you are asked.",
    ),
)
_ISSUERS: Final = (
    click.option(
        "--chain-from",
        "chain_from",
        multiple=True,
        metavar="PATH",
        help="Take missing intermediates from this file or folder, if their signature verifies.",
    ),
    click.option(
        "--aia",
        is_flag=True,
        help="Fetch missing intermediates from where the certificate says; verified before use.",
    ),
)


def with_inputs(command: Command) -> Command:
    """Add the options that name parts."""
    for option in reversed(_PARTS):
        command = option(command)
    return command


def with_issuers(command: Command) -> Command:
    """Add the options that complete a chain."""
    for option in reversed(_ISSUERS):
        command = option(command)
    return command


@frozen
class Inputs:
    """What was typed about where the bundle is; exactly one kind of place is named."""

    file: str | None
    key: str | None
    cert: str | None
    chains: tuple[str, ...]
    lineage: str | None
    chain_from: tuple[str, ...]
    aia: bool
    passphrase_command: str | None
    domains: tuple[str, ...]

    @staticmethod
    def of(file: str | None, parameters: Mapping[str, Any], *, otherwise: str = "") -> Inputs:
        """Sort out what was typed; ``otherwise`` is what else could have been given."""
        typed = Inputs(
            file=file,
            key=parameters.get("key"),
            cert=parameters.get("cert"),
            chains=tuple(parameters.get("chains") or ()),
            lineage=parameters.get("lineage"),
            chain_from=tuple(parameters.get("chain_from") or ()),
            aia=bool(parameters.get("aia")),
            passphrase_command=parameters.get("passphrase_command"),
            domains=tuple(parameters.get("domains") or ()),
        )
        parts = typed.key is not None or typed.cert is not None or bool(typed.chains)
        if (file is not None) + (typed.lineage is not None) + parts != 1:
            raise click.UsageError(
                "name the bundle in one way: a FILE, or --lineage PATH, or --key with --cert"
                + (f", or {otherwise}" if otherwise else "")
            )
        if parts and (typed.key is None or typed.cert is None):
            raise click.UsageError("--key and --cert go together")
        return typed

    @property
    def name(self) -> str:
        """What messages call the bundle."""
        return printable(self.file or self.lineage or str(self.cert), limit=400)

    @property
    def files(self) -> tuple[str | None, ...]:
        """Every file that was named; ``-`` is standard input."""
        return (self.file, self.key, self.cert, *self.chains)

    @property
    def completes(self) -> bool:
        """Whether missing intermediates are to be found."""
        return self.aia or bool(self.chain_from)


@frozen
class Given:
    """A bundle in memory: as the file has it if nothing was changed."""

    pem: bytes = field(repr=False)
    name: str
    changes: tuple[Change, ...] = ()


def take(typed: Inputs, *, at: datetime) -> Given:
    """Read a bundle to be judged: a PEM file as it is, anything else put together.

    Raises:
        BundleError: the source cannot be read. SecretError: no passphrase can be had.
    """
    data = _file(typed)
    if data is not None and not typed.completes and not _is_package(data):
        return Given(data, typed.name)
    from certmail.bundle.assemble.arrange import arrange

    found = gathered(typed, data)
    arranged = arrange(found.items, at=at, issuers=issuers(typed))
    return Given(arranged.pem, typed.name, (*found.changes, *arranged.changes))


def mend(typed: Inputs, *, at: datetime, key_format: KeyFormat | None = None) -> Repaired:
    """Read a bundle and bring it into the canonical form; the result has passed the check.

    Raises:
        Unrepairable: with every finding. BundleError: the source cannot be read.
    """
    from certmail.bundle.assemble.items import KeyFormat
    from certmail.bundle.repair import join, repair

    shape = key_format or KeyFormat.PKCS8
    data = _file(typed)
    if data is not None and not _is_document(data):
        return repair(
            data,
            at=at,
            domains=typed.domains,
            name=typed.name,
            key_format=shape,
            passphrase=passphrase(typed),
            issuers=issuers(typed),
        )
    found = gathered(typed, data)
    return join(
        found.items,
        found.changes,
        at=at,
        domains=typed.domains,
        key_format=shape,
        issuers=issuers(typed),
    )


def gathered(typed: Inputs, data: bytes | None) -> Gathered:
    """Read every source that was named, in the order key, certificate, chain.

    ``data`` is the file's octets, where one file was named; it is read once only.
    """
    from certmail.bundle.assemble.changes import Change
    from certmail.bundle.assemble.gather import Gathered, gather

    asked = passphrase(typed)
    items: list[Item] = []
    changes: list[Change] = []
    sources, taken = _sources(typed, data)
    changes += [Change("assemble", taken)] if taken else []
    for name, octets in sources:
        found = gather(octets, name=name, passphrase=asked)
        items += found.items
        changes += found.changes
    return Gathered(tuple(items), tuple(changes))


def issuers(typed: Inputs) -> Issuers | None:
    """Read the candidates for missing issuers; what is no certificate among them is left out."""
    if not typed.completes:
        return None
    from pathlib import Path

    from certmail.bundle.assemble.complete import Issuers
    from certmail.bundle.assemble.gather import gather
    from certmail.lineage.folders import certificates
    from certmail.lineage.issuers import IssuerSource

    candidates: list[Item] = []
    for path in typed.chain_from:
        for source in certificates(Path(path)):
            try:
                candidates += gather(source.data, name=source.name).items
            except BundleError:
                if Path(path).is_dir():
                    continue  # a folder of many things; only proved issuers are taken
                raise
    return Issuers(tuple(candidates), IssuerSource() if typed.aia else None)


def passphrase(typed: Inputs) -> Passphrase:
    """Give who knows passphrases: the command that was named, or the person at the terminal."""
    return _Asked(typed.passphrase_command)


class _Asked:
    """Asks once per thing; a command's answer is the same again, so it is not asked twice."""

    def __init__(self, command: str | None) -> None:
        self._command = command
        self._answered: set[str] = set()

    def __call__(self, what: str, /) -> Secret:
        import shlex

        from certmail.secrets import from_command
        from certmail.secrets.prompt import Prompt

        try:
            if self._command is None:
                return Prompt(f"Passphrase of {printable(what)}: ").read()
            if what in self._answered:
                raise BundleError(
                    "PASSPHRASE-WRONG",
                    f"{printable(what)} does not open with what the command printed",
                    why="the passphrase is another one, or the encryption is of an unknown kind",
                    next="run the command by hand and compare",
                )
            self._answered.add(what)
            return from_command(shlex.split(self._command)).read()
        except SecretError as error:
            error.why = f"{printable(what)} is protected by a passphrase"
            error.next = "type it at a terminal, or give --password-command COMMAND that prints it"
            raise
        except ValueError:
            raise click.UsageError("--password-command: a quote is not closed") from None


def _sources(typed: Inputs, data: bytes | None) -> tuple[list[tuple[str, bytes]], str]:
    """Give the sources with their names, and in words what was put together, if several were."""
    from certmail.bundle.assemble.choose import choose
    from certmail.bundle.assemble.documents import lineages
    from certmail.cli.files import read_bundle
    from certmail.lineage.folders import find
    from certmail.lineage.parsers import parse

    if typed.lineage is not None:
        from pathlib import Path

        found = find(Path(typed.lineage))
    elif data is not None:
        if not _is_document(data):
            return [(typed.name, data)], ""
        found = lineages(parse(data, name=typed.name), name=typed.name)
    else:
        names = (typed.key, typed.cert, *typed.chains)
        read = [(printable(name), read_bundle(name)) for name in names if name is not None]
        return read, f"put together {_listed(name for name, _ in read)}"
    chosen = choose(found, domains=typed.domains, where=typed.name)
    read = [(source.name, source.data) for source in chosen.sources]
    taken = _listed(source.name for source in chosen.sources)
    return read, f"took {taken} of {printable(chosen.name)} ({chosen.kind})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(printable(name) for name in names)


def _file(typed: Inputs) -> bytes | None:
    from certmail.cli.files import read_bundle

    return None if typed.file is None else read_bundle(typed.file)


def original(typed: Inputs) -> bytes:
    """Read a file that is to be replaced; only PEM becomes PEM under the same name.

    Raises:
        UsageError: ``BUNDLE-IN-PLACE``.
    """
    from certmail.bundle import mistaken
    from certmail.bundle.assemble.wide import narrowed

    data = _file(typed) or b""
    if data.strip() and mistaken.recognise(narrowed(data)[0]) is not None:
        raise UsageError(
            "BUNDLE-IN-PLACE",
            f"{typed.name} is no PEM file",
            why="under its name, other programs expect what it is now",
            next="certmail bundle FILE --output NEW.pem",
            file=typed.name,
        )
    return data


def _is_package(data: bytes) -> bool:
    from certmail.bundle import mistaken

    finding = mistaken.recognise(data) if data.strip() else None
    return finding is not None and finding.code == "FILE-PKCS12"


def _is_document(data: bytes) -> bool:
    from certmail.bundle import mistaken

    finding = mistaken.recognise(data) if data.strip() else None
    return finding is not None and finding.code in DOCUMENTS
