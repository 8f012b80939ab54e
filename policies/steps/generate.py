"""generate: the client's text with the edits made. Nothing else of it changes.

text "SELECT * FROM t", edit (14, 15, "(SELECT 1) AS t")   ->   "SELECT * FROM (SELECT 1) AS t"
"""

from __future__ import annotations

from policies.places import Written
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.statement import Statement


def generate(statement: Statement) -> None:
    """Fill `statement.output` and `statement.written`."""
    text, position, pieces = statement.text, 0, []
    begin, changes = statement.offset, []
    for edit in sorted(statement.edits, key=lambda e: (e.start, e.start != e.end, e.rank)):
        if edit.start < position or edit.end < edit.start:
            raise Refusal(UNSUPPORTED_SYNTAX, "two changes to this statement overlap")
        pieces.append(text[position : edit.start])
        put = edit.text.encode()
        pieces.append(put)
        changes.append((begin + edit.start, begin + edit.end, len(put), edit.kind))
        position = edit.end
    pieces.append(text[position:])
    statement.output = b"".join(pieces)
    statement.written = Written(begin, tuple(changes))
