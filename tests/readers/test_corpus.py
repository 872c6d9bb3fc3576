"""Three sealed messages that were kept, with the throw-away key that opens them: they still do."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import json
from pathlib import Path

import pytest

from certmail.key import armor
from certmail.key.packets import read_key_block
from tests.readers import openpgp
from tests.readers.messages import Message
from tests.readers.recipes import RECIPES, Form

CORPUS = Path(__file__).parent / "corpus"
SECRET = "THROW-AWAY-secret-key.asc"
EXPECTED = json.loads((CORPUS / "expected.json").read_text()) if CORPUS.exists() else {}


def kept(name: str) -> Message:
    """Give a kept mail with what a reader is handed; what it must find stands beside it."""
    sender = armor.decode((CORPUS / name.replace(".eml", ".sender.asc")).read_bytes()).packets
    expected = EXPECTED[name]
    return Message(
        recipe=RECIPES[0],
        form=Form.COMBINED,
        mail=(CORPUS / name).read_bytes(),
        entity=b"",
        subject=expected["subject"],
        bundle=b"",
        file_name=expected["attachment"],
        note="",
        signer=read_key_block(sender).fingerprint,
        signer_name="",
        signer_public=sender,
        recipient=read_key_block(sender).fingerprint,
        secret=unwrapped((CORPUS / SECRET).read_text()),
        variant=name,
    )


def unwrapped(armored: str) -> bytes:
    """Take a secret key out of its armor, which certmail itself refuses to do."""
    body = armored.partition("\n\n")[2].partition("\n=")[0]
    return base64.b64decode(body)


@pytest.mark.parametrize("reader", [openpgp.GnuPG(), openpgp.PySequoia()], ids=lambda r: r.name)
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_kept_message_opens_as_on_the_day_it_was_sealed(reader, name, tmp_path):
    [reading] = reader.read([kept(name)], tmp_path)
    assert reading.opened is not None, reading.said
    inner = email.message_from_bytes(reading.opened, policy=email.policy.default)
    bundle = next(inner.iter_attachments())
    assert {
        "signed_by": reading.signed_by.upper(),
        "subject": str(inner["Subject"]),
        "attachment": bundle.get_filename(),
        "attachment_sha256": hashlib.sha256(bundle.get_content()).hexdigest(),
    } == EXPECTED[name]


def test_the_corpus_is_there():
    assert len(EXPECTED) == 3
