"""``--html``: gather what there is to see of a sealed message, and write the page for approval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certmail.cli.inputs import Given
    from certmail.cli.key_for_send import KeyForSend
    from certmail.cli.wiring import Workbench
    from certmail.errors import KeyRefused
    from certmail.walk import Sealing


def require_free(parameters: Mapping[str, Any]) -> None:
    """Refuse names that are taken before anything is signed."""
    from certmail.cli.files import require_absent

    for name, what in (("output", "sealed message"), ("html", "page")):
        if parameters[name] is not None:
            require_absent(parameters[name], what=what)


def write_approval(
    sealing: Sealing,
    path: str | None,
    *,
    bench: Workbench,
    given: Given,
    key: KeyForSend,
    refusal: KeyRefused | None,
    kept: str | None,
) -> str | None:
    """Write the page for approval, if one was asked for; give its path.

    Raises:
        UsageError: ``OUTPUT-EXISTS``, ``OUTPUT-UNWRITABLE``.
    """
    if path is None:
        return None
    from certmail.cli.approval import approval
    from certmail.cli.approval_page import approval_page
    from certmail.cli.files import write_page
    from certmail.settings.keys import RELAY_HOST

    named = bench.settings.get(RELAY_HOST) is not None
    seen = approval(
        sealing,
        at=bench.at,
        changes=tuple(change.what for change in given.changes),
        notices=key.notices,
        refusal=refusal,
        relay=bench.relay(sealing.sealed.sender).url if named else None,
        kept=kept,
    )
    write_page(path, approval_page(seen))
    return path
