"""May a statement run now, as far as its login's rate and its price go?

The price is judged before anything of the statement goes up. It may not be known yet; then the
message waits, and whatever the client sends behind it. A statement counts when a Query brings it or
a Bind makes a portal of it: once for each run, however many steps a portal is read in. Transaction
control is free; a refused statement counts as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from policies.decision import Allow, Decision, Deny
from proxy.net.session import Session
from proxy.net.statement import Statement
from proxy.wire.ledger import Arrival

_FREE: Final = frozenset({"begin", "commit", "rollback", "savepoint", "release"})


def check_query(session: Session, decision: Decision) -> Decision | None:
    """The decision for a Query, unless its statements are too many or too expensive; None: ask
    again when woken."""
    if isinstance(decision, Deny):
        return check_refused(session, decision)
    if session.subject is None:
        return decision
    priced = check_price(session, decision)
    if not isinstance(priced, Allow):
        return check_refused(session, priced) if priced is not None else None
    if session.consents.asking is not None:  # counted before it waited for somebody's consent
        return decision
    paid = [one.facts for one in decision.statements if one.facts.operation not in _FREE]
    if not paid:
        return decision
    return session.engine.spend(session.subject, len(paid), paid[0]) or decision


def check_price(session: Session, allow: Allow, oids: Sequence[int] = ()) -> Decision | None:
    """The decision itself, a refusal for its price, or None: the session is woken when it is
    known. `oids`: the types a Parse declares for its parameters."""
    for plan in allow.statements:
        within = session.engine.price(plan, oids, session.wake)
        if within is False:
            return None
        if isinstance(within, Deny):
            return within
    return allow


def check_refused(session: Session, deny: Deny) -> Deny:
    """The refusal of a statement, or that it is one too many."""
    if session.subject is None or not session.metered:
        return deny
    return session.engine.spend(session.subject, 1, deny.facts) or deny


def check_run(session: Session, statement: Statement | None, arrival: Arrival) -> bytes:
    """The ErrorResponse for a Bind of one statement too many; b"" for any other."""
    plan = statement.plan if statement is not None else None
    if session.subject is None or plan is None or plan.facts.operation in _FREE:
        return b""
    deny = session.engine.spend(session.subject, 1, plan.facts)
    return session.refused(deny, arrival) if deny is not None else b""
