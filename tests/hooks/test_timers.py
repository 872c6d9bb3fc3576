"""Lines for cron and units for systemd, as they stand in the documents."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.bundle.assemble import layouts
from tests.cli.conftest import PASSWORD, ROOT
from tests.hooks.conftest import check_sealed
from tests.peers import need

PAGE = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
UNITS = ROOT / "docs" / "units"
CRON = re.findall(r"(?m)^(?:\S+ ){5}(certmail .*)$", PAGE)


def caddy(machine) -> str:
    return str(layouts.caddy(machine.home / "caddy"))


def traefik(machine) -> str:
    path = machine.home / "acme.json"
    path.touch(mode=0o600)
    path.write_bytes(layouts.traefik(others=2))
    return str(path)


@pytest.mark.parametrize(
    ("place", "layout"),
    [("/var/lib/caddy/.local/share/caddy", caddy), ("/etc/traefik/acme.json", traefik)],
)
def test_a_line_for_cron_sends_once_however_often_it_runs(machine, place, layout):
    [line] = [line for line in CRON if place in line]
    words = shlex.split(
        line.replace(place, layout(machine)).replace("www.example.org", layouts.HOST)
    )
    first, second = machine(*words), machine(*words)
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert "nothing is sent" in second.out
    [mail] = machine.mails
    check_sealed(mail)


def test_the_unit_runs_what_it_says_with_its_credential(machine):
    """The line of the unit, with the folder of credentials that systemd makes."""
    unit = (UNITS / "certmail-send@.service").read_text()
    [line] = re.findall(r"(?m)^ExecStart=(.*)$", unit)
    [credential] = re.findall(r"(?m)^LoadCredentialEncrypted=([a-z-]+):", unit)
    live = layouts.certbot(machine.home / "le")
    words = shlex.split(line.replace("/etc/letsencrypt/live/%i", str(live)))
    assert words[0] == "/usr/local/bin/certmail"
    folder = machine.home / "credentials"
    folder.mkdir(mode=0o700)
    (folder / credential).touch(mode=0o600)
    (folder / credential).write_text(PASSWORD)
    machine.relay = type(machine.relay)(machine.relay.mailbox, machine.relay.flags[:-2])
    ran = machine("certmail", *words[1:], CREDENTIALS_DIRECTORY=str(folder))
    assert (ran.status, len(machine.mails)) == (0, 1), ran.err


@pytest.mark.peer
@pytest.mark.parametrize("unit", sorted(UNITS.glob("certmail-*.*")), ids=lambda path: path.name)
def test_systemd_takes_every_unit(machine, unit):
    program = need("systemd-analyze", package="systemd")
    folder = machine.home / "units"
    folder.mkdir()
    for path in UNITS.iterdir():
        there = re.sub(
            r"(?m)^ExecStart=\S+", f"ExecStart={machine.programs}/certmail", path.read_text()
        )
        (folder / path.name).write_text(there)
    name = unit.name.replace("@.", "@www.example.org.")
    (folder / name).write_text((folder / unit.name).read_text())
    ran = machine(
        program, "verify", "--man=no", "--user", folder / name, XDG_RUNTIME_DIR=str(machine.home)
    )
    assert (ran.status, ran.err) == (0, "")
