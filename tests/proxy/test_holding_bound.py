"""proxy/net/holding.py: what a consent is bound to, and what must not get around asking."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import reasons
from policies.comments import without_context
from policies.decision import Naming
from policies.subject import Assumed, Subject
from proxy.wire.messages import (
    Bind,
    BindComplete,
    CommandComplete,
    Execute,
    Flush,
    ParameterStatus,
    Parse,
    ParseComplete,
    Query,
    Sync,
)
from tests.proxy.consent import (
    PENDING,
    UPDATE,
    USED,
    WRITE,
    Talk,
    bind,
    prepare,
    refused,
)
from tests.proxy.conversation import (
    POISON,
    READY,
    SYNTAX_ERROR,
    Rules,
    deny,
    error,
    fields,
    only,
    plan,
)


@pytest.fixture
def talk() -> Talk:
    return Talk()


# What must not get around it.


def test_a_text_of_several_statements_is_refused(talk: Talk) -> None:
    text = b"SELECT 1; " + UPDATE
    talk.engine.table[text] = [plan(b"SELECT 1"), plan(UPDATE, write=WRITE)]
    talk.client >> Query(text)
    talk.server >> [SYNTAX_ERROR, READY]
    told = fields(talk.client.next())
    assert (told["C"], told["H"]) == ("0A000", "send each statement of the text by itself")
    assert only(talk).facts.operation == "update" and not talk.desk.asked


def test_sqls_prepare_and_execute_are_refused(talk: Talk) -> None:
    inner = plan(UPDATE, write=WRITE, returns_rows=True)
    text = b"PREPARE p AS " + UPDATE
    talk.engine.table[text] = plan(text, naming=Naming("prepare", "p", text, inner))
    talk.engine.table[b"EXECUTE s"] = plan(b"EXECUTE s", naming=Naming("execute", "s"))
    talk.engine.table[UPDATE] = inner
    talk.client >> Query(text)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("0A000"), READY]
    talk.client >> [Parse(b"", text), Bind(b"", b""), Execute(), Sync()]
    talk.server >> ParseComplete()
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [ParseComplete, error("0A000"), READY]
    prepare(talk)
    talk.client >> Query(b"EXECUTE s")
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("42501"), READY]
    assert not talk.desk.asked and UPDATE not in talk.server.wire.written


def test_other_rules_meanwhile_ask_anew(talk: Talk) -> None:
    talk.client >> Query(UPDATE)
    first = talk.desk.last
    talk.engine.reload({})
    first.answer = USED
    first.wake()
    assert first.cancelled and len(talk.desk.asked) == 2
    assert talk.desk.last.request.rules_version == "v2"
    refused(talk, PENDING)
    assert UPDATE not in talk.server.wire.written


def test_rules_that_refuse_meanwhile_end_the_wait(talk: Talk) -> None:
    talk.client >> Query(UPDATE)
    talk.engine.reload({UPDATE: deny(reasons.WRITE_DISABLED)})
    talk.desk.last.told(USED)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("25006"), READY]
    assert talk.session.consents.asking is None and talk.desk.last.cancelled


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_portal_of_an_older_snapshot_does_not_run(talk: Talk, version: str) -> None:
    """Who acts may be another one now, though the rules are the same."""
    prepare(talk)
    talk.client >> [Bind(b"p", b"s"), Flush()]
    talk.desk.last.told(USED)
    talk.server >> BindComplete()
    talk.server.heard()
    talk.engine.snapshot = Rules(version)
    talk.client >> [Execute(b"p"), Sync()]
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [BindComplete, error("0A000"), READY]
    assert talk.server.next() == Parse(b"querywarden refused", POISON)


def test_rules_that_come_to_need_consent_end_what_was_prepared(talk: Talk) -> None:
    talk.engine.table[UPDATE] = plan(UPDATE, write=replace(WRITE, consent=None))
    prepare(talk)
    talk.engine.reload({UPDATE: plan(UPDATE, write=WRITE)})
    bind(talk, b"1")
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("0A000"), READY]


def test_another_subject_is_another_request(talk: Talk) -> None:
    talk.client >> Query(UPDATE)
    refused(talk, PENDING)
    talk.engine.subjects["app"] = Subject("app", tenant=2, roles=("r",))
    talk.engine.snapshot = Rules("v1")
    talk.client >> Query(UPDATE)
    mine, other = (question.request for question in talk.desk.asked)
    assert mine.binding != other.binding and other.subject.tenant == 2


def test_settings_that_change_a_meaning_are_bound(talk: Talk) -> None:
    talk.session.consents.reported(b"TimeZone", b"UTC")
    talk.session.consents.reported(b"application_name", b"x")
    talk.client >> Query(UPDATE)
    refused(talk, PENDING)
    assert talk.desk.last.request.settings == (
        ("DateStyle", ""), ("IntervalStyle", ""), ("TimeZone", "UTC"),
    )  # fmt: skip
    talk.client >> Query(b"SET datestyle = 'DMY'")
    talk.server >> [CommandComplete(b"SET"), ParameterStatus(b"DateStyle", b"ISO, DMY"), READY]
    talk.client.heard()
    talk.client >> Query(UPDATE)
    first, second = (question.request for question in talk.desk.asked)
    assert second.settings[0] == ("DateStyle", "ISO, DMY") and first.binding != second.binding


@pytest.mark.parametrize(
    "before", [b"SET datestyle = 'DMY'", b"SELECT set_config('datestyle', 'DMY', true)", b"COMMIT"]
)
def test_a_setting_that_may_not_be_reported_yet_refuses(talk: Talk, before: bytes) -> None:
    prepare(talk)
    talk.client >> [
        Parse(b"", before),
        Bind(b"", b""),
        Execute(),
        Bind(b"", b"s"),
    ]
    talk.server >> [ParseComplete(), BindComplete(), CommandComplete(b"SET")]
    talk.client.heard()
    talk.server >> SYNTAX_ERROR
    told = fields(talk.client.next())
    assert (told["C"], told["H"]) == (
        "0A000", "send a Sync before the statement that needs approval",
    )  # fmt: skip
    assert not talk.desk.asked
    talk.client >> Sync()
    talk.server >> READY
    bind(talk, b"1")
    assert talk.desk.asked


def test_a_changed_value_format_or_type_is_another_request(talk: Talk) -> None:
    prepare(talk, (23,))
    seen = set()
    for values, formats in (
        ((b"1",), ()), ((b"2",), ()), ((None,), ()), ((b"1", b"1"), ()), ((b"1",), (1,)),
    ):  # fmt: skip
        bind(talk, *values, formats=formats)
        seen.add(talk.desk.last.request.binding)
        refused(talk, PENDING)
    talk.client >> [Parse(b"t", UPDATE, (25,)), Bind(b"", b"t", (), (b"1",)), Sync()]
    talk.server >> ParseComplete()
    seen.add(talk.desk.last.request.binding)
    assert len(seen) == len(talk.desk.asked) == 6


def test_a_signed_context_is_not_shown_to_who_judges(talk: Talk) -> None:
    talk.engine.contexts["s3cret"] = Assumed(7, "42", 9e9)
    text = b"/*querywarden_context='s3cret'*/ " + UPDATE
    talk.engine.table[without_context(text)[0]] = talk.engine.table[UPDATE]
    talk.client >> Query(text)
    request = talk.desk.last.request
    assert (request.subject.tenant, request.subject.user_id) == (7, "42")
    assert "s3cret" not in request.statement and request.statement.endswith(UPDATE.decode())
    talk.session.wake()
    assert len(talk.desk.asked) == 1
    talk.desk.last.told(USED)
    assert talk.server.heard()[-1] == Query(UPDATE)


def test_a_reason_that_is_missing_spends_nothing(talk: Talk) -> None:
    talk.engine.table[UPDATE] = plan(UPDATE, write=replace(WRITE, reason_required=True))
    talk.client >> Query(UPDATE)
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("QW002"), READY]
    prepare(talk)
    bind(talk, b"1")
    talk.server >> [SYNTAX_ERROR, READY]
    talk.client << [error("QW002"), READY]
    assert not talk.desk.asked
