"""Messages of protocol 3.0 as values: one dataclass and its layout each (manual 54.7, 54.8).

Knows bodies; knows nothing of order or meaning. Used for start-up, for what the proxy says itself
and by tests; rows and client messages that pass through are never decoded here. Text stays bytes:
its encoding is not the wire's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from struct import Struct
from typing import Any, ClassVar, Final, Generic, TypeVar

T = TypeVar("T")
Value = bytes | None

_INT16: Final = Struct("!h")
_INT32: Final = Struct("!i")
_COUNT: Final = Struct("!H")
_OID: Final = Struct("!I")
_HEADER: Final = Struct("!ci")
_COLUMN: Final = Struct("!IhIhih")


class Malformed(Exception):
    """A body that does not follow its layout. The text is PostgreSQL's own."""


def frame(tag: bytes, body: bytes) -> bytes:
    """One frame's bytes."""
    return _HEADER.pack(tag, len(body) + 4) + body


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """One field's encoding: `read(body, position)` gives the value and the position after it."""

    read: Callable[[bytes, int], tuple[T, int]]
    write: Callable[[T], bytes]


def _number(layout: Struct) -> Codec[int]:
    def read(body: bytes, position: int) -> tuple[int, int]:
        if position + layout.size > len(body):
            raise Malformed("insufficient data left in message")
        number: int = layout.unpack_from(body, position)[0]
        return number, position + layout.size

    return Codec(read, layout.pack)


def _take(body: bytes, position: int, size: int) -> tuple[bytes, int]:
    if size < 0 or position + size > len(body):
        raise Malformed("insufficient data left in message")
    return body[position : position + size], position + size


def _read_string(body: bytes, position: int) -> tuple[bytes, int]:
    end = body.find(0, position)
    if end < 0:
        raise Malformed("invalid string in message")
    return body[position:end], end + 1


def _repeated(count: Codec[int], item: Codec[T]) -> Codec[tuple[T, ...]]:
    def read(body: bytes, position: int) -> tuple[tuple[T, ...], int]:
        number, position = count.read(body, position)
        items: list[T] = []
        for _ in range(number):
            value, position = item.read(body, position)
            items.append(value)
        return tuple(items), position

    def write(items: tuple[T, ...]) -> bytes:
        return count.write(len(items)) + b"".join(map(item.write, items))

    return Codec(read, write)


def _until_nul(item: Codec[T]) -> Codec[tuple[T, ...]]:
    """Items up to a zero byte that stands where the next one would begin."""

    def read(body: bytes, position: int) -> tuple[tuple[T, ...], int]:
        items: list[T] = []
        while True:
            if position >= len(body):
                raise Malformed("no data left in message")
            if body[position] == 0:
                return tuple(items), position + 1
            value, position = item.read(body, position)
            items.append(value)

    def write(items: tuple[T, ...]) -> bytes:
        return b"".join(map(item.write, items)) + b"\0"

    return Codec(read, write)


def _read_value(body: bytes, position: int) -> tuple[Value, int]:
    size, position = INT32.read(body, position)
    if size == -1:
        return None, position
    return _take(body, position, size)


def _write_value(value: Value) -> bytes:
    return _INT32.pack(-1) if value is None else _INT32.pack(len(value)) + value


def _read_field(body: bytes, position: int) -> tuple[tuple[str, bytes], int]:
    value, after = _read_string(body, position + 1)
    return (chr(body[position]), value), after


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a RowDescription."""

    name: bytes
    table: int = 0
    number: int = 0
    type: int = 25
    size: int = -1
    modifier: int = -1
    format: int = 0


def _read_column(body: bytes, position: int) -> tuple[Column, int]:
    name, position = _read_string(body, position)
    numbers, after = _take(body, position, _COLUMN.size)
    return Column(name, *_COLUMN.unpack(numbers)), after


def _write_column(column: Column) -> bytes:
    numbers = (column.table, column.number, column.type, column.size, column.modifier)
    return column.name + b"\0" + _COLUMN.pack(*numbers, column.format)


def _read_pair(body: bytes, position: int) -> tuple[tuple[bytes, bytes], int]:
    key, position = _read_string(body, position)
    value, position = _read_string(body, position)
    return (key, value), position


INT16: Final = _number(_INT16)
INT32: Final = _number(_INT32)
COUNT: Final = _number(_COUNT)
OID: Final = _number(_OID)
BYTE: Final = Codec(lambda body, position: _take(body, position, 1), bytes)
STRING: Final = Codec(_read_string, lambda value: value + b"\0")
REST: Final = Codec(lambda body, position: (body[position:], len(body)), bytes)
VALUE: Final = Codec(_read_value, _write_value)
VALUES: Final = _repeated(COUNT, VALUE)
FORMATS: Final = _repeated(COUNT, INT16)
TYPES: Final = _repeated(COUNT, OID)
STRINGS: Final = _until_nul(STRING)
COUNTED_STRINGS: Final = _repeated(INT32, STRING)
PAIRS: Final = _until_nul(
    Codec(_read_pair, lambda pair: pair[0] + b"\0" + pair[1] + b"\0"),
)
FIELDS: Final = _until_nul(
    Codec(_read_field, lambda field: field[0].encode() + field[1] + b"\0"),
)
COLUMNS: Final = _repeated(COUNT, Codec(_read_column, _write_column))

M = TypeVar("M", bound="Message")


class Message:
    """A message with a tag. `LAYOUT` has one codec per dataclass field, in order."""

    __slots__ = ()
    TAG: ClassVar[bytes]
    LAYOUT: ClassVar[tuple[Codec[Any], ...]] = ()

    def encode(self) -> bytes:
        """The whole frame."""
        return frame(self.TAG, self.body())

    def body(self) -> bytes:
        values = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
        layout = zip(self.LAYOUT, values, strict=True)
        return b"".join(codec.write(value) for codec, value in layout)

    @classmethod
    def decode(cls: type[M], body: bytes) -> M:
        """From a frame's body. Raises Malformed, also when bytes are left over."""
        position = 0
        values = []
        for codec in cls.LAYOUT:
            value, position = codec.read(body, position)
            values.append(value)
        if position != len(body):
            raise Malformed("invalid message format")
        return cls(*values)


# What a client says.


@dataclass(frozen=True, slots=True)
class Query(Message):
    TAG = b"Q"
    LAYOUT = (STRING,)
    text: bytes


@dataclass(frozen=True, slots=True)
class Parse(Message):
    TAG = b"P"
    LAYOUT = (STRING, STRING, TYPES)
    name: bytes
    text: bytes
    types: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bind(Message):
    TAG = b"B"
    LAYOUT = (STRING, STRING, FORMATS, VALUES, FORMATS)
    portal: bytes
    statement: bytes
    formats: tuple[int, ...] = ()
    values: tuple[Value, ...] = ()
    result_formats: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Describe(Message):
    TAG = b"D"
    LAYOUT = (BYTE, STRING)
    kind: bytes
    name: bytes = b""


@dataclass(frozen=True, slots=True)
class Execute(Message):
    TAG = b"E"
    LAYOUT = (STRING, INT32)
    portal: bytes = b""
    max_rows: int = 0


@dataclass(frozen=True, slots=True)
class Close(Message):
    TAG = b"C"
    LAYOUT = (BYTE, STRING)
    kind: bytes
    name: bytes = b""


@dataclass(frozen=True, slots=True)
class Sync(Message):
    TAG = b"S"


@dataclass(frozen=True, slots=True)
class Flush(Message):
    TAG = b"H"


@dataclass(frozen=True, slots=True)
class Terminate(Message):
    TAG = b"X"


@dataclass(frozen=True, slots=True)
class FunctionCall(Message):
    TAG = b"F"
    LAYOUT = (OID, FORMATS, VALUES, INT16)
    function: int
    formats: tuple[int, ...] = ()
    values: tuple[Value, ...] = ()
    result_format: int = 0


@dataclass(frozen=True, slots=True)
class Password(Message):
    """PasswordMessage, and SASLResponse under the same tag: the body is the answer itself."""

    TAG = b"p"
    LAYOUT = (REST,)
    answer: bytes


@dataclass(frozen=True, slots=True)
class SaslInitial(Message):
    TAG = b"p"
    LAYOUT = (STRING, VALUE)
    mechanism: bytes
    response: Value


# What both say.


@dataclass(frozen=True, slots=True)
class CopyData(Message):
    TAG = b"d"
    LAYOUT = (REST,)
    data: bytes


@dataclass(frozen=True, slots=True)
class CopyDone(Message):
    TAG = b"c"


@dataclass(frozen=True, slots=True)
class CopyFail(Message):
    TAG = b"f"
    LAYOUT = (STRING,)
    message: bytes


# What an upstream says.


@dataclass(frozen=True, slots=True)
class Authentication(Message):
    TAG = b"R"
    LAYOUT = (INT32, REST)
    code: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class NegotiateProtocolVersion(Message):
    TAG = b"v"
    LAYOUT = (INT32, COUNTED_STRINGS)
    version: int
    options: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ParameterStatus(Message):
    TAG = b"S"
    LAYOUT = (STRING, STRING)
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class BackendKeyData(Message):
    TAG = b"K"
    LAYOUT = (INT32, REST)
    pid: int
    secret: bytes


@dataclass(frozen=True, slots=True)
class ReadyForQuery(Message):
    TAG = b"Z"
    LAYOUT = (BYTE,)
    status: bytes = b"I"


@dataclass(frozen=True, slots=True)
class ParseComplete(Message):
    TAG = b"1"


@dataclass(frozen=True, slots=True)
class BindComplete(Message):
    TAG = b"2"


@dataclass(frozen=True, slots=True)
class CloseComplete(Message):
    TAG = b"3"


@dataclass(frozen=True, slots=True)
class NoData(Message):
    TAG = b"n"


@dataclass(frozen=True, slots=True)
class PortalSuspended(Message):
    TAG = b"s"


@dataclass(frozen=True, slots=True)
class EmptyQueryResponse(Message):
    TAG = b"I"


@dataclass(frozen=True, slots=True)
class ParameterDescription(Message):
    TAG = b"t"
    LAYOUT = (TYPES,)
    types: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RowDescription(Message):
    TAG = b"T"
    LAYOUT = (COLUMNS,)
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class DataRow(Message):
    TAG = b"D"
    LAYOUT = (VALUES,)
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandComplete(Message):
    TAG = b"C"
    LAYOUT = (STRING,)
    tag: bytes


@dataclass(frozen=True, slots=True)
class ErrorResponse(Message):
    """`fields`: (code letter, value) in order, manual 54.8 "Error and Notice Message Fields"."""

    TAG = b"E"
    LAYOUT = (FIELDS,)
    fields: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class NoticeResponse(Message):
    TAG = b"N"
    LAYOUT = (FIELDS,)
    fields: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class NotificationResponse(Message):
    TAG = b"A"
    LAYOUT = (INT32, STRING, STRING)
    pid: int
    channel: bytes
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class CopyInResponse(Message):
    TAG = b"G"
    LAYOUT = (BYTE, FORMATS)
    format: bytes = b"\0"
    columns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyOutResponse(Message):
    TAG = b"H"
    LAYOUT = (BYTE, FORMATS)
    format: bytes = b"\0"
    columns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionCallResponse(Message):
    TAG = b"V"
    LAYOUT = (VALUE,)
    value: Value = None


FROM_CLIENT: Final[dict[bytes, type[Message]]] = {
    kind.TAG: kind
    for kind in (
        Query, Parse, Bind, Describe, Execute, Close, Sync, Flush, Terminate, FunctionCall,
        Password, CopyData, CopyDone, CopyFail,
    )
}  # fmt: skip

FROM_UPSTREAM: Final[dict[bytes, type[Message]]] = {
    kind.TAG: kind
    for kind in (
        Authentication, NegotiateProtocolVersion, ParameterStatus, BackendKeyData, ReadyForQuery,
        ParseComplete, BindComplete, CloseComplete, NoData, PortalSuspended, EmptyQueryResponse,
        ParameterDescription, RowDescription, DataRow, CommandComplete, ErrorResponse,
        NoticeResponse, NotificationResponse, CopyInResponse, CopyOutResponse, CopyData, CopyDone,
        FunctionCallResponse,
    )
}  # fmt: skip


# The first packet of a connection has no tag (manual 54.2.1).

PROTOCOL_3_0: Final = 3 << 16
SSL_REQUEST: Final = (1234 << 16) + 5679
GSSENC_REQUEST: Final = (1234 << 16) + 5680
CANCEL_REQUEST: Final = (1234 << 16) + 5678


@dataclass(frozen=True, slots=True)
class FirstPacket:
    """Any packet a connection may open with: a code (or protocol version) and what follows it."""

    code: int
    body: bytes = b""

    def encode(self) -> bytes:
        return _INT32.pack(len(self.body) + 8) + _INT32.pack(self.code) + self.body


def startup(parameters: dict[str, str], version: int = PROTOCOL_3_0) -> bytes:
    """A StartupMessage's bytes."""
    pairs = tuple((key.encode(), value.encode()) for key, value in parameters.items())
    return FirstPacket(version, PAIRS.write(pairs)).encode()


def startup_parameters(body: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The pairs of a StartupMessage's body. Raises Malformed."""
    pairs, end = PAIRS.read(body, 0)
    if end != len(body):
        raise Malformed("invalid startup packet layout: expected terminator as last byte")
    return pairs


def cancel_request(pid: int, secret: bytes) -> bytes:
    return FirstPacket(CANCEL_REQUEST, _INT32.pack(pid) + secret).encode()
