"""Cursors on the server and statements prepared by SQL: psycopg's named cursors, and psql."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from proxy.testing import PostgresServer
from tests.drivers.conftest import plain_environment

EMAILS = [(1, "a***@acme.example"), (2, "a***@acme.example")]
SELECT = "SELECT id, email FROM users ORDER BY id"
MANY = "SELECT aid FROM pgbench_accounts ORDER BY aid"
CAP = 100


@pytest.fixture
def connection(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn) as connection:
        yield connection


@pytest.mark.parametrize("binary", [False, True])
def test_a_named_cursor(connection: psycopg.Connection, binary: bool) -> None:
    with connection.cursor("c", binary=binary) as cursor:
        cursor.execute(SELECT)
        assert cursor.description and cursor.description[1].name == "email"
        assert cursor.fetchone() == EMAILS[0]
        assert cursor.fetchall() == EMAILS[1:]


def test_a_named_cursor_with_parameters(connection: psycopg.Connection) -> None:
    with connection.cursor("c") as cursor:
        cursor.execute("SELECT id FROM users WHERE id >= %s ORDER BY id", (2,))
        assert cursor.fetchmany(10) == [(2,)]
        cursor.execute("SELECT id FROM users WHERE id < %s", (2,))  # closes and declares again
        assert cursor.fetchall() == [(1,)]


def test_a_cursor_gives_no_more_than_one_statement_would(connection: psycopg.Connection) -> None:
    said: list[str | None] = []
    connection.add_notice_handler(lambda notice: said.append(notice.message_primary))
    with connection.cursor("c") as cursor:
        cursor.itersize = 30
        assert [number for (number,) in cursor.execute(MANY)] == list(range(1, CAP + 1))
    assert said == ["cursor gives at most 100 rows"]


def test_forth_and_back(connection: psycopg.Connection) -> None:
    with connection.cursor("c", scrollable=True) as cursor:
        cursor.execute(MANY)
        assert [row[0] for row in cursor.fetchmany(3)] == [1, 2, 3]
        cursor.scroll(-2)
        assert cursor.fetchone() == (2,)
        cursor.scroll(98, mode="absolute")
        assert cursor.fetchall() == [(99,), (100,)]
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchone() == (1,)


def test_a_cursor_with_hold_outlives_its_transaction(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        with connection.cursor("held", withhold=True) as cursor:
            cursor.execute(SELECT)
            assert cursor.fetchone() == EMAILS[0]
            assert connection.info.transaction_status.name == "IDLE"
            assert cursor.fetchall() == EMAILS[1:]
        with pytest.raises(errors.InvalidCursorName, match='cursor "held" does not exist'):
            connection.execute("FETCH ALL FROM held")


def test_what_a_savepoint_undoes(connection: psycopg.Connection) -> None:
    with connection.cursor("before") as before:
        before.execute(SELECT)
        with pytest.raises(errors.DivisionByZero), connection.transaction():
            connection.execute(f"DECLARE inside CURSOR FOR {SELECT}")
            assert connection.execute("FETCH inside").fetchall() == EMAILS[:1]
            connection.execute("SELECT 1 / 0")
        assert before.fetchall() == EMAILS
    with pytest.raises(errors.InvalidCursorName):
        connection.execute("FETCH inside")


def test_prepared_by_sql(connection: psycopg.Connection) -> None:
    connection.execute("PREPARE p (int) AS SELECT id, email FROM users WHERE id <= $1 ORDER BY id")
    assert connection.execute("EXECUTE p(1)").fetchall() == EMAILS[:1]
    assert connection.execute("EXECUTE p('11')").fetchall() == EMAILS
    with pytest.raises(errors.InvalidTextRepresentation):
        connection.execute("EXECUTE p('one')")
    connection.rollback()
    connection.execute("DEALLOCATE p")
    with pytest.raises(errors.InvalidSqlStatementName, match='statement "p" does not exist'):
        connection.execute("EXECUTE p(1)")


def test_a_prepared_query_is_capped(connection: psycopg.Connection) -> None:
    connection.execute(f"PREPARE many AS {MANY}")
    cursor = connection.execute("EXECUTE many")
    assert len(cursor.fetchall()) == CAP and cursor.statusmessage == "SELECT 100"


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_psql_fetches_in_steps(dsn: str, postgres: PostgresServer, rows: int) -> None:
    found = {postgres.psql, shutil.which("psql") or postgres.psql}
    for psql in found:
        script = f"\\set FETCH_COUNT {rows}\n{SELECT};\n{MANY};\n\\q\n"
        done = subprocess.run(
            [psql, "-X", "-A", "-t", dsn], input=script, env=plain_environment(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        assert lines[:2] == ["1|a***@acme.example", "2|a***@acme.example"]
        assert lines[2:] == [str(number) for number in range(1, CAP + 1)]
        assert "at most 100 rows" in done.stderr or "capped at 100 rows" in done.stderr
