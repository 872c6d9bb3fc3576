"""What ``import certmail`` offers: a list that changes only on purpose, with types and words."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import certmail

ROOT = Path(__file__).parent.parent.parent
ERRORS = ROOT / "docs" / "errors.md"

# The golden list. A name that leaves it breaks somebody's program.
SURFACE = set(Path(__file__).with_name("surface.txt").read_text(encoding="utf-8").split())

SIGNATURES = {
    "check": "(pem: 'bytes', *, at: 'datetime', domains: 'tuple[str, ...]' = ()) -> 'Verdict'",
    "require_checked": "(verdict: 'Verdict') -> 'CheckedBundle'",
    "open_gnupg": (
        "(*, home: 'Path', env: 'Mapping[str, str]', program: 'str | None' = None,"
        " sign_timeout_s: 'float' = 120.0, pinentry: 'str' = 'error') -> 'GnuPG'"
    ),
    "shipped_key": "() -> 'bytes'",
    "pin": "(copy: 'bytes', *more: 'bytes', gnupg: 'GnuPG', at: 'datetime') -> 'PinnedKey'",
    "find_signer": (
        "(gnupg: 'GnuPG', *, address: 'Address | None', fingerprint: 'Fingerprint | None' = None,"
        " name: 'str | None' = None) -> 'Signer'"
    ),
    "seal": (
        "(checked: 'CheckedBundle', *, key: 'PinnedKey', signer: 'Signer', gnupg: 'GnuPG',"
        " request: 'Request | None' = None, copy: 'Copy' = <Copy.NONE: 'nobody'>,"
        " accepted: 'Acceptance | None' = None) -> 'Sealing'"
    ),
    "deliver": (
        "(sealed: 'SealedMessage', *, relay: 'Relay', secret: 'Secret | SecretSource | None',"
        " now: 'Callable[[], datetime]', accepted: 'Acceptance | None' = None,"
        " timeouts: 'Timeouts | None' = None) -> 'Receipt'"
    ),
}


def test_the_public_names_are_these_and_no_others():
    assert set(certmail.__all__) == SURFACE
    assert len(certmail.__all__) == len(SURFACE)


def test_every_public_name_is_there_and_shown():
    assert [name for name in sorted(SURFACE) if not hasattr(certmail, name)] == []
    assert SURFACE - set(dir(certmail)) == set()


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_steps_are_called_as_they_always_were(name):
    assert str(inspect.signature(getattr(certmail, name))) == SIGNATURES[name]


def test_type_checkers_and_the_interpreter_find_the_same_names_in_the_same_places():
    tree = ast.parse(Path(certmail.__file__).read_text(encoding="utf-8"))
    typed = {
        (node.module, alias.name)
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module != "typing"
        for alias in node.names
    }
    found = {(module, name) for module, names in certmail._HOMES.items() for name in names}
    assert typed == found
    assert {name for _, name in found} == set(certmail.__all__) - {"__version__"}


def test_no_public_name_hides_a_room():
    """``certmail.key`` is a package: a name equal to a room would change with the import order."""
    rooms = {found.name for found in pkgutil.iter_modules(certmail.__path__)}
    assert rooms.isdisjoint(certmail.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="send_plain"):
        _ = certmail.send_plain


def test_a_star_import_gives_the_public_names():
    names: dict[str, object] = {}
    exec("from certmail import *", names)
    assert set(names) - {"__builtins__"} == set(certmail.__all__)


def public_functions() -> dict[str, object]:
    """Everything with a signature: functions, and the methods of what is exported."""
    found: dict[str, object] = {}
    for name in certmail.__all__:
        thing = getattr(certmail, name)
        if inspect.isfunction(thing):
            found[name] = thing
        elif inspect.isclass(thing):
            found[name] = thing
            for inner, method in vars(thing).items():
                if not inner.startswith("_") and inspect.isfunction(method):
                    found[f"{name}.{inner}"] = method
    return found


def test_everything_public_says_what_it_is():
    assert [name for name, thing in public_functions().items() if not inspect.getdoc(thing)] == []


def test_every_code_in_a_public_docstring_has_its_page():
    pages = set(re.findall(r"^## (\S+)$", ERRORS.read_text(encoding="utf-8"), re.MULTILINE))
    said = {
        code
        for thing in public_functions().values()
        for code in re.findall(r"``([A-Z0-9]+(?:-[A-Z0-9]+)*-?…?)``", inspect.getdoc(thing) or "")
        if "-" in code
    }
    assert said
    missing = {
        code
        for code in said
        if not any(
            page == code or (code[-1] == "…" and page.startswith(code[:-1])) for page in pages
        )
    }
    assert missing == set()


def test_the_steps_name_their_errors_and_their_rfcs():
    for name in ("pin", "seal", "deliver"):
        text = inspect.getdoc(getattr(certmail, name)) or ""
        assert "Raises:" in text
        assert re.search(r"RFC \d{4} §", text), name


def test_importing_the_library_reads_nothing_of_the_user():
    """Neither settings nor state nor the environment: only what is asked for is read."""
    program = """
import os, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import certmail
for name in certmail.__all__:
    getattr(certmail, name)
home = os.environ["HOME"]
print([path for path in opened if path.startswith(home)])
print([name for name in ("rich", "click", "keyring", "certmail.cli", "certmail.settings")
       if name in sys.modules])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"HOME": "/nonexistent-home", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout.split("\n")[:2] == ["[]", "[]"]


def test_the_types_travel_with_the_package():
    assert (ROOT / "certmail" / "py.typed").is_file()
    assert importlib.resources.files("certmail").joinpath("py.typed").is_file()
