"""Refusals by budget: their codes, what their hints say to change, what the record names.

What is counted how stands in tests/cases/budget.sql.
"""

from __future__ import annotations

import pytest

from policies import broad, selects
from policies.complexity import measure
from policies.decision import Allow
from policies.grammar import parse_one
from policies.rules_budget import PROFILES, combine
from policies.rules_fields import Fields
from policies.rules_models import RulesFile
from policies.statement import Statement
from policies.steps.budget import budget
from tests.policies.lab import CATALOG, SNAPSHOT, ask, refused, subject


@pytest.mark.parametrize(
    ("sql", "code", "hint"),
    [
        (
            "SELECT a.*, a.*, a.*, a.*, a.*, a.*, a.* FROM t a",
            "QUERY_BUDGET_EXCEEDED",
            "name the columns you need in place of *; or have roles.clerk.budget.columns raised"
            " in the rules",
        ),
        (
            "SELECT 1 FROM s a JOIN s b ON a.id = b.id JOIN s c ON c.id = a.id",
            "QUERY_BUDGET_EXCEEDED",
            "send the parts as statements of their own, and look up the second with `= ANY($1)`"
            " and the keys the first returned; or have roles.clerk.budget.joins raised in the"
            " rules",
        ),
        (
            "SELECT 1 FROM s a, s b",
            "COMPLEXITY_EXCEEDED",
            "select fewer columns, send subqueries and joins as statements of their own, write"
            " `= ANY($1)` with one array in place of a long IN list, and give every join a"
            " condition; or have roles.clerk.budget.complexity raised in the rules",
        ),
        (
            "SELECT 1 FROM big WHERE mail = 'x'",
            "QUERY_TOO_BROAD",
            "add a condition on one of: id, made (in the SELECT that names it), or read its"
            " beginning with ORDER BY id LIMIT and no WHERE; or have"
            " roles.clerk.budget.indexed_from raised in the rules",
        ),
    ],
)
def test_hints_say_what_to_change_here_and_in_the_rules(sql: str, code: str, hint: str) -> None:
    deny = refused(sql, "ray")
    assert (deny.reason.code, deny.hint) == (code, hint)
    assert deny.rule and f"have {deny.rule} raised" in deny.hint
    (effect,) = deny.facts.effects
    assert (effect.rule, effect.effect) == (deny.rule, "deny")


def test_the_hint_names_no_index_of_what_is_hidden_or_masked() -> None:
    assert broad.indexed(next(v for v in SNAPSHOT.views(subject("ray")) if v.name == "big")) == (
        "id", "made",
    )  # fmt: skip


def test_the_record_tells_the_score() -> None:
    decision = ask("SELECT id FROM s WHERE x LIKE 'a%' ORDER BY id", "ray")
    assert isinstance(decision, Allow)
    assert decision.statements[0].facts.complexity_score == 1 + 1 + 2 + 3 + 1


@pytest.mark.parametrize(
    ("sql", "columns", "joins", "score"),
    [
        ("SELECT 1", 1, 0, 2),
        ("VALUES (1, 2), (3, 4)", 2, 0, 3),
        ("SELECT a, b", 2, 0, 3),
        ("SELECT 1 WHERE 1 BETWEEN 2 AND 3", 1, 0, 6),
        ("SELECT 1 WHERE NOT (1 = 2 OR 3 = 4)", 1, 0, 6),
        ("SELECT 1 WHERE 1 IN (2, 3)", 1, 0, 8),
        ("SELECT 1 WHERE 1 = ANY(ARRAY[2, 3, 4])", 1, 0, 10),
        ("SELECT 1 WHERE 1 = ANY(ARRAY[2, 3, 4]::int[])", 1, 0, 10),
        ("SELECT 1 WHERE 1 = ANY('{2,3,4}')", 1, 0, 6),
        ("SELECT row_number() OVER (ORDER BY 1)", 1, 0, 8),
        ("SELECT (SELECT 1)", 1, 0, 13),
        ("SELECT 1 UNION SELECT 2 ORDER BY 1", 1, 0, 14),
        ("SELECT 1 FROM s a JOIN s b ON a.id = b.id AND a.x = 'y'", 1, 1, 14),
        ("SELECT 1 FROM s a JOIN s b USING (id)", 1, 1, 12),
        ("SELECT 1 FROM s a CROSS JOIN s b", 1, 1, 102),
        ("SELECT 1 FROM (s a JOIN s b ON a.id = b.id) j, s c WHERE j.x = c.x", 1, 2, 24),
        ("SELECT 1 FROM s a LEFT JOIN LATERAL (SELECT a.x) q ON true", 1, 1, 23),
        ("WITH q AS (SELECT * FROM big) SELECT * FROM q", 5, 0, 21),
        ("SELECT (q).* FROM (SELECT 1 AS a, 2 AS b) q", 2, 0, 15),
    ],
)
def test_scores(sql: str, columns: int, joins: int, score: int) -> None:
    _, node = parse_one(sql)
    seen = {view.name: view for view in SNAPSHOT.views(subject("ray"))}
    reader = selects._Reader(
        {
            id(value): seen[value["relname"]]
            for key, value in selects.grammar.walk(node)
            if key == "RangeVar" and value["relname"] in seen
        }
    )
    reader.found.columns = len(reader.query(node, {}, None))
    measured = measure(reader.found)
    assert (measured.columns, measured.joins, measured.complexity) == (columns, joins, score)


def test_a_chain_of_unions_is_measured_without_recursion() -> None:
    deny = refused(" UNION ALL ".join(["SELECT 1"] * 600), "ray")
    assert deny.reason.code in ("COMPLEXITY_EXCEEDED", "TOO_COMPLEX") and not deny.fault


def test_a_row_cap_names_the_rule_it_comes_from() -> None:
    decision = ask("SELECT id FROM s", "bob")
    assert isinstance(decision, Allow)
    (cap,) = (e for e in decision.statements[0].facts.effects if e.effect == "cap")
    assert cap.rule == "roles.counter.budget.rows"


def test_the_step_alone() -> None:
    kind, node = parse_one("SELECT 1, 2")
    who = subject("ray")
    limits = combine(PROFILES["prod"], ["clerk"], {})
    statement = Statement(
        b"", 0, kind, node, who, SNAPSHOT.views(who), CATALOG, limits
    )  # fmt: skip
    budget(statement)
    assert statement.complexity == 3
    assert issubclass(RulesFile, Fields)
