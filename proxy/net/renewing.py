"""A prepared statement of one user, run for another: it is prepared anew under its own name.

An application behind one login prepares a statement once and runs it for many users, each with a
context of its own (SET LOCAL querywarden.context). What was decided for one must not run for
another, so before the Bind the statement is decided for who acts now and prepared again, which the
client does not see. Only where nothing but tenant, user and attributes differ: columns and types
are then the same. Anything else is told, as `standing` says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policies.decision import Allow
from policies.subject import Subject
from proxy.net.acting import Under
from proxy.net.session import Session
from proxy.net.standing import UNCERTAIN, check_parse
from proxy.net.statement import Statement
from proxy.wire.ledger import CLOSE, PARSE, Arrival
from proxy.wire.messages import Close

# In the place of an answer of our own: the upstream's is nobody's business.
SILENT: Final = b"silent"
_BROKEN: Final = ord("E")


def renewed(session: Session, statement: Statement | None) -> Statement | int | None:
    """The statement decided for who acts now, or UNCERTAIN; None when it is for `standing` to say
    what becomes of it."""
    if statement is None or not statement.types or statement.named or statement.doubtful:
        return None
    certain = statement.settled or statement.group == session.ledger.group
    if statement.snapshot is session.snapshot or session.status == _BROKEN or not certain:
        return None
    decision, seconds, cached = session.decide(statement.text)
    if not isinstance(decision, Allow) or len(decision.statements) != 1:
        return None
    if decision.text == statement.allow.text or not _alike(session, statement):
        return None
    judged = check_parse(session, decision, statement.text, statement.types)
    if judged is not decision:
        return UNCERTAIN if judged is None else None
    found = Statement(
        statement.text, decision, session.snapshot, seconds, cached, types=statement.types
    )
    found.described = statement.described
    return found


def send(session: Session, name: bytes, statement: Statement, arrival: Arrival) -> None:
    """Prepare it upstream in place of the one that has the name."""
    names, ledger = session.names, session.ledger
    if name:
        frame = Close(b"S", name).encode()
        session.upstream.forward(frame, 0, len(frame))
        names.close_sent(b"S" + name)
        ledger.owed.append((CLOSE, b"S" + name, None, arrival, SILENT))
    session.upstream.parse(name, statement.allow, statement.types)
    names.parse_sent(name, statement, ledger.group)
    ledger.owed.append((PARSE, name, statement, arrival, SILENT))


def _alike(session: Session, statement: Statement) -> bool:
    """Whether it was decided under the same rules for one who may do the same."""
    before, now = statement.snapshot, session.subject
    if session.login is None or now is None:
        return False
    if isinstance(before, Under):
        return before.rules is session.rules and _means(before.subject) == _means(now)
    return before is session.rules and _means(session.login) == _means(now)


def _means(subject: Subject) -> Subject:
    """What somebody may do, whoever it is."""
    return replace(subject, tenant=None, user_id=None, attributes=())
