"""What goes up in place of a client message that may not: something the upstream refuses too.

So its state stays what the client believes it is, and its error is replaced by our answer. Knows
the ledger and one read's bytes; decides nothing.
"""

from __future__ import annotations

from typing import Final

from proxy.net.session import Session
from proxy.net.upstream import NO_TYPES, REFUSED_NAME, OwnStatement
from proxy.wire.ledger import REFUSED, REFUSED_QUERY, Arrival
from proxy.wire.phases import Phase

# What a handler answers: go on, wait with this message, wait after it, or stop reading for good.
GO: Final = 0
HOLD: Final = 1
HOLD_AFTER: Final = 2
STOP: Final = 3


class Refusals:
    """The part of `requests.Requests` that leaves messages out. `_from`: where the bytes of
    `_buffer` begin that are neither sent nor dropped yet; `_dropping`: the rest of a frame that
    comes in pieces is dropped."""

    __slots__ = ("_arrival", "_buffer", "_dropping", "_from", "_ledger", "_names", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ledger = session.ledger
        self._names = session.names
        self._buffer = b""
        self._arrival: Arrival = (0.0, 0.0)
        self._from = 0
        self._dropping = False

    def _cut(self, start: int, stop: int, count: int) -> None:
        """This frame is not forwarded as it is; what stands before it is."""
        if start > self._from:
            self._session.upstream.forward(self._buffer, self._from, start)
        self._from = stop
        if not count:
            self._dropping = True

    def _instead(self, start: int, stop: int, frame: bytes) -> None:
        """Another frame that carries no text goes up for this one."""
        self._cut(start, stop, 1)
        self._session.upstream.forward(frame, 0, len(frame))

    def _not_usable(self, step: int | bytes, start: int, stop: int, count: int) -> int:
        return HOLD if isinstance(step, int) else self._refuse(start, stop, count, step)

    def _refuse(
        self, start: int, stop: int, count: int, answer: bytes, name: bytes = REFUSED_NAME
    ) -> int:
        """In place of an extended message: what the upstream will refuse, `answer` to the client.

        A Parse keeps its name, as PostgreSQL drops the unnamed statement when its Parse fails.
        What follows up to the Sync is dropped here: the upstream would ignore it.
        """
        if self._buffer[start] in b"QF":
            return self._refuse_query(start, stop, count, answer)
        self._cut(start, stop, count)
        self._session.upstream.parse(name, OwnStatement.REFUSED, NO_TYPES)
        self._ledger.owed.append((REFUSED, name, None, self._arrival, answer))
        self._ledger.phase = Phase.SKIPPING
        return GO

    def _refuse_query(self, start: int, stop: int, count: int, answer: bytes) -> int:
        """The same in place of a Query or FunctionCall."""
        self._cut(start, stop, count)
        self._session.upstream.query(OwnStatement.REFUSED)
        self._names.query_sent()
        self._ledger.sync_sent((REFUSED_QUERY, b"", None, self._arrival, answer))
        return HOLD_AFTER if self._session.unsettled else GO

    def _internal_error(self, start: int, stop: int, count: int) -> int:
        """A handler failed: the statement is refused, and nothing of it has gone out."""
        answer = self._session.refused(self._session.internal_error(), self._arrival)
        return self._refuse(start, stop, count, answer)

    def _nameless(self, start: int, stop: int, count: int) -> int:
        """A body whose names cannot be read, refused as PostgreSQL refuses it."""
        answer = self._session.violation("invalid string in message", self._arrival)
        return self._refuse(start, stop, count, answer)
