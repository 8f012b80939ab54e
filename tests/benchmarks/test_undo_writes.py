"""What the checker takes off a statement that writes, and that it takes off nothing else.

Here also: benchmarks/undo_writes.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.undo import Expected, difference
from benchmarks.undo_writes import Tenancy
from tests.benchmarks.test_undo import VIEW, is_view

OWN = "CAST('1' AS bigint)"
_NUMBER = "CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4)"
FAIL = f"CAST(CAST({_NUMBER} AS pg_catalog.text) AS bigint)"
SCOPE = "\"t\".tenant_id = '1'"


def columns(schema: str, name: str) -> tuple[str, ...]:
    assert schema in ("", "public")
    return {"t": ("id", "name", "tenant_id")}[name]


TENANCY = Tenancy("tenant_id", "'1'", "bigint", "id", columns)


def where(original: str, rewritten: str, view: Any = is_view) -> str:
    return difference(original, rewritten, Expected(None, view, tenancy=TENANCY))


def only(value: str) -> str:
    return f"CASE WHEN ({value}) = {OWN} THEN {OWN} ELSE {FAIL} END"


PERMITTED = [
    ("UPDATE t SET name = $1", f"UPDATE public.t SET name = $1 WHERE {SCOPE}"),
    ("UPDATE t SET name = $1 WHERE id = 2", f"UPDATE t SET name = $1 WHERE {SCOPE} AND (id = 2)"),
    (
        "UPDATE t AS u SET name = 'x' WHERE name LIKE $1 AND id = 5",
        "UPDATE public.t AS u SET name = 'x' WHERE \"u\".tenant_id = '1' AND \"u\".id = 5 AND "
        "CASE WHEN \"u\".tenant_id = '1' THEN (name LIKE $1 AND id = 5) ELSE false END",
    ),
    ("UPDATE t SET tenant_id = $1", f"UPDATE t SET tenant_id = {only('$1')} WHERE {SCOPE}"),
    (
        "UPDATE t SET name = o.total FROM orders o WHERE o.id = t.id",
        f"UPDATE t SET name = o.total FROM {VIEW} AS o WHERE {SCOPE} AND (o.id = t.id)",
    ),
    ("DELETE FROM ONLY t", f"DELETE FROM ONLY public.t WHERE {SCOPE}"),
    (
        "DELETE FROM t USING orders WHERE orders.id = t.id RETURNING *",
        f"DELETE FROM t USING {VIEW} AS orders WHERE {SCOPE} AND (orders.id = t.id) "
        'RETURNING "t"."id", "t"."name", "t"."tenant_id", "orders".*',
    ),
    (
        "INSERT INTO t VALUES (1, $1), (2, DEFAULT) RETURNING t.*, id",
        f"INSERT INTO t (id, name, tenant_id) VALUES (1, $1, {OWN}), (2, DEFAULT, {OWN}) "
        'RETURNING "t"."id", "t"."name", "t"."tenant_id", id',
    ),
    ("INSERT INTO t DEFAULT VALUES", f"INSERT INTO t (tenant_id) VALUES ({OWN})"),
    (
        "INSERT INTO t (tenant_id, name) VALUES ($1, 'x'), (DEFAULT, 'y'), (1, 'z')",
        f"INSERT INTO t (tenant_id, name) VALUES ({only('$1')}, 'x'), ({OWN}, 'y'), (1, 'z')",
    ),
    (
        "INSERT INTO t (name) SELECT total FROM orders UNION ALL SELECT 'x'",
        f"INSERT INTO t (name, tenant_id) SELECT total, {OWN} FROM {VIEW} AS orders "
        f"UNION ALL SELECT 'x', {OWN}",
    ),
    (
        "INSERT INTO t (tenant_id, name) SELECT * FROM unnest($1::int[], $2::text[])",
        f"""INSERT INTO t (tenant_id, name) SELECT {only('q."1"')}, q."2" """
        'FROM unnest($1::int[], $2::text[]) AS q("1", "2")',
    ),
    (
        "INSERT INTO t (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET id = excluded.id, name = '' "
        "WHERE t.name > $2",
        f"INSERT INTO t (id, tenant_id) VALUES ($1, {OWN}) ON CONFLICT (id) DO UPDATE "
        'SET id = CASE WHEN (excluded.id) IS NOT DISTINCT FROM "t"."id" THEN "t"."id" '
        f"ELSE {FAIL} END, name = '' "
        f"WHERE {SCOPE} AND CASE WHEN {SCOPE} THEN (t.name > $2) ELSE false END",
    ),
    (
        "MERGE INTO t USING orders AS o ON o.id = t.id WHEN MATCHED THEN UPDATE SET tenant_id = $1 "
        "WHEN NOT MATCHED THEN INSERT VALUES (o.id, $2) RETURNING *",
        f"MERGE INTO public.t USING {VIEW} AS o ON {SCOPE} AND CASE WHEN {SCOPE} "
        f"THEN (o.id = t.id) ELSE false END WHEN MATCHED THEN UPDATE SET tenant_id = {only('$1')} "
        f"WHEN NOT MATCHED THEN INSERT (id, name, tenant_id) VALUES (o.id, $2, {OWN}) "
        'RETURNING "o".*, "t"."id", "t"."name", "t"."tenant_id"',
    ),
    (
        "DELETE FROM public.t WHERE public.t.id = 1 RETURNING public.t.id",
        f"DELETE FROM public.t WHERE {SCOPE} AND (t.id = 1) RETURNING t.id",
    ),
    (
        "WITH gone AS (DELETE FROM t RETURNING id) SELECT * FROM gone",
        f"WITH gone AS (DELETE FROM t WHERE {SCOPE} RETURNING id) SELECT * FROM gone",
    ),
]


@pytest.mark.parametrize(("original", "rewritten"), PERMITTED)
def test_what_the_rules_put_in_is_taken_off(original: str, rewritten: str) -> None:
    assert where(original, rewritten) == ""
    assert where(original, rewritten.replace("'1'", "'2'")) != ""


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        (0, "name = $1", "name = $2"),
        (0, "public.t ", "other.t "),
        (0, "tenant_id = '1'", "tenant_id = '1' OR true"),
        (1, "AND (id = 2)", "AND (id = 3)"),
        (1, "AND (id = 2)", "OR (id = 2)"),
        (1, "AND (id = 2)", "AND (id = 2) AND id > 0"),
        (2, '"u".id = 5', '"u".id = 6'),
        (2, "ELSE false", "ELSE true"),
        (2, "THEN (name LIKE $1 AND id = 5)", "THEN (name LIKE $1)"),
        (2, "WHEN \"u\".tenant_id = '1' THEN", "WHEN true THEN"),
        (3, "($1) =", "($2) ="),
        (3, "ELSE CAST(", "ELSE 1 + CAST("),
        (3, "querywarden:0", "querywarden"),
        (4, "(o.id = t.id)", "(o.id = t.tenant_id)"),
        (4, "(SELECT id, total FROM public.orders WHERE tenant_id = '1')", "public.orders"),
        (5, "ONLY ", ""),
        (6, '"t"."name", ', ""),
        (6, '"orders".*', "*"),
        (7, "(id, name, tenant_id)", "(name, id, tenant_id)"),
        (7, "(2, DEFAULT, ", "(3, DEFAULT, "),
        (7, "(2, DEFAULT, CAST('1' AS bigint))", "(2, DEFAULT, 1)"),
        (8, "(tenant_id) VALUES", "(id) VALUES"),
        (9, "(1, 'z')", "(2, 'z')"),
        (9, ", 'y')", ", 'x')"),
        (10, "UNION ALL", "UNION"),
        (10, "SELECT 'x', ", "SELECT 'z', "),
        (11, 'q."2"', 'q."1"'),
        (11, "AS q", "WITH ORDINALITY AS q"),
        (12, "name = ''", "name = 'x'"),
        (12, '"t"."id" THEN', '"t"."id" OR true THEN'),
        (12, 'THEN "t"."id"', "THEN 5"),
        (12, "DO UPDATE", "DO NOTHING --"),
        (13, "THEN UPDATE", "THEN DELETE --"),
        (13, "(o.id = t.id)", "(true)"),
        (13, "ELSE false", "ELSE true"),
        (13, "VALUES (o.id, $2", "VALUES (o.id, $1"),
        (13, "(id, name, tenant_id)", "(name, id, tenant_id)"),
        (13, "($1)", "($2)"),
        (14, "(t.id = 1)", "(o.id = 1)"),
        (15, "RETURNING id", "RETURNING name"),
    ],
)
def test_anything_else_is_found(number: int, old: str, new: str) -> None:
    original, rewritten = PERMITTED[number]
    assert old in rewritten
    assert where(original, rewritten.replace(old, new, 1)) != ""


def test_without_rules_nothing_is_taken_off() -> None:
    original, rewritten = PERMITTED[0]
    assert difference(original, rewritten, Expected(None, is_view)) != ""
    assert difference(original, original, Expected(None, is_view)) == ""


def test_only_one_statement_of_rows() -> None:
    assert where("DELETE FROM t", "DELETE FROM t; DELETE FROM t") != ""
    assert where("BEGIN", "BEGIN") != ""
    assert where("DELETE FROM t", "SELECT FROM t") != ""
