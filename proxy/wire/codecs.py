"""How single fields of messages are read and written: numbers, strings, lists (manual 54.6).

Knows bytes only; knows no message. Reading never goes past the body it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final, Generic, TypeVar

T = TypeVar("T")
Value = bytes | None

_INT16: Final = Struct("!h")
_INT32: Final = Struct("!i")
_COUNT: Final = Struct("!H")
_OID: Final = Struct("!I")
_COLUMN: Final = Struct("!IhIhih")


class Malformed(Exception):
    """A body that does not follow its layout. The text is PostgreSQL's own."""


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
