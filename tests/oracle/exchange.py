"""Put one statement to all three sides at once, in one of the forms drivers use."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.attacks.wire_client import (
    BINARY,
    TEXT,
    Closed,
    WireClient,
    bind,
    describe,
    execute,
    parse,
    query,
    sync,
)
from tests.oracle.answers import Answer, read
from tests.oracle.grammar import Parameter, Statement
from tests.oracle.world import Door, World

LOST = Answer(sqlstate="lost", message="the connection ended")
_OIDS = {
    "int": 20, "num": 1700, "text": 25, "bool": 16, "date": 1082, "time": 1184, "uuid": 2950,
    "json": 3802, "ints": 1007, "texts": 1009, "limit": 20, "bigints": 1016,
    "owner": 20,
}  # fmt: skip
_BINARY: dict[str, Callable[[str], bytes]] = {
    "int": lambda text: struct.pack("!q", int(text)),
    "limit": lambda text: struct.pack("!q", int(text)),
    "bool": lambda text: b"\x01" if text == "t" else b"\x00",
    "text": str.encode,
    "uuid": lambda text: uuid.UUID(text).bytes,
}


# What a statement can stand in, as the texts sent one after the other.
_AROUND = {
    "cursor": (
        "BEGIN", "DECLARE q CURSOR FOR {sql}", "FETCH 2 FROM q", "FETCH ALL FROM q", "ROLLBACK",
    ),
    "prepared": ("PREPARE q AS {sql}", "EXECUTE q{values}", "DEALLOCATE q"),
    "copied": ("COPY ({sql}\n) TO STDOUT",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """How a statement is sent. `declared`: parameters come with their types, in binary where we
    can; `result`: TEXT or BINARY; `around`: what it stands in, in the simple protocol."""

    extended: bool = False
    declared: bool = False
    result: int = TEXT
    around: str = ""


def form_of(number: int, statement: Statement) -> Form:
    """The form a statement of that number is sent in."""
    if number % 10 == 3:
        return Form(around="prepared")
    if not statement.parameters:
        around = {1: "cursor", 7: "copied"}.get(number % 10, "")
        if around:
            return Form(around=around)
        return Form(extended=number % 4 == 0, result=BINARY if number % 8 == 0 else TEXT)
    return Form(extended=True, declared=number % 5 == 0, result=BINARY if number % 2 else TEXT)


def messages(statement: Statement, text: str, form: Form) -> list[bytes]:
    """What is sent, each part answered by one ReadyForQuery."""
    if form.around:
        given = ", ".join(_literal(value) for _, value in statement.parameters)
        listed = f"({given})" if given else ""
        return [query(t.format(sql=text, values=listed)) for t in _AROUND[form.around]]
    if not form.extended:
        return [query(text)]
    types, formats, values = values_of(statement.parameters, form)
    parts = (
        parse("", text, types), describe("S", ""),
        bind("", "", values, formats=formats, result_formats=[form.result]),
        describe("P", ""), execute(""), sync(),
    )  # fmt: skip
    return [b"".join(parts)]


def values_of(
    parameters: Sequence[Parameter], form: Form
) -> tuple[list[int], list[int], list[bytes | None]]:
    """Types, formats and values of the parameters, as Parse and Bind have them."""
    kinds = [kind for kind, _ in parameters]
    types = [_OIDS.get(kind, 0) for kind in kinds] if form.declared else []
    binary = [form.declared and kind in _BINARY for kind in kinds]
    values = [
        None if value is None else _BINARY[kind](value) if coded else value.encode()
        for (kind, value), coded in zip(parameters, binary, strict=True)
    ]
    return types, [int(coded) for coded in binary], values


def _literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


class Sides:
    """A connection to each side of a world."""

    def __init__(self, world: World) -> None:
        self._doors = (world.proxy, world.views, world.tables)
        self._clients = [door.connect() for door in self._doors]

    def ask(self, statement: Statement, form: Form) -> list[Answer]:
        """What the proxy, the views and the tables answer."""
        texts = (statement.sql, statement.reference, statement.reference)
        for client, text in zip(self._clients, texts, strict=True):
            parts = messages(statement, text, form)
            client.send(b"".join(parts))
            client.sent.clear()
        return [self._receive(at, door, len(parts)) for at, door in enumerate(self._doors)]

    def _receive(self, at: int, door: Door, parts: int) -> Answer:
        client: WireClient = self._clients[at]
        try:
            return read([m for _ in range(parts) for m in client.until(b"Z")])
        except (Closed, TimeoutError):
            client.close()
            self._clients[at] = door.connect()
            return LOST

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()
