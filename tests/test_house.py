"""Who may import whom, and what no room may do: the architecture, held as data."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "certmail"

# The arrows. A room is a module or a package of certmail; a longer name wins over a shorter one.

CORE = (
    "errors",
    "values",
    "recipient",
    "submission",
    "providers",
    "bundle",
    "key",
    "message",
    "acme",
)
EDGES = (
    "gnupg",
    "delivery",
    "secrets",
    "settings",
    "lineage",
    "keysources",
    "keystore",
    "key.bundled",
    "inspection",
    "lookups",
    "challenge",
    "names",
    "stores",
    "outbox",
    "ledger",
    "ratchet",
)

# Tools of the edges. One keeps state: files, folders and locks, and nothing of what is in them.
# Another fetches: addresses and octets, and nothing of what they mean. The third tells what was
# done. The next holds signals back for a moment. The last
# tells which folders are a user's.
TOOLS = ("durable", "web", "events", "held", "places")

# What every room may import, as it may the standard library.
LANGUAGE = ("ahead", "frozen")

ARROWS = {
    "ahead": (),
    "frozen": (),
    "errors": (),
    "values": ("errors",),
    "recipient": ("values",),
    "submission": (),
    "held": (),
    "places": (),
    "providers": ("submission",),
    "bundle": ("errors", "values", "recipient"),
    "key": ("errors", "values", "recipient"),
    "message": ("errors", "values", "recipient", "bundle", "key"),
    "acme": ("errors", "values", "recipient", "bundle"),
    # The edges see the core and never each other.
    "key.bundled": ("errors", "values", "recipient", "key"),
    "gnupg": ("errors", "values", "recipient", "key", "message", "events", "held"),
    "delivery": ("errors", "values", "submission", "recipient", "key", "message", "events"),
    "secrets": ("errors", "values", "events", "held"),
    "settings": ("errors", "values", "submission", "durable", "places"),
    "lineage": ("errors", "values", "bundle", "web"),
    "keysources": ("errors", "values", "recipient", "web", "events"),
    "keystore": ("errors", "values", "places"),
    "inspection": ("errors", "values"),
    "lookups": ("errors", "values", "bundle", "web"),
    "challenge": ("errors", "values", "acme", "web"),
    "names": ("errors", "values", "submission", "web"),
    "stores": ("errors", "values", "bundle"),
    "durable": ("errors", "values"),
    "events": ("values",),
    "web": ("errors", "values"),
    "outbox": ("errors", "values", "message", "durable", "events"),
    "ledger": ("errors", "values", "durable", "events"),
    "ratchet": ("errors", "values", "durable", "events"),
    # The story knows the order and the ports; who wires it knows everything.
    "walk": CORE,
    "batch": CORE,
    "office": (*CORE, *EDGES, *TOOLS, "walk", "batch"),
    "login": (*CORE, *EDGES, "office"),
    "rehearsal": (*CORE, *EDGES, "walk", "batch", "office"),
    # What a program that calls certmail is offered.
    "api": (*CORE, *EDGES, *TOOLS, "walk", "batch", "office"),
    "cli": (*CORE, *EDGES, *TOOLS, "walk", "batch", "office", "login", "rehearsal"),
    "__main__": ("cli",),
}

# The transport never sees plaintext: it must not even know its types.
UNSEEN = {
    "certmail.delivery": ("certmail.bundle", "certmail.message.letter"),
    "certmail.delivery.probe": ("certmail.message",),
}

# What only some rooms may import; nobody else, not even inside a function.
FOREIGN = {
    "ssl": (
        "certmail.inspection",
        "certmail.stores",
        "certmail.delivery",
        "certmail.web",
        "certmail.rehearsal",
    ),
    "socket": (
        "certmail.inspection",
        "certmail.delivery",
        "certmail.web",
        "certmail.rehearsal",
    ),
    "aiosmtplib": ("certmail.delivery",),
    "dns": ("certmail.names",),
    "scramp": ("certmail.delivery",),
    "python_socks": ("certmail.delivery",),
    "aiosmtpd": ("certmail.rehearsal",),
    "gnupg": ("certmail.gnupg", "certmail.rehearsal"),
    "subprocess": ("certmail.gnupg", "certmail.secrets"),
    "keyring": ("certmail.secrets",),
    "tempfile": ("certmail.gnupg.homes", "certmail.rehearsal"),
    "tomllib": ("certmail.settings",),
    "platformdirs": ("certmail.places",),
    "sqlite3": ("certmail.outbox",),
    "fcntl": ("certmail.durable", "certmail.keystore"),
    "msvcrt": ("certmail.durable", "certmail.keystore"),
    # The library tells events; who listens to them is the command line's to say.
    # Beside them, some rooms keep a foreign logger down that would tell keys.
    "logging": (
        "certmail.events",
        "certmail.cli",
        "certmail.gnupg.signers",
        "certmail.rehearsal",
    ),
    "click": ("certmail.cli",),
    "rich": ("certmail.cli",),
    "webbrowser": ("certmail.cli.browser",),
    # Never a second way to send bytes, and never a format that runs what it reads.
    **dict.fromkeys(("smtplib", "http", "urllib.request", "ftplib", "requests"), ()),
    "httpx": ("certmail.web",),
    "httpcore": ("certmail.web",),
    **dict.fromkeys(("pickle", "marshal", "shelve", "ctypes", "multiprocessing"), ()),
}

# What the first answer of the command line must not wait for.
HEAVY = (
    "cryptography",
    "aiosmtplib",
    "aiosmtpd",
    "asyncio",
    "dns",
    "keyring",
    "rich",
    "gnupg",
    "ssl",
    "tomllib",
)


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_bytes())


def is_in(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


def imports(module: str) -> Iterator[str]:
    """Name all that a module imports, also inside functions and for the type checker only."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: relative imports hide who is meant"
            assert node.module
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                # "from certmail.key import armor" imports the module; "from ssl import X" a name.
                yield inner if inner in MODULES or node.module == "urllib" else node.module


def room_of(module: str) -> str:
    name = module.removeprefix("certmail.")
    rooms = [room for room in ARROWS if is_in(name, (room,))]
    return max(rooms, key=len, default="")


def where(module: str, node: ast.AST) -> str:
    return f"{MODULES[module].relative_to(ROOT)}:{getattr(node, 'lineno', '?')}"


def places(*, outside: tuple[str, ...], of) -> list[str]:
    """List where a predicate over syntax holds outside the rooms that may."""
    return [
        where(module, node)
        for module in MODULES
        if not is_in(module, outside)
        for node in ast.walk(tree(module))
        if of(node)
    ]


# Arrows


def test_every_module_belongs_to_a_room():
    assert [m for m in MODULES if m != "certmail" and not room_of(m)] == []


def test_each_room_imports_only_what_its_arrows_allow():
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if module != "certmail"
        for name in imports(module)
        if is_in(name, ("certmail",))
        and name != "certmail"
        and room_of(name) not in (room_of(module), *LANGUAGE, *ARROWS[room_of(module)])
    ]
    assert wrong == []


def test_the_arrows_themselves_keep_core_and_edges_apart():
    """The data above must say what the architecture says."""
    reach = {*CORE, *TOOLS}
    assert all(set(ARROWS[room]) <= set(CORE) for room in (*CORE, *TOOLS, "walk", "batch"))
    assert all(set(ARROWS[room]) <= reach for room in EDGES)
    tuple(graphlib.TopologicalSorter(ARROWS).static_order())


def test_no_import_runs_in_a_circle():
    # The root imports a public name when it is first used; what asks for the version gets only it.
    graph = {
        module: set(imports(module)) & set(MODULES) - {module, "certmail"}
        for module in MODULES
        if module != "certmail"
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_transport_does_not_know_the_types_of_plaintext():
    wrong = [
        f"{module} imports {name}"
        for room, unseen in UNSEEN.items()
        for module in MODULES
        if is_in(module, (room,))
        for name in imports(module)
        if is_in(name, unseen)
    ]
    assert wrong == []


def test_foreign_modules_stay_in_their_rooms():
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imports(module)
        for foreign, rooms in FOREIGN.items()
        if is_in(name, (foreign,)) and not is_in(module, rooms)
    ]
    assert wrong == []


def test_the_root_of_the_package_costs_nothing_to_import():
    """It names the library for type checkers, and imports each name when it is first used."""
    known = "import sys; known = {*sys.modules}; "
    loads = known + "import certmail; print(*{*sys.modules} - known)"
    ended = subprocess.run(
        [sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["certmail"]


# What no room may do


def called(node: ast.AST) -> str:
    """Name what a node calls, as written: ``sys.exit``, ``print``."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def test_only_the_command_line_prints_and_exits():
    ends = {"print", "input", "exit", "quit", "sys.exit", "os._exit", "os.abort"}
    of_cli = ("certmail.cli", "certmail.__main__")
    assert places(outside=of_cli, of=lambda node: called(node) in ends) == []
    streams = {"sys.stdout", "sys.stderr"}
    shows = lambda node: isinstance(node, ast.Attribute) and ast.unparse(node) in streams  # noqa: E731
    assert places(outside=of_cli, of=shows) == []


def test_only_the_command_line_listens_to_loggers():
    ways = ("addHandler", "basicConfig", "dictConfig", "fileConfig", "lastResort", "setLoggerClass")
    assert places(outside=("certmail.cli",), of=lambda node: called(node).endswith(ways)) == []
    prints = lambda node: called(node).startswith("logging.") and "getLogger" not in called(node)  # noqa: E731
    assert places(outside=("certmail.cli",), of=prints) == []


def test_no_check_is_an_assertion():
    """``python -O`` removes assertions."""
    assert places(outside=(), of=lambda node: isinstance(node, ast.Assert)) == []


def test_only_the_command_line_reads_the_clock():
    clocks = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time")
    of_roots = ("certmail.cli", "certmail.rehearsal", "certmail.office")
    assert places(outside=of_roots, of=lambda node: called(node).endswith(clocks)) == []


def test_the_core_touches_no_file_and_no_environment():
    touches = ("open", "read_bytes", "read_text", "write_bytes", "write_text", "os.getenv")
    core = tuple(f"certmail.{room}" for room in CORE)
    others = tuple(m for m in MODULES if not is_in(m, core) or room_of(m) == "key.bundled")
    assert places(outside=others, of=lambda node: called(node).endswith(touches)) == []
    environ = lambda node: isinstance(node, ast.Attribute) and node.attr == "environ"  # noqa: E731
    assert places(outside=others, of=environ) == []


def test_nothing_swallows_every_exception():
    """Only the command line may, to report a bug, and what keeps it for the one who asks."""

    def swallows(node: ast.AST) -> bool:
        if not isinstance(node, ast.ExceptHandler):
            return False
        caught = ast.unparse(node.type) if node.type else "BaseException"
        every = caught in {"Exception", "BaseException"}
        return every and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))

    assert places(outside=("certmail.cli", "certmail.ahead"), of=swallows) == []


def is_false_or_none(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and (node.value is False or node.value is None)


def weakens_tls(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        words = {"start_tls", "check_hostname", "validate_certs", "verify"}
        return node.arg in words and is_false_or_none(node.value)
    if isinstance(node, ast.Assign):
        names = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
        return "check_hostname" in names and is_false_or_none(node.value)
    if isinstance(node, ast.Name | ast.Attribute | ast.alias):
        name = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", "")
        return name in {"CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context"}
    return False


def test_no_room_can_weaken_tls():
    """Not for a test, not for a moment."""
    assert places(outside=(), of=weakens_tls) == []


@pytest.mark.parametrize(
    "source",
    [
        "context.verify_mode = ssl.CERT_NONE",
        "from ssl import CERT_NONE",
        "context.check_hostname = False",
        "SMTP(start_tls=None)",
        "SMTP(start_tls=False)",
        "SMTP(validate_certs=False)",
        "ssl._create_unverified_context()",
    ],
)
def test_the_rule_about_tls_sees_what_it_must_see(source):
    assert any(weakens_tls(node) for node in ast.walk(ast.parse(source)))


def test_every_folder_of_tests_is_a_package():
    """Two tests of one name in two folders would otherwise shadow each other."""
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [
        str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()
    ] == []


# What the first answer costs


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["send", "--help"]], ids=" ".join)
def test_help_and_version_load_nothing_heavy(arguments):
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "certmail", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, bool(ended.stdout)) == (0, True), ended.stderr[-2000:]
    loaded = [
        line.rpartition("|")[2].strip()
        for line in ended.stderr.splitlines()
        if line.startswith("import time:")
    ]
    assert [name for name in loaded if is_in(name, HEAVY)] == []
