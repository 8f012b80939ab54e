"""Upstream replies, passed on: each frame is forwarded, left out or replaced.

One call handles a whole read and ends in one write. Frames are told apart by tag and length only;
rows are counted and forwarded as slices, never decoded. The ledger says whose a reply is; a reply
that fits nothing owed ends the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Final

from policies.decision import Plan
from proxy.net import answers, holding, naming, round_trips
from proxy.net.affected import rows_affected
from proxy.net.complaints import Complaints
from proxy.net.session import MOST_OWED, Session
from proxy.net.statement import Statement
from proxy.net.writing import SUSPENDED
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
    REFUSED_QUERY,
    SYNC,
    Entry,
    OutOfStep,
)
from proxy.wire.messages import CommandComplete, ParameterStatus
from proxy.wire.names import key_of
from proxy.wire.phases import Phase

_BODY: Final = 5  # where a frame's body begins
_IDLE: Final = ord("I")

_DESCRIBES: Final = frozenset({DESCRIBE_PORTAL, DESCRIBE_STATEMENT})
_COUNTING_INITIALS: Final = frozenset(b"IUDMC")
_RETURNING: Final = frozenset({b"SELECT", b"FETCH", b"COPY"})


class Replies(Complaints, asyncio.Protocol):
    """The upstream's side of a session. Handlers look at `_buffer[start:stop]`, the frame."""

    __slots__ = ("_between", "_reader")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._reader = FrameReader(UPSTREAM_RULES)
        self._between = True  # no frame and no result is under way

    def data_received(self, data: bytes) -> None:
        session = self._session
        if session.closed:
            return
        try:
            short = self._between and not session.unsettled
            passed = round_trips.receive(session, data) if short else 0
            if passed != len(data):
                self._handle(data[passed:])
        except Exception as error:
            session.out_of_step(error)
            return
        if session.watched:
            self._look_after()

    def _look_after(self) -> None:
        """Everything read has been passed on: who was waiting for that goes on."""
        session = self._session
        if session.waiting and (not self._ledger.owed or self._ledger.phase is Phase.COPY_IN):
            session.wake()
        elif session.crowded and len(self._ledger.owed) < MOST_OWED // 2:
            session.start_client("owed")
        elif session.terminating and not self._ledger.owed:
            session.end(b"")
        elif session.draining and session.idle:
            session.shut_down()

    def _handle(self, data: bytes) -> None:
        self._now = perf_counter()
        self._ledger.unroll()
        self._buffer, frames = self._reader.feed(data)
        self._kept = stop = 0
        for tag, start, stop, count in frames:
            HANDLERS[tag](self, start, stop, count)
        if self._reader.error is not None:
            raise self._reader.error
        self._send(stop)
        self._buffer = b""
        self._between = self._index == 0 and self._result.clear and self._reader.clear

    @property
    def mid_frame(self) -> bool:
        """The client has got the beginning of a frame whose rest is still to come."""
        return self._reader.passing and not (self._result.dropping or self._writing.open)

    # Rows and completions.

    def _row(self, start: int, stop: int, count: int) -> None:
        entry, result = self._ledger.owed[0], self._result
        result.take_up(entry)
        more = count or 1
        plan, target = self._running(entry)
        statement = entry[2]
        if statement is not None and statement.writes and plan is not None:
            if self._writing.takes(entry, plan, self._buffer[start:stop], count):
                return self._replace(start, stop)
            if self._session.steps is not None:
                self._replace(start, start, *self._session.steps.released())
        if plan is not None and plan.shown is not None:
            result.hold(self._buffer[start:stop], plan.shown)
            return self._replace(start, stop)
        spent = target.spent if target is not None else 0
        room = result.room(plan, spent, self._buffer, start, stop, count)
        if room == more:
            result.rows += more
            result.size += stop - start
            return
        cut = skip(self._buffer, start, room)
        result.rows += room
        result.size += cut - start
        result.swallowed += more - room
        result.truncated = True
        self._replace(cut, stop)

    def _more(self, start: int, stop: int, count: int) -> None:
        if self._writing.open:
            self._writing.more(self._buffer[start:stop], count)
            self._replace(start, stop)
        elif self._result.dropping:
            self._result.hold(self._buffer[start:stop])
            self._replace(start, stop)
        else:
            self._result.size += stop - start

    def _complete(self, start: int, stop: int, count: int) -> None:
        entry, whole = self._ledger.owed[0], self._buffer[start:stop]
        kind, _, statement, _, _ = entry
        if kind != EXECUTE and (kind != QUERY or statement is None):
            raise OutOfStep
        self._result.take_up(entry)
        if statement is not None and statement.writes:
            self._replace(start, stop, *self._written(entry, whole))
            return
        said = self._settled(entry, whole)
        if said[0] is not whole:
            self._replace(start, stop, *said)

    def _written(self, entry: Entry[Statement], whole: bytes) -> list[bytes]:
        """The same when the text writes: what the client is told, which may be nothing yet."""
        plan, steps = self._running(entry)[0], self._session.steps
        said = steps.released() if steps is not None else []
        if plan is not None and plan.write is not None:
            ended = self._writing.completed(entry, plan, plan.write, whole)
            if ended is None:
                return []
            said, whole = [*said, *ended[0]], ended[1]
            if whole is SUSPENDED:
                self._ledger.owed.popleft()
                self._result.suspend(entry[1], entry[2], entry[3])
                return [*said, whole]
        if steps is None:
            return [*said, *self._settled(entry, whole)]
        if steps.ends_with(self._index):
            steps.finish(whole)
            return said
        said += self._settled(entry, whole)
        steps.send(self._index)
        return said

    def _settled(self, entry: Entry[Statement], whole: bytes) -> list[bytes]:
        """A statement is complete: it is recorded, and this is what the client is told."""
        kind, _, statement, arrival, _ = entry
        result, index = self._result, self._index
        if kind == EXECUTE:
            self._ledger.owed.popleft()
            index, plan = 0, statement.plan if statement is not None else None
        else:
            plan = self._plan(statement) if statement is not None else None
            self._index += 1
        tag = whole[_BODY:-1]
        said = result.released() if result.holding else []
        if whole[_BODY] in _COUNTING_INITIALS and result.affected is None:
            result.affected = result.copied_all(rows_affected(tag))
        if result.truncated:
            said += self._corrected(tag, plan)
        else:
            said.append(whole)
        if self._ledger.phase is Phase.COPY_IN:
            self._ledger.phase = Phase.READY
        if plan is not None and plan.naming is not None and statement is not None:
            told = naming.settle(self._session, plan.naming, statement, index, result)
            if told:
                said.insert(0, told)
        if plan is not None and self._session.writes.open:
            self._session.writes.completed(plan, tag)
        result.end(statement, plan, arrival, self._now)
        if plan is not None and plan.change is not None:
            self._session.acting.complete(plan.change, tag)
        if plan is not None and plan.forget is not None:
            self._forget(plan.forget.what, plan.forget.name)
        return said

    def _corrected(self, tag: bytes, plan: Plan | None) -> list[bytes]:
        """Rows were left out: the tag must not count them, and the client is told."""
        verb, _, number = tag.rpartition(b" ")
        if verb in _RETURNING:
            tag = b"%b %d" % (verb, int(number) - self._result.swallowed)
        rows = self._result.rows
        if plan is None or plan.most_bytes is None or rows == plan.cap:
            notice = answers.cap_notice(rows, b"rows")
        else:
            notice = answers.cap_notice(plan.most_bytes, b"bytes")
        return [notice, CommandComplete(tag).encode()]

    def _forget(self, what: str, name: str | None) -> None:
        key = None if name is None else key_of(name)
        if what == "statement":
            self._names.forget_statement(key)
        else:
            self._names.forget_portal(key)
            self._result.portal_gone(key, self._now)

    def _empty(self, start: int, stop: int, count: int) -> None:
        kind = self._ledger.owed[0][0]
        if kind == EXECUTE:
            self._ledger.owed.popleft()
        elif kind != QUERY:
            raise OutOfStep

    def _suspend(self, start: int, stop: int, count: int) -> None:
        _, name, statement, arrival, _ = entry = self._ledger.take(EXECUTE)
        self._result.take_up(entry)
        if self._result.holding:
            self._replace(start, start, *self._result.released())
        self._result.suspend(name, statement, arrival)

    # The extended protocol's confirmations.

    def _parsed(self, start: int, stop: int, count: int) -> None:
        if self._session.steps is not None:
            return self._replace(start, stop)  # of a step, which the client does not know of
        _, name, statement, _, silent = self._ledger.take(PARSE)
        if statement is not None:
            self._names.parse_settled(name, statement)
        if silent:
            self._replace(start, stop)

    def _bound(self, start: int, stop: int, count: int) -> None:
        if self._session.steps is not None:
            return self._replace(start, stop)  # of a step, which the client does not know of
        self._result.portal_gone(self._ledger.take(BIND)[1], self._now)

    def _closed(self, start: int, stop: int, count: int) -> None:
        if self._session.steps is not None:
            return self._replace(start, stop)  # of a step, which the client does not know of
        _, target, _, _, silent = self._ledger.take(CLOSE)
        self._names.close_settled(target)
        if silent:
            self._replace(start, stop)
        if target[:1] == b"P":
            self._result.portal_gone(target[1:], self._now)

    def _parameters(self, start: int, stop: int, count: int) -> None:
        if self._ledger.owed[0][0] != DESCRIBE_STATEMENT:
            raise OutOfStep
        holding.described(self._ledger.owed[0], self._buffer[start + _BODY : stop])

    def _columns(self, start: int, stop: int, count: int) -> None:
        kind, _, statement, _, _ = self._ledger.owed[0]
        if kind in _DESCRIBES:
            self._ledger.owed.popleft()
        elif kind != QUERY:
            raise OutOfStep
        if self._session.enforcing:
            whole = hygiene.clean_columns(self._buffer[start:stop])
            if statement is not None and statement.writes:
                plan = self._plan(statement) if kind == QUERY else statement.plan
                whole = self._writing.columns(kind, plan, whole)
            self._replace(start, stop, whole)

    def _no_data(self, start: int, stop: int, count: int) -> None:
        if self._session.steps is not None:
            return self._replace(start, stop)  # of a step, which the client does not know of
        if self._ledger.owed.popleft()[0] not in _DESCRIBES:
            raise OutOfStep

    def _ready(self, start: int, stop: int, count: int) -> None:
        owed, steps = self._ledger.owed, self._session.steps
        if steps is not None:
            self._session.steps = None
            if steps.last:
                self._replace(start, start, *self._settled(owed[0], steps.last))
        kind = owed.popleft()[0]
        if kind in (QUERY, REFUSED_QUERY):
            self._index = 0
            self._names.query_settled()
        elif kind != SYNC:
            raise OutOfStep
        status = self._session.status = self._buffer[start + _BODY]
        if self._session.unsettled:
            self._session.acting.ready(status == _IDLE)
        if status == _IDLE:
            self._result.portal_gone(None, self._now)
            if not owed:
                self._names.transaction_ended()
        writes = self._session.writes
        if writes.open or writes.failed:
            writes.ready(status == _IDLE)

    # Settings and notifications.

    def _parameter(self, start: int, stop: int, count: int) -> None:
        status = ParameterStatus.decode(self._buffer[start + _BODY : stop])
        self._session.consents.reported(status.name, status.value)
        if status.name == b"application_name":
            session = self._session
            name = status.value.decode("utf-8", "replace")
            session.origin = replace(session.origin, application_name=name)

    def _notification(self, start: int, stop: int, count: int) -> None:
        """Forwarded as it is."""

    # COPY.

    def _copy_in(self, start: int, stop: int, count: int) -> None:
        plan, _ = self._running(self._ledger.owed[0])
        copies = plan is not None and plan.write is not None and plan.write.copies_in
        if self._session.enforcing and not copies:
            raise OutOfStep  # nothing that is allowed asks for it
        self._session.taken = 0
        self._ledger.phase = Phase.COPY_IN

    def _copy_out(self, start: int, stop: int, count: int) -> None:
        plan, _ = self._running(self._ledger.owed[0])
        if not self._result.copy_begins(plan) and self._session.enforcing:
            raise OutOfStep

    def _copy_data(self, start: int, stop: int, count: int) -> None:
        self._running(self._ledger.owed[0])
        first, last, instead = self._result.copied(self._buffer, start, stop, count)
        if first < last:
            self._replace(first, last, instead)

    def _copy_done(self, start: int, stop: int, count: int) -> None:
        self._running(self._ledger.owed[0])

    # Flow and ends.

    def abandon(self, now: float) -> None:
        """The session ends: what is still owed and what is suspended will not be completed."""
        self._ledger.unroll()
        for kind, _, statement, arrival, _ in self._ledger.owed:
            if kind == QUERY and statement is not None:
                for plan in statement.plans[self._index :]:
                    self._result.end(statement, plan, arrival, now, "abandoned")
            elif kind == EXECUTE and statement is not None:
                self._result.end(statement, statement.plan, arrival, now, "abandoned")
            self._index = 0
        self._ledger.owed.clear()
        self._result.portal_gone(None, now, "abandoned")

    def pause_writing(self) -> None:
        self._session.stop_client("upstream")

    def resume_writing(self) -> None:
        self._session.start_client("upstream")

    def eof_received(self) -> None:
        """The transport closes itself; `connection_lost` follows."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.upstream_lost()


Handler = Callable[[Replies, int, int, int], None]

# Any other tag an upstream may send belongs to start-up or to replication: out of step.
HANDLERS: Final[dict[int, Handler]] = {
    MORE: Replies._more,
    ord("D"): Replies._row,
    ord("C"): Replies._complete,
    ord("T"): Replies._columns,
    ord("Z"): Replies._ready,
    ord("1"): Replies._parsed,
    ord("2"): Replies._bound,
    ord("3"): Replies._closed,
    ord("t"): Replies._parameters,
    ord("n"): Replies._no_data,
    ord("s"): Replies._suspend,
    ord("I"): Replies._empty,
    ord("E"): Replies._error,
    ord("N"): Replies._notice,
    ord("S"): Replies._parameter,
    ord("A"): Replies._notification,
    ord("G"): Replies._copy_in,
    ord("H"): Replies._copy_out,
    ord("d"): Replies._copy_data,
    ord("c"): Replies._copy_done,
}
