"""Client messages, acted on: each is decided, forwarded as it is, refused or ignored.

One call handles a whole read and ends in one write. A statement's text goes up only as an Allow;
everything else goes up as the client's own bytes, with bookkeeping. A refusal sends a statement
that PostgreSQL refuses too, so the upstream's state stays what the client believes it is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter, time
from typing import Final

from policies import reasons
from policies.decision import Allow, Deny, Facts
from proxy.net import answers
from proxy.net.session import Session, Statement, complain
from proxy.net.upstream import FLUSH, NO_TYPES, REFUSED_NAME, OwnStatement
from proxy.wire.frames import Frame, FrameReader, client_rules
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
)
from proxy.wire.messages import CopyFail
from proxy.wire.names import NAME_BYTES
from proxy.wire.phases import LEGAL, Phase, Verdict

# What a handler answers: go on, wait with this message, wait after it, or stop reading for good.
GO: Final = 0
HOLD: Final = 1
HOLD_AFTER: Final = 2
STOP: Final = 3

_BODY: Final = 5  # where a frame's body begins
_SYNC_ENTRY: Final[Entry[Statement]] = (SYNC, b"", None, (0.0, 0.0), b"")
_STATEMENT_KIND: Final = ord("S")
_PORTAL_KIND: Final = ord("P")


class Requests(asyncio.Protocol):
    """The client's side of a session."""

    __slots__ = ("_dropping", "_from", "_held", "_ledger", "_names", "_reader", "_session")

    def __init__(self, session: Session, max_statement_bytes: int) -> None:
        self._session = session
        self._ledger = session.ledger
        self._names = session.names
        self._reader = FrameReader(client_rules(max_statement_bytes))
        self._held: deque[tuple[bytes, list[Frame]]] = deque()
        self._from = 0  # where the bytes begin that are neither sent nor dropped yet
        self._dropping = False  # the rest of a frame that comes in pieces is dropped

    def data_received(self, data: bytes) -> None:
        session = self._session
        if session.closed or session.terminating:
            return
        buffer, frames = self._reader.feed(data)
        if self._held:
            self._held.append((buffer, frames))
        elif frames or self._reader.error is not None:
            self._act(buffer, frames)

    def resume(self) -> None:
        """Nothing is owed any more (or a COPY began): what was held goes on."""
        session = self._session
        session.waiting = False
        session.start_client("waiting")
        while self._held and not session.waiting and not session.closed:
            buffer, frames = self._held.popleft()
            self._act(buffer, frames)

    def _act(self, buffer: bytes, frames: list[Frame]) -> None:
        session = self._session
        ledger = self._ledger
        if session.engine.snapshot is not session.snapshot:
            session.take_snapshot()
        arrival = (time(), perf_counter())
        self._from = 0
        end = 0
        for index, (tag, start, stop, count) in enumerate(frames):
            if ledger.phase is not Phase.READY and tag:
                step = self._act_by_phase(buffer, (tag, start, stop, count), arrival)
            else:
                try:
                    step = HANDLERS[tag](self, buffer, start, stop, count, arrival)
                except Exception as error:
                    complain("a message could not be handled", error)
                    step = self._internal_error(tag, buffer, start, stop, count, arrival)
            if step:
                end = start if step == HOLD else stop
                if step != STOP:
                    self._hold(buffer, frames[index + (step == HOLD_AFTER) :])
                break
            end = stop
        upstream = session.upstream
        if self._from == 0 and end == len(buffer) and not session.waiting and upstream.empty:
            upstream.pass_on(buffer)
        else:
            if end > self._from:
                upstream.forward(buffer, self._from, end)
            if session.waiting:
                upstream.forward(FLUSH, 0, len(FLUSH))
            upstream.flush()
        if self._reader.error is not None and not self._held:
            self._unreadable()

    def _hold(self, buffer: bytes, frames: list[Frame]) -> None:
        """Wait until the upstream has answered everything sent so far."""
        session = self._session
        session.waiting = True
        session.stop_client("waiting")
        self._held.appendleft((buffer, frames))

    def _cut(self, buffer: bytes, start: int, stop: int, count: int) -> None:
        """This frame is not forwarded as it is; what stands before it is."""
        if start > self._from:
            self._session.upstream.forward(buffer, self._from, start)
        self._from = stop
        if not count:
            self._dropping = True

    def _act_by_phase(self, buffer: bytes, frame: Frame, arrival: Arrival) -> int:
        tag, start, stop, count = frame
        verdict = LEGAL[self._ledger.phase][tag]
        if verdict is Verdict.ACT:
            return HANDLERS[tag](self, buffer, start, stop, count, arrival) if tag in b"SX" else (
                self._copy(tag)
            )
        self._cut(buffer, start, stop, count)
        if verdict is Verdict.END_COPY:
            message = b"unexpected message type 0x%02X during COPY from stdin" % tag
            failure = CopyFail(message).encode()
            self._session.upstream.forward(failure, 0, len(failure))
            self._ledger.phase = Phase.READY
            return HOLD_AFTER
        return GO

    def _copy(self, tag: int) -> int:
        if tag == ord("d"):
            return GO
        self._ledger.phase = Phase.READY
        return HOLD_AFTER

    # The simple protocol.

    def _query(
        self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival
    ) -> int:
        session = self._session
        if not count:
            return self._refuse_query(buffer, start, stop, count, arrival, self._too_long(arrival))
        if stop - start <= _BODY or buffer[stop - 1]:
            answer = self._violation("invalid string in message", arrival)
            return self._refuse_query(buffer, start, stop, count, arrival, answer)
        text = buffer[start + _BODY : stop - 1]
        decision, seconds, cached = session.decide(text)
        if isinstance(decision, Deny):
            answer = session.refused(decision, arrival, seconds, cached)
            return self._refuse_query(buffer, start, stop, count, arrival, answer)
        statement = Statement(text, decision, session.snapshot, seconds, cached)
        self._cut(buffer, start, stop, count)
        session.upstream.query(decision)
        self._names.query_sent()
        self._ledger.sync_sent((QUERY, b"", statement, arrival, b""))
        return HOLD_AFTER if statement.may_copy else GO

    def _function_call(
        self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival
    ) -> int:
        deny = self._session.deny(
            reasons.STATEMENT_NOT_ALLOWED,
            "function call messages are not available",
            "call the function in a SELECT",
            Facts(operation="call"),
        )
        answer = self._session.refused(deny, arrival)
        return self._refuse_query(buffer, start, stop, count, arrival, answer)

    # The extended protocol.

    def _parse(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        session = self._session
        if not count:
            answer = self._too_long(arrival)
            return self._refuse(buffer, start, stop, count, arrival, answer)
        middle = buffer.find(0, start + _BODY, stop)
        last = buffer.find(0, middle + 1, stop) if middle >= 0 else -1
        types = buffer[last + 1 : stop]
        problem = _parse_problem(last, types)
        name = buffer[start + _BODY : middle] if middle >= 0 else REFUSED_NAME
        if problem:
            answer = self._violation(problem, arrival)
            return self._refuse(buffer, start, stop, count, arrival, answer, name)
        text = buffer[middle + 1 : last]
        decision, seconds, cached = session.decide(text)
        if isinstance(decision, Allow) and len(decision.statements) > 1:
            decision = session.deny(
                reasons.SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement",
                "send one statement at a time",
                decision.statements[0].facts,
            )
        if isinstance(decision, Deny):
            answer = session.refused(decision, arrival, seconds, cached)
            return self._refuse(buffer, start, stop, count, arrival, answer, name)
        statement = Statement(text, decision, session.snapshot, seconds, cached)
        self._cut(buffer, start, stop, count)
        session.upstream.parse(name, decision, types)
        name = name[:NAME_BYTES]
        self._names.parse_sent(name, statement, self._ledger.group)
        self._ledger.owed.append((PARSE, name, statement, arrival, b""))
        return GO

    def _bind(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        middle = buffer.find(0, start + _BODY, stop)
        last = buffer.find(0, middle + 1, stop)
        if middle < 0 or last < 0:
            return self._nameless(buffer, start, stop, count, arrival)
        name = buffer[middle + 1 : last]
        if len(name) > NAME_BYTES:
            name = name[:NAME_BYTES]
        statement = self._names.statements.get(name)
        ledger = self._ledger
        if (
            statement is None
            or statement.snapshot is not self._session.snapshot
            or not (statement.settled or statement.group == ledger.group)
        ):
            step = self._check_statement(statement, name, arrival)
            if step == HOLD:
                return HOLD
            if isinstance(step, bytes):
                return self._refuse(buffer, start, stop, count, arrival, step)
        portal = buffer[start + _BODY : middle]
        if len(portal) > NAME_BYTES:
            portal = portal[:NAME_BYTES]
        if statement is not None:
            self._names.portals[portal] = (statement, ledger.group)
        ledger.owed.append((BIND, portal, statement, arrival, b""))
        return GO

    def _execute(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        last = buffer.find(0, start + _BODY, stop)
        if last < 0:
            return self._nameless(buffer, start, stop, count, arrival)
        name = buffer[start + _BODY : last]
        if len(name) > NAME_BYTES:
            name = name[:NAME_BYTES]
        bound = self._names.portals.get(name)
        ledger = self._ledger
        statement = bound[0] if bound is not None else None
        if (
            bound is None
            or bound[0].snapshot is not self._session.snapshot
            or (bound[1] != ledger.group and ledger.owed)
        ):
            step = self._check_portal(bound, name, arrival)
            if step == HOLD:
                return HOLD
            if isinstance(step, bytes):
                return self._refuse(buffer, start, stop, count, arrival, step)
        ledger.owed.append((EXECUTE, name, statement, arrival, b""))
        return HOLD_AFTER if statement is not None and statement.may_copy else GO

    def _describe(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        last = buffer.find(0, start + _BODY + 1, stop)
        kind = buffer[start + _BODY] if last >= 0 else 0
        name = buffer[start + _BODY + 1 : last][:NAME_BYTES]
        step: int | bytes
        if kind == _PORTAL_KIND:
            bound = self._names.portals.get(name)
            statement = bound[0] if bound is not None else None
            owes = DESCRIBE_PORTAL
            if (
                bound is not None
                and bound[0].snapshot is self._session.snapshot
                and (bound[1] == self._ledger.group or not self._ledger.owed)
            ):
                step = GO
            else:
                step = self._check_portal(bound, name, arrival)
        elif kind == _STATEMENT_KIND:
            statement = self._names.statements.get(name)
            owes = DESCRIBE_STATEMENT
            step = self._check_statement(statement, name, arrival)
        else:
            return self._nameless(buffer, start, stop, count, arrival)
        if step == HOLD:
            return HOLD
        if isinstance(step, bytes):
            return self._refuse(buffer, start, stop, count, arrival, step)
        self._ledger.owed.append((owes, name, statement, arrival, b""))
        return GO

    def _close(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        last = buffer.find(0, start + _BODY + 1, stop)
        if last < 0 or buffer[start + _BODY] not in b"SP":
            return self._nameless(buffer, start, stop, count, arrival)
        target = buffer[start + _BODY : last][: NAME_BYTES + 1]
        self._names.close_sent(target)
        self._ledger.owed.append((CLOSE, target, None, arrival, b""))
        return GO

    def _sync(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        self._ledger.sync_sent(_SYNC_ENTRY)
        return GO

    def _flush(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        return GO

    def _more(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        if self._dropping:
            self._cut(buffer, start, stop, count)
            self._dropping = not count
        return GO

    def _ignored(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        self._cut(buffer, start, stop, count)
        return GO

    def _terminate(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        self._session.terminated()
        return STOP

    # Checks off the usual path.

    def _check_statement(
        self, statement: Statement | None, name: bytes, arrival: Arrival
    ) -> int | bytes:
        """May this prepared statement be used now? GO, HOLD, or the ErrorResponse that says no."""
        ledger = self._ledger
        known = statement is not None and (statement.settled or statement.group == ledger.group)
        if not known and ledger.owed:
            return HOLD
        if statement is not None:
            return self._check_snapshot(statement, arrival)
        if not self._session.enforcing:
            return GO
        shown = name.decode("utf-8", "replace")
        return self._missing("26000", f'prepared statement "{shown}" does not exist' if name else
                             "unnamed prepared statement does not exist", arrival)  # fmt: skip

    def _check_portal(
        self, bound: tuple[Statement, int] | None, name: bytes, arrival: Arrival
    ) -> int | bytes:
        """The same for a portal."""
        ledger = self._ledger
        if ledger.owed and (bound is None or bound[1] != ledger.group):
            return HOLD
        if bound is not None:
            return self._check_snapshot(bound[0], arrival)
        if not self._session.enforcing:
            return GO
        shown = name.decode("utf-8", "replace")
        return self._missing("34000", f'portal "{shown}" does not exist', arrival)

    def _missing(self, sqlstate: str, message: str, arrival: Arrival) -> bytes:
        self._session.failed(Facts(), sqlstate, arrival)
        return answers.error(sqlstate, message)

    def _check_snapshot(self, statement: Statement, arrival: Arrival) -> int | bytes:
        """What was decided under an older snapshot is decided again: only the same text may run."""
        session = self._session
        if statement.snapshot is session.snapshot:
            return GO
        decision, _, _ = session.decide(statement.text)
        before = statement.allow
        if (
            isinstance(decision, Allow)
            and decision.text == before.text
            and [plan.sql for plan in decision.statements] == [p.sql for p in before.statements]
        ):
            statement.adopt(decision, session.snapshot)
            return GO
        deny = session.deny(
            reasons.PLAN_CHANGED,
            "cached plan must not change result type",
            "the policy or the schema changed: prepare the statement again",
            statement.plan.facts if statement.plan else Facts(),
        )
        return session.refused(deny, arrival)

    # Refusals.

    def _refuse(
        self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival,
        answer: bytes, name: bytes = REFUSED_NAME,
    ) -> int:  # fmt: skip
        """In place of an extended message: what the upstream will refuse, `answer` to the client.

        A Parse keeps its name, as PostgreSQL drops the unnamed statement when its Parse fails.
        """
        self._cut(buffer, start, stop, count)
        self._session.upstream.parse(name, OwnStatement.REFUSED, NO_TYPES)
        if not name:
            self._names.statements.pop(b"", None)
        self._ledger.owed.append((REFUSED, name, None, arrival, answer))
        return GO

    def _refuse_query(
        self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival, answer: bytes
    ) -> int:
        """The same in place of a Query or FunctionCall."""
        self._cut(buffer, start, stop, count)
        self._session.upstream.query(OwnStatement.REFUSED)
        self._names.query_sent()
        self._ledger.sync_sent((REFUSED_QUERY, b"", None, arrival, answer))
        return GO

    def _internal_error(
        self, tag: int, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival
    ) -> int:
        """A handler failed: the statement is refused, and nothing of it has gone out."""
        deny = self._session.deny(
            reasons.INTERNAL_ERROR,
            "internal error: the statement was not run",
            "this is a fault of the proxy, not of the statement",
        )
        answer = self._session.refused(deny, arrival)
        refuse = self._refuse_query if tag in b"QF" else self._refuse
        return refuse(buffer, start, stop, count, arrival, answer)

    def _nameless(self, buffer: bytes, start: int, stop: int, count: int, arrival: Arrival) -> int:
        """A body whose names cannot be read, refused as PostgreSQL refuses it."""
        answer = self._violation("invalid string in message", arrival)
        return self._refuse(buffer, start, stop, count, arrival, answer)

    def _violation(self, message: str, arrival: Arrival) -> bytes:
        self._session.failed(Facts(), answers.PROTOCOL_VIOLATION, arrival)
        return answers.error(answers.PROTOCOL_VIOLATION, message)

    def _too_long(self, arrival: Arrival) -> bytes:
        deny = self._session.deny(
            reasons.TOO_LARGE, "the statement is too long", "send a shorter statement"
        )
        return self._session.refused(deny, arrival)

    def _unreadable(self) -> None:
        """The stream cannot be followed: PostgreSQL names an unknown tag, a bad length it does
        not answer."""
        error = self._reader.error
        session = self._session
        session.failed(Facts(), answers.PROTOCOL_VIOLATION, (time(), perf_counter()))
        known = error is None or error.tag is None
        session.end(b"" if known else answers.fatal(answers.PROTOCOL_VIOLATION, str(error)))

    # Flow and ends.

    def pause_writing(self) -> None:
        self._session.stop_upstream()

    def resume_writing(self) -> None:
        self._session.start_upstream()

    def eof_received(self) -> bool:
        self._session.client_finished()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.client_lost()


def _parse_problem(last: int, types: bytes) -> str:
    """What is wrong with a Parse's body, in PostgreSQL's words; "" for nothing."""
    if last < 0:
        return "invalid string in message"
    declared = 2 + 4 * int.from_bytes(types[:2], "big")
    if len(types) < declared:
        return "insufficient data left in message"
    return "invalid message format" if len(types) > declared else ""


Handler = Callable[[Requests, bytes, int, int, int, Arrival], int]

# What a message of each tag meets when everything is legal; COPY messages then belong to a COPY
# that has ended. 0: a later piece of a long frame.
HANDLERS: Final[dict[int, Handler]] = {
    ord("Q"): Requests._query,
    ord("P"): Requests._parse,
    ord("B"): Requests._bind,
    ord("D"): Requests._describe,
    ord("E"): Requests._execute,
    ord("C"): Requests._close,
    ord("S"): Requests._sync,
    ord("H"): Requests._flush,
    ord("F"): Requests._function_call,
    ord("X"): Requests._terminate,
    ord("d"): Requests._ignored,
    ord("c"): Requests._ignored,
    ord("f"): Requests._ignored,
    0: Requests._more,
}
