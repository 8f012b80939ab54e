"""Bytes awaited: in order, bounded, handed over whole."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from proxy.net.intake import HIGH_WATER, Closed, Intake
from tests.proxy.conversation import Wire


class Handed(Wire):
    protocol: asyncio.Protocol | None = None

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol


class Keeper(asyncio.Protocol):
    def __init__(self) -> None:
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data


@pytest.fixture
def wire() -> Handed:
    return Handed()


@pytest.fixture
def intake(wire: Handed) -> Intake:
    made = Intake()
    made.connection_made(cast(asyncio.Transport, wire))
    return made


async def test_bytes_come_in_order(intake: Intake) -> None:
    waiting = asyncio.create_task(intake.exactly(4))
    await asyncio.sleep(0)
    intake.data_received(b"ab")
    intake.data_received(b"cdef")
    assert await waiting == b"abcd"
    assert await intake.exactly(2) == b"ef" and intake.waiting == 0


@pytest.mark.parametrize("how", ["eof", "lost"])
async def test_the_end_wakes_the_waiter(intake: Intake, how: str) -> None:
    waiting = asyncio.create_task(intake.exactly(4))
    await asyncio.sleep(0)
    intake.data_received(b"abc")
    if how == "eof":
        assert intake.eof_received()
    else:
        intake.connection_lost(None)
    with pytest.raises(Closed):
        await waiting
    assert await intake.exactly(3) == b"abc"
    with pytest.raises(Closed):
        intake.hand_over(Keeper())


async def test_more_than_anybody_says_is_not_read(intake: Intake, wire: Handed) -> None:
    intake.data_received(bytes(HIGH_WATER + 1))
    assert not wire.reading
    await intake.exactly(1000)
    assert wire.reading


def test_what_was_read_ahead_goes_with_the_transport(intake: Intake, wire: Handed) -> None:
    intake.data_received(bytes(HIGH_WATER + 1))
    keeper = Keeper()
    intake.hand_over(keeper)
    assert wire.protocol is keeper and len(keeper.data) == HIGH_WATER + 1 and wire.reading


def test_nothing_is_written_to_a_closing_transport(intake: Intake, wire: Handed) -> None:
    intake.write(b"one")
    intake.close()
    intake.write(b"two")
    assert wire.written == b"one"
