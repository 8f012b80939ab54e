"""Replies (proxy/net/passing.py): rows counted (proxy/net/results.py) and capped, telling fields
removed (proxy/net/complaints.py), COPY."""

from __future__ import annotations

import pytest

from policies.decision import CopyOut, Shown
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
    Execute,
    Flush,
    Message,
    NoticeResponse,
    NotificationResponse,
    ParameterStatus,
    Parse,
    ParseComplete,
    PortalSuspended,
    Query,
    ReadyForQuery,
    RowDescription,
    Sync,
)
from tests.proxy.conversation import (
    COLUMNS,
    READY,
    ROW,
    Conversation,
    error,
    failure,
    fields,
    only,
    plan,
    rows,
)

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


def test_a_suspended_portal_that_fails_is_one_operation() -> None:
    talk = Conversation()
    talk.client >> [Parse(b"", b"SELECT 1"), Bind(b"c", b""), Execute(b"c", 2), Sync()]
    talk.server >> [ParseComplete(), BindComplete(), ROW, ROW, PortalSuspended(),
                    ReadyForQuery(b"T")]  # fmt: skip
    talk.client >> [Execute(b"c", 2), Sync()]
    talk.server >> [failure(b"22012"), ReadyForQuery(b"E")]
    talk.client.ends()
    assert (only(talk).outcome, only(talk).row_count) == ("failed", 2)


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


# COPY out, enforced.


@pytest.mark.parametrize("size", [1, 8, 1000])
@pytest.mark.parametrize("extended", [False, True])
def test_a_capped_copy(size: int, extended: bool) -> None:
    copy = plan(b"COPY (SELECT 1 LIMIT 3) TO STDOUT", cap=2, copy=CopyOut(header=True))
    talk = Conversation({b"COPY t TO STDOUT": copy})
    confirmed: list[Message] = []
    if extended:
        talk.client >> [Parse(b"", b"COPY t TO STDOUT"), Bind(b"", b""), Execute(), Sync()]
        confirmed = [ParseComplete(), BindComplete()]
    else:
        talk.client >> Query(b"COPY t TO STDOUT")
    data = [CopyData(b"id\n"), CopyData(b"1\n"), CopyData(b"2\n"), CopyData(b"%d\n" % 10**30)]
    said = [*confirmed, CopyOutResponse(), *data, CopyDone(), CommandComplete(b"COPY 3"), READY]
    raw = b"".join(message.encode() for message in said)
    for start in range(0, len(raw), size):
        talk.server >> raw[start : start + size]
    talk.client << [*confirmed, CopyOutResponse, *data[:3], CopyDone]
    assert fields(talk.client.next())["M"] == "result capped at 2 rows"
    talk.client << [CommandComplete(b"COPY 2"), READY]
    talk.over()
    done = only(talk)
    assert (done.row_count, done.truncated, done.affected_rows) == (2, True, None)
    assert done.bytes == sum(len(message.encode()) for message in data[:3])


def test_a_copy_that_fails_midway_does_not_disturb_the_next() -> None:
    copy = plan(b"COPY (SELECT 1 LIMIT 3) TO STDOUT", cap=2, copy=CopyOut())
    talk = Conversation({b"COPY t TO STDOUT": copy})
    talk.client >> Query(b"COPY t TO STDOUT")
    talk.server >> [CopyOutResponse(), CopyData(b"1\n"), failure(b"22012"), READY]
    talk.client << [CopyOutResponse, CopyData(b"1\n"), error("22012"), READY]
    assert (only(talk).outcome, only(talk).row_count) == ("failed", 1)
    talk.client >> Query(b"SELECT 1")
    talk.server >> rows(1)
    talk.client << rows(1)
    talk.over()


@pytest.mark.parametrize("begins", [CopyInResponse(), CopyOutResponse()])
def test_a_copy_nobody_allowed_ends_the_session(begins: Message) -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    talk.server >> [begins, CopyData(b"secret")]
    talk.client << error("XX000")
    assert talk.client.wire.closing


# EXPLAIN.

PLAN_LINES = [b"Seq Scan on users  (cost=0.00..1.12 rows=2 width=4)", b"  Filter: (tenant_id = 1)"]
EXPLAINED = plan(b"EXPLAIN SELECT 1", shown=Shown(False, frozenset({("public", "users")})))
PLANNED: list[Message] = [DataRow((line,)) for line in PLAN_LINES]


@pytest.mark.parametrize("size", [1, 8, 1000])
@pytest.mark.parametrize("extended", [False, True])
def test_a_plan_without_its_expressions(size: int, extended: bool) -> None:
    talk = Conversation({b"EXPLAIN SELECT 1": EXPLAINED})
    confirmed: list[Message] = []
    if extended:
        talk.client >> [Parse(b"", b"EXPLAIN SELECT 1"), Bind(b"", b""), Execute(), Sync()]
        confirmed = [ParseComplete(), BindComplete()]
    else:
        talk.client >> Query(b"EXPLAIN SELECT 1")
        confirmed = [COLUMNS]
    said = [*confirmed, *PLANNED, CommandComplete(b"EXPLAIN"), READY]
    raw = b"".join(message.encode() for message in said)
    for start in range(0, len(raw), size):
        talk.server >> raw[start : start + size]
    talk.client << [*confirmed, PLANNED[0], CommandComplete(b"EXPLAIN"), READY]
    talk.over()
    done = only(talk)
    assert (done.row_count, done.bytes) == (1, len(PLANNED[0].encode()))


def test_a_plan_read_in_steps() -> None:
    talk = Conversation({b"EXPLAIN SELECT 1": EXPLAINED})
    talk.client >> [Parse(b"", b"EXPLAIN SELECT 1"), Bind(b"", b""), Execute(b"", 1), Flush()]
    talk.server >> [ParseComplete(), BindComplete(), PLANNED[0], PortalSuspended()]
    talk.client << [ParseComplete, BindComplete, PLANNED[0], PortalSuspended]
    talk.client >> [Execute(b"", 1), Sync()]
    talk.server >> [PLANNED[1], CommandComplete(b"EXPLAIN"), READY]
    talk.client << [CommandComplete(b"EXPLAIN"), READY]
    talk.over()
    assert only(talk).row_count == 1


def test_a_plan_that_fails_midway_shows_nothing_of_itself() -> None:
    talk = Conversation({b"EXPLAIN SELECT 1": EXPLAINED})
    talk.client >> Query(b"EXPLAIN SELECT 1")
    talk.server >> [COLUMNS, PLANNED[0], failure(b"22012"), READY]
    talk.client << [COLUMNS, error("22012"), READY]
    talk.client >> Query(b"SELECT 1")
    talk.server >> rows(1)
    talk.client << rows(1)
    talk.over()


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
