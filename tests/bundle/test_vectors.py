from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import certmail.bundle
from certmail.bundle.check import check
from certmail.bundle.findings import Severity
from tests.bundle import make, vectors

CODE = re.compile(
    r"(?:FILE|LINES|CHAR|SPACE|BLOCK|BOUNDARY|BASE64|TEXT|LABEL|KEY|CERT|LEAF|CHAIN|DOMAIN|REPLACE|SENT)"
    r"(?:-[A-Z0-9]+)+"
)


@pytest.mark.parametrize("vector", vectors.ALL, ids=lambda vector: vector.name)
def test_each_defect_is_told_by_its_cause_alone(vector):
    """RFC 7468 §2, RFC 7468 §3, RFC 5280 §6.1: one defect, one code, and no fallout."""
    assert tuple(finding.code for finding in vector.verdict.findings) == vector.codes


@pytest.mark.parametrize("vector", vectors.ALL, ids=lambda vector: vector.name)
def test_a_bundle_is_checked_exactly_when_nothing_is_an_error(vector):
    wrong = any(finding.severity is Severity.ERROR for finding in vector.verdict.findings)
    assert (vector.verdict.checked is None) == wrong


@pytest.mark.parametrize("vector", vectors.ALL, ids=lambda vector: vector.name)
def test_each_finding_is_a_clean_sentence_with_an_act(vector):
    for finding in vector.verdict.findings:
        for text in (finding.what, finding.why, finding.next):
            assert text
            assert text.isprintable()
            assert not text.endswith(".")
            assert len(text) < 400


def test_every_code_has_a_vector():
    """A code that no vector raises may be dead, or wrong."""
    raised = {code for vector in vectors.ALL for code in vector.codes}
    assert codes_in_source() - raised == set()


def test_a_sound_bundle_has_no_finding():
    assert check(make.bundle(), at=make.AT).findings == ()


def codes_in_source() -> set[str]:
    """Collect every string in the room that is spelled like a code."""
    room = Path(certmail.bundle.__file__).parent
    return {
        node.value
        for file in room.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CODE.fullmatch(node.value)
    }
