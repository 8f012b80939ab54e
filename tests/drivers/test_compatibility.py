"""COMPATIBILITY.md is true: each of its statements comes out of the proxy as it says."""

from __future__ import annotations

import json
import re

import psycopg
import pytest

from policies.reasons import REASONS
from proxy.testing import RunningProxy
from tests.drivers.conftest import HERE

PAGE = (HERE.parent.parent / "COMPATIBILITY.md").read_text()
EXAMPLES = [
    tuple(line.rsplit("; -- ", 1))
    for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


def outcome(connection: psycopg.Connection, sql: str) -> str:
    try:
        cursor = connection.cursor()
        if sql.startswith("COPY") and "STDOUT" in sql:
            with cursor.copy(sql.encode()) as copy:
                return "works" if list(copy) else "nothing"
        cursor.execute(sql.encode())
    except psycopg.Error as error:
        found = error.diag.message_detail
        own = isinstance(found, str) and found.startswith("{")
        return str(json.loads(found)["code"]) if own else str(error.sqlstate)
    return "works"


def test_every_statement_comes_out_as_the_page_says(market: tuple[RunningProxy, str]) -> None:
    proxy, _ = market
    with psycopg.connect(proxy.dsn("acme"), autocommit=True) as connection:
        wrong = [
            f"{sql} -- {found}"
            for sql, wanted in EXAMPLES
            if (found := outcome(connection, sql)) != wanted
        ]
    assert wrong == []


def test_the_page_is_about_something() -> None:
    assert len(EXAMPLES) > 80
    assert all(len(example) == 2 for example in EXAMPLES)
    results = {result for _, result in EXAMPLES}
    assert {r for r in results if not r[0].isdigit()} <= {"works", *REASONS}


@pytest.mark.parametrize("length", [99_999, 100_000])
def test_a_computed_length_ends_where_a_constant_does(
    length: int, market: tuple[RunningProxy, str]
) -> None:
    proxy, _ = market
    with psycopg.connect(proxy.dsn("acme")) as connection:
        query = "SELECT length(repeat('x', %s)), length(lpad('x', %s, NULL))"
        if length < 100_000:
            assert connection.execute(query, (length, None)).fetchone() == (length, None)
        else:
            with pytest.raises(psycopg.errors.NumericValueOutOfRange):
                connection.execute(query, (length, None))
