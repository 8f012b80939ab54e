"""Counts of the result that is coming in, and of portals that have given a part of theirs.

Knows rows, bytes and who asked. A portal run in several steps is one
operation: its counts go on from step to step and are recorded when it is complete or gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.decision import Plan, Shown
from proxy.net.session import Session
from proxy.net.statement import Statement
from proxy.net.wrote import Wrote
from proxy.wire.copies import CopiedRows
from proxy.wire.frames import HEADER
from proxy.wire.ledger import EXECUTE, Arrival, Entry
from proxy.wire.plans import HeldPlan


@dataclass(frozen=True, slots=True)
class Suspended:
    """A portal's counts so far; `arrival` is its first Execute's. Of a write, which has run
    whole: `affected` rows, what the record says, and `rest`, rows still to be given."""

    statement: Statement | None
    arrival: Arrival
    rows: int
    size: int
    truncated: bool
    affected: int | None
    wrote: Wrote | None
    rest: list[bytes]


class Results:
    """One result at a time. `rows` and `size` (bytes) are what the client got, all steps included;
    `swallowed` is how many rows were left out in this step. The rest is of a write: see Suspended.
    """

    __slots__ = (
        "_arrival", "_copy", "_plan", "_session", "_suspended", "affected", "rest", "rows", "size",
        "swallowed", "truncated", "wrote",
    )  # fmt: skip

    def __init__(self, session: Session) -> None:
        self._session = session
        self._suspended: dict[bytes, Suspended] = {}
        self._arrival: Arrival | None = None
        self.reset()

    def reset(self) -> None:
        """The next result begins."""
        self.rows = self.size = self.swallowed = 0
        self.truncated = False
        self._arrival = None
        self._copy: CopiedRows | None = None
        self._plan: HeldPlan | None = None
        self.affected: int | None = None
        self.wrote: Wrote | None = None
        self.rest: list[bytes] = []

    @property
    def dropping(self) -> bool:
        """The frame coming in pieces is left out: a row in pieces is the last one begun."""
        if self._plan is not None:
            return True
        return self.truncated if self._copy is None else self._copy.dropping

    @property
    def holding(self) -> bool:
        """Rows of an EXPLAIN have come, and none of them was passed on."""
        return self._plan is not None

    def hold(self, piece: bytes, shown: Shown | None = None) -> None:
        """Keep rows of an EXPLAIN until all are there. Without `shown`: if some are kept."""
        if self._plan is None and shown is not None:
            self._plan = HeldPlan(shown)
        if self._plan is not None:
            self._plan.add(piece)

    def released(self) -> list[bytes]:
        """What may be shown of the rows held."""
        frames = self._plan.redacted() if self._plan is not None else []
        self._plan = None
        self.rows += len(frames)
        self.size += sum(map(len, frames))
        return frames

    def copy_begins(self, plan: Plan | None) -> bool:
        """The rows come as COPY data; whether the plan says in which form."""
        if plan is None or plan.copy is None:
            return False
        form = plan.copy
        self._copy = CopiedRows(plan.cap, plan.most_bytes, header=form.header, binary=form.binary)
        return True

    def copied(self, buffer: bytes, start: int, stop: int, count: int) -> tuple[int, int, bytes]:
        """Count a run of COPY data; the bytes of it to leave out (an empty range for none) and what
        stands there instead."""
        self.size += stop - start
        if self._copy is None:
            return stop, stop, b""
        first, last, instead = self._copy.take(buffer, start, stop, count)
        self.size += len(instead) - (last - first)
        self.rows, self.swallowed = self._copy.rows, self._copy.left_out
        self.truncated = self.swallowed > 0
        return first, last, instead

    def copied_all(self, count: int | None) -> int | None:
        """A tag that counts came: of a COPY out it counts rows, those left out too. The rows that
        were affected."""
        if self._copy is None or count is None:
            return count
        self.rows = count - self.swallowed
        return None

    @property
    def clear(self) -> bool:
        """No result is under way and no portal is suspended."""
        return not (self.rows or self.truncated or self._suspended or self.holding)

    def room(
        self, plan: Plan | None, spent: int, buffer: bytes, start: int, stop: int, count: int
    ) -> int:
        """How many of these rows the client may have; after one that is left out, none. `count` is
        0 for one that comes in pieces; `spent`: bytes that were given before."""
        more = count or 1
        if self.truncated:
            return 0
        if plan is not None and plan.cap is not None:
            more = min(more, plan.cap - self.rows)
        if plan is None or plan.most_bytes is None:
            return more
        left = plan.most_bytes - spent - self.size
        if count and more == count and stop - start <= left:
            return more
        at = start
        for fitting in range(more):
            at += 1 + HEADER(buffer, at)[1]
            if at - start > left:
                return fitting
        return more

    def take_up(self, entry: Entry[Statement]) -> None:
        """A reply to `entry` came: if it runs a suspended portal, that one's counts go on."""
        if not self._suspended or entry[0] != EXECUTE:
            return
        before = self._suspended.pop(entry[1], None)
        if before is not None:
            self._arrival = before.arrival
            self.rows += before.rows
            self.size += before.size
            self.truncated = before.truncated
            self.affected, self.wrote, self.rest = before.affected, before.wrote, before.rest

    def suspend(self, name: bytes, statement: Statement | None, arrival: Arrival) -> None:
        """The portal has more to give."""
        self._suspended[name] = Suspended(
            statement, self._arrival or arrival, self.rows, self.size, self.truncated,
            self.affected, self.wrote, self.rest,
        )  # fmt: skip
        self.reset()

    def end(
        self,
        statement: Statement | None,
        plan: Plan | None,
        arrival: Arrival,
        now: float,
        outcome: str = "ok",
        sqlstate: str = "",
        hint: str = "",
        code: str = "",
    ) -> None:
        """Record it; the next result begins."""
        self._session.ended(
            statement, plan, self._arrival or arrival, now, outcome, sqlstate, hint,
            self.rows, self.size, self.affected, self.truncated, code, self.wrote,
        )  # fmt: skip
        self.reset()

    def portal_gone(self, name: bytes | None, now: float, outcome: str = "ok") -> None:
        """What a suspended portal gave is all it will give. None: all of them."""
        if not self._suspended:
            return
        for each in list(self._suspended) if name is None else [name]:
            before = self._suspended.pop(each, None)
            if before is not None:
                plan = before.statement.plan if before.statement is not None else None
                self._session.ended(
                    before.statement, plan, before.arrival, now, outcome,
                    rows=before.rows, size=before.size, affected=before.affected,
                    truncated=before.truncated, wrote=before.wrote,
                )  # fmt: skip
