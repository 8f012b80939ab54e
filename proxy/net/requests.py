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
from proxy.net import answers, holding, naming, renewing, round_trips
from proxy.net.metering import check_query
from proxy.net.refusals import GO, HOLD, HOLD_AFTER, STOP, Refusals
from proxy.net.session import MOST_OWED, Session, complain
from proxy.net.standing import USABLE, check_parse, check_portal, check_statement, parse_problem
from proxy.net.statement import Statement
from proxy.net.steps import Steps
from proxy.net.upstream import FLUSH, REFUSED_NAME
from proxy.net.writing import any_held, bind_frame, execute_frame, has_hidden_column
from proxy.wire.frames import Frame, FrameError, FrameReader, client_rules
from proxy.wire.ledger import (
    BIND,
    CLOSE,
    DESCRIBE_PORTAL,
    DESCRIBE_STATEMENT,
    EXECUTE,
    PARSE,
    QUERY,
    SYNC,
)
from proxy.wire.messages import CopyFail
from proxy.wire.names import NAME_BYTES
from proxy.wire.phases import LEGAL, Phase, Verdict

_BODY: Final = 5  # where a frame's body begins
_STATEMENT_KIND: Final = ord("S")
_PORTAL_KIND: Final = ord("P")


class Requests(Refusals, asyncio.Protocol):
    """The client's side of a session.

    Handlers look at `_buffer[start:stop]`, the frame; `count` is 0 for the first piece of a frame
    too long to be held. They answer GO, HOLD, HOLD_AFTER or STOP.
    """

    __slots__ = ("_after", "_between", "_decided", "_ended", "_held", "_longest", "_reader")

    def __init__(self, session: Session, max_statement_bytes: int) -> None:
        super().__init__(session)
        self._reader = FrameReader(client_rules(max_statement_bytes))
        self._decided: round_trips.Decided | None = None  # of what comes next
        self._longest = max_statement_bytes
        self._held: deque[tuple[bytes, list[Frame]]] = deque()
        self._between = True  # no frame is under way and none is held
        self._after = b""  # what goes up when the frame that is halfway there is whole
        self._ended = False  # the client closed its side while messages of it were held

    def data_received(self, data: bytes) -> None:
        session = self._session
        if session.closed or session.terminating:
            return
        if session.engine.snapshot is not session.snapshot:
            session.take_snapshot()
        if self._between:
            try:
                sent, self._decided = round_trips.send(session, data, self._longest)
            except Exception as error:
                session.out_of_step(error)
                return
            if sent == len(data):
                return
            data = data[sent:]
        buffer, frames = self._reader.feed(data)
        if self._held:
            self._held.append((buffer, frames))
        elif frames or self._reader.error is not None:
            self._act(buffer, frames)
        self._between = self._reader.clear and not self._held

    def resume(self) -> None:
        """Nothing is owed any more (or a COPY began): what was held goes on."""
        session = self._session
        session.waiting = False
        session.start_client("waiting")
        while self._held and not session.waiting and not session.closed:
            if session.engine.snapshot is not session.snapshot:
                session.take_snapshot()
            self._act(*self._held.popleft())
        if not session.waiting:
            session.consents.forget()
        self._between = self._reader.clear and not self._held
        if self._ended and not session.waiting:
            self.eof_received()

    def _act(self, buffer: bytes, frames: list[Frame]) -> None:
        session, ledger = self._session, self._ledger
        self._buffer = buffer
        self._arrival = (time(), perf_counter())
        self._from = end = frames[0][1] if frames else 0
        for index, frame in enumerate(frames):
            tag, start, stop, count = frame
            try:
                if ledger.phase is Phase.READY or not tag:
                    step = HANDLERS[tag](self, start, stop, count)
                else:
                    step = self._act_by_phase(frame)
            except Exception as error:
                complain("a message could not be handled", error)
                step = self._internal_error(start, stop, count)
            if step:
                end = start if step == HOLD else stop
                if step != STOP:
                    self._hold(frames[index + (step == HOLD_AFTER) :])
                break
            end = stop
        if self._from == 0 and end == len(buffer) and not session.waiting:
            session.upstream.pass_on(buffer)
        else:
            if end > self._from:
                session.upstream.forward(buffer, self._from, end)
            if session.waiting:
                session.upstream.forward(FLUSH, 0, len(FLUSH))
            session.upstream.flush()
        self._buffer = b""
        if len(ledger.owed) > MOST_OWED:
            session.stop_client("owed")
        if self._reader.error is not None and not self._held:
            self._unreadable(self._reader.error)
        elif session.terminating:
            session.client_finished()

    def _hold(self, frames: list[Frame]) -> None:
        """Wait until the upstream has answered everything sent so far."""
        self._session.waiting = True
        self._session.stop_client("waiting")
        self._held.appendleft((self._buffer, frames))

    def _act_by_phase(self, frame: Frame) -> int:
        tag, start, stop, count = frame
        verdict = LEGAL[self._ledger.phase][tag]
        if verdict is Verdict.ACT:
            return COPY_HANDLERS.get(tag, HANDLERS[tag])(self, start, stop, count)
        self._cut(start, stop, count)
        if verdict is Verdict.END_COPY:
            message = b"unexpected message type 0x%02X during COPY from stdin" % tag
            failure = CopyFail(message).encode()
            self._session.upstream.forward(failure, 0, len(failure))
            return self._end_copy(start, stop, count)
        return GO

    def _decide(self, text: bytes) -> round_trips.Decided:
        decided, self._decided = self._decided, None
        return decided or self._session.decide(text)

    # The simple protocol.

    def _query(self, start: int, stop: int, count: int) -> int:
        session = self._session
        if not count or stop - start > self._longest:
            return self._refuse_query(start, stop, count, session.too_long(self._arrival))
        if stop - start <= _BODY or self._buffer[stop - 1]:
            return self._nameless(start, stop, count)
        text = self._buffer[start + _BODY : stop - 1]
        found, seconds, cached = self._decide(text)
        if isinstance(found, Allow) and self._ledger.owed and _is_alone(session, found):
            return HOLD
        decision = check_query(session, found) if session.metered else found
        if decision is None:
            return HOLD
        if isinstance(decision, Deny):
            answer = session.refused(decision, self._arrival, seconds, cached)
            return self._refuse_query(start, stop, count, answer)
        statement = Statement(text, decision, session.snapshot, seconds, cached)
        if statement.asks or session.unsettled:
            step = holding.judge_query(session, statement, self._arrival)
            if step != USABLE:
                return self._not_usable(step, start, stop, count)
        self._cut(start, stop, count)
        self._names.query_sent()
        if statement.writes and any_held(session, statement.plans):
            Steps(session, statement, self._arrival).begin()
            return HOLD_AFTER
        session.upstream.query(decision)
        self._ledger.sync_sent((QUERY, b"", statement, self._arrival, b""))
        return HOLD_AFTER if statement.holds or session.unsettled else GO

    def _function_call(self, start: int, stop: int, count: int) -> int:
        deny = self._session.deny(
            reasons.STATEMENT_NOT_ALLOWED, "function call messages are not available",
            "call the function in a SELECT", Facts(operation="call"),
        )  # fmt: skip
        return self._refuse_query(start, stop, count, self._session.refused(deny, self._arrival))

    # The extended protocol.

    def _parse(self, start: int, stop: int, count: int) -> int:
        if not count or stop - start > self._longest:
            return self._refuse(start, stop, count, self._session.too_long(self._arrival))
        buffer, session = self._buffer, self._session
        middle = buffer.find(0, start + _BODY, stop)
        last = buffer.find(0, middle + 1, stop) if middle >= 0 else -1
        types = buffer[last + 1 : stop]
        problem = parse_problem(last, types)
        name = buffer[start + _BODY : middle] if middle >= 0 else REFUSED_NAME
        if problem:
            answer = session.violation(problem, self._arrival)
            return self._refuse(start, stop, count, answer, name)
        text = buffer[middle + 1 : last]
        found, seconds, cached = self._decide(text)
        decision = check_parse(session, found, text, types)
        if decision is None:
            return HOLD
        if isinstance(decision, Deny):
            answer = session.refused(decision, self._arrival, seconds, cached)
            return self._refuse(start, stop, count, answer, name)
        statement = Statement(text, decision, session.snapshot, seconds, cached, types=types)
        self._cut(start, stop, count)
        session.upstream.parse(name, decision, types)
        name = name[:NAME_BYTES]
        self._names.parse_sent(name, statement, self._ledger.group)
        self._ledger.owed.append((PARSE, name, statement, self._arrival, b""))
        return GO

    def _bind(self, start: int, stop: int, count: int) -> int:
        buffer, ledger = self._buffer, self._ledger
        middle = buffer.find(0, start + _BODY, stop)
        last = buffer.find(0, middle + 1, stop)
        if middle < 0 or last < 0:
            return self._nameless(start, stop, count)
        name = buffer[middle + 1 : last][:NAME_BYTES]
        statement = self._names.statements.get(name)
        if (
            statement is None
            or statement.snapshot is not self._session.snapshot
            or not (statement.settled or statement.group == ledger.group)
        ):
            statement, step = self._prepared(statement, name, start)
            if step != USABLE:
                return self._not_usable(step, start, stop, count)
        if self._session.metered or (statement is not None and statement.consent):
            given = buffer[last + 1 : stop] if count else None
            run = holding.judge_bind(self._session, statement, given, self._arrival)
            if isinstance(run, int | bytes):
                return self._not_usable(run, start, stop, count)
            statement = run
        portal = buffer[start + _BODY : middle][:NAME_BYTES]
        if statement is not None and statement.writes:
            if count:
                self._instead(start, stop, bind_frame(statement, buffer[start:stop]))
            elif has_hidden_column(statement):
                answer = self._session.too_long(self._arrival)
                return self._refuse(start, stop, count, answer)
        if statement is not None:
            self._names.bind_sent(portal, statement, ledger.group)
        ledger.owed.append((BIND, portal, statement, self._arrival, b""))
        return GO

    def _prepared(
        self, statement: Statement | None, name: bytes, start: int
    ) -> tuple[Statement | None, int | bytes]:
        """The statement of this name for who acts now, and whether it may be used."""
        session = self._session
        made = renewing.renewed(session, statement)
        if made is None:
            return statement, check_statement(session, statement, name, self._arrival)
        if isinstance(made, int):
            return statement, made
        session.upstream.forward(self._buffer, self._from, start)
        self._from = start
        renewing.send(session, name, made, self._arrival)
        return made, USABLE

    def _execute(self, start: int, stop: int, count: int) -> int:
        ledger = self._ledger
        last = self._buffer.find(0, start + _BODY, stop)
        if last < 0:
            return self._nameless(start, stop, count)
        name = self._buffer[start + _BODY : last][:NAME_BYTES]
        bound = self._names.portals.get(name)
        step = self._portal_step(bound, name)
        if step != USABLE:
            return self._not_usable(step, start, stop, count)
        statement = bound[0] if bound is not None else None
        if bound is not None and bound[0].asks:
            run = naming.judge_portal(self._session, bound, name, self._arrival)
            if not isinstance(run, Statement):
                return self._not_usable(run, start, stop, count)
            statement = run
        self._session.consents.executed(statement, ledger.group)
        if statement is not None and statement.writes:
            frame, held = execute_frame(self._session, statement, self._buffer[start:stop])
            self._instead(start, stop, frame)
            ledger.owed.append((EXECUTE, name, statement, self._arrival, held))
            wait = held or self._session.acting.holds(statement)
            return HOLD_AFTER if wait else GO
        ledger.owed.append((EXECUTE, name, statement, self._arrival, b""))
        return HOLD_AFTER if statement and self._session.acting.holds(statement) else GO

    def _portal_step(self, bound: tuple[Statement, int] | None, name: bytes) -> int | bytes:
        """`check_portal`, without the call for a portal bound just before."""
        if (
            bound is not None
            and bound[1] == self._ledger.group
            and bound[0].snapshot is self._session.snapshot
        ):
            return USABLE
        return check_portal(self._session, bound, name, self._arrival)

    def _describe(self, start: int, stop: int, count: int) -> int:
        last = self._buffer.find(0, start + _BODY + 1, stop)
        kind = self._buffer[start + _BODY] if last >= 0 else 0
        name = self._buffer[start + _BODY + 1 : last][:NAME_BYTES]
        if kind == _PORTAL_KIND:
            bound = self._names.describable(name)
            statement = bound[0] if bound is not None else None
            step = self._portal_step(bound, name)
            owes = DESCRIBE_PORTAL
        elif kind == _STATEMENT_KIND:
            statement, step = self._prepared(self._names.statements.get(name), name, start)
            owes = DESCRIBE_STATEMENT
        else:
            return self._nameless(start, stop, count)
        if step != USABLE:
            return self._not_usable(step, start, stop, count)
        self._ledger.owed.append((owes, name, statement, self._arrival, b""))
        return GO

    def _close(self, start: int, stop: int, count: int) -> int:
        last = self._buffer.find(0, start + _BODY + 1, stop)
        if last < 0 or self._buffer[start + _BODY] not in b"SP":
            return self._nameless(start, stop, count)
        target = self._buffer[start + _BODY : last][: NAME_BYTES + 1]
        self._names.close_sent(target)
        self._ledger.owed.append((CLOSE, target, None, self._arrival, b""))
        return GO

    def _sync(self, start: int, stop: int, count: int) -> int:
        self._ledger.sync_sent((SYNC, b"", None, self._arrival, b""))
        return HOLD_AFTER if self._session.unsettled else GO

    def _flush(self, start: int, stop: int, count: int) -> int:
        # With a body the upstream would answer, and a Flush is owed no answer.
        return GO if stop - start == _BODY else self._nameless(start, stop, count)

    def _terminate(self, start: int, stop: int, count: int) -> int:
        self._session.terminating = True
        return STOP

    # Pieces and COPY.

    def _more(self, start: int, stop: int, count: int) -> int:
        if self._dropping:
            self._cut(start, stop, count)
            self._dropping = not count
        elif self._ledger.phase is Phase.COPY_IN:
            self._session.taken += stop - start
        elif count and self._after:
            self._instead(stop, stop, self._after)
            self._after = b""
        return GO

    def hold_back(self, frames: bytes) -> bool:
        """Whether a frame has gone up in part; then these go up behind it."""
        if self._reader.passing and not self._dropping and not self._held:
            self._after = frames
            return True
        return False

    def _ignored(self, start: int, stop: int, count: int) -> int:
        self._cut(start, stop, count)
        return GO

    def _copy_data(self, start: int, stop: int, count: int) -> int:
        self._session.taken += stop - start
        return GO

    def _end_copy(self, start: int, stop: int, count: int) -> int:
        """What follows is judged when it is known how the COPY ended."""
        self._ledger.phase = Phase.READY
        return HOLD_AFTER

    def _unreadable(self, error: FrameError) -> None:
        """PostgreSQL names an unknown tag; a bad length it does not answer."""
        session = self._session
        session.failed(Facts(), answers.PROTOCOL_VIOLATION, self._arrival)
        violation = answers.fatal(answers.PROTOCOL_VIOLATION, str(error))
        session.end(b"" if error.tag is None else violation)

    # Flow and ends.

    def pause_writing(self) -> None:
        self._session.stop_upstream()

    def resume_writing(self) -> None:
        self._session.start_upstream()

    def eof_received(self) -> bool:
        self._ended = self._session.waiting
        if self._ended:
            return True  # what is held is part of what was asked
        self._session.client_half_closed(self._reader.passing and not self._dropping)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.client_lost()


def _is_alone(session: Session, allow: Allow) -> bool:
    """Whether it is judged, asked about or sent in steps when nothing else is under way."""
    return allow.named or allow.consent is not None or any_held(session, allow.statements)


Handler = Callable[[Requests, int, int, int], int]

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
    **dict.fromkeys(b"dcf", Requests._ignored),
    0: Requests._more,
}

# In a COPY from the client.
COPY_HANDLERS: Final[dict[int, Handler]] = {
    ord("d"): Requests._copy_data,
    **dict.fromkeys(b"cf", Requests._end_copy),
}
