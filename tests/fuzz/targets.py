"""Every target there is, by name."""

from __future__ import annotations

from tests.fuzz import of_bundles, of_keys, of_mail, of_state

TARGETS = {
    target.name: target
    for room in (of_bundles, of_keys, of_mail, of_state)
    for target in room.TARGETS
}
