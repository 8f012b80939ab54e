"""Errors and notices of the upstream: whose they are, and what of them the client is told.

A refused message's error is replaced by our answer. The rest is cleaned; of an error of a write
less is told (`write_errors`). Knows the ledger and plans; the handlers are called by `replies`.
"""

from __future__ import annotations

from typing import Final

from policies.decision import Facts, Plan
from proxy.net import answers, holding, write_errors
from proxy.net.passing import Passing
from proxy.net.statement import Statement
from proxy.net.write_errors import Failure, tells_of_rows
from proxy.net.wrote import stopped_by
from proxy.wire import hygiene
from proxy.wire.frames import HEADER_SIZE
from proxy.wire.hygiene import Fields
from proxy.wire.ledger import QUERY, REFUSED, REFUSED_QUERY, SYNC, Entry

_CANCELED: Final = "57014"
_NO_BLOCK: Final = b"25P01"  # no_active_sql_transaction
_FATAL: Final = frozenset({b"FATAL", b"PANIC"})
_OURS: Final = frozenset({REFUSED, REFUSED_QUERY})
_SYNC_FACTS: Final = Facts(operation="commit")


class Complaints(Passing):
    """The part of `replies.Replies` that handles ErrorResponse and NoticeResponse."""

    __slots__ = ()

    def _error(self, start: int, stop: int, count: int) -> None:
        fields = hygiene.read_fields(self._buffer[start + HEADER_SIZE : stop])
        head, dropped = self._ledger.failed()
        session = self._session
        session.acting.fail()
        session.writes.failed = True
        if head is not None:
            self._names.failed(head, dropped, self._ledger.owed)
        ours = head is not None and head[0] in _OURS
        if fields.get("V", fields.get("S")) in _FATAL:
            session.fatal_told()
        elif head is not None and ours:
            self._replace(start, stop, head[4])
            return
        sqlstate = fields.get("C", b"").decode("ascii", "replace")
        plan = self._failed_plan(head)
        failure = self._failure(fields, head, plan)
        hint = plan.hints.get(sqlstate, "") if plan is not None else ""
        if sqlstate == _CANCELED and head is not None:
            hint = session.time_hint(head[3], self._now)
        hint = holding.spent(head, failure.hint or hint)
        if head is not None and not ours and not self._is_over(head):
            self._record(head, plan, failure, sqlstate, hint)
        if session.enforcing:
            sent, text = self._sent(head, plan)
            answer = answers.upstream_error(failure.fields, sent, text, hint)
            if failure.check is not None:
                answer = answers.unmet(failure.check, session.snapshot.version, hint)
            self._replace(start, stop, answer)
        self._writing.reset()
        if session.steps is not None:
            session.steps.failed()

    def _record(
        self, head: Entry[Statement], plan: Plan | None, failure: Failure, sqlstate: str, hint: str
    ) -> None:
        result, check, stopped = self._result, failure.check, plan
        result.take_up(head)
        result.affected, result.wrote = None, failure.wrote
        if plan is not None and plan.write is not None and plan.write.copies_in:
            result.size = self._session.taken
        if plan is not None and check is not None:
            stopped = stopped_by(plan, check.rule, check.table, check.column)
        result.end(
            head[2], stopped, head[3], self._now,
            "cancelled" if sqlstate == _CANCELED else failure.outcome,
            failure.sqlstate or sqlstate, hint, failure.code,
        )  # fmt: skip
        if head[0] == QUERY and head[2] is not None:
            self._index = len(head[2].allow.statements)  # the rest of the text does not run

    def _failure(self, fields: Fields, head: Entry[Statement] | None, plan: Plan | None) -> Failure:
        """What of the error is told, which is less when something was written."""
        session, writes, found = self._session, self._session.writes, None
        if head is not None and session.enforcing:
            write = plan.write if plan is not None else None
            if write is not None and not (session.steps is not None and session.steps.synced):
                found = write_errors.failure(fields, write, head[0])
            elif writes.rows:
                found = write_errors.late_failure(fields, writes.deferred())
        return found or Failure(fields)

    def _failed_plan(self, head: Entry[Statement] | None) -> Plan | None:
        if head is None:
            return None
        kind, _, statement, _, _ = head
        if kind == SYNC:
            return Plan(b"", _SYNC_FACTS)  # what failed is the implicit commit
        if statement is None:
            return None
        if kind == QUERY and statement.plan:
            return None if self._is_over(head) else self._plan(statement)
        return statement.plan

    def _is_over(self, head: Entry[Statement]) -> bool:
        """Whether it is a Query that has failed already: the connection's end may follow."""
        kind, _, statement, _, _ = head
        if kind != QUERY or statement is None or statement.allow.mode != "enforce":
            return False
        return 0 < len(statement.plans) <= self._index

    def _sent(
        self, head: Entry[Statement] | None, plan: Plan | None
    ) -> tuple[answers.Sent | None, bytes]:
        """The statements an error may point into, and the client's text they were made of; None
        when it may be in the text of a PREPARE."""
        if head is None or head[2] is None:
            return (), b""
        if head[2].by_sql or (plan is not None and plan.naming and plan.naming.what == "execute"):
            return None, b""
        plans = head[2].allow.statements
        if self._session.steps is not None and plan is not None:
            plans = (plan,)
        return [(each.sql, each.written) for each in plans], head[2].text

    def _notice(self, start: int, stop: int, count: int) -> None:
        if self._session.enforcing:
            fields = hygiene.read_fields(self._buffer[start + HEADER_SIZE : stop])
            if self._is_hushed(fields):
                return self._replace(start, stop)
            self._replace(start, stop, hygiene.clean_fields(b"N", fields))

    def _is_hushed(self, fields: Fields) -> bool:
        """Whether a notice tells of rows, or of a step where the client sent a Query: statements of
        one are in a transaction block, so SET LOCAL does not warn of there being none."""
        owed = self._ledger.owed
        statement = owed[0][2] if owed else None
        writes = statement is not None and statement.writes
        if (writes or self._session.writes.rows) and tells_of_rows(fields, writes):
            return True
        if statement is None or self._session.steps is None or fields.get("C") != _NO_BLOCK:
            return False
        plan = self._plan(statement)
        return plan is not None and plan.facts.operation == "set" and len(statement.plans) > 1
