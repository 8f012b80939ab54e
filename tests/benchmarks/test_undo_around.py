"""The checker of statements around a query sees what is permitted there and every other change."""

from __future__ import annotations

import pytest

from benchmarks.undo import Expected
from benchmarks.undo_around import difference
from policies.decision import Allow
from tests.benchmarks.test_undo import VIEW, is_view
from tests.policies.lab import CASES, SNAPSHOT, ask, subject

ONLY = VIEW.replace("FROM public", "FROM ONLY public")


def where(original: str, rewritten: str, cap: int | None = None) -> str:
    return difference(original, rewritten, Expected(cap, is_view))


SAME = [
    ("SELECT 1", "SELECT 1"),
    ("COPY (SELECT 1) TO STDOUT", "COPY ((SELECT 1)) TO STDOUT"),
    ("COPY (SELECT id FROM orders) TO STDOUT", f"COPY (SELECT id FROM {VIEW} orders) TO STDOUT"),
    ("COPY orders TO STDOUT", f"COPY (SELECT id, total FROM {ONLY} orders) TO STDOUT"),
    ("COPY orders (id) TO STDOUT", f"COPY (SELECT id FROM {ONLY} orders) TO STDOUT"),
    ("COPY orders (id) TO STDOUT CSV HEADER FORCE QUOTE id NULL 'x' ENCODING 'utf-8'",
     f"""COPY (SELECT id FROM {ONLY} orders) TO STDOUT
         (FORMAT 'csv', HEADER true, FORCE_QUOTE ("id"), NULL 'x')"""),
    ("COPY (SELECT 1) TO STDOUT (FORMAT text, HEADER 0)", "COPY (SELECT 1) TO STDOUT"),
    ("EXPLAIN (ANALYZE, FORMAT json) SELECT id FROM orders",
     f"EXPLAIN (ANALYZE, FORMAT 'json') SELECT id FROM {VIEW} orders"),
    ("PREPARE p (int) AS SELECT id FROM orders",
     f"PREPARE p (int) AS SELECT id FROM {VIEW} orders"),
    ("DECLARE c CURSOR FOR TABLE orders", f'DECLARE "c" CURSOR FOR SELECT * FROM {VIEW} orders'),
]  # fmt: skip

OTHER = [
    ("COPY orders TO STDOUT", f"COPY (SELECT id, total FROM {VIEW} orders) TO STDOUT"),
    ("COPY orders TO STDOUT", f"COPY (SELECT id, id FROM {ONLY} orders) TO STDOUT"),
    ("COPY orders TO STDOUT", f"COPY (SELECT id + 1 FROM {ONLY} orders) TO STDOUT"),
    ("COPY orders TO STDOUT", f"COPY (SELECT id AS total FROM {ONLY} orders) TO STDOUT"),
    ("COPY orders TO STDOUT", f"COPY (SELECT DISTINCT id FROM {ONLY} orders) TO STDOUT"),
    ("COPY orders (id) TO STDOUT", f"COPY (SELECT total FROM {ONLY} orders) TO STDOUT"),
    ("COPY orders TO STDOUT", "COPY orders TO STDOUT"),
    ("COPY orders TO STDOUT", f"COPY (SELECT id FROM {ONLY} orders) TO '/tmp/x'"),
    ("COPY orders TO '/tmp/x'", f"COPY (SELECT id FROM {ONLY} orders) TO STDOUT"),
    ("COPY orders TO PROGRAM 'x'", f"COPY (SELECT id FROM {ONLY} orders) TO STDOUT"),
    ("COPY orders FROM STDIN", f"COPY (SELECT id FROM {ONLY} orders) TO STDOUT"),
    ("COPY (SELECT 1) TO STDOUT", "COPY (SELECT 2) TO STDOUT"),
    ("COPY (SELECT 1) TO STDOUT", "COPY (DELETE FROM orders RETURNING 1) TO STDOUT"),
    ("COPY (SELECT 1) TO STDOUT", "COPY (SELECT 1) TO STDOUT (HEADER)"),
    ("COPY (SELECT 1) TO STDOUT (FORMAT csv)", "COPY (SELECT 1) TO STDOUT (FORMAT binary)"),
    ("COPY (SELECT 1) TO STDOUT (NULL 'a')", "COPY (SELECT 1) TO STDOUT (NULL 'b')"),
    ("COPY (SELECT 1) TO STDOUT (ENCODING 'latin1')", "COPY (SELECT 1) TO STDOUT"),
    ("EXPLAIN SELECT 1", "EXPLAIN SELECT 2"),
    ("EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1"),
    ("EXPLAIN SELECT 1", "SELECT 1"),
    ("PREPARE p AS SELECT 1", "PREPARE q AS SELECT 1"),
    ("PREPARE p (int) AS SELECT 1", "PREPARE p (text) AS SELECT 1"),
    ("PREPARE p AS SELECT 1", "PREPARE p AS DELETE FROM orders"),
    ("DECLARE c CURSOR FOR SELECT 1", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"),
    ("DECLARE c CURSOR FOR SELECT 1", "DECLARE c CURSOR FOR SELECT 2"),
    ("BEGIN", "BEGIN"),
]  # fmt: skip


@pytest.mark.parametrize(("original", "rewritten"), SAME)
def test_what_is_permitted(original: str, rewritten: str) -> None:
    assert where(original, rewritten) == ""


@pytest.mark.parametrize(("original", "rewritten"), OTHER)
def test_what_is_not(original: str, rewritten: str) -> None:
    assert where(original, rewritten) != ""


@pytest.mark.parametrize("name", ["copying", "explaining"])
def test_what_the_engine_writes(name: str) -> None:
    """Every statement of these cases that is allowed: the second opinion on its rewriting."""
    found = 0
    for block in (CASES / f"{name}.sql").read_text().strip().split("\n\n"):
        lines = block.splitlines()
        login = lines[0].rpartition(" as ")[2]
        sql = "\n".join(line for line in lines if not line.startswith(("--#", ">>", "!!")))
        who = login if login in ("bob", "dan", "kim", "tim") else "ann"
        decision = ask(sql, who) if login != "eve" else None
        if isinstance(decision, Allow):
            found += 1
            rows = SNAPSHOT.rules.budget(subject(who).roles).rows
            expected = Expected(rows, lambda *_: True)
            assert difference(sql, decision.text.decode(), expected) == "", sql
    assert found > 4


@pytest.mark.parametrize("text", ["COPY s TO STDOUT", "COPY (SELECT 1) TO STDOUT CSV"])
def test_a_cap_must_be_there(text: str) -> None:
    decision = ask(text)
    assert isinstance(decision, Allow)
    rewritten = decision.text.decode()

    def is_any(*_: object) -> bool:
        return True

    assert difference(text, rewritten, Expected(100, is_any)) == ""
    assert difference(text, rewritten.replace("101", "102"), Expected(100, is_any)) != ""
    assert difference(text, rewritten, Expected(None, is_any)) != ""


@pytest.mark.parametrize(
    ("text", "most"),
    [("PREPARE p AS SELECT 1", 101), ("DECLARE c CURSOR FOR TABLE s", 100),
     ("DECLARE c CURSOR FOR TABLE s LIMIT 200", 100), ("PREPARE p AS SELECT 1 LIMIT $1", 101)],
)  # fmt: skip
def test_a_cursor_has_no_row_too_many(text: str, most: int) -> None:
    decision = ask(text)
    assert isinstance(decision, Allow)
    rewritten = decision.text.decode()
    expected = Expected(100, lambda *_: True)
    assert difference(text, rewritten, expected) == ""
    more = rewritten.replace(str(most), str(most + 1))
    assert more != rewritten and difference(text, more, expected) != ""
