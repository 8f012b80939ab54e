"""asyncpg: always the extended protocol and binary results, and it asks the catalogs for types."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import asyncpg
import pytest

SELECT = "SELECT id, email FROM users ORDER BY id"
EMAILS = [(1, "a***@acme.example"), (2, "a***@acme.example")]


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def test_fetch(connection: asyncpg.Connection) -> None:
    assert [tuple(row) for row in await connection.fetch(SELECT)] == EMAILS
    assert await connection.fetchval("SELECT amount FROM orders WHERE id = $1", 101) == Decimal(
        "10.50"
    )
    assert await connection.fetch("SELECT * FROM users WHERE id = $1", 11) == []
    row = await connection.fetchrow("SELECT * FROM users WHERE id = 1")
    assert "ssn" not in row.keys()  # noqa: SIM118
    assert row["balance"] is None


async def test_prepared_statement(connection: asyncpg.Connection) -> None:
    prepared = await connection.prepare("SELECT id, email FROM users WHERE id = ANY($1)")
    assert [a.name for a in prepared.get_attributes()] == ["id", "email"]
    assert [p.name for p in prepared.get_parameters()] == ["int4[]"]
    for _ in range(3):
        assert [row["id"] for row in await prepared.fetch([1, 11])] == [1]


async def test_types_of_enums_and_arrays(connection: asyncpg.Connection) -> None:
    """The first value of an unknown type makes asyncpg read pg_type and pg_attribute."""
    row = await connection.fetchrow("SELECT tier, tags, tiers FROM users WHERE id = $1", 1)
    assert tuple(row) == ("paid", ["a", "b"], ["free", "paid"])
    assert await connection.fetchval("SELECT id FROM users WHERE tier = $1", "free") == 2
    await connection.set_type_codec(
        "tier", schema="public", encoder=str.lower, decoder=str.upper, format="text"
    )
    assert await connection.fetchval("SELECT tier FROM users WHERE id = 1") == "PAID"


async def test_whole_rows(connection: asyncpg.Connection) -> None:
    (record,) = await connection.fetchrow("SELECT o FROM orgs o")
    assert tuple(record) == (1, "Acme")


async def test_transactions(connection: asyncpg.Connection) -> None:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async with connection.transaction():
            assert len(await connection.fetch(SELECT)) == 2
        with pytest.raises(asyncpg.UndefinedColumnError):
            async with connection.transaction():
                await connection.fetch("SELECT ssn FROM users")
        assert len(await connection.fetch(SELECT)) == 2


async def test_server_side_cursor(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        found = [row["id"] async for row in connection.cursor(SELECT, prefetch=1)]
    assert found == [1, 2]


async def test_refusal(connection: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.PostgresError) as refused:
        await connection.execute("UPDATE users SET tier = 'paid'")
    assert refused.value.hint
    assert [tuple(row) for row in await connection.fetch(SELECT)] == EMAILS


async def test_pool(dsn: str) -> None:
    """Releasing a connection resets it by several statements in one text."""
    async with asyncpg.create_pool(dsn, min_size=2, max_size=2) as pool:
        for _ in range(3):
            async with pool.acquire() as first, pool.acquire() as second:
                assert len(await first.fetch(SELECT)) == 2
                assert await second.fetchval("SELECT count(*) FROM orders") == 2
        with pytest.raises(asyncpg.PostgresError):
            await pool.execute("DROP TABLE users")
        assert await pool.fetchval("SELECT name FROM orgs") == "Acme"


async def test_reload_of_the_schema_state(connection: asyncpg.Connection) -> None:
    await connection.reload_schema_state()
    await connection.reset()
    assert len(await connection.fetch(SELECT)) == 2
