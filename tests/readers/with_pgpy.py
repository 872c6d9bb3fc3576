"""Open a message, or verify a signature made apart, with PGPy; the answer goes out as JSON."""

import json
import sys
from pathlib import Path

import pgpy

act, room = sys.argv[1], Path(sys.argv[2])
sender, _ = pgpy.PGPKey.from_blob((room / "sender.pgp").read_bytes())
if act in {"decrypt", "open"}:
    secret, _ = pgpy.PGPKey.from_blob((room / "secret.pgp").read_bytes())
    message = secret.decrypt(pgpy.PGPMessage.from_blob((room / "message").read_bytes()))
    content = message.message
    (room / "plain").write_bytes(content.encode() if isinstance(content, str) else content)
    verified = sender.verify(message) if message.is_signed else False
else:
    signature = pgpy.PGPSignature.from_blob((room / "signature").read_bytes())
    verified = sender.verify((room / "signed").read_bytes(), signature)
sys.stdout.write(json.dumps({"by": str(sender.fingerprint) if verified else ""}))
