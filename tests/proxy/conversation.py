"""A conversation through one session, both halves joined in memory.

    talk = Conversation(engine)
    talk.client >> Query(b"SELECT 1")       # the client says
    talk.server << Query(b"SELECT 1")       # the upstream hears exactly this next
    talk.server >> [CommandComplete(b"SELECT 0"), ReadyForQuery()]
    talk.client << [CommandComplete(b"SELECT 0"), ReadyForQuery()]
    talk.over()                             # neither half has heard anything else

A list is one write. Hearing takes a message, a message class, or `Error`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from policies import reasons
from policies.decision import Allow, Decision, Deny, Facts, Mode, Plan
from policies.own_settings import sets
from policies.reasons import Reason
from policies.rules import Budget
from policies.subject import Assumed, Subject
from proxy.net.replies import Replies
from proxy.net.requests import Requests
from proxy.net.session import Session
from proxy.net.upstream import OwnStatement
from proxy.oplog.operation import Operation, Origin
from proxy.rates import Rates
from proxy.wire.codecs import Column
from proxy.wire.messages import (
    FROM_CLIENT,
    FROM_UPSTREAM,
    CommandComplete,
    DataRow,
    ErrorResponse,
    Message,
    NoticeResponse,
    Parse,
    ParseComplete,
    ReadyForQuery,
    RowDescription,
    Sync,
)


@dataclass
class Rules:
    """Stands in for a Snapshot."""

    version: str = "v1"


class TableEngine:
    """Implements the engine's interface from a table: what is not in it is allowed as it is.

    `table`: text -> Deny, Plan, list of Plans, an exception to raise, or who asks -> one of these.
    """

    def __init__(self, table: dict[bytes, Any] | None = None, mode: Mode = "enforce") -> None:
        self.table = dict(table or {})
        self.snapshot = Rules()
        self.subjects: dict[str, Subject] = {"app": Subject("app", tenant=1, roles=("r",))}
        self.asked: list[bytes] = []
        self.asked_as: list[Subject] = []
        self.current: Mode = mode
        self.hidden_types: set[int] = set()
        self.limits = Budget(100, 2000, 40, 1, 100, role="r")
        self.rates = Rates(lambda: 0.0)
        self.prices: dict[bytes, Deny | bool] = {}
        self.priced: list[tuple[bytes, tuple[int, ...]]] = []
        self.wakes: list[Callable[[], None]] = []
        self.contexts: dict[str, Assumed] = {}
        self.refuse_startup: Deny | None = None

    def subject(self, login: str) -> Subject | None:
        return self.subjects.get(login)

    def mode(self, subject: Subject) -> Mode:
        return self.current

    def budget(self, subject: Subject) -> Budget:
        return self.limits

    def spend(self, subject: Subject, count: int, facts: Facts) -> Deny | None:
        if self.rates.take(subject.login, self.limits.rate, count) is None:
            return None
        return replace(deny(reasons.RATE_LIMITED), facts=facts)

    def price(self, plan: Plan, types: Sequence[int], wake: Callable[[], None]) -> Deny | bool:
        self.priced.append((plan.sql, tuple(types)))
        self.wakes.append(wake)
        return self.prices.get(plan.sql, True)

    def assume(self, subject: Subject, token: str, session: str) -> Assumed | Deny:
        return self.contexts.get(token) or deny(reasons.AUTHENTICATION_REQUIRED)

    def startup(self, subject: Subject, parameters: dict[str, str]) -> dict[str, str] | Deny:
        return self.refuse_startup or dict(parameters)

    def parameter_types(self, subject: Subject, oids: Sequence[int]) -> Deny | None:
        if set(oids) & self.hidden_types:
            return deny(reasons.TYPE_NOT_ALLOWED)
        return None

    def unknown_subject(self) -> Deny:
        return deny(reasons.AUTHENTICATION_REQUIRED)

    def decide(self, subject: Subject, text: bytes) -> tuple[Decision, bool]:
        cached = text in self.asked
        self.asked.append(text)
        self.asked_as.append(subject)
        answer = self.table.get(text)
        if callable(answer):
            answer = answer(subject)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Deny):
            return answer, cached
        if isinstance(answer, Plan):
            answer = [answer]
        if answer is None:
            answer = [plan(part) for part in text.split(b";") if part.strip()]
        joined = b"; ".join(each.sql for each in answer)
        named = any(each.naming or sets(each) for each in answer)
        version = self.snapshot.version
        return Allow(tuple(answer), joined, version, self.current, named), cached

    def reload(self, table: dict[bytes, Any]) -> None:
        """A new snapshot with these answers on top."""
        self.table.update(table)
        self.snapshot = Rules("v2")


def plan(sql: bytes, **options: Any) -> Plan:
    """A plan whose facts name the statement's first word."""
    words = sql.split()
    operation = words[0].decode().lower() if words else "unknown"
    return Plan(sql.strip(), Facts(operation=operation), **options)


def deny(reason: Reason, message: str = "no", hint: str = "try less", **place: str) -> Deny:
    return Deny(reason, message, hint, Facts(operation="select"), "v1", **place)


class Wire:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.written = b""
        self.writes = 0
        self.reading = True
        self.finished = False
        self.closing = False

    def write(self, data: bytes) -> None:
        assert not self.closing, "written to a closed transport"
        self.written += data
        self.writes += 1

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write_eof(self) -> None:
        self.finished = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True


@dataclass(frozen=True)
class Error:
    """Expects an ErrorResponse with this SQLSTATE and these fields."""

    sqlstate: str
    fields: tuple[tuple[str, str], ...] = ()

    def __call__(self, message: Message) -> bool:
        if not isinstance(message, ErrorResponse):
            return False
        found = {key: value.decode() for key, value in message.fields}
        return found["C"] == self.sqlstate and all(found.get(k) == v for k, v in self.fields)


def error(sqlstate: str, **fields: str) -> Error:
    return Error(sqlstate, tuple(fields.items()))


Heard = Message | type[Message] | Callable[[Message], bool]


class Half:
    """One end: `>>` says, `<<` hears."""

    def __init__(self, wire: Wire, kinds: dict[bytes, type[Message]]) -> None:
        self.wire = wire
        self.protocol: asyncio.Protocol | None = None
        self.listened = False
        self._kinds = kinds

    def __rshift__(self, said: Message | bytes | Sequence[Message | bytes]) -> Half:
        assert self.protocol is not None
        messages = [said] if isinstance(said, Message | bytes) else said
        raw = b"".join(m if isinstance(m, bytes) else m.encode() for m in messages)
        self.protocol.data_received(raw)
        return self

    def __lshift__(self, expected: Heard | Sequence[Heard]) -> Half:
        for each in expected if isinstance(expected, list | tuple) else [expected]:
            message = self.next()
            if isinstance(each, type):
                assert isinstance(message, each), f"{message} is no {each.__name__}"
            elif isinstance(each, Message):
                assert message == each
            else:
                assert cast(Callable[[Message], bool], each)(message), f"{message} is not {each}"
        return self

    def next(self) -> Message:
        """The next message heard."""
        self.listened = True
        raw = self.wire.written
        assert len(raw) >= 5, "nothing more was heard"
        stop = 1 + int.from_bytes(raw[1:5], "big")
        self.wire.written = raw[stop:]
        return self._kinds[raw[:1]].decode(raw[5:stop])

    def heard(self) -> list[Message]:
        """Everything not heard yet."""
        messages = []
        while self.wire.written:
            messages.append(self.next())
        return messages

    def ends(self) -> None:
        """The connection is lost."""
        assert self.protocol is not None
        self.wire.closing = True
        self.protocol.connection_lost(None)


@dataclass
class Records:
    """An observer and the gauges in one."""

    operations: list[Operation] = field(default_factory=list)
    clients: int = 0
    upstreams: int = 0

    def record(self, operation: Operation) -> None:
        self.operations.append(operation)

    def client_opened(self) -> None:
        self.clients += 1

    def client_closed(self) -> None:
        self.clients -= 1

    def upstream_opened(self) -> None:
        self.upstreams += 1

    def upstream_closed(self) -> None:
        self.upstreams -= 1

    def outcomes(self) -> list[tuple[str, str]]:
        """(operation, outcome) of each."""
        return [(each.facts.operation, each.outcome) for each in self.operations]


class Conversation:
    """A session with a client and an upstream that are played by the test."""

    def __init__(
        self,
        engine: TableEngine | dict[bytes, Any] | None = None,
        *,
        mode: Mode = "enforce",
        max_statement_bytes: int = 1024 * 1024,
    ) -> None:
        self.engine = engine if isinstance(engine, TableEngine) else TableEngine(engine, mode)
        self.records = Records()
        self.client = Half(Wire(), FROM_UPSTREAM)
        self.server = Half(Wire(), FROM_CLIENT)
        self.ended = False
        subject = self.engine.subjects["app"]
        origin = Origin("s1", subject, "shop", "test", "local", "scram-sha-256")
        self.session = Session(
            self.engine, origin, [self.records], self.records,
            cast(asyncio.Transport, self.client.wire), cast(asyncio.Transport, self.server.wire),
            self._ended,
        )  # fmt: skip
        self.requests = self.session.requests = Requests(self.session, max_statement_bytes)
        self.replies = self.session.replies = Replies(self.session)
        self.client.protocol = self.requests
        self.server.protocol = self.replies

    def _ended(self, session: Session) -> None:
        self.ended = True

    def over(self) -> None:
        """The client heard no more, nor did the server if the test listened there; nothing is
        owed."""
        assert self.client.wire.written == b""
        assert self.server.wire.written == b"" or not self.server.listened
        assert not self.session.ledger.owed

    @property
    def operations(self) -> list[Operation]:
        return self.records.operations


def fields(message: Message) -> dict[str, str]:
    """An error's or notice's fields."""
    assert isinstance(message, ErrorResponse | NoticeResponse)
    return {key: value.decode() for key, value in message.fields}


POISON = OwnStatement.REFUSED.value
COLUMNS = RowDescription((Column(b"id"),))
ROW = DataRow((b"1",))
READY = ReadyForQuery()


def failure(sqlstate: bytes, severity: bytes = b"ERROR", **more: bytes) -> ErrorResponse:
    """What an upstream says when something fails."""
    base = (("S", severity), ("V", severity), ("C", sqlstate), ("M", b"it failed"))
    return ErrorResponse((*base, *more.items()))


SYNTAX_ERROR = failure(b"42601")


def rows(count: int) -> list[Message]:
    """A whole answer to a Query."""
    return [COLUMNS, *[ROW] * count, CommandComplete(b"SELECT %d" % count), READY]


def only(talk: Conversation) -> Operation:
    """The one operation recorded."""
    assert len(talk.operations) == 1
    return talk.operations[0]


def prepared(talk: Conversation) -> None:
    """The statement `s` is prepared as SELECT 1, and that is over."""
    talk.client >> [Parse(b"s", b"SELECT 1"), Sync()]
    talk.server >> [ParseComplete(), READY]
    talk.client.heard()
    talk.server.heard()
