"""A Query that writes, sent statement by statement, so that each can still be undone.

PostgreSQL commits the last statement of a Query before it says how many rows that affected. So the
proxy sends each as Parse, Bind, Describe and Execute of the unnamed names and only the end as a
Sync, which is what commits. The client sees a Query's answer: confirmations are left out; a
RowDescription waits where PostgreSQL would run the statement before it sends one (a SELECT's rows
come as they are found, those of all others from a store); the last tag waits for the commit, whose
error would stand in its place (manual 54.2.2, 54.2.3; tcop/postgres.c, tcop/pquery.c).

Nothing else is under way meanwhile: it begins when nothing is owed, and what follows waits.
"""

from __future__ import annotations

from typing import Final

from policies import grammar
from policies.decision import Plan
from proxy.net import answers
from proxy.net.session import Session
from proxy.net.statement import Statement
from proxy.net.upstream import NO_TYPES, OwnStatement
from proxy.wire.ledger import QUERY, REFUSED_QUERY, Arrival
from proxy.wire.messages import Close, Sync

_SYNC: Final = Sync().encode()
_END: Final = Close(b"P").encode() + Close(b"S").encode() + _SYNC
_MISSING: Final = "42P02"  # undefined_parameter


class Steps:
    """The steps of one Query. `columns`: a RowDescription that waits; `last`: the CommandComplete
    that waits for the commit; `synced`: that has gone up."""

    __slots__ = ("_arrival", "_session", "_statement", "columns", "last", "synced")

    def __init__(self, session: Session, statement: Statement, arrival: Arrival) -> None:
        self._session = session
        self._statement = statement
        self._arrival = arrival
        self.synced = False
        self.columns = b""
        self.last = b""

    def begin(self) -> None:
        """In place of the Query."""
        entry = (QUERY, b"", self._statement, self._arrival, b"")
        self._session.ledger.sync_sent(entry)
        self._session.steps = self
        self.send(0)

    def send(self, index: int) -> None:
        """The statement of that number goes up."""
        plan = self._statement.allow.statements[index]
        number = _parameter(plan)
        if number:
            self._missing(plan, number)
            return
        self._session.upstream.step(self._statement.allow, index)
        self._session.upstream.flush()

    def released(self) -> list[bytes]:
        """The RowDescription that waited, if one did."""
        columns, self.columns = self.columns, b""
        return [columns] if columns else []

    def ends_with(self, index: int) -> bool:
        return index == len(self._statement.plans) - 1

    def finish(self, last: bytes) -> None:
        """All have run. The names they used go, as PostgreSQL's own for a Query do."""
        self.last = last
        self._sync(_END)

    def refuse(self, answer: bytes) -> None:
        """The statement that ran, or the next one, is refused: all of it is undone."""
        session = self._session
        session.ledger.owed[0] = (REFUSED_QUERY, b"", None, self._arrival, answer)
        session.upstream.parse(b"", OwnStatement.REFUSED, NO_TYPES)
        self._sync(_SYNC)

    def failed(self) -> None:
        """The upstream said an error; up to the Sync it ignores everything."""
        self.columns = self.last = b""
        if not self.synced:
            self._sync(_SYNC)

    def is_plain(self, plan: Plan | None) -> bool:
        """Whether PostgreSQL sends the RowDescription before the statement has run."""
        return plan is not None and plan.write is None and plan.facts.operation == "select"

    def _sync(self, end: bytes) -> None:
        self.synced = True
        self._session.end_group(end)

    def _missing(self, plan: Plan, number: tuple[int, int]) -> None:
        """A Query has no parameters: what PostgreSQL says of one."""
        parameter, place = number
        self._session.failed(plan.facts, _MISSING, self._arrival)
        fields = {
            "S": b"ERROR", "V": b"ERROR", "C": _MISSING.encode(),
            "M": b"there is no parameter $%d" % parameter, "P": b"%d" % place,
        }  # fmt: skip
        sent = [(plan.sql, plan.written)]
        self.refuse(answers.upstream_error(fields, sent, self._statement.text))


def _parameter(plan: Plan) -> tuple[int, int] | None:
    """The first parameter of a statement and the character it stands at. One inside a PREPARE is
    that statement's own."""
    if b"$" not in plan.sql or plan.naming is not None:
        return None
    for token in grammar.tokens(plan.sql):
        if token.name == "PARAM":
            number = int(plan.sql[token.start + 1 : token.end])
            return number, len(plan.sql[: token.start].decode()) + 1
    return None
