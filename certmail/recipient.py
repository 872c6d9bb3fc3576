"""Who the bundle is for, in the one place where that stands.

Knows the address, the pin and what the provider says about its own service. How any of it is
checked or done is somebody else's business. No flag, file or variable reaches these values.
"""

from __future__ import annotations

from typing import Final

from certmail.frozen import frozen
from certmail.values import Address, Fingerprint


@frozen
class Recipient:
    """A mailbox and the one OpenPGP key that may read what is sent to it."""

    name: str
    address: Address
    pin: Fingerprint


CLEVER_CLOUD: Final = Recipient(
    name="Clever Cloud",
    address=Address("ssl@clever-cloud.com"),
    pin=Fingerprint("03943517934C1FA5ED4E2F61218B86BD5278460F"),
)
"""The provider's documented mailbox for certificates and its key."""

UPLOAD_FORM: Final = "https://api.clever-cloud.com/v2/certificates/new"
"""The form the provider prefers; sending by mail is its last resort and is charged."""
