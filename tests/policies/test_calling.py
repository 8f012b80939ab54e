"""Statements of the rules, called by name: their own text with the caller's values in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import grammar, reasons
from policies.calling import fill
from policies.decision import Allow, Decision, Deny
from policies.pipeline import Snapshot, decide
from policies.reasons import Refusal
from policies.rules import parse
from policies.rules_writes import NamedStatement
from policies.statement import Statement
from tests.policies.lab import CATALOG, RULES

MORE = """
  close_job:
    select: [jobs]
    update: {jobs: {columns: [state]}}
    reason: required
    statement:
      sql: UPDATE jobs SET state = $2 WHERE id = $1 -- $3 is none
      parameters: {id: bigint, state: text}
  find_s:
    select: [s]
    statement: {sql: "SELECT x, $1 FROM s WHERE x = $1 ORDER BY id", parameters: {x: text}}
  count_t: {select: [s], statement: {sql: "SELECT count(*) FROM t"}}
roles:
  caller: {can: [close_job, find_s, count_t], budget: {rows: 5}}
  both: {can: [close_job, find_s, browse, work]}
"""
LOGINS = """subjects:
  - {login: cal, tenant: 1, user_id: 7, roles: [caller]}
  - {login: bea, tenant: 1, user_id: 7, roles: [both]}
"""
SNAPSHOT = Snapshot(
    parse(RULES.replace("\nroles:\n", MORE).replace("subjects:\n", LOGINS), "lab.yaml"),
    CATALOG, b"k" * 32, "v1",
)  # fmt: skip


def ask(sql: str, login: str = "cal", **who: object) -> Decision:
    subject = SNAPSHOT.rules.subject(login)
    assert subject is not None
    decision = decide(sql.encode(), replace(subject, **who), SNAPSHOT)  # type: ignore[arg-type]
    assert isinstance(decision, Allow) or not decision.fault
    return decision


def allowed(sql: str, login: str = "cal", **who: object) -> Allow:
    decision = ask(sql, login, **who)
    assert isinstance(decision, Allow), decision
    return decision


def refused(sql: str, login: str = "cal", **who: object) -> Deny:
    decision = ask(sql, login, **who)
    assert isinstance(decision, Deny), decision
    return decision


def test_a_write_of_the_rules() -> None:
    decision = allowed("/*reason='late'*/ EXECUTE close_job (7, $1)")
    (plan,) = decision.statements
    assert b"CAST(7 AS bigint)" in plan.sql and b"CAST($1 AS text)" in plan.sql
    assert plan.sql.startswith(b"UPDATE ") and b"\"org\" = '1'" in plan.sql
    assert plan.write is not None and plan.write.bound == 1 and plan.write.reason_required
    assert (plan.reason, plan.naming, plan.written) == ("late", None, None)
    assert plan.facts.capability == "close_job" and plan.facts.operation == "update"
    assert plan.facts.sql_template == "/*reason='late'*/ EXECUTE close_job ($2, $1)" or (
        plan.facts.sql_template == "EXECUTE close_job ($2, $1)"
    )
    assert not decision.named


@pytest.mark.parametrize(
    ("given", "cast"),
    [
        ("('a, (b) ''c''')", "CAST('a, (b) ''c''' AS text)"),
        ("( /* x */ 'a' -- y\n )", "CAST('a' AS text)"),
        ("($3::text)", "CAST($3::text AS text)"),
        ("(CAST('a' AS text))", "CAST(CAST('a' AS text) AS text)"),
        ("(NULL)", "CAST(NULL AS text)"),
        ("(-5)", "CAST(-5 AS text)"),
        ("($$a)$$)", "CAST($$a)$$ AS text)"),
        ("('[')", "CAST('[' AS text)"),
    ],
)
def test_a_read_of_the_rules(given: str, cast: str) -> None:
    (plan,) = allowed(f"EXECUTE find_s {given}").statements
    assert plan.sql.decode() == (
        f'SELECT x, {cast} FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"'
        f" WHERE x = {cast} ORDER BY id\nLIMIT 6"
    )
    assert plan.facts.capability == "find_s" and plan.cap == 5 and plan.returns_rows


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("EXECUTE close_job", reasons.VALIDATION_ERROR),
        ("EXECUTE close_job (1)", reasons.VALIDATION_ERROR),
        ("EXECUTE close_job (1, 'a', 2)", reasons.VALIDATION_ERROR),
        ("EXECUTE find_s ((SELECT secret FROM t))", reasons.UNSUPPORTED_SYNTAX),
        ("EXECUTE find_s (x)", reasons.UNSUPPORTED_SYNTAX),
        ("EXECUTE find_s (pg_sleep(5))", reasons.UNSUPPORTED_SYNTAX),
        ("EXECUTE find_s ('t'::regclass)", reasons.TYPE_NOT_ALLOWED),
        ("EXECUTE find_s ('a') ; SELECT x FROM s", reasons.RELATION_NOT_ALLOWED),
        # it permits nothing but its statement
        ("SELECT x FROM s", reasons.RELATION_NOT_ALLOWED),
        ("/*capability='find_s'*/ SELECT x FROM s", reasons.CAPABILITY_REQUIRED),
        ("/*capability='close_job'*/ UPDATE jobs SET state = 'a' WHERE id = 1",
         reasons.WRITE_DISABLED),
        ("SET querywarden.capability = 'find_s'", reasons.CAPABILITY_REQUIRED),
        # nor more than the capability says
        ("EXECUTE count_t", reasons.RELATION_NOT_ALLOWED),
        ("/*capability='count_t'*/ EXECUTE find_s ('a')", reasons.STATEMENT_NOT_ALLOWED),
        # the name is the rules'
        ("PREPARE find_s AS SELECT 1", reasons.STATEMENT_NOT_ALLOWED),
        ("EXPLAIN EXECUTE find_s ('a')", reasons.STATEMENT_NOT_ALLOWED),
    ],
)  # fmt: skip
def test_what_is_refused(sql: str, reason: reasons.Reason) -> None:
    assert refused(sql).reason is reason


def test_the_refusal_says_what_it_takes() -> None:
    refusal = refused("EXECUTE close_job (1)")
    assert refusal.message == '"close_job" takes 2 values, not 1'
    assert refusal.hint == "write EXECUTE close_job(id bigint, state text)"


def test_who_may_not_call_it_knows_nothing_of_it() -> None:
    (plan,) = allowed("EXECUTE close_job (1, 'a')", "ann").statements
    assert plan.naming is not None and plan.sql == b"EXECUTE \"close_job\" (1, 'a')"


def test_it_adds_to_no_other_statement() -> None:
    """Beside its own statement a subject writes under its other capabilities, and only those."""
    assert refused("UPDATE jobs SET state = 'a' WHERE id = 1", "cal")
    (plan,) = allowed("UPDATE jobs SET state = 'a' WHERE id = 1", "bea").statements
    assert plan.facts.capability == "work"
    (plan,) = allowed("EXECUTE close_job (1, 'a')", "bea").statements
    assert plan.facts.capability == "close_job"


def test_a_capability_of_a_context_may_be_a_statement() -> None:
    who = {"capability": "find_s", "bound": True}
    assert allowed("EXECUTE find_s ('a')", "bea", **who)
    assert refused("SELECT x FROM s", "bea", **who).reason is reasons.CAPABILITY_REQUIRED
    assert isinstance(ask("EXECUTE close_job (1, 'a')", "bea", **who), Allow)  # a name nobody made
    (plan,) = allowed("EXECUTE close_job (1, 'a')", "bea", **who).statements
    assert plan.naming is not None
    other = refused("/*capability='browse'*/ EXECUTE find_s ('a')", "bea", **who)
    assert other.reason is reasons.CAPABILITY_REQUIRED
    chosen = refused("EXECUTE find_s ('a')", "bea", capability="browse")
    assert chosen.reason is reasons.STATEMENT_NOT_ALLOWED


def test_nobody_calls_without_a_context() -> None:
    for sql in ("EXECUTE find_s ('a')", "EXECUTE close_job (1, 'a')"):
        assert refused(sql, "bea", absent=True).reason is reasons.TENANT_SCOPE_REQUIRED


@pytest.mark.parametrize("given", ["1, 2", "1) UNION SELECT secret FROM (t", "1 AS text) --"])
def test_arguments_that_would_be_more_are_noticed(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were an argument's end missed, the tree would tell."""
    from policies import calling

    raw = grammar.parse(b"EXECUTE find_s ('a')")[0]
    subject = SNAPSHOT.rules.subject("cal")
    assert subject is not None
    statement = Statement(
        raw.text, raw.start, raw.kind, raw.node, subject, SNAPSHOT.views(subject), CATALOG,
        SNAPSHOT.rules.budget(subject.roles),
    )  # fmt: skip
    monkeypatch.setattr(calling, "_arguments", lambda _: [given])
    rule = NamedStatement(sql="SELECT $1", parameters={"x": "text"})
    with pytest.raises((Refusal, grammar.GrammarError, ValueError)):
        fill(statement, rule)
