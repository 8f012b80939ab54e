"""May a statement be prepared, may a prepared statement or a portal be used now?

Knows names, groups and snapshots; sends nothing. Use is asked about off the usual path only. Three
things make it a question: the name is unknown, its Parse or Bind was sent in an earlier group and
is not confirmed yet (it may have been skipped, so what the name stands for is not certain until
nothing is owed), or it was decided under an older snapshot.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from policies import reasons
from policies.decision import Allow, Decision, Deny, Facts
from proxy.net import answers
from proxy.net.metering import check_price, check_refused
from proxy.net.session import UNKNOWN, Session
from proxy.net.statement import Statement
from proxy.wire.ledger import Arrival

# Texts of all prepared statements of one client, and what one weighs beside its text.
PREPARED_BYTES: Final = 32 * 1024 * 1024
STATEMENT_BYTES: Final = 1024

_COUNT_SIZE: Final = 2
_TYPE: Final = Struct("!I")

# Yes, or ask again when nothing is owed. An ErrorResponse is the third answer.
USABLE: Final = 0
UNCERTAIN: Final = 1


def check_parse(session: Session, found: Decision, text: bytes, types: bytes) -> Decision | None:
    """An Allow itself, or why it cannot be this prepared statement; None: ask again when woken.
    `text` and `types` are those of the client's Parse, the latter with their count."""
    judged = _check_prepared(session, found, text, types) if isinstance(found, Allow) else found
    return check_refused(session, judged) if isinstance(judged, Deny) else judged


def _check_prepared(session: Session, allow: Allow, text: bytes, types: bytes) -> Decision | None:
    if len(allow.statements) > 1:
        return session.deny(
            reasons.SYNTAX_ERROR,
            "cannot insert multiple commands into a prepared statement",
            "send one statement at a time",
            allow.statements[0].facts,
        )
    if not has_room(session, len(text) + STATEMENT_BYTES):
        return session.deny(
            reasons.TOO_LARGE,
            "too many prepared statements",
            "DEALLOCATE those that are no longer needed",
            allow.statements[0].facts if allow.statements else UNKNOWN,
        )
    oids = [oid for (oid,) in _TYPE.iter_unpack(types[_COUNT_SIZE:])]
    if oids:
        deny = session.check_types(oids)
        if deny is not None:
            return deny
    return check_price(session, allow, oids) if session.metered else allow


def has_room(session: Session, size: int) -> bool:
    """What one client may have us remember is bounded. Counted up, and exactly only when that
    says it is too much."""
    session.prepared_bytes += size
    if session.prepared_bytes > PREPARED_BYTES:
        names = session.names
        known = [*names.statements.values(), *(cursor for cursor, _ in names.cursors.values())]
        held = sum(len(statement.text) + STATEMENT_BYTES for statement in known)
        session.prepared_bytes = held + size
    return session.prepared_bytes <= PREPARED_BYTES


def check_statement(
    session: Session, statement: Statement | None, name: bytes, arrival: Arrival
) -> int | bytes:
    """USABLE, UNCERTAIN, or the ErrorResponse for the client."""
    ledger = session.ledger
    certain = statement is not None and (statement.settled or statement.group == ledger.group)
    if not certain and ledger.owed:
        return UNCERTAIN
    if statement is not None:
        return check_snapshot(session, statement, arrival)
    shown = name.decode("utf-8", "replace")
    which = f'prepared statement "{shown}"' if name else "unnamed prepared statement"
    return _unknown(session, "26000", f"{which} does not exist", arrival)


def check_portal(
    session: Session, bound: tuple[Statement, int] | None, name: bytes, arrival: Arrival
) -> int | bytes:
    """The same for a portal; `bound` is what `Names.portals` has."""
    ledger = session.ledger
    if ledger.owed and (bound is None or bound[1] != ledger.group):
        return UNCERTAIN
    if bound is not None:
        return check_snapshot(session, bound[0], arrival)
    shown = name.decode("utf-8", "replace")
    return _unknown(session, "34000", f'portal "{shown}" does not exist', arrival)


def _unknown(session: Session, sqlstate: str, message: str, arrival: Arrival) -> int | bytes:
    """The upstream may know a name that we do not, from when nothing was enforced or as a cursor;
    under enforcement it does not exist."""
    if not session.enforcing:
        return USABLE
    session.failed(UNKNOWN, sqlstate, arrival)
    return answers.error(sqlstate, message)


def check_snapshot(session: Session, statement: Statement, arrival: Arrival) -> int | bytes:
    """What was decided under an older snapshot is decided again: only the same text may run, and
    an EXECUTE or FETCH that has begun goes on only if what it reads from may."""
    if statement.snapshot is session.snapshot:
        return USABLE
    if statement.target is not None:
        step = check_snapshot(session, statement.target, arrival)
        if step != USABLE:
            return step
    decision, _, _ = session.decide(statement.text)
    same = isinstance(decision, Allow) and _same(decision, statement)
    if isinstance(decision, Allow) and same and not statement.doubtful:
        priced = check_price(session, decision) if session.metered else decision
        if priced is None:
            return UNCERTAIN
        if isinstance(priced, Allow):
            statement.adopt(decision, session.snapshot)
            return USABLE
    return stale(session, statement, arrival)


def stale(session: Session, statement: Statement, arrival: Arrival) -> bytes:
    """The ErrorResponse for what may not run as it was decided. Drivers know it and prepare again;
    then they are told what there is to tell."""
    plan = statement.plan
    declared = plan is not None and plan.naming is not None and plan.naming.what == "declare"
    again = "declare the cursor again" if declared else "prepare the statement again"
    deny = session.deny(
        reasons.PLAN_CHANGED,
        "cached plan must not change result type",
        f"the policy or the schema changed: {again}",
        plan.facts if plan else Facts(),
    )
    return session.refused(deny, arrival)


def _same(allow: Allow, statement: Statement) -> bool:
    """Whether it may go on as it is: nothing of its text has changed, nor whose consent it needs. A
    consent that was given holds for whom and under what it was given."""
    return not statement.approval_id and _terms(allow) == _terms(statement.allow)


def _terms(allow: Allow) -> tuple[object, ...]:
    return (allow.text, *((plan.sql, plan.consent) for plan in allow.statements))


def parse_problem(last: int, types: bytes) -> str:
    """What is wrong with a Parse's body, in PostgreSQL's words; "" for nothing. `last`: where its
    text ends, -1 for nowhere."""
    if last < 0:
        return "invalid string in message"
    declared = _COUNT_SIZE + 4 * int.from_bytes(types[:_COUNT_SIZE], "big")
    if len(types) < declared:
        return "insufficient data left in message"
    return "invalid message format" if len(types) > declared else ""
