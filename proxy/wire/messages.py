"""Messages of protocol 3.0 as values: one dataclass and its layout each (manual 54.7, 54.8).

Knows bodies; knows nothing of order or meaning. Used for start-up, for what the proxy says itself
and by tests; rows and client messages that pass through are never decoded here. Text stays bytes:
its encoding is not the wire's business.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from struct import Struct
from typing import Any, ClassVar, Final, TypeVar

from proxy.wire.codecs import (
    BYTE,
    COLUMNS,
    COUNTED_STRINGS,
    FIELDS,
    FORMATS,
    INT16,
    INT32,
    OID,
    PAIRS,
    REST,
    STRING,
    TYPES,
    VALUE,
    VALUES,
    Codec,
    Column,
    Malformed,
    Value,
)

_HEADER: Final = Struct("!ci").pack
_INT32: Final = Struct("!i").pack


def frame(tag: bytes, body: bytes) -> bytes:
    """One frame's bytes."""
    return _HEADER(tag, len(body) + 4) + body


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
        return _INT32(len(self.body) + 8) + _INT32(self.code) + self.body


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
    return FirstPacket(CANCEL_REQUEST, _INT32(pid) + secret).encode()
