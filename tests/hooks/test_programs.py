"""The hooks of docs/hooks, run by the real programs, with certificates of a real ACME exchange."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from tests.bundle import make
from tests.bundle.assemble import layouts
from tests.hooks.acme import acme_server
from tests.hooks.conftest import HOOKS, check_sealed
from tests.keysources.serving import make_trust
from tests.peers import need

if TYPE_CHECKING:
    from tests.cli.conftest import Ran

NAMES = ("shop.example", "www.shop.example")
CERTBOT, ACME_SH, LEGO = (
    HOOKS / name for name in ("certbot-deploy.sh", "acme-sh-reload.sh", "lego-hook.sh")
)


@pytest.fixture
def trust(tmp_path, at):
    folder = tmp_path / "trust"
    folder.mkdir()
    return make_trust(folder, at)


@pytest.fixture
def acme(trust, free_port):
    with acme_server(trust.server(), challenge_port=free_port) as running:
        yield running


@pytest.fixture
def certbot(machine, acme, trust):
    """The real certbot, which proves names on a port of this machine."""
    program = need("certbot")
    home = machine.home / "le"

    def run(*arguments: str):
        return machine(
            program, *arguments, "--non-interactive",
            "--config-dir", home, "--work-dir", home / "work", "--logs-dir", home / "logs",
            REQUESTS_CA_BUNDLE=str(trust.ca_file),
        )  # fmt: skip

    run.home = home
    run.issue = (
        "certonly", "--standalone", "--agree-tos", "--register-unsafely-without-email",
        "--server", f"{acme.base}/directory", "--http-01-address", "127.0.0.1",
        "--http-01-port", str(acme.challenge_port),
        *(word for name in NAMES for word in ("-d", name)),
    )  # fmt: skip
    return run


@pytest.mark.peer
def test_certbot_issues_renews_and_calls_the_hook_each_time(machine, certbot, acme):
    """Two certificates, two mails; a hook that is called once more sends nothing and is content."""
    ran = certbot(*certbot.issue, "--key-type", "rsa", "--deploy-hook", str(CERTBOT))
    assert ran.status == 0, ran.out + ran.err
    assert len(machine.mails) == 1, ran.out + ran.err
    assert "error code" not in ran.out + ran.err
    check_sealed(machine.mails[0])
    ran = certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
    assert ran.status == 0, ran.out + ran.err
    assert len(machine.mails) == 2, ran.out + ran.err
    assert len(acme.orders) == 2
    live = certbot.home / "live" / NAMES[0]
    again = machine(CERTBOT, RENEWED_LINEAGE=str(live), RENEWED_DOMAINS=" ".join(NAMES))
    assert (again.status, again.code) == (0, None)
    assert again.out.startswith("nothing is sent: this certificate was accepted")
    assert len(machine.mails) == 2


@pytest.mark.peer
def test_certbot_runs_the_hook_from_its_folder(machine, certbot):
    ran = certbot(*certbot.issue, "--key-type", "rsa")
    assert (ran.status, machine.mails) == (0, []), ran.err
    folder = certbot.home / "renewal-hooks" / "deploy"
    shutil.copy(CERTBOT, folder / "certmail")
    ran = certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
    assert (ran.status, len(machine.mails)) == (0, 1), ran.out + ran.err


@pytest.mark.peer
def test_certbots_own_choice_of_key_is_refused_and_certbot_tells_it(machine, certbot):
    """The provider takes RSA only; the certificate is kept, the hook's refusal is shown."""
    ran = certbot(*certbot.issue, "--key-type", "ecdsa", "--deploy-hook", str(CERTBOT))
    assert machine.mails == []
    assert "reported error code 10" in ran.out + ran.err
    assert "KEY-" in ran.out + ran.err
    assert (certbot.home / "live" / NAMES[0] / "fullchain.pem").exists()


@pytest.mark.peer
def test_certbot_shows_a_relay_that_is_away_and_the_message_waits(machine, certbot):
    machine.extra["CERTMAIL_RELAY_PORT"] = "9"
    ran = certbot(*certbot.issue, "--key-type", "rsa", "--deploy-hook", str(CERTBOT))
    assert "reported error code 19" in ran.out + ran.err
    del machine.extra["CERTMAIL_RELAY_PORT"]
    live = certbot.home / "live" / NAMES[0]
    assert machine(CERTBOT, RENEWED_LINEAGE=str(live)).status == 0
    assert len(machine.mails) == 1


@pytest.mark.peer
def test_lego_issues_renews_and_calls_the_hook_each_time(machine, acme, trust):
    program = need("lego")

    def lego(*action: str) -> Ran:
        return machine(
            program, "--server", f"{acme.base}/directory", "--email", "ops@sender.example",
            "--accept-tos", *(word for name in NAMES for word in ("--domains", name)),
            "--http", "--http.port", f"127.0.0.1:{acme.challenge_port}", "--key-type", "rsa2048",
            "--path", machine.home / "lego", *action,
            LEGO_CA_CERTIFICATES=str(trust.ca_file),
        )  # fmt: skip

    ran = lego("run", "--run-hook", str(LEGO))
    assert (ran.status, len(machine.mails)) == (0, 1), ran.out + ran.err
    check_sealed(machine.mails[0])
    ran = lego("renew", "--days", "365", "--no-random-sleep", "--renew-hook", str(LEGO))
    assert (ran.status, len(machine.mails)) == (0, 2), ran.out + ran.err


def test_the_acme_server_issues_what_was_asked_for(trust):
    """What plays Let's Encrypt signs the names of the request, under an intermediate."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    from tests.hooks.acme import Issuer

    key = make.rsa_key("leaf")
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAMES[0])]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAMES[0])]), critical=False)
        .sign(key, hashes.SHA256())
    )
    leaf, lower = x509.load_pem_x509_certificates(Issuer().sign(csr))
    leaf.verify_directly_issued_by(lower)
    assert leaf.public_key() == key.public_key()


NEWER = {"LEGO_HOOK_CERT_KEY_PATH": "key", "LEGO_HOOK_CERT_PATH": "crt"}
OLDER = {"LEGO_CERT_KEY_PATH": "key", "LEGO_CERT_PATH": "crt"}


@pytest.mark.parametrize("names", [NEWER, OLDER], ids=["lego 5", "lego 4"])
def test_legos_hook_knows_both_spellings(machine, names):
    top = layouts.lego(machine.home / "lego") / "certificates"
    files = {name: str(top / f"{layouts.HOST}.{end}") for name, end in names.items()}
    ran = machine(LEGO, **files)
    assert (ran.status, len(machine.mails)) == (0, 1), ran.err


def test_the_reload_command_of_acme_sh_takes_what_acme_sh_exports(machine):
    """As acme.sh does: in the domain's folder, by ``eval``, with these variables."""
    folder = layouts.acme_sh(machine.home / ".acme.sh")
    ran = machine(
        "sh", "-c", f'cd "{folder}" && eval "{ACME_SH}"',
        CERT_PATH=str(folder / f"{layouts.HOST}.cer"),
        CERT_KEY_PATH=str(folder / f"{layouts.HOST}.key"),
        CA_CERT_PATH=str(folder / "ca.cer"),
        CERT_FULLCHAIN_PATH=str(folder / "fullchain.cer"),
        Le_Domain=layouts.HOST,
    )  # fmt: skip
    assert (ran.status, len(machine.mails)) == (0, 1), ran.err
    check_sealed(machine.mails[0])


@pytest.mark.parametrize("hook", [CERTBOT, ACME_SH, LEGO], ids=lambda path: path.name)
def test_a_hook_needs_no_home_in_its_environment(machine, hook):
    """A service of systemd has none; certbot's timer starts one."""
    live = layouts.certbot(machine.home / "le")
    folders = {name: machine.home / name for name in ("STATE", "CONFIG", "DATA", "CACHE")}
    environment = {
        **{name: value for name, value in machine.environment().items() if name != "HOME"},
        **{f"XDG_{name}_HOME": str(path) for name, path in folders.items()},
        "RENEWED_LINEAGE": str(live),
        "CERT_KEY_PATH": str(live / "privkey.pem"),
        "CERT_FULLCHAIN_PATH": str(live / "fullchain.pem"),
        "LEGO_CERT_KEY_PATH": str(live / "privkey.pem"),
        "LEGO_CERT_PATH": str(live / "fullchain.pem"),
    }
    done = subprocess.run(
        [hook], env=environment, cwd=machine.home, capture_output=True, timeout=120, check=False
    )
    assert (done.returncode, len(machine.mails)) == (0, 1), done.stderr


def test_two_hooks_at_the_same_moment_send_one_message(machine):
    live = layouts.certbot(machine.home / "le")
    environment = {**machine.environment(), "RENEWED_LINEAGE": str(live)}
    both = [
        subprocess.Popen(
            [CERTBOT],
            env=environment,
            cwd=machine.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120) for one in both]
    statuses = sorted(one.returncode for one in both)
    # 17: the other one is sending. 2: the other one has just put its message in place of this one.
    assert statuses in ([0, 0], [0, 17], [0, 2]), said
    assert len(machine.mails) == 1


@pytest.mark.parametrize("hook", [CERTBOT, ACME_SH, LEGO], ids=lambda path: path.name)
def test_a_hook_without_its_variables_sends_nothing_and_fails(machine, hook):
    ran = machine(hook)
    assert ran.status != 0
    assert machine.mails == []


@pytest.mark.parametrize("hook", [CERTBOT, ACME_SH, LEGO], ids=lambda path: path.name)
def test_a_hook_is_sound_shell(hook):
    assert subprocess.run(["sh", "-n", hook], check=False).returncode == 0
    assert hook.stat().st_mode & 0o111
