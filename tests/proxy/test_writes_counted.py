"""Writes that affect too many rows are undone before anything commits them (proxy/net/affected.py,
proxy/net/unsettled.py): in both protocols, in and outside of transactions, with what triggers did.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import errors

from policies.decision import Facts, Plan, Write
from proxy.testing import PostgresServer
from tests.proxy.test_listener import Proxy
from tests.proxy.writes import MOST, RULE, SCHEMA, UNBOUNDED, WritingEngine

TOO_MANY = "UPDATE t SET n = n + 1 WHERE id > 3"
FEW = "UPDATE t SET n = n + 1 WHERE id <= 2"


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    return postgres.create_database("writes_counted", SCHEMA)


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    with psycopg.connect(database, autocommit=True) as direct:
        direct.execute("DELETE FROM log; DELETE FROM child; DELETE FROM t")
        direct.execute("INSERT INTO t SELECT i, i, 's' || i, 'x' FROM generate_series(1, 10) i")
    with Proxy(database, WritingEngine()) as running:
        yield running


def state(database: str) -> tuple[list[int], int]:
    """Each row's n, and how many rows a trigger has logged."""
    with psycopg.connect(database) as direct:
        rows = direct.execute("SELECT n FROM t ORDER BY id").fetchall()
        logged = direct.execute("SELECT count(*) FROM log").fetchone()
    assert logged is not None
    return [n for (n,) in rows], logged[0]


UNTOUCHED = list(range(1, 11)), 0


def outcomes(proxy: Proxy, count: int) -> list[tuple[str, str, str, int | None]]:
    proxy.recorded(count)
    return [(o.facts.operation, o.outcome, o.code, o.affected_rows)
            for o in proxy.records.operations]  # fmt: skip


def refused(error: psycopg.Error, message: str, rule: str = RULE) -> None:
    assert error.sqlstate == "54000"
    assert error.diag.message_primary == message
    assert error.diag.constraint_name == rule and rule in (error.diag.message_hint or "")
    detail = json.loads(error.diag.message_detail or "")
    assert detail == {"code": "MAX_AFFECTED_ROWS_EXCEEDED", "policy_version": "v1"}


@pytest.mark.parametrize("prepare", [False, True, None])
def test_a_statement_over_its_limit_is_undone(
    proxy: Proxy, database: str, prepare: bool | None
) -> None:
    with proxy.connect(autocommit=True) as connection:
        with pytest.raises(psycopg.Error) as raised:
            if prepare is None:  # as a Query
                psycopg.ClientCursor(connection).execute(TOO_MANY + " RETURNING id")
            else:
                connection.execute(TOO_MANY + " RETURNING id", prepare=prepare)
        refused(raised.value, "the statement would affect 7 rows, and its limit is 3")
        assert state(database) == UNTOUCHED
        assert connection.execute(FEW, prepare=prepare).rowcount == 2
    assert state(database)[1] == 2
    stopped = proxy.records.operations[0].facts.effects
    assert [(each.rule, each.effect) for each in stopped] == [(RULE, "deny")]
    assert outcomes(proxy, 2) == [
        ("update", "refused", "MAX_AFFECTED_ROWS_EXCEEDED", None), ("update", "ok", "", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("cursor", [psycopg.Cursor, psycopg.ClientCursor])
def test_a_transaction_is_aborted_and_a_savepoint_brings_it_back(
    proxy: Proxy, database: str, cursor: type[psycopg.Cursor[Any]]
) -> None:
    with proxy.connect(cursor_factory=cursor) as connection:
        connection.execute(FEW)
        with pytest.raises(errors.ProgramLimitExceeded), connection.transaction():
            connection.execute(TOO_MANY)
        connection.execute(FEW)
        connection.commit()
        assert state(database) == ([3, 4, *range(3, 11)], 4)
        connection.execute(FEW)
        with pytest.raises(errors.ProgramLimitExceeded):
            connection.execute(TOO_MANY)
        with pytest.raises(errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")
        connection.commit()
    assert state(database) == ([3, 4, *range(3, 11)], 4)


def test_one_text_is_one_transaction(proxy: Proxy, database: str) -> None:
    with proxy.connect(autocommit=True) as connection:
        with pytest.raises(errors.ProgramLimitExceeded):
            connection.execute(f"{FEW}; SELECT 1; {TOO_MANY}; {FEW}")
        assert state(database) == UNTOUCHED
        with pytest.raises(errors.ProgramLimitExceeded):
            connection.execute(f"{FEW}; COMMIT; {FEW}; {TOO_MANY}")
        assert state(database) == ([2, 3, *range(3, 11)], 2)
    assert outcomes(proxy, 7) == [
        ("update", "abandoned", "", 2), ("select", "ok", "", None),
        ("update", "refused", "MAX_AFFECTED_ROWS_EXCEEDED", None),
        ("update", "ok", "", 2), ("commit", "ok", "", None), ("update", "abandoned", "", 2),
        ("update", "refused", "MAX_AFFECTED_ROWS_EXCEEDED", None),
    ]  # fmt: skip


def test_a_pipeline_with_one_too_many(proxy: Proxy, database: str) -> None:
    with proxy.connect(autocommit=True) as connection:
        with pytest.raises(errors.ProgramLimitExceeded), connection.pipeline():
            connection.execute(FEW)
            connection.execute(TOO_MANY)
            connection.execute(FEW)
        assert state(database) == UNTOUCHED
        with connection.pipeline() as pipeline:
            connection.execute(FEW)
            pipeline.sync()
            connection.execute(FEW)
    assert state(database) == ([3, 4, *range(3, 11)], 4)


@pytest.mark.parametrize("text", [
    "INSERT INTO t (id) SELECT i FROM generate_series(11, 14) i",
    "DELETE FROM t WHERE id > 1",
    "MERGE INTO t USING generate_series(1, 4) i ON t.id = i WHEN MATCHED THEN DELETE",
    "INSERT INTO t (id) SELECT generate_series(1, 5) ON CONFLICT (id) DO UPDATE SET n = 0",
    "UPDATE t SET n = 0 RETURNING *",
])  # fmt: skip
def test_each_kind_of_write_is_counted(proxy: Proxy, database: str, text: str) -> None:
    with proxy.connect(autocommit=True) as connection:
        for cursor in (psycopg.Cursor, psycopg.ClientCursor):
            with pytest.raises(errors.ProgramLimitExceeded):
                cursor(connection).execute(text)
    assert state(database) == UNTOUCHED


def test_what_a_tag_does_not_count_is_refused(proxy: Proxy, database: str) -> None:
    text = "WITH w AS (UPDATE t SET n = 0 RETURNING id) SELECT count(*) FROM w"
    engine = proxy.engine
    assert isinstance(engine, WritingEngine)
    with proxy.connect(autocommit=True) as connection:
        for bound, fits in ((None, False), (2, True)):
            write = replace(UNBOUNDED, bound=bound)
            engine.plans[text.encode()] = plan_of(text, write)
            if fits:
                assert connection.execute(text).fetchone() == (10,)
                continue
            with pytest.raises(errors.ProgramLimitExceeded) as raised:
                connection.execute(text)
            told = raised.value.diag.message_primary
            assert told == "it cannot be known how many rows the statement would affect"
            assert state(database) == UNTOUCHED


@pytest.mark.parametrize("limits, given", [({"cap": 2}, 2), ({"most_bytes": 40}, 1), ({}, 3)])
def test_what_is_read_beside_a_write_keeps_its_limits(
    budget: Proxy, limits: dict[str, int], given: int
) -> None:
    text = "WITH w AS (UPDATE t SET n = 0 WHERE id = 1) SELECT repeat('x', 20) FROM t LIMIT 3"
    engine = budget.engine
    assert isinstance(engine, WritingEngine)
    plan = plan_of(text, Write(0, MOST, RULE, inside=3))
    engine.plans[text.encode()] = replace(plan, **limits)  # type: ignore[arg-type]
    for cursor in (psycopg.Cursor, psycopg.ClientCursor):
        with budget.connect(autocommit=True) as connection:
            done = cursor(connection).execute(text)
            assert (len(done.fetchall()), done.statusmessage) == (given, f"SELECT {given}")
            with pytest.raises(errors.ProgramLimitExceeded), connection.transaction():
                connection.execute(text)
                connection.execute(FEW)


def plan_of(text: str, write: Write) -> Plan:
    return Plan(text.encode(), Facts(operation="select"), write=write, returns_rows=True)


def test_a_fetch_size_does_not_hide_how_many_there_are(proxy: Proxy, database: str) -> None:
    async def ask() -> tuple[Any, Any]:
        connection = await asyncpg.connect(proxy.dsn)
        try:
            one = await connection.fetchrow("UPDATE t SET n = 0 WHERE id < $1 RETURNING id", 4)
            with pytest.raises(asyncpg.ProgramLimitExceededError):
                await connection.fetchrow("UPDATE t SET n = 0 WHERE id > $1 RETURNING id", 5)
            return one, await connection.fetchval("INSERT INTO t VALUES (40) RETURNING id")
        finally:
            await connection.close()

    one, inserted = asyncio.run(ask())
    assert one["id"] == 1 and inserted == 40
    assert state(database) == ([0, 0, 0, *range(4, 11), 0], 3)
    proxy.recorded(3)
    writes = [o for o in proxy.records.operations if o.facts.operation in ("update", "insert")]
    assert [(o.outcome, o.affected_rows, o.row_count) for o in writes] == [
        ("ok", 3, 1), ("refused", None, 0), ("ok", 1, 1),
    ]  # fmt: skip


# Over several statements.


@pytest.fixture
def budget(database: str, proxy: Proxy) -> Proxy:
    engine = proxy.engine
    engine.limits = replace(engine.limits, written_per_transaction=4, written_per_session=7)
    return proxy


IN_TRANSACTION = "roles.r.budget.writes.per_transaction"
IN_SESSION = "roles.r.budget.writes.per_session"


def test_rows_of_a_transaction_add_up(budget: Proxy, database: str) -> None:
    with budget.connect() as connection:
        connection.execute(FEW)
        connection.execute(FEW)
        with pytest.raises(errors.ProgramLimitExceeded) as raised:
            connection.execute("UPDATE t SET n = 9 WHERE id = 9")
        message = "the transaction would affect 5 rows, and its limit is 4"
        refused(raised.value, message, IN_TRANSACTION)
        connection.rollback()
        assert state(database) == UNTOUCHED
        with pytest.raises(errors.ProgramLimitExceeded):
            psycopg.ClientCursor(connection).execute(f"{FEW}; {FEW}; {FEW}")
        connection.rollback()
        connection.execute(FEW)
        connection.commit()
    assert state(database) == ([2, 3, *range(3, 11)], 2)


def test_rows_of_a_session_add_up_when_they_are_committed(budget: Proxy, database: str) -> None:
    with budget.connect(autocommit=True) as connection:
        connection.execute(FEW)
        with connection.transaction(force_rollback=True):
            connection.execute(FEW)
            connection.execute(FEW)
        with pytest.raises(errors.CheckViolation):
            connection.execute(f"{FEW}; UPDATE t SET n = 2000 WHERE id = 1")
        with connection.transaction():
            connection.execute(FEW)
        connection.execute(FEW)
        with pytest.raises(errors.ProgramLimitExceeded) as raised:
            connection.execute(FEW)
        refused(raised.value, "the session would affect 8 rows, and its limit is 7", IN_SESSION)
        assert connection.execute("UPDATE t SET n = 50 WHERE id = 9").rowcount == 1
    assert state(database) == ([4, 5, *range(3, 9), 50, 10], 7)


def test_rows_taken_back_to_a_savepoint_count_until_the_end(budget: Proxy) -> None:
    with budget.connect() as connection:
        connection.execute(FEW)
        with connection.transaction(force_rollback=True):
            connection.execute(FEW)
        with pytest.raises(errors.ProgramLimitExceeded) as raised:
            connection.execute(FEW)
        message = "the transaction would affect 6 rows, and its limit is 4"
        refused(raised.value, message, IN_TRANSACTION)


def test_a_commit_in_a_read_of_its_own_still_settles(budget: Proxy) -> None:
    """The shortcut for reads sees the end of a transaction that wrote."""
    with budget.connect(autocommit=True, prepare_threshold=0) as connection:
        for _ in range(3):
            connection.execute("SELECT 1")
        for _ in range(3):
            with connection.pipeline() as pipeline:
                connection.execute(FEW)
                connection.execute("SELECT 1")
                pipeline.sync()
        with pytest.raises(errors.ProgramLimitExceeded):
            connection.execute(FEW)


# COPY.


def test_copied_rows_are_counted_before_the_commit(proxy: Proxy, database: str) -> None:
    with proxy.connect(autocommit=True) as connection:
        with connection.cursor().copy("COPY t (id, n) FROM STDIN") as copy:
            for number in range(20, 20 + MOST):
                copy.write_row((number, number))
        with (
            pytest.raises(errors.ProgramLimitExceeded) as raised,
            connection.cursor().copy("COPY t (id, n) FROM STDIN") as copy,
        ):
            for number in range(30, 34):
                copy.write_row((number, number))
        refused(raised.value, "the statement would affect 4 rows, and its limit is 3")
        with pytest.raises(ZeroDivisionError), connection.cursor().copy("COPY t FROM STDIN") as c:
            c.write_row((90, 1, "a", "b"))
            raise ZeroDivisionError
    assert len(state(database)[0]) == 13
    proxy.recorded(3)
    done = proxy.records.operations
    assert [(o.outcome, o.affected_rows) for o in done] == [
        ("ok", 3), ("refused", None), ("cancelled", None),
    ]  # fmt: skip
    assert done[0].bytes >= 3 * len(b"20\t20\n") and done[0].row_count == 0


async def test_records_copied_by_asyncpg(proxy: Proxy, database: str) -> None:
    connection = await asyncpg.connect(proxy.dsn)
    try:
        rows = [(i, i, None, None) for i in range(20, 23)]
        assert await connection.copy_records_to_table("t", records=rows) == "COPY 3"
        with pytest.raises(asyncpg.ProgramLimitExceededError):
            more = [(i, i, None, None) for i in range(30, 40)]
            await connection.copy_records_to_table("t", records=more)
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.copy_records_to_table("t", records=rows)
        assert await connection.fetchval("SELECT count(*) FROM t") == 13
    finally:
        await connection.close()


def test_a_file_copied_by_psql(proxy: Proxy, database: str, postgres: PostgresServer) -> None:
    for rows, told in ((3, "COPY 3"), (4, "ERROR:  the statement would affect 4 rows")):
        lines = "".join(f"{20 + rows * 10 + i},1\n" for i in range(rows))
        command = [str(postgres.psql), proxy.dsn, "-X", "-c", "\\copy t (id, n) from stdin csv"]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
        assert told in done.stdout + done.stderr
    assert len(state(database)[0]) == 13


def test_a_large_copy_with_an_error_in_the_middle(proxy: Proxy, database: str) -> None:
    """The error comes while a frame of the client's is halfway up."""
    with proxy.connect(autocommit=True) as connection:
        for _ in range(3):
            with (
                pytest.raises(errors.InvalidTextRepresentation),
                connection.cursor().copy("COPY t (id, n, s) FROM STDIN") as copy,
            ):
                copy.write(b"nothing\t1\ta\n" + b"30\t1\t" + b"a" * 3_000_000 + b"\n")
                copy.write(b"31\t1\t" + b"a" * 3_000_000 + b"\n")
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert state(database) == UNTOUCHED
