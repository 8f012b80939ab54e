"""policies/fence.py: the fence may stay away only for comparisons the catalog calls leakproof."""

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


def test_a_relation_without_scopes_is_never_fenced() -> None:
    assert not _fenced("SELECT * FROM s WHERE length(x) > 1")


def test_the_record_says_that_a_fence_stood() -> None:
    decision = ask("SELECT * FROM t WHERE n > 1")
    assert isinstance(decision, Allow)
    effects = {(e.effect, e.entity) for e in decision.statements[0].facts.effects}
    assert ("fence", "t") in effects
