"""What may be prepared and what a name stands for: proxy/net/standing.py in conversations."""

from __future__ import annotations

import pytest

from policies import reasons
from policies.decision import Forget
from policies.subject import Subject
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
    POISON,
    READY,
    ROW,
    SYNTAX_ERROR,
    Conversation,
    deny,
    error,
    failure,
    only,
    plan,
    prepared,
    rows,
)

# Names.


def test_what_one_client_prepares_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "PREPARED_BYTES", 10 * 1100)
    talk = Conversation()
    for number in range(20):  # always the same one: there is room
        talk.client >> [Parse(b"", b"SELECT %d" % number), Sync()]
        talk.server >> [ParseComplete(), READY]
    names = [b"s%d" % number for number in range(9)]
    for name in names:
        talk.client >> [Parse(name, b"SELECT 1"), Sync()]
        talk.server >> [ParseComplete(), READY]
    talk.client.heard()
    talk.client >> [Parse(b"more", b"SELECT 1"), Sync()]
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("54000", M="too many prepared statements"), READY]
    talk.client >> [Close(b"S", b"s1"), Close(b"S", b"s2"), Parse(b"more", b"SELECT 1"), Sync()]
    talk.server >> [CloseComplete(), CloseComplete(), ParseComplete(), READY]
    talk.client << [CloseComplete, CloseComplete, ParseComplete, READY]


def test_a_refused_parse_drops_the_unnamed_statement() -> None:
    talk = Conversation({b"SELECT ssn": deny(reasons.TYPE_NOT_ALLOWED)})
    talk.client >> [Parse(b"", b"SELECT 1"), Sync()]
    talk.server >> [ParseComplete(), READY]
    talk.client >> [Parse(b"", b"SELECT ssn"), Sync()]
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client.heard()
    talk.server.heard()
    talk.client >> [Bind(b"", b""), Sync()]
    talk.server << [Parse(b"querywarden refused", POISON), Sync]


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
