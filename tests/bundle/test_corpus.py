"""The vectors that lie in files say today what they said when they were written."""

from __future__ import annotations

import pytest

from certmail.bundle.check import check
from tests.bundle import corpus


@pytest.mark.parametrize("case", corpus.cases(), ids=lambda case: case.name)
def test_a_file_of_the_corpus_meets_what_it_expects(case):
    found = check(case.data, at=case.at, domains=case.domains).findings
    assert tuple(finding.code for finding in found) == case.expect


def test_the_corpus_is_there():
    assert len(corpus.cases()) > 150
