"""``certmail explain``: one place for codes, findings and exit statuses."""

from __future__ import annotations

import json

import pytest

from tests.test_errors import pages, status_pages


@pytest.mark.parametrize(
    ("typed", "first", "said"),
    [
        ("KEY-EXPIRED", "KEY-EXPIRED", "newer copy"),
        ("key-expired", "KEY-EXPIRED", "newer copy"),
        ("[LEAF-EXPIRES-SOON]", "LEAF-EXPIRES-SOON", "Next:"),
        ("14", "exit status 14", "no verdict came back"),
        ("0", "exit status 0", "relay has accepted"),
        ("143", "exit status 143", "Terminated"),
    ],
)
def test_an_error_a_finding_and_an_exit_status_are_explained(user, typed, first, said):
    ran = user("explain", typed)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == first
    assert said in " ".join(ran.out.split())
    assert "Next:" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("typed", ["99", "KEY-EXPIRE"])
def test_an_unknown_word_is_answered_with_what_is_near(user, typed):
    ran = user("explain", typed)
    assert (ran.status, ran.code) == (2, "EXPLAIN-UNKNOWN")
    assert "certmail explain" in ran.err


def test_json_has_the_paragraphs_of_a_status(user):
    told = json.loads(user("explain", "14", "--json").out)
    assert (told["schema"], told["code"]) == ("certmail.explain/1", "14")
    assert len(told["paragraphs"]) > 1


def test_every_page_is_found_by_its_name():
    """In one process: hundreds of them, and all in the same two files."""
    from certmail.cli import code_pages

    assert list(code_pages.code_pages()) == pages()
    assert list(code_pages.status_pages()) == status_pages()
