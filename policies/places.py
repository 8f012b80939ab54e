"""Where a place PostgreSQL names in the text it was sent stands in the text the client wrote.

PostgreSQL points into the rewritten text, in characters from 1 on (manual, 54.8, field P). A place
in the client's own words is shifted back; one in words put there for it is that of the word they
belong to. Used when an error comes, so it may take its time. Knows nothing of sessions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# What words the engine put into a text are: parts of its own, the schema of a bare function
# name, or a policy view.
PUT: Final = 0
PINNED: Final = 1
VIEW: Final = 2

# (start and end in the client's text, bytes put there instead, one of the above), in order.
Change = tuple[int, int, int, int]
JOINT: Final = b"\n;"  # between the statements of one text
_SCHEMA: Final = re.compile(rb'(?:"([^"]+)"|(\w+))\.')
_LITERAL: Final = re.compile(rb"'(?:[^']|'')*'")


@dataclass(frozen=True, slots=True)
class Written:
    """How one rewritten statement came to be: it began at byte `start` of the client's text, and
    these bytes of it were changed. `changes` None: it was written anew."""

    start: int
    changes: tuple[Change, ...] | None


@dataclass(frozen=True, slots=True)
class Told:
    """What the client may be told of an error: its place (0: none) and its message. `closed`: it
    lies in a policy view, so the message may speak of what is hidden."""

    place: int
    message: bytes
    closed: bool = False


def tell(
    message: bytes, place: int, sent: Sequence[tuple[bytes, Written | None]], text: bytes
) -> Told:
    """The error PostgreSQL gave for the statements `sent` instead of `text`, for the client."""
    at = _byte(JOINT.join(sql for sql, _ in sent), place)
    for sql, written in sent:
        if 0 <= at <= len(sql):
            if written is None or written.changes is None:
                break
            own, kind, exact = _own(at, written.start, written.changes)
            if own > len(text):
                break
            literal = _LITERAL.match(sql, at) if kind == VIEW else None
            if literal is not None and literal[0] in text:  # a condition of theirs, copied there
                own, kind = text.index(literal[0]), PUT
            schema = _SCHEMA.match(sql, at) if kind == PINNED and exact else None
            if schema is not None:
                message = message.replace((schema[1] or schema[2]) + b".", b"", 1)
            return Told(len(text[:own].decode("utf-8", "replace")) + 1, message, kind == VIEW)
        at -= len(sql) + len(JOINT)
    return Told(0, message)


def _byte(sql: bytes, place: int) -> int:
    """The byte at which the character of that number begins; beyond the text for none."""
    characters = sql.decode("utf-8", "replace")
    if not 1 <= place <= len(characters) + 1:
        return len(sql) + 1
    return len(characters[: place - 1].encode())


def _own(at: int, start: int, changes: Sequence[Change]) -> tuple[int, int, bool]:
    """The byte of the client's text, what stands there in its stead, and whether the place is the
    very beginning of that."""
    shift = start  # from a byte of the statement sent to one of the client's text
    for first, last, length, kind in changes:
        begin = first - shift
        if at < begin:
            break
        if at < begin + length or (at == begin and first < last):
            return first, kind, at == begin
        shift += (last - first) - length
    return at + shift, PUT, False
