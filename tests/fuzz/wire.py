"""Conversations by mutation: frames with wrong lengths, tags, order, contents and pieces.

A conversation is a list of frames after log-in, or raw bytes instead of a log-in. Knows the frame
layout only.
"""

from __future__ import annotations

import struct
from random import Random

from tests.attacks.wire_client import (
    SSL_REQUEST,
    bind,
    describe,
    execute,
    flush,
    frame,
    parse,
    query,
    startup_packet,
    sync,
)

_TEXTS = (
    "SELECT id FROM users",
    "SELECT $1::int, id FROM orders WHERE id > $1 LIMIT $2",
    "BEGIN",
    "ROLLBACK",
    "SELECT ssn FROM users",
    "COPY (SELECT id FROM users) TO STDOUT",
    "COPY users FROM STDIN",
    "SELECT o.id FROM orders o CROSS JOIN generate_series(1, 100) g",
    "",
    "SELECT 1; SELECT 2; SELECT nothing; SELECT 3",
    "SET application_name = 'x'",
    "DISCARD ALL",
)
_NAMES = ("", "a", "b", "x" * 70)
_LENGTHS = (0, 1, 3, 4, 5, 8, 100, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def frames(random: Random) -> list[bytes]:
    """A conversation as a client might hold it."""
    made: list[bytes] = []
    for _ in range(random.randrange(1, 8)):
        name, text = random.choice(_NAMES), random.choice(_TEXTS)
        values = [random.choice((b"1", b"", None, b"\xff\xfe")) for _ in range(random.randrange(3))]
        made += random.choice((
            [query(text)],
            [parse(name, text), bind("", name, values), describe("P", ""), execute(""), sync()],
            [parse(name, text), describe("S", name), flush(), sync()],
            [bind(name, name, values), execute(name, random.randrange(3)), sync()],
            [frame(b"C", random.choice((b"S", b"P", b"?")) + name.encode() + b"\0"), sync()],
            [frame(b"d", b"1\t2\n"), frame(b"c", b""), frame(b"f", b"no\0"), sync()],
            [frame(b"F", random.randbytes(12)), sync()],
            [execute(name), flush(), execute(name), sync()],
            [sync()],
        ))  # fmt: skip
    return made


def mutated(made: list[bytes], random: Random) -> list[bytes]:
    """The frames with some of them wrong."""
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        at = random.randrange(len(made))
        one = bytearray(made[at] or bytes(5))
        match random.randrange(9):
            case 0:
                one[1:5] = struct.pack("!I", random.choice(_LENGTHS))
            case 1:
                one[1:5] = struct.pack("!I", max(0, len(one) - 1 + random.randrange(-3, 4)))
            case 2:
                one[0] = random.choice(b"QPBDECSHFXdcfp\0RTZ\xff")
            case 3:
                for _ in range(random.randrange(1, 4)):
                    one[random.randrange(len(one))] = random.randrange(256)
            case 4:
                del one[random.randrange(len(one)) :]
            case 5:
                made.insert(random.randrange(len(made)), bytes(one))
            case 6:
                other = random.randrange(len(made))
                made[at], made[other] = made[other], made[at]
                continue
            case 7:
                one += random.randbytes(random.randrange(1, 40))
            case _:
                one[5:5] = bytes(random.randrange(1, 9))
        made[at] = bytes(one)
    return made


def greeting(random: Random) -> bytes:
    """Bytes in place of a log-in."""
    usual = startup_packet({"user": "agent_t1", "database": "lab"})
    packet = bytearray(random.choice((usual, SSL_REQUEST, SSL_REQUEST + usual, usual + usual)))
    match random.randrange(6):
        case 0:
            packet[:4] = struct.pack("!I", random.choice(_LENGTHS))
        case 1:
            packet[4:8] = struct.pack("!I", random.choice((0, 196608, 196610, 80877102, 80877104)))
        case 2:
            packet = bytearray(random.randbytes(random.randrange(1, 200)))
        case 3:
            for _ in range(4):
                packet[random.randrange(len(packet))] = random.randrange(256)
        case 4:
            del packet[random.randrange(len(packet)) :]
        case _:
            packet += frame(b"p", random.randbytes(random.randrange(60)))
    return bytes(packet)


def split(data: bytes, random: Random) -> list[bytes]:
    """The bytes in pieces, as a network may deliver them."""
    if random.random() < 0.5:
        return [data]
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(1, 6)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]
