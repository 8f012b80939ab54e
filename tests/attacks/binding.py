"""A statement with its constants as parameters: the planner then may not look at their values.

Knows tokens, not grammar: a constant whose place takes no parameter stays.
"""

from __future__ import annotations

from functools import cache

import postgast

_LONGEST = 3000  # bytes; longer texts are made to hurt parsers, ours included
_NUMBERS = ("ICONST", "FCONST")


@cache
def bound(sql: str) -> tuple[str, tuple[bytes, ...]] | None:
    """The text with $1 ... and their values as text; None when there is no constant to bind."""
    if len(sql) > _LONGEST or "$" in sql or not _parses(sql.encode()):
        return None
    text, values = sql.encode(), []
    for token in reversed(postgast.scan(sql).tokens):
        name = postgast.pg_query_pb2.Token.Name(token.token)
        value = text[token.start : token.end]
        if name == "SCONST" and value.startswith(b"'"):
            value = value[1:-1].replace(b"''", b"'")
        elif name not in _NUMBERS:
            continue
        attempt = text[: token.start] + b" $%d " % (len(values) + 1) + text[token.end :]
        if _parses(attempt):
            text = attempt
            values.append(value)
    return (text.decode(), tuple(values)) if values else None


def _parses(text: bytes) -> bool:
    try:
        return len(postgast.parse(text.decode()).stmts) == 1
    except (postgast.PgQueryError, ValueError, RecursionError):
        return False
