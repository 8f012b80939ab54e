"""policies/fence.py: the fence may stay away only for comparisons the catalog calls leakproof.

policies/outline.py finds the conditions, policies/origins.py what names may stand for; what a fence
takes over from the statement (policies/pushdown.py) is in tests/cases/fence.sql.
"""

from __future__ import annotations

import pytest

from policies.decision import Allow
from tests.policies.lab import ask

OPEN = [
    "SELECT * FROM t",
    "SELECT a || mail, upper_n FROM (SELECT 1 AS upper_n) q, t",
    "SELECT lower(a) FROM t ORDER BY lower(a)",
    "SELECT * FROM t WHERE id = 5",
    "SELECT * FROM t WHERE 5 = id AND a <> 'x'",
    "SELECT * FROM t WHERE id = $1 OR id IS NULL",
    "SELECT * FROM t WHERE NOT (id BETWEEN 1 AND $2)",
    "SELECT * FROM t WHERE id IN (1, 2) AND id = ANY('{1,2}'::int4[])",
    "SELECT * FROM t WHERE id = ANY($1) AND a = ANY(ARRAY['x', 'y'])",
    "SELECT * FROM t WHERE id IS DISTINCT FROM 3",
    "SELECT * FROM t WHERE 1 = 1 AND true",
    "SELECT * FROM t JOIN s ON t.id = s.id",
    "SELECT * FROM t JOIN s USING (id)",
    "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.id = t.id)",
    "SELECT * FROM t WHERE id IN (SELECT id FROM s)",
    "SELECT org, count(*) FROM t GROUP BY org HAVING count(*) > 1",
    "SELECT * FROM (SELECT id, count(*) AS c FROM t GROUP BY id) q WHERE q.c > 5",
    "WITH q AS (SELECT id, a FROM t) SELECT * FROM q WHERE a = 'x'",
    "SELECT * FROM (SELECT id, lower(a) AS l FROM t) q WHERE id = 1",
    "SELECT * FROM (SELECT id, rank() OVER (ORDER BY a) AS r FROM t) q WHERE r < 3",
    "SELECT * FROM t JOIN s ON t.id = s.id WHERE length(s.x) > 1",
    "SELECT * FROM t WHERE id NOT IN (SELECT id FROM s WHERE x = 'a')",
]
FENCED = [
    "SELECT * FROM t WHERE n > 1",  # numeric comparisons are not leakproof
    "SELECT * FROM t WHERE n = n",
    "SELECT * FROM t WHERE a LIKE 'x%'",
    "SELECT * FROM t WHERE lower(a) = 'x'",
    "SELECT * FROM t WHERE id + 1 = 5",
    "SELECT * FROM t WHERE 1 / id = 5",
    "SELECT * FROM t WHERE a::int4 = 5",
    "SELECT * FROM t WHERE random() < 0.5",  # volatile: how often it ran would show
    "SELECT * FROM t WHERE id = 5 AND n > 1",
    "SELECT * FROM t WHERE id = (SELECT max(id) FROM s)",
    "SELECT * FROM t WHERE (SELECT s.id FROM s WHERE s.id = t.id) = 1",
    "SELECT * FROM t WHERE CASE WHEN id = 1 THEN true END",
    "SELECT * FROM t WHERE t = t",
    "SELECT * FROM t WHERE mood = 'ok'",
    "SELECT * FROM t WHERE (id, a) = (1, 'x')",
    "SELECT * FROM t WHERE id IN (SELECT length(x) FROM s)",
    "SELECT * FROM t WHERE id = ANY(ARRAY[id, 1 / id])",
    "SELECT * FROM t NATURAL JOIN s",
    "SELECT * FROM t JOIN s ON t.n = s.id",
    "SELECT * FROM t JOIN kinds USING (n)",  # numeric against integer
    "SELECT * FROM s LEFT JOIN t ON length(t.a) = s.id",
    "SELECT * FROM (SELECT id, 1 / id AS d FROM t) q WHERE d = 1",
    "SELECT * FROM (SELECT n AS id FROM t) q WHERE id = 1",
    "SELECT * FROM (SELECT lower(a) AS a FROM t) q WHERE a = 'x'",
    "SELECT * FROM t AS q (id, org, a, mail, x) WHERE x = 1",
    "SELECT * FROM t, generate_series(1, 2) AS id WHERE id = 1",
    "SELECT a FROM t GROUP BY a HAVING length(a) > 1",
    "SELECT a FROM t GROUP BY a HAVING NOT (length(a) > 1 OR count(*) > 1)",
    "WITH q(x) AS (SELECT n FROM t) SELECT * FROM q WHERE x = 1",
    "SELECT * FROM (SELECT id FROM t UNION ALL SELECT n FROM kinds) q JOIN t ON t.n = q.id",
    "SELECT * FROM (SELECT id, count(*) AS c FROM s GROUP BY id) q JOIN t ON t.n < q.c",
    "SELECT * FROM t WHERE id IN (SELECT 1 / id FROM s)",
    "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.id = t.id AND 1 / s.id > 0)",
    "SELECT * FROM t WHERE id IN (SELECT id FROM s LIMIT $1)",
    "SELECT * FROM t JOIN jsonb_each('{}') id ON id.id = '1'",
]


def _fenced(sql: str) -> bool:
    decision = ask(sql)
    assert isinstance(decision, Allow), decision
    return "OFFSET 0" in decision.text.decode()


@pytest.mark.parametrize("sql", OPEN)
def test_leakproof_conditions_need_no_fence(sql: str) -> None:
    assert not _fenced(sql)


@pytest.mark.parametrize("sql", FENCED)
def test_everything_else_is_fenced(sql: str) -> None:
    assert _fenced(sql)


@pytest.mark.parametrize(
    ("sql", "fenced"),
    [
        ("SELECT 1 FROM t JOIN own ON own.who = t.id WHERE t.a LIKE 'x'", {"t"}),
        ("SELECT 1 FROM t, own WHERE mail LIKE 'x' AND own.who = t.id", {"t"}),
        ("SELECT 1 FROM t JOIN own ON t.n = own.who", {"t", "own"}),
        ("SELECT 1 FROM t u JOIN t v ON u.id = v.id JOIN own ON own.who = 1 / u.id", {"t", "own"}),
        ("SELECT 1 FROM own WHERE EXISTS (SELECT 1 FROM t WHERE n > 1)", {"t"}),
        ("SELECT 1 FROM own WHERE who IN (SELECT id FROM t WHERE n > 1)", {"t", "own"}),
        ("SELECT 1 FROM own, t WHERE random() < 1", {"t", "own"}),
        ("SELECT 1 FROM own, (SELECT a AS who FROM t) q WHERE q.who LIKE 'x'", {"t", "own"}),
    ],
)
def test_only_what_a_leaky_condition_may_see_is_fenced(sql: str, fenced: set[str]) -> None:
    decision = ask(sql)
    assert isinstance(decision, Allow), decision
    effects = decision.statements[0].facts.effects
    assert {e.entity for e in effects if e.effect == "fence"} == fenced


def test_equal_columns_are_touched_together() -> None:
    """PostgreSQL derives own.who = t.n from the two."""
    decision = ask("SELECT 1 FROM t u JOIN t v ON u.id = v.id JOIN own ON own.who = v.id + u.id")
    assert isinstance(decision, Allow), decision
    assert decision.text.decode().count("OFFSET 0") == 3


def test_a_relation_without_scopes_is_never_fenced() -> None:
    assert not _fenced("SELECT * FROM s WHERE length(x) > 1")


def test_the_record_says_that_a_fence_stood() -> None:
    decision = ask("SELECT * FROM t WHERE n > 1")
    assert isinstance(decision, Allow)
    effects = {(e.effect, e.entity) for e in decision.statements[0].facts.effects}
    assert ("fence", "t") in effects
