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


def examples(mark: str) -> list[tuple[str, ...]]:
    """(statement, what comes of it) of the blocks that begin so."""
    blocks = re.findall(rf"```{mark}\n(.*?)```", PAGE, re.DOTALL)
    return [tuple(line.rsplit("; -- ", 1)) for block in blocks for line in block.splitlines()]


EXAMPLES = examples("sql")
WRITES = examples("sql clerk")


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


def test_every_write_comes_out_as_the_page_says(market: tuple[RunningProxy, str]) -> None:
    proxy, _ = market
    with psycopg.connect(proxy.dsn("clerk"), autocommit=True) as connection:
        wrong = []
        for sql, wanted in WRITES:
            connection.execute("BEGIN")
            found = outcome(connection, sql)
            connection.execute("ROLLBACK")
            if found != wanted:
                wrong.append(f"{sql} -- {found}")
    assert wrong == []


def test_the_page_is_about_something() -> None:
    assert len(EXAMPLES) > 80 and len(WRITES) > 25
    assert all(len(example) == 2 for example in (*EXAMPLES, *WRITES))
    results = {result for _, result in (*EXAMPLES, *WRITES)}
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
