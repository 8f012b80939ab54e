"""Where the values of an INSERT stand in its text: column list, rows, results of a query.

    INSERT INTO t (a) VALUES (1), (2)   ->   the list ends before `)`, the rows hold `1` and `2`

Tokens only, as in `spans`: what they mean is in PostgreSQL's tree, and the proof notices a place
that was taken for another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policies.grammar import Node
from policies.writes.spans import CLOSED, COMMA, DOT, OPEN, Region, unclear

_COMBINING = frozenset({"UNION", "INTERSECT", "EXCEPT"})
# What may follow the results of a SELECT; none of them can be a label without AS.
_AFTER_RESULTS = _COMBINING | frozenset(
    "FROM WHERE GROUP_P HAVING WINDOW ORDER LIMIT OFFSET FETCH FOR INTO ON RETURNING".split()
)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of the statement's text."""

    start: int
    end: int


Row = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """`target`: where the target ends, its alias included. `columns`: where a name can be added to
    the list, None without one. `defaults`: DEFAULT VALUES. `leaves`: the rows of each VALUES, the
    results of each SELECT as one row, none of a TABLE, in the order of the text."""

    target: int
    columns: int | None = None
    defaults: Span | None = None
    leaves: tuple[tuple[Row, ...], ...] = ()


def leaves(query: Node) -> Iterator[Node]:
    """The SELECTs and VALUES a query combines, in the order of the text."""
    pending = [query]
    while pending:
        one = pending.pop()
        if "larg" in one:
            pending += [one["rarg"], one["larg"]]
        else:
            yield one


def find_source(found: Region, node: Node, offset: int) -> Source:
    """The values of an InsertStmt; places in its tree are relative to `offset`. Raises Refusal."""
    number = 1
    while word(found, number) == DOT:
        number += 2
    if "alias" in node["relation"]:
        number += 2
    target, columns = found.tokens[number - 1].end, None
    if "cols" in node:
        end_of_list = closing(found, number)
        columns, number = found.tokens[end_of_list - 1].end, end_of_list + 1
    if word(found, number) == "OVERRIDING":
        number += 3
    if "selectStmt" not in node:
        if (word(found, number), word(found, number + 1)) != ("DEFAULT", "VALUES"):
            raise unclear()
        return Source(target, columns, _span(found, number, number + 2))
    conflict = node.get("onConflictClause")
    end = found.at(conflict["location"] - offset) if conflict else len(found.tokens)
    read = tuple(_leaves(found, number, end))
    if len(read) != len(list(leaves(node["selectStmt"]["SelectStmt"]))):
        raise unclear()
    return Source(target, columns, None, read)


def values_row(found: Region, number: int) -> Row:
    """The items in the brackets that token `number` opens."""
    return _items(found, number + 1, closing(found, number))


def call_end(found: Region, place: int) -> int:
    """Where the call of the function whose name begins at `place` ends."""
    number = found.at(place) + 1
    while word(found, number) == DOT:
        number += 2
    return found.tokens[closing(found, number)].end


def word(found: Region, number: int) -> str:
    """A token's name, "" behind the end; a label or a column's name is no keyword."""
    if number >= len(found.tokens):
        return ""
    name = found.tokens[number].name
    if number and found.tokens[number - 1].name in ("AS", DOT) and not name.startswith("ASCII_"):
        return "IDENT"
    return name


def closing(found: Region, number: int) -> int:
    """The bracket that closes this one."""
    for at in range(number + 1, len(found.tokens)):
        if found.depths[at] == found.depths[number] and word(found, number) in OPEN:
            return at
    raise unclear()


def _after(found: Region, number: int) -> int:
    """The next token, or the one behind the bracket this one opens."""
    return (closing(found, number) if word(found, number) in OPEN else number) + 1


def _span(found: Region, first: int, end: int) -> Span:
    if not first < end <= len(found.tokens):
        raise unclear()
    return Span(found.tokens[first].start, found.tokens[end - 1].end)


def _leaves(found: Region, number: int, end: int) -> Iterator[tuple[Row, ...]]:
    """Every SELECT, VALUES and TABLE of the query between two tokens, not those inside."""
    expected, depth = True, found.depths[number] if number < end else 0
    while number < end and found.depths[number] >= 0:
        name = word(found, number)
        if expected:
            if name == "WITH":
                number = _after_with(found, number)
            elif name == "ASCII_40":
                number += 1
            else:
                yield _leaf(found, number, end)
                number, expected = number + 1, False
        elif name in _COMBINING:
            number, expected = number + 1, True
            if word(found, number) in ("ALL", "DISTINCT"):
                number += 1
        elif name == "RETURNING" and found.depths[number] == depth:
            return
        else:
            number = _after(found, number)


def _after_with(found: Region, number: int) -> int:
    """The token at which the query behind WITH begins. SEARCH and CYCLE are not followed."""
    number += 2 if word(found, number + 1) == "RECURSIVE" else 1
    while True:
        number += 1
        if word(found, number) == "ASCII_40":
            number = closing(found, number) + 1
        while word(found, number) not in ("ASCII_40", ""):  # AS NOT MATERIALIZED
            number += 1
        number = closing(found, number) + 1
        if word(found, number) != COMMA:
            return number
        number += 1


def _leaf(found: Region, number: int, end: int) -> tuple[Row, ...]:
    match word(found, number):
        case "VALUES":
            return tuple(_rows(found, number + 1))
        case "SELECT":
            return (_results(found, number + 1, end),)
        case "TABLE":
            return ()
        case _:
            raise unclear()


def _rows(found: Region, number: int) -> Iterator[Row]:
    while True:
        yield values_row(found, number)
        number = closing(found, number) + 1
        if word(found, number) != COMMA:
            return
        number += 1


def _results(found: Region, number: int, end: int) -> Row:
    if word(found, number) == "DISTINCT" and word(found, number + 1) == "ON":
        number = closing(found, number + 2) + 1
    elif word(found, number) in ("ALL", "DISTINCT"):
        number += 1
    last = number
    while last < end and word(found, last) not in CLOSED and not _ends_results(found, last):
        last = _after(found, last)
    return _items(found, number, last)


def _ends_results(found: Region, number: int) -> bool:
    """Whether the results of a SELECT end before this token."""
    before, name = word(found, number - 1), word(found, number)
    if (before, name) in (("DISTINCT", "FROM"), ("WITHIN", "GROUP_P")):
        return False
    return name in _AFTER_RESULTS


def _items(found: Region, first: int, end: int) -> Row:
    """What commas separate between two tokens, the second one left out."""
    items, start, at = [], first, first
    while at < end:
        if word(found, at) == COMMA:
            items.append(_span(found, start, at))
            start = at + 1
        at = _after(found, at)
    return (*items, _span(found, start, end))
