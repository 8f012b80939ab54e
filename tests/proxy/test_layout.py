"""Laying out changes blank space and nothing else, and marks what was put in."""

from __future__ import annotations

import pytest

from proxy import layout

TEXTS = (
    "SELECT 1",
    "SELECT a, count(*) FROM t AS x LEFT OUTER JOIN u USING (id) WHERE a = 'é''; FROM' GROUP BY a",
    "SELECT extract(year FROM d), x IS DISTINCT FROM y FROM t ORDER BY 1 LIMIT 5 OFFSET 2",
    "WITH w AS (SELECT 1 AS a UNION ALL SELECT 2) SELECT * FROM w WHERE EXISTS (SELECT FROM w)",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t FETCH FIRST 3 ROWS WITH TIES",
    "VALUES (1, $1::int), (2, $2)",
    "SELECT ((a))) FROM t",
)


def text(sql: str, width: int = 96) -> str:
    return "\n".join(
        " " * indent + "".join(" " * (w.spaced and at > 0) + w.text for at, w in enumerate(line))
        for indent, line in layout.lines(layout.words(sql), width)
    )


@pytest.mark.parametrize("sql", TEXTS)
@pytest.mark.parametrize("width", [96, 30])
def test_tokens_stay_in_order(sql: str, width: int) -> None:
    again = layout.words(text(sql, width))
    assert [word.text for word in again] == [word.text for word in layout.words(sql)]


def test_clauses_and_subqueries_start_lines() -> None:
    sql = "SELECT a FROM (SELECT a, b FROM t WHERE b = 1) AS x JOIN y ON true WHERE a IN (1, 2)"
    assert text(sql) == (
        "SELECT a\n"
        "FROM (\n"
        "  SELECT a, b\n"
        "  FROM t\n"
        "  WHERE b = 1\n"
        ") AS x\n"
        "JOIN y ON true\n"
        "WHERE a IN (1, 2)"
    )


def test_keywords_in_other_uses_do_not_break() -> None:
    sql = "SELECT extract(year FROM d), left(a, 1), a IS DISTINCT FROM b"
    assert text(sql) == sql


def test_long_lines_wrap_at_commas() -> None:
    sql = "SELECT " + ", ".join(f"column_{n}" for n in range(20))
    wrapped = text(sql, 40).splitlines()
    assert len(wrapped) > 3
    assert all(len(line) <= 40 for line in wrapped)
    assert all(line.startswith("    ") for line in wrapped[1:])


def test_what_was_put_in_is_marked() -> None:
    before = layout.words("SELECT id FROM orders")
    after = layout.words("SELECT id FROM (SELECT id FROM orders WHERE tenant_id = 1) AS orders")
    new = [after[at].text for at in sorted(layout.added(before, after))]
    assert {"WHERE", "tenant_id", "=", "1", "AS"} <= set(new)
    assert layout.added(before, before) == set()


def test_drawn_marks_lines_without_colours() -> None:
    before = layout.words("SELECT id FROM orders")
    view = '(SELECT "id", "t" FROM "public"."orders" WHERE t = 1)'
    after = layout.words(f"SELECT id FROM {view} AS orders LIMIT 5")
    lines = layout.drawn(after, layout.added(before, after)).plain.splitlines()
    assert lines[0] == "  SELECT id"
    assert "+   WHERE t = 1" in lines
    assert lines[-1] == "+ LIMIT 5"
    assert layout.drawn(before).plain == "SELECT id\nFROM orders"
