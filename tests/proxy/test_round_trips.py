"""The shortcut: when it is taken, and that what it does is what the long way does.

(That the client cannot tell is test_equivalence's; here both ways are compared in everything.)
"""

from __future__ import annotations

from typing import Any

import pytest

from policies import reasons
from proxy.net import round_trips
from proxy.wire.codecs import Column
from proxy.wire.ledger import QUERY, ROUND
from proxy.wire.messages import (
    Bind,
    BindComplete,
    CommandComplete,
    Describe,
    Execute,
    Message,
    NoticeResponse,
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
    SYNTAX_ERROR,
    Conversation,
    deny,
    failure,
    plan,
    prepared,
)

RUN = [Bind(b"", b"s"), Describe(b"P"), Execute(), Sync()]
ONCE = [Parse(b"", b"SELECT 2", (23,)), Bind(b"", b""), Describe(b"P"), Execute(), Sync()]
ANSWER: list[Message] = [
    BindComplete(), RowDescription((Column(b"id", 16400, 1),)), ROW, ROW,
    CommandComplete(b"SELECT 2"), READY,
]  # fmt: skip


def raw(*messages: Message) -> bytes:
    return b"".join(message.encode() for message in messages)


def kinds(talk: Conversation) -> list[int]:
    return [entry[0] for entry in talk.session.ledger.owed]


@pytest.mark.parametrize(
    "said", [RUN, [*RUN[:1], *RUN[2:]], ONCE, RUN + ONCE + RUN, [*ONCE[:2], *ONCE[3:]]]
)
def test_usual_shapes_are_one_entry_each(said: list[Message]) -> None:
    talk = Conversation()
    prepared(talk)
    talk.client >> said
    assert set(kinds(talk)) == {ROUND} and len(kinds(talk)) == sum(
        isinstance(message, Sync) for message in said
    )
    assert talk.server.heard() == said and talk.server.wire.writes == 2


@pytest.mark.parametrize(
    "said",
    [
        [Bind(b"c", b"s"), Execute(b"c"), Sync()],
        [Bind(b"", b"s"), Execute(b"", 5), Sync()],
        [Bind(b"", b"s"), Describe(b"S", b"s"), Execute(), Sync()],
        [Parse(b"t", b"SELECT 2"), Bind(b"", b"s"), Execute(), Sync()],
        [Parse(b"t", b""), Bind(b"", b"t"), Execute(), Sync()],
        [Bind(b"", b"n" * 64), Execute(), Sync()],
        [Sync(), *RUN],
    ],
)
def test_other_shapes_go_the_long_way(said: list[Message]) -> None:
    talk = Conversation()
    prepared(talk)
    talk.client >> said
    assert ROUND not in kinds(talk)


@pytest.mark.parametrize("said", [RUN, ONCE])
@pytest.mark.parametrize("length", [-(1 << 31), -1000, -1, 0, 3, None])
def test_a_length_that_points_backwards_ends_the_session(
    said: list[Message], length: int | None
) -> None:
    """None: to where the next frame stands, counted from the end of what was read."""
    talk = Conversation()
    prepared(talk)
    data = raw(*said)
    if length is None:
        length = len(said[0].encode()) - len(data) - 1
    talk.client >> data[:1] + length.to_bytes(4, "big", signed=True) + data[5:]
    assert talk.client.wire.closing and talk.client.wire.written == b""
    assert not any(isinstance(said, Bind | Execute) for said in talk.server.heard())


def test_a_name_just_defined_anew_is_not_used_before_it_is_certain() -> None:
    talk = Conversation()
    prepared(talk)
    talk.client >> [Parse(b"s", b"SELECT 2"), *RUN, *RUN]
    assert kinds(talk) == [ROUND] and talk.session.waiting
    talk.server >> [failure(b"42P05"), READY]
    talk.server >> [*ANSWER]
    assert [o.sqlstate for o in talk.operations] == ["42P05", ""]
    assert talk.operations[1].facts.operation == "select" and not talk.session.ledger.owed


def test_a_refused_parse_is_decided_once_and_refused_the_long_way() -> None:
    talk = Conversation({b"SELECT 2": deny(reasons.TYPE_NOT_ALLOWED)})
    prepared(talk)
    talk.engine.asked.clear()
    talk.client >> [*RUN, *ONCE]
    assert talk.engine.asked == [b"SELECT 2"]
    talk.server >> [*ANSWER, SYNTAX_ERROR, READY]
    assert talk.records.outcomes() == [("select", "refused"), ("select", "ok")]
    assert talk.operations[0].cache == "miss"


ANSWERS: list[tuple[list[Message], list[Message]]] = [
    (RUN, ANSWER),
    (RUN, [*ANSWER[:2], CommandComplete(b"SELECT 0"), READY]),
    (RUN, [*ANSWER[:-1], ReadyForQuery(b"T")]),
    (RUN * 3, ANSWER * 3),
    (ONCE, [ParseComplete(), *ANSWER]),
    (ONCE * 2, [ParseComplete(), *ANSWER] * 2),
    (ONCE, [ParseComplete(), BindComplete(), failure(b"22012"), READY]),
    (ONCE, [failure(b"42601"), READY]),
    (RUN, [BindComplete(), COLUMNS, ROW, failure(b"22012"), READY]),
    (RUN, [NoticeResponse(failure(b"01000", b"NOTICE").fields), *ANSWER]),
    (RUN, [*ANSWER[:-2], CommandComplete(b"INSERT 0 2"), READY]),
    ([*RUN, Query(b"SELECT 3")], [*ANSWER, *ANSWER[1:]]),
    ([Query(b"SELECT 3")], ANSWER[1:]),
    ([Query(b"SELECT 3; SELECT 4")], [*ANSWER[1:-1], *ANSWER[1:]]),
    ([Bind(b"", b"s"), Execute(b"", 1), Sync()], [BindComplete(), ROW, PortalSuspended(), READY]),
    ([Query(b"SELECT 5")], ANSWER[1:]),  # capped at 1
]


@pytest.mark.parametrize("case", range(len(ANSWERS)))
def test_both_ways_lead_to_the_same(case: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said, answer = ANSWERS[case]

    def run() -> Any:
        talk = Conversation({b"SELECT 5": plan(b"SELECT 5 LIMIT 2", cap=1)})
        prepared(talk)
        talk.client >> said
        up = talk.server.wire.written
        talk.server >> answer
        session = talk.session
        assert not session.ledger.owed
        names = session.names
        records = [
            (o.facts.operation, o.outcome, o.row_count, o.bytes, o.affected_rows, o.truncated)
            for o in talk.operations
        ]
        known = (set(names.statements), set(names.settled), set(names.portals))
        return up, talk.client.wire.written, records, known, session.status, session.ledger.group

    short = run()
    monkeypatch.setattr(round_trips, "send", lambda *_: (0, None))
    monkeypatch.setattr(round_trips, "receive", lambda *_: 0)
    assert short == run()


def test_a_query_is_answered_the_short_way_too() -> None:
    talk = Conversation()
    talk.client >> Query(b"SELECT 1")
    assert kinds(talk) == [QUERY]
    data = raw(*ANSWER[1:])
    assert round_trips.receive(talk.session, data) == len(data)
    assert talk.client.heard()[0] == RowDescription((Column(b"id"),))


@pytest.mark.parametrize("cut", range(1, len(raw(*ANSWER))))
def test_a_part_of_an_answer_changes_nothing(cut: int) -> None:
    talk = Conversation()
    prepared(talk)
    talk.client >> RUN
    assert round_trips.receive(talk.session, raw(*ANSWER)[:cut]) == 0
    assert kinds(talk) == [ROUND] and talk.client.wire.written == b"" and not talk.operations
