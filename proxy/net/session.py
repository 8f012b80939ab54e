"""One client after start-up: what both directions share, and how it ends.

Knows the engine, the ledger, the names and both transports; knows neither how client messages are
acted on (`requests`) nor how replies are (`replies`). It never waits: both are callbacks.
One upstream connection belongs to one client from log-in to end.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter, time
from typing import TYPE_CHECKING, Final, Protocol

from policies import reasons
from policies.comments import CONTEXT
from policies.decision import Decision, Deny, Facts, Mode, Plan
from policies.rules import Budget
from policies.subject import Assumed, Subject
from proxy.net import answers
from proxy.net.acting import NOTHING, Acting
from proxy.net.affected import Totals, totals_of
from proxy.net.consents import Consents
from proxy.net.statement import Statement, Versioned, decision_of
from proxy.net.unsettled import Unsettled
from proxy.net.upstream import TERMINATE, Upstream
from proxy.net.wrote import Wrote
from proxy.oplog.operation import Observer, Operation, Origin
from proxy.wire.ledger import Arrival, Ledger
from proxy.wire.names import Names
from proxy.wire.phases import Phase

if TYPE_CHECKING:
    from proxy.net.replies import Replies
    from proxy.net.requests import Requests
    from proxy.net.steps import Steps

log = logging.getLogger(__name__)

UNKNOWN: Final = Facts()
_CONTEXT: Final = CONTEXT.encode()
# Answers one client may be owed before it is read from again. More than fit into the upstream's
# own output buffer (8 kB), which it sends only when it is full or told to.
MOST_OWED: Final = 16_384
IN_TRANSACTION: Final = frozenset(b"TE")


class Engine(Protocol):
    """The part of `proxy.engine.Engine` a session uses."""

    @property
    def snapshot(self) -> Versioned: ...
    def subject(self, login: str) -> Subject | None: ...
    def decide(self, subject: Subject, text: bytes) -> tuple[Decision, bool]: ...
    def startup(self, subject: Subject, parameters: dict[str, str]) -> dict[str, str] | Deny: ...
    def mode(self, subject: Subject) -> Mode: ...
    def budget(self, subject: Subject) -> Budget: ...
    def assume(self, subject: Subject, token: str, session: str) -> Assumed | Deny: ...
    def spend(self, subject: Subject, count: int, facts: Facts) -> Deny | None: ...
    def price(self, plan: Plan, types: Sequence[int], wake: Callable[[], None]) -> Deny | bool: ...
    def parameter_types(self, subject: Subject, oids: Sequence[int]) -> Deny | None: ...
    def unknown_subject(self) -> Deny: ...


class Gauges(Protocol):
    """The part of `proxy.metrics.Metrics` that counts connections."""

    def client_opened(self) -> None: ...
    def client_closed(self) -> None: ...
    def upstream_opened(self) -> None: ...
    def upstream_closed(self) -> None: ...


class Session:
    """Shared state of one client. `closed` is set once; after it nothing is sent to anybody."""

    def __init__(
        self,
        engine: Engine,
        origin: Origin,
        observers: Sequence[Observer],
        gauges: Gauges,
        client: asyncio.Transport,
        upstream: asyncio.Transport,
        on_end: Callable[[Session], None],
        own: Mapping[str, str] = NOTHING,
    ) -> None:
        """`own`: settings of ours that it starts with."""
        self.engine = engine
        self.origin = origin
        self.observers = observers
        self.gauges = gauges
        self.client = client
        self.upstream = Upstream(upstream)
        self.ledger: Ledger[Statement] = Ledger()
        self.names: Names[Statement] = Names()
        self.status = ord("I")  # of the last ReadyForQuery
        self.prepared_bytes = 0  # what prepared statements take, at most
        self.waiting = False  # client messages are held until nothing is owed
        self.draining = False
        self.terminating = False  # the client will send nothing more
        self.closed = False
        self.pid = 0  # the upstream's, which the client sees
        self.consents = Consents()
        self.requests: Requests | None = None
        self.replies: Replies | None = None
        self.steps: Steps | None = None  # of the Query under way, when it goes up in steps
        self.writes = Unsettled(self._tell)
        self.taken = 0  # bytes of COPY data from the client
        self._upstream_transport = upstream
        self._on_end = on_end
        self._fatal_told = False
        self._client_stops: set[str] = set()
        # One of waiting, draining, terminating or a stopped client: look after each read.
        self.watched = False
        self.last_done = 0.0  # when the last statement ended, monotonic
        self.login: Subject | None = origin.subject
        self.subject: Subject | None = origin.subject  # as it acts now
        self.rules: Versioned | None = None  # the engine's snapshot
        self.snapshot: Versioned = engine.snapshot  # the same, or that and who acts under it
        self.acting = Acting(self, own)
        self.unsettled = False  # what the transaction becomes decides who acts
        self.enforcing = True
        self.metered = False  # statements are counted, or have a price
        self.time_limit: float | None = None  # seconds per statement
        self.time_rule = ""
        self.totals: Totals | None = None  # of all that transaction and session write
        self.take_snapshot()
        gauges.upstream_opened()

    # Decisions.

    def take_snapshot(self) -> None:
        """The rules or the catalog changed, so who asks is looked up anew; or it acts as another
        than its login, so whether that still holds."""
        if self.rules is not self.engine.snapshot:
            self._take_rules()
        self.acting.refresh()

    def _take_rules(self) -> None:
        self.rules = self.snapshot = self.engine.snapshot
        self.login = login = self.engine.subject(self.origin.subject.login)
        enforced = self.enforcing
        self.enforcing = login is None or self.engine.mode(login) == "enforce"
        if self.enforcing and not enforced:
            self.names.distrust()
        self.metered, self.time_limit, self.totals = False, None, None
        if login is None:
            return
        if self.enforcing:
            budget = self.engine.budget(login)
            self.metered = budget.priced or bool(budget.rate)
            self.totals = totals_of(budget)
            self.time_limit, self.time_rule = budget.time_ms / 1000, budget.rule("time")
        if login != self.origin.subject:
            self.origin = replace(self.origin, subject=login)

    def decide(self, text: bytes, further: bool = False) -> tuple[Decision, float, bool]:
        """The decision, the seconds it took and whether it was known. `further`: it is a part of
        the text decided before, and so has the context of that."""
        if self.subject is None:
            return self.engine.unknown_subject(), 0.0, False
        before = perf_counter()
        try:
            if _CONTEXT in text:
                taken = self.acting.turn(text)
                if isinstance(taken, Deny):
                    return taken, perf_counter() - before, False
                text = taken
            elif self.acting.turned and not further:
                self.acting.refresh()
            decision, cached = self.engine.decide(self.subject, text)
        except Exception as error:
            complain("a statement could not be decided", error)
            decision, cached = self.internal_error(), False
        return decision, perf_counter() - before, cached

    def internal_error(self) -> Deny:
        """The refusal of a statement we failed at: nothing of it has gone out."""
        return self.deny(
            reasons.INTERNAL_ERROR,
            "internal error: the statement was not run",
            "this is a fault of the proxy, not of the statement",
        )

    def check_types(self, oids: Sequence[int]) -> Deny | None:
        """The refusal for a Parse that declares parameters of these types, if there is one."""
        if self.subject is None:
            return self.engine.unknown_subject()
        return self.engine.parameter_types(self.subject, oids)

    def deny(
        self, reason: reasons.Reason, message: str, hint: str = "", facts: Facts = UNKNOWN
    ) -> Deny:
        """A refusal the session itself makes."""
        return Deny(reason, message, hint, facts, self.snapshot.version)

    # Records.

    def refused(
        self, deny: Deny, arrival: Arrival, decide_seconds: float = 0.0, cached: bool = False
    ) -> bytes:
        """Records a refusal; the ErrorResponse for the client."""
        started, clock = arrival
        self.record(
            Operation(
                self.acting.origin(self.snapshot), deny.facts, "deny", deny.policy_version, started,
                outcome="refused", sqlstate=deny.reason.sqlstate, code=deny.reason.code,
                hint=deny.hint, decide_seconds=decide_seconds,
                total_seconds=perf_counter() - clock, cache="hit" if cached else "miss",
            )
        )  # fmt: skip
        return answers.denial(deny)

    def failed(self, facts: Facts, sqlstate: str, arrival: Arrival) -> None:
        """Records an error that is the protocol's, not a policy's."""
        started, clock = arrival
        self.record(
            Operation(
                self.acting.origin(self.snapshot), facts, "deny", self.snapshot.version, started,
                outcome="refused", sqlstate=sqlstate, total_seconds=perf_counter() - clock,
            )
        )  # fmt: skip

    def violation(self, message: str, arrival: Arrival) -> bytes:
        """Records a message that breaks the protocol; the ErrorResponse."""
        self.failed(UNKNOWN, answers.PROTOCOL_VIOLATION, arrival)
        return answers.error(answers.PROTOCOL_VIOLATION, message)

    def too_long(self, arrival: Arrival) -> bytes:
        """The same for a statement longer than any may be."""
        hint = "send a shorter statement"
        return self.refused(
            self.deny(reasons.TOO_LARGE, "the statement is too long", hint), arrival
        )

    def ended(
        self,
        statement: Statement | None,
        plan: Plan | None,
        arrival: Arrival,
        now: float,
        outcome: str = "ok",
        sqlstate: str = "",
        hint: str = "",
        rows: int = 0,
        size: int = 0,
        affected: int | None = None,
        truncated: bool = False,
        code: str = "",
        wrote: Wrote | None = None,
    ) -> None:
        """Records a statement that ran. `now`: monotonic seconds."""
        started, clock = arrival
        version, spent, cached, decision = self.snapshot.version, 0.0, True, "allow"
        mode: Mode = "enforce"
        if statement is not None:
            allow = statement.allow
            version, mode = allow.policy_version, allow.mode
            # What deciding cost is said once, by the first run.
            spent, cached = statement.decide_seconds, statement.cached
            statement.decide_seconds, statement.cached = 0.0, True
            if plan is not None:
                decision = statement.decision if plan is statement.plan else decision_of(plan)
        begun = clock + spent
        if begun < self.last_done:
            begun = self.last_done
        self.last_done = now
        operation = Operation(
            self.acting.origin(self.snapshot if statement is None else statement.snapshot),
            UNKNOWN if plan is None else plan.facts, decision, version,
            started, mode, outcome, sqlstate, code, hint, rows, affected, size, truncated,
            spent, now - begun, now - clock, "hit" if cached else "miss",
            "" if plan is None else self.acting.reason(plan),
            "" if statement is None else statement.approval_id,
        )  # fmt: skip
        if wrote is not None:
            wrote.tell(operation)
            self.writes.keep(operation, outcome == "ok")
        else:
            self.record(operation)

    def record(self, operation: Operation) -> None:
        """Tells it, behind those that wait for the end of their group."""
        if self.writes.open:
            self.writes.keep(operation, False)
        else:
            self._tell(operation)

    def _tell(self, operation: Operation) -> None:
        for observer in self.observers:
            try:
                observer.record(operation)
            except Exception as error:
                complain("an observer failed", error)

    def time_hint(self, arrival: Arrival, now: float) -> str:
        """What to tell of a cancelled statement: its time was up, unless somebody asked for it."""
        limit = self.time_limit
        if limit is None or now - max(arrival[1], self.last_done) < limit:
            return ""
        return (
            f"a statement may take {limit:g} seconds: ask for less, or by an indexed column;"
            f" or have {self.time_rule} raised in the rules"
        )

    # Flow: reading from the client stops while one of several reasons holds.

    def stop_client(self, why: str) -> None:
        self.watched = True
        if not self._client_stops and not self.client.is_closing():
            self.client.pause_reading()
        self._client_stops.add(why)

    def start_client(self, why: str) -> None:
        self._client_stops.discard(why)
        self.watched = bool(self._client_stops or self.draining or self.terminating)
        if not self._client_stops and not self.client.is_closing():
            self.client.resume_reading()

    @property
    def crowded(self) -> bool:
        """The client sent more than we want to keep book of before it is answered."""
        return "owed" in self._client_stops

    def stop_upstream(self) -> None:
        if not self._upstream_transport.is_closing():
            self._upstream_transport.pause_reading()

    def start_upstream(self) -> None:
        if not self._upstream_transport.is_closing():
            self._upstream_transport.resume_reading()

    def wake(self) -> None:
        """What a held message may have waited for is there."""
        answered = not self.ledger.owed or self.ledger.phase is Phase.COPY_IN
        if self.waiting and answered and not self.closed and self.requests is not None:
            self.requests.resume()

    def end_group(self, end: bytes) -> None:
        """A Sync of ours, or what ends with one, goes up once no frame of the client's is halfway
        there."""
        if self.requests is None or not self.requests.hold_back(end):
            self.upstream.forward(end, 0, len(end))
            self.upstream.flush()

    # Endings.

    @property
    def idle(self) -> bool:
        """Nothing is owed and no transaction is open."""
        return not self.ledger.owed and not self.waiting and self.status not in IN_TRANSACTION

    def drain(self) -> None:
        """End as soon as the client is between transactions."""
        self.draining = self.watched = True
        if self.idle:
            self.shut_down()

    def shut_down(self) -> None:
        """End now, saying so the way PostgreSQL does."""
        message = "terminating connection due to administrator command"
        self.end(answers.fatal(answers.ADMIN_SHUTDOWN, message, "connect again"))

    def client_finished(self) -> None:
        """The client will send nothing more, and a Terminate has gone up or goes up now. What it
        asked before is still answered."""
        self.terminating = self.watched = True
        if not self.ledger.owed:
            self.end(b"")

    def client_half_closed(self, mid_frame: bool) -> None:
        """The client closed its sending side without a Terminate, perhaps `mid_frame`: with a part
        of a message gone up whose rest will never come."""
        if self.terminating or self.closed or self._upstream_transport.is_closing():
            return
        if mid_frame:
            self._upstream_transport.write_eof()
        else:
            self._upstream_transport.write(TERMINATE)
        self.client_finished()

    def client_lost(self) -> None:
        self.end(b"")

    def fatal_told(self) -> None:
        """The upstream has said why it will close."""
        self._fatal_told = True

    def upstream_lost(self) -> None:
        if self.terminating or self._fatal_told:
            self.end(b"")
            return
        message = "the connection to the upstream server was lost"
        self.end(answers.fatal(answers.CONNECTION_LOST, message, "connect again"))

    def out_of_step(self, error: Exception) -> None:
        """What was asked and what is answered cannot be matched any more: nothing may pass."""
        complain("the conversation cannot be followed", error)
        code = reasons.INTERNAL_ERROR.sqlstate
        self.end(answers.fatal(code, "internal error: the connection is closed"))

    def end(self, last_words: bytes) -> None:
        """Close both sides; what is still owed is recorded as abandoned. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self.consents.cancel()
        now = perf_counter()
        certain = not self.ledger.owed
        if self.replies is not None:
            self.replies.abandon(now)
        self.writes.lost(certain)
        whole = self.replies is None or not self.replies.mid_frame
        if last_words and whole and not self.client.is_closing():
            self.client.write(last_words)
        self.client.close()
        if not self._upstream_transport.is_closing():
            if not self.terminating:
                self._upstream_transport.write(TERMINATE)
            self._upstream_transport.close()
        self.gauges.upstream_closed()
        self._on_end(self)

    def abort(self) -> None:
        """End without waiting for anybody to read."""
        self.end(b"")
        self.client.abort()
        self._upstream_transport.abort()


def arrival_now() -> Arrival:
    return time(), perf_counter()


def complain(what: str, error: BaseException) -> None:
    """One log line: type and place. Never the message, which can hold values."""
    frames = traceback.extract_tb(error.__traceback__)
    place = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-4:]))
    log.error("%s: %s at %s", what, type(error).__name__, place)
