"""Make the corpus anew, with another throw-away key: run this file by its name.

``python -m pytest tests/readers/new_corpus.py``, when the form of what is sent has changed.
"""

from __future__ import annotations

import hashlib
import json

from certmail.key import armor
from certmail.values import Address
from tests.conftest import exported
from tests.readers.messages import Holder, secret_key
from tests.readers.recipes import RECIPES, Form, Size, To
from tests.readers.test_corpus import CORPUS, SECRET

ADDRESS = Address("throw-away@corpus.example")
USER_ID = f"THROW-AWAY, its secret is public <{ADDRESS}>"
SMALL = [recipe for recipe in RECIPES if recipe.size is Size.TINY and recipe.to is To.CV25519]
LARGE = [recipe for recipe in RECIPES if recipe.size is Size.LARGE and recipe.to is To.CV25519]


def test_write_the_corpus(workshop, gpg, make_person):
    person = make_person(USER_ID)
    holder = Holder(person.fingerprint, exported(gpg, person), secret_key(gpg, person))
    workshop.holder = lambda _: holder
    workshop.address = ADDRESS
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / SECRET).write_bytes(armor.encode("PGP PRIVATE KEY BLOCK", holder.secret))
    expected = {}
    for number, recipe in enumerate([*SMALL, *LARGE], 1):
        message = workshop.message(recipe, Form.COMBINED)
        (CORPUS / f"{number}.eml").write_bytes(message.mail)
        (CORPUS / f"{number}.sender.asc").write_bytes(
            armor.encode("PGP PUBLIC KEY BLOCK", message.signer_public)
        )
        expected[f"{number}.eml"] = {
            "signed_by": message.signer.text,
            "subject": message.subject,
            "attachment": message.file_name,
            "attachment_sha256": hashlib.sha256(message.bundle).hexdigest(),
        }
    text = json.dumps(expected, indent=2, ensure_ascii=False)
    (CORPUS / "expected.json").write_text(text + "\n")
