"""Run certmail and kill it with SIGKILL at one change of the outbox: ``killed.py WHEN WHAT ARGS``.

WHEN is ``before`` or ``after``; WHAT is ``add``, ``log`` or the name of a state.
"""

from __future__ import annotations

import os
import signal
import sys

from certmail.cli import entry
from certmail.ledger.chain import Ledger
from certmail.outbox.store import Outbox


def deadly(act, when: str, *, now):
    def called(self, *args, **kwargs):
        doomed = now(*args)
        if doomed and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = act(self, *args, **kwargs)
        if doomed:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return called


def main() -> int:
    when, what, *arguments = sys.argv[1:]
    if what == "add":
        Outbox.add = deadly(Outbox.add, when, now=lambda *_: True)
    elif what == "log":
        Ledger.append = deadly(Ledger.append, when, now=lambda *_: True)
    else:
        Outbox.move = deadly(Outbox.move, when, now=lambda _, state: state.name == what)
    return entry.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
