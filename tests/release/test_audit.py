"""The audit tells three answers apart, and never takes silence for a pass."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from release.audit import Outcome, judge
from tests.peers import unmet
from tests.release.conftest import AUDIT, ROOT, run

KNOWN = (
    "requests==2.19.1"
    " --hash=sha256:63b52e3c866428a224f97cab011de738c36aec0185aa91cfacd418b5d58911d1\n"
    "    # via certmail\n"
)
"""Known since 2018: CVE-2018-18074."""

CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found"}
FAULT = {"id": "PYSEC-2018-28", "fix_versions": ["2.20.0"], "aliases": ["CVE-2018-18074"]}


@pytest.fixture(autouse=True)
def tools():
    if not AUDIT.exists():
        unmet("make audit has not set up its environment")


def audit(lock, *words: str, **environ: str):
    return run(AUDIT, "-m", "release.audit", *words, lock, cwd=ROOT, **environ)


def test_a_release_with_a_known_fault_fails(tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text(KNOWN)
    ended = audit(lock, "--go-on")
    if "NOT AUDITED" in ended.stdout:
        pytest.skip(f"the data cannot be had here: {ended.stdout.strip()}")
    assert (ended.returncode, "KNOWN VULNERABILITIES" in ended.stdout) == (1, True)
    assert "CVE-2018-18074" in ended.stdout


@pytest.fixture
def told():
    """A vulnerability service on loopback that knows of one fault, in the form of OSV."""
    fault = {
        "schema_version": "1.6.0",
        "id": "PYSEC-2018-28",
        "aliases": ["CVE-2018-18074"],
        "summary": "sends credentials on",
        "affected": [
            {
                "package": {"name": "requests", "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "2.20.0"}]}],
            }
        ],
    }

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = asked["package"]["name"] == "requests" and asked["version"] == "2.19.1"
            answer = json.dumps({"vulns": [fault]} if known else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {
            "PIP_AUDIT_VULNERABILITY_SERVICE": "osv",
            "PIP_AUDIT_OSV_URL": f"http://127.0.0.1:{server.server_port}/v1/query",
            "no_proxy": "127.0.0.1",
        }
        server.shutdown()
        thread.join()


def test_a_fault_that_a_service_knows_fails_whatever_the_system(told, tmp_path):
    """A marker that does not hold here hides nothing."""
    lock = tmp_path / "lock.txt"
    lock.write_text(KNOWN.replace(" --hash", " ; sys_platform == 'win32' --hash"))
    ended = audit(lock, "--go-on", **told)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout == (
        f"{lock}: KNOWN VULNERABILITIES: requests 2.19.1: PYSEC-2018-28 CVE-2018-18074"
        ", mended in 2.20.0\n"
    )


def test_the_runtime_lock_is_asked_about_whole(told):
    lock = ROOT / "requirements" / "runtime.txt"
    ended = audit(lock, **told)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    releases = len(re.findall(r"^[\w.-]+==", lock.read_text(encoding="utf-8"), re.MULTILINE))
    assert ended.stdout == f"{lock}: audited: {releases} releases, nothing known\n"


def test_no_way_to_the_data_is_not_a_pass(tmp_path):
    """A proxy at a port where nobody listens: every question fails, at once."""
    lock = tmp_path / "lock.txt"
    lock.write_text(KNOWN)
    nowhere = dict.fromkeys(("https_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    nowhere |= {"no_proxy": "", "NO_PROXY": ""}
    ended = audit(lock, **nowhere)
    assert (ended.returncode, "NOT AUDITED" in ended.stdout) == (Outcome.NOT_AUDITED, True)
    ended = audit(lock, "--go-on", **nowhere)
    assert (ended.returncode, "NOT AUDITED" in ended.stdout) == (0, True)
    assert "audited: " not in ended.stdout


@pytest.mark.parametrize(
    ("answer", "asked", "outcome"),
    [
        ([CLEAN], 1, Outcome.CLEAN),
        ([CLEAN, {**CLEAN, "vulns": [FAULT]}], 2, Outcome.KNOWN),
        (
            [{"name": "b", "skip_reason": "not found"}, {**CLEAN, "vulns": [FAULT]}],
            2,
            Outcome.KNOWN,
        ),
        ([CLEAN, {"name": "b", "skip_reason": "not found"}], 2, Outcome.NOT_AUDITED),
        ([CLEAN], 2, Outcome.NOT_AUDITED),
        ([], 0, Outcome.NOT_AUDITED),
    ],
    ids=["clean", "known", "known-and-skipped", "skipped", "left-out", "empty"],
)
def test_only_a_whole_answer_counts(answer, asked, outcome):
    found, lines = judge(answer, asked=asked)
    assert (found, bool(lines)) == (outcome, True)
