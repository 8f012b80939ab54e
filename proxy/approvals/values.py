"""Bind values as a person reads them: SQL literals where the type is known, else their bytes.

What is text stands in quotes, so nothing a client sends can pass for another kind of value. Knows
the binary forms of the usual types (PostgreSQL source, *send functions); sends nothing anywhere.
"""

from __future__ import annotations

import datetime
import struct
import uuid
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from proxy.wire.codecs import FORMATS, VALUES, Malformed, Value

_TEXT_FORMAT: Final = 0
_JSONB_VERSION: Final = b"\x01"
_EPOCH: Final = datetime.datetime(2000, 1, 1)
_DIGITS: Final = 10_000
_NUMERIC: Final = Struct("!HhHH")
_NEGATIVE: Final = 0x4000
_LONGEST_NUMBER: Final = 256
_BOOLEANS: Final = {b"\0": "false", b"\1": "true"}

_Shown = Callable[[bytes], str]


def read_values(parameters: bytes) -> tuple[tuple[int, ...], tuple[Value, ...], int]:
    """Formats and values in a Bind from behind its names on, and where they end. Raises
    Malformed."""
    formats, position = FORMATS.read(parameters, 0)
    values, position = VALUES.read(parameters, position)
    _, end = FORMATS.read(parameters, position)
    if end != len(parameters):
        raise Malformed("invalid message format")
    if len(formats) > 1 and len(formats) != len(values):
        raise Malformed("bind message has parameter formats that do not fit its parameters")
    return formats, values, position


def shown(formats: Sequence[int], values: Sequence[Value], types: Sequence[int]) -> tuple[str, ...]:
    """Each value for a reader. `types`: OIDs as far as they are known, 0 for others."""
    every = list(formats) * (len(values) if len(formats) == 1 else 1) or [0] * len(values)
    known = [*types, *[0] * (len(values) - len(types))]
    return tuple(map(_one, every, values, known))


def _one(form: int, value: Value, oid: int) -> str:
    if value is None:
        return "NULL"
    show = _text if form == _TEXT_FORMAT else _BINARY.get(oid, _bytes)
    try:
        return show(value)
    except (ValueError, OverflowError, KeyError, struct.error):
        return _bytes(value)


def _text(value: bytes) -> str:
    if 0 in value:
        raise ValueError
    quoted = value.decode().replace("'", "''")
    return f"'{quoted}'"


def _bytes(value: bytes) -> str:
    return f"binary 0x{value.hex()}"


def _number(layout: str) -> _Shown:
    unpack = Struct(layout).unpack
    return lambda value: str(unpack(value)[0])


def _jsonb(value: bytes) -> str:
    if value[:1] != _JSONB_VERSION:
        raise ValueError
    return _text(value[1:])


def _date(value: bytes) -> str:
    (days,) = struct.unpack("!i", value)
    return f"'{(_EPOCH + datetime.timedelta(days=days)).date().isoformat()}'"


def _timestamp(value: bytes) -> str:
    (microseconds,) = struct.unpack("!q", value)
    moment = _EPOCH + datetime.timedelta(microseconds=microseconds)
    return f"'{moment.isoformat(' ')}'"


def _timestamptz(value: bytes) -> str:
    return f"{_timestamp(value)[:-1]}+00'"


def _numeric(value: bytes) -> str:
    count, weight, sign, scale = _NUMERIC.unpack_from(value)
    if sign not in (0, _NEGATIVE) or max(count, abs(weight), scale) > _LONGEST_NUMBER:
        raise ValueError
    digits = Struct(f"!{count}H").unpack(value[_NUMERIC.size :])
    number = 0
    for digit in digits:
        if digit >= _DIGITS:
            raise ValueError
        number = number * _DIGITS + digit
    # the last digit stands for this power of ten thousand
    power = weight - count + 1
    scaled = number * _DIGITS**power * 10**scale if power >= 0 else None
    if scaled is None:
        whole, rest = divmod(number * 10**scale, _DIGITS**-power)
        if rest:
            raise ValueError
        scaled = whole
    text = str(scaled).rjust(scale + 1, "0")
    text = f"{text[:-scale]}.{text[-scale:]}" if scale else text
    return f"-{text}" if sign == _NEGATIVE else text


# By OID of the type (PostgreSQL source, pg_type.dat).
_BINARY: Final[dict[int, _Shown]] = {
    16: _BOOLEANS.__getitem__,
    18: _text,  # "char"
    19: _text,  # name
    20: _number("!q"),
    21: _number("!h"),
    23: _number("!i"),
    25: _text,
    26: _number("!I"),
    114: _text,  # json
    700: _number("!f"),
    701: _number("!d"),
    1042: _text,  # char(n)
    1043: _text,  # varchar
    1082: _date,
    1114: _timestamp,
    1184: _timestamptz,
    1700: _numeric,
    2950: lambda value: f"'{uuid.UUID(bytes=value)}'",
    3802: _jsonb,
}
