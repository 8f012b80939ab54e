"""SQL's own names: PREPARE, EXECUTE, DECLARE, FETCH and MOVE, judged before they go up.

A decision depends on text, subject and rules only, so its plans just say which name they make or
use. Here they are asked about when nothing is owed: what the upstream has is then certain, and
until a new name is confirmed nothing else goes up. So a name known here stands for just that at the
upstream, or for nothing there, and one not known here does not exist.

Knows sessions and names; sends nothing.
"""

from __future__ import annotations

from time import perf_counter
from typing import Final

from policies import reasons
from policies.decision import Allow, Deny, Naming, Plan
from proxy.net import answers
from proxy.net.results import Results
from proxy.net.session import Session
from proxy.net.standing import STATEMENT_BYTES, UNCERTAIN, check_snapshot, has_room, stale
from proxy.net.statement import Statement
from proxy.wire.ledger import Arrival
from proxy.wire.names import key_of

_MISSING: Final = {
    "execute": ("26000", 'prepared statement "{}" does not exist'),
    "fetch": ("34000", 'cursor "{}" does not exist'),
}


def judge(session: Session, statement: Statement, arrival: Arrival) -> bytes | None:
    """Say what `statement` makes and what it reads from; the ErrorResponse when a name in it may
    not be used. To be asked only when nothing is owed."""
    deny = session.acting.check(statement.allow)
    judgement = _Judgement(session, statement.allow, arrival)
    try:
        for plan in statement.allow.statements if deny is None else ():
            judgement.add(plan)
    except _Unusable as unusable:
        return unusable.answer
    if deny is None:
        statement.judged(judgement.made, judgement.targets)
        deny = session.acting.check_reason(statement)
    return None if deny is None else session.refused(deny, arrival)


def judge_portal(
    session: Session, bound: tuple[Statement, int], name: bytes, arrival: Arrival
) -> Statement | int | bytes:
    """What an Execute of this portal runs; otherwise as `check_portal`."""
    statement, group = bound
    if not statement.named:
        deny = session.acting.check_reason(statement)
        return statement if deny is None else session.refused(deny, arrival)
    if statement.target is not None:
        return statement  # it has begun, and goes on with what it has
    if session.ledger.owed:
        return UNCERTAIN
    run = statement.again()
    answer = judge(session, run, arrival)
    if answer is not None:
        return answer
    session.names.portals[name] = (run, group)
    return run


def settle(
    session: Session, naming: Naming, statement: Statement, index: int, result: Results
) -> bytes:
    """The plan of that index is complete: what it made goes by its name from now on, what it read
    has been given. Returns what the client is to be told."""
    if not statement.made:
        return b""
    made, target, key = statement.made[index], statement.targets[index], key_of(naming.name)
    if naming.what == "fetch" and target is not None:
        target.spent += result.size
    elif naming.what == "prepare" and made is not None:
        session.names.prepared(key, made)
    elif naming.what == "declare" and made is not None:
        session.names.declared(key, made, naming.hold)
        result.portal_gone(key, perf_counter())
        return b"" if naming.rows is None else answers.cursor_notice(naming.rows)
    return b""


class _Unusable(Exception):
    """The text may not run; `answer` is the ErrorResponse."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer


class _Judgement:
    """The statements of one text in their order: each sees the names made before it."""

    def __init__(self, session: Session, allow: Allow, arrival: Arrival) -> None:
        self._session = session
        self._allow = allow
        self._arrival = arrival
        self._prepared: dict[bytes, Statement] = {}
        self._cursors: dict[bytes, Statement] = {}
        self.made: list[Statement | None] = []
        self.targets: list[Statement | None] = []

    def add(self, plan: Plan) -> None:
        naming = plan.naming
        made = target = None
        if naming is not None:
            match naming.what:
                case "prepare":
                    made = self._prepared[key_of(naming.name)] = self._make(plan, naming)
                case "declare":
                    made = self._cursors[key_of(naming.name)] = self._make(plan, naming)
                case "execute":
                    target = self._prepared_statement(plan, naming)
                case "fetch":
                    target = self._cursor(plan, naming)
        self.made.append(made)
        self.targets.append(target)

    def _make(self, plan: Plan, naming: Naming) -> Statement:
        """What will go by the name. It keeps a decision of its own, not that of the whole text."""
        session, allow = self._session, self._allow
        if not has_room(session, len(naming.text) + STATEMENT_BYTES):
            deny = session.deny(
                reasons.TOO_LARGE,
                "too many prepared statements and cursors",
                "DEALLOCATE and CLOSE those that are no longer needed",
                plan.facts,
            )
            raise _Unusable(session.refused(deny, self._arrival))
        if len(allow.statements) > 1:
            decision, _, _ = session.decide(naming.text, further=True)
            if isinstance(decision, Deny) or [p.sql for p in decision.statements] != [plan.sql]:
                raise _Unusable(session.refused(session.internal_error(), self._arrival))
            allow = decision
        by_sql = naming.what == "prepare"
        return Statement(naming.text, allow, session.snapshot, 0.0, True, by_sql=by_sql)

    def _prepared_statement(self, plan: Plan, naming: Naming) -> Statement:
        key = key_of(naming.name)
        known = self._prepared.get(key) or self._session.names.settled.get(key)
        target = self._usable(plan, naming, known)
        query = target.plan
        runs = query is not None and (query.returns_rows or query.write is not None)
        if query is None or query.naming is not None or not runs:
            raise self._denied(
                plan,
                f'prepared statement "{naming.name}" is no query, so EXECUTE does not run it',
                "run it the way it was prepared",
            )
        if naming.capability not in ("", query.facts.capability):
            raise self._denied(
                plan,
                f'"{naming.name}" was not prepared under capability "{naming.capability}"',
                "name the capability in the PREPARE",
            )
        if query.consent is not None:
            raise self._denied(
                plan,
                f'prepared statement "{naming.name}" needs approval, so EXECUTE does not run it',
                "send it by itself, or run it the way it was prepared",
            )
        return target

    def _cursor(self, plan: Plan, naming: Naming) -> Statement:
        key, names = key_of(naming.name), self._session.names
        known = self._cursors.get(key)
        if known is None and key in names.portals:
            raise self._denied(
                plan,
                f'"{naming.name}" is a portal of the protocol: FETCH and MOVE read cursors only',
                "use DECLARE, or read the portal by Execute messages",
            )
        if known is None and key in names.cursors:
            known, _ = names.cursors[key]
        return self._usable(plan, naming, known)

    def _usable(self, plan: Plan, naming: Naming, known: Statement | None) -> Statement:
        session = self._session
        if known is None:
            sqlstate, message = _MISSING[naming.what]
            session.failed(plan.facts, sqlstate, self._arrival)
            raise _Unusable(answers.error(sqlstate, message.format(naming.name)))
        step = check_snapshot(session, known, self._arrival)
        if isinstance(step, bytes):
            raise _Unusable(step)
        if step == UNCERTAIN:  # its price under the new rules is not known yet
            raise _Unusable(stale(session, known, self._arrival))
        return known

    def _denied(self, plan: Plan, message: str, hint: str) -> _Unusable:
        deny = self._session.deny(reasons.STATEMENT_NOT_ALLOWED, message, hint, plan.facts)
        return _Unusable(self._session.refused(deny, self._arrival))
