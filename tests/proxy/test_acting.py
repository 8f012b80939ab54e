"""Who acts: what a SET or a context changes counts from its confirmation, and for nobody else.

Here also: proxy/net/acting.py, proxy/net/renewing.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from policies.decision import Naming, Plan, SessionChange, Write
from policies.subject import Assumed, Subject, acting
from proxy.wire.messages import (
    Bind,
    BindComplete,
    Close,
    CloseComplete,
    CommandComplete,
    Describe,
    Execute,
    Flush,
    NoData,
    ParameterDescription,
    Parse,
    ParseComplete,
    Query,
    ReadyForQuery,
    Sync,
)
from tests.proxy.conversation import (
    POISON,
    READY,
    SYNTAX_ERROR,
    Conversation,
    TableEngine,
    error,
    failure,
    plan,
    rows,
)

IN_BLOCK, BROKEN = ReadyForQuery(b"T"), ReadyForQuery(b"E")
UNNAMED = Bind(b"", b"")
TOKEN = "eyJ.a.b"
ASSUMED = Assumed(tenant=7, user_id="u", expires=0.0)


def change(what: Any, name: str = "", value: str = "", local: bool = False) -> Plan:
    return plan(what.upper().encode(), change=SessionChange(what, name, value, local))


def read(subject: Subject) -> Plan:
    """Reads differ by who asks, as policy views do."""
    return plan(f"SELECT {subject.tenant}/{subject.capability}".encode())


NEEDY = Write(bound=1, most=1, most_rule="", reason_required=True)
NEEDY_QUERY = plan(b"UPDATE t", write=NEEDY)
TABLE: dict[bytes, Any] = {
    b"SET a": change("set", "capability", "a"),
    b"SET b": change("set", "capability", "b"),
    b"SET LOCAL a": change("set", "capability", "a", local=True),
    b"SET reason": change("set", "reason", "why"),
    b"SET context": change("set", "context", TOKEN),
    b"SET other": change("set", "context", "eyJ.x.y"),
    b"RESET ALL": change("reset"),
    b"BEGIN": plan(b"BEGIN"),
    b"SAVEPOINT s": change("savepoint", "s"),
    b"ROLLBACK TO s": change("undo", "s"),
    b"COMMIT": change("commit"),
    b"ROLLBACK": change("rollback"),
    b"COMMIT; READ": [change("commit"), plan(b"SELECT")],
    b"RESET ALL; READ": [change("reset"), plan(b"SELECT")],
    b"READ": read,
    b"WRITE": plan(b"UPDATE t", write=NEEDY),
    b"PREPARE p": plan(b"PREPARE p", naming=Naming("prepare", "p", b"PREPARE p", NEEDY_QUERY)),
    b"EXECUTE p": plan(b"EXECUTE p", naming=Naming("execute", "p")),
    b"EXECUTE p /*reason*/": plan(b"EXECUTE p", naming=Naming("execute", "p"), reason="said"),
    b"EXECUTE p /*other*/": plan(b"EXECUTE p", naming=Naming("execute", "p", capability="other")),
    b"READ; WRITE": [plan(b"SELECT"), plan(b"UPDATE t", write=NEEDY)],
    b"COMMENTED": plan(b"UPDATE t", write=NEEDY, reason="said"),
    b"READ /*                             */": read,
}
WITH_CONTEXT = b"READ /*querywarden_context='eyJ.a.b'*/"


@pytest.fixture
def talk() -> Conversation:
    talk = Conversation(TableEngine(TABLE))
    talk.engine.contexts[TOKEN] = ASSUMED
    return talk


def run(talk: Conversation, text: bytes, tag: bytes, ready: ReadyForQuery = READY) -> None:
    """A Query that is answered at once."""
    talk.client >> Query(text)
    talk.server.heard()
    talk.server >> [CommandComplete(tag), ready]
    talk.client << [CommandComplete(tag), ready]


def now(talk: Conversation) -> str:
    """As whom a statement is decided now."""
    talk.client >> Query(b"READ")
    (heard,) = [m for m in talk.server.heard() if isinstance(m, Query)]
    status = ReadyForQuery(bytes([talk.session.status]))
    talk.server >> [CommandComplete(b"SELECT 0"), status]
    talk.client << [CommandComplete(b"SELECT 0"), status]
    return heard.text.decode()


def now_after(talk: Conversation) -> str:
    talk.client.heard()
    return now(talk)


def test_what_follows_a_set_waits_for_it(talk: Conversation) -> None:
    talk.client >> [Query(b"SET a"), Query(b"READ")]
    talk.server << [Query(b"SET"), Flush()]
    assert talk.server.wire.written == b""
    talk.server >> [CommandComplete(b"SET"), READY]
    talk.server << Query(b"SELECT 1/a")


def test_a_set_that_fails_changes_nothing(talk: Conversation) -> None:
    talk.client >> [Query(b"SET a"), Query(b"READ")]
    talk.server.heard()
    talk.server >> [failure(b"25P02"), BROKEN]
    talk.server << Query(b"SELECT 1/")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["BEGIN", "SET a", "COMMIT"], "SELECT 1/a"),
        (["BEGIN", "SET a", "ROLLBACK"], "SELECT 1/"),
        (["BEGIN", "SET LOCAL a", "COMMIT"], "SELECT 1/"),
        (["BEGIN", "SET a", "SAVEPOINT s", "SET b", "ROLLBACK TO s"], "SELECT 1/a"),
        (["SET a", "RESET ALL"], "SELECT 1/"),
    ],
)
def test_transactions_take_it_with_them(
    talk: Conversation, texts: list[str], expected: str
) -> None:
    for number, text in enumerate(texts):
        ended = text in ("COMMIT", "ROLLBACK", "RESET ALL") or "BEGIN" not in texts[: number + 1]
        run(talk, text.encode(), text.split()[0].encode(), READY if ended else IN_BLOCK)
    assert now(talk) == expected


def test_a_commit_that_was_a_rollback_keeps_nothing(talk: Conversation) -> None:
    run(talk, b"BEGIN", b"BEGIN", IN_BLOCK)
    run(talk, b"SET a", b"SET", IN_BLOCK)
    run(talk, b"COMMIT", b"ROLLBACK")
    assert now(talk) == "SELECT 1/"


def test_an_implicit_transaction_takes_it_with_it(talk: Conversation) -> None:
    """SET and a failing statement before one Sync; what comes behind it waits for that."""
    talk.client >> [Parse(b"", b"SET a"), UNNAMED, Execute(), Parse(b"", b"READ"), UNNAMED,
                    Execute(), Sync(), Query(b"READ")]  # fmt: skip
    talk.server << [Parse(b"", b"SET"), Bind, Flush]
    talk.server >> [ParseComplete(), BindComplete()]
    talk.server << [Execute, Flush]
    talk.server >> [CommandComplete(b"SET")]
    talk.server << [Parse(b"", b"SELECT 1/a"), Bind, Execute, Sync, Flush]
    assert talk.server.wire.written == b""
    talk.server >> [ParseComplete(), BindComplete(), failure(b"22012"), READY]
    talk.server << Query(b"SELECT 1/")


def test_the_end_of_a_transaction_that_changed_settings_is_waited_for(talk: Conversation) -> None:
    run(talk, b"BEGIN", b"BEGIN", IN_BLOCK)
    run(talk, b"SET LOCAL a", b"SET", IN_BLOCK)
    talk.client >> [Parse(b"", b"COMMIT"), UNNAMED, Execute(), Parse(b"", b"READ"), Sync()]
    talk.server << [Parse(b"", b"COMMIT"), Bind, Execute, Flush]
    assert talk.server.wire.written == b""
    talk.server >> [ParseComplete(), BindComplete(), CommandComplete(b"COMMIT")]
    talk.server << [Parse(b"", b"SELECT 1/"), Sync]


@pytest.mark.parametrize("text", [b"COMMIT; READ", b"RESET ALL; READ"])
def test_a_text_does_not_run_on_under_settings_it_ends(talk: Conversation, text: bytes) -> None:
    run(talk, text, b"COMMIT")
    run(talk, b"BEGIN", b"BEGIN", IN_BLOCK)
    run(talk, b"SET a", b"SET", IN_BLOCK)
    talk.client >> Query(text)
    talk.server << [Query(POISON), Flush()]
    talk.server >> [SYNTAX_ERROR, BROKEN]
    talk.client << [error("0A000"), BROKEN]


def test_what_was_prepared_for_one_does_not_run_for_another(talk: Conversation) -> None:
    talk.client >> [Parse(b"s", b"READ"), Sync()]
    talk.server << [Parse(b"s", b"SELECT 1/"), Sync]
    talk.server >> [ParseComplete(), READY]
    talk.client << [ParseComplete(), READY]
    run(talk, b"SET a", b"SET")
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    talk.server << [Parse, Sync]
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("0A000"), READY]
    run(talk, b"RESET ALL", b"RESET")
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    talk.server << [Bind(b"", b"s"), Execute, Sync]


def test_a_portal_does_not_go_on_for_another(talk: Conversation) -> None:
    run(talk, b"BEGIN", b"BEGIN", IN_BLOCK)
    talk.client >> [Parse(b"", b"READ"), Bind(b"p", b""), Parse(b"", b"SET a"), UNNAMED,
                    Execute(), Execute(b"p"), Sync()]  # fmt: skip
    talk.server << [Parse, Bind, Parse, Bind, Flush]
    talk.server >> [ParseComplete(), BindComplete(), ParseComplete(), BindComplete()]
    talk.server << [Execute, Flush]
    talk.server >> [CommandComplete(b"SET")]
    talk.server << [Parse, Sync]
    talk.server >> [SYNTAX_ERROR, BROKEN]
    assert error("0A000")(talk.client.heard()[-2])


# One prepared statement for many.


def prepared(talk: Conversation) -> None:
    """A statement that was prepared before anybody said for whom; then it is for tenant 7."""
    talk.client >> [Parse(b"s", b"READ", (23,)), Sync()]
    talk.server << [Parse(b"s", b"SELECT 1/", (23,)), Sync]
    talk.server >> [ParseComplete(), READY]
    talk.client << [ParseComplete(), READY]
    run(talk, b"SET context", b"SET")


AGAIN = [Close(b"S", b"s"), Parse(b"s", b"SELECT 7/", (23,)), Bind(b"", b"s"), Execute(), Sync()]
DONE = [BindComplete(), CommandComplete(b"SELECT 0"), READY]


@pytest.mark.parametrize("before", [[], [Flush()], [Close(b"P", b"x")]])
def test_what_was_prepared_is_prepared_anew_for_another(talk: Conversation, before: Any) -> None:
    prepared(talk)
    answers = [CloseComplete()] if before and isinstance(before[0], Close) else []
    for frames in (AGAIN, AGAIN[2:]):  # the second time it is theirs already
        talk.client >> [*before, Bind(b"", b"s"), Execute(), Sync()]
        talk.server << [*before, *frames]
        silent = [CloseComplete(), ParseComplete()] if frames is AGAIN else []
        talk.server >> [*answers, *silent, *DONE]
        talk.client << [*answers, *DONE]
    assert [op.origin.subject.tenant for op in talk.operations[-2:]] == [7, 7]
    run(talk, b"RESET ALL", b"RESET")
    talk.client >> [Describe(b"S", b"s"), Sync()]
    talk.server << [Close(b"S", b"s"), Parse(b"s", b"SELECT 1/", (23,)), Describe, Sync]
    talk.server >> [CloseComplete(), ParseComplete(), ParameterDescription((23,)), NoData(), READY]
    talk.client << [ParameterDescription((23,)), NoData(), READY]
    talk.over()


def test_one_after_the_other_in_a_pipeline(talk: Conversation) -> None:
    prepared(talk)
    talk.client >> [Bind(b"", b"s"), Execute(), Bind(b"", b"s"), Execute(), Sync()]
    talk.server << [*AGAIN[:4], Bind(b"", b"s"), Execute, Sync]
    talk.server >> [CloseComplete(), ParseComplete(), *DONE[:2], *DONE]
    talk.client << [*DONE[:2], *DONE]
    talk.over()


def test_an_error_before_it_leaves_the_earlier_one(talk: Conversation) -> None:
    prepared(talk)
    talk.client >> [Parse(b"", b"READ"), Bind(b"", b"s"), Execute(), Sync()]
    talk.server << [Parse, *AGAIN]
    talk.server >> [failure(b"42601"), READY]
    talk.client << [error("42601"), READY]
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    talk.server << AGAIN
    talk.server >> [CloseComplete(), ParseComplete(), *DONE]
    talk.client << DONE
    talk.over()


def test_one_that_cannot_be_prepared_anew_is_gone(talk: Conversation) -> None:
    prepared(talk)
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    talk.server << AGAIN
    talk.server >> [CloseComplete(), failure(b"42P01"), READY]
    talk.client << [error("42P01"), READY]
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    talk.server << [Parse(b"querywarden refused", POISON), Sync]
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("26000"), READY]
    talk.over()


def test_the_unnamed_one_is_prepared_anew(talk: Conversation) -> None:
    talk.client >> [Parse(b"", b"READ"), Bind(b"p", b""), Sync()]
    talk.server.heard()
    talk.server >> [ParseComplete(), BindComplete(), READY]
    talk.client.heard()
    talk.client >> [Parse(b"set", b"SET context"), Bind(b"", b"set"), Execute(), UNNAMED,
                    Execute(), Sync()]  # fmt: skip
    talk.server << [Parse, Bind, Flush]
    talk.server >> [ParseComplete(), BindComplete()]
    talk.server << [Execute, Flush]
    talk.server >> [CommandComplete(b"SET")]
    talk.server << [Parse(b"", b"SELECT 7/"), UNNAMED, Execute, Sync]


# Contexts.


def test_the_context_of_a_text_is_its_own(talk: Conversation) -> None:
    talk.client >> [Query(WITH_CONTEXT), Query(b"READ")]
    talk.server << [Query(b"SELECT 7/"), Query(b"SELECT 1/")]
    assert not any(b"eyJ" in text for text in talk.engine.asked)
    talk.server >> [*rows(1), *rows(1)]
    assert [op.origin.subject.tenant for op in talk.operations] == [7, 1]
    assert now_after(talk) == "SELECT 1/"


def test_a_prepared_text_keeps_its_context_as_long_as_that_holds(talk: Conversation) -> None:
    talk.client >> [Parse(b"s", WITH_CONTEXT), Sync()]
    talk.server << [Parse(b"s", b"SELECT 7/"), Sync]
    talk.server >> [ParseComplete(), READY]
    assert now_after(talk) == "SELECT 1/"
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    talk.server << [Bind(b"", b"s"), Execute, Sync]
    talk.server >> [BindComplete(), CommandComplete(b"SELECT 0"), READY]
    del talk.engine.contexts[TOKEN]
    talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
    talk.server << [Parse, Sync]


def test_a_context_that_is_none_is_refused_wherever_it_stands(talk: Conversation) -> None:
    talk.engine.contexts.clear()
    for text in (WITH_CONTEXT, b"SET context", b"READ /* -- '\n querywarden_context='"):
        talk.client >> Query(text)
        talk.server << Query(POISON)
        talk.server >> [SYNTAX_ERROR, READY]
        heard = talk.client.heard()
        assert "eyJ" not in str(heard)
    assert [op.code for op in talk.operations] == ["AUTHENTICATION_REQUIRED"] * 2 + ["SYNTAX_ERROR"]


def test_a_context_that_was_set_ends_when_it_does_not_hold(talk: Conversation) -> None:
    run(talk, b"SET context", b"SET")
    assert now(talk) == "SELECT 7/"
    del talk.engine.contexts[TOKEN]
    assert now(talk) == "SELECT 1/"


def test_new_rules_find_who_acts(talk: Conversation) -> None:
    run(talk, b"SET context", b"SET")
    assert now(talk) == "SELECT 7/"
    talk.engine.reload({})
    assert now(talk) == "SELECT 7/"
    assert talk.session.snapshot.version == "v2"


# Reasons.


def test_a_write_says_why(talk: Conversation) -> None:
    talk.client >> Query(b"WRITE")
    talk.server << Query(POISON)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("QW002"), READY]
    run(talk, b"COMMENTED", b"UPDATE 1")
    run(talk, b"SET reason", b"SET")
    run(talk, b"WRITE", b"UPDATE 1")
    assert [op.reason for op in talk.operations] == ["", "said", "", "why"]
    assert talk.operations[0].code == "REASON_REQUIRED"


def test_a_prepared_write_says_why_when_it_runs(talk: Conversation) -> None:
    talk.client >> [Parse(b"s", b"WRITE"), Sync()]
    talk.server.heard()
    talk.server >> [ParseComplete(), READY]
    talk.client.heard()
    for expected in ("QW002", None, "QW002"):
        talk.client >> [Bind(b"", b"s"), Execute(), Sync()]
        talk.server.heard()
        if expected:
            talk.server >> [BindComplete(), SYNTAX_ERROR, READY]
            talk.client << [BindComplete(), error(expected), READY]
            run(talk, b"SET reason", b"SET")
        else:
            talk.server >> [BindComplete(), CommandComplete(b"UPDATE 1"), READY]
            talk.client << [BindComplete(), CommandComplete(b"UPDATE 1"), READY]
            run(talk, b"RESET ALL", b"RESET")


def test_no_way_to_run_a_write_goes_around_its_reason(talk: Conversation) -> None:
    """Neither a name of SQL, nor company in its text, nor a pipeline, nor a portal."""
    run(talk, b"PREPARE p", b"PREPARE")
    for text, sqlstate in (
        (b"EXECUTE p", "QW002"),
        (b"READ; WRITE", "QW002"),
        (b"EXECUTE p /*other*/", "42501"),
    ):
        talk.client >> Query(text)
        talk.server << Query(POISON)
        talk.server >> [SYNTAX_ERROR, READY]
        talk.client << [error(sqlstate), READY]
    run(talk, b"EXECUTE p /*reason*/", b"UPDATE 1")
    assert talk.operations[-1].reason == "said"
    talk.client >> [Parse(b"", b"WRITE"), Bind(b"p", b""), Execute(b"p"), Execute(b"p"), Sync()]
    talk.server << [Parse, Bind, Parse(b"querywarden refused", POISON), Sync]
    talk.server >> [ParseComplete(), BindComplete(), SYNTAX_ERROR, READY]
    talk.client << [ParseComplete(), BindComplete(), error("QW002"), READY]


def test_a_reason_that_is_gone_is_none(talk: Conversation) -> None:
    """The portal was bound while there was one."""
    run(talk, b"BEGIN", b"BEGIN", IN_BLOCK)
    run(talk, b"SET reason", b"SET", IN_BLOCK)
    talk.client >> [Parse(b"", b"WRITE"), Bind(b"p", b""), Parse(b"", b"RESET ALL"), UNNAMED,
                    Execute(), Execute(b"p"), Sync()]  # fmt: skip
    talk.server << [Parse, Bind, Parse, Bind, Flush]
    talk.server >> [ParseComplete(), BindComplete(), ParseComplete(), BindComplete()]
    talk.server << [Execute, Flush]
    talk.server >> [CommandComplete(b"RESET")]
    talk.server << [Parse(b"querywarden refused", POISON), Sync]


# Who.

LOGIN = Subject("app", roles=("r",), attributes=(("kind", "a"),), absent=True)


def test_a_context_names_tenant_user_and_attributes() -> None:
    assumed = Assumed(1, "u", 0.0, attributes=(("area", 3), ("kind", "b")))
    assert acting(LOGIN, assumed, "") == Subject(
        "app", 1, "u", ("r",), (("area", 3), ("kind", "b"))
    )
    assert acting(LOGIN, None, "") == LOGIN


@pytest.mark.parametrize(
    ("bound", "chosen", "expected"),
    [("", "", ""), ("a", "", "a"), ("", "b", "b"), ("a", "a", "a"), ("a", "b", "a, b")],
)
def test_a_capability_in_a_context_is_the_only_one(bound: str, chosen: str, expected: str) -> None:
    subject = acting(LOGIN, Assumed(1, "u", 0.0, bound), chosen)
    assert (subject.capability, subject.bound) == (expected, bool(bound))
