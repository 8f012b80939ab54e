"""psycopg 3: sync, async, prepared statements, pipeline mode, binary results."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest
from psycopg import errors
from psycopg.types.enum import EnumInfo

EMAILS = [(1, "a***@acme.example"), (2, "a***@acme.example")]
SELECT = "SELECT id, email FROM users ORDER BY id"


@pytest.fixture
def connection(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn) as connection:
        yield connection


@pytest.mark.parametrize("binary", [False, True])
def test_one_tenants_rows(connection: psycopg.Connection, binary: bool) -> None:
    with connection.cursor(binary=binary) as cursor:
        assert cursor.execute(SELECT).fetchall() == EMAILS
        row = cursor.execute("SELECT balance, amount FROM users JOIN orders ON user_id = users.id")
        assert sorted(row.fetchall()) == [(None, Decimal("10.50")), (None, Decimal("20.00"))]


def test_parameters_and_prepared_statements(connection: psycopg.Connection) -> None:
    for _ in range(8):  # prepared after the fifth time
        found = connection.execute("SELECT id FROM users WHERE id = %s", (11,)).fetchall()
        assert found == []
    rows = connection.execute("SELECT id FROM orders WHERE amount > %s", (1,), prepare=True)
    assert sorted(rows.fetchall()) == [(101,), (102,)]


def test_pipeline(connection: psycopg.Connection) -> None:
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", (number,)) for number in range(20)]
        users = connection.execute(SELECT)
    assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(20)]
    assert users.fetchall() == EMAILS


def test_error_inside_a_pipeline(connection: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege), connection.pipeline():
        connection.execute("SELECT 1")
        connection.execute("SELECT * FROM secrets")
        connection.execute("SELECT 2")
    connection.rollback()
    assert connection.execute(SELECT).fetchall() == EMAILS


def test_server_side_rows_one_by_one(connection: psycopg.Connection) -> None:
    assert list(connection.cursor().stream(SELECT)) == EMAILS


def test_types_are_looked_up(connection: psycopg.Connection) -> None:
    info = EnumInfo.fetch(connection, "tier")
    assert info is not None
    assert list(info.labels) == ["free", "paid"]
    assert EnumInfo.fetch(connection, "hidden_tier") is None
    rows = connection.execute("SELECT tags, tier FROM users ORDER BY id").fetchall()
    assert rows == [(["a", "b"], "paid"), ([], "free")]


def test_transactions(connection: psycopg.Connection) -> None:
    with connection.transaction():
        with pytest.raises(psycopg.Error), connection.transaction():
            connection.execute("DELETE FROM users")
        assert connection.execute(SELECT).fetchall() == EMAILS
        assert connection.info.transaction_status.name == "INTRANS"
    assert connection.info.transaction_status.name == "IDLE"


def test_refusal(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error) as refused:
        connection.execute("DELETE FROM users WHERE id = %s", (1,))
    assert refused.value.diag.message_hint
    assert refused.value.diag.message_detail
    connection.rollback()
    assert connection.execute(SELECT).fetchall() == EMAILS


def test_a_denied_column_is_not_there(connection: psycopg.Connection) -> None:
    with pytest.raises(errors.UndefinedColumn) as missing:
        connection.execute("SELECT ssn FROM users")
    assert "ssn" not in (missing.value.diag.message_hint or "")
    connection.rollback()
    found = connection.execute("SELECT * FROM users").description
    assert found is not None
    assert "ssn" not in [column.name for column in found]


def test_cancel(connection: psycopg.Connection) -> None:
    connection.cancel()  # nothing runs: it must neither fail nor hit what comes next
    assert connection.execute(SELECT).fetchall() == EMAILS


async def test_async(dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute(SELECT)
        assert await cursor.fetchall() == EMAILS
        with pytest.raises(psycopg.Error):
            await connection.execute("DROP TABLE users")
        await connection.rollback()
        cursor = await connection.execute("SELECT count(*) FROM orders", prepare=True)
        assert await cursor.fetchone() == (2,)


@pytest.mark.parametrize("parameters", [None, (1,)])
def test_the_position_of_an_error(dsn: str, parameters: tuple[int] | None) -> None:
    text = "SELECT '€', nope FROM users" + (" WHERE id = %s" if parameters else "")
    with (
        psycopg.connect(dsn) as connection,
        pytest.raises(errors.UndefinedColumn) as caught,
    ):
        connection.execute(text, parameters)
    assert caught.value.diag.statement_position == str(text.index("nope") + 1)
