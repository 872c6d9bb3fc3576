"""Folders and documents as the real programs lay them out."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from tests.bundle import make

if TYPE_CHECKING:
    from pathlib import Path

HOST = make.HOST


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def fullchain() -> bytes:
    return make.leaf_pem() + make.chain_pem()


def put(folder: Path, **files: bytes) -> Path:
    """Write files; a double underscore stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def certbot(top: Path, *, name: str = HOST, version: int = 3, key: bytes = b"") -> Path:
    """``live/NAME`` with links into ``archive/NAME``, as certbot keeps it."""
    archive, live = top / "archive" / name, top / "live" / name
    archive.mkdir(parents=True)
    live.mkdir(parents=True)
    (live / "README").write_text("This directory contains your keys and certificates.\n")
    contents = {
        "privkey": key or make.key_pem(),
        "cert": make.leaf_pem(),
        "chain": make.chain_pem(),
        "fullchain": fullchain(),
    }
    for part, data in contents.items():
        (archive / f"{part}{version}.pem").write_bytes(data)
        (live / f"{part}.pem").symlink_to(f"../../archive/{name}/{part}{version}.pem")
    return live


def acme_sh(top: Path, *, suffix: str = "") -> Path:
    """``~/.acme.sh/DOMAIN``: the key as PKCS#1, everything named after the domain."""
    folder = top / (HOST + suffix)
    put(folder, fullchain__cer=fullchain(), ca__cer=make.chain_pem())
    (folder / f"{HOST}.key").write_bytes(make.traditional(make.rsa_key("leaf")))
    (folder / f"{HOST}.cer").write_bytes(make.leaf_pem())
    (folder / f"{HOST}.conf").write_text(f"Le_Domain='{HOST}'\n")
    (folder / f"{HOST}.csr").write_text("-----BEGIN CERTIFICATE REQUEST-----\n")
    return folder


def lego(top: Path, *, bundled: bool = True) -> Path:
    """``.lego``: all certificates side by side; ``--no-bundle`` leaves the chain out of the crt."""
    folder = top / "certificates"
    folder.mkdir(parents=True)
    whole = fullchain() if bundled else make.leaf_pem()
    for name, data in {
        f"{HOST}.key": make.traditional(make.rsa_key("leaf")),
        f"{HOST}.crt": whole,
        f"{HOST}.issuer.crt": make.chain_pem(),
        f"{HOST}.json": json.dumps({"domain": HOST}).encode(),
    }.items():
        (folder / name).write_bytes(data)
    old = top / "archives"
    old.mkdir()
    (old / f"{HOST}.1700000000.key").write_bytes(make.key_pem())
    (old / f"{HOST}.1700000000.crt").write_bytes(fullchain())
    (top / "accounts").mkdir()
    return top


def caddy(top: Path, *names: str) -> Path:
    """``certificates/AUTHORITY/DOMAIN/DOMAIN.crt`` under Caddy's data folder."""
    for name in names or (HOST,):
        folder = top / "certificates" / "acme-v02.api.letsencrypt.org-directory" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.key").write_bytes(make.key_pem())
        (folder / f"{name}.crt").write_bytes(fullchain())
        (folder / f"{name}.json").write_text('{"sans": []}')
    return top


def mounted_secret(top: Path) -> Path:
    """A Secret as a volume: links to ``..data``, which is a link itself."""
    put(top / "..2026_11_23", tls__crt=fullchain(), tls__key=make.key_pem())
    (top / "..data").symlink_to("..2026_11_23")
    for name in ("tls.crt", "tls.key"):
        (top / name).symlink_to(f"..data/{name}")
    return top


def traefik(*, version: int = 2, others: int = 0) -> bytes:
    """``acme.json``, with other people's certificates beside ours."""
    stranger = make.pem_of(make.make_leaf(make.lower(), names=["other.example"]))
    mine = {"domain": {"main": HOST}, "certificate": b64(fullchain()), "key": b64(make.key_pem())}
    entries = [
        {
            "domain": {"main": f"other{number}.example"},
            "certificate": b64(stranger),
            "key": b64(make.key_pem()),
            "Store": "default",
        }
        for number in range(others)
    ]
    store = {"Account": {"Email": "x@y.example"}, "Certificates": [*entries, mine]}
    return json.dumps({"le": store} if version > 1 else store).encode()


def secret_json() -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "www-tls"},
        "data": {"tls.crt": b64(fullchain()), "tls.key": b64(make.key_pem())},
    }


def secret_yaml() -> bytes:
    return (
        "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata:\n"
        "  name: www-tls\n  creationTimestamp: 2026-11-23T00:00:00Z\ndata:\n"
        f"  tls.crt: {b64(fullchain())}\n  tls.key: {b64(make.key_pem())}\n"
    ).encode()


def indented(data: bytes, spaces: int = 4) -> str:
    return "".join(f"{' ' * spaces}{row}\n" for row in data.decode().splitlines())


def string_data_yaml() -> bytes:
    return (
        "kind: Secret\nstringData:\n  tls.key: |\n"
        + indented(make.key_pem())
        + "  tls.crt: |\n"
        + indented(fullchain())
    ).encode()


def any_yaml() -> bytes:
    """Somebody's own settings, with the bundle in one of them."""
    return ("tls_bundle: |\n" + indented(make.bundle())).encode()


def vault(*, wrapped: bool = True) -> bytes:
    data = {
        "certificate": make.leaf_pem().decode().strip(),
        "issuing_ca": make.chain_pem().decode().split("\n-----BEGIN")[0],
        "ca_chain": [
            make.pem_of(one.certificate).decode().strip() for one in (make.lower(), make.upper())
        ],
        "private_key": make.traditional(make.rsa_key("leaf")).decode().strip(),
        "private_key_type": "rsa",
        "serial_number": "01:02",
    }
    return json.dumps({"lease_id": "", "data": data} if wrapped else data).encode()


def acm(key: bytes) -> bytes:
    return json.dumps(
        {
            "Certificate": make.leaf_pem().decode(),
            "CertificateChain": make.chain_pem().decode(),
            "PrivateKey": key.decode(),
        }
    ).encode()
