"""proxy/net/holding.py and proxy/net/consents.py: a message waits for consent, then runs once or is
refused, and all in order."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from policies.rules import Budget
from policies.rules_budget import Allowance
from proxy.approvals.request import Answer
from proxy.wire.messages import (
    Bind,
    BindComplete,
    CommandComplete,
    Execute,
    Flush,
    NoData,
    ParameterDescription,
    ParameterStatus,
    Parse,
    ParseComplete,
    Query,
    ReadyForQuery,
    Sync,
)
from tests.proxy.consent import (
    EXPIRES,
    PENDING,
    UPDATE,
    UPDATED,
    USED,
    WRITE,
    Talk,
    bind,
    prepare,
    refused,
)
from tests.proxy.conversation import (
    POISON,
    READY,
    SYNTAX_ERROR,
    Rules,
    error,
    failure,
    fields,
    only,
    plan,
)


@pytest.fixture
def talk() -> Talk:
    return Talk()


# Held, run, refused.


def test_a_query_waits_for_consent_and_then_runs(talk: Talk) -> None:
    talk.client >> Query(UPDATE)
    talk.server << Flush()
    assert not talk.client.wire.reading and talk.client.wire.written == b""
    talk.desk.last.told(USED)
    talk.server << Query(UPDATE)
    talk.server >> [UPDATED, READY]
    talk.client << [UPDATED, READY]
    talk.over()
    done = only(talk)
    assert (done.outcome, done.approval_id, done.affected_rows) == ("ok", "a1", 1)
    assert talk.client.wire.reading and len(talk.desk.asked) == 1


def test_without_consent_it_is_held_and_the_client_is_told_what_to_do(talk: Talk) -> None:
    talk.client >> Query(UPDATE)
    told = refused(talk, PENDING)
    assert told["M"] == "the statement is held: approval a1 must be granted first"
    assert told["H"] == (
        "somebody else with role lead may grant it until 2026-03-01 12:15:00 UTC (querywarden"
        " approvals grant a1); then send the same statement again"
    )
    assert json.loads(told["D"]) == {
        "code": "WRITE_APPROVAL_REQUIRED", "policy_version": "v1", "approval": "a1",
        "state": "pending", "expires": "2026-03-01T12:15:00+00:00",
    }  # fmt: skip
    held = only(talk)
    assert (held.decision, held.outcome, held.approval_id) == ("hold", "held", "a1")
    assert (held.code, held.sqlstate) == ("WRITE_APPROVAL_REQUIRED", "QW001")
    assert held.reason == "asked"
    assert POISON in talk.server.wire.written and UPDATE not in talk.server.wire.written


def test_sent_again_it_is_asked_again(talk: Talk) -> None:
    talk.client >> Query(UPDATE)
    refused(talk, PENDING)
    talk.server.heard()
    talk.client >> Query(UPDATE)
    assert len({question.request.binding for question in talk.desk.asked}) == 1
    talk.desk.last.told(USED)
    talk.server << [Flush(), Query(UPDATE)]


def test_a_refusal_and_a_store_that_is_gone_are_told(talk: Talk) -> None:
    talk.client >> Query(UPDATE)
    told = refused(talk, Answer("refused", "a1", EXPIRES))
    assert told["M"] == "the statement was not run: approval a1 was refused"
    assert json.loads(told["D"])["state"] == "refused"
    talk.client >> Query(UPDATE)
    told = refused(talk, Answer("unavailable"), "58000")
    assert json.loads(told["D"]) == {"code": "APPROVAL_UNAVAILABLE", "policy_version": "v1"}
    talk.client >> Query(UPDATE)
    assert "too many statements" in refused(talk, Answer("crowded"), "53400")["M"]
    assert [each.decision for each in talk.operations] == ["deny"] * 3


def test_without_a_desk_nothing_runs(talk: Talk) -> None:
    talk.session.consents.desk = None
    talk.client >> Query(UPDATE)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("58000"), READY]
    assert UPDATE not in talk.server.wire.written


def test_in_a_transaction_that_has_failed_nobody_is_asked(talk: Talk) -> None:
    prepare(talk)
    talk.client >> Query(b"SELECT 1")
    talk.server >> [failure(b"22012"), ReadyForQuery(b"E")]
    talk.client.heard()
    talk.client >> Query(UPDATE)
    talk.server >> [SYNTAX_ERROR, ReadyForQuery(b"E")]
    talk.client << [error("25P02"), ReadyForQuery(b"E")]
    bind(talk, b"1")
    talk.server >> [SYNTAX_ERROR, ReadyForQuery(b"E")]
    talk.client << [error("25P02"), ReadyForQuery(b"E")]
    assert not talk.desk.asked


def test_a_statement_that_fails_has_used_its_consent_and_says_so(talk: Talk) -> None:
    talk.client >> Query(UPDATE)
    talk.desk.last.told(USED)
    talk.server >> [failure(b"23505"), READY]
    assert fields(talk.client.next())["H"] == (
        "approval a1 is used up by this attempt: sent again, it asks anew"
    )
    assert (only(talk).outcome, only(talk).approval_id) == ("failed", "a1")


# Prepared statements.


def test_a_bind_waits_with_its_values(talk: Talk) -> None:
    prepare(talk, (23, 0))
    bind(talk, b"\0\0\0\x29", b"it's", formats=(1, 0))
    talk.server << Flush()
    request = talk.desk.last.request
    assert request.values == ("41", "'it''s'")
    assert (request.statement, request.reason) == (UPDATE.decode(), "asked")
    assert (request.operation, request.template) == ("update", "")
    talk.desk.last.told(USED)
    talk.server << [Bind(b"", b"s", (1, 0), (b"\0\0\0\x29", b"it's")), Execute(), Sync()]
    talk.server >> [BindComplete(), UPDATED, READY]
    talk.client << [BindComplete(), UPDATED, READY]
    talk.over()
    assert only(talk).approval_id == "a1"


def test_each_run_of_a_prepared_statement_is_asked_about(talk: Talk) -> None:
    prepare(talk)
    for value in (b"1", b"1", b"2"):
        bind(talk, value)
        talk.desk.last.told(Answer("used", f"a{len(talk.desk.asked)}"))
        talk.server >> [BindComplete(), UPDATED, READY]
    assert [each.approval_id for each in talk.operations] == ["a1", "a2", "a3"]
    bindings = [question.request.binding for question in talk.desk.asked]
    assert bindings[0] == bindings[1] != bindings[2]


def test_a_whole_pipeline_keeps_its_order(talk: Talk) -> None:
    talk.client >> [
        Parse(b"", b"SELECT 1"), Bind(b"", b""), Execute(), Sync(),
        Parse(b"", b"BEGIN"), Bind(b"", b""), Execute(),
        Parse(b"", UPDATE), Bind(b"", b""), Execute(),
        Parse(b"", b"SELECT 2"), Bind(b"", b""), Execute(), Sync(),
    ]  # fmt: skip
    talk.server << [Parse(b"", b"SELECT 1"), Bind, Execute, Sync]
    talk.server << [Parse(b"", b"BEGIN"), Bind, Execute, Parse(b"", UPDATE), Flush()]
    assert not talk.desk.asked
    one = [ParseComplete(), BindComplete(), CommandComplete(b"SELECT 0")]
    talk.server >> [*one, READY, *one, ParseComplete()]
    talk.client << [*one, READY, *one, ParseComplete()]
    assert len(talk.desk.asked) == 1
    talk.desk.last.told(USED)
    talk.server << [Flush(), Bind, Execute, Parse(b"", b"SELECT 2"), Bind, Execute, Sync]
    talk.server >> [BindComplete(), UPDATED, *one, READY]
    talk.client << [BindComplete(), UPDATED, *one, READY]
    talk.over()


def test_what_follows_a_held_one_in_its_pipeline_does_not_run(talk: Talk) -> None:
    prepare(talk)
    talk.client >> [
        Bind(b"", b"s"), Execute(), Parse(b"", b"DELETE"), Bind(b"", b""), Execute(), Sync(),
    ]  # fmt: skip
    talk.desk.last.told(PENDING)
    talk.server << [Flush(), Parse(b"querywarden refused", POISON), Sync()]
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("QW001"), READY]
    talk.over()


def test_types_the_upstream_tells_are_used_to_show_values(talk: Talk) -> None:
    talk.client >> [Parse(b"s", UPDATE), b"D\0\0\0\x07Ss\0", Sync()]
    talk.server >> [ParseComplete(), ParameterDescription((23,)), NoData(), READY]
    bind(talk, b"\0\0\0\x29", formats=(1,))
    assert talk.desk.last.request.values == ("41",)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\0\0\0\1\xff\xff\xff\xff", "insufficient data"),
        (b"\0\0\0\0\0\0\0", "invalid message format"),
        (b"\0\0\0\2\xff\xff\xff\xff", "insufficient data"),
        (b"\0\2\0\0\0\0\0\3" + b"\xff" * 12 + b"\0\0", "parameter formats"),
    ],
)
def test_a_bind_that_cannot_be_read_is_not_asked_about(talk: Talk, body: bytes, said: str) -> None:
    prepare(talk)
    raw = b"\0s\0" + body
    talk.client >> [b"B" + (len(raw) + 4).to_bytes(4, "big") + raw, Sync()]
    talk.server >> [SYNTAX_ERROR, READY]
    told = fields(talk.client.next())
    assert told["C"] == "08P01" and said in told["M"]
    assert not talk.desk.asked


def test_values_too_long_to_be_held_are_refused(talk: Talk) -> None:
    prepare(talk)
    for cut in (0, 90_000):
        raw = Bind(b"", b"s", (), (b"x" * 100_000,)).encode() + Execute().encode() + Sync().encode()
        talk.client >> raw[: cut or None]
        if cut:
            talk.client >> raw[cut:]
        talk.server >> [SYNTAX_ERROR, READY]
        talk.client << [error("54000"), READY]
        assert [type(each) for each in talk.server.heard()] == [Parse, Sync]
    assert not talk.desk.asked
    talk.over()


# Rates, cancelling, ends.


def limited(talk: Talk, most: int) -> None:
    talk.engine.limits = Budget(1, 1, 1, 1, 1, rate=(Allowance(most, 60, "r"),), role="r")
    talk.engine.snapshot = Rules("v1")
    talk.session.take_snapshot()


def test_a_statement_that_waits_counts_once(talk: Talk) -> None:
    limited(talk, 2)
    talk.client >> Query(UPDATE)
    talk.session.wake()
    talk.session.wake()
    talk.desk.last.told(USED)
    talk.server >> [UPDATED, READY]
    talk.client << [UPDATED, READY]
    prepare(talk)
    bind(talk, b"1")
    talk.session.wake()
    refused(talk, PENDING)
    asked = len(talk.desk.asked)
    bind(talk, b"1")
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("53400"), READY]
    assert len(talk.desk.asked) == asked


def test_a_wait_can_be_cancelled(talk: Talk) -> None:
    assert not talk.session.consents.cancel()
    talk.client >> [Query(UPDATE), Query(b"SELECT 1")]
    assert talk.session.consents.cancel()
    assert talk.desk.last.cancelled
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("57014"), READY]
    assert only(talk).outcome == "cancelled"
    assert talk.server.heard()[-1] == Query(b"SELECT 1")


def test_a_client_that_leaves_cancels(talk: Talk) -> None:
    talk.client >> Query(UPDATE)
    talk.client.ends()
    assert talk.desk.last.cancelled and talk.session.closed
    talk.over()


def test_the_upstreams_noise_does_not_end_the_wait(talk: Talk) -> None:
    talk.client >> Query(UPDATE)
    talk.server >> ParameterStatus(b"application_name", b"x")
    assert talk.session.waiting and len(talk.desk.asked) == 1


def test_reads_ask_nobody(talk: Talk) -> None:
    talk.engine.table[b"UPDATE free"] = plan(b"UPDATE free", write=replace(WRITE, consent=None))
    for text in (b"SELECT 1", b"UPDATE free"):
        talk.client >> Query(text)
        talk.server << Query(text)
        talk.server >> [CommandComplete(b"SELECT 0"), READY]
    assert not talk.desk.asked
