"""What comes back of a statement that writes: rows kept, left out or cut, the count judged.

Rows of a write are kept until it is known how many it affected, so that a client gets either its
result or an error, as from PostgreSQL, which sends nothing of a write before it has run. Too many:
the upstream gets a statement it must refuse before anything that could commit, and takes back all
of it, whatever triggers did included.

Knows results, plans and sessions; the frames it is given and gives are whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from struct import Struct
from time import perf_counter
from typing import Final

from policies.decision import Plan, Write, denial
from policies.reasons import Refusal
from proxy.net import answers
from proxy.net.affected import HELD_BYTES, over_statement, over_totals, rows_affected, too_large
from proxy.net.holding import spent
from proxy.net.results import Results
from proxy.net.session import Session
from proxy.net.statement import Statement, is_unbounded
from proxy.net.upstream import FLUSH, NO_TYPES, REFUSED_NAME, OwnStatement
from proxy.net.wrote import stopped_by, went_well
from proxy.oplog.images import MOST_BYTES as IMAGE_BYTES
from proxy.oplog.images import Images
from proxy.wire.frames import HEADER_SIZE
from proxy.wire.last_column import (
    bind_with_one_more,
    bind_without_formats,
    description_without,
    frames_in,
    row_without,
)
from proxy.wire.ledger import EXECUTE, QUERY, REFUSED, Entry, OutOfStep
from proxy.wire.messages import CommandComplete, NoData, PortalSuspended

_NO_DATA: Final = NoData().encode()
SUSPENDED: Final = PortalSuspended().encode()
_ROWS: Final = Struct("!i")
_ALL: Final = _ROWS.pack(0)
# Frames around the values of rows whose images are kept.
_IMAGE_ROOM: Final = 2 * IMAGE_BYTES


def is_held(session: Session, write: Write) -> bool:
    """Whether the end of it waits until the count is known."""
    return is_unbounded(write) or session.totals is not None


def any_held(session: Session, plans: Sequence[Plan]) -> bool:
    """The same of any statement of a text."""
    return any(plan.write is not None and is_held(session, plan.write) for plan in plans)


def has_hidden_column(statement: Statement) -> bool:
    """Whether the rows its client gets have a last column the client does not know of."""
    write = statement.plan.write if statement.plan is not None else None
    return write is not None and write.images and not write.silent


def bind_frame(statement: Statement, whole: bytes) -> bytes:
    """The client's Bind frame with formats for the columns there really are."""
    write = statement.plan.write if statement.plan is not None else None
    if write is None:
        return whole
    if write.silent:
        return bind_without_formats(whole)
    return bind_with_one_more(whole) if write.images else whole


def execute_frame(session: Session, statement: Statement, whole: bytes) -> tuple[bytes, bytes]:
    """The client's Execute frame as it goes up, and what the ledger is to say of it: b"", or when
    its end waits the rows the client asked for. It always asks for all: a portal that stopped in
    between would not say how many rows there were."""
    write = statement.plan.write if statement.plan is not None else None
    if write is None or whole.find(0, HEADER_SIZE) + 1 + _ROWS.size != len(whole):
        return whole, b""  # what is malformed does not run
    asked = b"" if whole.endswith(_ALL) or write.silent else whole[-_ROWS.size :]
    if asked and _ROWS.unpack(asked)[0] < 0:
        asked = b""
    frame = whole[: -_ROWS.size] + _ALL
    return frame, asked or (_ALL if is_held(session, write) else b"")


class Writing:
    """The result of the write now being answered. `open`: a row of it is coming in pieces."""

    __slots__ = ("_full", "_images", "_kept", "_result", "_room", "_session", "_size", "open")

    def __init__(self, session: Session, result: Results) -> None:
        self._session = session
        self._result = result
        self.open = False
        self.reset()

    def reset(self) -> None:
        """The next result begins."""
        self._images: Images | None = None
        self._kept: list[bytes] = []
        self._size = self._room = 0
        self._full = False

    def columns(self, kind: int, plan: Plan | None, whole: bytes) -> bytes:
        """What stands for a RowDescription: b"" for nothing yet, or nothing at all."""
        write = plan.write if plan is not None else None
        if write is not None and write.silent:
            return b"" if kind == QUERY else _NO_DATA
        if write is not None and write.images:
            whole = description_without(whole)
        steps = self._session.steps
        if kind == QUERY and steps is not None and not steps.is_plain(plan):
            steps.columns = whole
            return b""
        return whole

    # Rows.

    def takes(self, entry: Entry[Statement], plan: Plan, piece: bytes, count: int) -> bool:
        """Whether these rows are kept or left out, and not passed on. `count` as in Frame."""
        write = plan.write
        if write is None:
            return False
        if write.silent:
            self._room = _IMAGE_ROOM if write.images else 0
        elif _is_kept(entry, self._session):
            self._room = HELD_BYTES
        else:
            return False
        self.open = not count
        self._keep(piece)
        return True

    def more(self, piece: bytes, last: int) -> None:
        """A later piece of a row that was taken."""
        self.open = not last
        self._keep(piece)

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        self._full = self._full or self._size > self._room
        if not self._full:
            self._kept.append(piece)

    # The end.

    def completed(
        self, entry: Entry[Statement], plan: Plan, write: Write, whole: bytes
    ) -> tuple[list[bytes], bytes] | None:
        """The rows to say and the frame that ends them; None when the statement is refused."""
        result = self._result
        tag = whole[HEADER_SIZE:-1]
        kept = _is_kept(entry, self._session)
        later = result.affected is not None  # a portal's step, which was counted before
        if not later:
            rows = rows_affected(tag)
            counted = write.bound if rows is None else rows
            refusal = self._judge(write, counted, kept)
            if refusal is not None and not kept:
                raise OutOfStep  # the client could only be told when it is too late
            if refusal is not None:
                self._refuse(entry, plan, refusal)
                return None
            self._session.writes.wrote(write, (counted or 0) + write.inside)
            result.affected = rows
            result.size += self._session.taken if write.copies_in else 0
        shown = [*result.rest, *self._fitting(plan, self._shown(write, result.affected))]
        result.rest = []
        if not later:
            result.wrote = went_well(write, self._images)
        if write.tag:
            tag = _retagged(write.tag.encode(), tag)
            whole = CommandComplete(tag).encode()
        asked = _ROWS.unpack(entry[4])[0] if entry[4] else 0
        if asked and len(shown) >= asked:
            result.rest, shown, whole = shown[asked:], shown[:asked], b""
        elif later:
            tag = b"%b %d" % (tag.rpartition(b" ")[0], len(shown))
            whole = CommandComplete(tag).encode()
        result.rows += len(shown)
        result.size += sum(map(len, shown))
        self.reset()
        return shown, whole or SUSPENDED

    def _judge(self, write: Write, rows: int | None, kept: bool) -> Refusal | None:
        refusal = over_statement(write, rows)
        totals, before = self._session.totals, self._session.writes
        if refusal is None and totals is not None and kept:
            together = (rows or 0) + write.inside
            refusal = over_totals(totals, together, before.rows, before.total)
        if refusal is None and self._full and not write.silent:
            refusal = too_large(write)
        return refusal

    def _shown(self, write: Write, rows: int | None) -> list[bytes]:
        """Of the rows kept, what the client may have; images are taken out."""
        kept = list(frames_in(b"".join(self._kept)))
        self._images = None
        if write.images:
            self._images = Images()
            pairs = [row_without(frame) for frame in kept]
            for _, image in pairs:
                self._images.add(image)
            self._images.truncated |= rows is not None and len(pairs) < rows
            kept = [row for row, _ in pairs]
        return [] if write.silent else kept

    def _fitting(self, plan: Plan, shown: list[bytes]) -> list[bytes]:
        """Those within the limits of a result, which a SELECT over writes in WITH has."""
        number = len(shown) if plan.cap is None else min(len(shown), plan.cap)
        if plan.most_bytes is not None:
            sizes = accumulate(map(len, shown[:number]))
            number = sum(size <= plan.most_bytes for size in sizes)
        if number < len(shown):
            self._result.truncated = True
            self._result.swallowed += len(shown) - number
        return shown[:number]

    def _refuse(self, entry: Entry[Statement], plan: Plan, refusal: Refusal) -> None:
        """What the upstream will refuse too goes up before anything else does."""
        session, arrival = self._session, entry[3]
        refusal.hint = spent(entry, refusal.hint)
        answer = answers.denial(denial(refusal, plan.facts, session.snapshot.version))
        stopped = stopped_by(plan, refusal.rule, refusal.table)
        self._result.end(
            entry[2], stopped, arrival, perf_counter(), "refused", refusal.reason.sqlstate,
            refusal.hint, refusal.reason.code,
        )  # fmt: skip
        self.reset()
        if session.steps is not None:
            session.steps.refuse(answer)
            return
        owed = session.ledger.owed
        owed.popleft()
        if owed:
            raise OutOfStep
        owed.append((REFUSED, REFUSED_NAME, None, arrival, answer))
        session.upstream.parse(REFUSED_NAME, OwnStatement.REFUSED, NO_TYPES)
        session.upstream.forward(FLUSH, 0, len(FLUSH))
        session.upstream.flush()


def _is_kept(entry: Entry[Statement], session: Session) -> bool:
    """Whether nothing was sent behind it: its end waits for our judgement."""
    return bool(entry[4]) if entry[0] == EXECUTE else session.steps is not None


def _retagged(verb: bytes, tag: bytes) -> bytes:
    """The command tag with another verb; only INSERT's has a zero before the count."""
    count = tag.rpartition(b" ")[2]
    return b"%b %b" % (b"INSERT 0" if verb == b"INSERT" else verb, count)
