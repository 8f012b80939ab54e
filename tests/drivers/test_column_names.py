"""Result columns are called what PostgreSQL calls them: each statement straight and proxied."""

from __future__ import annotations

import psycopg
import pytest

from proxy.testing import RunningProxy
from tests.drivers.conftest import HERE

QUERIES = (HERE / "names.sql").read_text().splitlines()[1:]


@pytest.mark.parametrize("query", QUERIES)
async def test_columns_are_called_the_same(query: str, market: tuple[RunningProxy, str]) -> None:
    proxy, owner = market
    parameters = (5,) if "$1" in query else ()
    names = []
    for url in (owner, proxy.dsn("acme")):
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
        async with connection, psycopg.AsyncRawCursor(connection) as cursor:
            await cursor.execute(query.encode(), parameters)
            names.append([column.name for column in cursor.description or ()])
    assert names[0] == names[1]
