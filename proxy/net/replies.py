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

from policies.decision import Facts, Plan
from proxy.net import answers, naming, round_trips
from proxy.net.results import Results
from proxy.net.session import MOST_OWED, Session
from proxy.net.statement import Statement
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
    Entry,
    OutOfStep,
)
from proxy.wire.messages import CommandComplete, ParameterStatus
from proxy.wire.names import key_of
from proxy.wire.phases import Phase

_BODY: Final = 5  # where a frame's body begins
_IDLE: Final = ord("I")

_CANCELED: Final = "57014"
_FATAL: Final = frozenset({b"FATAL", b"PANIC"})
_OURS: Final = frozenset({REFUSED, REFUSED_QUERY})
_DESCRIBES: Final = frozenset({DESCRIBE_PORTAL, DESCRIBE_STATEMENT})
_COUNTING: Final = frozenset({b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"COPY"})
_COUNTING_INITIALS: Final = frozenset(b"IUDMC")
_RETURNING: Final = frozenset({b"SELECT", b"FETCH", b"COPY"})
_SYNC_FACTS: Final = Facts(operation="commit")


class Replies(asyncio.Protocol):
    """The upstream's side of a session. Handlers look at `_buffer[start:stop]`, the frame."""

    __slots__ = (
        "_between", "_buffer", "_index", "_kept", "_ledger", "_names", "_now", "_out", "_reader",
        "_result", "_session",
    )  # fmt: skip

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ledger = session.ledger
        self._names = session.names
        self._result = Results(session)
        self._reader = FrameReader(UPSTREAM_RULES)
        self._buffer = b""
        self._out: list[bytes] = []
        self._kept = 0  # where the bytes begin that are neither forwarded nor left out yet
        self._now = 0.0
        self._between = True  # no frame and no result is under way
        self._index = 0  # which statement of a Query is being answered

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

    def _send(self, stop: int) -> None:
        out, client = self._out, self._session.client
        if out:
            out.append(self._buffer[self._kept : stop])
            client.write(b"".join(out))
            out.clear()
        elif stop > self._kept:
            # A slice that is the whole is the same object: nothing is copied.
            client.write(self._buffer[self._kept : stop])

    def _replace(self, start: int, stop: int, *instead: bytes) -> None:
        """These bytes are not forwarded; what stands before them is."""
        if start > self._kept:
            self._out.append(self._buffer[self._kept : start])
        self._out.extend(instead)
        self._kept = stop

    @property
    def mid_frame(self) -> bool:
        """The client has got the beginning of a frame whose rest is still to come."""
        return self._reader.passing and not self._result.dropping

    # Rows and completions.

    def _row(self, start: int, stop: int, count: int) -> None:
        entry, result = self._ledger.owed[0], self._result
        result.take_up(entry)
        more = count or 1
        plan, target = self._running(entry)
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

    def _running(self, entry: Entry[Statement]) -> tuple[Plan | None, Statement | None]:
        """The plan whose result this is, and what it reads from when that has a name."""
        kind, _, statement, _, _ = entry
        if kind == EXECUTE:
            return (None, None) if statement is None else (statement.plan, statement.target)
        if kind != QUERY or statement is None:
            raise OutOfStep
        plan, targets = self._plan(statement), statement.targets
        return plan, targets[self._index] if targets else None

    def _plan(self, statement: Statement) -> Plan | None:
        """The plan of the Query's statement now being answered."""
        plans = statement.plans
        if self._index < len(plans):
            return plans[self._index]
        if statement.allow.mode == "enforce":
            raise OutOfStep
        return plans[-1] if plans else None

    def _more(self, start: int, stop: int, count: int) -> None:
        if self._result.dropping:
            self._result.hold(self._buffer[start:stop])
            self._replace(start, stop)
        else:
            self._result.size += stop - start

    def _complete(self, start: int, stop: int, count: int) -> None:
        entry, result = self._ledger.owed[0], self._result
        kind, _, statement, arrival, _ = entry
        result.take_up(entry)
        index = 0
        if kind == EXECUTE:
            self._ledger.owed.popleft()
            plan = statement.plan if statement is not None else None
        elif kind == QUERY and statement is not None:
            plan = self._plan(statement)
            index = self._index
            self._index += 1
        else:
            raise OutOfStep
        affected = None
        if result.holding:
            self._replace(start, start, *result.released())
        if self._buffer[start + _BODY] in _COUNTING_INITIALS:
            affected = result.copied_all(_affected(self._buffer[start + _BODY : stop - 1]))
        if result.truncated:
            self._correct(start, stop, plan)
        if self._ledger.phase is Phase.COPY_IN:
            self._ledger.phase = Phase.READY
        if plan is not None and plan.naming is not None and statement is not None:
            said = naming.settle(self._session, plan.naming, statement, index, result)
            if said:
                self._replace(start, start, said)
        result.end(statement, plan, arrival, self._now, affected=affected)
        if plan is not None and plan.change is not None:
            self._session.acting.complete(plan.change, self._buffer[start + _BODY : stop - 1])
        if plan is not None and plan.forget is not None:
            self._forget(plan.forget.what, plan.forget.name)

    def _correct(self, start: int, stop: int, plan: Plan | None) -> None:
        """Rows were left out: the tag must not count them, and the client is told."""
        tag = self._buffer[start + _BODY : stop - 1]
        verb, _, number = tag.rpartition(b" ")
        if verb in _RETURNING:
            tag = b"%b %d" % (verb, int(number) - self._result.swallowed)
        rows = self._result.rows
        if plan is None or plan.most_bytes is None or rows == plan.cap:
            notice = answers.cap_notice(rows, b"rows")
        else:
            notice = answers.cap_notice(plan.most_bytes, b"bytes")
        self._replace(start, stop, notice, CommandComplete(tag).encode())

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
        _, name, statement, _, _ = self._ledger.take(PARSE)
        if statement is not None:
            self._names.parse_settled(name, statement)

    def _bound(self, start: int, stop: int, count: int) -> None:
        self._result.portal_gone(self._ledger.take(BIND)[1], self._now)

    def _closed(self, start: int, stop: int, count: int) -> None:
        target = self._ledger.take(CLOSE)[1]
        self._names.close_settled(target)
        if target[:1] == b"P":
            self._result.portal_gone(target[1:], self._now)

    def _parameters(self, start: int, stop: int, count: int) -> None:
        if self._ledger.owed[0][0] != DESCRIBE_STATEMENT:
            raise OutOfStep

    def _columns(self, start: int, stop: int, count: int) -> None:
        kind = self._ledger.owed[0][0]
        if kind in _DESCRIBES:
            self._ledger.owed.popleft()
        elif kind != QUERY:
            raise OutOfStep
        if self._session.enforcing:
            self._replace(start, stop, hygiene.clean_columns(self._buffer[start:stop]))

    def _no_data(self, start: int, stop: int, count: int) -> None:
        if self._ledger.owed.popleft()[0] not in _DESCRIBES:
            raise OutOfStep

    def _ready(self, start: int, stop: int, count: int) -> None:
        owed = self._ledger.owed
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

    # Errors and notices.

    def _error(self, start: int, stop: int, count: int) -> None:
        fields = hygiene.read_fields(self._buffer[start + _BODY : stop])
        self._session.acting.fail()
        head, dropped = self._ledger.failed()
        if head is not None:
            self._names.failed(head, dropped, self._ledger.owed)
        ours = head is not None and head[0] in _OURS
        if fields.get("V", fields.get("S")) in _FATAL:
            self._session.fatal_told()
        elif head is not None and ours:
            self._replace(start, stop, head[4])
            return
        sqlstate = fields.get("C", b"").decode("ascii", "replace")
        plan = self._failed_plan(head)
        hint = plan.hints.get(sqlstate, "") if plan is not None else ""
        if sqlstate == _CANCELED and head is not None:
            hint = self._session.time_hint(head[3], self._now)
        if head is not None and not ours:
            outcome = "cancelled" if sqlstate == _CANCELED else "failed"
            self._result.take_up(head)
            self._result.end(head[2], plan, head[3], self._now, outcome, sqlstate, hint)
            if head[0] == QUERY and head[2] is not None:
                self._index = len(head[2].allow.statements)  # the rest of the text does not run
        if self._session.enforcing:
            sent, text = _sent(head, plan)
            self._replace(start, stop, answers.upstream_error(fields, sent, text, hint))

    def _failed_plan(self, head: Entry[Statement] | None) -> Plan | None:
        if head is None:
            return None
        kind, _, statement, _, _ = head
        if kind == SYNC:
            return Plan(b"", _SYNC_FACTS)  # what failed is the implicit commit
        if statement is None:
            return None
        return self._plan(statement) if kind == QUERY and statement.plan else statement.plan

    def _notice(self, start: int, stop: int, count: int) -> None:
        if self._session.enforcing:
            fields = hygiene.read_fields(self._buffer[start + _BODY : stop])
            self._replace(start, stop, hygiene.clean_fields(b"N", fields))

    def _parameter(self, start: int, stop: int, count: int) -> None:
        status = ParameterStatus.decode(self._buffer[start + _BODY : stop])
        if status.name == b"application_name":
            session = self._session
            name = status.value.decode("utf-8", "replace")
            session.origin = replace(session.origin, application_name=name)

    def _notification(self, start: int, stop: int, count: int) -> None:
        """Forwarded as it is."""

    # COPY.

    def _copy_in(self, start: int, stop: int, count: int) -> None:
        self._running(self._ledger.owed[0])
        if self._session.enforcing:
            raise OutOfStep  # nothing that is allowed asks for it
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


def _sent(head: Entry[Statement] | None, plan: Plan | None) -> tuple[answers.Sent | None, bytes]:
    """The statements an error may point into, and the client's text they were made of; None when
    it may be in the text of a PREPARE."""
    if head is None or head[2] is None:
        return (), b""
    if head[2].by_sql or (plan is not None and plan.naming and plan.naming.what == "execute"):
        return None, b""
    plans = head[2].allow.statements
    return [(plan.sql, plan.written) for plan in plans], head[2].text


def _affected(tag: bytes) -> int | None:
    """The count in a tag like "INSERT 0 3" or "UPDATE 3"; None when it counts nothing."""
    words = tag.split(b" ")
    if len(words) > 1 and words[0] in _COUNTING and words[-1].isdigit():
        return int(words[-1])
    return None


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
