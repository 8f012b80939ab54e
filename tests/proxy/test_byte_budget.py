"""Rows beyond the byte budget are left out: `bytes` of a role's budget, as the client sees it."""

from __future__ import annotations

import pytest

from policies.decision import Allow
from policies.pipeline import Snapshot, decide
from policies.rules import parse
from proxy.wire.messages import (
    Bind,
    BindComplete,
    CommandComplete,
    DataRow,
    Execute,
    Message,
    NoticeResponse,
    Parse,
    ParseComplete,
    PortalSuspended,
    Query,
    ReadyForQuery,
    Sync,
)
from tests.policies.lab import CATALOG
from tests.proxy.conversation import COLUMNS, READY, ROW, Conversation, fields, only, plan

SIZE = len(ROW.encode())
BIG = DataRow((bytes(5000),))


def answer(rows: list[Message]) -> bytes:
    done = CommandComplete(b"SELECT %d" % len(rows))
    return b"".join(m.encode() for m in [COLUMNS, *rows, done, READY])


def talk_with(limit: int, cap: int | None = None) -> Conversation:
    return Conversation({b"SELECT 1": plan(b"SELECT 1", cap=cap, most_bytes=limit)})


@pytest.mark.parametrize("piece", [1, 2, 7, SIZE, 3 * SIZE + 1, 10_000])
@pytest.mark.parametrize("room", [2, 3])
def test_rows_that_fit_are_given(piece: int, room: int) -> None:
    talk = talk_with(room * SIZE + 2)
    talk.client >> Query(b"SELECT 1")
    raw = answer([ROW] * 4)
    for start in range(0, len(raw), piece):
        talk.server >> raw[start : start + piece]
    talk.client << [COLUMNS, *[ROW] * room]
    assert fields(talk.client.next())["M"] == f"result capped at {room * SIZE + 2} bytes"
    talk.client << [CommandComplete(b"SELECT %d" % room), READY]
    talk.over()
    done = only(talk)
    assert (done.row_count, done.bytes, done.truncated) == (room, room * SIZE, True)


@pytest.mark.parametrize("piece", [1, 10_000])
def test_a_result_of_exactly_the_budget_is_whole(piece: int) -> None:
    talk = talk_with(4 * SIZE)
    talk.client >> Query(b"SELECT 1")
    raw = answer([ROW] * 4)
    for start in range(0, len(raw), piece):
        talk.server >> raw[start : start + piece]
    talk.client << [COLUMNS, *[ROW] * 4, CommandComplete(b"SELECT 4"), READY]
    assert not only(talk).truncated


@pytest.mark.parametrize("piece", [1, 100, 20_000])
def test_a_row_larger_than_the_budget_and_all_behind_it_are_left_out(piece: int) -> None:
    talk = talk_with(1000)
    talk.client >> Query(b"SELECT 1")
    raw = answer([BIG, ROW])
    for start in range(0, len(raw), piece):
        talk.server >> raw[start : start + piece]
    talk.client << [COLUMNS, NoticeResponse, CommandComplete(b"SELECT 0"), READY]
    talk.over()
    assert (only(talk).row_count, only(talk).bytes) == (0, 0)


def test_a_small_row_behind_a_large_one_is_left_out_too() -> None:
    talk = talk_with(SIZE * 3)
    talk.client >> Query(b"SELECT 1")
    talk.server >> answer([ROW, BIG, ROW])
    talk.client << [COLUMNS, ROW, NoticeResponse, CommandComplete(b"SELECT 1"), READY]


def test_the_row_cap_is_named_when_it_came_first() -> None:
    talk = talk_with(3 * SIZE, cap=2)
    talk.client >> Query(b"SELECT 1")
    talk.server >> answer([ROW] * 4)
    talk.client << [COLUMNS, ROW, ROW]
    assert fields(talk.client.next())["M"] == "result capped at 2 rows"


def test_bytes_count_over_all_executes_of_a_portal() -> None:
    talk = talk_with(3 * SIZE)
    talk.client >> [Parse(b"", b"SELECT 1"), Bind(b"c", b""), Execute(b"c", 2), Sync()]
    talk.server >> [ParseComplete(), BindComplete(), ROW, ROW, PortalSuspended(),
                    ReadyForQuery(b"T")]  # fmt: skip
    talk.client << [ParseComplete, BindComplete, ROW, ROW, PortalSuspended, ReadyForQuery]
    talk.client >> [Execute(b"c", 2), Sync()]
    talk.server >> [ROW, ROW, PortalSuspended(), ReadyForQuery(b"T")]
    talk.client << [ROW, PortalSuspended, ReadyForQuery]
    talk.client >> [Execute(b"c"), Sync()]
    talk.server >> [ROW, CommandComplete(b"SELECT 1"), ReadyForQuery(b"T")]
    talk.client << [NoticeResponse, CommandComplete(b"SELECT 0"), ReadyForQuery]
    talk.over()
    assert (only(talk).row_count, only(talk).bytes) == (3, 3 * SIZE)


def test_the_budget_reaches_the_plan_but_not_for_catalogs() -> None:
    text = """
version: 1
entities: {s: {shared: true}}
capabilities: {c: {select: [s]}}
roles: {r: {can: [c], budget: {bytes: 500}}}
subjects: [{login: a, roles: [r]}]
"""
    snapshot = Snapshot(parse(text, "r"), CATALOG, b"", "v1")
    subject = snapshot.rules.subject("a")
    assert subject is not None
    data, catalog = (
        decide(sql, subject, snapshot) for sql in (b"SELECT x FROM s", b"SELECT oid FROM pg_class")
    )
    assert isinstance(data, Allow) and isinstance(catalog, Allow)
    assert data.statements[0].most_bytes == 500
    assert catalog.statements[0].most_bytes is None
