"""Statements that outlast their time although the server should have ended them."""

from __future__ import annotations

import asyncio
from typing import Any

from policies.rules import Budget
from proxy.auth import Userlist
from proxy.net.address import UpstreamAddress
from proxy.net.listener import Listener
from proxy.net.overdue import Overdue
from proxy.net.session import Session
from proxy.wire.messages import (
    Bind,
    BindComplete,
    CommandComplete,
    Execute,
    Parse,
    ParseComplete,
    Query,
    Sync,
)
from proxy.wire.scram import make_verifier
from tests.proxy.conversation import READY, Conversation, TableEngine, failure, fields, only


class Watch:
    """An Overdue over one conversation with a limit of 2 seconds, a grace of 1, a patience of 5."""

    def __init__(self, talk: Conversation) -> None:
        self.asked: list[Session] = []
        self.overdue = Overdue(lambda: [talk.session], self._cancel, 1.0, 5.0)
        self.start = 1e9  # long after everything else here

    async def _cancel(self, session: Session) -> None:
        self.asked.append(session)

    async def at(self, *seconds: float) -> int:
        for moment in seconds:
            self.overdue.look(self.start + moment)
            await asyncio.sleep(0)
        return len(self.asked)


async def test_a_statement_is_cancelled_once_and_its_session_ended_later() -> None:
    talk = Conversation()
    watch = Watch(talk)
    assert await watch.at(0, 10) == 0
    talk.client >> Query(b"SELECT 1")
    assert await watch.at(20, 22.9) == 0
    assert await watch.at(23, 24, 27.9) == 1
    assert not talk.session.closed
    await watch.at(28)
    assert talk.session.closed
    assert [operation.outcome for operation in talk.operations] == ["abandoned"]


async def test_each_statement_of_a_pipeline_has_its_own_time() -> None:
    talk = Conversation()
    watch = Watch(talk)
    one = [Parse(b"", b"SELECT 1"), Bind(b"", b""), Execute(), Sync()]
    talk.client >> [*one, *one]
    assert await watch.at(0, 2.5) == 0
    talk.server >> [ParseComplete(), BindComplete(), CommandComplete(b"SELECT 0"), READY]
    assert await watch.at(3, 5.5) == 0
    assert await watch.at(6) == 1


async def test_waiting_between_statements_is_free() -> None:
    talk = Conversation()
    watch = Watch(talk)
    talk.client >> Query(b"SELECT 1")
    await watch.at(0)
    talk.server >> [CommandComplete(b"SELECT 0"), READY]
    assert await watch.at(100) == 0


async def test_only_enforced_sessions_are_watched() -> None:
    talk = Conversation(mode="bypass")
    watch = Watch(talk)
    talk.client >> Query(b"SELECT 1")
    assert await watch.at(0, 100) == 0


def _cancelled_after(seconds: float) -> tuple[str, str]:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    kind, name, statement, (started, clock), answer = talk.session.ledger.owed[0]
    talk.session.ledger.owed[0] = (kind, name, statement, (started, clock - seconds), answer)
    talk.server >> [failure(b"57014"), READY]
    told = fields(talk.client.next())
    assert told["C"] == "57014" and only(talk).outcome == "cancelled"
    return told.get("H", ""), only(talk).hint


def test_the_hint_names_the_budget_when_the_time_was_up() -> None:
    told, recorded = _cancelled_after(2.1)
    assert told == recorded
    assert told == (
        "a statement may take 2 seconds: ask for less, or by an indexed column;"
        " or have roles.r.budget.time raised in the rules"
    )


def test_a_cancel_somebody_asked_for_has_no_hint() -> None:
    assert _cancelled_after(0.5) == ("", "")


async def test_the_listener_cancels_with_the_key_of_the_upstream() -> None:
    cancels: list[bytes] = []
    cancelled = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        packet = await reader.readexactly(size - 4)
        if packet[:4] == b"\x04\xd2\x16\x2e":
            cancels.append(packet[4:])
            cancelled.set()
            writer.close()
            return
        writer.write(b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x07keysZ\0\0\0\x05I")
        while await reader.read(1000):
            continue
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = UpstreamAddress.parse(
        f"postgresql://x@127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    )
    engine = TableEngine()
    engine.limits = Budget(1, 100, 1, 1, 1)
    records: Any = Conversation().records
    users = Userlist({"app": make_verifier("pw")})
    listener = Listener(engine, users, address, [records], records, grace_seconds=0.1)
    port = await listener.start("127.0.0.1", 0)
    client = await asyncio.create_subprocess_exec(
        "psql", f"postgresql://app:pw@127.0.0.1:{port}/x", "-qc", "SELECT 1",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(20):
        await cancelled.wait()
    assert cancels == [b"\0\0\0\x07keys"]
    await listener.close()
    await client.wait()
    server.close()
