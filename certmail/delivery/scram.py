"""Log in without showing the password: SCRAM-SHA-256, and with the relay's certificate bound to it.

In: a user, a `Secret`, for -PLUS the hash of the relay's certificate. Out: an `Exchange`. Knows RFC
5802 and 7677 (SCRAM) by way of the scramp library, and RFC 5929 §4 (``tls-server-end-point``).

The relay never sees the password, and proves that it knows it: a success without that proof is a
refusal. A relay cannot have us hash for ever, nor so little that its challenge could be used to
guess the password.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn

from scramp import ScramClient, ScramException

from certmail.delivery.auth import Mechanism
from certmail.delivery.exchange import Unexpected, password_octets, refuse_malformed, require_kind
from certmail.errors import RelayError
from certmail.values import printable

if TYPE_CHECKING:
    from certmail.delivery.relay import Relay
    from certmail.values import Secret

MIN_ITERATIONS: Final = 4096
"""RFC 7677 §4: "SHOULD announce a hash iteration-count of at least 4096"; fewer is a trap."""

MAX_ITERATIONS: Final = 2_000_000
"""A second or so of hashing; recommendations for storing passwords end below one million."""

_BINDING: Final = "tls-server-end-point"
_ITERATIONS: Final = re.compile(r",i=([0-9]{1,20})(?=,|$)", re.ASCII)
_ERROR: Final = re.compile(r"e=([^,]{1,200})", re.ASCII)


class Scram:
    """One SCRAM login: user and nonce, proof of the password, then the relay's own proof."""

    def __init__(
        self,
        mechanism: Mechanism,
        *,
        relay: Relay,
        user: str,
        secret: Secret,
        end_point: bytes | None,
        nonce: str | None = None,
    ) -> None:
        """Prepare what is said first; ``nonce`` is drawn unless a test vector names it.

        Raises:
            SecretError: ``SECRET-EMPTY``, ``SECRET-MALFORMED``, ``SECRET-KIND``.
        """
        require_kind(secret, mechanism)
        password_octets(secret)
        bound = (_BINDING, end_point) if mechanism is Mechanism.SCRAM_SHA_256_PLUS else None
        try:
            self._client = ScramClient(
                [mechanism.value], user, secret.reveal(), channel_binding=bound, c_nonce=nonce
            )
        except ScramException:  # its text may quote what it was given
            refuse_malformed(secret, "or its user holds what SCRAM cannot carry (RFC 4013)")
        self.first: bytes = self._client.get_client_first().encode()
        self.told = ""
        self._mechanism = mechanism
        self._relay = relay
        self._answers = [self._prove, self._verify]
        self._verified = False

    def answer(self, challenge: bytes) -> bytes:
        """Answer the relay's salt with our proof, and its proof with nothing."""
        if not self._answers:
            raise Unexpected("it asks for something that no login has")
        try:
            text = challenge.decode()
        except UnicodeDecodeError:
            raise Unexpected("its challenge is not text") from None
        return self._answers.pop(0)(text)

    def accept(self) -> None:
        """Believe a success only of a relay that has proved that it knows the password."""
        if len(self._answers) == 2:  # noqa: PLR2004  # nothing was asked yet
            raise Unexpected("it lets us in before the password was proved")
        if not self._verified:
            self._refuse_unproven("it says welcome without a proof")

    def _prove(self, text: str) -> bytes:
        """Prove the password for this nonce and salt, if the relay asks for a sane effort."""
        match = _ITERATIONS.search(text)
        count = int(match[1]) if match else MIN_ITERATIONS
        if not MIN_ITERATIONS <= count <= MAX_ITERATIONS:
            raise RelayError(
                "RELAY-SCRAM-ITERATIONS",
                f"{self._relay} wants the password hashed {count} times",
                why=f"fewer than {MIN_ITERATIONS} would make it easy to guess from our answer, more"
                f" than {MAX_ITERATIONS} would keep this machine busy for nothing",
                next="report it to the relay's administrator, or set relay.auth to plain",
            )
        try:
            self._client.set_server_first(text)
            return bytes(self._client.get_client_final().encode())
        except (ScramException, ValueError):
            raise Unexpected(
                "its SCRAM challenge is malformed, or not an answer to ours (RFC 5802 §5.1)"
            ) from None

    def _verify(self, text: str) -> bytes:
        """Verify the relay's proof, or take down why it does not take ours."""
        error = _ERROR.match(text)
        if error is not None:
            self.told = printable(error[1])
            return b""
        try:
            self._client.set_server_final(text)
        except (ScramException, ValueError):
            self._refuse_unproven("its proof is wrong")
        self._verified = True
        return b""

    def _refuse_unproven(self, how: str) -> NoReturn:
        raise RelayError(
            "RELAY-SCRAM-SIGNATURE",
            f"{self._relay} did not prove that it knows the password: {how}",
            why="whoever answers may not be the relay that the password was agreed with; it has not"
            " seen the password",
            next="ask the relay's administrator; suspect the network you are on, and do not set"
            " relay.auth to plain before it is clear",
        ) from None
