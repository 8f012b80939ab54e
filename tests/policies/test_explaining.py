"""EXPLAIN (policies/explaining.py): who may, and which names of the plan may be shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import grammar
from policies.decision import Allow, Deny, Shown
from policies.pipeline import Snapshot, decide
from policies.rules import RulesError, parse
from tests.policies.lab import CATALOG, RULES, SNAPSHOT, ask, subject


def shown(sql: str, login: str = "dan") -> Shown:
    decision = ask(sql, login)
    assert isinstance(decision, Allow), decision
    (plan,) = decision.statements
    assert plan.shown is not None and plan.cap is None and plan.facts.operation == "explain"
    return plan.shown


def test_names_that_may_be_shown() -> None:
    found = shown('EXPLAIN WITH w AS (SELECT 1) SELECT * FROM t AS "My t", s, w, (VALUES (1)) v')
    assert not found.json
    assert found.relations == {("public", "t"), ("public", "s")}
    assert found.indexes == {"t_pkey"}  # the other one is of a hidden column
    assert found.aliases == {"r", "My t", "t", "s", "w", "v"}


def test_with_a_view_of_the_database_aliases_may_be_those_inside_it() -> None:
    found = shown("EXPLAIN (FORMAT json) SELECT 1 FROM sums AS secrets JOIN s AS hidden ON true")
    assert found == Shown(True, frozenset({("public", "s")}))


@pytest.mark.parametrize("sql", ["SELECT 1", "COPY s TO STDOUT", "SHOW server_version", "BEGIN"])
def test_other_rows_are_no_plan(sql: str) -> None:
    decision = ask(sql, "dan")
    assert isinstance(decision, Allow)
    assert decision.statements[0].shown is None


@pytest.mark.parametrize("sql", ["EXPLAIN SELECT 1", "EXPLAIN (FORMAT json) SELECT a FROM t"])
def test_the_cap_stands_in_the_plan_only(sql: str) -> None:
    decision = ask(sql, "dan")
    assert isinstance(decision, Allow)
    assert decision.text.endswith(b"LIMIT 101")
    assert decision.statements[0].cap is None and decision.statements[0].returns_rows


def test_analyze_includes_explain() -> None:
    for sql in ("EXPLAIN SELECT a FROM t", "EXPLAIN ANALYZE SELECT a FROM t"):
        assert isinstance(ask(sql, "tim"), Allow)


def test_generic_plans_need_a_server_that_has_them() -> None:
    old = Snapshot(SNAPSHOT.rules, replace(CATALOG, server_version=150004), b"k" * 32, "v1")
    for option, kind in (("GENERIC_PLAN", Deny), ("GENERIC_PLAN off", Allow), ("VERBOSE", Allow)):
        decision = decide(f"EXPLAIN ({option}) SELECT 1".encode(), subject("dan"), old)
        assert isinstance(decision, kind)


@pytest.mark.parametrize("written", ["1", "0", "'On'", "FALSE", "TRUE", "off", "true", ""])
def test_options_keep_their_tree(written: str) -> None:
    sql = f"EXPLAIN (VERBOSE {written}, FORMAT 'TEXT') SELECT 1 LIMIT 1"
    decision = ask(sql, "dan")
    assert isinstance(decision, Allow)
    assert grammar.same(grammar.parse_one(sql)[1], grammar.parse_one(decision.text)[1])


@pytest.mark.parametrize("field", ["explain", "analyze"])
def test_a_capability_that_explains_nothing(field: str) -> None:
    rules = RULES.replace("capabilities:", f"capabilities:\n  idle: {{{field}: true}}")
    with pytest.raises(RulesError, match="explains nothing"):
        parse(rules, "lab.yaml")
