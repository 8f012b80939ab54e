"""A small PostgreSQL, as far as the protocol can tell: statements, portals, transactions, errors.

Written from the manual (54.2) and tcop/postgres.c, independently of the proxy, so that what a
client sees through a session can be compared with what it would see without one. A statement is its
first word: `rows N` gives N rows, `give N` writes them first, `write N` gives none, `fail` fails
when run, `bad` (and the proxy's own poison) when parsed, `deny` when parsed with another SQLSTATE,
`begin`, `commit`, `rollback` as in SQL; an `allowed` in front of it means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.wire.messages import (
    FROM_CLIENT,
    Bind,
    BindComplete,
    Close,
    CloseComplete,
    CommandComplete,
    DataRow,
    Describe,
    EmptyQueryResponse,
    ErrorResponse,
    Execute,
    Message,
    NoData,
    ParameterDescription,
    Parse,
    ParseComplete,
    PortalSuspended,
    Query,
    ReadyForQuery,
    RowDescription,
    Sync,
)

COLUMNS = RowDescription()
_GIVING = (b"rows", b"give")


class Failure(Exception):
    """An error raised while a message is handled."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@dataclass
class Portal:
    """A bound statement and how many rows are left."""

    text: bytes
    left: int
    done: bool = False


@dataclass
class ModelServer:
    """`hear` takes what a client says and returns the answer. `rows` is how many of each row."""

    status: str = "I"
    statements: dict[bytes, bytes] = field(default_factory=dict)
    portals: dict[bytes, Portal] = field(default_factory=dict)
    skipping: bool = False
    implicit: bool = False
    _buffer: bytes = b""

    def hear(self, raw: bytes) -> bytes:
        self._buffer += raw
        answers: list[Message] = []
        while len(self._buffer) >= 5:
            stop = 1 + int.from_bytes(self._buffer[1:5], "big")
            if len(self._buffer) < stop:
                break
            message = FROM_CLIENT[self._buffer[:1]].decode(self._buffer[5:stop])
            self._buffer = self._buffer[stop:]
            answers += self._handle(message)
        return b"".join(answer.encode() for answer in answers)

    def _handle(self, message: Message) -> list[Message]:
        if isinstance(message, Sync):
            self.skipping = False
            return [*self._end_implicit(), self._ready()]
        if self.skipping:
            return []
        answers: list[Message] = []
        try:
            if isinstance(message, Query):
                self._query(message, answers)
            else:
                self._extended(message, answers)
        except Failure as failure:
            answers.append(ErrorResponse((("S", b"ERROR"), ("C", failure.sqlstate.encode()))))
            self._abort()
            self.skipping = not isinstance(message, Query)
        if isinstance(message, Query):
            answers += [*self._end_implicit(), self._ready()]
        return answers

    def _ready(self) -> Message:
        return ReadyForQuery(self.status.encode())

    def _end_implicit(self) -> list[Message]:
        if self.status == "I":
            self.portals.clear()
        return []

    def _abort(self) -> None:
        self.portals.clear()
        if self.status == "T":
            self.status = "E"

    def _read(self, text: bytes) -> None:
        word = text.split(b" ")[0]
        if word in (b"bad", b"querywarden"):
            raise Failure("42601")
        if word == b"deny":
            raise Failure("42501")
        if self.status == "E" and word not in (b"commit", b"rollback", b""):
            raise Failure("25P02")

    def _query(self, message: Query, answers: list[Message]) -> None:
        self.statements.pop(b"", None)
        self.portals.pop(b"", None)
        texts = [_plain(part) for part in message.text.split(b";") if part.strip()]
        for text in texts:
            self._parse_only(text)
        if not texts:
            answers.append(EmptyQueryResponse())
        for text in texts:
            self._read(text)
            if text.startswith(_GIVING):
                answers.append(COLUMNS)
            answers += self._run(Portal(text, _rows(text)), 0)

    def _parse_only(self, text: bytes) -> None:
        word = text.split(b" ")[0]
        if word in (b"bad", b"querywarden", b"deny"):
            self._read(text)

    def _run(self, portal: Portal, limit: int) -> list[Message]:
        word = portal.text.split(b" ")[0]
        if word == b"":
            return [EmptyQueryResponse()]
        if word == b"fail":
            raise Failure("22012")
        if word == b"write":
            if portal.done:
                raise Failure("55000")
            portal.done = True
            return [CommandComplete(b"UPDATE " + portal.text.split(b" ")[1])]
        if word in _GIVING:
            count = min(portal.left, limit) if limit else portal.left
            portal.left -= count
            rows: list[Message] = [DataRow((b"x",))] * count
            if limit and count == limit:
                return [*rows, PortalSuspended()]
            verb = b"SELECT" if word == b"rows" else b"UPDATE"
            return [*rows, CommandComplete(b"%b %d" % (verb, count))]
        if word == b"begin":
            self.status = "T"
        elif word in (b"commit", b"rollback"):
            self.status = "I"
            self.portals.clear()
        return [CommandComplete(word.upper())]

    def _extended(self, message: Message, answers: list[Message]) -> None:
        if isinstance(message, Parse):
            self._parse(message)
            answers.append(ParseComplete())
        elif isinstance(message, Bind):
            self._bind(message)
            answers.append(BindComplete())
        elif isinstance(message, Describe):
            answers += self._describe(message)
        elif isinstance(message, Execute):
            portal = self.portals.get(message.portal)
            if portal is None:
                raise Failure("34000")
            self._read(portal.text)
            answers += self._run(portal, message.max_rows)
        elif isinstance(message, Close):
            held = self.statements if message.kind == b"S" else self.portals
            held.pop(message.name, None)
            answers.append(CloseComplete())

    def _parse(self, message: Parse) -> None:
        if not message.name:
            self.statements.pop(b"", None)
        self._read(_plain(message.text))
        if message.name and message.name in self.statements:
            raise Failure("42P05")
        self.statements[message.name] = _plain(message.text)

    def _bind(self, message: Bind) -> None:
        text = self._statement(message.statement)
        self._read(text)
        if message.portal and message.portal in self.portals:
            raise Failure("42P03")
        self.portals[message.portal] = Portal(text, _rows(text))

    def _statement(self, name: bytes) -> bytes:
        if name not in self.statements:
            raise Failure("26000")
        return self.statements[name]

    def _describe(self, message: Describe) -> list[Message]:
        if message.kind == b"S":
            text = self._statement(message.name)
            return [ParameterDescription(), COLUMNS if text.startswith(_GIVING) else NoData()]
        portal = self.portals.get(message.name)
        if portal is None:
            raise Failure("34000")
        return [COLUMNS if portal.text.startswith(_GIVING) else NoData()]


def _plain(text: bytes) -> bytes:
    return text.strip().removeprefix(b"allowed ")


def _rows(text: bytes) -> int:
    return int(text.split(b" ")[1]) if text.startswith(_GIVING) else 0
