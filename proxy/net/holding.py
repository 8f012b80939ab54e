"""Statements that need somebody's consent: held while it is asked for, run once it is there.

Asked at Query, and for prepared statements at Bind, where the values are known; when nothing is
owed, so that nothing before it in a pipeline can still fail or change a setting. The message waits,
and what is behind it; then it goes on with an approval's id, or is refused with one. A consent is
spent when its statement goes up, whatever becomes of it then.

Knows sessions and what a consent is bound to; knows neither the store nor the gates.
"""

from __future__ import annotations

from struct import iter_unpack
from time import perf_counter
from typing import Final

from policies import grammar, reasons
from policies.comments import without_context
from policies.decision import Allow, Consent, Deny, Facts, Plan
from proxy.approvals.request import Answer, Request, binding
from proxy.approvals.values import read_values, shown
from proxy.net import answers, naming
from proxy.net.metering import check_run
from proxy.net.session import Session
from proxy.net.standing import UNCERTAIN, USABLE
from proxy.net.statement import Statement
from proxy.oplog.operation import Operation
from proxy.wire.codecs import Malformed
from proxy.wire.frames import KIB
from proxy.wire.ledger import Arrival, Entry

LONGEST: Final = 64 * KIB  # values nobody could look through

_COUNT_SIZE: Final = 2
_CANCELED: Final = "57014"
_ABORTED: Final = ord("E")  # of ReadyForQuery
_IN_FAILED_TRANSACTION: Final = "25P02"
_IGNORED: Final = "current transaction is aborted, commands ignored until end of transaction block"


def judge_query(session: Session, statement: Statement, arrival: Arrival) -> int | bytes:
    """Whether a Query may go up as far as names and consents go: USABLE, UNCERTAIN (ask again when
    woken), or the ErrorResponse."""
    if statement.consent is not None and session.ledger.owed:
        return UNCERTAIN
    answer = naming.judge(session, statement, arrival)
    if answer is not None:
        return answer
    if statement.consent is None:
        return USABLE
    deny = _unfit(session, statement.allow)
    if deny is not None:
        return session.refused(deny, arrival)
    step = _judge(session, statement, b"", (), arrival)
    if not isinstance(step, str):
        return step
    statement.approval_id = step
    return USABLE


def judge_bind(
    session: Session, statement: Statement | None, parameters: bytes | None, arrival: Arrival
) -> Statement | int | bytes | None:
    """What a Bind makes a portal of, once its rate and its consent are seen to; otherwise as
    `judge_query`. `parameters`: the Bind's body from behind the names on, None when it is too long
    to be held."""
    if statement is not None and statement.consent is not None and session.ledger.owed:
        return UNCERTAIN
    if session.metered and session.consents.asking is None:
        answer = check_run(session, statement, arrival)
        if answer:
            return answer
    if statement is None or statement.consent is None:
        return statement
    deny = session.acting.check_reason(statement) or _unfit(session, statement.allow)
    if deny is None and (parameters is None or len(parameters) > LONGEST):
        deny = _deny(
            session, statement, reasons.TOO_LARGE, "the values are too long for anybody to judge",
            "a statement that needs approval may have 64 kB of values",
        )  # fmt: skip
    if deny is not None or parameters is None:
        return session.refused(deny or session.internal_error(), arrival)
    try:
        formats, values, end = read_values(parameters)
    except Malformed as error:
        return session.violation(str(error), arrival)
    types = statement.described or statement.types
    oids = [oid for (oid,) in iter_unpack("!I", types[_COUNT_SIZE:])]
    given = statement.types + parameters[:end]
    step = _judge(session, statement, given, shown(formats, values, oids), arrival)
    if not isinstance(step, str):
        return step
    run = statement.again()
    run.approval_id = step
    return run


def described(entry: Entry[Statement], body: bytes) -> None:
    """The upstream says what types a statement's parameters have."""
    statement = entry[2]
    if statement is not None and statement.consent is not None:
        statement.described = body


def spent(entry: Entry[Statement] | None, hint: str) -> str:
    """The hint of an error, with a word on the approval that the failed statement has used."""
    statement = entry[2] if entry is not None else None
    if statement is None or not statement.approval_id:
        return hint
    said = f"approval {statement.approval_id} is used up by this attempt: sent again, it asks anew"
    return f"{hint}; {said}" if hint else said


def _unfit(session: Session, allow: Allow) -> Deny | None:
    """The refusal of a statement that cannot be asked about as it is sent."""
    message = hint = ""
    if len(allow.statements) > 1:
        message = "a statement that needs approval stands in a text with others"
        hint = "send each statement of the text by itself"
    elif allow.statements[0].write is None:
        message = "a statement that needs approval cannot be run by SQL's PREPARE or inside another"
        hint = "send it by itself, or prepare it with your driver"
    elif session.consents.unreported(session.ledger.group):
        message = "what ran before in this pipeline may have changed settings approvals depend on"
        hint = "send a Sync before the statement that needs approval"
    if not message:
        return None
    plan = next((each for each in allow.statements if each.consent), allow.statements[0])
    return session.deny(reasons.UNSUPPORTED_SYNTAX, message, hint, plan.facts)


def _judge(
    session: Session, statement: Statement, given: bytes, values: tuple[str, ...], arrival: Arrival
) -> str | int | bytes:
    """The approval it may run by; otherwise as `judge_query`."""
    plan = statement.plan
    if plan is None or plan.consent is None or session.subject is None:
        return session.refused(session.internal_error(), arrival)
    if session.status == _ABORTED:  # the upstream would refuse it, and the consent be spent
        session.failed(plan.facts, _IN_FAILED_TRANSACTION, arrival)
        return answers.error(_IN_FAILED_TRANSACTION, _IGNORED)
    request = _request(session, statement, plan, plan.consent, given, values)
    asking = session.consents.asking
    if asking is None or asking.request.binding != request.binding:
        if asking is not None:  # the rules have changed meanwhile
            asking.cancel()
        if session.consents.desk is None:
            return _refused(session, plan, Answer("unavailable"), arrival)
        asking = session.consents.asking = session.consents.desk.ask(request, session.wake)
    if asking.answer is None:
        return UNCERTAIN
    session.consents.asking = None
    if asking.answer.state != "used":
        return _refused(session, plan, asking.answer, arrival)
    return asking.answer.id


def _request(
    session: Session, statement: Statement, plan: Plan, consent: Consent, given: bytes,
    values: tuple[str, ...],
) -> Request:  # fmt: skip
    subject = session.subject or session.origin.subject
    version = statement.allow.policy_version
    reason = session.acting.reason(plan)
    settings = session.consents.settings()
    return Request(
        binding(plan.sql, [given], subject, consent.capability, version, settings, reason),
        subject, consent, version, plan.facts.operation, plan.facts.entities,
        plan.facts.sql_template, _shown(statement.text), values, settings, reason,
    )  # fmt: skip


def _shown(text: bytes) -> str:
    """The client's text without the signed context in it, which is a secret."""
    try:
        text, _ = without_context(text)
    except grammar.GrammarError:
        return ""
    return text.decode("utf-8", "replace")


def _refused(session: Session, plan: Plan, answer: Answer, arrival: Arrival) -> bytes:
    """Records that the statement is held or refused; the ErrorResponse for the client."""
    facts, consent = plan.facts, plan.consent
    by = " or ".join(consent.by) if consent is not None else ""
    match answer.state:
        case "cancelled":
            return _cancelled(session, facts, arrival)
        case "pending":
            until = f"{answer.expires:%Y-%m-%d %H:%M:%S} UTC" if answer.expires else "it expires"
            deny = session.deny(
                reasons.WRITE_APPROVAL_REQUIRED,
                f"the statement is held: approval {answer.id} must be granted first",
                f"somebody else with role {by} may grant it until {until} (querywarden approvals"
                f" grant {answer.id}); then send the same statement again",
                facts,
            )
        case "refused":
            deny = session.deny(
                reasons.WRITE_APPROVAL_REQUIRED,
                f"the statement was not run: approval {answer.id} was refused",
                f"talk to somebody with role {by}, or send another statement",
                facts,
            )
        case "crowded":
            deny = session.deny(
                reasons.RATE_LIMITED,
                "too many statements of your login wait for approval already",
                "wait until some are granted, refused or expired",
                facts,
            )
        case _:
            deny = session.deny(
                reasons.APPROVAL_UNAVAILABLE,
                "the statement needs approval, and nobody can be asked: it was not run",
                "try again later; the proxy's log says why approvals are not available",
                facts,
            )
    _record(session, plan, deny, answer, arrival)
    more = {"approval": answer.id, "state": answer.state} if answer.id else {}
    if answer.expires is not None:
        more["expires"] = answer.expires.isoformat(timespec="seconds")
    return answers.denial(deny, more=more)


def _cancelled(session: Session, facts: Facts, arrival: Arrival) -> bytes:
    started, clock = arrival
    session.record(
        Operation(
            session.acting.origin(session.snapshot), facts, "hold", session.snapshot.version,
            started, outcome="cancelled", sqlstate=_CANCELED, total_seconds=perf_counter() - clock,
        )
    )  # fmt: skip
    return answers.error(_CANCELED, "canceling statement due to user request")


def _record(session: Session, plan: Plan, deny: Deny, answer: Answer, arrival: Arrival) -> None:
    started, clock = arrival
    held = answer.state == "pending"
    session.record(
        Operation(
            session.acting.origin(session.snapshot), deny.facts, "hold" if held else "deny",
            deny.policy_version, started, outcome="held" if held else "refused",
            sqlstate=deny.reason.sqlstate, code=deny.reason.code, hint=deny.hint,
            total_seconds=perf_counter() - clock, reason=session.acting.reason(plan),
            approval_id=answer.id,
        )
    )  # fmt: skip


def _deny(
    session: Session, statement: Statement, reason: reasons.Reason, message: str, hint: str
) -> Deny:
    facts = statement.plan.facts if statement.plan is not None else Facts()
    return session.deny(reason, message, hint, facts)
