"""Writes whose transaction is not over: how many rows, and the records that wait for its end.

A write that ran may still be undone: by an error before its Sync, by a commit that fails, by an end
of the session. Rows count for the session once they are committed. Records wait for the next
ReadyForQuery, in their order; then a write either stands or is recorded as abandoned. One that
stands in a transaction block is told from an undone one by the record of what ended the block.
Savepoints are not followed: rows they took back count on until the transaction ends.

Knows tags and records; knows no session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policies.decision import Plan, Write
from proxy.oplog.operation import Operation

UNDONE: Final = "undone: its transaction did not get to its end"
UNCERTAIN: Final = "it ran; whether it was committed is not known"
# Records that wait; a client that sends more before a Sync gets them told as they stand.
MOST_KEPT: Final = 1000

_COMMITTED: Final = b"COMMIT"
_ROLLED_BACK: Final = b"ROLLBACK"
_TO_SAVEPOINT: Final = b"ROLLBACK TO"


class Unsettled:
    """One session's. `rows`: written in the transaction under way; `total`: by those committed;
    `failed`: there was an error since the last ReadyForQuery; `open`: any of this is not settled.
    """

    __slots__ = ("_constraints", "_kept", "_shown", "_tell", "failed", "open", "rows", "total")

    def __init__(self, tell: Callable[[Operation], None]) -> None:
        self._tell = tell
        self._kept: list[tuple[Operation, bool]] = []
        self._shown: frozenset[str] = frozenset()
        self._constraints: dict[str, str] = {}
        self.rows = self.total = 0
        self.failed = self.open = False

    def wrote(self, write: Write, rows: int) -> None:
        """A write ran."""
        self.open = True
        self.rows += rows
        self._shown |= write.shown
        self._constraints.update(write.constraints)

    def keep(self, operation: Operation, wrote: bool) -> None:
        """A record that comes when the group is over. `wrote`: of a write that went well."""
        self.open = True
        self._kept.append((operation, wrote))
        if len(self._kept) > MOST_KEPT:
            self._release("")

    def deferred(self) -> Write:
        """What errors may say that come when the transaction ends, of checks put off until then."""
        constraints = tuple(self._constraints.items())
        return Write(0, 0, "", constraints=constraints, shown=self._shown)

    def completed(self, plan: Plan, tag: bytes) -> None:
        """A statement is complete: it may have ended the transaction."""
        if tag == _COMMITTED:
            self.total += self.rows
        elif tag != _ROLLED_BACK or plan.sql.startswith(_TO_SAVEPOINT):
            return
        self._release("")
        self._over()

    def ready(self, idle: bool) -> None:
        """ReadyForQuery; `idle`: no transaction block is open."""
        self._release(UNDONE if self.failed and idle else "")
        if idle:
            if not self.failed:
                self.total += self.rows
            self._over()
        self.open = self.rows > 0
        self.failed = False

    def lost(self, certain: bool) -> None:
        """The session ends. `certain`: the upstream was asked for nothing that could commit."""
        self._release(UNDONE if certain else UNCERTAIN)
        self._over()

    def _over(self) -> None:
        self.rows = 0
        self.open = False
        self._shown = frozenset()
        self._constraints.clear()

    def _release(self, abandoned: str) -> None:
        """Tell what was kept; `abandoned`: what became of the writes, "" if they stand."""
        kept, self._kept = self._kept, []
        for operation, wrote in kept:
            if wrote and abandoned:
                operation.outcome, operation.hint = "abandoned", abandoned
            self._tell(operation)
