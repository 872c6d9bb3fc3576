"""Targets under atheris: it mutates inputs and follows those that reach something new.

    python -m tests.fuzz.guided FOLDER SECONDS TARGET…

Each target gets a process of its own, since libFuzzer ends it; the readers are loaded and
instrumented once, before. What reached something lies in ``FOLDER/TARGET`` afterwards, a find as
``TARGET-crash-…`` beside it, and what was told in ``TARGET.log``. A line for each target tells its
exit status.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.fuzz.target import Target

INSTRUMENTED = ["certmail", "tomllib", "yaml", "json"]


def _planted(data: bytes) -> None:
    if data[:1] == b"p" and data[1:2] == b"e" and data[2:3] == b"m":
        raise IndexError("planted")


PLANTED = Target("planted", _planted, lambda: (b"x",), (b"y",))
"""A target with a fault in it, to show that the fuzzing finds one."""


def main(where: str, seconds: str, *names: str) -> None:
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import TARGETS
    atheris.instrument_func(_planted)
    for name in names:
        child = os.fork()
        if child == 0:
            _fuzz({**TARGETS, PLANTED.name: PLANTED}[name], Path(where), seconds)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{name} {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _fuzz(target: Target, where: Path, seconds: str) -> None:
    """Fuzz one target; does not return."""
    import atheris

    folder = where / target.name
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        if len(seed) <= target.octets:
            (folder / f"seed-{number}").write_bytes(seed)
    words = where / f"{target.name}.words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words if word), "ascii")
    told = os.open(where / f"{target.name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(told, 1)
    os.dup2(told, 2)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={target.octets}",
        f"-dict={words}",
        f"-artifact_prefix={where}/{target.name}-",
        "-timeout=20",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
        str(folder),
        *([str(target.folder)] if target.folder.is_dir() else []),
    ]
    atheris.Setup([sys.argv[0], *options], target.run)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(
        chr(octet) if 32 <= octet < 127 and octet not in b'"\\' else f"\\x{octet:02x}"
        for octet in word
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
