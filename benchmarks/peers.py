"""What people use today for the same job, each as one command line.

A contender is made once per relay and run many times. All of them sign with the same key, encrypt
to the same recipient, verify the relay's certificate against the same authority, log in with the
same password, and send the same bundle as an attachment of a PGP/MIME or inline-PGP message.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.floors import FLOOR, FLOOR_OF_MANY
from benchmarks.place import PASSWORD, RECIPIENT, SENDER, USER
from certmail.submission import Mode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

from benchmarks.place import Place

SHELL: Final = """\
set -euo pipefail
f=$1
k=$(openssl pkey -in "$f" -pubout); c=$(openssl x509 -in "$f" -noout -pubkey)
[ "$k" = "$c" ]
openssl x509 -in "$f" -noout -checkend 86400 >/dev/null
openssl pkey -in "$f" -check -noout >/dev/null
b=frontier$RANDOM$RANDOM
{{
  printf 'From: {sender}\\nTo: {recipient}\\nSubject: ...\\nMIME-Version: 1.0\\n'
  printf 'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";'
  printf ' boundary=%s\\n\\n' $b
  printf -- '--%s\\nContent-Type: application/pgp-encrypted\\n\\nVersion: 1\\n\\n--%s\\n' $b $b
  printf 'Content-Type: application/octet-stream\\n\\n'
  {{ printf 'Content-Type: application/x-pem-file; name=bundle.pem\\n'
    printf 'Content-Disposition: attachment; filename=bundle.pem\\n'
    printf 'Content-Transfer-Encoding: base64\\n\\n'; base64 "$f"; }} |
    gpg --batch --quiet --local-user {signer} --trust-model always --recipient {fingerprint} \\
      --sign --encrypt --armor
  printf -- '\\n--%s--\\n' $b
}} | msmtp --file {root}/msmtprc {recipient}
"""

MSMTP: Final = """\
account default
host localhost
port {port}
tls on
tls_starttls {starttls}
tls_trust_file {ca}
auth plain
user {user}
passwordeval cat {root}/password
from {sender}
domain [127.0.0.1]
"""

NEOMUTT: Final = """\
set from = "{sender}"
set smtp_url = "{scheme}://ops%40example.org@localhost:{port}"
set smtp_pass = "`cat {root}/password`"
set smtp_authenticators = "plain"
set ssl_ca_certificates_file = "{ca}"
set ssl_starttls = yes
set ssl_force_tls = yes
set crypt_use_gpgme = yes
set crypt_autosign = yes
set crypt_autoencrypt = yes
set crypt_opportunistic_encrypt = no
set pgp_sign_as = "{signer}"
set pgp_default_key = "{signer}"
set pgp_self_encrypt = no
set crypt_confirm_hook = no
crypt-hook {recipient} 0x{fingerprint}
set copy = no
set hostname = "[127.0.0.1]"
set record = ""
set header_cache = ""
set sidebar_visible = no
"""

NEOMUTT_COMMAND: Final = (
    'echo "The certificate." | neomutt -n -F {rc} -s TLS -a "$0" -- {recipient}'
)

ENVELOPE: Final = """\
import os, sys
os.environ["SSL_CERT_FILE"] = "{ca}"  # it has no other way to be told whom to trust
from pathlib import Path
from envelope import Envelope
ok = (
    Envelope().message("The certificate for the site.").subject("TLS certificate")
    .from_("{sender}").to("{recipient}")
    .attach(path=sys.argv[1])
    .gpg("{gnupg}")
    .signature("{signer}").encryption("{fingerprint}")
    .smtp("localhost", {port}, "{user}", Path("{root}/password").read_text().strip(), "{security}",
          local_hostname="[127.0.0.1]")
    .send()
)
sys.exit(0 if ok else 1)
"""

MINIMAL: Final = """\
import smtplib, ssl, sys
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.encoders import encode_7or8bit
from pathlib import Path
import gnupg
part = EmailMessage()
part.set_content("The certificate for the site.")
part.add_attachment(Path(sys.argv[1]).read_bytes(), maintype="application", subtype="x-pem-file",
                    filename="bundle.pem")
gpg = gnupg.GPG(gnupghome="{gnupg}")
sealed = gpg.encrypt(part.as_bytes(), ["{fingerprint}"], sign="{signer}", always_trust=True)
if not sealed.ok:
    sys.exit(sealed.status)
mail = MIMEMultipart("encrypted", protocol="application/pgp-encrypted")
mail["From"], mail["To"], mail["Subject"] = "{sender}", "{recipient}", "..."
mail.attach(MIMEApplication("Version: 1", "pgp-encrypted", encode_7or8bit))
mail.attach(MIMEApplication(str(sealed), "octet-stream", encode_7or8bit))
context = ssl.create_default_context(cafile="{ca}")
password = Path("{root}/password").read_text().strip()
if {implicit}:
    relay = smtplib.SMTP_SSL("localhost", {port}, local_hostname="[127.0.0.1]", context=context)
else:
    relay = smtplib.SMTP("localhost", {port}, local_hostname="[127.0.0.1]")
    relay.starttls(context=context)
with relay:
    relay.ehlo()
    relay.user, relay.password = "{user}", password
    relay.auth("PLAIN", relay.auth_plain)
    relay.send_message(mail)
"""


@dataclass(frozen=True)
class Contender:
    """A way to send one bundle: the command, to which the bundle's path is added."""

    name: str
    says: str
    words: tuple[str, ...]

    def on(self, bundle: Path) -> tuple[str, ...]:
        """Give the command line for a bundle."""
        return tuple(str(bundle) if word == "BUNDLE" else word for word in self.words)


def contenders(place: Place, *, mode: Mode, port: int, signer: str) -> tuple[Contender, ...]:
    """Write each one's files and give the commands; what is not installed is left out."""
    folder = place.root / f"peers-{mode.value}-{port}-{signer}"
    folder.mkdir(exist_ok=True)
    words = {
        "sender": SENDER,
        "recipient": RECIPIENT,
        "fingerprint": place.recipient,
        "signer": place.signers[signer],
        "root": folder,
        "run": place.root / "run",
        "ca": place.ca_file,
        "gnupg": place.gnupg,
        "user": USER,
        "port": port,
        "implicit": mode is Mode.IMPLICIT,
        "security": "tls" if mode is Mode.IMPLICIT else "starttls",
        "starttls": "off" if mode is Mode.IMPLICIT else "on",
        "scheme": "smtps" if mode is Mode.IMPLICIT else "smtp",
    }
    _private(folder / "password", PASSWORD + "\n")
    _private(folder / "msmtprc", MSMTP.format(**words))
    _private(folder / "send.sh", SHELL.format(**words))
    _private(folder / "muttrc", NEOMUTT.format(**words))
    _private(folder / "with_envelope.py", ENVELOPE.format(**words))
    _private(folder / "minimal.py", MINIMAL.format(**words))
    _private(folder / "floor.py", FLOOR.format(**words))
    _private(folder / "floor_of_many.py", FLOOR_OF_MANY.format(**words))
    settings = folder / "certmail.toml"
    _private(settings, place.settings(mode=mode, port=port, signer=signer))
    made: list[tuple[str, str, Callable[[], bool], tuple[str, ...]]] = [
        (
            "certmail",
            "certmail send --yes, every check",
            lambda: True,
            (*place.certmail, "--config", str(settings), "send", "BUNDLE", "--yes", "--again"),
        ),
        (
            "floor",
            "certmail's packages and programs doing what nobody can leave out",
            lambda: True,
            (sys.executable, str(folder / "floor.py"), "BUNDLE"),
        ),
        (
            "check, then floor",
            "certmail check as a command of its own, and then the floor",
            lambda: True,
            (
                "bash", "-c",
                f'"$@" check "$0" && exec {shlex.join((sys.executable, str(folder / "floor.py")))} "$0"',
                "BUNDLE", *place.certmail,
            ),
        ),
        (
            "shell",
            "openssl checks, gpg, msmtp",
            lambda: shutil.which("msmtp") is not None,
            ("bash", str(folder / "send.sh"), "BUNDLE"),
        ),
        (
            "envelope",
            "the envelope package as a library, checks nothing",
            _has_envelope,
            (sys.executable, str(folder / "with_envelope.py"), "BUNDLE"),
        ),
        (
            "neomutt",
            "neomutt in batch mode, checks nothing",
            lambda: shutil.which("neomutt") is not None,
            (
                "bash", "-c",
                NEOMUTT_COMMAND.format(rc=folder / "muttrc", recipient=RECIPIENT),
                "BUNDLE",
            ),
        ),
        (
            "minimal",
            "python-gnupg and smtplib in 40 lines, checks nothing",
            lambda: True,
            (sys.executable, str(folder / "minimal.py"), "BUNDLE"),
        ),
    ]  # fmt: skip
    return tuple(Contender(name, says, words) for name, says, there, words in made if there())


def _has_envelope() -> bool:
    import importlib.util

    return importlib.util.find_spec("envelope") is not None


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
