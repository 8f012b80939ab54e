"""A PostgreSQL client that hides nothing: every backend message as the bytes that came.

Blocking, no driver underneath, so that what a test compares is what went over the socket. Speaks
protocol 3.0 with SCRAM-SHA-256; everything else is raw bytes. Must not know: policies, attacks.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from scramp import ScramClient

PROTOCOL_3_0 = 196608
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
TEXT, BINARY = 0, 1
TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the server: its type byte and its body, length left out."""

    tag: bytes
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        """The fields of an ErrorResponse or NoticeResponse by their one-letter code."""
        parts = self.body.rstrip(b"\0").split(b"\0")
        return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in parts if part}


class Closed(Exception):
    """The server closed the connection; `messages` is what came before."""

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        super().__init__("the server closed the connection")
        self.messages = list(messages)


class LoginRefused(Exception):
    """The server refused the start-up; `message` is its ErrorResponse."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.fields.get("M", ""))
        self.message = message


class WireClient:
    """One connection. `status` is the last ReadyForQuery's byte, `startup` what log-in returned."""

    def __init__(self, host: str, port: int, *, timeout: float = TIMEOUT) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.status = b""
        self.startup: list[Message] = []
        self.sent = bytearray()  # what was sent, long messages cut
        self._buffer = bytearray()

    @classmethod
    def login(
        cls,
        host: str,
        port: int,
        user: str,
        password: str = "",
        database: str = "postgres",
        *,
        parameters: dict[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> Self:
        """Connect, authenticate and wait until ready. Raises LoginRefused or Closed."""
        client = cls(host, port, timeout=timeout)
        try:
            client.start({"user": user, "database": database, **(parameters or {})}, password)
        except BaseException:
            client.close()
            raise
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(
        self, parameters: dict[str, str], password: str = "", *, version: int = PROTOCOL_3_0
    ) -> None:
        """Send the start-up packet and follow the log-in to its ReadyForQuery."""
        self.send(startup_packet(parameters, version=version))
        scram: ScramClient | None = None
        while True:
            message = self.receive()
            self.startup.append(message)
            if message.tag == b"E":
                raise LoginRefused(message)
            if message.tag == b"Z":
                self.status = message.body
                return
            if message.tag == b"R":
                scram = self._authenticate(message.body, parameters["user"], password, scram)

    def _authenticate(
        self, body: bytes, user: str, password: str, scram: ScramClient | None
    ) -> ScramClient | None:
        (kind,) = struct.unpack("!i", body[:4])
        if kind == 0:
            return scram
        if kind == 3:
            self.send(frame(b"p", password.encode() + b"\0"))
            return scram
        if kind == 10:
            scram = ScramClient(["SCRAM-SHA-256"], user, password)
            first = scram.get_client_first().encode()
            self.send(frame(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
            return scram
        assert scram is not None, f"authentication request {kind} out of order or not supported"
        if kind == 11:
            scram.set_server_first(body[4:].decode())
            self.send(frame(b"p", scram.get_client_final().encode()))
        else:
            scram.set_server_final(body[4:].decode())
        return scram

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sent += data[:65536]
        self.socket.sendall(data)

    def receive(self) -> Message:
        """The next message. Raises Closed at the end, TimeoutError when none comes."""
        self._fill(5)
        tag = bytes(self._buffer[:1])
        (length,) = struct.unpack("!i", self._buffer[1:5])
        assert length >= 4, f"the server sent length {length} for a {tag!r} message"
        self._fill(1 + length)
        body = bytes(self._buffer[5 : 1 + length])
        del self._buffer[: 1 + length]
        return Message(tag, body)

    def _fill(self, count: int) -> None:
        while len(self._buffer) < count:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise Closed
            self._buffer += data

    def until(self, *tags: bytes) -> list[Message]:
        """Every message up to and including the first of these types."""
        messages: list[Message] = []
        while not messages or messages[-1].tag not in tags:
            try:
                messages.append(self.receive())
            except Closed as closed:
                raise Closed(messages) from closed
        if messages[-1].tag == b"Z":
            self.status = messages[-1].body
        return messages

    def rest(self) -> list[Message]:
        """Every message until the server closes the connection."""
        messages: list[Message] = []
        while True:
            try:
                messages.append(self.receive())
            except Closed:
                return messages

    def query(self, sql: str | bytes, *, data: bytes = b"") -> list[Message]:
        """The simple protocol: one Query, everything up to ReadyForQuery. Without data, COPY that
        asks for some is told that there is none."""
        self.send(query(sql))
        return self._until_ready(copy_data(data))

    def extended(
        self, sql: str, values: Sequence[bytes | None] = (), *, name: str = "",
        result_format: int = TEXT, data: bytes = b"",
    ) -> list[Message]:  # fmt: skip
        """Parse, Bind, Describe, Execute, Sync in one write; everything up to ReadyForQuery."""
        parts = (
            parse(name, sql), bind("", name, values, result_formats=(result_format,)),
            describe("P", ""), execute(""), sync(),
        )  # fmt: skip
        self.send(b"".join(parts))
        return self._until_ready(copy_data(data) + sync())  # a Sync during COPY is ignored

    def _until_ready(self, no_data: bytes) -> list[Message]:
        messages = self.until(b"Z", b"G")
        while messages[-1].tag == b"G":
            self.send(no_data)
            messages += self.until(b"Z", b"G")
        return messages

    def close(self) -> None:
        """Close the socket without a word."""
        self.socket.close()


def frame(tag: bytes, body: bytes) -> bytes:
    """One message as sent: type byte, length, body."""
    return tag + struct.pack("!i", len(body) + 4) + body


def startup_packet(parameters: dict[str, str], *, version: int = PROTOCOL_3_0) -> bytes:
    """A StartupMessage, which has no type byte."""
    body = struct.pack("!i", version)
    body += b"".join(_string(word) for pair in parameters.items() for word in pair) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def query(sql: str | bytes) -> bytes:
    """A Query message."""
    return frame(b"Q", _string(sql))


def parse(name: str, sql: str | bytes, types: Sequence[int] = ()) -> bytes:
    """A Parse message; `types` are parameter type OIDs."""
    return frame(b"P", _string(name) + _string(sql) + _array("I", types))


def bind(
    portal: str,
    statement: str,
    values: Sequence[bytes | None] = (),
    *,
    formats: Sequence[int] = (),
    result_formats: Sequence[int] = (),
) -> bytes:
    """A Bind message; None is NULL."""
    body = _string(portal) + _string(statement) + _array("h", formats)
    body += struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return frame(b"B", body + _array("h", result_formats))


def describe(kind: str, name: str) -> bytes:
    """A Describe message of a statement ("S") or portal ("P")."""
    return frame(b"D", kind.encode() + _string(name))


def execute(portal: str, rows: int = 0) -> bytes:
    """An Execute message; 0 rows means all."""
    return frame(b"E", _string(portal) + struct.pack("!i", rows))


def close(kind: str, name: str) -> bytes:
    """A Close message of a statement ("S") or portal ("P")."""
    return frame(b"C", kind.encode() + _string(name))


def sync() -> bytes:
    """A Sync message."""
    return frame(b"S", b"")


def flush() -> bytes:
    """A Flush message."""
    return frame(b"H", b"")


def copy_fail() -> bytes:
    """A CopyFail message: the server asked for COPY data and gets none."""
    return frame(b"f", _string("no data"))


def copy_data(data: bytes) -> bytes:
    """COPY data and its end; without any, CopyFail."""
    return frame(b"d", data) + frame(b"c", b"") if data else copy_fail()


def row_values(message: Message) -> list[bytes | None]:
    """The column values of a DataRow."""
    (count,) = struct.unpack_from("!H", message.body)
    values: list[bytes | None] = []
    offset = 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", message.body, offset)
        offset += 4
        values.append(None if length < 0 else message.body[offset : offset + length])
        offset += max(length, 0)
    return values


def rows(messages: Iterable[Message]) -> list[list[bytes | None]]:
    """The values of every DataRow among the messages."""
    return [row_values(message) for message in messages if message.tag == b"D"]


def errors(messages: Iterable[Message]) -> list[dict[str, str]]:
    """The fields of every ErrorResponse among the messages."""
    return [message.fields for message in messages if message.tag == b"E"]


@dataclass(frozen=True, slots=True)
class ColumnDescription:
    """One column of a RowDescription."""

    name: str
    table_oid: int
    number: int
    type_oid: int


def columns(message: Message) -> list[ColumnDescription]:
    """The columns of a RowDescription."""
    (count,) = struct.unpack_from("!H", message.body)
    found = []
    offset = 2
    for _ in range(count):
        end = message.body.index(0, offset)
        table, number, type_oid = struct.unpack_from("!IhI", message.body, end + 1)
        name = message.body[offset:end].decode()
        found.append(ColumnDescription(name, table, number, type_oid))
        offset = end + 19
    return found


def _string(text: str | bytes) -> bytes:
    return (text.encode() if isinstance(text, str) else text) + b"\0"


def _array(code: str, values: Sequence[int]) -> bytes:
    return struct.pack("!H", len(values)) + struct.pack(f"!{len(values)}{code}", *values)
