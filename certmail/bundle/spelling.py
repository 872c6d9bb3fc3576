"""How a certificate spells its names: whether clients can match them at all.

Comes in: the facts of a leaf. Goes out: findings. Knows RFC 9525 §6.3 (wildcards) and RFC 5280
§4.2.1.6 (dNSName in the preferred syntax). A bad name spoils itself only, so these are warnings.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from certmail.bundle import hosts, idn
from certmail.bundle.findings import Finding, warning
from certmail.errors import SettingsError
from certmail.values import Hostname

if TYPE_CHECKING:
    from certmail.bundle.facts import CertificateFacts

_SHOWN: Final = 5
_COMMON_NAME: Final = re.compile(r"(?:^|,)CN=((?:\*\.)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)(?:,|$)")


def examine(facts: CertificateFacts) -> tuple[Finding, ...]:
    """Look at every name, and at the common name beside them."""
    stars = [name for name in facts.names if "*" in name and not _good_wildcard(name)]
    broken = [name for name in facts.names if "*" not in name and not _good_name(name)]
    found = (_wildcards(facts, stars), _broken(facts, broken), _common_name(facts))
    return tuple(finding for finding in found if finding is not None)


def _good_wildcard(name: str) -> bool:
    """RFC 9525 §6.3: one wildcard, "the complete left-most label", and more than a top level."""
    star, _, rest = name.partition(".")
    return star == "*" and "." in rest and _good_name(rest)


def _good_name(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        return True
    try:
        Hostname(name)
    except SettingsError:
        return False
    return not name.endswith(".")


def _some(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _wildcards(facts: CertificateFacts, names: list[str]) -> Finding | None:
    if not names:
        return None
    return warning(
        "LEAF-WILDCARD",
        facts.lines,
        f"{_some(names)} matches no name that a client asks for",
        why="a wildcard stands for the whole left-most label, below a domain of two labels or more"
        " (RFC 9525 §6.3)",
        next="have it issued again with *.example.org, or with each name",
    )


def _broken(facts: CertificateFacts, names: list[str]) -> Finding | None:
    if not names:
        return None
    spelled = [idn.to_ascii(name) for name in names]
    right = [name for name, before in zip(spelled, names, strict=True) if name and name != before]
    return warning(
        "LEAF-NAME-FORM",
        facts.lines,
        f"{_some(names)} matches no name that a client asks for",
        why="names in a certificate are ASCII letters, digits, hyphens and dots, without a dot at"
        " the end (RFC 5280 §4.2.1.6)",
        next="have it issued again" + (f" with {_some(right)}" if right else " with host names"),
    )


def _common_name(facts: CertificateFacts) -> Finding | None:
    """Find a host name that stands in the subject only, where clients have stopped looking."""
    found = _COMMON_NAME.search(facts.subject)
    if found is None or not facts.names:
        return None
    settled, malformed = hosts.settle((found[1],))
    if malformed or hosts.covers(facts.names, settled[0]):
        return None
    return warning(
        "LEAF-COMMON-NAME",
        facts.lines,
        f"the name {idn.both(settled[0])} stands in the subject only",
        why="clients read the subjectAltName alone (RFC 9525 §6.3), which does not cover it",
        next=f"have it issued again with {settled[0]} among its names, if visitors use it",
    )
