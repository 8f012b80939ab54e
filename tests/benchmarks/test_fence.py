"""benchmarks/fence.py compares like with like, and copies are told from changes."""

from __future__ import annotations

from typing import Any

import postgast
import pytest

from benchmarks import fence
from benchmarks.copied import taken_off


async def test_every_statement_gives_the_same_rows_in_both_forms() -> None:
    with fence.database(users=400, orders=2000) as dsn:
        results = await fence.measure(dsn, rounds=1)
    assert [result.name for result in results] == list(fence.STATEMENTS)
    assert {result.fenced for result in results} == {True, False}


def _select(text: str) -> Any:
    return postgast.parse(text).stmts[0].stmt.select_stmt


def _left(condition: str, around: str) -> bool:
    """Whether a condition inside the view of t stays although `around` is the SELECT around it."""
    select = _select(around)
    item = select.from_clause[0]
    while item.HasField("join_expr"):
        join = item.join_expr
        item = join.rarg if join.rarg.range_var.relname == "t" else join.larg
    inner = _select(f"SELECT r.x FROM t r WHERE r.org = 1 AND {condition} OFFSET 0")
    bare = taken_off(inner, select, item.range_var.alias.aliasname or "t", item.range_var)
    where = bare.where_clause
    return bool(where.WhichOneof("node") == "bool_expr")


@pytest.mark.parametrize(
    ("condition", "around"),
    [
        ("r.id = 5", "SELECT FROM t WHERE id = 5 AND a LIKE 'x'"),
        ("r.id < 5", "SELECT FROM t WHERE 5 > t.id"),
        ("r.id IN (1, 2)", "SELECT FROM s LEFT JOIN t ON true WHERE t.id IN (1, 2)"),
        ("r.id = u.x", "SELECT FROM s u LEFT JOIN t ON t.id = u.x"),
        ("r.id = 5", "SELECT FROM s u LEFT JOIN t v ON v.id = 5"),
        (
            "r.x > (pg_catalog.now() - '1 day'::pg_catalog.interval)",
            "SELECT FROM t WHERE x > now() - '1 day'::interval",
        ),
    ],
)
def test_copies_are_taken_off(condition: str, around: str) -> None:
    assert not _left(condition, around)


@pytest.mark.parametrize(
    ("condition", "around"),
    [
        ("r.id = 6", "SELECT FROM t WHERE id = 5"),
        ("r.id > 5", "SELECT FROM t WHERE 5 > t.id"),
        ("r.id = 5", "SELECT FROM t WHERE id = 5 OR a LIKE 'x'"),
        ("r.id = 5", "SELECT FROM t LEFT JOIN s ON t.id = 5"),
        ("r.id = 5", "SELECT FROM s FULL JOIN t ON t.id = 5"),
        ("r.id = 5", "SELECT FROM s JOIN t ON true WHERE s.id = 5"),
        ("r.id = 5", "SELECT FROM s JOIN t ON true WHERE id = 5"),
        ("r.id IS NULL", "SELECT FROM s LEFT JOIN t ON true WHERE t.id IS NULL"),
        ("r.id = ALL ('{}')", "SELECT FROM s LEFT JOIN t ON true WHERE t.id = ALL ('{}')"),
        ("r.id IS DISTINCT FROM 5", "SELECT FROM t WHERE id IS DISTINCT FROM 5"),
    ],
)
def test_other_conditions_stay(condition: str, around: str) -> None:
    assert _left(condition, around)
