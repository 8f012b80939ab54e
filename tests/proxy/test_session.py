"""Sessions as conversations: what the upstream hears, what the client hears, what is recorded."""

from __future__ import annotations

import json
import logging

import pytest

from policies import reasons
from policies.decision import Forget
from policies.subject import Subject
from proxy.oplog.operation import Operation
from proxy.wire.codecs import Column
from proxy.wire.messages import (
    Bind,
    BindComplete,
    Close,
    CloseComplete,
    CommandComplete,
    CopyData,
    CopyDone,
    CopyFail,
    CopyInResponse,
    CopyOutResponse,
    DataRow,
    Describe,
    EmptyQueryResponse,
    ErrorResponse,
    Execute,
    Flush,
    FunctionCall,
    Message,
    NoData,
    NoticeResponse,
    NotificationResponse,
    ParameterDescription,
    ParameterStatus,
    Parse,
    ParseComplete,
    PortalSuspended,
    Query,
    ReadyForQuery,
    RowDescription,
    Sync,
    Terminate,
)
from tests.proxy.conversation import Conversation, deny, error, fields, plan

POISON = b"querywarden refused this statement"
COLUMNS = RowDescription((Column(b"id"),))
ROW = DataRow((b"1",))
READY = ReadyForQuery()
SYNTAX_ERROR = ErrorResponse((("S", b"ERROR"), ("V", b"ERROR"), ("C", b"42601"), ("M", b"x")))


def failure(sqlstate: bytes, severity: bytes = b"ERROR", **more: bytes) -> ErrorResponse:
    base = (("S", severity), ("V", severity), ("C", sqlstate), ("M", b"it failed"))
    return ErrorResponse((*base, *more.items()))


def rows(count: int) -> list[Message]:
    return [COLUMNS, *[ROW] * count, CommandComplete(b"SELECT %d" % count), READY]


def only(talk: Conversation) -> Operation:
    assert len(talk.operations) == 1
    return talk.operations[0]


# The simple protocol.


def test_the_allowed_text_goes_up_and_rows_come_down() -> None:
    talk = Conversation({b"SELECT * FROM users": plan(b"SELECT * FROM (SELECT id) AS users")})
    talk.client >> Query(b"SELECT * FROM users")
    talk.server << Query(b"SELECT * FROM (SELECT id) AS users")
    talk.server >> rows(2)
    talk.client << rows(2)
    talk.over()
    done = only(talk)
    assert (done.outcome, done.row_count, done.bytes) == ("ok", 2, 2 * len(ROW.encode()))
    assert done.affected_rows is None and done.total_seconds >= done.upstream_seconds >= 0


def test_each_read_is_one_write() -> None:
    talk = Conversation({b"SELECT 2": deny(reasons.SYNTAX_ERROR)})
    talk.client >> [Query(b"SELECT 1"), Query(b"SELECT 2"), Query(b"SELECT 3")]
    assert talk.server.wire.writes == 1
    talk.server >> [*rows(1), SYNTAX_ERROR, READY, *rows(1)]
    assert talk.client.wire.writes <= 2


def test_an_empty_text() -> None:
    talk = Conversation()
    talk.client >> Query(b" ;")
    talk.server << Query(b"")
    talk.server >> [EmptyQueryResponse(), READY]
    talk.client << [EmptyQueryResponse(), READY]
    talk.over()
    assert talk.operations == []


def test_a_refusal_aborts_upstream_too_and_the_answer_is_ours() -> None:
    refusal = deny(reasons.FIELD_NOT_ALLOWED, "no column ssn", "ask for id", table="users",
                   column="ssn", rule="users.ssn")  # fmt: skip
    talk = Conversation({b"SELECT ssn": refusal})
    talk.client >> Query(b"SELECT ssn")
    talk.server << Query(POISON)
    talk.server >> [SYNTAX_ERROR, ReadyForQuery(b"E")]
    said = fields(talk.client.next())
    assert (said["S"], said["V"], said["C"], said["M"], said["H"]) == (
        "ERROR", "ERROR", "42501", "no column ssn", "ask for id",
    )  # fmt: skip
    assert json.loads(said["D"]) == {"code": "FIELD_NOT_ALLOWED", "policy_version": "v1"}
    assert (said["t"], said["c"], said["n"]) == ("users", "ssn", "users.ssn")
    talk.client << ReadyForQuery(b"E")
    talk.over()
    done = only(talk)
    assert (done.decision, done.outcome, done.sqlstate) == ("deny", "refused", "42501")
    assert (done.code, done.hint) == ("FIELD_NOT_ALLOWED", "ask for id")


def test_statements_of_one_text_are_recorded_each() -> None:
    talk = Conversation()
    talk.client >> Query(b"BEGIN; UPDATE t; SELECT 1")
    talk.server >> [
        CommandComplete(b"BEGIN"), CommandComplete(b"UPDATE 3"), *rows(2)[:-1],
        ReadyForQuery(b"T"),
    ]  # fmt: skip
    assert [(o.facts.operation, o.affected_rows, o.row_count) for o in talk.operations] == [
        ("begin", None, 0), ("update", 3, 0), ("select", None, 2),
    ]  # fmt: skip


def test_an_error_in_the_middle_ends_the_text() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1; SELECT 2; SELECT 3")
    talk.server >> [*rows(1)[:-1], failure(b"22012"), READY]
    talk.client << [COLUMNS, ROW, CommandComplete(b"SELECT 1"), error("22012"), READY]
    talk.over()
    assert talk.records.outcomes() == [("select", "ok"), ("select", "failed")]
    assert talk.operations[1].sqlstate == "22012"


@pytest.mark.parametrize(
    ("tag", "affected"),
    [(b"INSERT 0 5", 5), (b"UPDATE 0", 0), (b"DELETE 7", 7), (b"MERGE 2", 2), (b"COPY 9", 9),
     (b"SELECT 3", None), (b"CREATE TABLE", None), (b"COMMIT", None), (b"DO", None)],
)  # fmt: skip
def test_affected_rows_come_from_the_tag(tag: bytes, affected: int | None) -> None:
    talk = Conversation()
    talk.client >> Query(b"whatever")
    talk.server >> [CommandComplete(tag), READY]
    assert only(talk).affected_rows == affected


# Caps.


def test_a_capped_result() -> None:
    talk = Conversation({b"SELECT 1": plan(b"SELECT 1 LIMIT 4", cap=3)})
    talk.client >> Query(b"SELECT 1")
    talk.server >> rows(4)
    talk.client << [COLUMNS, ROW, ROW, ROW]
    notice = fields(talk.client.next())
    assert (notice["S"], notice["C"], notice["M"]) == (
        "NOTICE", "01000", "result capped at 3 rows",
    )  # fmt: skip
    talk.client << [CommandComplete(b"SELECT 3"), READY]
    talk.over()
    done = only(talk)
    assert (done.row_count, done.truncated, done.bytes) == (3, True, 3 * len(ROW.encode()))


@pytest.mark.parametrize("size", range(1, 30))
def test_a_capped_result_in_pieces(size: int) -> None:
    long = DataRow((bytes(50),))
    talk = Conversation({b"SELECT 1": plan(b"SELECT 1 LIMIT 3", cap=2)})
    talk.client >> Query(b"SELECT 1")
    raw = b"".join(m.encode() for m in [COLUMNS, *[long] * 3, CommandComplete(b"SELECT 3"), READY])
    for start in range(0, len(raw), size):
        talk.server >> raw[start : start + size]
    talk.client << [COLUMNS, long, long, NoticeResponse, CommandComplete(b"SELECT 2"), READY]
    talk.over()
    assert (only(talk).row_count, only(talk).bytes) == (2, 2 * len(long.encode()))


def test_a_result_of_exactly_the_cap_is_not_capped() -> None:
    talk = Conversation({b"SELECT 1": plan(b"SELECT 1 LIMIT 4", cap=3)})
    talk.client >> Query(b"SELECT 1")
    talk.server >> rows(3)
    talk.client << rows(3)
    assert not only(talk).truncated


def test_each_statement_has_its_own_cap() -> None:
    capped, free = plan(b"SELECT 1", cap=1), plan(b"SELECT 2")
    talk = Conversation({b"SELECT 1; SELECT 2; SELECT 1": [capped, free, capped]})
    talk.client >> Query(b"SELECT 1; SELECT 2; SELECT 1")
    talk.server >> [*rows(2)[:-1], *rows(5)[:-1], *rows(2)]
    assert [(o.row_count, o.truncated) for o in talk.operations] == [
        (1, True), (5, False), (1, True),
    ]  # fmt: skip


def test_the_cap_counts_over_all_executes_of_a_portal() -> None:
    talk = Conversation({b"SELECT 1": plan(b"SELECT 1 LIMIT 6", cap=5)})
    talk.client >> [Parse(b"", b"SELECT 1"), Bind(b"c", b""), Execute(b"c", 3), Sync()]
    talk.server >> [ParseComplete(), BindComplete(), ROW, ROW, ROW, PortalSuspended(),
                    ReadyForQuery(b"T")]  # fmt: skip
    talk.client << [ParseComplete, BindComplete, ROW, ROW, ROW, PortalSuspended, ReadyForQuery]
    assert talk.operations == []
    talk.client >> [Execute(b"c", 3), Sync()]
    talk.server >> [ROW, ROW, ROW, PortalSuspended(), ReadyForQuery(b"T")]
    talk.client << [ROW, ROW, PortalSuspended, ReadyForQuery]
    talk.client >> [Execute(b"c", 3), Sync()]
    talk.server >> [CommandComplete(b"SELECT 0"), ReadyForQuery(b"T")]
    talk.client << [NoticeResponse, CommandComplete(b"SELECT 0"), ReadyForQuery]
    talk.over()
    assert (only(talk).row_count, only(talk).truncated) == (5, True)


def test_the_tag_of_an_execute_beyond_the_cap_counts_what_was_given() -> None:
    talk = Conversation({b"SELECT 1": plan(b"SELECT 1 LIMIT 3", cap=2)})
    talk.client >> [Parse(b"", b"SELECT 1"), Bind(b"c", b""), Execute(b"c", 1), Execute(b"c"),
                    Sync()]  # fmt: skip
    talk.server >> [ParseComplete(), BindComplete(), ROW, PortalSuspended(), ROW, ROW,
                    CommandComplete(b"SELECT 2"), READY]  # fmt: skip
    talk.client << [ParseComplete, BindComplete, ROW, PortalSuspended, ROW, NoticeResponse,
                    CommandComplete(b"SELECT 1"), READY]  # fmt: skip


@pytest.mark.parametrize("end", ["close", "rebind", "commit"])
def test_a_suspended_portal_is_recorded_when_it_goes(end: str) -> None:
    talk = Conversation()
    talk.client >> [Parse(b"s", b"SELECT 1"), Bind(b"", b"s"), Execute(b"", 1), Sync()]
    talk.server >> [ParseComplete(), BindComplete(), ROW, PortalSuspended(), ReadyForQuery(b"T")]
    assert talk.operations == []
    if end == "close":
        talk.client >> [Close(b"P"), Sync()]
        talk.server >> [CloseComplete(), ReadyForQuery(b"T")]
    elif end == "rebind":
        talk.client >> [Bind(b"", b"s"), Sync()]
        talk.server >> [BindComplete(), ReadyForQuery(b"T")]
    else:
        talk.client >> Query(b"COMMIT")
        talk.server >> [CommandComplete(b"COMMIT"), READY]
    assert ("select", "ok") in talk.records.outcomes()
    assert [o.row_count for o in talk.operations if o.facts.operation == "select"] == [1]


# The extended protocol.


def test_a_prepared_statement_from_parse_to_close() -> None:
    talk = Conversation({b"SELECT $1": plan(b"SELECT $1 AS v")})
    talk.client >> [Parse(b"s", b"SELECT $1", (23,)), Describe(b"S", b"s"), Sync()]
    talk.server << [Parse(b"s", b"SELECT $1 AS v", (23,)), Describe(b"S", b"s"), Sync()]
    answer = [ParseComplete(), ParameterDescription((23,)), COLUMNS, READY]
    talk.server >> answer
    talk.client << answer
    bind = Bind(b"", b"s", (1,), (b"\0\0\0\1",), (1,))
    talk.client >> [bind, Describe(b"P"), Execute(), Sync()]
    talk.server << [bind, Describe(b"P"), Execute(), Sync()]
    answer = [BindComplete(), *rows(1)]
    talk.server >> answer
    talk.client << answer
    talk.client >> [Close(b"S", b"s"), Sync()]
    talk.server << [Close(b"S", b"s"), Sync()]
    talk.server >> [CloseComplete(), READY]
    talk.client << [CloseComplete(), READY]
    talk.over()
    assert talk.engine.asked == [b"SELECT $1"]
    assert (only(talk).facts.operation, only(talk).cache) == ("select", "miss")
    assert talk.session.names.statements == {} == talk.session.names.settled


def test_what_deciding_cost_is_recorded_with_the_first_run_only() -> None:
    talk = Conversation()
    talk.client >> [Parse(b"s", b"SELECT 1"), Sync()]
    talk.server >> [ParseComplete(), READY]
    for _ in range(2):
        talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
        talk.server >> [BindComplete(), ROW, CommandComplete(b"SELECT 1"), READY]
    first, second = talk.operations
    assert (first.cache, second.cache, second.decide_seconds) == ("miss", "hit", 0.0)
    assert first.decide_seconds > 0


def test_the_empty_statement() -> None:
    talk = Conversation()
    talk.client >> [Parse(b"", b""), Bind(b"", b""), Describe(b"P"), Execute(), Sync()]
    talk.server << [Parse(b"", b""), Bind, Describe, Execute, Sync]
    answer = [ParseComplete(), BindComplete(), NoData(), EmptyQueryResponse(), READY]
    talk.server >> answer
    talk.client << answer
    talk.over()
    assert talk.operations == []


@pytest.mark.parametrize("name", [b"", b"s"])
def test_a_refused_parse_keeps_its_name_and_skips_to_sync(name: bytes) -> None:
    talk = Conversation({b"SELECT ssn": deny(reasons.FIELD_NOT_ALLOWED)})
    talk.client >> [Parse(name, b"SELECT ssn"), Bind(b"", name), Execute(), Sync()]
    heard = talk.server.next()
    assert heard == Parse(name, POISON)
    assert POISON not in talk.server.wire.written
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("42501"), READY]
    talk.client >> Query(b"SELECT 1")
    talk.server >> rows(1)
    talk.client << rows(1)
    assert talk.records.outcomes() == [("select", "refused"), ("select", "ok")]


def test_two_statements_cannot_be_prepared() -> None:
    talk = Conversation()
    talk.client >> [Parse(b"", b"SELECT 1; SELECT 2"), Sync()]
    talk.server << [Parse(b"", POISON), Sync()]
    talk.server >> [SYNTAX_ERROR, READY]
    message = "cannot insert multiple commands into a prepared statement"
    talk.client << [error("42601", M=message), READY]


def test_a_parameter_of_a_type_that_is_not_visible() -> None:
    talk = Conversation()
    talk.engine.hidden_types = {16500}
    talk.client >> [Parse(b"", b"SELECT $1, $2", (23, 16500)), Sync()]
    talk.server << [Parse(b"", POISON), Sync()]
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("42501"), READY]
    assert only(talk).code == "TYPE_NOT_ALLOWED"


def test_an_error_drops_what_follows_up_to_the_sync() -> None:
    talk = Conversation()
    talk.client >> [Parse(b"", b"SELECT 1"), Bind(b"", b""), Execute(), Sync(), Query(b"SELECT 2")]
    talk.server >> [ParseComplete(), failure(b"22P02"), READY, *rows(1)]
    talk.client << [ParseComplete, error("22P02"), READY, *rows(1)]
    talk.over()
    assert talk.records.outcomes() == [("select", "failed"), ("select", "ok")]


def test_messages_sent_after_an_error_without_sync_are_not_judged() -> None:
    talk = Conversation({b"SELECT ssn": deny(reasons.FIELD_NOT_ALLOWED)})
    talk.client >> [Parse(b"", b"SELECT bad"), Flush()]
    talk.server << [Parse, Flush]
    talk.server >> failure(b"42601")
    talk.client << error("42601")
    talk.client >> [Query(b"SELECT ssn"), Parse(b"", b"SELECT 1"), Bind(b"", b""), Sync()]
    talk.server << Sync
    talk.server >> READY
    talk.client << READY
    talk.over()
    assert talk.engine.asked == [b"SELECT bad"]


def test_a_commit_that_fails_at_sync() -> None:
    talk = Conversation()
    talk.client >> [Parse(b"", b"INSERT"), Bind(b"", b""), Execute(), Sync()]
    talk.server >> [ParseComplete(), BindComplete(), CommandComplete(b"INSERT 0 1"),
                    failure(b"23503"), READY]  # fmt: skip
    talk.client << [ParseComplete, BindComplete, CommandComplete, error("23503"), READY]
    talk.over()
    assert talk.records.outcomes() == [("insert", "ok"), ("commit", "failed")]


def test_unknown_names_are_refused_as_postgresql_refuses_them() -> None:
    talk = Conversation()
    for message, sqlstate, text in [
        (Bind(b"", b"nope"), "26000", 'prepared statement "nope" does not exist'),
        (Bind(b"", b""), "26000", "unnamed prepared statement does not exist"),
        (Describe(b"S", b"nope"), "26000", 'prepared statement "nope" does not exist'),
        (Describe(b"P", b"c"), "34000", 'portal "c" does not exist'),
        (Execute(b"c"), "34000", 'portal "c" does not exist'),
    ]:
        talk.client >> [message, Sync()]
        talk.server << [Parse(b"querywarden refused", POISON), Sync()]
        talk.server >> [SYNTAX_ERROR, READY]
        talk.client << [error(sqlstate, M=text), READY]
    talk.over()


def test_names_unknown_to_us_may_be_known_to_sql_when_nothing_is_enforced() -> None:
    talk = Conversation(mode="bypass")
    talk.client >> [Bind(b"", b"from_sql"), Execute(b"cursor"), Sync()]
    talk.server << Bind
    # Execute of a portal nobody bound waits until the Bind is answered.
    talk.server << Flush
    talk.server >> BindComplete()
    talk.server << [Execute, Sync]
    talk.server >> [ROW, CommandComplete(b"SELECT 1"), READY]
    talk.client << [BindComplete, ROW, CommandComplete, READY]
    talk.over()


def test_postgresql_compares_63_bytes_of_a_name() -> None:
    talk = Conversation()
    long = b"n" * 63
    talk.client >> [Parse(long + b"1", b"SELECT 1"), Bind(b"", long + b"2"), Execute(), Sync()]
    talk.server << [Parse(long + b"1", b"SELECT 1"), Bind(b"", long + b"2"), Execute, Sync]


def test_deallocate_ends_a_name() -> None:
    talk = Conversation(
        {
            b"DEALLOCATE s": plan(b"DEALLOCATE s", forget=Forget("statement", "s")),
            b"DEALLOCATE ALL": plan(b"DEALLOCATE ALL", forget=Forget("statement", None)),
        }
    )
    for name in (b"s", b"t", b"u"):
        talk.client >> [Parse(name, b"SELECT 1"), Sync()]
        talk.server >> [ParseComplete(), READY]
    talk.client >> Query(b"DEALLOCATE s")
    assert set(talk.session.names.statements) == {b"s", b"t", b"u"}
    talk.server >> [CommandComplete(b"DEALLOCATE"), READY]
    assert set(talk.session.names.statements) == {b"t", b"u"}
    talk.client >> Query(b"DEALLOCATE ALL")
    talk.server >> [CommandComplete(b"DEALLOCATE ALL"), READY]
    assert talk.session.names.statements == {} == talk.session.names.settled


def test_close_of_a_cursor_in_sql_ends_the_portal() -> None:
    talk = Conversation({b"CLOSE c": plan(b"CLOSE c", forget=Forget("portal", "c"))})
    talk.client >> [Parse(b"", b"SELECT 1"), Bind(b"c", b""), Execute(b"c", 1), Sync()]
    talk.server >> [ParseComplete(), BindComplete(), ROW, PortalSuspended(), ReadyForQuery(b"T")]
    talk.client >> Query(b"CLOSE c")
    talk.server >> [CommandComplete(b"CLOSE CURSOR"), ReadyForQuery(b"T")]
    assert talk.session.names.portals == {}
    assert sorted(talk.records.outcomes()) == [("close", "ok"), ("select", "ok")]


def test_a_query_drops_the_unnamed_statement() -> None:
    talk = Conversation()
    talk.client >> [Parse(b"", b"SELECT 1"), Sync(), Query(b"SELECT 2"), Bind(b"", b""), Sync()]
    talk.server << [Parse, Sync, Query, Flush]
    talk.server >> [ParseComplete(), READY, *rows(1)]
    talk.server << [Parse(b"querywarden refused", POISON), Sync]
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client.heard()
    talk.over()


# A new snapshot.


def prepared(talk: Conversation) -> None:
    talk.client >> [Parse(b"s", b"SELECT 1"), Sync()]
    talk.server >> [ParseComplete(), READY]
    talk.client.heard()
    talk.server.heard()


def test_an_unchanged_decision_carries_on_under_a_new_snapshot() -> None:
    talk = Conversation()
    prepared(talk)
    talk.engine.reload({})
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    talk.server << [Bind, Execute, Sync]
    talk.server >> [BindComplete(), ROW, CommandComplete(b"SELECT 1"), READY]
    assert only(talk).policy_version == "v2"


@pytest.mark.parametrize("now", [plan(b"SELECT 1 WHERE false"), deny(reasons.MODEL_NOT_ALLOWED)])
def test_a_changed_decision_must_be_prepared_again(now: object) -> None:
    talk = Conversation()
    prepared(talk)
    talk.engine.reload({b"SELECT 1": now})
    for message in (Bind(b"", b"s"), Describe(b"S", b"s")):
        talk.client >> [message, Sync()]
        talk.server << [Parse(b"querywarden refused", POISON), Sync()]
        talk.server >> [SYNTAX_ERROR, READY]
        talk.client << [error("0A000", M="cached plan must not change result type"), READY]
    assert {o.code for o in talk.operations} == {"PLAN_CHANGED"}


def test_a_portal_opened_under_an_older_snapshot_is_refused() -> None:
    talk = Conversation()
    prepared(talk)
    talk.client >> [Bind(b"c", b"s"), Execute(b"c", 1), Sync()]
    talk.server >> [BindComplete(), ROW, PortalSuspended(), ReadyForQuery(b"T")]
    talk.client.heard()
    talk.server.heard()
    talk.engine.reload({b"SELECT 1": plan(b"SELECT 1 WHERE false")})
    talk.client >> [Execute(b"c", 1), Sync()]
    talk.server << [Parse(b"querywarden refused", POISON), Sync()]
    talk.server >> [SYNTAX_ERROR, ReadyForQuery(b"E")]
    talk.client << [error("0A000"), ReadyForQuery(b"E")]


def test_a_replaced_statement_is_used_only_when_it_is_certain() -> None:
    """If the group with the new Parse fails, the upstream still has the old statement."""
    talk = Conversation()
    prepared(talk)
    talk.engine.reload({b"SELECT 1": deny(reasons.MODEL_NOT_ALLOWED)})
    talk.client >> [
        Parse(b"", b"SELECT broken"), Close(b"S", b"s"), Parse(b"s", b"SELECT 2"), Sync(),
        Bind(b"", b"s"), Execute(), Sync(),
    ]  # fmt: skip
    talk.server << [Parse, Close, Parse, Sync, Flush]
    assert talk.client.wire.reading is False
    talk.server >> [failure(b"42601"), READY]
    talk.client << [error("42601"), READY]
    talk.server << [Parse(b"querywarden refused", POISON), Sync()]
    assert talk.client.wire.reading is True
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("0A000"), READY]
    talk.over()


def test_a_login_that_the_new_rules_do_not_know() -> None:
    talk = Conversation()
    talk.engine.subjects.clear()
    talk.engine.reload({})
    talk.client >> Query(b"SELECT 1")
    talk.server << Query(POISON)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("28000"), READY]


def test_the_subject_is_the_new_rules_one() -> None:
    talk = Conversation()
    talk.engine.subjects["app"] = Subject("app", tenant=2)
    talk.engine.reload({})
    talk.client >> Query(b"SELECT 1")
    talk.server >> rows(0)
    assert only(talk).origin.subject.tenant == 2


# Hygiene.

TELLING = {"D": b"Failing row contains (1, secret).", "W": b"w", "q": b"q", "P": b"7", "s": b"x",
           "t": b"users", "c": b"ssn", "n": b"users_pkey", "F": b"f.c"}  # fmt: skip


def test_errors_and_notices_tell_no_more_than_the_message() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    notice = NoticeResponse(failure(b"01000", b"NOTICE", H=b"hint", **TELLING).fields)
    talk.server >> [notice, failure(b"23502", H=b"hint", **TELLING), READY]
    for message in (talk.client.next(), talk.client.next()):
        assert set(fields(message)) == {"S", "V", "C", "M", "H"}


def test_a_plan_can_add_a_hint() -> None:
    hints = {"42703": "visible columns: id, name"}
    talk = Conversation({b"SELECT ssn": plan(b"SELECT ssn", hints=hints)})
    talk.client >> Query(b"SELECT ssn")
    talk.server >> [failure(b"42703"), READY]
    assert fields(talk.client.next())["H"] == hints["42703"]
    assert only(talk).hint == hints["42703"]


def test_row_descriptions_do_not_show_the_tables_behind() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    talk.server >> [RowDescription((Column(b"id", 16400, 3),)), CommandComplete(b"SELECT 0"), READY]
    talk.client << [RowDescription((Column(b"id", 0, 0),)), CommandComplete, READY]


@pytest.mark.parametrize("mode", ["observe", "bypass"])
def test_nothing_is_changed_when_nothing_is_enforced(mode: str) -> None:
    talk = Conversation(mode=mode)  # type: ignore[arg-type]
    talk.client >> Query(b"SELECT 1")
    answer: list[Message] = [
        RowDescription((Column(b"id", 16400, 3),)),
        NoticeResponse(failure(b"01000", b"NOTICE", **TELLING).fields),
        failure(b"23502", **TELLING),
        READY,
    ]
    talk.server >> answer
    talk.client << answer
    assert only(talk).mode == mode


def test_asynchronous_messages_pass() -> None:
    talk = Conversation()
    for message in (NotificationResponse(7, b"channel", b"payload"),
                    ParameterStatus(b"application_name", b"renamed")):  # fmt: skip
        talk.server >> message
        talk.client << message
    talk.client >> Query(b"SELECT 1")
    talk.server >> rows(0)
    assert only(talk).origin.application_name == "renamed"


# COPY, for roles nothing is enforced for.


def test_copy_from_the_client() -> None:
    talk = Conversation(mode="bypass")
    talk.client >> Query(b"COPY t FROM STDIN")
    talk.server << [Query, Flush]
    talk.server >> CopyInResponse()
    talk.client << CopyInResponse
    talk.client >> [CopyData(b"1\n"), Sync(), Flush(), CopyData(b"2\n"), CopyDone()]
    talk.server << [CopyData(b"1\n"), CopyData(b"2\n"), CopyDone, Flush]
    talk.client >> Query(b"SELECT 1")
    talk.server >> [CommandComplete(b"COPY 2"), READY]
    talk.server << Query(b"SELECT 1")
    talk.server >> rows(1)
    talk.client << [CommandComplete, READY, *rows(1)]
    talk.over()
    assert talk.operations[0].affected_rows == 2


def test_copy_in_the_extended_protocol_ignores_the_sync_sent_ahead() -> None:
    talk = Conversation(mode="bypass")
    talk.client >> [Parse(b"", b"COPY t FROM STDIN"), Bind(b"", b""), Execute(), Sync()]
    talk.server << [Parse, Bind, Execute, Flush]
    talk.server >> [ParseComplete(), BindComplete(), CopyInResponse()]
    talk.client >> [CopyData(b"1\n"), CopyDone(), Sync()]
    talk.server << [CopyData, CopyDone, Flush]
    talk.server >> CommandComplete(b"COPY 1")
    talk.server << Sync
    talk.server >> READY
    talk.client << [ParseComplete, BindComplete, CopyInResponse, CommandComplete, READY]
    talk.over()


def test_copy_data_after_the_copy_failed_is_dropped() -> None:
    talk = Conversation(mode="bypass")
    talk.client >> Query(b"COPY t FROM STDIN")
    talk.server >> CopyInResponse()
    talk.client >> CopyData(b"bad\n")
    talk.server >> [failure(b"22P02"), READY]
    talk.server.heard()
    talk.client >> [CopyData(b"more\n"), CopyDone(), CopyFail(b"x"), Query(b"SELECT 1")]
    talk.server << Query(b"SELECT 1")
    talk.server >> rows(0)
    talk.client << [CopyInResponse, error("22P02"), READY, *rows(0)]
    talk.over()


def test_another_message_ends_the_copy() -> None:
    talk = Conversation(mode="bypass")
    talk.client >> Query(b"COPY t FROM STDIN")
    talk.server >> CopyInResponse()
    talk.server.heard()
    talk.client >> [Query(b"SELECT 1"), Query(b"SELECT 2")]
    talk.server << [CopyFail(b"unexpected message type 0x51 during COPY from stdin"), Flush]
    talk.server >> [failure(b"57014"), READY]
    talk.server << Query(b"SELECT 2")


def test_copy_to_the_client() -> None:
    talk = Conversation(mode="observe")
    talk.client >> Query(b"copy t TO STDOUT")
    answer = [CopyOutResponse(), *[CopyData(b"1\n")] * 3, CopyDone(), CommandComplete(b"COPY 3")]
    talk.server >> [*answer, READY]
    talk.client << [*answer, READY]
    talk.over()
    assert (only(talk).bytes, only(talk).affected_rows) == (3 * len(CopyData(b"1\n").encode()), 3)


# What is refused as such.


def test_function_calls() -> None:
    talk = Conversation()
    talk.client >> FunctionCall(1598)
    talk.server << Query(POISON)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("42501"), READY]
    assert only(talk).code == "STATEMENT_NOT_ALLOWED"


@pytest.mark.parametrize("pieces", [1, 3000, 10_000])
@pytest.mark.parametrize("message", [Query(b"x" * 9000), Parse(b"s", b"x" * 9000)])
def test_texts_that_are_too_long(message: Message, pieces: int) -> None:
    talk = Conversation(max_statement_bytes=1000)
    raw = message.encode() + Sync().encode()
    for start in range(0, len(raw), pieces):
        talk.client >> raw[start : start + pieces]
    heard = talk.server.next()
    assert isinstance(heard, Query | Parse) and heard.text == POISON
    talk.server << Sync
    extra = [READY] if isinstance(heard, Query) else []
    talk.server >> [SYNTAX_ERROR, *extra, READY]
    talk.client << [error("54000"), *extra, READY]
    talk.over()
    assert talk.engine.asked == []


def test_a_long_bind_is_not_held() -> None:
    talk = Conversation()
    prepared(talk)
    bind = Bind(b"", b"s", (), (bytes(1_000_000),))
    raw = bind.encode()
    talk.client >> raw[:100_000]
    assert len(talk.server.wire.written) == 100_000
    talk.client >> raw[100_000:] + Execute().encode() + Sync().encode()
    talk.server << [bind, Execute, Sync]


def test_a_refused_long_bind_is_dropped_whole() -> None:
    talk = Conversation()
    raw = Bind(b"", b"nope", (), (bytes(1_000_000),)).encode()
    for start in range(0, len(raw), 70_000):
        talk.client >> raw[start : start + 70_000]
    talk.client >> [Sync(), Query(b"SELECT 1")]
    talk.server << [Parse(b"querywarden refused", POISON), Sync, Query(b"SELECT 1")]


MALFORMED = [
    b"Q\0\0\0\4", b"Q\0\0\0\x0cSELECT 1", b"P\0\0\0\4", b"P\0\0\0\6s\0", b"P\0\0\0\x0bs\0x\0\0\1\0",
    b"P\0\0\0\x09s\0x\0\0", b"P\0\0\0\x0bs\0x\0\0\0\0", b"B\0\0\0\6\0s", b"E\0\0\0\4",
    b"D\0\0\0\4", b"D\0\0\0\6X\0", b"C\0\0\0\6X\0", b"C\0\0\0\5S",
]  # fmt: skip


@pytest.mark.parametrize("raw", MALFORMED)
def test_malformed_bodies_are_errors_and_the_session_lives_on(raw: bytes) -> None:
    stop = 1 + int.from_bytes(raw[1:5], "big")
    talk = Conversation()
    assert stop == len(raw)
    talk.client >> raw
    heard = talk.server.next()
    assert isinstance(heard, Query | Parse) and heard.text == POISON
    talk.server >> [SYNTAX_ERROR, *([READY] if isinstance(heard, Query) else [])]
    talk.client << error("08P01")
    talk.client.heard()
    talk.client >> [Sync(), Query(b"SELECT 1")]
    talk.server << [Sync, Query(b"SELECT 1")]
    assert talk.operations[0].sqlstate == "08P01"


def test_an_unknown_tag_is_fatal() -> None:
    talk = Conversation()
    talk.client >> b"!\0\0\0\4"
    talk.client << error("08P01", S="FATAL", M="invalid frontend message type 33")
    assert talk.ended and talk.client.wire.closing and talk.server.wire.closing


def test_a_bad_length_closes_silently() -> None:
    talk = Conversation()
    talk.client >> [Query(b"SELECT 1"), b"Q\xff\xff\xff\xff"]
    assert talk.client.wire.written == b"" and talk.client.wire.closing
    assert talk.records.outcomes()[-1] == ("select", "abandoned")


# Faults.


def test_an_exception_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    talk = Conversation({b"SELECT 1": ValueError("secret value")})
    with caplog.at_level(logging.ERROR):
        talk.client >> [Query(b"SELECT 1"), Query(b"SELECT 2")]
    talk.server << [Query(POISON), Query(b"SELECT 2")]
    talk.server >> [SYNTAX_ERROR, READY, *rows(0)]
    message = talk.client.next()
    assert error("XX000")(message)
    assert "secret" not in str(message) + caplog.text and "ValueError" in caplog.text
    assert talk.operations[0].code == "INTERNAL_ERROR"


def test_an_observer_that_fails_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Conversation()

    def broken(operation: Operation) -> None:
        raise RuntimeError

    monkeypatch.setattr(talk.records, "record", broken)
    talk.client >> Query(b"SELECT 1")
    talk.server >> rows(1)
    talk.client << rows(1)


NONSENSE: list[Message | bytes] = [
    BindComplete(), ROW, CommandComplete(b"SELECT 1"), READY, PortalSuspended(), COLUMNS,
    CopyInResponse(), b"W\0\0\0\4", b"V\0\0\0\4", b"!\0\0\0\4", b"D\xff\xff\xff\xff",
    b"K\0\0\0\x0c\0\0\0\1abcd",
]  # fmt: skip


@pytest.mark.parametrize("said", NONSENSE)
def test_an_upstream_out_of_step_ends_the_session(said: Message | bytes) -> None:
    talk = Conversation()
    talk.client >> [Close(b"S", b"s"), Sync()]
    talk.server >> said
    talk.client << error("XX000", S="FATAL")
    assert talk.client.wire.written == b"" and talk.ended


def test_more_results_than_statements_end_the_session() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    talk.server >> [*rows(1)[:-1], *rows(1)]
    assert talk.ended


# Life.


def test_a_query_before_terminate_is_answered() -> None:
    talk = Conversation()
    talk.client >> [Query(b"SELECT 1"), Terminate()]
    talk.server << [Query, Terminate]
    assert not talk.ended
    talk.server >> rows(1)
    talk.client << rows(1)
    assert talk.ended and talk.client.wire.closing and talk.server.wire.written == b""


def test_terminate_of_an_idle_session() -> None:
    talk = Conversation()
    talk.client >> Terminate()
    talk.server << Terminate()
    assert talk.ended and talk.server.wire.written == b""


def test_a_query_before_half_close_is_answered() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    assert talk.requests.eof_received() is True
    talk.server << [Query, Terminate]
    talk.server >> rows(1)
    talk.client << rows(1)
    assert talk.ended


def test_a_client_that_vanishes() -> None:
    talk = Conversation()
    talk.client >> [Query(b"SELECT 1; UPDATE t"), Parse(b"", b"DELETE"), Bind(b"", b""), Execute()]
    talk.server >> rows(1)[:2]
    talk.client.ends()
    assert talk.records.outcomes() == [
        ("select", "abandoned"), ("update", "abandoned"), ("delete", "abandoned"),
    ]  # fmt: skip
    assert talk.server.wire.closing and talk.server.heard()[-1] == Terminate()
    assert talk.records.upstreams == 0


def test_an_upstream_that_vanishes() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    talk.server.ends()
    talk.client << error("08006", S="FATAL")
    assert talk.client.wire.closing and talk.records.outcomes() == [("select", "abandoned")]


def test_an_upstream_that_says_why_it_goes() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    talk.server >> failure(b"57P01", b"FATAL")
    talk.server.ends()
    talk.client << error("57P01", S="FATAL")
    assert talk.client.wire.written == b"" and talk.client.wire.closing
    assert talk.records.outcomes() == [("select", "failed")]


def test_a_fatal_error_is_not_hidden_by_a_refusal() -> None:
    talk = Conversation({b"SELECT ssn": deny(reasons.FIELD_NOT_ALLOWED)})
    talk.client >> Query(b"SELECT ssn")
    talk.server >> failure(b"57P01", b"FATAL")
    talk.client << error("57P01", S="FATAL")


def test_a_cancelled_statement() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    talk.server >> [failure(b"57014"), READY]
    assert only(talk).outcome == "cancelled"


def test_draining_waits_for_the_transaction() -> None:
    talk = Conversation()
    talk.client >> Query(b"BEGIN")
    talk.server >> [CommandComplete(b"BEGIN"), ReadyForQuery(b"T")]
    talk.session.drain()
    talk.client >> Query(b"COMMIT")
    assert not talk.ended
    talk.server >> [CommandComplete(b"COMMIT"), READY]
    talk.client << [CommandComplete, ReadyForQuery, CommandComplete, READY]
    talk.client << error("57P01", S="FATAL")
    assert talk.ended


def test_draining_ends_an_idle_session() -> None:
    talk = Conversation()
    talk.session.drain()
    talk.client << error("57P01", S="FATAL")
    assert talk.ended and talk.server.wire.closing


def test_a_slow_reader_stops_the_other_side() -> None:
    talk = Conversation()
    talk.requests.pause_writing()
    assert talk.server.wire.reading is False
    talk.requests.resume_writing()
    talk.replies.pause_writing()
    assert talk.server.wire.reading is True and talk.client.wire.reading is False
    talk.replies.resume_writing()
    assert talk.client.wire.reading is True


def test_pauses_for_two_reasons_end_with_both() -> None:
    talk = Conversation()
    talk.client >> [Parse(b"s", b"SELECT 1"), Sync(), Bind(b"", b"s"), Sync()]
    talk.replies.pause_writing()
    talk.server >> [ParseComplete(), READY]
    assert talk.client.wire.reading is False
    talk.replies.resume_writing()
    assert talk.client.wire.reading is True
