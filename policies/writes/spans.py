"""Where the clauses of a writing statement stand in its text: tokens, brackets and keywords.

Knows PostgreSQL's tokens; knows nothing of trees. What is found here is proven with the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policies.grammar import Token
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.statement import Statement

OPEN = frozenset({"ASCII_40", "ASCII_91"})
CLOSED = frozenset({"ASCII_41", "ASCII_93"})
COMMA, DOT, EQUALS = "ASCII_44", "ASCII_46", "ASCII_61"
_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})


@dataclass(frozen=True, slots=True)
class Region:
    """The tokens of one writing statement from its target's name on, up to its end or that of the
    brackets around it. `depths`: how many brackets each stands in."""

    tokens: Sequence[Token]
    depths: Sequence[int]

    @property
    def end(self) -> int:
        """Where the statement ends."""
        return self.tokens[-1].end

    def find(self, *names: str, after: int = 0, before: int | None = None) -> int | None:
        """Number of the first of these keywords in a row outside brackets; None: not there."""
        last = len(self.tokens) if before is None else before
        for at in range(after, last - len(names) + 1):
            if self.depths[at] == 0 and all(
                self.tokens[at + n].name == name for n, name in enumerate(names)
            ):
                if names[0] == "FROM" and self.tokens[at - 1].name == "DISTINCT":
                    continue  # IS DISTINCT FROM
                return at
        return None

    def at(self, place: int) -> int:
        """Number of the token that starts at a byte. Raises Refusal."""
        for number, token in enumerate(self.tokens):
            if token.start == place:
                return number
        raise unclear()

    def start_of(self, number: int) -> int:
        return self.tokens[number].start

    def before(self, number: int | None) -> int:
        """Where the text in front of a token ends; None: that of the whole."""
        return self.end if number is None else self.tokens[number - 1].end

    def item_end(self, start: int, *ends: str) -> int:
        """Number of the token after the list item that begins with token `start`: a comma, one of
        the keywords, or the bracket around it; or the number of tokens."""
        depth = self.depths[start]
        for at in range(start, len(self.tokens)):
            token = self.tokens[at]
            if self.depths[at] < depth:
                return at
            if self.depths[at] > depth:
                continue
            if token.name == COMMA:
                return at
            if token.name in ends and not (
                token.name == "FROM" and self.tokens[at - 1].name == "DISTINCT"
            ):
                return at
        return len(self.tokens)


def region(statement: Statement, place: int) -> Region:
    """The tokens of the writing statement whose target's name starts at byte `place`."""
    tokens: list[Token] = []
    depths: list[int] = []
    depth = 0
    for token in statement.tokens:
        if token.start < place or token.name in _COMMENTS:
            continue
        if token.name in CLOSED:
            depth -= 1
            if depth < 0:
                break
        tokens.append(token)
        depths.append(depth)
        if token.name in OPEN:
            depth += 1
    if not tokens:
        raise unclear()
    return Region(tokens, depths)


def unclear() -> Refusal:
    """The refusal of a text whose clauses cannot be told apart."""
    return Refusal(
        UNSUPPORTED_SYNTAX,
        "the parts of this statement could not be told apart with certainty, so it is refused",
        "write it in a plainer way",
    )
