"""The bill of materials lists what is installed, with every hash, the same each time."""

from __future__ import annotations

import json
import re

import pytest

import certmail
from release import lock
from tests.peers import unmet
from tests.release.conftest import AUDIT, ROOT, run

LOCK = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> bytes:
    if not AUDIT.exists():
        unmet("make sbom has not set up its environment")
    folder = tmp_path_factory.mktemp("bill")
    ended = run(AUDIT, "-W", "error", "-m", "release.sbom", folder / "dist", cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return (folder / "dist" / "certmail.cdx.json").read_bytes()


def test_every_runtime_dependency_is_in_the_bill_with_its_hashes(written):
    """Read from the lock by other means than the bill's own."""
    bill = json.loads(written)
    listed = {
        (found["name"], found["version"]): {
            entry["content"] for entry in found["externalReferences"][0]["hashes"]
        }
        for found in bill["components"]
    }
    wanted: dict[tuple[str, str], set[str]] = {}
    for line in LOCK.splitlines():
        if head := re.match(r"([\w.-]+)==([^\s;]+)", line):
            wanted[head[1], head[2]] = set()
        elif digest := re.search(r"--hash=sha256:([0-9a-f]{64})", line):
            wanted[list(wanted)[-1]].add(digest[1])
    assert listed == wanted
    assert len(listed) > 20


def test_the_bill_is_of_this_product_and_says_who_wants_what(written):
    bill = json.loads(written)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    product = bill["metadata"]["component"]
    assert (product["name"], product["version"]) == ("certmail", certmail.__version__)
    assert bill["metadata"]["timestamp"].startswith(certmail.RELEASED)
    wants = {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
    assert any(ref.startswith("pkg:pypi/aiosmtplib@") for ref in wants[product["bom-ref"]])
    reached, ahead = set(), [product["bom-ref"]]
    while ahead:
        ahead += wants[ref] if (ref := ahead.pop()) not in reached else []
        reached.add(ref)
    assert reached == {product["bom-ref"], *(found["bom-ref"] for found in bill["components"])}


def test_a_second_bill_is_the_same(written, tmp_path):
    ended = run(
        AUDIT, "-m", "release.sbom", tmp_path, cwd=ROOT, TZ="Asia/Tokyo", PYTHONHASHSEED="3"
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "certmail.cdx.json").read_bytes() == written


def test_the_bill_names_no_place(written):
    """What it lists is the same wherever it was fetched from."""
    places = set(re.findall(rb'https?://[^"]+', written))
    assert places <= {b"http://cyclonedx.org/schema/bom-1.6.schema.json"}


@pytest.mark.parametrize(
    "line",
    [
        "httpx==0.28.1",
        "httpx>=0.28 --hash=sha256:" + "0" * 64,
        "httpx==0.28.1 --hash=md5:" + "0" * 32,
        "httpx==0.28.1 --hash=sha256:" + "0" * 64 + " --hash=sha256:12",
        "--index-url https://index.example",
        "-e .",
    ],
)
def test_a_line_that_is_not_understood_is_refused(line):
    with pytest.raises(ValueError, match="not a pin with hashes"):
        lock.read(line + "\n")


def test_a_pin_is_read_whole():
    (pin,) = lock.read(
        "colorama==0.4.6 ; os_name == 'nt' \\\n"
        f"    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"
        "    # via -c requirements/runtime.txt, certmail (pyproject.toml:dev), click\n"
    )
    assert pin == lock.Pin(
        name="colorama",
        version="0.4.6",
        marker="os_name == 'nt'",
        hashes=("a" * 64, "b" * 64),
        wanted_by=("certmail", "click"),
    )
