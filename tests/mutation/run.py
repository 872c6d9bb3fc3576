"""Run a room's tests against one mutant: in a process of its own, which ends with it.

The process is forked from one that has loaded the libraries, so that a mutant costs what its tests
cost. It imports the mutated module from memory: no file is changed, and what other programs see of
the sources stays as it is.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast
    from types import ModuleType

    from tests.mutation.operators import Mutant
    from tests.mutation.rooms import Room

LIBRARIES = (
    "pytest", "_pytest.assertion.rewrite", "hypothesis", "cryptography.x509", "asyncio",
    "aiosmtplib", "yaml", "rich", "xdist",
)  # fmt: skip


class End(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"


def warm() -> None:
    """Load what every run needs and no mutant is in."""
    for library in LIBRARIES:
        importlib.import_module(library)
    loaded = [name for name in sys.modules if name.partition(".")[0] == "certmail"]
    if loaded:
        raise RuntimeError(f"already loaded, so that a mutant would not be: {loaded}")


def run(room: Room, file: str, mutant: Mutant | None, *, seconds: float) -> End:
    """Run the room's tests; without a mutant, on the source as it is."""
    end = _run(room.tests, file, mutant, seconds=seconds)
    if end is End.SURVIVED and room.more:
        end = _run(room.more, file, mutant, seconds=seconds)
    return end


def _run(tests: tuple[str, ...], file: str, mutant: Mutant | None, *, seconds: float) -> End:
    child = os.fork()
    if child == 0:
        status = 3
        try:
            os.setpgid(0, 0)
            status = _tests(tests, file, mutant)
        finally:
            os._exit(status)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return End.SURVIVED if os.waitstatus_to_exitcode(status) == 0 else End.KILLED
        time.sleep(0.02)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child, number)
        except ProcessLookupError:
            break
        time.sleep(0.2)
    os.waitpid(child, 0)
    return End.TIMED_OUT


def _tests(tests: tuple[str, ...], file: str, mutant: Mutant | None) -> int:
    import pytest

    nowhere = os.open(os.environ.get("MUTATION_LOG", os.devnull), os.O_WRONLY | os.O_CREAT)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    sys.dont_write_bytecode = True
    if mutant is not None:
        sys.meta_path.insert(0, _Finder(file, mutant.code))
    return int(
        pytest.main(
            [
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:xdist",
                "-o",
                "addopts=",
                "--hypothesis-seed=0",
                "-W",
                "ignore::pytest.PytestAssertRewriteWarning",
                *tests,
            ]
        )
    )


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives the mutated module for the one name."""

    def __init__(self, file: str, code: ast.Module) -> None:
        self.file, self.code = file, code
        self.name = ".".join(Path(file).with_suffix("").parts)

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        return importlib.util.spec_from_loader(name, self, origin=self.file)

    def get_source(self, name: str) -> str | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.file
        exec(compile(self.code, self.file, "exec"), module.__dict__)
