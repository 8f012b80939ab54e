"""Cuts a byte stream into frames: a tag byte, an int32 length, a body (manual, 54.1 "Overview").

Knows tags, lengths and limits; knows neither bodies nor what is legal when, and holds no more of a
frame than its rule says: longer ones are handed on in pieces as they arrive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from struct import Struct
from typing import Final

HEADER: Final = Struct("!Bi").unpack_from
HEADER_SIZE: Final = 5

# (tag, start, stop, count): `buffer[start:stop]` is one whole frame (count 1), a run of `count`
# frames of one tag, the first piece of a frame too long to be held (count 0), or, with tag MORE,
# a later piece of that same frame (count 1: the last).
Frame = tuple[int, int, int, int]
MORE: Final = 0

KIB: Final = 1024
GIB: Final = 1024**3
# PostgreSQL's own limits (libpq/libpq.h): PQ_SMALL_MESSAGE_LIMIT and PQ_LARGE_MESSAGE_LIMIT.
SMALL: Final = 10_000
LARGE: Final = GIB - 2
# Bind is handed on in pieces once this much of it is here: the names stand at its beginning.
BIND_HEAD: Final = 64 * KIB

# By tag: (longest length allowed, longest length held back until the frame is whole, whether
# frames that follow each other are handed on as one run), or None for a tag that does not exist.
Rule = tuple[int, int, bool]
Rules = Sequence[Rule | None]


def _rules(given: Mapping[str, Rule]) -> Rules:
    return tuple(given.get(chr(tag)) for tag in range(256))


@cache
def client_rules(max_statement_bytes: int) -> Rules:
    """What a client may send after start-up. The text limit leaves room for name and types."""
    text = (LARGE, max_statement_bytes + KIB, False)
    streamed = (LARGE, 0, False)
    given = dict.fromkeys("EDCSHXcf", (SMALL, SMALL, False))
    given.update(Q=text, P=text, B=(LARGE, BIND_HEAD, False), F=streamed, d=streamed)
    return _rules(given)


# What an upstream sends. Rows and COPY data pass in pieces; everything else is small by nature.
UPSTREAM_RULES: Final = _rules(
    dict.fromkeys("RSKZTCIEN123tnsAGHWcVv", (LARGE, LARGE, False))
    | dict.fromkeys("Dd", (LARGE, 0, True))
)


class FrameError(Exception):
    """The stream cannot be followed any further. `tag` is None when the length is at fault."""

    def __init__(self, message: str, tag: int | None) -> None:
        super().__init__(message)
        self.tag = tag


class FrameReader:
    """Turns reads into frames. After `error` is set the stream is dead and `feed` finds nothing."""

    __slots__ = ("_chunks", "_have", "_need", "_rest", "_rules", "error")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._chunks: list[bytes] = []
        self._have = 0
        self._need = 0
        self._rest = 0  # bytes still to come of a frame handed on in pieces
        self.error: FrameError | None = None

    @property
    def clear(self) -> bool:
        """The stream stands between two frames."""
        return not (self._have or self._rest or self.error)

    @property
    def passing(self) -> bool:
        """A frame is handed on in pieces and not complete yet."""
        return self._rest > 0

    def feed(self, data: bytes) -> tuple[bytes, list[Frame]]:
        """One read in; the buffer to look into and its frames out. Bytes object in, bytes out."""
        if self.error is not None:
            return b"", []
        frames: list[Frame] = []
        position = 0
        if self._chunks:
            self._chunks.append(data)
            self._have += len(data)
            if self._have < self._need:
                return b"", frames
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._have = 0
        elif self._rest:
            position = min(self._rest, len(data))
            self._rest -= position
            frames.append((MORE, 0, position, 0 if self._rest else 1))
        end = len(data)
        rules = self._rules
        append = frames.append
        while end - position >= HEADER_SIZE:
            tag, length = HEADER(data, position)
            rule = rules[tag]
            if rule is None or not 4 <= length <= rule[0]:
                self.error = _fault(tag, rule is None)
                return data, frames
            stop = position + 1 + length
            if stop > end:
                if length > rule[1] and end - position > rule[1]:
                    frames.append((tag, position, end, 0))
                    self._rest = stop - end
                    return data, frames
                self._hold(data, position, min(1 + length, max(rule[1] + 1, HEADER_SIZE)))
                return data, frames
            count = 1
            if rule[2]:
                stop, count = run(data, tag, stop, end)
            append((tag, position, stop, count))
            position = stop
        if position < end:
            self._hold(data, position, HEADER_SIZE)
        return data, frames

    def _hold(self, data: bytes, position: int, need: int) -> None:
        self._chunks.append(data[position:])
        self._have = len(data) - position
        self._need = need


def _fault(tag: int, unknown: bool) -> FrameError:
    if unknown:
        return FrameError(f"invalid frontend message type {tag}", tag)
    return FrameError("invalid message length", None)


def run(data: bytes, tag: int, stop: int, end: int) -> tuple[int, int]:
    """Extends a run of whole frames of one tag: where it stops and how many there are."""
    count = 1
    last = end - HEADER_SIZE
    while stop <= last:
        following, length = HEADER(data, stop)
        if following != tag or length < 4:
            break
        after = stop + 1 + length
        if after > end:
            break
        stop = after
        count += 1
    return stop, count


def skip(data: bytes, position: int, count: int) -> int:
    """The position after `count` whole frames."""
    for _ in range(count):
        position += 1 + HEADER(data, position)[1]
    return position
