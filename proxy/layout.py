"""SQL laid out for reading: PostgreSQL's own tokens in their order, with other space between.

Used where a statement is shown to a person, with what was put into it marked; nothing here is ever
sent to a server.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher

from rich.text import Text

from policies import grammar

# A clause starts a line. "JOIN" also carries the words before it: LEFT OUTER JOIN stays together.
CLAUSES = frozenset(
    "SELECT FROM WHERE GROUP_P HAVING ORDER LIMIT OFFSET FETCH FOR WINDOW UNION INTERSECT "
    "EXCEPT JOIN VALUES WITH".split()
)
_JOIN_WORDS = frozenset("LEFT RIGHT FULL INNER_P CROSS NATURAL".split())
# ... unless the word before says that this is another use of it
_NOT_AFTER = {
    "FROM": frozenset({"DISTINCT"}),  # IS DISTINCT FROM
    "GROUP_P": frozenset({"WITHIN"}),
    "JOIN": _JOIN_WORDS | {"OUTER_P"},
}
_INDENT = 2
_NEW, _KEYWORD, _LITERAL = "green", "bold blue", "magenta"


@dataclass(frozen=True, slots=True)
class Word:
    """One token: its text, libpg_query's name for it, whether a blank goes before it."""

    text: str
    name: str
    spaced: bool


Line = tuple[int, tuple[Word, ...]]  # indentation in columns, and what stands there


def words(sql: str) -> tuple[Word, ...]:
    """The tokens of a text. Raises grammar.GrammarError when PostgreSQL's scanner refuses it."""
    data = sql.encode()
    found = []
    end = 0
    for token in grammar.tokens(data):
        text = data[token.start : token.end].decode()
        found.append(Word(text, token.name, token.start > end and text not in (",", ")")))
        end = token.end
    return tuple(found)


def lines(tokens: Sequence[Word], width: int = 96) -> list[Line]:
    """Break before clauses and around subqueries, then wrap what is wider than `width`."""
    broken: list[Line] = []
    line: list[Word] = []
    inline = 0  # open parentheses that hold no subquery
    levels: list[int] = []  # for each open parenthesis around us: inline ones seen before it
    for at, word in enumerate(tokens):
        after = tokens[at + 1].name if at + 1 < len(tokens) else ""
        before = tokens[at - 1].name if at else ""
        if line and not inline and _starts_clause(word, before, after):
            broken.append((_INDENT * len(levels), tuple(line)))
            line = []
        line.append(word)
        if word.name == "ASCII_40":
            if after in ("SELECT", "WITH", "VALUES"):
                broken.append((_INDENT * len(levels), tuple(line)))
                line = []
                levels.append(inline)
                inline = 0
            else:
                inline += 1
        elif word.name == "ASCII_41":
            if inline:
                inline -= 1
            elif levels:
                line.pop()
                if line:
                    broken.append((_INDENT * len(levels), tuple(line)))
                inline = levels.pop()
                line = [word]
    if line:
        broken.append((_INDENT * len(levels), tuple(line)))
    return [piece for whole in broken for piece in _wrap(whole, width)]


def _starts_clause(word: Word, before: str, after: str) -> bool:
    if word.name in _JOIN_WORDS:
        return after in ("JOIN", "OUTER_P", *_JOIN_WORDS) and before not in _JOIN_WORDS
    if word.name not in CLAUSES or before in _NOT_AFTER.get(word.name, ()):
        return False
    return not (word.name == "WITH" and after in ("ORDINALITY", "TIES"))


def _wrap(line: Line, width: int) -> list[Line]:
    """Cut at the last comma or AND that still fits; what follows is indented further."""
    indent, tokens = line
    done: list[Line] = []
    start = 0
    column = indent
    cut = 0
    for at, word in enumerate(tokens):
        column += len(word.text) + (1 if word.spaced and at > start else 0)
        if column > width and cut > start:
            done.append((indent if not done else indent + 2 * _INDENT, tokens[start:cut]))
            start = cut
            column = indent + 2 * _INDENT + _length(tokens[start : at + 1])
        if word.name == "ASCII_44":
            cut = at + 1
        elif word.name in ("AND", "OR"):
            cut = at
    done.append((indent if not done else indent + 2 * _INDENT, tokens[start:]))
    return done


def _length(tokens: Sequence[Word]) -> int:
    return sum(len(word.text) + (1 if word.spaced and at else 0) for at, word in enumerate(tokens))


def added(before: Sequence[Word], after: Sequence[Word]) -> set[int]:
    """Which tokens of `after` (by index) are not in `before`, as a person would mark them."""
    match = SequenceMatcher(
        None, [word.text.lower() for word in before], [word.text.lower() for word in after], False
    )
    new = set(range(len(after)))
    for block in match.get_matching_blocks():
        new.difference_update(range(block.b, block.b + block.size))
    return new


def drawn(tokens: Sequence[Word], new: Set[int] | None = None, width: int = 96) -> Text:
    """The statement in lines and colours. With `new`, those tokens stand out and a `+` before each
    line that has any says the same without colours."""
    text = Text()
    at = 0
    for indent, line in lines(tokens, width if new is None else width - 2):
        text.append("\n" if at else "")
        if new is not None:
            fresh = any(at + offset in new for offset in range(len(line)))
            text.append("+ " if fresh else "  ", _NEW)
        text.append(" " * indent)
        for first, word in enumerate(line):
            text.append(" " if word.spaced and first else "")
            text.append(word.text, _NEW if new and at in new else _style(word))
            at += 1
    return text


def _style(word: Word) -> str:
    if word.name in ("SCONST", "ICONST", "FCONST"):
        return _LITERAL
    return _KEYWORD if word.name != "IDENT" and word.text.isupper() else ""
