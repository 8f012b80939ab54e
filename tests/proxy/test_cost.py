"""Statements with a price wait for the planner's estimate, and are refused without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import asyncpg
import psycopg
import pytest

from policies import reasons
from policies.decision import Allow, Deny, Facts, Price
from policies.pipeline import Snapshot, decide
from policies.price import Estimate, Unknown, judge
from policies.rules import Budget, parse
from proxy.engine import Engine
from proxy.estimates import Estimates, explain, read_plan
from proxy.testing import PostgresServer, RunningProxy
from proxy.wire.messages import (
    Bind,
    BindComplete,
    CommandComplete,
    Execute,
    Flush,
    Parse,
    ParseComplete,
    Query,
    Sync,
)
from tests.policies.lab import CATALOG
from tests.proxy.conversation import (
    READY,
    SYNTAX_ERROR,
    Conversation,
    TableEngine,
    deny,
    error,
    plan,
)

PRICE = Price(b"SELECT 1", 100, 50, "roles.r.budget.cost", "roles.r.budget.scan_rows")


# Judging.


def test_within_the_price() -> None:
    assert judge(PRICE, Estimate(100.0, 50.0)) is None
    assert judge(replace(PRICE, cost=None), Estimate(1e9, 50.0)) is None
    assert judge(replace(PRICE, scan_rows=None), Estimate(100.0, 1e9)) is None


@pytest.mark.parametrize(
    ("found", "code", "message", "rule"),
    [
        (Estimate(100.1, 0), "COST_EXCEEDED", "the statement is too expensive: its cost limit is"
         " 100", "cost"),
        (Estimate(7, 51), "COST_EXCEEDED", "the statement reads too many rows: its limit is 50",
         "scan_rows"),
        (Estimate(float("nan"), 0), "COST_EXCEEDED", "the statement is too expensive: its cost"
         " limit is 100", "cost"),
        (Unknown(), "COST_UNKNOWN", "the statement has a cost limit and its cost could not be"
         " estimated", "cost"),
        (Unknown("42703"), "COST_UNKNOWN", "the statement has a cost limit and its cost could not"
         " be estimated: PostgreSQL cannot plan it (SQLSTATE 42703)", "cost"),
    ],
)  # fmt: skip
def test_refusals_tell_the_limit_and_not_the_estimate(
    found: Estimate | Unknown, code: str, message: str, rule: str
) -> None:
    refusal = judge(PRICE, found)
    assert refusal is not None
    assert (refusal.reason.code, refusal.message) == (code, message)
    assert refusal.rule == f"roles.r.budget.{rule}"
    assert "100.1" not in refusal.message + refusal.hint and "51" not in refusal.message


def test_a_plan_has_a_price_only_if_the_rules_say_so() -> None:
    rules = parse(
        """
version: 1
entities: {s: {shared: true}}
capabilities: {c: {select: [s]}}
roles: {r: {can: [c], budget: {cost: 9}}, free: {can: [c]}}
subjects: [{login: a, roles: [r]}, {login: b, roles: [free]}]
""",
        "r",
    )
    snapshot = Snapshot(rules, CATALOG, b"", "v1")

    def price(sql: bytes, login: str = "a") -> Price | None:
        subject = rules.subject(login)
        assert subject is not None
        decision = decide(sql, subject, snapshot)
        assert isinstance(decision, Allow), decision
        return decision.statements[0].price

    found = price(b"SELECT id FROM s")
    assert found is not None and (found.cost, found.scan_rows) == (9, None)
    assert found.query.startswith(b'SELECT id FROM (SELECT r."id"')
    copied = price(b"COPY (SELECT id FROM s) TO STDOUT")
    assert copied is not None and b"SELECT id FROM (SELECT" in copied.query
    assert price(b"SELECT id FROM s", "b") is None
    assert price(b"SELECT oid FROM pg_class") is None
    assert price(b"BEGIN") is None


def test_without_a_planner_to_ask_it_is_refused() -> None:
    engine = Engine(Snapshot(parse("version: 1", "r"), CATALOG, b"", "v1"))
    refused = engine.price(plan(b"SELECT 1", price=PRICE), (), lambda: None)
    assert isinstance(refused, Deny) and refused.reason.code == "COST_UNKNOWN"
    assert engine.price(plan(b"SELECT 1"), (), lambda: None) is True


# Waiting.


@pytest.fixture
def talk() -> Conversation:
    engine = TableEngine()
    engine.limits = Budget(1, 1, 1, 1, 1, cost=5)
    engine.prices[b"SLOW"] = False
    return Conversation(engine)


EXPENSIVE = deny(reasons.COST_EXCEEDED)


def decide_slow(talk: Conversation, answer: Deny | bool) -> None:
    talk.engine.prices[b"SLOW"] = answer
    talk.engine.wakes[-1]()


def test_a_query_waits_and_what_is_behind_it_too(talk: Conversation) -> None:
    talk.client >> [Query(b"SLOW"), Query(b"SELECT 1")]
    talk.server << Flush()
    talk.over()
    assert not talk.client.wire.reading
    decide_slow(talk, True)
    talk.server << [Query(b"SLOW"), Query(b"SELECT 1")]
    assert talk.client.wire.reading
    done = [CommandComplete(b"SELECT 0"), READY]
    talk.server >> [*done, *done]
    talk.client << [*done, *done]
    talk.over()
    assert talk.engine.asked.count(b"SLOW") == 2


def test_it_can_be_refused_after_waiting(talk: Conversation) -> None:
    talk.client >> Query(b"SLOW")
    decide_slow(talk, EXPENSIVE)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("54001"), READY]
    talk.over()
    assert [(o.outcome, o.code) for o in talk.operations] == [("refused", "COST_EXCEEDED")]


def test_what_was_sent_before_is_answered_meanwhile(talk: Conversation) -> None:
    talk.client >> [Query(b"SELECT 1"), Query(b"SLOW")]
    talk.server << [Query(b"SELECT 1"), Flush()]
    talk.engine.prices[b"SLOW"] = True
    talk.engine.wakes[-1]()  # something is still owed, so not yet
    assert talk.server.wire.written == b""
    talk.server >> [CommandComplete(b"SELECT 0"), READY]
    talk.client << [CommandComplete(b"SELECT 0"), READY]
    talk.server << Query(b"SLOW")


def test_an_answer_of_the_upstream_does_not_end_the_wait(talk: Conversation) -> None:
    talk.client >> [Query(b"SELECT 1"), Query(b"SLOW")]
    talk.server << [Query(b"SELECT 1"), Flush()]
    talk.server >> [CommandComplete(b"SELECT 0"), READY]
    talk.client << [CommandComplete(b"SELECT 0"), READY]
    assert talk.session.waiting
    decide_slow(talk, True)
    talk.server << [Flush(), Query(b"SLOW")]


def test_a_parse_waits_with_its_types_and_a_bind_does_not(talk: Conversation) -> None:
    talk.client >> [Parse(b"", b"SLOW", (23,)), Bind(b"", b""), Execute(), Sync()]
    talk.server << Flush()
    assert talk.engine.priced[-1] == (b"SLOW", (23,))
    asked = len(talk.engine.priced)
    decide_slow(talk, True)
    assert len(talk.engine.priced) == asked + 1
    talk.server << [Parse(b"", b"SLOW", (23,)), Bind, Execute, Sync]
    talk.server >> [ParseComplete(), BindComplete(), CommandComplete(b"SELECT 0"), READY]
    talk.client << [ParseComplete(), BindComplete(), CommandComplete(b"SELECT 0"), READY]
    talk.over()


def test_a_refused_parse_skips_to_the_sync(talk: Conversation) -> None:
    talk.client >> [Parse(b"", b"SLOW"), Bind(b"", b""), Execute(), Sync()]
    decide_slow(talk, EXPENSIVE)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("54001"), READY]
    talk.over()


def test_a_prepared_statement_is_asked_about_again_under_new_rules(talk: Conversation) -> None:
    talk.engine.prices[b"SLOW"] = True
    talk.client >> [Parse(b"s", b"SLOW"), Sync()]
    talk.server >> [ParseComplete(), READY]
    talk.client << [ParseComplete(), READY]
    talk.engine.reload({})
    talk.engine.prices[b"SLOW"] = False
    talk.server.next()
    talk.server.next()
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    assert talk.session.waiting
    decide_slow(talk, EXPENSIVE)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("0A000"), READY]


def test_a_client_that_leaves_while_waiting_harms_nobody(talk: Conversation) -> None:
    talk.client >> Query(b"SLOW")
    talk.client.ends()
    assert talk.session.closed
    decide_slow(talk, True)
    talk.over()


def test_an_expensive_statement_counts_for_the_rate(talk: Conversation) -> None:
    spent: list[Facts] = []
    talk.engine.spend = lambda subject, count, facts: spent.append(facts)  # type: ignore
    talk.client >> Query(b"SLOW")
    assert spent == []
    decide_slow(talk, EXPENSIVE)
    assert len(spent) == 1


# Asking PostgreSQL.

SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, owner int NOT NULL, note text);
INSERT INTO t SELECT i, i % 10, repeat('x', 50) FROM generate_series(1, 20000) i;
CREATE TABLE small (id int PRIMARY KEY);
ANALYZE;
"""


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    yield postgres.create_database("cost_test", SCHEMA)
    postgres.drop_database("cost_test")


@pytest.fixture
async def estimates(database: str) -> AsyncIterator[Estimates]:
    made = Estimates(database)
    made.forget('"public"')
    yield made
    await made.close()


async def answer(estimates: Estimates, query: bytes, types: tuple[int, ...] = ()) -> Any:
    woken = asyncio.Event()
    found = estimates.ask(query, types, woken.set)
    if found is None:
        await estimates.run()
        await asyncio.wait_for(woken.wait(), 5)
        found = estimates.ask(query, types, woken.set)
    return found


async def test_estimates_of_a_plan(estimates: Estimates) -> None:
    whole = await answer(estimates, b"SELECT * FROM t -- all of it")
    assert isinstance(whole, Estimate) and whole.scan_rows == 20000 and whole.cost > 100
    one = await answer(estimates, b"SELECT * FROM t WHERE id = $1")
    assert isinstance(one, Estimate) and one.scan_rows == 1 and one.cost < 10
    joined = await answer(estimates, b"SELECT * FROM t, t AS u")
    assert isinstance(joined, Estimate) and joined.cost > 1e6
    assert estimates.ask(b"SELECT * FROM t WHERE id = $1", (), lambda: None) is one


async def test_declared_types_are_used(estimates: Estimates) -> None:
    assert await answer(estimates, b"SELECT $1 + $2") == Unknown("42725")
    assert isinstance(await answer(estimates, b"SELECT $1 + $2", (20, 0)), Estimate)


async def test_errors_are_unknown_and_the_connection_goes_on(estimates: Estimates) -> None:
    assert await answer(estimates, b"SELECT nothing FROM t") == Unknown("42703")
    assert await answer(estimates, b"SELECT 1 / 0 FROM small") == Unknown("22012")
    assert isinstance(await answer(estimates, b"SELECT 1 FROM t FOR UPDATE"), Estimate)


async def test_failures_are_asked_again_and_a_new_snapshot_forgets(database: str) -> None:
    clock = [0.0]
    estimates = Estimates("postgresql://nobody@127.0.0.1:1/none", lambda: clock[0])
    assert await answer(estimates, b"SELECT 1") == Unknown()
    assert estimates.ask(b"SELECT 1", (), lambda: None) == Unknown()
    clock[0] = 3.0
    assert estimates.ask(b"SELECT 1", (), lambda: None) is None
    good = Estimates(database)
    assert isinstance(await answer(good, b"SELECT 1"), Estimate)
    good.forget("public")
    assert good.ask(b"SELECT 1", (), lambda: None) is None
    await good.close()


async def test_an_estimate_of_an_older_snapshot_is_not_kept(database: str) -> None:
    estimates = Estimates(database)
    woken = asyncio.Event()
    assert estimates.ask(b"SELECT 1", (), woken.set) is None
    task = asyncio.create_task(estimates.run())
    await asyncio.sleep(0)
    estimates.forget("public")
    await asyncio.wait_for(task, 5)
    await asyncio.wait_for(woken.wait(), 5)
    assert estimates.ask(b"SELECT 1", (), lambda: None) is None
    await estimates.close()


async def test_a_text_means_what_it_was_proven_to_mean(database: str) -> None:
    """With the setting off the literal would go on and its end would be a statement."""
    async with asyncio.timeout(20):
        admin = await asyncpg.connect(database)
        await admin.execute("ALTER DATABASE cost_test SET standard_conforming_strings = off")
        estimates = Estimates(database)
        found = await answer(estimates, rb"SELECT 'a\', '; CREATE TABLE slipped (); --'")
        assert isinstance(found, Estimate)
        assert await admin.fetchval("SELECT to_regclass('slipped')") is None
        await estimates.close()
        await admin.execute("ALTER DATABASE cost_test RESET standard_conforming_strings")
        await admin.close()


async def test_explain_leaves_nothing_behind(database: str) -> None:
    connection = await asyncpg.connect(database)
    with pytest.raises(asyncpg.UndefinedColumnError):
        await explain(connection, "SELECT nothing FROM t")
    await explain(connection, "SELECT 1")
    left = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'querywarden%'"
    assert await connection.fetchval(left) == 0
    await connection.close()


def test_rows_are_those_of_table_scans() -> None:
    scan = {"Relation Name": "t", "Plan Rows": 7, "Total Cost": 1.0}
    root = {"Plan Rows": 9, "Total Cost": 4.5, "Plans": [scan, {"Plan Rows": 3, "Plans": [scan]}]}
    assert read_plan(root) == Estimate(4.5, 14)


# All of it.

RULES = """
version: 1
profile: dev
entities: {t: {tenant: owner}, small: {shared: true}}
capabilities: {read: {select: [t, small]}}
roles:
  careful: {can: [read], budget: {cost: 300, complexity: 1000}}
  scanner: {can: [read], budget: {scan_rows: 100}}
subjects:
  - {login: ann, tenant: 1, roles: [careful]}
  - {login: bob, tenant: 1, roles: [scanner]}
"""


def test_through_the_proxy(database: str) -> None:
    users = {"ann": "pw", "bob": "pw"}
    with (
        RunningProxy(rules=RULES, users=users, upstream=database) as proxy,
        psycopg.connect(proxy.dsn("ann"), autocommit=True, prepare_threshold=0) as ann,
        psycopg.connect(proxy.dsn("bob"), autocommit=True) as bob,
    ):
        for number in (11, 21):
            found = ann.execute("SELECT id FROM t WHERE id = %s", (number,)).fetchall()
            assert found == [(number,)]
        with pytest.raises(psycopg.Error) as raised:
            ann.execute("SELECT count(*) FROM t a JOIN t b ON a.note = b.note")
        told = raised.value.diag
        assert told.message_primary == "the statement is too expensive: its cost limit is 300"
        assert "roles.careful.budget.cost" in str(told.message_hint)
        with pytest.raises(psycopg.Error) as raised:
            ann.execute("SELECT nothing FROM t")
        assert (raised.value.sqlstate, raised.value.diag.message_hint) == (
            "54001", "t has: id, owner, note",
        )  # fmt: skip
        assert bob.execute("SELECT count(*) FROM small").fetchone() == (0,)
        with bob.pipeline(), pytest.raises(psycopg.Error) as raised:
            bob.execute("SELECT 1 FROM t WHERE note <> 'x'").fetchall()
        assert raised.value.diag.message_primary == (
            "the statement reads too many rows: its limit is 100"
        )
