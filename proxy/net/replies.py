"""Upstream replies, passed on: each frame is forwarded, left out or replaced.

One call handles a whole read and ends in one write. Frames are told apart by tag and length only;
rows are counted and forwarded as slices, never decoded. The ledger says whose a reply is; a reply
that fits nothing owed ends the session.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Final

from policies.decision import Facts, Plan
from proxy.net import answers, round_trips
from proxy.net.session import Session, Statement
from proxy.wire import hygiene
from proxy.wire.frames import MORE, UPSTREAM_RULES, FrameReader, skip
from proxy.wire.ledger import (
    BIND,
    CLOSE,
    DESCRIBE_PORTAL,
    DESCRIBE_STATEMENT,
    EXECUTE,
    PARSE,
    QUERY,
    REFUSED,
    REFUSED_QUERY,
    SYNC,
    Arrival,
    Entry,
    OutOfStep,
)
from proxy.wire.messages import CommandComplete, ParameterStatus
from proxy.wire.phases import Phase

_ROW: Final = ord("D")
_BIND_COMPLETE: Final = ord("2")
_COLUMNS: Final = ord("T")
_COMPLETE: Final = ord("C")
_READY: Final = ord("Z")
_IDLE: Final = ord("I")
_BODY: Final = 5

_CANCELED: Final = "57014"
_FATAL: Final = frozenset({b"FATAL", b"PANIC"})
_COUNTING: Final = frozenset({b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"COPY"})
_COUNTING_INITIALS: Final = frozenset(b"IUDMC")
_RETURNING: Final = frozenset({b"SELECT", b"FETCH"})
_SYNC_FACTS: Final = Facts(operation="commit")


@dataclass(slots=True)
class Suspended:
    """A portal that has given some of its rows: its counts so far."""

    statement: Statement | None
    arrival: Arrival
    rows: int
    size: int
    truncated: bool


class Replies(asyncio.Protocol):
    """The upstream's side of a session. Counters are those of the result now coming in."""

    __slots__ = (
        "_arrival", "_index", "_kept", "_ledger", "_names", "_now", "_out", "_reader", "_rows",
        "_session", "_size", "_suspended", "_swallowed", "_truncated",
    )  # fmt: skip

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ledger = session.ledger
        self._names = session.names
        self._reader = FrameReader(UPSTREAM_RULES, merge_rows=True)
        self._out: list[bytes] = []
        self._kept = 0  # where the bytes begin that are neither forwarded nor left out yet
        self._now = 0.0
        self._rows = 0  # given to the client, earlier Executes of the portal included
        self._size = 0
        self._swallowed = 0  # rows beyond the cap, this Execute only
        self._truncated = False
        self._index = 0  # which statement of a Query is being answered
        self._arrival: Arrival | None = None  # the first Execute's, when the portal was suspended
        self._suspended: dict[bytes, Suspended] = {}

    def data_received(self, data: bytes) -> None:
        session = self._session
        if session.closed:
            return
        if self._index == 0 and not self._rows and self._reader.clear and not self._suspended:
            passed = round_trips.receive(session, data)
            if passed == len(data):
                self._after()
                return
            data = data[passed:] if passed else data
        self._ledger.unroll()
        self._now = perf_counter()
        buffer, frames = self._reader.feed(data)
        self._kept = 0
        stop = 0
        try:
            for tag, start, stop, count in frames:
                HANDLERS[tag](self, buffer, start, stop, count)
            if self._reader.error is not None:
                raise self._reader.error
        except Exception as error:
            session.out_of_step(error)
            return
        self._send(buffer, stop)
        self._after()

    def _after(self) -> None:
        """Everything read has been passed on: who was waiting for that goes on."""
        session = self._session
        if session.waiting and (not self._ledger.owed or self._ledger.phase is Phase.COPY_IN):
            if session.requests is not None:
                session.requests.resume()
        elif session.terminating and not self._ledger.owed:
            session.end(b"")
        elif session.draining and session.idle:
            session.shut_down()

    def _send(self, buffer: bytes, stop: int) -> None:
        out = self._out
        if out:
            if stop > self._kept:
                out.append(buffer[self._kept : stop])
            self._session.client.write(b"".join(out))
            out.clear()
        elif self._kept == 0 and stop == len(buffer):
            if buffer:
                self._session.client.write(buffer)
        elif stop > self._kept:
            self._session.client.write(buffer[self._kept : stop])

    def _replace(self, buffer: bytes, start: int, stop: int, *instead: bytes) -> None:
        """These bytes are not forwarded; what stands before them is."""
        if start > self._kept:
            self._out.append(buffer[self._kept : start])
        self._out.extend(instead)
        self._kept = stop

    # Rows and completions.

    def _row(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        entry = self._ledger.owed[0]
        if self._suspended:
            self._take_up(entry)
        cap = self._cap(entry)
        more = count or 1
        if cap is None or self._rows + more <= cap:
            self._rows += more
            self._size += stop - start
            return
        room = cap - self._rows
        cut = skip(buffer, start, room)
        self._rows = cap
        self._size += cut - start
        self._swallowed += more - room
        self._truncated = True
        self._replace(buffer, cut, stop)

    def _cap(self, entry: Entry[Statement]) -> int | None:
        statement = entry[2]
        if entry[0] == EXECUTE:
            return statement.cap if statement is not None else None
        if entry[0] != QUERY or statement is None:
            raise OutOfStep
        if self._index == 0:
            return statement.cap
        plan = self._plan(statement)
        return plan.cap if plan is not None else None

    def _plan(self, statement: Statement) -> Plan | None:
        """The plan of the Query's statement now being answered."""
        plans = statement.allow.statements
        if self._index < len(plans):
            return plans[self._index]
        if statement.allow.mode == "enforce":
            raise OutOfStep
        return plans[-1] if plans else None

    def _more(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        # A row in pieces is the last one begun; once rows are left out it is one of those.
        if self._truncated:
            self._replace(buffer, start, stop)
        else:
            self._size += stop - start

    def _complete(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        ledger = self._ledger
        entry = ledger.owed[0]
        statement = entry[2]
        if self._suspended:
            self._take_up(entry)
        if entry[0] == EXECUTE:
            ledger.owed.popleft()
            plan = statement.plan if statement is not None else None
        elif entry[0] == QUERY and statement is not None:
            plan = self._plan(statement)
            self._index += 1
        else:
            raise OutOfStep
        affected = None
        if buffer[start + _BODY] in _COUNTING_INITIALS:
            affected = _affected(buffer[start + _BODY : stop - 1])
        if self._truncated:
            self._correct(buffer, start, stop)
        ledger_phase = ledger.phase
        if ledger_phase is Phase.COPY_IN:
            ledger.phase = Phase.READY
        self._session.ended(
            statement, plan, self._arrival or entry[3], self._now,
            rows=self._rows, size=self._size, affected=affected, truncated=self._truncated,
        )  # fmt: skip
        self._reset()
        if plan is not None and plan.forget is not None:
            self._forget(plan)

    def _correct(self, buffer: bytes, start: int, stop: int) -> None:
        """Rows were left out: the tag must not count them, and the client is told."""
        tag = buffer[start + _BODY : stop - 1]
        verb, _, number = tag.rpartition(b" ")
        if verb in _RETURNING:
            tag = b"%b %d" % (verb, int(number) - self._swallowed)
        complete = CommandComplete(tag).encode()
        self._replace(buffer, start, stop, answers.cap_notice(self._rows), complete)

    def _forget(self, plan: Plan) -> None:
        forget = plan.forget
        if forget is None:
            return
        name = None if forget.name is None else forget.name.encode()[:63]
        if forget.what == "statement":
            self._names.forget_statement(name)
        else:
            self._names.forget_portal(name)
            self._close_suspended(name)

    def _reset(self) -> None:
        self._rows = self._size = self._swallowed = 0
        self._truncated = False
        self._arrival = None

    def _empty(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        if self._ledger.owed[0][0] == EXECUTE:
            self._ledger.owed.popleft()
        elif self._ledger.owed[0][0] != QUERY:
            raise OutOfStep

    # Suspended portals.

    def _suspend(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        _, name, statement, arrival, _ = entry = self._ledger.take(EXECUTE)
        if self._suspended:
            self._take_up(entry)
        self._suspended[name] = Suspended(
            statement, self._arrival or arrival, self._rows, self._size, self._truncated
        )
        self._reset()

    def _take_up(self, entry: Entry[Statement]) -> None:
        """The first reply to a further Execute of a suspended portal: its counts go on."""
        if entry[0] != EXECUTE:
            return
        before = self._suspended.pop(entry[1], None)
        if before is not None:
            self._arrival = before.arrival
            self._rows += before.rows
            self._size += before.size
            self._truncated = before.truncated

    def _close_suspended(self, name: bytes | None, outcome: str = "ok") -> None:
        """The portal is gone: what it gave is all it will give. None: all of them."""
        names = list(self._suspended) if name is None else [name]
        for each in names:
            before = self._suspended.pop(each, None)
            if before is not None:
                plan = before.statement.plan if before.statement is not None else None
                self._session.ended(
                    before.statement, plan, before.arrival, self._now, outcome,
                    rows=before.rows, size=before.size, truncated=before.truncated,
                )  # fmt: skip

    # The extended protocol's confirmations.

    def _parsed(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        entry = self._ledger.take(PARSE)
        if entry[2] is not None:
            self._names.parse_settled(entry[1], entry[2])

    def _bound(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        entry = self._ledger.owed.popleft()
        if entry[0] != BIND:
            raise OutOfStep
        if self._suspended:
            self._close_suspended(entry[1])

    def _closed(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        target = self._ledger.take(CLOSE)[1]
        self._names.close_settled(target)
        if self._suspended and target[:1] == b"P":
            self._close_suspended(target[1:])

    def _parameters(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        if self._ledger.owed[0][0] != DESCRIBE_STATEMENT:
            raise OutOfStep

    def _columns(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        kind = self._ledger.owed[0][0]
        if kind in (DESCRIBE_PORTAL, DESCRIBE_STATEMENT):
            self._ledger.owed.popleft()
        elif kind != QUERY:
            raise OutOfStep
        if self._session.enforcing:
            whole = buffer[start:stop]
            cleaned = hygiene.clean_columns(whole)
            if cleaned is not whole:
                self._replace(buffer, start, stop, cleaned)

    def _no_data(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        if self._ledger.owed.popleft()[0] not in (DESCRIBE_PORTAL, DESCRIBE_STATEMENT):
            raise OutOfStep

    def _ready(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        owed = self._ledger.owed
        kind = owed.popleft()[0]
        if kind in (QUERY, REFUSED_QUERY):
            self._index = 0
            self._names.query_settled()
        elif kind != SYNC:
            raise OutOfStep
        status = buffer[start + _BODY]
        self._session.status = status
        if status == _IDLE:
            if self._suspended:
                self._close_suspended(None)
            if self._names.portals and not owed:
                self._names.transaction_ended()

    # Errors and notices.

    def _error(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        session = self._session
        fields = hygiene.read_fields(buffer[start + _BODY : stop])
        head, dropped = self._ledger.failed()
        if head is not None:
            self._names.failed(head, dropped, self._ledger.owed)
        if fields.get("V", fields.get("S")) in _FATAL:
            session.fatal_told()
        elif head is not None and head[0] in (REFUSED, REFUSED_QUERY):
            self._replace(buffer, start, stop, head[4])
            return
        plan = self._failed_plan(head)
        sqlstate = fields.get("C", b"").decode("ascii", "replace")
        hint = plan.hints.get(sqlstate) if plan is not None else None
        if head is not None and head[0] not in (REFUSED, REFUSED_QUERY):
            self._record_failure(head, plan, sqlstate, hint)
            if head[0] == QUERY and head[2] is not None:
                self._index = len(head[2].allow.statements)  # the rest of the text does not run
        self._reset()
        if session.enforcing:
            self._replace(buffer, start, stop, hygiene.clean_fields(b"E", fields, hint))

    def _failed_plan(self, head: Entry[Statement] | None) -> Plan | None:
        if head is None or head[2] is None:
            return None
        return self._plan(head[2]) if head[0] == QUERY and head[2].plan else head[2].plan

    def _record_failure(
        self, head: Entry[Statement], plan: Plan | None, sqlstate: str, hint: str | None
    ) -> None:
        kind, _, statement, arrival, _ = head
        if self._suspended:
            self._take_up(head)
        if kind == SYNC:
            plan, arrival = Plan(b"", _SYNC_FACTS), (0.0, self._now)
        outcome = "cancelled" if sqlstate == _CANCELED else "failed"
        self._session.ended(
            statement, plan, self._arrival or arrival, self._now, outcome, sqlstate, hint or "",
            rows=self._rows, size=self._size, truncated=self._truncated,
        )  # fmt: skip

    def _notice(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        if self._session.enforcing:
            fields = hygiene.read_fields(buffer[start + _BODY : stop])
            self._replace(buffer, start, stop, hygiene.clean_fields(b"N", fields))

    def _parameter(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        status = ParameterStatus.decode(buffer[start + _BODY : stop])
        if status.name == b"application_name":
            session = self._session
            name = status.value.decode("utf-8", "replace")
            session.origin = replace(session.origin, application_name=name)

    def _pass(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        """Forwarded as it is."""

    # COPY.

    def _copy_in(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        self._check_copy()
        self._ledger.phase = Phase.COPY_IN

    def _copy_out(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        self._check_copy()

    def _copy_data(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        self._check_copy()
        self._size += stop - start

    def _check_copy(self) -> None:
        if self._ledger.owed[0][0] not in (EXECUTE, QUERY):
            raise OutOfStep

    # Flow and ends.

    def abandon(self, now: float) -> None:
        """The session ends: what is still owed and what is suspended will not be completed."""
        self._now = now
        self._ledger.unroll()
        for kind, _, statement, arrival, _ in self._ledger.owed:
            if kind == QUERY and statement is not None:
                for plan in statement.allow.statements[self._index :]:
                    self._session.ended(statement, plan, arrival, now, "abandoned")
            elif kind == EXECUTE and statement is not None:
                self._session.ended(statement, statement.plan, arrival, now, "abandoned")
            self._index = 0
        self._ledger.owed.clear()
        self._close_suspended(None, "abandoned")

    def pause_writing(self) -> None:
        self._session.stop_client("upstream")

    def resume_writing(self) -> None:
        self._session.start_client("upstream")

    def eof_received(self) -> None:
        """The transport closes itself; `connection_lost` follows."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.upstream_lost()


def _affected(tag: bytes) -> int | None:
    """The count in a tag like "INSERT 0 3" or "UPDATE 3"; None when it counts nothing."""
    words = tag.split(b" ")
    if len(words) > 1 and words[0] in _COUNTING and words[-1].isdigit():
        return int(words[-1])
    return None


HANDLERS: Final = {
    MORE: Replies._more,
    _ROW: Replies._row,
    _BIND_COMPLETE: Replies._bound,
    _COLUMNS: Replies._columns,
    _COMPLETE: Replies._complete,
    _READY: Replies._ready,
    ord("1"): Replies._parsed,
    ord("3"): Replies._closed,
    ord("t"): Replies._parameters,
    ord("n"): Replies._no_data,
    ord("s"): Replies._suspend,
    ord("I"): Replies._empty,
    ord("E"): Replies._error,
    ord("N"): Replies._notice,
    ord("S"): Replies._parameter,
    ord("A"): Replies._pass,
    ord("G"): Replies._copy_in,
    ord("H"): Replies._copy_out,
    ord("d"): Replies._copy_data,
    ord("c"): Replies._pass,
}
