"""A claim holds against every other holder, in this process and in others."""

from __future__ import annotations

import subprocess
import sys

from certmail.durable import Claims


def test_a_claim_of_one_object_holds_against_another_in_the_same_process(tmp_path):
    """Closing a file ends every lock that the process has on it."""
    first, second = Claims(tmp_path / "claims"), Claims(tmp_path / "claims")
    assert first.take(1)
    assert not second.take(1)
    second.close()
    program = (
        "import sys; from pathlib import Path; from certmail.durable import Claims;"
        "print(Claims(Path(sys.argv[1])).take(1))"
    )
    ask = [sys.executable, "-c", program, str(tmp_path / "claims")]
    assert subprocess.run(ask, capture_output=True, check=True).stdout == b"False\n"
    first.give_back(1)
    assert subprocess.run(ask, capture_output=True, check=True).stdout == b"True\n"
    third = Claims(tmp_path / "claims")
    assert third.take(1)
    third.close()
    first.close()
