"""Writes that somebody leaves half-way (proxy/net/unsettled.py): nothing of them stays, and the
records say what is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from policies.decision import Facts, Plan, Write
from policies.subject import Subject
from proxy.net.unsettled import MOST_KEPT, UNCERTAIN, UNDONE, Unsettled
from proxy.oplog.operation import Operation, Origin
from proxy.testing import PostgresServer
from proxy.wire.messages import (
    Bind,
    BindComplete,
    CommandComplete,
    CopyData,
    Execute,
    Flush,
    Message,
    NoData,
    Parse,
    ParseComplete,
    Query,
    ReadyForQuery,
    Sync,
)
from tests.proxy.conversation import Conversation, Wire
from tests.proxy.fake_upstream import RawClient
from tests.proxy.test_listener import Proxy
from tests.proxy.writes import SCHEMA, WritingEngine

UPDATE = b"UPDATE t SET n = 500 WHERE id = 1"
SLOW = b"UPDATE t SET n = 500 WHERE id = 1 AND pg_sleep(20) IS NOT NULL"


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    return postgres.create_database("writes_lost", SCHEMA)


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    with Proxy(database, WritingEngine()) as running:
        yield running


def written(database: str) -> int:
    with psycopg.connect(database) as direct:
        row = direct.execute("SELECT count(*) FROM t WHERE n = 500 OR id > 10").fetchone()
    assert row is not None
    return int(row[0])


def kill(database: str, times: int = 200) -> bool:
    """End the backend that works for the proxy, as soon as it is at it."""
    with psycopg.connect(database, autocommit=True) as direct:
        for _ in range(times):
            rows = direct.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
                " current_database() AND pid <> pg_backend_pid() AND state = 'active'"
            ).fetchall()
            if rows:
                return True
            direct.execute("SELECT pg_sleep(0.01)")
    return False


@pytest.mark.parametrize("text", [SLOW, UPDATE + b"; " + SLOW, b"BEGIN; " + UPDATE + b"; " + SLOW])
async def test_an_upstream_killed_while_it_writes(proxy: Proxy, database: str, text: bytes) -> None:
    async with RawClient.to(proxy.port) as client:
        await client.log_in(database=proxy.database)
        client.say(Query(text))
        killed = await asyncio.to_thread(kill, database)
        heard = await client.until(ReadyForQuery)
        assert killed and await client.closed()
    assert dict(heard[-1].fields)["C"] == b"57P01"  # type: ignore[attr-defined]
    assert written(database) == 0
    proxy.recorded(1)
    updates = [o for o in proxy.records.operations if o.facts.operation == "update"]
    assert updates and not [o for o in updates if o.outcome == "ok"]
    assert updates[-1].sqlstate == "57P01" and updates[-1].affected_rows is None


@pytest.mark.parametrize("said", [
    [Parse(b"", UPDATE), Bind(b"", b""), Execute(), Flush()],
    [Query(b"BEGIN"), Query(UPDATE)],
    [Query(b"COPY t FROM STDIN"), CopyData(b"99\t1\ta\t\\N\n")],
    [Query(UPDATE + b"; COPY t FROM STDIN"), CopyData(b"98\t1\ta\t\\N\n"),
     CopyData(b"97" * 400_000).encode()[:500_000]],
])  # fmt: skip
async def test_a_client_that_goes_away(
    proxy: Proxy, database: str, said: list[Message | bytes]
) -> None:
    async with RawClient.to(proxy.port) as client:
        await client.log_in(database=proxy.database)
        client.say(*said)
        await client.hear()
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)
    assert written(database) == 0
    proxy.recorded(1)
    done = proxy.records.operations
    explicit = done[0].facts.operation == "begin"
    outcomes = {o.outcome for o in done if o.facts.operation != "begin"}
    assert outcomes == {"ok"} if explicit else outcomes <= {"abandoned", "failed"}


async def test_a_client_that_says_all_it_has_to_say_and_closes(proxy: Proxy, database: str) -> None:
    """What it asked before is still answered, and done: as with PostgreSQL."""
    async with RawClient.to(proxy.port) as client:
        await client.log_in(database=proxy.database)
        client.say(Query(b"UPDATE t SET s = 'kept' WHERE id = 2; SELECT 1"), Query(b"SELECT 2"))
        client.finish()
        await client.until(ReadyForQuery)
        await client.until(ReadyForQuery)
        assert await client.closed()
    with psycopg.connect(database) as direct:
        assert direct.execute("SELECT s FROM t WHERE id = 2").fetchone() == ("kept",)


# What the records say, in conversations.


def answered() -> list[Message]:
    return [ParseComplete(), BindComplete(), CommandComplete(b"UPDATE 2")]


def talk() -> Conversation:
    begun = Conversation(WritingEngine())
    begun.client >> [Parse(b"", UPDATE), Bind(b"", b""), Execute()]
    begun.server >> answered()
    begun.client << answered()
    return begun


def test_a_write_is_recorded_when_it_stands() -> None:
    begun = talk()
    assert begun.operations == []
    begun.client >> Sync()
    begun.server >> ReadyForQuery()
    (done,) = begun.operations
    assert (done.outcome, done.affected_rows, done.hint) == ("ok", 2, "")


def test_a_write_before_its_sync_is_undone_with_the_session() -> None:
    begun = talk()
    begun.client.ends()
    (done,) = begun.operations
    assert (done.outcome, done.affected_rows, done.hint) == ("abandoned", 2, UNDONE)


def test_what_became_of_a_commit_that_was_not_answered_is_not_known() -> None:
    begun = talk()
    begun.client >> Sync()
    begun.server.ends()
    (done,) = begun.operations
    assert (done.outcome, done.affected_rows, done.hint) == ("abandoned", 2, UNCERTAIN)


def test_a_query_whose_commit_was_not_answered() -> None:
    begun = Conversation(WritingEngine())
    begun.client >> Query(UPDATE)
    begun.server >> [ParseComplete(), BindComplete(), NoData(), CommandComplete(b"UPDATE 2")]
    assert begun.client.wire.written == b""
    begun.server.ends()
    (done,) = begun.operations
    assert (done.outcome, done.affected_rows) == ("abandoned", 2)


def test_a_notice_of_an_end_waits_for_no_frame_that_is_held() -> None:
    """The client is told of an error though it sends on meanwhile."""
    begun = Conversation(WritingEngine())
    begun.client >> [Query(UPDATE), CopyData(b"x" * 100).encode()[:20]]
    assert isinstance(begun.client.wire, Wire) and not begun.client.wire.reading
    begun.server >> b"E" + (4 + 9).to_bytes(4, "big") + b"SERROR\0\0\0"[:9]
    sent = begun.server.heard()
    assert sent[-1] == Sync()


def operation() -> Operation:
    origin = Origin("s", Subject("app"), "d", "", "", "")
    return Operation(origin, Facts(), "allow", "v1", 0.0)


def test_records_that_wait_are_bounded() -> None:
    told: list[Any] = []
    unsettled = Unsettled(told.append)
    unsettled.wrote(Write(1, 1, ""), 1)
    for _ in range(MOST_KEPT + 1):
        unsettled.keep(operation(), True)
    assert len(told) == MOST_KEPT + 1 and told[0].outcome == "ok"


@pytest.mark.parametrize("sql, tag, rows, total", [
    (b"COMMIT", b"COMMIT", 0, 5), (b"COMMIT", b"ROLLBACK", 0, 0), (b"ROLLBACK", b"ROLLBACK", 0, 0),
    (b"ROLLBACK TO SAVEPOINT a", b"ROLLBACK", 5, 0), (b"SELECT 1", b"SELECT 1", 5, 0),
    (b"COMMIT AND CHAIN", b"COMMIT", 0, 5),
])  # fmt: skip
def test_what_ends_a_transaction(sql: bytes, tag: bytes, rows: int, total: int) -> None:
    unsettled = Unsettled(lambda operation: None)
    unsettled.wrote(Write(5, 5, ""), 5)
    unsettled.completed(Plan(sql, Facts()), tag)
    assert (unsettled.rows, unsettled.total) == (rows, total)
    unsettled.ready(idle=False)
    assert unsettled.open is (rows > 0)
