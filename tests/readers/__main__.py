"""``python -m tests.readers``: all readers, all messages; writes the table of docs/readers.md.

Every reader has to be there: a table with holes says nothing about who is missing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

os.environ["CI"] = "1"
sys.exit(pytest.main(["-q", str(Path(__file__).parent / "full.py"), *sys.argv[1:]]))
