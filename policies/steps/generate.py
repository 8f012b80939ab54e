"""generate: the client's text with the edits made. Nothing else of it changes.

text "SELECT * FROM t", edit (14, 15, "(SELECT 1) AS t")   ->   "SELECT * FROM (SELECT 1) AS t"

Words that would run together are kept apart by a blank.
"""

from __future__ import annotations

import re

from policies.places import Written
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.statement import Statement

_WORD = re.compile(rb"[\w$\x80-\xff]")


def generate(statement: Statement) -> None:
    """Fill `statement.output` and `statement.written`."""
    text, position, pieces = statement.text, 0, []
    begin, changes = statement.offset, []
    for edit in sorted(statement.edits, key=lambda e: (e.start, e.start != e.end, e.rank)):
        if edit.start < position or edit.end < edit.start:
            raise Refusal(UNSUPPORTED_SYNTAX, "two changes to this statement overlap")
        pieces.append(text[position : edit.start])
        put = edit.text.encode()
        if _run_together(b"".join(pieces[-2:]), put):
            put = b" " + put
        if _run_together(put, text[edit.end : edit.end + 1]):
            put += b" "
        pieces.append(put)
        changes.append((begin + edit.start, begin + edit.end, len(put), edit.kind))
        position = edit.end
    pieces.append(text[position:])
    statement.output = b"".join(pieces)
    statement.written = Written(begin, tuple(changes))


def _run_together(before: bytes, after: bytes) -> bool:
    """Whether the last letter of one piece and the first of the next would be one word."""
    return bool(_WORD.match(before[-1:]) and _WORD.match(after[:1]))
