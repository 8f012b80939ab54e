"""May a statement run now, as far as its login's rate goes?

A statement counts when a Query brings it or a Bind makes a portal of it: once for each run, however
many steps a portal is read in. Transaction control is free; a refused statement counts as one.
"""

from __future__ import annotations

from typing import Final

from policies.decision import Decision, Deny
from proxy.net.session import Session
from proxy.net.statement import Statement
from proxy.wire.ledger import Arrival

_FREE: Final = frozenset({"begin", "commit", "rollback", "savepoint", "release"})


def check_query(session: Session, decision: Decision) -> Decision:
    """The decision for a Query, unless its statements are too many."""
    if isinstance(decision, Deny):
        return check_refused(session, decision)
    if session.subject is None:
        return decision
    paid = [one.facts for one in decision.statements if one.facts.operation not in _FREE]
    if not paid:
        return decision
    return session.engine.spend(session.subject, len(paid), paid[0]) or decision


def check_refused(session: Session, deny: Deny) -> Deny:
    """The refusal of a statement, or that it is one too many."""
    if session.subject is None:
        return deny
    return session.engine.spend(session.subject, 1, deny.facts) or deny


def check_run(session: Session, statement: Statement | None, arrival: Arrival) -> bytes:
    """The ErrorResponse for a Bind of one statement too many; b"" for any other."""
    plan = statement.plan if statement is not None else None
    if session.subject is None or plan is None or plan.facts.operation in _FREE:
        return b""
    deny = session.engine.spend(session.subject, 1, plan.facts)
    return session.refused(deny, arrival) if deny is not None else b""
