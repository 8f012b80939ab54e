"""Rows as they were and as they became, on their way from the upstream into one record.

Takes the text of the column that a write's RETURNING ends with, {"after": {...}, "before": {...}}
or one of the two, and keeps each half as PostgreSQL wrote it: no number is rounded. Keeps a bounded
part. Knows no Operation and no message.
"""

from __future__ import annotations

import json

MOST_ROWS = 100
MOST_BYTES = 65536

_BLANKS = bytes.maketrans(b"\r\n\t", b"   ")  # only ever between tokens; a record is one line
_QUOTE, _ESCAPE = b'"\\'
_NOTHING = b"null"
_OPENING, _CLOSING = b"{[", b"}]"


class Images:
    """What one statement wrote. `before` and `after` have as many items, of the same rows; a row
    that was not there before (or is not after) is `null`."""

    __slots__ = ("after", "before", "size", "truncated")

    def __init__(self) -> None:
        self.before: list[bytes] = []
        self.after: list[bytes] = []
        self.size = 0
        self.truncated = False

    def add(self, text: bytes) -> None:
        """Keep one row's images; what does not fit or is not what it should be is left out."""
        self.size += len(text)
        if self.truncated or self.size > MOST_BYTES or len(self.before) >= MOST_ROWS:
            self.truncated = True
            return
        halves = _halves(text.translate(_BLANKS))
        if halves is None:
            self.truncated = True
            return
        self.before.append(halves[0])
        self.after.append(halves[1])


def _halves(text: bytes) -> tuple[bytes, bytes] | None:
    """The values of `before` and `after`, as they are written."""
    try:
        found = json.loads(text.decode(), parse_int=str, parse_float=str, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not found or not set(found) <= {"before", "after"}:
        return None
    if not all(value is None or isinstance(value, dict) for value in found.values()):
        return None
    halves, end = {}, 0
    for name in found:
        start, end = _value_from(text, text.index(b":", end) + 1)
        halves[name] = text[start:end]
    return halves.get("before", _NOTHING), halves.get("after", _NOTHING)


def _value_from(text: bytes, start: int) -> tuple[int, int]:
    """Where the object or null behind `start` begins and ends, in a text known to be JSON."""
    while text[start] == ord(" "):
        start += 1
    if text[start] != ord("{"):
        return start, start + len(_NOTHING)
    depth, place, quoted = 0, start, False
    while True:
        letter = text[place]
        if quoted:
            place += letter == _ESCAPE
            quoted = letter != _QUOTE
        elif letter == _QUOTE:
            quoted = True
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
            if depth == 0:
                return start, place + 1
        place += 1


def _refuse(name: str) -> None:
    """`NaN` and the like are Python's, not JSON's."""
    raise ValueError(name)
