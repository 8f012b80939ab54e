"""The fidelity checker must see every kind of change, or its zeros mean nothing.

Here also: benchmarks/undo_names.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.undo import Expected, difference

VIEW = "(SELECT id, total FROM public.orders WHERE tenant_id = '1')"


def is_view(inner: Any, schema: str, name: str) -> bool:
    source = inner.from_clause[0].range_var
    return source.relname == name and schema in ("", source.schemaname)


def where(original: str, rewritten: str, cap: int | None = None) -> str:
    return difference(original, rewritten, Expected(cap, is_view))


@pytest.mark.parametrize(
    ("original", "rewritten"),
    [
        ("SELECT 1", "select  1"),
        ("SELECT * FROM orders", f"SELECT * FROM {VIEW} AS orders"),
        ("SELECT o.id FROM public.orders AS o", f"SELECT o.id FROM {VIEW} AS o"),
        ("SELECT a FROM orders o (a, b)", f"SELECT a FROM {VIEW} AS o (a, b)"),
        (
            "WITH w AS (SELECT * FROM orders) SELECT * FROM w",
            f"WITH w AS (SELECT * FROM {VIEW} AS orders) SELECT * FROM w",
        ),
        (
            "SELECT x FROM (SELECT id AS x FROM orders) AS d",
            f"SELECT x FROM (SELECT id AS x FROM {VIEW} AS orders) AS d",
        ),
        (
            "SELECT * FROM a WHERE EXISTS (SELECT FROM orders)",
            f"SELECT * FROM (SELECT FROM a) AS a WHERE EXISTS (SELECT FROM {VIEW} AS orders)",
        ),
        (
            "SELECT * FROM orders o TABLESAMPLE system (5) REPEATABLE (1)",
            "SELECT * FROM (SELECT id FROM public.orders r TABLESAMPLE system (5) REPEATABLE (1))"
            " AS o",
        ),
        (
            "SELECT * FROM orders o FOR UPDATE OF o SKIP LOCKED",
            f"SELECT * FROM {VIEW} AS o FOR UPDATE OF o SKIP LOCKED",
        ),
    ],
)
def test_only_views_differ(original: str, rewritten: str) -> None:
    assert where(original, rewritten) == ""


@pytest.mark.parametrize(
    ("original", "rewritten", "cap"),
    [
        ("SELECT 1", "SELECT 1 LIMIT 11", 10),
        ("SELECT 1 LIMIT ALL", "SELECT 1 LIMIT 11", 10),
        ("SELECT 1 LIMIT 5", "SELECT 1 LIMIT 5", 10),
        ("SELECT 1 LIMIT 50", "SELECT 1 LIMIT 11", 10),
        (
            "SELECT id FROM orders ORDER BY id FETCH FIRST 5 ROWS WITH TIES",
            f"SELECT * FROM (SELECT id FROM {VIEW} AS orders ORDER BY id"
            " FETCH FIRST 5 ROWS WITH TIES) AS x LIMIT 11",
            10,
        ),
        ("SELECT 1 LIMIT abs($1)", "SELECT 1 LIMIT LEAST((pg_catalog.abs($1))::int8, 11)", 10),
        ("SELECT 1 LIMIT $1 OFFSET 2", "SELECT 1 LIMIT LEAST($1::bigint, 11) OFFSET 2", 10),
    ],
)
def test_a_cap_is_permitted(original: str, rewritten: str, cap: int) -> None:
    assert where(original, rewritten, cap) == ""


@pytest.mark.parametrize(
    ("original", "rewritten"),
    [
        ("SELECT 1", "SELECT 2"),
        ("SELECT 'a'", "SELECT 'b'"),
        ("SELECT a FROM orders", f"SELECT b FROM {VIEW} AS orders"),
        ("SELECT a FROM orders", f"SELECT a AS b FROM {VIEW} AS orders"),
        ("SELECT a FROM orders", "SELECT a FROM orders"),
        ("SELECT a FROM orders o", f"SELECT a FROM {VIEW} AS p"),
        ("SELECT a FROM orders o (a)", f"SELECT a FROM {VIEW} AS o"),
        ("SELECT a FROM other", f"SELECT a FROM {VIEW} AS other"),
        ("SELECT a FROM ONLY orders", f"SELECT a FROM {VIEW} AS orders"),
        ("SELECT a FROM orders WHERE a = 1", f"SELECT a FROM {VIEW} AS orders"),
        ("SELECT a FROM orders WHERE a = 1", f"SELECT a FROM {VIEW} AS orders WHERE a <> 1"),
        ("SELECT a FROM orders ORDER BY a", f"SELECT a FROM {VIEW} AS orders ORDER BY a DESC"),
        ("SELECT DISTINCT a FROM orders", f"SELECT a FROM {VIEW} AS orders"),
        ("SELECT a UNION SELECT b", "SELECT a UNION ALL SELECT b"),
        ("SELECT count(a) GROUP BY b", "SELECT count(a) GROUP BY b, c + 1"),
        ("SELECT 1 LIMIT 5", "SELECT 1"),
        ("SELECT 1 LIMIT 5", "SELECT 1 LIMIT 4"),
        ("SELECT 1 OFFSET 5", "SELECT 1 OFFSET 6"),
        (
            "WITH orders AS (SELECT 1) SELECT * FROM orders",
            f"WITH orders AS (SELECT 1) SELECT * FROM {VIEW} AS orders",
        ),
        (
            "WITH w AS (SELECT * FROM w) SELECT * FROM w",
            "WITH RECURSIVE w AS (SELECT * FROM w) SELECT * FROM w",
        ),
        ("SELECT x::int", "SELECT x::bigint"),
        ("SELECT count(*)", "SELECT count(x)"),
        ("SELECT a AND (b OR c)", "SELECT a AND b OR c"),
        ("SELECT 1", "INSERT INTO t VALUES (1)"),
        ("SELECT a FROM orders FOR SHARE", f"SELECT a FROM {VIEW} AS orders FOR UPDATE"),
        ("SELECT a FROM orders, b FOR SHARE OF b", f"SELECT a FROM {VIEW} AS orders, b FOR SHARE"),
        (
            "SELECT FROM orders FOR SHARE OF orders",
            f"SELECT FROM {VIEW} AS orders FOR SHARE OF orders NOWAIT",
        ),
        ("SELECT FROM orders TABLESAMPLE system (5)", f"SELECT FROM {VIEW} AS orders"),
        (
            "SELECT FROM orders TABLESAMPLE system (5)",
            "SELECT FROM (SELECT id FROM orders TABLESAMPLE system (6)) AS orders",
        ),
        (
            "SELECT FROM orders TABLESAMPLE system (5)",
            "SELECT FROM (SELECT id FROM orders TABLESAMPLE system (5) WHERE a) AS orders",
        ),
        (
            "SELECT FROM orders TABLESAMPLE system (5)",
            "SELECT FROM (SELECT id FROM secrets TABLESAMPLE system (5)) AS orders",
        ),
        (
            "SELECT FROM orders",
            "SELECT FROM (SELECT id FROM orders TABLESAMPLE system (5)) AS orders",
        ),
        ("SELECT FROM orders FOR SHARE", f"SELECT FROM {VIEW} AS orders"),
    ],
)
def test_changes_are_seen(original: str, rewritten: str) -> None:
    assert where(original, rewritten) != ""


@pytest.mark.parametrize(
    ("original", "rewritten"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT 1", "SELECT 1 LIMIT 12"),
        ("SELECT 1 LIMIT 50", "SELECT 1 LIMIT 50"),
        ("SELECT 1 LIMIT 11", "SELECT 1 LIMIT 12"),
        ("SELECT 1 LIMIT 5", "SELECT 1 LIMIT 11"),
        ("SELECT 1 LIMIT $1", "SELECT 1 LIMIT LEAST($2, 11)"),
        ("SELECT 1 LIMIT $1", "SELECT 1 LIMIT GREATEST($1, 11)"),
        (
            "SELECT 1 ORDER BY 1 FETCH FIRST 5 ROWS WITH TIES",
            "SELECT 1 ORDER BY 1 FETCH FIRST 5 ROWS WITH TIES",
        ),
    ],
)
def test_a_cap_that_is_none_is_seen(original: str, rewritten: str) -> None:
    assert where(original, rewritten, 10) != ""


def test_a_function_of_the_database_gains_its_own_schema_only() -> None:
    expected = Expected(None, is_view, functions={"total": "shop"})
    assert difference("SELECT total(1)", "SELECT shop.total(1)", expected) == ""
    for wrong in ("pg_catalog.total(1)", "other.total(1)", "shop.lower(1)", "shop.total(2)"):
        assert difference("SELECT total(1)", f"SELECT {wrong}", expected)
    assert difference("SELECT lower('a')", "SELECT shop.lower('a')", expected)


def test_a_limit_that_is_the_cap_already_is_one() -> None:
    assert where("SELECT 1 LIMIT 11", "SELECT 1 LIMIT 11", 10) == ""


def test_an_inner_limit_is_no_cap() -> None:
    original = "SELECT * FROM (SELECT 1 LIMIT 50) AS d"
    assert where(original, "SELECT * FROM (SELECT 1 LIMIT 11) AS d LIMIT 11", 10) != ""


GUARD = "(SELECT g.oid FROM (SELECT (a)::pg_catalog.oid) g(oid) WHERE g.oid < 16384)"


def test_a_guard_is_permitted_around_an_argument() -> None:
    assert where("SELECT f(a)", f"SELECT f({GUARD})") == ""
    assert where("SELECT a::regclass", f"SELECT {GUARD}::regclass") == ""
    named = GUARD.replace("(a)::pg_catalog.oid", "(a)::pg_catalog.text")
    assert where("SELECT to_regclass(a)", f"SELECT to_regclass({named})::text") == ""


def test_a_guard_elsewhere_or_of_something_else_is_seen() -> None:
    assert where("SELECT a", f"SELECT {GUARD}") != ""
    assert where("SELECT f(b)", f"SELECT f({GUARD})") != ""
    assert where("SELECT f(a)", "SELECT f((SELECT a))") != ""


def test_a_schema_may_be_dropped_where_it_says_nothing() -> None:
    view = VIEW + " AS orders"
    qualified = "SELECT public.orders.id FROM public.orders"
    assert where(qualified, f"SELECT orders.id FROM {view}") == ""
    assert where(qualified, f"SELECT public.orders.id FROM {view}") == ""
    outer = f"{qualified} WHERE EXISTS (SELECT public.orders.id)"
    assert where(outer, f"SELECT orders.id FROM {view} WHERE EXISTS (SELECT orders.id)") == ""


def test_a_schema_dropped_where_the_name_is_taken_is_seen() -> None:
    view = VIEW + " AS orders"
    inner = "(SELECT {}orders.id FROM (SELECT 1) AS orders)"
    original = f"SELECT 1 FROM public.orders WHERE EXISTS {inner.format('public.')}"
    assert where(original, f"SELECT 1 FROM {view} WHERE EXISTS {inner.format('')}") != ""
    assert where("SELECT x.orders.id FROM public.orders", f"SELECT orders.id FROM {view}") != ""
    assert where("SELECT orders.id FROM public.orders", f"SELECT id FROM {view}") != ""
    assert where("SELECT orders.* FROM public.orders", f"SELECT orders.id FROM {view}") != ""


def test_a_value_that_prints_names_may_be_closed() -> None:
    assert where("SELECT a::regclass", f"SELECT {GUARD}::regclass::text") == ""
    assert where("SELECT 'x'::regclass", "SELECT 'x'::regclass::text AS regclass") == ""
    assert where("SELECT 1 WHERE b = a::regclass", "SELECT 1 WHERE b = a::regclass::oid") == ""
    assert where("SELECT pg_typeof(1)", "SELECT pg_typeof(1)::text") == ""
    ancestors = "(SELECT NULL::pg_catalog.oid AS relid WHERE false) AS pg_partition_ancestors"
    tree = (
        "(SELECT NULL::pg_catalog.oid AS relid, NULL::pg_catalog.oid AS parentrelid, "
        "NULL::pg_catalog.bool AS isleaf, NULL::pg_catalog.int4 AS level WHERE false) AS p"
    )
    assert where("SELECT p.level FROM pg_partition_tree(1) p", f"SELECT p.level FROM {tree}") == ""
    original = "SELECT relid FROM pg_partition_ancestors(1)"
    assert where(original, f"SELECT relid FROM {ancestors}") == ""


def test_other_casts_and_names_are_seen() -> None:
    assert where("SELECT a::regclass", "SELECT a::regclass::int") != ""
    assert where("SELECT a::regclass", "SELECT a::text") != ""
    assert where("SELECT a::date", "SELECT a::date::text") != ""
    assert where("SELECT f(1)", "SELECT f(1)::text") != ""
    assert where("SELECT 'x'::regclass", "SELECT 'x'::regclass::text AS other") != ""
    assert where("SELECT 'x'", "SELECT 'x' AS text") != ""
    nothing = "(SELECT NULL::pg_catalog.oid AS relid WHERE false) AS f"
    assert where("SELECT relid FROM f(1)", f"SELECT relid FROM {nothing}") != ""


def test_group_by_a_key_may_be_completed() -> None:
    view = VIEW + " AS orders"
    original = "SELECT total FROM orders GROUP BY orders.id"
    completed = f"SELECT total FROM {view} GROUP BY orders.total, orders.id"
    assert where(original, completed) == ""
    plain = "SELECT total FROM orders GROUP BY id"
    assert where(plain, f"SELECT total FROM {view} GROUP BY orders.total, id") == ""


def test_group_by_of_more_than_follows_from_the_key_is_seen() -> None:
    view = VIEW + " AS orders"
    original = "SELECT total FROM orders GROUP BY orders.status"
    more = f"SELECT total FROM {view} GROUP BY orders.total, orders.status"
    assert where(original, more) != ""
    other = "SELECT total FROM orders GROUP BY orders.id"
    assert where(other, f"SELECT total FROM {view} GROUP BY users.total, orders.id") != ""
    assert where(other, f"SELECT total FROM {view} GROUP BY orders.total") != ""
    assert where(other, f"SELECT total FROM {view} GROUP BY total + 1, orders.id") != ""


def test_a_function_may_be_pinned_to_pg_catalog_only() -> None:
    assert where("SELECT lower(a)", "SELECT pg_catalog.lower(a)") == ""
    assert where("SELECT lower(a)", "SELECT pg_catalog.upper(a)") != ""
    assert where("SELECT lower(a)", "SELECT public.lower(a)") != ""
    assert where("SELECT public.lower(a)", "SELECT pg_catalog.lower(a)") != ""


def test_a_length_may_be_measured() -> None:
    measured = "(n)::pg_catalog.int4::pg_catalog.numeric(5,0)::pg_catalog.int4"
    assert where("SELECT lpad(a, n, b)", f"SELECT pg_catalog.lpad(a, {measured}, b)") == ""
    assert where("SELECT repeat(a, n)", f"SELECT repeat(a, {measured})") == ""
    assert where("SELECT repeat(a, m)", f"SELECT repeat(a, {measured})") != ""
    assert where("SELECT repeat(n, a)", f"SELECT repeat({measured}, a)") != ""
    assert where("SELECT left(a, n)", f"SELECT left(a, {measured})") != ""
    assert where("SELECT repeat(a, n)", f"SELECT repeat(a, {measured.replace('5', '6')})") != ""
    assert where("SELECT repeat(a, 5)", f"SELECT repeat(a, {measured.replace('(n)', '(5)')})") != ""


def test_a_type_may_be_found_by_a_computed_name() -> None:
    guard = GUARD.replace("(a)::pg_catalog.oid", "(a)::pg_catalog.text")
    assert where("SELECT a::regtype", f"SELECT {guard}::regtype") == ""
    assert where("SELECT b::regtype", f"SELECT {guard}::regtype") != ""


def test_partitions_may_be_none() -> None:
    columns = (
        "NULL::pg_catalog.oid AS relid, NULL::pg_catalog.oid AS parentrelid, "
        "NULL::pg_catalog.bool AS isleaf, NULL::pg_catalog.int4 AS level"
    )
    original = "SELECT relid FROM pg_partition_tree(1)"
    alias = "AS pg_partition_tree"
    assert where(original, f"SELECT relid FROM (SELECT {columns} WHERE false) {alias}") == ""
    assert where(original, f"SELECT relid FROM (SELECT {columns} WHERE true) {alias}") != ""
    other = "SELECT relid FROM pg_partition_ancestors(1)"
    assert where(other, f"SELECT relid FROM (SELECT {columns} WHERE false) {alias}") != ""


def test_the_elements_of_an_array_may_be_looked_at() -> None:
    guard = (
        "(SELECT pg_catalog.array_agg(CASE WHEN e.v < 9 THEN e.v END ORDER BY e.n) AS a "
        "FROM pg_catalog.unnest((a)::pg_catalog.oid[]) WITH ORDINALITY e(v, n))"
    )
    closed = f"{guard}::regtype[]::pg_catalog.text[]"
    assert where("SELECT a::regtype[]", f"SELECT {closed}") == ""
    assert where("SELECT b::regtype[]", f"SELECT {closed}") != ""
    assert where("SELECT a::regtype", f"SELECT {closed}") != ""
    assert where("SELECT a::regtype[]", f"SELECT {closed.removesuffix('[]')}") != ""
    assert where("SELECT a::regtype[]", f"SELECT {closed.replace('e.v END', 'e.n END')}") != ""
