"""A real Dovecot in front of a sink: submission with logins of its own, in both modes.

For tokens it validates JWTs by a key of the tests', with nobody to ask (RFC 7519, HS256).
"""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from certmail.submission import Mode
from tests.delivery.hostile import PASSWORD, USER
from tests.delivery.jail import Jail, await_ports, end
from tests.delivery.postfix import free_ports
from tests.delivery.sink import Sink
from tests.peers import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIGNING_KEY = b"the tests sign tokens with this, 32+ octets"

DOVECOT = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/output
protocols = submission
listen = 127.0.0.1
hostname = relay.test
ssl = required
ssl_cert = <{root}/relay.pem
ssl_key = <{root}/relay.pem
disable_plaintext_auth = yes
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
{more}
passdb {{
  driver = passwd-file
  args = {root}/logins
}}
userdb {{
  driver = static
  args = uid=8 gid=8 home={root}/home
}}
mail_location = maildir:{root}/home/mail
submission_relay_host = 127.0.0.1
submission_relay_port = {sink}
submission_relay_trusted = yes
submission_max_mail_size = 200000
service submission-login {{
  inet_listener submission {{
    port = {starttls}
  }}
  inet_listener submissions {{
    port = {implicit}
    ssl = yes
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""

TOKENS = """\
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {root}/oauth2.conf
}}
"""

OAUTH2 = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={root}/keys/
username_attribute = sub
scope = mail
"""


@contextmanager
def running(
    chain_and_key: bytes, *, mechanisms: str = "plain login"
) -> Iterator[tuple[Mapping[Mode, int], Sink, Path]]:
    """Start it; give its ports, what it hands on, and its log."""
    program = need("dovecot", package="dovecot-submissiond")
    ports = dict(zip(Mode, free_ports(len(Mode)), strict=True))
    with tempfile.TemporaryDirectory(prefix="certmail-dovecot-") as folder, Sink() as sink:
        made = Jail(Path(folder))
        made.root.chmod(0o755)
        words = {
            "root": folder,
            "sink": sink.port,
            "implicit": ports[Mode.IMPLICIT],
            "starttls": ports[Mode.STARTTLS],
            "mechanisms": mechanisms,
            "more": TOKENS.format(root=folder) if "oauth" in mechanisms else "",
        }
        made.put("dovecot.conf", DOVECOT.format(**words))
        made.put("oauth2.conf", OAUTH2.format(root=folder))
        made.put("keys/default/HS256/default", base64.b64encode(SIGNING_KEY).decode())
        made.put("relay.pem", chain_and_key, mode=0o600)
        made.put("logins", f"{USER}:{{PLAIN}}{PASSWORD}\n")
        made.folder("home", owner=(8, 8))
        with (made.root / "started").open("wb") as output:
            child = subprocess.Popen(
                [program, "-F", "-c", f"{folder}/dovecot.conf"],
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                await_ports(list(ports.values()), child, made.root / "started")
                yield ports, sink, made.root / "output"
            finally:
                end(child)


def token(user: str = USER, *, lasts_s: int = 86400, scope: str = "mail", padding: int = 0) -> str:
    """Make an access token that this Dovecot takes, unless it is too old or for something else."""
    now = int(time.time())
    claims = {"sub": user, "iat": now - 900, "exp": now + lasts_s, "scope": scope}
    claims |= {"padding": "x" * padding} if padding else {}
    parts = [_part({"alg": "HS256", "typ": "JWT"}), _part(claims)]
    signature = hmac.digest(SIGNING_KEY, ".".join(parts).encode(), "sha256")
    return ".".join([*parts, _spelled(signature)])


def _part(value: dict[str, object]) -> str:
    return _spelled(json.dumps(value).encode())


def _spelled(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")
