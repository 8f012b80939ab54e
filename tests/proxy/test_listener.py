"""A listener in front of a real PostgreSQL, spoken to by real drivers.

The engine is a table, so what is seen here is the wire and the sessions alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import uvloop
from psycopg import errors

from policies import reasons
from proxy.auth import Userlist
from proxy.net.address import UpstreamAddress
from proxy.net.listener import Listener
from proxy.testing import EmbeddedPostgres, PostgresServer
from proxy.wire.messages import (
    Bind,
    DataRow,
    ErrorResponse,
    Execute,
    Message,
    Parse,
    Query,
    ReadyForQuery,
    Sync,
)
from proxy.wire.scram import make_verifier
from tests.proxy.conversation import Records, TableEngine, deny, plan
from tests.proxy.fake_upstream import RawClient

TABLE: dict[bytes, Any] = {
    b"SELECT ssn FROM people": deny(reasons.TYPE_NOT_ALLOWED, "no column ssn"),
    b"SELECT capped": plan(b"SELECT i FROM generate_series(1, 11) i", cap=10),
    b"SELECT renamed FROM people": plan(b"SELECT name AS renamed FROM people ORDER BY id"),
}
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, ssn text);
INSERT INTO people SELECT i, 'n' || i, 's' || i FROM generate_series(1, 500) i;
"""


class Proxy:
    """A listener on a loop of its own, in a thread of its own."""

    def __init__(self, dsn: str, engine: TableEngine) -> None:
        self.engine = engine
        self.records = Records()
        self.port = 0
        self._dsn = dsn
        self._loop = uvloop.new_event_loop()
        self._listener: Listener | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        assert self._listener is not None
        self._run(self._listener.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _start(self) -> None:
        userlist = Userlist({"app": make_verifier("pw")})
        address = UpstreamAddress.parse(self._dsn)
        self.database = address.database
        self._listener = Listener(self.engine, userlist, address, [self.records], self.records)
        self.port = await self._listener.start("127.0.0.1", 0)

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    @property
    def dsn(self) -> str:
        return f"postgresql://app:pw@127.0.0.1:{self.port}/{self.database}"

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn, **options)

    def recorded(self, count: int) -> None:
        """Wait until so many operations are there."""
        deadline = time.monotonic() + 5
        while len(self.records.operations) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.records.operations) >= count


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    return postgres.create_database("listener_test", SCHEMA)


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    with Proxy(database, TableEngine(TABLE)) as running:
        yield running


@pytest.fixture
def open_proxy(database: str) -> Iterator[Proxy]:
    """For what enforcement would not let through."""
    with Proxy(database, TableEngine(TABLE, "bypass")) as running:
        yield running


# psycopg.


def test_a_simple_round_trip(proxy: Proxy) -> None:
    with proxy.connect() as connection:
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (500,)
        assert connection.info.parameter_status("session_authorization") == "app"


def test_prepared_statements_and_binary_results(proxy: Proxy) -> None:
    with proxy.connect(prepare_threshold=1, autocommit=True) as connection:
        for number in range(1, 30):
            cursor = connection.cursor(binary=number % 2 == 0)
            cursor.execute("SELECT name, id FROM people WHERE id = %s", (number,))
            assert cursor.fetchall() == [(f"n{number}", number)]
        assert connection.execute("SELECT renamed FROM people").fetchmany(1) == [("n1",)]


def test_a_refusal_aborts_the_transaction_as_any_error_does(proxy: Proxy) -> None:
    with proxy.connect() as connection:
        connection.execute("SELECT 1")
        with pytest.raises(errors.InsufficientPrivilege) as raised:
            connection.execute("SELECT ssn FROM people")
        assert raised.value.diag.message_primary == "no column ssn"
        assert raised.value.diag.message_hint == "try less"
        assert '"code": "TYPE_NOT_ALLOWED"' in (raised.value.diag.message_detail or "")
        with pytest.raises(errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("prepare", [True, False])
def test_a_capped_result(proxy: Proxy, prepare: bool) -> None:
    with proxy.connect() as connection:
        notices: list[str | None] = []
        connection.add_notice_handler(lambda diag: notices.append(diag.message_primary))
        cursor = connection.execute("SELECT capped", prepare=prepare)
        assert (cursor.rowcount, len(cursor.fetchall())) == (10, 10)
        assert cursor.statusmessage == "SELECT 10"
        assert notices == ["result capped at 10 rows"]
    proxy.recorded(2)
    capped = next(o for o in proxy.records.operations if o.truncated)
    assert capped.row_count == 10


def test_a_pipeline_with_a_refusal_in_the_middle(proxy: Proxy) -> None:
    with proxy.connect(autocommit=True) as connection, contextlib.ExitStack() as stack:
        pipeline = stack.enter_context(connection.pipeline())
        first = connection.execute("SELECT 1")
        pipeline.sync()
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT ssn FROM people")
            connection.execute("SELECT 2")
            pipeline.sync()
        last = connection.execute("SELECT 3")
        pipeline.sync()
        assert (first.fetchone(), last.fetchone()) == ((1,), (3,))


def test_a_large_pipeline_is_answered(proxy: Proxy) -> None:
    with proxy.connect(autocommit=True) as connection:
        with connection.pipeline():
            cursors = [
                connection.execute("SELECT %s, repeat('x', 2000)", (number,), prepare=True)
                for number in range(2000)
            ]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(2000))  # type: ignore[index]


def test_large_values_both_ways(proxy: Proxy) -> None:
    value = "x" * 20_000_000
    with proxy.connect() as connection:
        row = connection.execute("SELECT length(%s), repeat('y', 5000000)", (value,)).fetchone()
        assert row is not None and row[0] == len(value) and len(row[1]) == 5_000_000


def test_a_server_side_cursor(open_proxy: Proxy) -> None:
    with open_proxy.connect() as connection, connection.cursor("c") as cursor:
        cursor.execute("SELECT id FROM people ORDER BY id")
        cursor.itersize = 100
        assert [row[0] for row in cursor] == list(range(1, 501))


def test_copy_both_ways(open_proxy: Proxy) -> None:
    with open_proxy.connect() as connection:
        connection.execute("CREATE TEMP TABLE t (i int, s text)")
        cursor = connection.cursor()
        with cursor.copy("COPY t FROM STDIN") as copy:
            for number in range(20_000):
                copy.write_row((number, "x" * 50))
        assert cursor.rowcount == 20_000
        with cursor.copy("COPY t TO STDOUT") as copy:
            assert sum(1 for _ in copy.rows()) == 20_000
        with (
            pytest.raises(errors.InvalidTextRepresentation),
            cursor.copy("COPY t FROM STDIN") as copy,
        ):
            copy.write("not a number\tx\n" * 100_000)
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_can_be_cancelled(proxy: Proxy) -> None:
    with proxy.connect() as connection:
        timer = threading.Timer(0.2, connection.cancel_safe)
        timer.start()
        with pytest.raises(errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(20)")
        timer.join()
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert "cancelled" in {operation.outcome for operation in proxy.records.operations}


def test_notifications_arrive(open_proxy: Proxy) -> None:
    with open_proxy.connect(autocommit=True) as one, open_proxy.connect(autocommit=True) as two:
        one.execute("LISTEN channel")
        two.execute("NOTIFY channel, 'payload'")
        notify = next(one.notifies(timeout=5, stop_after=1))
        assert notify.payload == "payload" and notify.pid == two.info.backend_pid


def test_the_pid_shown_is_the_upstreams(proxy: Proxy) -> None:
    with proxy.connect() as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row == (connection.info.backend_pid,)


def test_an_upstream_that_is_terminated(proxy: Proxy) -> None:
    with proxy.connect() as one, proxy.connect(autocommit=True) as two:
        two.execute("SELECT pg_terminate_backend(%s)", (one.info.backend_pid,))
        with pytest.raises(errors.AdminShutdown):
            one.execute("SELECT 1")
        assert two.execute("SELECT 1").fetchone() == (1,)


def test_errors_carry_no_detail(proxy: Proxy) -> None:
    with proxy.connect() as connection:
        with pytest.raises(errors.NotNullViolation) as raised:
            connection.execute("UPDATE people SET name = NULL WHERE id = 1")
        assert raised.value.diag.message_detail is None
        assert raised.value.diag.table_name is None


def test_operations_are_recorded_with_their_counts(proxy: Proxy) -> None:
    with proxy.connect(autocommit=True) as connection:
        connection.execute("SELECT id FROM people WHERE id <= 7")
        connection.execute("UPDATE people SET name = name WHERE id <= 3", prepare=True)
        with pytest.raises(errors.DivisionByZero):
            connection.execute("SELECT 1/0")
    proxy.recorded(3)
    found = [
        (o.facts.operation, o.outcome, o.row_count, o.affected_rows, o.sqlstate)
        for o in proxy.records.operations
    ]
    assert found == [
        ("select", "ok", 7, None, ""), ("update", "ok", 0, 3, ""),
        ("select", "failed", 0, None, "22012"),
    ]  # fmt: skip


def test_a_wrong_password(proxy: Proxy) -> None:
    expected = 'password authentication failed for user "app"'
    with pytest.raises(psycopg.OperationalError, match=expected):
        psycopg.connect(proxy.dsn.replace(":pw@", ":no@"))


# asyncpg.


async def test_asyncpg(open_proxy: Proxy) -> None:
    connection = await asyncpg.connect(open_proxy.dsn)
    try:
        assert await connection.fetchval("SELECT count(*) FROM people") == 500
        async with connection.transaction():
            cursor = await connection.cursor("SELECT id FROM people ORDER BY id")
            assert [row[0] for row in await cursor.fetch(3)] == [1, 2, 3]
            assert len(await cursor.fetch(1000)) == 497
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT ssn FROM people")
        await connection.executemany("SELECT $1::int", [(n,) for n in range(100)])
        prepared = await connection.prepare("SELECT name FROM people WHERE id = $1")
        assert await prepared.fetchval(5) == "n5"
        copied = await connection.copy_records_to_table(
            "people", records=[(1000 + n, "new", None) for n in range(10)]
        )
        assert copied == "COPY 10"
        await connection.execute("DELETE FROM people WHERE id >= 1000")
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetch("SELECT pg_sleep(20)", timeout=0.2)
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()


async def test_asyncpg_prepares_again_when_the_policy_changed(proxy: Proxy) -> None:
    connection = await asyncpg.connect(proxy.dsn)
    try:
        text = "SELECT id FROM people WHERE id < $1"
        assert len(await connection.fetch(text, 4)) == 3
        changed = plan(b"SELECT id FROM people WHERE id < $1 AND id > 1")
        proxy.engine.reload({text.encode(): changed})
        assert len(await connection.fetch(text, 4)) == 2
    finally:
        await connection.close()


# Raw.


async def test_what_postgresql_says_of_names_is_what_we_say(proxy: Proxy, database: str) -> None:
    """26000, 34000, 42P05 through the proxy, as the server itself says them."""
    scripts: list[list[Message]] = [
        [Bind(b"", b"nope")], [Bind(b"", b"")], [Execute(b"c")],
        [Parse(b"s", b"SELECT 1"), Parse(b"s", b"SELECT 2")],
        [Parse(b"", b"SELECT 1"), Bind(b"c", b""), Bind(b"c", b"")],
    ]  # fmt: skip
    texts = [
        'prepared statement "nope" does not exist', "unnamed prepared statement does not exist",
        'portal "c" does not exist', 'prepared statement "s" already exists',
        'cursor "c" already exists',
    ]  # fmt: skip
    async with RawClient.to(proxy.port) as client:
        await client.log_in(database=proxy.database)
        for script, text in zip(scripts, texts, strict=True):
            client.say(*script, Sync())
            heard = await client.until(ReadyForQuery)
            error = next(message for message in heard if isinstance(message, ErrorResponse))
            assert ("M", text.encode()) in error.fields


async def test_a_client_that_pipelines_and_does_not_read(proxy: Proxy) -> None:
    """Nothing grows without bound, nothing locks up, and every answer comes in the end."""
    async with RawClient.to(proxy.port) as client:
        await client.log_in(database=proxy.database)
        query = Query(b"SELECT repeat('x', 100000)")
        for _ in range(300):
            client.say(query)
        await asyncio.sleep(0.5)
        rows = 0
        for _ in range(300):
            heard = await client.until(ReadyForQuery)
            rows += sum(isinstance(message, DataRow) for message in heard)
        assert rows == 300


async def test_a_reader_that_stops_does_not_grow_memory(proxy: Proxy) -> None:
    def resident() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024

    with proxy.connect() as other, contextlib.closing(proxy.connect()) as connection:
        before = resident()
        connection.pgconn.send_query(b"SELECT repeat('x', 1000) FROM generate_series(1, 400000)")
        await asyncio.sleep(1)
        assert other.execute("SELECT 1").fetchone() == (1,)
        assert resident() - before < 100


# Logging in upstream, for real.


@pytest.mark.parametrize("auth", ["scram-sha-256", "md5", "password"])
def test_upstream_authentication(auth: str) -> None:
    with EmbeddedPostgres(auth=auth, password="p'w d") as server:
        for unix in (False, True):
            dsn = server.dsn(unix=unix)
            with Proxy(dsn, TableEngine()) as proxy, proxy.connect() as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
        wrong = server.dsn().replace(":p", ":x")
        refused = pytest.raises(psycopg.OperationalError, match="refused the proxy's own login")
        with Proxy(wrong, TableEngine()) as proxy, refused:
            proxy.connect()
