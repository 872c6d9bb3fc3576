"""Open a message, or verify a signature made apart, with pysequoia; the answer goes out as JSON."""

import json
import sys
from pathlib import Path

import pysequoia

act, room = sys.argv[1], Path(sys.argv[2])
sender = pysequoia.Cert.from_bytes((room / "sender.pgp").read_bytes())
if act in {"decrypt", "open"}:
    secret = pysequoia.Tsk.from_bytes((room / "secret.pgp").read_bytes())
    expected = {"store": lambda _: [sender]} if act == "decrypt" else {}
    found = pysequoia.decrypt(
        (room / "message").read_bytes(), decryptor=secret.decryptor(), **expected
    )
    (room / "plain").write_bytes(found.bytes)
else:
    found = pysequoia.verify(
        bytes=(room / "signed").read_bytes(),
        store=lambda _: [sender],
        signature=pysequoia.Sig.from_bytes((room / "signature").read_bytes()),
    )
by = [signature.certificate for signature in found.valid_sigs]
sys.stdout.write(json.dumps({"by": by[0] if len(by) == 1 else ""}))
