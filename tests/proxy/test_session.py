"""How sessions end and what they survive: faults, vanished peers, draining, slow readers."""

from __future__ import annotations

import logging

import pytest

from policies import reasons
from proxy.net.session import MOST_OWED
from proxy.oplog.operation import Operation
from proxy.wire.messages import (
    Bind,
    BindComplete,
    Close,
    CommandComplete,
    CopyInResponse,
    DataRow,
    Execute,
    Flush,
    Message,
    Parse,
    ParseComplete,
    PortalSuspended,
    Query,
    ReadyForQuery,
    Sync,
    Terminate,
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
    only,
    prepared,
    rows,
)

# Faults.


@pytest.mark.parametrize("together", [True, False])
def test_an_exception_is_a_refusal(caplog: pytest.LogCaptureFixture, together: bool) -> None:
    talk = Conversation({b"SELECT 1": ValueError("secret value")})
    said = [Query(b"SELECT 1"), Query(b"SELECT 2")]
    with caplog.at_level(logging.ERROR):
        for write in [said] if together else said:
            talk.client >> write
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


@pytest.mark.parametrize("known", [True, False])
def test_half_close_in_the_middle_of_a_message(known: bool) -> None:
    """A Terminate must not become a part of a Bind that will never be whole."""
    talk = Conversation()
    prepared(talk)
    bind = Bind(b"", b"s" if known else b"nope", (), (bytes(1_000_000),)).encode()
    talk.client >> [Query(b"SELECT 1"), Flush(), bind[:100_000]]
    if not known:
        talk.server >> rows(1)
    talk.requests.eof_received()
    assert talk.server.wire.finished is known
    assert talk.server.wire.written.endswith(Terminate().encode()) is not known
    assert not talk.ended
    talk.server.ends()
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


def test_nothing_is_said_in_the_middle_of_a_row() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    row = DataRow((bytes(1000),)).encode()
    talk.server >> row[:500]
    talk.server.ends()
    assert talk.client.wire.written == row[:500] and talk.client.wire.closing


def test_an_upstream_that_says_why_it_goes() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    talk.server >> failure(b"57P01", b"FATAL")
    talk.server.ends()
    talk.client << error("57P01", S="FATAL")
    assert talk.client.wire.written == b"" and talk.client.wire.closing
    assert talk.records.outcomes() == [("select", "failed")]


def test_a_fatal_error_is_not_hidden_by_a_refusal() -> None:
    talk = Conversation({b"SELECT ssn": deny(reasons.TYPE_NOT_ALLOWED)})
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


def test_a_client_owed_very_much_is_not_read_from() -> None:
    talk = Conversation()
    talk.client >> Sync().encode() * (MOST_OWED + 1)
    assert talk.client.wire.reading is False
    half = MOST_OWED // 2 + 1
    talk.server >> READY.encode() * half
    assert talk.client.wire.reading is False
    talk.server >> READY.encode()
    assert talk.client.wire.reading is True


def test_pauses_for_two_reasons_end_with_both() -> None:
    talk = Conversation()
    talk.client >> [Parse(b"s", b"SELECT 1"), Sync(), Bind(b"", b"s"), Sync()]
    talk.replies.pause_writing()
    talk.server >> [ParseComplete(), READY]
    assert talk.client.wire.reading is False
    talk.replies.resume_writing()
    assert talk.client.wire.reading is True
