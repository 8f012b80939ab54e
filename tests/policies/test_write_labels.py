"""Names of results without AS are those PostgreSQL gives them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from policies import grammar
from policies.writes.labels import label
from proxy.testing import PostgresServer

EXPRESSIONS = (
    "a", "t.a", "(t).a", "(ARRAY[1,2])[1]", "c[1]", "c[1:2]", "count(*)", "pg_catalog.lower(b)",
    "a::text", "a + 1", "(a + 1)::text", "1", "'x'", "1::bigint", "DATE '2026-01-01'", "true",
    "-a", "NOT true", "a IS NULL", "coalesce(a, 1)", "nullif(a, 1)", "greatest(a, 2)",
    "least(a, 2)", "ARRAY[1]", "ROW(1, 2)", "(1, 2)", "CASE WHEN true THEN 1 END",
    "CASE WHEN true THEN 1 ELSE a END", "CASE WHEN true THEN 1 ELSE a + 1 END::text",
    "b COLLATE \"C\"", "EXISTS (SELECT 1)", "ARRAY(SELECT 1)", "(SELECT 1)", "(SELECT max(a))",
    "(SELECT 1 AS z)", "(SELECT a UNION SELECT 2 LIMIT 1)", "(VALUES (1))", "a IN (1, 2)",
    "a = ANY (ARRAY[1])", "a IN (SELECT 1)", "trim(b)", "extract(year FROM now())",
    "substring(b from 1 for 2)", "position('x' in b)", "a BETWEEN 1 AND 2", "b LIKE 'x'",
    "to_jsonb(t) -> 'a'", "a::numeric(10, 2)", "interval '1 day'", "b || 'x'",
)  # fmt: skip


@pytest.fixture(scope="module")
def connection(postgres: PostgresServer) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgres.create_database("labels"), autocommit=True) as made:
        yield made


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_result_is_called_as_postgresql_calls_it(
    connection: psycopg.Connection[tuple[object, ...]], expression: str
) -> None:
    text = f"SELECT {expression}"
    _, node = grammar.parse_one(text)
    found = label(node["targetList"][0]["ResTarget"]["val"])
    described = connection.execute(
        f"{text} FROM (SELECT 1 AS a, 'x'::text AS b, ARRAY[1] AS c) AS t"
    )
    assert described.description is not None
    assert found == described.description[0].name


@pytest.mark.parametrize("expression", ["*", "t.*", "(t).*", "current_timestamp", "(SELECT t.*)"])
def test_what_cannot_be_told_has_no_name(expression: str) -> None:
    _, node = grammar.parse_one(f"SELECT {expression}")
    assert label(node["targetList"][0]["ResTarget"]["val"]) == ""


def test_a_replaced_column_gives_no_name() -> None:
    _, node = grammar.parse_one("SELECT a, a::text, lower(a), coalesce(a, b)")
    values = [entry["ResTarget"]["val"] for entry in node["targetList"]]
    gone = {id(inner) for key, inner in grammar.walk(node) if key == "ColumnRef"}
    assert [label(value, gone) for value in values] == ["", "", "lower", "coalesce"]
