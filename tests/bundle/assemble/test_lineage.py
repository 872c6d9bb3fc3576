from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.bundle.assemble import documents
from certmail.bundle.assemble.choose import choose
from certmail.bundle.assemble.gather import gather
from certmail.bundle.repair import join
from certmail.errors import BundleError
from certmail.lineage import folders, parsers
from tests.bundle import make
from tests.bundle.assemble import layouts, sealed
from tests.bundle.assemble.sealed import PASSPHRASE, Knows
from tests.bundle.make import AT
from tests.posix import POSIX


def built(path, *, domains=(), passphrase=None) -> tuple[str, bytes]:
    """Give who laid it out, and the bundle."""
    chosen = choose(folders.find(path), domains=domains, where=str(path))
    items = [
        item
        for source in chosen.sources
        for item in gather(source.data, name=source.name, passphrase=passphrase).items
    ]
    return chosen.kind, join(items, (), at=AT).pem


def written(folder, name: str, data: bytes):
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("lay_out", "kind"),
    [
        (layouts.certbot, "certbot"),
        (layouts.acme_sh, "acme.sh"),
        (layouts.lego, "lego"),
        (layouts.caddy, "Caddy"),
        (layouts.mounted_secret, "Kubernetes Secret"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_folder_gives_the_bundle(lay_out, kind, tmp_path):
    assert (kind, make.bundle()) == built(lay_out(tmp_path / "top"))


@pytest.mark.parametrize(
    ("name", "document", "kind"),
    [
        ("acme.json", layouts.traefik, "Traefik"),
        ("old.json", lambda: layouts.traefik(version=1), "Traefik"),
        ("secret.json", lambda: json.dumps(layouts.secret_json()).encode(), "Kubernetes Secret"),
        ("secret.yaml", layouts.secret_yaml, "Kubernetes Secret"),
        ("string.yaml", layouts.string_data_yaml, "Kubernetes Secret"),
        (
            "list.json",
            lambda: json.dumps({"kind": "List", "items": [layouts.secret_json()]}).encode(),
            "Kubernetes Secret",
        ),
        (
            "stream.yaml",
            lambda: b"kind: ConfigMap\n---\n" + layouts.secret_yaml(),
            "Kubernetes Secret",
        ),
        ("vault.json", layouts.vault, "Vault"),
        ("vault-data.json", lambda: layouts.vault(wrapped=False), "Vault"),
        (
            "any.yaml",
            layouts.any_yaml,
            "document",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_document_gives_the_bundle(name, document, kind, tmp_path):
    assert (kind, make.bundle()) == built(written(tmp_path, name, document()))


def test_what_acm_exports_is_decrypted(tmp_path):
    path = written(tmp_path, "acm.json", layouts.acm(sealed.pkcs8()))
    knows = Knows(PASSPHRASE)
    assert built(path, passphrase=knows) == ("AWS Certificate Manager", make.bundle())
    assert knows.asked == ["the key of PrivateKey, lines 1-30"]


def test_a_folder_with_acme_json_is_traefiks(tmp_path):
    written(tmp_path, "acme.json", layouts.traefik())
    assert built(tmp_path) == ("Traefik", make.bundle())


def test_lego_without_bundle_takes_the_issuer_from_its_own_file(tmp_path):
    assert built(layouts.lego(tmp_path, bundled=False)) == ("lego", make.bundle())


def test_certbot_without_fullchain_is_put_together(tmp_path):
    live = layouts.certbot(tmp_path)
    (live / "fullchain.pem").unlink()
    assert built(live) == ("certbot", make.bundle())


def test_a_lineage_in_the_middle_of_a_renewal_is_refused(tmp_path):
    live = layouts.certbot(tmp_path)
    archive = tmp_path / "archive" / make.HOST
    (archive / "privkey4.pem").write_bytes(make.key_pem())
    (live / "privkey.pem").unlink()
    (live / "privkey.pem").symlink_to(f"../../archive/{make.HOST}/privkey4.pem")
    with pytest.raises(BundleError) as refused:
        built(live)
    assert refused.value.code == "LINEAGE-MIXED"


def test_certbot_with_reuse_key_links_to_the_key_of_an_earlier_renewal(tmp_path):
    live = layouts.certbot(tmp_path)
    archive = tmp_path / "archive" / make.HOST
    (archive / "privkey3.pem").rename(archive / "privkey2.pem")
    (archive / "privkey3.pem").symlink_to("privkey2.pem")
    assert built(live) == ("certbot", make.bundle())


def test_a_secret_with_the_issuer_in_its_own_field(tmp_path):
    secret = layouts.secret_json()
    secret["data"] = {
        "tls.crt": layouts.b64(make.leaf_pem()),
        "tls.key": layouts.b64(make.key_pem()),
        "ca.crt": layouts.b64(make.chain_pem()),
    }
    path = written(tmp_path, "secret.json", json.dumps(secret).encode())
    assert built(path)[1] == make.bundle()


def test_of_several_the_one_that_covers_the_name_is_taken(tmp_path):
    path = written(tmp_path, "acme.json", layouts.traefik(others=3))
    assert built(path, domains=(make.HOST,))[1] == make.bundle()


def test_several_are_named_and_none_is_picked(tmp_path):
    path = written(tmp_path, "acme.json", layouts.traefik(others=3))
    for domains in ((), ("nowhere.example",), ("other.example",)):
        with pytest.raises(BundleError) as refused:
            built(path, domains=domains)
        assert refused.value.code == "LINEAGE-SEVERAL"
        assert "other0.example" in refused.value.what


def test_the_whole_live_folder_needs_a_name(tmp_path):
    layouts.certbot(tmp_path)
    layouts.certbot(tmp_path, name="second")
    with pytest.raises(BundleError) as refused:
        built(tmp_path)
    assert refused.value.code == "LINEAGE-SEVERAL"
    assert built(tmp_path / "live" / "second")[1] == make.bundle()


def test_rsa_and_ecdsa_for_one_name_are_two(tmp_path):
    layouts.acme_sh(tmp_path)
    layouts.acme_sh(tmp_path, suffix="_ecc")
    with pytest.raises(BundleError) as refused:
        built(tmp_path, domains=(make.HOST,))
    assert refused.value.code == "LINEAGE-SEVERAL"


def test_an_empty_folder_holds_nothing(tmp_path):
    with pytest.raises(BundleError) as refused:
        built(tmp_path)
    assert refused.value.code == "LINEAGE-NOTHING"


@POSIX
def test_a_missing_path_a_pipe_and_a_huge_file_cannot_be_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    huge = written(tmp_path, "huge.json", b"{" + b" " * 2**20)
    for path in (tmp_path / "nowhere", tmp_path / "pipe", huge):
        with pytest.raises(BundleError) as refused:
            built(path)
        assert refused.value.code == "LINEAGE-UNREADABLE"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "a": 2}',
        b'{"a":',
        b"[" * 100_000,
        b"{a: " * 3000,
        b"a: &x [1]\nb: *x\n",
        b"a: 1\na: 2\n",
        b"a: !!python/object/apply:os.system [id]\nb: [",
        b"\xff\xfe\xfd",
        b"- x\n" * 200_000,
    ],
)
def test_a_malformed_document_is_refused_and_not_quoted(data):
    with pytest.raises(BundleError) as refused:
        parsers.parse(data, name="x.yaml")
    assert refused.value.code == "DOCUMENT-MALFORMED"
    assert (refused.value.__cause__, refused.value.__suppress_context__) == (None, True)


def test_yaml_makes_nothing_but_texts():
    value = parsers.parse(b"a: !!python/name:os.system\nb: 2026-99-99\nc: yes\n", name="x")
    assert value == {"a": "", "b": "2026-99-99", "c": "yes"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["kind", "data", "stringData", "items", "Certificates", "domain", "main", "key",
                 "certificate", "private_key", "ca_chain", "PrivateKey", "Certificate", "tls.key"]
            )
            | st.just("x"),
            inner | st.sampled_from(["Secret", "List", "SecretList", "-----BEGIN X-----", "TUlJ"]),
            max_size=5,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_any_document_gives_lineages_or_none(document):
    for lineage in documents.lineages(document, name="x"):
        assert lineage.sources
        assert all(source.data for source in lineage.sources)
