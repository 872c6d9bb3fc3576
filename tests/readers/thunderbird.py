"""Thunderbird, with the recipient's key in its own key ring, showing mails that lie in a folder.

It runs without a screen, in a network namespace that has the loopback alone, and is asked through
Marionette what it shows. Everything below `main` happens in that namespace, in a process of its
own.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from certmail.key import armor
from certmail.recipient import CLEVER_CLOUD
from tests.peers import need
from tests.posix import posix
from tests.readers.marionette import Marionette
from tests.readers.reading import Kind, Reading, Sign, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.readers.messages import Message

PORT = 2828  # Marionette's own; nobody else is in the namespace
START_S = 120
SHOW_S = 40

# No other account, no greeting, no look for news.
PREFERENCES = {
    "mail.accountmanager.accounts": "account1",
    "mail.accountmanager.localfoldersserver": "server1",
    "mail.account.account1.server": "server1",
    "mail.account.account1.identities": "id1",
    "mail.identity.id1.useremail": CLEVER_CLOUD.address.text,
    "mail.server.server1.type": "none",
    "mail.server.server1.hostname": "Local Folders",
    "mail.server.server1.name": "Local Folders",
    "mail.server.server1.userName": "nobody",
    "mail.server.server1.directory-rel": "[ProfD]Mail/Local Folders",
    "mail.server.server1.storeContractID": "@mozilla.org/msgstore/berkeleystore;1",
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.spotlight.firstRunDone": True,
    "mail.shell.checkDefaultClient": False,
    "mail.rights.version": 1,
    "mailnews.start_page.enabled": False,
    "app.donation.eoy.version.viewed": 999,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "app.update.enabled": False,
    "extensions.update.enabled": False,
}

TAKE_KEYS = """
const [secrets, senders] = args;
const module = name => ChromeUtils.importESModule(`chrome://openpgp/content/modules/${name}`);
const { RNP } = module("RNP.sys.mjs");
const { EnigmailCore } = module("core.sys.mjs");
const { PgpSqliteDb2 } = module("sqliteDb.sys.mjs");
await EnigmailCore.init();
for (const key of secrets) {
  const done = await RNP.importSecKeyBlockImpl(null, null, false, key);
  if (done.exitCode) throw new Error(done.errorMsg);
  for (const { fpr } of done.importedKeys) await PgpSqliteDb2.acceptAsPersonalKey(fpr);
}
for (const [key, fpr, address] of senders) {
  const done = await RNP.importPubkeyBlockAutoAcceptImpl(null, key, null);
  if (done.exitCode) throw new Error(done.errorMsg);
  await PgpSqliteDb2.updateAcceptance(fpr, [address], "verified");
}
globalThis.tried = [];
Services.obs.addObserver(channel => {
  tried.push(channel.QueryInterface(Ci.nsIHttpChannel).URI.spec);
}, "http-on-opening-request");
"""

OPEN_FOLDER = """
const until = async what => {
  for (;;) {
    const found = what();
    if (found) return found;
    await new Promise(go => setTimeout(go, 50));
  }
};
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const main = await until(() => Services.wm.getMostRecentWindow("mail:3pane"));
const panes = await until(() =>
  main.document.getElementById("tabmail")?.currentAbout3Pane?.folderTree &&
  main.document.getElementById("tabmail").currentAbout3Pane);
const folder = await until(() =>
  MailServices.accounts.localFoldersServer.rootFolder.getChildNamed("readers"));
panes.displayFolder(folder);
await until(() => panes.gDBView?.rowCount === args[0]);
"""

SHOW = """
const [id, patience] = args;
const main = Services.wm.getMostRecentWindow("mail:3pane");
const panes = main.document.getElementById("tabmail").currentAbout3Pane;
const view = panes.gDBView;
const index = [...Array(view.rowCount).keys()].find(i => view.getMsgHdrAt(i).messageId === id);
panes.threadTree.selectedIndex = index;
const shown = panes.messageBrowser.contentWindow;
const pick = name => shown.document.getElementById(name);
const end = Date.now() + patience * 1000;
const text = () => shown.getMessagePaneBrowser().contentDocument.body?.textContent ?? "";
const opened = () => !pick("encryptedHdrIcon").hidden && !pick("signedHdrIcon").hidden
  && shown.currentAttachments.length && text();
// The header is drawn first; lock and seal follow while the message is read. What has neither some
// time after it was read to its end was not opened.
let loaded = Infinity;
while (Date.now() < Math.min(end, loaded + 3000)) {
  if (shown.gMessage?.messageId === id && shown.msgLoaded) {
    if (opened()) break;
    loaded = Math.min(loaded, Date.now());
  }
  await new Promise(go => setTimeout(go, 50));
}
const module = name => ChromeUtils.importESModule(`chrome://openpgp/content/modules/${name}`);
const { EnigmailKeyRing } = module("keyRing.sys.mjs");
const keyId = shown.Enigmail.hdrView.msgSignatureKeyId;
const known = keyId && EnigmailKeyRing.getKeyById(keyId);
const offered = () => !pick("openpgpKeyBox").hidden;
while (keyId && !known && !offered() && Date.now() < end) {
  await new Promise(go => setTimeout(go, 50));
}
const attachment = shown.currentAttachments[0];
const octets = attachment ? new Uint8Array(await attachment.fetchAttachment()) : null;
return {
  subject: pick("expandedsubjectBox").value.textContent.trim(),
  encrypted: pick("encryptedHdrIcon").getAttribute("src"),
  signed: pick("signedHdrIcon").getAttribute("src"),
  key: known?.fpr ?? null,
  offered: offered(),
  text: text(),
  name: attachment?.name ?? null,
  attachment: octets && btoa(Array.from(octets, octet => String.fromCharCode(octet)).join("")),
  tried: globalThis.tried.splice(0),
};
"""

WOULD_BE_SEEN = """
const { NetUtil } = ChromeUtils.importESModule("resource://gre/modules/NetUtil.sys.mjs");
await new Promise(done => {
  const uri = "http://certmail.invalid/picture.png";
  NetUtil.asyncFetch({ uri, loadUsingSystemPrincipal: true }, done);
});
return globalThis.tried.splice(0);
"""


class Thunderbird:
    name, package, note = "Thunderbird", "thunderbird", ""
    kind = Kind.MAIL
    signs = frozenset(Sign)

    def version(self) -> str:
        said = run(need("thunderbird"), "--version").stdout.decode()
        return re.search(r"[\d.]+(esr)?$", said.strip())[0]

    def read(self, messages: Sequence[Message], room: Path) -> list[Reading]:
        profile = room / "profile"
        folders = profile / "Mail" / "Local Folders"
        folders.mkdir(parents=True)
        (folders / "readers").write_bytes(b"".join(as_mbox(m.mail) for m in messages))
        (profile / "user.js").write_text(
            "".join(
                f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                for name, value in (PREFERENCES | key_of_identity(messages[0])).items()
            )
        )
        (room / "job.json").write_text(
            json.dumps(
                {
                    "program": need("thunderbird"),
                    "ids": [message_id(m.mail) for m in messages],
                    "secrets": sorted({armored("PRIVATE", m.secret) for m in messages}),
                    "senders": sorted(
                        {
                            (armored("PUBLIC", m.signer_public), m.signer.text, sender_of(m.mail))
                            for m in messages
                        }
                    ),
                }
            )
        )
        done = run(
            *alone(), sys.executable, "-m", "tests.readers.thunderbird", room,
            env={**os.environ, "HOME": str(room)}, patience_s=START_S + SHOW_S * len(messages),
        )  # fmt: skip
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode())
        return [self._reading(told) for told in json.loads((room / "told.json").read_text())]

    @staticmethod
    def _reading(told) -> Reading:
        sealed = (told["encrypted"] or "").endswith("message-encrypted-ok.svg")
        verified = (told["signed"] or "").endswith("message-signed-verified.svg")
        attachment = told.pop("attachment")
        return Reading(
            shown=told["text"] if sealed else None,
            signed_by=told["key"] if verified else None,
            attachment=base64.b64decode(attachment) if attachment else None,
            subject=told["subject"],
            tried=tuple(told["tried"]),
            offered=told["offered"],
            said=json.dumps(told)[:2000],
        )


def key_of_identity(message: Message) -> dict[str, str]:
    """Say that the account has a key: without, attached keys are not looked at."""
    return {"mail.identity.id1.openpgp_key_id": message.recipient.key_id}


def alone() -> tuple[str, ...]:
    """Give the words that start a program where there is no network but a loopback."""
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    return (need("unshare", package="util-linux"), "--net", *user)


def as_mbox(mail: bytes) -> bytes:
    return b"From somebody@example.org Sat Nov 28 11:00:00 2026\n" + mail + b"\n"


def message_id(mail: bytes) -> str:
    return re.search(rb"^Message-ID: <([^>]+)>", mail, re.MULTILINE)[1].decode()


def sender_of(mail: bytes) -> str:
    return re.search(rb"^From: (.+)$", mail, re.MULTILINE)[1].decode().strip()


def armored(half: str, packets: bytes) -> str:
    return armor.encode(f"PGP {half} KEY BLOCK", packets).decode()


def main(room: Path) -> None:
    """Show each message in Thunderbird and write down what it shows."""
    raise_loopback()
    job = json.loads((room / "job.json").read_text())
    with running(job["program"], room), Marionette(PORT, patience_s=START_S) as program:
        program.run(TAKE_KEYS, job["secrets"], job["senders"], patience_s=START_S)
        program.run(OPEN_FOLDER, len(job["ids"]), patience_s=START_S)
        told = [program.run(SHOW, id_, SHOW_S, patience_s=2 * SHOW_S) for id_ in job["ids"]]
        (room / "screen.png").write_bytes(program.screenshot())
        assert program.run(WOULD_BE_SEEN) == ["http://certmail.invalid/picture.png"]
    (room / "told.json").write_text(json.dumps(told))


@contextlib.contextmanager
def running(program: str, room: Path):
    log = (room / "log").open("wb")
    child = subprocess.Popen(
        [
            *(program, "--headless", "--no-remote", "--profile", room / "profile"),
            *("--marionette", "--remote-allow-system-access"),
        ],
        stdout=log,
        stderr=log,
        env={**os.environ, "MOZ_HEADLESS_WIDTH": "1100", "MOZ_HEADLESS_HEIGHT": "820"},
        start_new_session=True,
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        log.close()


def raise_loopback() -> None:
    """Bring up the loopback of a new network namespace, and see that there is nothing else."""
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
    up, running_, set_flags = 0x1, 0x40, 0x8914  # <net/if.h>, <linux/sockios.h>
    with socket.socket() as any_socket:
        posix("fcntl").ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", up | running_))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
