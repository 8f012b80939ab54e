"""DECLARE, FETCH, MOVE and CLOSE in conversations: proxy/net/naming.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.wire import names
from proxy.wire.messages import (
    Bind,
    BindComplete,
    Close,
    CloseComplete,
    CommandComplete,
    DataRow,
    Describe,
    Execute,
    Parse,
    ParseComplete,
    PortalSuspended,
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
    error,
    fields,
)
from tests.proxy.sql_names import (
    DECLARED,
    IN_BLOCK,
    TABLE,
    declare,
    refused,
    said,
)


@pytest.fixture
def talk() -> Conversation:
    return Conversation(TABLE)


def test_a_cursor_is_declared_read_and_closed(talk: Conversation) -> None:
    heard = said(talk, Query(b"DECLARE c"), *DECLARED)
    assert fields(heard[0])["M"] == "cursor gives at most 2 rows" and heard[1:] == DECLARED
    answer = [COLUMNS, ROW, ROW, CommandComplete(b"FETCH 2"), IN_BLOCK]
    assert said(talk, Query(b"FETCH c"), *answer) == answer
    talk.client >> [Describe(b"P", b"c"), Sync()]
    talk.server << [Describe(b"P", b"c"), Sync]
    talk.server >> [COLUMNS, IN_BLOCK]
    talk.client << [COLUMNS, IN_BLOCK]
    said(talk, Query(b"CLOSE c"), CommandComplete(b"CLOSE CURSOR"), IN_BLOCK)
    refused(talk, Query(b"FETCH c"), "34000", IN_BLOCK)
    assert [(o.facts.operation, o.outcome, o.row_count) for o in talk.operations] == [
        ("declare", "ok", 0), ("fetch", "ok", 2), ("close", "ok", 0), ("fetch", "refused", 0),
    ]  # fmt: skip


def test_an_unknown_cursor_never_goes_up(talk: Conversation) -> None:
    talk.client >> Query(b"FETCH c")
    talk.server << Query(POISON)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("34000", M='cursor "c" does not exist'), READY]


def test_one_text_declares_and_fetches(talk: Conversation) -> None:
    answer = [CommandComplete(b"DECLARE CURSOR"), COLUMNS, ROW, CommandComplete(b"FETCH 1"), READY]
    heard = said(talk, Query(b"DECLARE c; FETCH c"), *answer)
    assert heard[1:] == answer
    # It ended with the transaction the text was.
    refused(talk, Query(b"FETCH c"), "34000")


def test_a_cursor_with_hold_outlives_its_transaction(talk: Conversation) -> None:
    for text in (b"DECLARE c", b"DECLARE d"):
        said(talk, Query(text), *DECLARED)
    said(talk, Query(b"COMMIT"), CommandComplete(b"COMMIT"), READY)
    refused(talk, Query(b"FETCH c"), "34000")
    answer = [COLUMNS, ROW, CommandComplete(b"FETCH 1"), READY]
    assert said(talk, Query(b"FETCH d"), *answer) == answer


def test_a_portal_of_the_protocol_is_no_cursor(talk: Conversation) -> None:
    """It holds one row more than its client may have."""
    talk.client >> [Parse(b"", b"SELECT 1"), Bind(b"c", b""), Execute(b"c", 1), Sync()]
    talk.server >> [ParseComplete(), BindComplete(), ROW, PortalSuspended(), IN_BLOCK]
    talk.client.heard()
    talk.server.heard()
    refused(talk, Query(b"FETCH c"), "42501", IN_BLOCK)


def test_a_bind_takes_the_name_away_from_a_cursor(talk: Conversation) -> None:
    """The cursor may be gone already, and then the name is the portal's."""
    said(talk, Query(b"DECLARE d"), *DECLARED)
    said(talk, Query(b"ROLLBACK"), CommandComplete(b"ROLLBACK"), READY)
    talk.client >> [Parse(b"", b"SELECT 1"), Bind(b"d", b""), Close(b"P", b"d"), Sync()]
    talk.server >> [ParseComplete(), BindComplete(), CloseComplete(), IN_BLOCK]
    talk.client.heard()
    talk.server.heard()
    refused(talk, Query(b"FETCH d"), "34000", IN_BLOCK)


def test_a_cursor_is_no_portal_to_execute(talk: Conversation) -> None:
    said(talk, Query(b"DECLARE c"), *DECLARED)
    talk.client >> [Execute(b"c", 1), Sync()]
    talk.server << [Parse(b"querywarden refused", POISON), Sync()]
    talk.server >> [SYNTAX_ERROR, ReadyForQuery(b"E")]
    talk.client << [error("34000"), ReadyForQuery(b"E")]


def test_close_of_the_protocol_ends_a_cursor(talk: Conversation) -> None:
    said(talk, Query(b"DECLARE c"), *DECLARED)
    talk.client >> [Close(b"P", b"c"), Sync()]
    talk.server >> [CloseComplete(), IN_BLOCK]
    talk.client.heard()
    talk.server.heard()
    refused(talk, Query(b"FETCH c"), "34000", IN_BLOCK)


def test_of_very_many_cursors_the_oldest_is_forgotten(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "MOST_CURSORS", 1)
    for text in (b"DECLARE c", b"DECLARE d"):
        said(talk, Query(text), *DECLARED)
    refused(talk, Query(b"FETCH c"), "34000", IN_BLOCK)
    said(talk, Query(b"FETCH d"), COLUMNS, CommandComplete(b"FETCH 0"), IN_BLOCK)


def test_rows_in_a_fetch_are_counted_and_not_cut(talk: Conversation) -> None:
    said(talk, Query(b"DECLARE c"), *DECLARED)
    row = DataRow((b"x" * 10,))
    many = [COLUMNS, *[row] * 5, CommandComplete(b"FETCH 5"), IN_BLOCK]
    assert said(talk, Query(b"FETCH c"), *many) == many
    assert talk.operations[-1].row_count == 5 and not talk.operations[-1].truncated


def test_the_bytes_of_a_cursor_add_up(talk: Conversation) -> None:
    talk.engine.table[b"DECLARE c"] = replace(declare("c"), most_bytes=40)
    said(talk, Query(b"DECLARE c"), *DECLARED)
    row = DataRow((b"x" * 4,))  # of 15 bytes
    heard = [
        said(talk, Query(b"FETCH c"), COLUMNS, *[row] * 2, CommandComplete(b"FETCH 2"), IN_BLOCK)
        for _ in range(3)
    ]
    assert [each.count(row) for each in heard] == [2, 0, 0]
    assert fields(heard[1][1])["M"] == "result capped at 40 bytes"
    assert heard[2][2:] == [CommandComplete(b"FETCH 0"), IN_BLOCK]
