"""Prepared statements and portals by name, as the upstream has them or will have them.

Knows names and their order of change; what a name stands for is the session's. Both sides use the
same names. A change counts from the moment it is sent (`statements`, `portals`: the view a
pipelining client's next message is judged by) and is undone when the upstream drops it after an
error: `settled` is what the upstream has confirmed.

PostgreSQL's facts (tcop/postgres.c, commands/prepare.c, utils/mmgr/portalmem.c):
- names are compared by their first 63 bytes;
- a Query drops the unnamed statement, and so does a Parse of the unnamed statement that fails;
- named statements survive ROLLBACK; portals end with their transaction, but for cursors WITH HOLD;
- SQL's PREPARE and protocol-level Parse share one table, and so do DECLARE and Bind.

What SQL makes (PREPARE, DECLARE) counts from its confirmation: nothing else is sent meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from proxy.wire import ledger

NAME_BYTES: Final = 63
# Cursors that are remembered; of more the oldest is forgotten, and so cannot be read any more.
MOST_CURSORS: Final = 1000


def key_of(name: str) -> bytes:
    """A name in SQL as the protocol would have it."""
    return name.encode()[:NAME_BYTES]


class Named:
    """A prepared statement's standing: confirmed by the upstream or not, sent in which group.
    `doubtful`: what goes by its name may have been changed behind our back."""

    __slots__ = ("doubtful", "group", "settled")

    def __init__(self) -> None:
        self.doubtful = False
        self.settled = False
        self.group = -1


S = TypeVar("S", bound=Named)


class Names(Generic[S]):
    """One session's names. `portals` maps to (statement, group of the Bind), `cursors` to
    (statement, whether WITH HOLD). A name in `cursors` is that cursor's at the upstream, or
    nobody's: whatever could make it another's takes it out."""

    __slots__ = ("cursors", "portals", "settled", "statements")

    def __init__(self) -> None:
        self.statements: dict[bytes, S] = {}
        self.settled: dict[bytes, S] = {}
        self.portals: dict[bytes, tuple[S, int]] = {}
        self.cursors: dict[bytes, tuple[S, bool]] = {}

    def parse_sent(self, name: bytes, statement: S, group: int) -> None:
        statement.group = group
        self.statements[name] = statement

    def parse_settled(self, name: bytes, statement: S) -> None:
        statement.settled = True
        self.settled[name] = statement

    def bind_sent(self, portal: bytes, statement: S, group: int) -> None:
        self.portals[portal] = (statement, group)
        self.cursors.pop(portal, None)

    def describable(self, name: bytes) -> tuple[S, int] | None:
        """A portal, or a cursor, which is one of a group long gone."""
        cursor = self.cursors.get(name)
        return (cursor[0], -1) if cursor is not None else self.portals.get(name)

    def prepared(self, name: bytes, statement: S) -> None:
        """SQL's PREPARE did it."""
        self.statements[name] = statement
        self.parse_settled(name, statement)

    def declared(self, name: bytes, statement: S, hold: bool) -> None:
        """SQL's DECLARE did it, so there is no portal of that name."""
        self.portals.pop(name, None)
        self.cursors.pop(name, None)
        self.cursors[name] = statement, hold
        if len(self.cursors) > MOST_CURSORS:
            del self.cursors[next(iter(self.cursors))]

    def close_sent(self, target: bytes) -> None:
        """`target`: b"S" or b"P", then the name."""
        if target[:1] == b"S":
            self.statements.pop(target[1:], None)
        else:
            self.portals.pop(target[1:], None)
            self.cursors.pop(target[1:], None)

    def close_settled(self, target: bytes) -> None:
        if target[:1] == b"S":
            self.settled.pop(target[1:], None)

    def query_sent(self) -> None:
        if self.statements:
            self.statements.pop(b"", None)
        if self.portals:
            self.portals.pop(b"", None)

    def query_settled(self) -> None:
        if self.settled:
            self.settled.pop(b"", None)

    def transaction_ended(self) -> None:
        """Portals do not outlive their transaction. Call only when nothing is owed."""
        self.portals.clear()
        if self.cursors:
            self.cursors = {name: each for name, each in self.cursors.items() if each[1]}

    def distrust(self) -> None:
        """For a while nobody looked at what SQL did with names."""
        for statement in (*self.statements.values(), *self.settled.values()):
            statement.doubtful = True
        for statement, _ in self.portals.values():
            statement.doubtful = True
        self.cursors.clear()

    def forget_statement(self, name: bytes | None) -> None:
        """SQL's DEALLOCATE did it, and has been confirmed. None: all."""
        gone = self.settled if name is None else {name: self.settled.get(name)}
        for key, statement in list(gone.items()):
            self.settled.pop(key, None)
            if self.statements.get(key) is statement:
                self.statements.pop(key, None)

    def forget_portal(self, name: bytes | None) -> None:
        """SQL's CLOSE did it. None: all."""
        if name is None:
            self.portals.clear()
            self.cursors.clear()
        else:
            self.portals.pop(name, None)
            self.cursors.pop(name, None)

    def failed(
        self,
        head: ledger.Entry[S],
        dropped: Iterable[ledger.Entry[S]],
        owed: Iterable[ledger.Entry[S]],
    ) -> None:
        """After an error: `head` failed, `dropped` never happened, `owed` is still to come."""
        if head[0] in (ledger.PARSE, ledger.REFUSED) and not head[1]:
            self.settled.pop(b"", None)
        unbound = {entry[1] for entry in (head, *dropped) if entry[0] == ledger.BIND}
        statements = dict(self.settled)
        for kind, name, statement, _, _ in owed:
            if kind == ledger.BIND:
                unbound.discard(name)
            elif kind == ledger.PARSE and statement is not None:
                statements[name] = statement
            elif kind == ledger.CLOSE and name[:1] == b"S":
                statements.pop(name[1:], None)
            elif kind in (ledger.QUERY, ledger.REFUSED_QUERY):
                statements.pop(b"", None)
        self.statements = statements
        for name in unbound:
            self.portals.pop(name, None)
