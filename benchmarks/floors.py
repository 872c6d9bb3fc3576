"""What nobody can leave out, on the packages and programs that certmail stands on.

No program on them can be faster than these scripts, which do the work and check nothing. They tell
certmail's own share from that of what it was told to use.
"""

from __future__ import annotations

from typing import Final

FLOOR: Final = """\
# The packages and programs that certmail stands on, doing what nobody can leave out, and no more.
import asyncio, base64, hashlib, json, os, secrets, sqlite3, ssl, subprocess, sys, tempfile, tomllib
from email.message import EmailMessage
from pathlib import Path
import aiosmtplib, click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

pem = Path(sys.argv[1]).read_bytes()
load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
x509.load_pem_x509_certificates(pem)
part = EmailMessage()
part.set_content("The certificate for the site.")
part.add_attachment(pem, maintype="application", subtype="x-pem-file", filename="bundle.pem")

def gpg(*words, stdin=b""):
    return subprocess.run(["gpg", "--batch", "--quiet", *words], input=stdin, capture_output=True,
                          check=True).stdout

gpg("--version")
gpg("--with-colons", "--list-secret-keys")
public = gpg("--export", "{signer}")
signed = gpg("-z", "0", "--local-user", "{signer}", "--sign", stdin=part.as_bytes())
with tempfile.TemporaryDirectory(dir="{run}") as home:
    apart = ("--homedir", home, "--no-autostart", "--trust-model", "always", "--no-default-keyring")
    Path(home, "a").write_bytes(public)
    Path(home, "b").write_bytes(gpg("--export", "{fingerprint}"))
    gpg(*apart, "--keyring", home + "/a", "--verify", stdin=signed)
    sealed = gpg(*apart, "--keyring", home + "/b", "--no-literal", "--armor",
                 "--recipient", "{fingerprint}", "--encrypt", stdin=signed)
mark = secrets.token_hex(16)
mail = "\\r\\n".join([
    "From: {sender}", "To: {recipient}", "Subject: ...", "MIME-Version: 1.0",
    'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=' + mark, "",
    "--" + mark, "Content-Type: application/pgp-encrypted", "", "Version: 1", "",
    "--" + mark, "Content-Type: application/octet-stream", "",
    *sealed.decode().splitlines(), "--" + mark + "--", ""])
kept = sqlite3.connect("{root}/kept")
kept.execute("create table if not exists kept(mail)")
with kept:
    kept.execute("insert into kept values(?)", (mail,))

async def hand_over():
    relay = aiosmtplib.SMTP(
        hostname="localhost", port={port}, local_hostname="[127.0.0.1]", use_tls={implicit},
        start_tls=False if {implicit} else True,
        tls_context=ssl.create_default_context(cafile="{ca}"))
    await relay.connect()
    await relay.ehlo()
    await relay.auth_plain("{user}", subprocess.run(
        ["cat", "{root}/password"], capture_output=True, check=True).stdout.decode().strip())
    await relay.sendmail("{sender}", ["{recipient}"], mail)
    await relay.quit()

asyncio.run(hand_over())
"""

FLOOR_OF_MANY: Final = """\
# The same for a folder: two workers, a kept connection each, and one transaction a message.
import asyncio, base64, queue, secrets, sqlite3, ssl, subprocess, sys, tempfile, threading
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
import aiosmtplib, click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

def gpg(*words, stdin=b""):
    return subprocess.run(["gpg", "--batch", "--quiet", *words], input=stdin, capture_output=True,
                          check=True).stdout

gpg("--version")
public, theirs = gpg("--export", "{signer}"), gpg("--export", "{fingerprint}")
local = threading.local()

def seal(path):
    pem = path.read_bytes()
    load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    x509.load_pem_x509_certificates(pem)
    part = EmailMessage()
    part.set_content("The certificate for the site.")
    part.add_attachment(pem, maintype="application", subtype="x-pem-file", filename="bundle.pem")
    signed = gpg("-z", "0", "--local-user", "{signer}", "--sign", stdin=part.as_bytes())
    if not hasattr(local, "home"):
        local.home = tempfile.mkdtemp(prefix="bare-", dir="{run}")
        Path(local.home, "a").write_bytes(public)
        Path(local.home, "b").write_bytes(theirs)
    apart = ("--homedir", local.home, "--no-autostart", "--trust-model", "always",
             "--no-default-keyring")
    gpg(*apart, "--keyring", local.home + "/a", "--verify", stdin=signed)
    sealed = gpg(*apart, "--keyring", local.home + "/b", "--no-literal", "--armor",
                 "--recipient", "{fingerprint}", "--encrypt", stdin=signed)
    mark = secrets.token_hex(16)
    return "\\r\\n".join([
        "From: {sender}", "To: {recipient}", "Subject: ...", "MIME-Version: 1.0",
        'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=' + mark,
        "", "--" + mark, "Content-Type: application/pgp-encrypted", "", "Version: 1", "",
        "--" + mark, "Content-Type: application/octet-stream", "",
        *sealed.decode().splitlines(), "--" + mark + "--", ""])

kept = sqlite3.connect("{root}/kept")
kept.execute("create table if not exists kept(mail)")
password = subprocess.run(["cat", "{root}/password"], capture_output=True,
                          check=True).stdout.decode().strip()

async def hand_over(mails):
    relay = aiosmtplib.SMTP(
        hostname="localhost", port={port}, local_hostname="[127.0.0.1]", use_tls={implicit},
        start_tls=False if {implicit} else True,
        tls_context=ssl.create_default_context(cafile="{ca}"))
    await relay.connect()
    await relay.ehlo()
    await relay.auth_plain("{user}", password)
    while (mail := await mails.get()) is not None:
        with kept:
            kept.execute("insert into kept values(?)", (mail,))
        await relay.sendmail("{sender}", ["{recipient}"], mail)
    await relay.quit()

async def main():
    loop, mails = asyncio.get_running_loop(), asyncio.Queue()
    posts = [asyncio.create_task(hand_over(mails)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        async def one(path):
            mails.put_nowait(await loop.run_in_executor(pool, seal, path))
        await asyncio.gather(*map(one, sorted(Path(sys.argv[1]).glob("*.pem"))))
    for _ in posts:
        mails.put_nowait(None)
    await asyncio.gather(*posts)

asyncio.run(main())
"""
