"""proxy/approvals/values.py: what a person is shown is what PostgreSQL would take the bytes for."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from proxy.approvals.values import read_values, shown
from proxy.testing import PostgresServer
from proxy.wire.codecs import Malformed
from proxy.wire.messages import Bind

# Type, its OID, and literals of it; the server itself says how each looks in binary.
SAMPLES: list[tuple[str, int, list[str]]] = [
    ("bool", 16, ["true", "false"]),
    ("int2", 21, ["-7", "32767"]),
    ("int4", 23, ["41", "-2147483648"]),
    ("int8", 20, ["9223372036854775807"]),
    ("oid", 26, ["4294967295"]),
    ("float8", 701, ["0.5", "-1e+100"]),
    ("numeric", 1700, ["0", "0.00", "12.50", "-3.14", "10000", "123456789.001", "0.0001",
                       "-99999999999999999999.5", "1000000000000"]),
    ("text", 25, ["'it''s'", "''", "'ü'"]),
    ("varchar", 1043, ["'x'"]),
    ("json", 114, ["'{\"a\": 1}'"]),
    ("jsonb", 3802, ["'{\"a\": 1}'"]),
    ("uuid", 2950, ["'0b0e0ff8-5d1c-4f7a-9c33-6b6d0d2f1a2b'"]),
    ("date", 1082, ["'2026-02-28'", "'1950-01-01'"]),
    ("timestamp", 1114, ["'2026-02-28 12:30:00'", "'1999-12-31 23:59:59.000001'"]),
    ("timestamptz", 1184, ["'2026-02-28 12:30:00+00'"]),
]  # fmt: skip
UNDERSCORED = frozenset("numeric date timestamp timestamptz json jsonb uuid".split())


def test_binary_values_are_read_as_the_server_writes_them(postgres: PostgresServer) -> None:
    async def written() -> list[tuple[str, int, str, bytes]]:
        connection = await asyncpg.connect(postgres.dsn())
        found = []
        for name, oid, literals in SAMPLES:
            send = f"{name}_send" if name in UNDERSCORED else f"{name}send"
            for literal in literals:
                raw = await connection.fetchval(f"SELECT {send}(CAST({literal} AS {name}))")
                found.append((name, oid, literal, raw))
        await connection.close()
        return found

    for name, oid, literal, raw in asyncio.run(written()):
        assert shown([1], [raw], [oid]) == (literal,), name


def test_text_stands_in_quotes_and_nothing_else_does() -> None:
    assert shown([], [b"41", b"a'b", None], []) == ("'41'", "'a''b'", "NULL")
    assert shown([0], [b"NULL", b"binary 0x00"], [23]) == ("'NULL'", "'binary 0x00'")


@pytest.mark.parametrize(
    ("value", "oid"),
    [
        (b"\0\0\0\x29", 0),  # not known
        (b"\0\0\x29", 23),  # too short
        (b"\2", 16),
        (b"\2{}", 3802),
        (b"\xff", 25),
        (b"a\0b", 25),
        (b"\x7f\xff\xff\xff", 1082),  # infinity
        (b"\x7f" + b"\xff" * 7, 1184),
        (b"\0\1\0\0\0\0\0\0\x27\x10", 1700),  # a digit of 10,000
        (b"\0\0\0\0\xc0\0\0\0", 1700),  # NaN
        (b"\0\1\x7f\xff\0\0\0\0\0\1", 1700),  # longer than anybody reads
    ],
)
def test_what_cannot_be_read_is_shown_as_bytes(value: bytes, oid: int) -> None:
    assert shown([1], [value], [oid]) == (f"binary 0x{value.hex()}",)


def test_formats_count_as_in_the_protocol() -> None:
    given = [b"1", b"\0\1"]
    assert shown([0, 1], given, [25, 21]) == ("'1'", "1")
    assert shown([1], [b"\0\2", b"\0\1"], [21, 21]) == ("2", "1")
    assert shown([0], given[:1], []) == ("'1'",)


def test_a_bind_is_read_whole_or_not_at_all() -> None:
    body = Bind(b"p", b"s", (1,), (b"x", None), (0, 1)).encode()[5:].removeprefix(b"p\0s\0")
    formats, values, end = read_values(body)
    assert (formats, values) == ((1,), (b"x", None))
    assert body[end:] == b"\0\2\0\0\0\1"
    for cut in range(len(body)):
        with pytest.raises(Malformed):
            read_values(body[:cut])
    with pytest.raises(Malformed):
        read_values(body + b"\0")
