"""What the upstream still owes, in order: one entry for each message it was sent that is answered.

Knows kinds and order; knows nothing of what a statement means. PostgreSQL answers in order, so the
first entry says whose a reply is. The law of errors (manual 54.2.3 "Extended Query"):

- an error while an extended message is handled drops everything up to the next Sync, unanswered;
- if that Sync has not been sent yet, whatever is sent before it is dropped as well (SKIPPING);
- an error inside a Query ends that Query only, and its ReadyForQuery still comes;
- an error while a Sync is handled (a commit that fails) drops nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

from proxy.wire.phases import Phase

S = TypeVar("S")

# Kinds of entries, by what answers them.
PARSE: Final = 1  # ParseComplete
BIND: Final = 2  # BindComplete
DESCRIBE_STATEMENT: Final = 3  # ParameterDescription, then RowDescription or NoData
DESCRIBE_PORTAL: Final = 4  # RowDescription or NoData
EXECUTE: Final = 5  # rows, then CommandComplete, EmptyQueryResponse or PortalSuspended
CLOSE: Final = 6  # CloseComplete
SYNC: Final = 7  # ReadyForQuery
QUERY: Final = 8  # results of any number, then ReadyForQuery
REFUSED: Final = 9  # an ErrorResponse to what stands in for a refused extended message
REFUSED_QUERY: Final = 10  # the same for a Query or FunctionCall, then ReadyForQuery
# Several in one: PARSE and DESCRIBE_PORTAL if the second field has a P or a D in it, and in any
# case BIND, EXECUTE and SYNC, all of the unnamed portal; the last field is the statement's name.
ROUND: Final = 11

_SPANNING: Final = frozenset((SYNC, QUERY, REFUSED_QUERY))

# When a message arrived: (epoch seconds, monotonic seconds).
Arrival = tuple[float, float]
# (kind, name, statement, arrival, our own answer). `name` is the statement's for PARSE, the
# portal's for BIND and EXECUTE, kind byte and name for CLOSE.
Entry = tuple[int, bytes, S | None, Arrival, bytes]


class OutOfStep(Exception):
    """The upstream answered what was not asked; the session cannot go on."""


class Ledger(Generic[S]):
    """The entries owed, oldest first. The session appends to `owed` and reads its head itself.

    `group` counts the Syncs and Queries sent: extended messages of one group fail together.
    """

    __slots__ = ("group", "owed", "phase")

    def __init__(self) -> None:
        self.owed: deque[Entry[S]] = deque()
        self.phase = Phase.READY
        self.group = 0

    def sync_sent(self, entry: Entry[S]) -> None:
        """A Sync or Query goes out: the next messages are a new group."""
        self.owed.append(entry)
        self.group += 1
        self.phase = Phase.READY

    def unroll(self) -> None:
        """Rounds, which stand only at the head, become the entries they are made of."""
        owed = self.owed
        rounds = []
        while owed and owed[0][0] == ROUND:
            rounds.append(owed.popleft())
        for _, parts, statement, arrival, name in reversed(rounds):
            owed.appendleft((SYNC, b"", None, arrival, b""))
            owed.appendleft((EXECUTE, b"", statement, arrival, b""))
            if b"D" in parts:
                owed.appendleft((DESCRIBE_PORTAL, b"", statement, arrival, b""))
            owed.appendleft((BIND, b"", statement, arrival, b""))
            if b"P" in parts:
                owed.appendleft((PARSE, name, statement, arrival, b""))

    def take(self, kind: int) -> Entry[S]:
        """The head, which must be of that kind, settled."""
        if not self.owed or self.owed[0][0] != kind:
            raise OutOfStep
        return self.owed.popleft()

    def failed(self) -> tuple[Entry[S] | None, list[Entry[S]]]:
        """An ErrorResponse came: the entry it answers (None: unasked) and those it drops.

        The entry is settled too, unless a ReadyForQuery is still owed for it.
        """
        owed = self.owed
        if self.phase is Phase.COPY_IN:
            self.phase = Phase.READY
        if not owed:
            return None, []
        head = owed[0]
        if head[0] in _SPANNING:
            return head, []
        owed.popleft()
        dropped = []
        while owed and owed[0][0] != SYNC:
            dropped.append(owed.popleft())
        if not owed:
            self.phase = Phase.SKIPPING
        return head, dropped
