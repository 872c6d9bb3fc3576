"""Ctrl-C at each stage: the connection ends, and the truth is told."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest

from certmail.delivery.outcome import Stage
from certmail.delivery.relay import Relay, Timeouts
from certmail.delivery.smtp import deliver, deliver_async
from certmail.errors import DeliveryUnknown, SecretError
from certmail.submission import Mode
from certmail.values import Hostname, Secret, SecretKind
from tests.delivery.attempt import AT, CountedPassword
from tests.delivery.hostile import USER, Deed, HostileRelay
from tests.delivery.message import sealed

WAITS = {
    Stage.CONNECT: "handshake",
    Stage.GREETING: "greeting",
    Stage.EHLO_INSIDE: "ehlo-inside",
    Stage.AUTH: "auth",
    Stage.MAIL: "mail",
    Stage.RCPT: "rcpt",
    Stage.DATA: "data",
    Stage.VERDICT: "dot",
}


def relay_of(server: HostileRelay, ca_file) -> Relay:
    return Relay(Hostname("localhost"), server.port, server.mode, user=USER, ca_file=ca_file)


def interrupt_soon(stage: Stage, wanted: Stage) -> None:
    if stage is wanted:
        threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize("stage", WAITS, ids=lambda stage: stage.name)
def test_ctrl_c_ends_the_wait_and_tells_what_is_known(stage, good, ca_file):
    expected = DeliveryUnknown if stage is Stage.VERDICT else KeyboardInterrupt
    began = time.monotonic()
    silent = {WAITS[stage]: Deed.SILENCE}
    # The relay's thread ends, since the connection does.
    with HostileRelay(Mode.IMPLICIT, good, silent) as server, pytest.raises(expected) as caught:
        deliver(
            sealed(),
            relay=relay_of(server, ca_file),
            secret=CountedPassword(),
            now=lambda: AT,
            progress=lambda begun: interrupt_soon(begun, stage),
        )
    assert time.monotonic() - began < 5
    if expected is DeliveryUnknown:
        assert "interrupted" in caught.value.what


@pytest.mark.parametrize("stage", WAITS, ids=lambda stage: stage.name)
def test_a_cancelled_task_ends_its_connection(stage, good, ca_file):
    async def cancelled() -> None:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def heard(begun: Stage) -> None:
            if begun is stage:
                loop.call_later(0.15, task.cancel)

        await deliver_async(
            sealed(),
            relay=relay_of(server, ca_file),
            secret=CountedPassword(),
            now=lambda: AT,
            progress=heard,
        )

    expected = DeliveryUnknown if stage is Stage.VERDICT else asyncio.CancelledError
    silent = {WAITS[stage]: Deed.SILENCE}
    with HostileRelay(Mode.IMPLICIT, good, silent) as server, pytest.raises(expected):
        asyncio.run(cancelled())


def test_ctrl_c_while_the_relay_says_goodbye_does_not_lose_the_receipt(good, ca_file):
    def interrupt(talk) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        talk.wait()

    with HostileRelay(Mode.IMPLICIT, good, {"quit": interrupt}) as server:
        receipt = deliver(
            sealed(), relay=relay_of(server, ca_file), secret=CountedPassword(), now=lambda: AT
        )
    assert receipt.reply.startswith("250 ")


class Typist:
    """A source that waits for a person, who presses Ctrl-C."""

    kind = SecretKind.PASSWORD

    def read(self) -> Secret:
        threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(10)
        return Secret("too late")


def test_ctrl_c_at_the_prompt_is_heard_at_once(good, ca_file):
    began = time.monotonic()
    with HostileRelay(Mode.IMPLICIT, good) as server, pytest.raises(KeyboardInterrupt):
        deliver(sealed(), relay=relay_of(server, ca_file), secret=Typist(), now=lambda: AT)
    assert time.monotonic() - began < 5
    assert "AUTH" not in server.verbs
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class SlowTypist:
    kind = SecretKind.PASSWORD

    def read(self) -> Secret:
        time.sleep(1.6)
        return CountedPassword().read()


def test_the_time_a_person_types_is_not_the_relays(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good) as server:
        receipt = deliver(
            sealed(),
            relay=relay_of(server, ca_file),
            secret=SlowTypist(),
            now=lambda: AT,
            timeouts=Timeouts(total_s=1.5),
        )
    assert receipt.mechanism == "PLAIN"


def test_a_source_that_refuses_ends_the_session(good, ca_file):
    class Locked:
        kind = SecretKind.PASSWORD

        def read(self) -> Secret:
            raise SecretError("SECRET-KEYRING-LOCKED", "locked", why="it is", next="unlock it")

    with HostileRelay(Mode.IMPLICIT, good) as server, pytest.raises(SecretError) as caught:
        deliver(sealed(), relay=relay_of(server, ca_file), secret=Locked(), now=lambda: AT)
    assert caught.value.code == "SECRET-KEYRING-LOCKED"
    assert server.verbs == ["EHLO", "QUIT"]


def test_a_delivery_may_run_beside_the_main_thread(good, ca_file):
    """Only the main thread may change what Ctrl-C does; another one leaves it alone."""
    receipts = []

    def run() -> None:
        to = relay_of(server, ca_file)
        receipts.append(deliver(sealed(), relay=to, secret=CountedPassword(), now=lambda: AT))

    with HostileRelay(Mode.IMPLICIT, good) as server:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(10)
    assert [receipt.mechanism for receipt in receipts] == ["PLAIN"]
