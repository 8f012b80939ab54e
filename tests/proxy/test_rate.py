"""The rate of a login: what counts, who shares it (proxy/net/metering.py, proxy/rates.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import reasons
from policies.decision import Facts
from policies.pipeline import Snapshot
from policies.rules import Budget, parse
from policies.rules_budget import Allowance
from proxy.engine import Engine
from proxy.rates import Rates
from proxy.wire.messages import (
    Bind,
    BindComplete,
    CommandComplete,
    Describe,
    Execute,
    Message,
    NoData,
    ParameterDescription,
    Parse,
    ParseComplete,
    PortalSuspended,
    Query,
    ReadyForQuery,
    Sync,
)
from tests.policies.lab import CATALOG
from tests.proxy.conversation import READY, ROW, Conversation, TableEngine, deny, error, failure

SECOND, MINUTE = Allowance(2, 1, "second"), Allowance(3, 60, "minute")
DONE: list[Message] = [CommandComplete(b"SELECT 0"), READY]
LIMITED = error("53400")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills_evenly() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert [rates.take("a", [SECOND], 1) for _ in range(2)] == [None, None]
    assert rates.take("a", [SECOND], 1) == (SECOND, 0.5)
    assert rates.take("b", [SECOND], 1) is None
    clock.now = 0.5
    assert rates.take("a", [SECOND], 1) is None
    clock.now = 100.0
    assert rates.take("a", [SECOND], 2) is None and rates.take("a", [SECOND], 1) is not None


def test_what_one_period_refuses_is_not_taken_from_another() -> None:
    clock = Clock()
    rates = Rates(clock)
    for moment in (0.0, 1.0, 2.0):
        clock.now = moment
        assert rates.take("a", [SECOND, MINUTE], 1) is None
    over = rates.take("a", [SECOND, MINUTE], 1)
    assert over is not None and over[0] is MINUTE and 17 < over[1] < 20
    assert rates.take("a", [SECOND], 1) is None


def test_a_lowered_limit_holds_at_once() -> None:
    rates = Rates(Clock())
    assert rates.take("a", [replace(SECOND, count=100)], 1) is None
    assert rates.take("a", [SECOND], 3) == (SECOND, 0.5)


def limited(count: int, table: dict[bytes, object] | None = None) -> Conversation:
    engine = TableEngine(table)
    engine.limits = Budget(1, 1, 1, 1, 1, rate=(Allowance(count, 60, "r"),))
    return Conversation(engine)


def test_queries_count_each_statement_but_transaction_control() -> None:
    talk = limited(2)
    text = b"BEGIN; SELECT 1; SELECT 2; COMMIT"
    talk.client >> Query(text)
    talk.server << Query(b"BEGIN; SELECT 1; SELECT 2; COMMIT")
    talk.client >> Query(b"COMMIT")
    talk.server << Query(b"COMMIT")
    talk.client >> Query(b"SELECT 1")
    talk.server << Query
    assert [operation.code for operation in talk.operations] == ["RATE_LIMITED"]
    assert talk.operations[0].facts.operation == "select"
    tags: list[Message] = [
        CommandComplete(word) for word in (b"BEGIN", b"SELECT 0", b"SELECT 0", b"COMMIT")
    ]
    talk.server >> [*tags, READY, CommandComplete(b"COMMIT"), READY, failure(b"42601"), READY]
    talk.client << [*tags, READY, CommandComplete(b"COMMIT"), READY, LIMITED, READY]
    talk.over()


def test_a_refused_statement_counts() -> None:
    talk = limited(1, {b"NO": deny(reasons.WRITE_DISABLED)})
    talk.client >> Query(b"NO")
    talk.client >> [Parse(b"", b"NO"), Sync()]
    assert [operation.code for operation in talk.operations] == ["WRITE_DISABLED", "RATE_LIMITED"]


def test_each_bind_counts_once_however_its_portal_is_read() -> None:
    talk = limited(2)
    talk.client >> [Parse(b"s", b"SELECT 1"), Describe(b"S", b"s"), Sync()]
    talk.server >> [ParseComplete(), ParameterDescription(()), NoData(), READY]
    talk.client >> [Bind(b"c", b"s"), Execute(b"c", 1), Execute(b"c", 1), Sync()]
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    assert talk.operations == []
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    assert [operation.code for operation in talk.operations] == ["RATE_LIMITED"]


def test_an_error_in_place_of_the_bind_skips_to_the_sync() -> None:
    talk = limited(1)
    talk.client >> [Parse(b"s", b"SELECT 1"), Bind(b"c", b"s"), Execute(b"c", 1), Sync()]
    talk.server >> [ParseComplete(), BindComplete(), ROW, PortalSuspended(), ReadyForQuery(b"T")]
    talk.client << [ParseComplete, BindComplete, ROW, PortalSuspended, ReadyForQuery]
    talk.client >> [Bind(b"d", b"s"), Execute(b"d"), Sync(), Query(b"ROLLBACK")]
    talk.server >> [failure(b"42601"), ReadyForQuery(b"E"), CommandComplete(b"ROLLBACK"), READY]
    talk.client << [LIMITED, ReadyForQuery, CommandComplete(b"ROLLBACK"), READY]
    talk.over()


@pytest.mark.parametrize("login", ["a", "both"])
def test_the_refusal_says_how_long_to_wait_and_which_rule(login: str) -> None:
    rules = parse(
        """
version: 1
roles:
  r: {budget: {rate: {per_minute: 3}}}
  more: {budget: {rate: {per_minute: 2, per_hour: 60}}}
subjects: [{login: a, roles: [r]}, {login: both, roles: [more, r]}]
""",
        "r",
    )
    engine = Engine(Snapshot(rules, CATALOG, b"", "v1"))
    subject = engine.subject(login)
    assert subject is not None
    facts = Facts(operation="select")
    assert [engine.spend(subject, 1, facts) for _ in range(3)] == [None] * 3
    refused = engine.spend(subject, 1, facts)
    assert refused is not None and refused.reason.sqlstate == "53400"
    assert refused.message == "too many statements: your login may send 3 per minute"
    rule = "roles.r.budget.rate.per_minute"
    assert refused.hint == f"wait 20 seconds; or have {rule} raised in the rules"
    assert refused.rule == rule and refused.facts.operation == "select"
    assert [(effect.rule, effect.effect) for effect in refused.facts.effects] == [(rule, "deny")]
    many = engine.spend(subject, 4, facts)
    assert many is not None and many.hint.startswith("send at most 3 statements in one text; or")
