"""envelope: a query inside another statement, as in DECLARE ... FOR and PREPARE ... AS.

    DECLARE c CURSOR FOR SELECT x FROM s
    ->  DECLARE "c" CURSOR FOR SELECT x FROM (SELECT ...) AS "s" LIMIT 100

The query is a statement of its own: its bytes are found in the client's text, it goes through every
step and is proven. What stands around it is written anew from PostgreSQL's tree, and the whole is
proven once more. Knows nothing of what the outer statements mean: each kind has its own writer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from policies import grammar
from policies.grammar import Node, Token
from policies.places import PUT, Written
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.statement import Statement
from policies.steps.read import refuse_kind

Step = Callable[[Statement], None]

_QUERY = "SelectStmt"
_OPENS = frozenset({"SELECT", "VALUES", "TABLE", "WITH", "ASCII_40"})
# Places at which the query may begin that are tried; a type list or options before it hold few.
_MOST_TRIES = 32


@dataclass(frozen=True, slots=True)
class Cover:
    """What is written around the query. `spare`: how many rows more than the subject may have the
    query asks for; 0 where nobody could take the extra row out again."""

    before: str
    after: str = ""
    spare: int = 1


def enclose(outer: Statement, cover: Cover, steps: Sequence[Step]) -> None:
    """Set `outer.output`, and what is known of the query: uses, capability, cap. Raises Refusal."""
    inner = _inner(outer, cover.spare)
    for step in steps:
        step(inner)
    after = f"\n{cover.after}" if cover.after else ""
    outer.output = cover.before.encode() + inner.output + after.encode()
    prove_envelope(outer, inner)
    outer.reading, outer.uses, outer.fences = inner.reading, inner.uses, inner.fences
    outer.capability, outer.rows, outer.cap = inner.capability, inner.rows, inner.cap
    outer.written = _written(outer, inner, len(cover.before.encode()), len(after.encode()))


def _written(outer: Statement, inner: Statement, before: int, after: int) -> Written | None:
    """Places in the query lead back to the client's; those around it to what stood around it."""
    if inner.written is None or inner.written.changes is None:
        return None
    begin, end = inner.offset, inner.offset + len(inner.text)
    return Written(
        outer.offset,
        (
            (outer.offset, begin, before, PUT),
            *inner.written.changes,
            (end, outer.offset + len(outer.text), after, PUT),
        ),
    )


def prove_envelope(outer: Statement, inner: Statement) -> None:
    """Refuse unless `outer.output` is the outer statement with the proven query in its place."""
    try:
        kind, after = grammar.parse_one(outer.output)
        query = dict([grammar.parse_one(inner.output)])
    except (grammar.GrammarError, grammar.TooDeep) as error:
        raise _uncertain() from error
    if kind != outer.kind or not grammar.same({**outer.node, "query": query}, after):
        raise _uncertain()


def _inner(outer: Statement, spare: int) -> Statement:
    """The query as a statement of its own."""
    ((kind, node),) = outer.node["query"].items()
    if kind != _QUERY:
        raise refuse_kind(kind)
    start, end = _place(outer, node)
    return Statement(
        text=outer.text[start:end],
        offset=outer.offset + start,
        kind=kind,
        node=node,
        subject=outer.subject,
        views=outer.views,
        catalog=outer.catalog,
        budget=outer.budget,
        spare=spare,
    )


def _place(outer: Statement, node: Node) -> tuple[int, int]:
    """The first byte range of the text that PostgreSQL reads as exactly this query."""
    tried = 0
    for at, token in enumerate(outer.tokens):
        if token.name not in _OPENS:
            continue
        for end in _ends(outer, at):
            if tried == _MOST_TRIES:
                raise _uncertain()
            tried += 1
            if _reads_as(outer.text[token.start : end], node):
                return token.start, end
    raise _uncertain()


def _ends(outer: Statement, at: int) -> Iterator[int]:
    """Where a query that begins at this token may end: with the text, or its parenthesis."""
    yield len(outer.text)
    if outer.tokens[at].name == "ASCII_40":
        yield from _closing(outer.tokens[at:])


def _closing(tokens: Sequence[Token]) -> Iterator[int]:
    depth = 0
    for token in tokens:
        depth += {"ASCII_40": 1, "ASCII_41": -1}.get(token.name, 0)
        if depth == 0:
            yield token.end
            return


def _reads_as(text: bytes, node: Node) -> bool:
    try:
        kind, found = grammar.parse_one(text)
    except (grammar.GrammarError, grammar.TooDeep):
        return False
    return kind == _QUERY and grammar.same(node, found)


def _uncertain() -> Refusal:
    return Refusal(
        UNSUPPORTED_SYNTAX,
        "the query in this statement could not be told apart with certainty, so it is refused",
        "send the query itself",
    )
