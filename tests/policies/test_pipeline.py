"""What decide() promises whatever the steps do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import pipeline
from policies.decision import Allow, Deny
from policies.reasons import REASONS
from tests.policies.lab import SNAPSHOT, allowed, ask, refused, subject


def test_an_exception_in_a_step_is_a_refusal_without_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: object) -> None:
        raise KeyError("a value nobody may see")

    monkeypatch.setattr(pipeline, "STEPS", (broken,))
    denied = refused("SELECT 1")
    assert denied.reason.code == "INTERNAL_ERROR"
    assert "nobody may see" not in repr(denied)
    assert denied.fault.startswith("KeyError at test_pipeline.py")


def test_a_refusal_names_the_statement_without_its_values() -> None:
    denied = refused("INSERT INTO s VALUES (1, 'a value')")
    assert denied.facts.operation == "insert"
    assert denied.facts.sql_template == "INSERT INTO s VALUES ($1, $2)"
    assert len(denied.facts.fingerprint) == 16


@pytest.mark.parametrize(
    "sql",
    [
        "PREPARE p AS SELECT 'a value'",
        "EXECUTE p('a value', 12345)",
        "SET app.x = 'a value'",
        "COMMENT ON TABLE s IS 'a value'",
        "CREATE ROLE x PASSWORD 'a value'",
        "DO $$ a value $$",
        "NOTIFY c, 'a value'",
        "COPY s FROM PROGRAM 'a value'",
        "EXPLAIN SELECT 'a value'",
        "DECLARE c CURSOR FOR SELECT E'a value\\n'",
        "DECLARE c CURSOR FOR -- it's\nSELECT 'a value' /* don't */, 12345",
        "DECLARE \"it's\" CURSOR FOR SELECT 'a value'",
    ],
)
def test_templates_hold_no_value(sql: str) -> None:
    decision = ask(sql)
    facts = decision.statements[0].facts if isinstance(decision, Allow) else decision.facts
    written = facts.sql_template + facts.rewritten_template
    assert facts.sql_template and "a value" not in written and "12345" not in written


def test_facts_of_an_allowed_statement() -> None:
    decision = ask("SELECT u.a, u.mail FROM t u JOIN s USING (id) WHERE x = 'secret text'")
    assert isinstance(decision, Allow)
    facts = decision.statements[0].facts
    assert facts.entities == ("t", "s")
    assert facts.capability == "browse"
    assert facts.fields_read == ("s.x", "t.a", "t.mail")
    assert "secret text" not in facts.sql_template + facts.rewritten_template
    effects = {(e.effect, e.entity, e.column) for e in facts.effects}
    assert {("mask", "t", "mail"), ("hide", "t", "secret"), ("scope", "t", "")} <= effects


def test_records_never_hold_the_tenant() -> None:
    decision = ask("SELECT * FROM t")
    assert isinstance(decision, Allow)
    assert "'1'" in decision.text.decode()
    assert "'1'" not in decision.statements[0].facts.rewritten_template


def test_hints_name_only_what_is_visible() -> None:
    decision = ask("SELECT secret FROM t")
    assert isinstance(decision, Allow)
    hint = decision.statements[0].hints["42703"]
    assert "mail" in hint and "secret" not in hint


def test_the_budget_of_the_largest_role_counts() -> None:
    assert "LIMIT 6" in allowed("SELECT id FROM s", "bob")
    assert "LIMIT 101" in allowed("SELECT id FROM s", "ann")


def test_observe_forwards_the_text_and_says_what_would_have_been() -> None:
    decision = ask("SELECT secret FROM t; DELETE FROM s", "eve")
    assert isinstance(decision, Allow)
    assert decision.mode == "observe"
    assert decision.text == b"SELECT secret FROM t; DELETE FROM s"
    assert [plan.facts.observed for plan in decision.statements] == ["deny", "deny"]
    assert decision.statements[0].facts.observed_reason == "WRITE_DISABLED"
    single = ask("SELECT a FROM t", "eve")
    assert isinstance(single, Allow)
    assert single.statements[0].facts.observed == "rewrite"
    assert single.statements[0].cap is None
    assert single.text == b"SELECT a FROM t"


def test_observe_forwards_even_what_no_grammar_knows() -> None:
    decision = ask("SELEKT 1", "eve")
    assert isinstance(decision, Allow) and len(decision.statements) == 1


def test_observe_still_refuses_what_cannot_be_recorded() -> None:
    assert isinstance(ask(b"SELECT '\xff'", "eve"), Deny)


def test_two_tenants_get_different_texts() -> None:
    ann = subject("ann")
    other = replace(ann, tenant=2)
    mine, theirs = (pipeline.decide(b"SELECT id FROM t", who, SNAPSHOT) for who in (ann, other))
    assert isinstance(mine, Allow) and isinstance(theirs, Allow)
    assert theirs.text == mine.text.replace(b"'1'", b"'2'")


def test_a_subject_without_a_tenant_sees_no_entity_with_one() -> None:
    denied = pipeline.decide(b"SELECT id FROM t", replace(subject(), tenant=None), SNAPSHOT)
    assert isinstance(denied, Deny) and denied.reason.code == "TENANT_SCOPE_REQUIRED"


def test_a_tenant_value_cannot_break_out_of_its_literal() -> None:
    hostile = replace(subject(), tenant="1' OR '1'='1")
    decision = pipeline.decide(b"SELECT id FROM t", hostile, SNAPSHOT)
    assert isinstance(decision, Allow)
    assert b"'1'' OR ''1''=''1'" in decision.text


def test_every_reason_has_a_sqlstate_of_five() -> None:
    assert all(len(reason.sqlstate) == 5 for reason in REASONS.values())
