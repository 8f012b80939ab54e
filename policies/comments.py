"""comments: what a statement says about itself in comments of the form `sqlcommenter` defines.

    /*capability='refund_order',reason='parcel%20lost'*/ UPDATE ...
    ->  {"capability": "refund_order", "reason": "parcel lost"}

PostgreSQL's scanner finds the comments, so one inside a literal is none. A comment that is not of
that form says nothing and is never an error. What is said can only narrow, never permit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from policies import grammar

CAPABILITY: Final = "capability"
REASON: Final = "reason"
TRACE: Final = "traceparent"
CONTEXT: Final = "querywarden_context"

# Characters of a value that are kept: a name and a sentence; a signed context must be whole.
LONGEST: Final = {CAPABILITY: 64, REASON: 500, TRACE: 64, CONTEXT: 4096}

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
# One pair, or none: where a context stood there is nothing but blanks.
_PAIR = re.compile(
    r"\s*+(?:(?P<key>[A-Za-z_][\w.%-]*+)\s*+=\s*+'(?P<value>(?:[^'\\]|\\.|'')*+)'\s*+)?+(?:,|\Z)",
    re.S,
)
_ESCAPED = re.compile(r"\\(.)|''", re.S)
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_INNER = re.compile(r"/\*(.*)\*/\Z", re.S)
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")
_BLANK = re.compile(rb"[^\n]")
_BLANK_PAIR = re.compile(rb"[^\n,]|,(?=.)", re.S)  # the comma behind it stays


def said(text: bytes) -> Mapping[str, str]:
    """What the comments of one statement say, under the keys known here. Said twice and
    differently, a value is both, so that it is the name of nothing."""
    if b"/*" not in text:
        return _NOTHING
    found: dict[str, list[str]] = {}
    try:
        comments = list(_comments(text))
    except grammar.GrammarError:
        return _NOTHING  # what PostgreSQL's scanner cannot read is refused elsewhere
    for start, end in comments:
        for key, value in _pairs(text[start:end]):
            values = found.setdefault(key, [])
            if value and value not in values:
                values.append(value)
    return {key: bounded(key, ", ".join(values)) for key, values in found.items() if values}


def bounded(key: str, value: str) -> str:
    """A value as it is kept: in one line, without control characters, not longer than its key
    allows. A context that is too long stays so, and is none."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    longest = LONGEST[key]
    return plain if len(plain) <= longest else plain[: longest + (key == CONTEXT)]


def trace_id(words: Mapping[str, str]) -> str:
    """The trace in a traceparent (W3C Trace Context), "" for none."""
    found = _TRACE.match(words.get(TRACE, ""))
    return found[1] if found else ""


def without_context(text: bytes) -> tuple[bytes, str]:
    """The text with blanks for every comment that speaks of a signed context, other pairs in it
    aside, and what that was: "" for none. Raises GrammarError, whose words may hold the text."""
    blank, found = bytearray(text), list[str]()
    for start, end in _comments(text):
        piece = text[start:end]
        if CONTEXT.encode() not in piece:
            continue
        values = [value for key, value in _pairs(piece) if key == CONTEXT]
        found += values
        blank[start:end] = _blanked(piece, whole=not values)
    return bytes(blank), bounded(CONTEXT, ", ".join(dict.fromkeys(found)))


def _blanked(piece: bytes, *, whole: bool) -> bytes:
    """A comment with blanks for its context, or for all of it when it is of no known form."""
    if whole:
        return _BLANK.sub(b" ", piece)
    body, kept, at = piece.decode(), bytearray(), 2
    kept += piece[:2]
    while at < len(body) - 2 and (pair := _PAIR.match(body, at, len(body) - 2)) is not None:
        text = pair[0].encode()
        kept += _BLANK_PAIR.sub(b" ", text) if pair["key"] == CONTEXT else text
        at = pair.end()
    return bytes(kept) + piece[-2:]


def _comments(text: bytes) -> Iterator[tuple[int, int]]:
    """Byte ranges of the comments. Raises GrammarError."""
    for token in grammar.tokens(text):
        if token.name in ("C_COMMENT", "SQL_COMMENT"):
            yield token.start, token.end


def _pairs(comment: bytes) -> list[tuple[str, str]]:
    """The pairs of one comment, with a key that is known; none when it is not of the form."""
    found = _INNER.match(comment.decode())
    if found is None:
        return []
    body, at, pairs = found[1], 0, []
    while at < len(body):
        pair = _PAIR.match(body, at)
        if pair is None or pair.end() == at:
            return []
        if pair["key"] in LONGEST:
            pairs.append((pair["key"], _decoded(pair["value"])))
        at = pair.end()
    return pairs


def _decoded(value: str) -> str:
    """The value itself: quotes are escaped by a backslash or doubled, other signs as in URLs."""
    plain = _ESCAPED.sub(lambda found: found[1] or "'", value)
    data = _ENCODED.sub(lambda found: bytes([int(found[1], 16)]), plain.encode())
    return data.decode("utf-8", "replace")
