"""PREPARE and EXECUTE, and names under new rules, in conversations: proxy/net/naming.py and
proxy/net/statement.py."""

from __future__ import annotations

import pytest

from policies import reasons
from proxy.net import standing
from proxy.wire.messages import (
    Bind,
    BindComplete,
    Close,
    CloseComplete,
    CommandComplete,
    Describe,
    Execute,
    Flush,
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
    deny,
    error,
    failure,
    fields,
    prepared,
)
from tests.proxy.sql_names import (
    CHANGED,
    DECLARED,
    IN_BLOCK,
    PREPARE,
    PREPARED,
    TABLE,
    THREE,
    prepare,
    refused,
    said,
)


@pytest.fixture
def talk() -> Conversation:
    return Conversation(TABLE)


# PREPARE and EXECUTE.


def test_what_sql_prepared_runs_by_both_ways_with_its_cap(talk: Conversation) -> None:
    assert said(talk, PREPARE, *PREPARED) == PREPARED
    heard = said(talk, Query(b"EXECUTE p"), *THREE, CommandComplete(b"SELECT 3"), READY)
    notice, *done = heard[3:]
    assert fields(notice)["M"] == "result capped at 2 rows"
    assert heard[:3] == [COLUMNS, ROW, ROW] and done == [CommandComplete(b"SELECT 2"), READY]
    talk.client >> [Bind(b"", b"p"), Describe(b"P"), Execute(), Sync()]
    talk.server << [Bind, Describe, Execute, Sync]
    talk.server >> [BindComplete(), *THREE, CommandComplete(b"SELECT 3"), READY]
    assert talk.client.heard().count(ROW) == 2
    told = [(o.facts.operation, o.facts.entities, o.truncated) for o in talk.operations]
    assert told == [
        ("prepare", (), False), ("execute", ("users",), True), ("select", ("users",), True),
    ]  # fmt: skip


def test_what_the_protocol_prepared_runs_by_sql_with_its_cap(talk: Conversation) -> None:
    prepared(talk)
    heard = said(talk, Query(b"EXECUTE s"), *THREE, CommandComplete(b"SELECT 3"), READY)
    assert heard.count(ROW) == 2
    assert talk.operations[-1].facts.operation == "execute"


def test_one_text_prepares_and_executes(talk: Conversation) -> None:
    talk.client >> Query(b"PREPARE p; EXECUTE p")
    talk.server << Query(b"PREPARE p AS SELECT 1; EXECUTE p")
    talk.server >> [CommandComplete(b"PREPARE"), *THREE, CommandComplete(b"SELECT 3"), READY]
    assert talk.client.heard().count(ROW) == 2
    assert talk.records.outcomes() == [("prepare", "ok"), ("execute", "ok")]
    assert set(talk.session.names.settled) == {b"p"}


def test_what_follows_a_prepare_waits_for_its_answer(talk: Conversation) -> None:
    talk.client >> [PREPARE, Bind(b"", b"p"), Execute(), Sync(), Query(b"EXECUTE p")]
    talk.server << [PREPARE, Flush()]
    assert not talk.server.wire.written and talk.client.wire.reading is False
    talk.server >> PREPARED
    talk.server << [Bind, Execute, Sync, Flush]
    talk.server >> [BindComplete(), ROW, CommandComplete(b"SELECT 1"), READY]
    talk.server << Query(b"EXECUTE p")
    assert talk.client.wire.reading is True


def test_a_failed_prepare_makes_no_name(talk: Conversation) -> None:
    said(talk, PREPARE, failure(b"42P05"), READY)
    refused(talk, Query(b"EXECUTE p"), "26000")
    assert talk.records.outcomes() == [("prepare", "failed"), ("execute", "refused")]


def test_an_unknown_name_never_goes_up(talk: Conversation) -> None:
    talk.client >> Query(b"EXECUTE p")
    talk.server << Query(POISON)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("26000", M='prepared statement "p" does not exist'), READY]


def test_the_first_error_of_a_text_ends_it(talk: Conversation) -> None:
    said(talk, Query(b"PREPARE p; EXECUTE p"), failure(b"42703"), READY)
    refused(talk, Query(b"EXECUTE p"), "26000")


def test_what_was_prepared_before_an_error_stays(talk: Conversation) -> None:
    answer = CommandComplete(b"PREPARE"), failure(b"22012"), READY
    said(talk, Query(b"PREPARE p; EXECUTE p"), *answer)
    said(talk, Query(b"EXECUTE p"), COLUMNS, ROW, CommandComplete(b"SELECT 1"), READY)
    assert talk.records.outcomes()[-2:] == [("execute", "failed"), ("execute", "ok")]


def test_deallocate_and_close_end_what_sql_prepared(talk: Conversation) -> None:
    said(talk, PREPARE, *PREPARED)
    said(talk, Query(b"DEALLOCATE p"), CommandComplete(b"DEALLOCATE"), READY)
    refused(talk, Query(b"EXECUTE p"), "26000")
    said(talk, PREPARE, *PREPARED)
    talk.client >> [Close(b"S", b"p"), Sync()]
    talk.server >> [CloseComplete(), READY]
    talk.client.heard()
    talk.server.heard()
    refused(talk, Query(b"EXECUTE p"), "26000")


@pytest.mark.parametrize("text", [b"BEGIN", b"EXECUTE s", b"PREPARE q AS SELECT 2", b""])
def test_execute_runs_queries_only(talk: Conversation, text: bytes) -> None:
    talk.client >> [Parse(b"s", text), Sync()]
    talk.server >> [ParseComplete(), READY]
    talk.client.heard()
    talk.server.heard()
    refused(talk, Query(b"EXECUTE s"), "42501")


def test_a_name_is_63_bytes(talk: Conversation) -> None:
    long = "é" * 31 + "n"
    talk.engine.table[b"long"] = prepare(long)
    said(talk, Query(b"long"), *PREPARED)
    talk.client >> [Bind(b"", long.encode() + b"more"), Execute(), Sync()]
    talk.server << [Bind, Execute, Sync]


def test_names_in_the_extended_protocol(talk: Conversation) -> None:
    """Every step waits until it is certain what the name stands for."""
    talk.client >> [
        Parse(b"", b"PREPARE p AS SELECT 1"), Bind(b"", b""), Execute(), Sync(),
        Parse(b"e", b"EXECUTE p"), Bind(b"e", b"e"), Execute(b"e", 1), Execute(b"e", 5), Sync(),
    ]  # fmt: skip
    talk.server << [Parse, Bind, Flush]
    talk.server >> [ParseComplete(), BindComplete()]
    talk.server << [Execute, Flush]
    talk.server >> CommandComplete(b"PREPARE")
    talk.server << [Sync, Parse, Bind, Flush]
    talk.server >> [READY, ParseComplete(), BindComplete()]
    talk.server << [Execute(b"e", 1), Execute(b"e", 5), Sync]
    talk.server >> [ROW, PortalSuspended(), ROW, ROW, CommandComplete(b"SELECT 2"), READY]
    assert talk.client.heard().count(ROW) == 2
    assert talk.records.outcomes() == [("prepare", "ok"), ("execute", "ok")]
    assert talk.operations[-1].row_count == 2 and talk.operations[-1].truncated


def test_the_shortcut_is_not_for_names(talk: Conversation) -> None:
    said(talk, PREPARE, *PREPARED)
    talk.client >> [Parse(b"", b"EXECUTE p"), Bind(b"", b""), Describe(b"P"), Execute(), Sync()]
    talk.server << [Parse, Bind, Describe, Flush]
    talk.server >> [ParseComplete(), BindComplete(), COLUMNS]
    talk.server << [Execute, Sync]
    talk.server >> [*THREE[1:], CommandComplete(b"SELECT 3"), READY]
    assert talk.client.heard().count(ROW) == 2
    # but it is for the query that SQL prepared
    talk.client >> [Bind(b"", b"p"), Execute(), Sync()]
    assert [entry[0] for entry in talk.session.ledger.owed] == [11]


def test_an_execute_skipped_after_an_error_makes_nothing(talk: Conversation) -> None:
    talk.client >> [Parse(b"", b"bad"), Parse(b"x", b"PREPARE p AS SELECT 1"), Bind(b"", b"x")]
    talk.client >> [Execute(), Sync()]
    talk.server >> [failure(b"42601")]
    talk.server >> [READY]
    talk.client << [error("42601"), READY]
    talk.server.heard()
    refused(talk, Query(b"EXECUTE p"), "26000")


def test_too_many_names(talk: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "PREPARED_BYTES", 3000)
    said(talk, PREPARE, *PREPARED)
    said(talk, Query(b"DECLARE c"), *DECLARED)
    refused(talk, Query(b"PREPARE q AS SELECT 2"), "54000")
    said(talk, Query(b"DEALLOCATE p"), CommandComplete(b"DEALLOCATE"), READY)
    assert said(talk, Query(b"PREPARE q AS SELECT 2"), *PREPARED) == PREPARED


def test_a_text_whose_parts_are_decided_otherwise_alone_is_refused(talk: Conversation) -> None:
    part = talk.engine.table[b"PREPARE p; EXECUTE p"][0].naming.text
    talk.engine.table[part] = deny(reasons.MODEL_NOT_ALLOWED)
    refused(talk, Query(b"PREPARE p; EXECUTE p"), "XX000")


# Errors that point into another text.


def test_an_error_in_a_prepared_query_tells_no_words_of_it(talk: Conversation) -> None:
    said(talk, PREPARE, *PREPARED)
    inside = failure(b"42703", P=b"12", H=b"hidden")
    message = said(talk, Query(b"EXECUTE p"), inside, READY)[0]
    told = fields(message)
    assert told["C"] == "42703" and "it failed" not in told["M"] and "P" not in told
    assert "hidden" not in told["H"]
    talk.client >> [Bind(b"", b"p"), Sync()]
    talk.server >> [inside, READY]
    assert "it failed" not in fields(talk.client.next())["M"]
    talk.client.heard()
    told = fields(said(talk, Query(b"EXECUTE p"), failure(b"22P02", P=b"12"), READY)[0])
    assert told["M"] == "it failed" and "P" not in told


# A new snapshot.


@pytest.mark.parametrize("use", [b"EXECUTE p", b"FETCH c"])
def test_what_is_decided_alike_carries_on(talk: Conversation, use: bytes) -> None:
    said(talk, PREPARE, *PREPARED)
    said(talk, Query(b"DECLARE c"), *DECLARED)
    talk.engine.reload({})
    answer = [COLUMNS, ROW, CommandComplete(b"FETCH 1"), IN_BLOCK]
    assert said(talk, Query(use), *answer) == answer
    assert talk.operations[-1].policy_version == "v2"


@pytest.mark.parametrize("use", [b"EXECUTE p", b"FETCH c"])
def test_what_is_decided_otherwise_is_refused(talk: Conversation, use: bytes) -> None:
    said(talk, PREPARE, *PREPARED)
    said(talk, Query(b"DECLARE c"), *DECLARED)
    talk.engine.reload(CHANGED)
    refused(talk, Query(use), "0A000", IN_BLOCK)
    assert talk.operations[-1].code == "PLAN_CHANGED"
    for message in (Bind(b"", b"p"), Describe(b"P", b"c")):
        talk.client >> [message, Sync()]
        talk.server << [Parse(b"querywarden refused", POISON), Sync()]
        talk.server >> [SYNTAX_ERROR, IN_BLOCK]
        talk.client << [error("0A000"), IN_BLOCK]


def test_a_portal_that_has_begun_goes_on_only_if_its_statement_may(talk: Conversation) -> None:
    said(talk, PREPARE, *PREPARED)
    for reload, goes_on in (({}, True), (CHANGED, False)):
        talk.client >> [Parse(b"", b"EXECUTE p"), Bind(b"e", b"")]
        talk.server >> [ParseComplete(), BindComplete()]
        talk.client >> [Execute(b"e", 1), Sync()]
        talk.server >> [ROW, PortalSuspended(), IN_BLOCK]
        talk.client.heard()
        talk.server.heard()
        talk.engine.reload(reload)
        talk.client >> [Execute(b"e", 5), Sync()]
        if goes_on:
            talk.server << [Execute, Sync]
            talk.server >> [ROW, ROW, CommandComplete(b"SELECT 2"), READY]
            assert talk.client.heard().count(ROW) == 1
        else:
            talk.server << [Parse(b"querywarden refused", POISON), Sync()]
            talk.server >> [SYNTAX_ERROR, ReadyForQuery(b"E")]
            talk.client << [error("0A000"), ReadyForQuery(b"E")]


def test_what_was_named_while_nothing_was_enforced_is_not_trusted(talk: Conversation) -> None:
    """SQL may have given the name to something else meanwhile."""
    prepared(talk)
    said(talk, PREPARE, *PREPARED)
    said(talk, Query(b"DECLARE d"), *DECLARED)
    talk.engine.current = "bypass"
    talk.engine.reload({})
    said(talk, Query(b"raw"), CommandComplete(b"PREPARE"), READY)
    talk.engine.current = "enforce"
    talk.engine.reload({})
    refused(talk, Query(b"EXECUTE p"), "0A000")
    refused(talk, Query(b"EXECUTE s"), "0A000")
    refused(talk, Query(b"FETCH d"), "34000")
    talk.client >> [Bind(b"", b"s"), Sync()]
    talk.server << [Parse(b"querywarden refused", POISON), Sync()]
