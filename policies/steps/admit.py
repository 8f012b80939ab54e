"""admit: size, encoding and nesting, before any parser sees the text.

Both parsers recurse on the C stack, so depth is bounded here: by PostgreSQL's scanner, which does
not recurse.
"""

from __future__ import annotations

import re

from policies import grammar
from policies.reasons import (
    INVALID_TEXT,
    SYNTAX_ERROR,
    TOO_COMPLEX,
    TOO_LARGE,
    Refusal,
)

MAX_BYTES = 1 << 18
MAX_NESTING = 200  # parentheses, brackets, CASE
MAX_CHAIN = 5000  # operators in a row between two commas: each may be one level of the tree
MAX_TOKENS = 20_000  # deciding takes time for each, and others wait meanwhile
# A run of these is one operator to the scanner, whose time grows with the square of its length;
# comment signs are among them. PostgreSQL's own limit for an operator is 63.
_OPERATOR_RUN = re.compile(rb"[-~!@#^&|`?+*/%<>=]{1000}")
# A text this short cannot nest deeply enough to hurt: the parsers' own limits raise first.
SHORT = 4096

_OPEN = frozenset({"ASCII_40", "ASCII_91", "CASE"})
_CLOSE = frozenset({"ASCII_41", "ASCII_93", "END_P"})
_FLAT = frozenset({"ASCII_44", "ASCII_59", "IDENT", "ICONST", "SCONST", "FCONST", "PARAM"})


def admit(text: bytes) -> None:
    """Refuse a text that is too large, not UTF-8, or nested too deeply."""
    if len(text) > MAX_BYTES:
        raise Refusal(
            TOO_LARGE,
            f"the statement has {len(text)} bytes, at most {MAX_BYTES} are allowed",
            "send values as parameters, or several statements",
        )
    if b"\0" in text:
        raise Refusal(INVALID_TEXT, "the statement holds a NUL byte")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(INVALID_TEXT, "the statement is not valid UTF-8") from error
    if _OPERATOR_RUN.search(text):
        raise too_complex()
    if len(text) > SHORT:
        _bound_nesting(text)


def _bound_nesting(text: bytes) -> None:
    try:
        tokens = grammar.tokens(text)
    except grammar.GrammarError as error:
        raise Refusal(SYNTAX_ERROR, str(error)) from error
    if len(tokens) > MAX_TOKENS:
        raise too_complex()
    chains = [0]  # one counter for each open bracket: operators since the last comma
    for token in tokens:
        name = token.name
        if name in _OPEN:
            chains.append(0)
            if len(chains) > MAX_NESTING:
                raise too_complex()
        elif name in _CLOSE:
            if len(chains) > 1:
                chains.pop()
        elif name in _FLAT:
            if name in ("ASCII_44", "ASCII_59"):
                chains[-1] = 0
        else:
            chains[-1] += 1
            if chains[-1] > MAX_CHAIN:
                raise too_complex()


def too_complex() -> Refusal:
    """The refusal for a statement that nests too deeply."""
    return Refusal(
        TOO_COMPLEX,
        "the statement is too long or nests too deeply",
        "write it flatter: = ANY($1) with an array instead of long lists and chains",
    )
