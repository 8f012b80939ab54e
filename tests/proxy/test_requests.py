"""Client messages: what goes up for each, what is refused (proxy/net/refusals.py), and what the
client is told."""

from __future__ import annotations

import json

import pytest

from policies import reasons
from proxy.wire.messages import (
    Bind,
    BindComplete,
    Close,
    CloseComplete,
    CommandComplete,
    Describe,
    EmptyQueryResponse,
    Execute,
    Flush,
    FunctionCall,
    Message,
    NoData,
    ParameterDescription,
    Parse,
    ParseComplete,
    Query,
    ReadyForQuery,
    Sync,
)
from tests.proxy.conversation import (
    COLUMNS,
    POISON,
    READY,
    ROW,
    SYNTAX_ERROR,
    Conversation,
    deny,
    error,
    failure,
    fields,
    only,
    plan,
    prepared,
    rows,
)

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
    refusal = deny(reasons.TYPE_NOT_ALLOWED, "no column ssn", "ask for id", table="users",
                   column="ssn", rule="users.ssn")  # fmt: skip
    talk = Conversation({b"SELECT ssn": refusal})
    talk.client >> Query(b"SELECT ssn")
    talk.server << Query(POISON)
    talk.server >> [SYNTAX_ERROR, ReadyForQuery(b"E")]
    said = fields(talk.client.next())
    assert (said["S"], said["V"], said["C"], said["M"], said["H"]) == (
        "ERROR", "ERROR", "42501", "no column ssn", "ask for id",
    )  # fmt: skip
    assert json.loads(said["D"]) == {"code": "TYPE_NOT_ALLOWED", "policy_version": "v1"}
    assert (said["t"], said["c"], said["n"]) == ("users", "ssn", "users.ssn")
    talk.client << ReadyForQuery(b"E")
    talk.over()
    done = only(talk)
    assert (done.decision, done.outcome, done.sqlstate) == ("deny", "refused", "42501")
    assert (done.code, done.hint) == ("TYPE_NOT_ALLOWED", "ask for id")


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
    talk = Conversation({b"SELECT ssn": deny(reasons.TYPE_NOT_ALLOWED)})
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


def test_an_error_drops_what_follows_up_to_the_sync() -> None:
    talk = Conversation()
    talk.client >> [Parse(b"", b"SELECT 1"), Bind(b"", b""), Execute(), Sync(), Query(b"SELECT 2")]
    talk.server >> [ParseComplete(), failure(b"22P02"), READY, *rows(1)]
    talk.client << [ParseComplete, error("22P02"), READY, *rows(1)]
    talk.over()
    assert talk.records.outcomes() == [("select", "failed"), ("select", "ok")]


def test_messages_sent_after_an_error_without_sync_are_not_judged() -> None:
    talk = Conversation({b"SELECT ssn": deny(reasons.TYPE_NOT_ALLOWED)})
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
    b"H\0\0\0\5x",
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
