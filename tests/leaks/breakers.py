"""Programs that leak on purpose, each in its own way: the harness has to see every one."""

from __future__ import annotations

BEFORE = """
import base64, mmap, os, socket, subprocess, sys
from cryptography.hazmat.primitives import serialization

PORT = int(sys.argv[1])
PEM = open("bundle.pem", "rb").read()
KEY = PEM[PEM.index(b"-----BEGIN PRIVATE"):]
LINE = KEY.splitlines()[9].decode()
NAME = next(word for line in KEY.decode().splitlines()[2:] for at in (0, 16, 32)
            if "/" not in (word := line[at:at + 16]))
NUMBER = serialization.load_pem_private_key(KEY, None).private_numbers().p
P = NUMBER.to_bytes(NUMBER.bit_length() // 8, "big")
"""

LEAKS = {
    "nothing": "print(len(P))",
    "a file": "open('note', 'wb').write(PEM)",
    "a file that is gone again": "open('note', 'wb').write(PEM); os.unlink('note')",
    "a number of the key in pieces": """
note = open("note", "wb", 0)
for at in range(0, len(P), 5):
    note.write(P[at:at + 5])
""",
    "a number in hex": "open('note', 'w').write(P.hex())",
    "a number in another base64": "open('note', 'wb').write(base64.b64encode(b'xx' + P))",
    "the bundle encoded once more": "open('note', 'wb').write(base64.b64encode(b'x' + PEM))",
    "an argument": "subprocess.run(['true', LINE])",
    "a variable": "subprocess.run(['true'], env={'KEY': LINE})",
    "the name of a file": "open(NAME, 'w')",
    "the name of a folder": "os.mkdir(NAME)",
    "the terminal": "sys.stderr.write(LINE)",
    "a pipe to another program": """
subprocess.run(["cat"], input=PEM, stdout=subprocess.DEVNULL)
""",
    "a pipe to gpg for another work": """
words = ["gpg", "--no-options", "--homedir", ".", "--list-packets"]
subprocess.run(words, input=PEM, capture_output=True)
""",
    "memory with a name": "os.memfd_create('note')",
    "a shared mapping": """
note = open("note", "wb+")
note.truncate(4096)
mmap.mmap(note.fileno(), 4096)[:len(LINE)] = LINE.encode()
""",
    "the relay in clear": """
with socket.create_connection(("127.0.0.1", PORT)) as relay:
    relay.send(LINE.encode())
""",
    "somebody else on the network": """
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 53))
""",
    "the password": "os.write(2, b'correct-horse-battery')",
    "the login": "os.write(2, base64.b64encode(b'\\0ops\\0correct-horse-battery'))",
}
