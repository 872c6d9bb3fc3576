"""The ordered list of places where a copy of the recipient's key can be had.

Comes in: a `Recipient`. Goes out: names and URLs. Where a place is known to the program it stands
here, in one list; no setting, flag or variable adds one. Knows how the protocols spell their URLs:
the Web Key Directory (draft-koch-openpgp-webkey-service §3.1), the Verifying Keyserver's API, and
HKP (draft-gallagher-openpgp-hkp).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from certmail.frozen import frozen

if TYPE_CHECKING:
    from certmail.recipient import Recipient

_Z_BASE_32: Final = "ybndrfg8ejkmcpqxot1uwisza345h769"


@frozen
class Source:
    """One place: a name for people, where it is, and whether a person typed that.

    What a person typed may lead into their own network; what the program knows may not.
    """

    name: str
    url: str
    typed: bool = False


@frozen
class Places:
    """The base URLs. Other ones are given only by a program that calls this one, like a test."""

    page: str = "https://www.clever-cloud.com/developers/doc/administrate/ssl/"
    markdown: str = (
        "https://raw.githubusercontent.com/CleverCloud/documentation/HEAD"
        "/content/doc/administrate/ssl.md"
    )
    vks: str = "https://keys.openpgp.org"
    wkd_advanced: str = "https://openpgpkey.{domain}"
    wkd_direct: str = "https://{domain}"
    keybase: str = "https://keybase.io/clevercloud"
    hkps: str = "https://keyserver.ubuntu.com"

    def sources(self, recipient: Recipient) -> tuple[Source, ...]:
        """Give every source, in the order in which they are told of."""
        pin = recipient.pin.text
        local, _, domain = recipient.address.text.rpartition("@")
        domain = domain.lower()
        hashed = wkd_hash(local)
        advanced = self.wkd_advanced.format(domain=domain)
        direct = self.wkd_direct.format(domain=domain)
        well_known = "/.well-known/openpgpkey"
        return (
            Source(f"{recipient.name}'s documentation page", self.page),
            Source(f"{recipient.name}'s documentation repository", self.markdown),
            Source("keys.openpgp.org", f"{self.vks}/vks/v1/by-fingerprint/{pin}"),
            Source(
                f"Web Key Directory of {domain}, advanced",
                f"{advanced}{well_known}/{domain}/hu/{hashed}?l={local}",
            ),
            Source(
                f"Web Key Directory of {domain}, direct",
                f"{direct}{well_known}/hu/{hashed}?l={local}",
            ),
            Source("Keybase", f"{self.keybase}/pgp_keys.asc?fingerprint={pin.lower()}"),
            Source(
                "keyserver.ubuntu.com",
                f"{self.hkps}/pks/lookup?op=get&options=mr&search=0x{pin}",
            ),
        )


def wkd_hash(local_part: str) -> str:
    """Spell the SHA-1 of a local part in z-base-32, as a Web Key Directory names its files.

    draft-koch-openpgp-webkey-service §3.1: the local part is lowered in its ASCII letters first.
    """
    digest = hashlib.sha1(local_part.lower().encode("ascii"), usedforsecurity=False).digest()
    number = int.from_bytes(digest, "big")
    return "".join(_Z_BASE_32[(number >> shift) & 31] for shift in range(155, -1, -5))
