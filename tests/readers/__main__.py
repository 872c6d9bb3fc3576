"""``python -m tests.readers``: all readers, all messages; writes the table of docs/readers.md.

Every reader has to be there: a table with holes says nothing about who is missing. More words are
for pytest, as ``-k thunderbird``; with them the table stays as it is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.readers.table import PAGE

os.environ["CI"] = "1"
before = PAGE.stat().st_mtime_ns
status = pytest.main(["-q", str(Path(__file__).parent / "full.py"), *sys.argv[1:]])
if PAGE.stat().st_mtime_ns == before:
    sys.stderr.write(f"{PAGE.name} stays as it is: not every reader has opened every message\n")
sys.exit(status or (PAGE.stat().st_mtime_ns == before and not sys.argv[1:]))
