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
from policies.steps.read import refuse_inside, refuse_kind
from policies.writes.shape import VERBS

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


def enclose(outer: Statement, cover: Cover, steps: Sequence[Step]) -> Statement:
    """Set `outer.output`, and what is known of the query: uses, capability, cap. Returns the query
    as a statement of its own. Raises Refusal."""
    inner = query_of(outer, cover.spare)
    for step in steps:
        step(inner)
    after = f"\n{cover.after}" if cover.after else ""
    adopt(outer, inner, cover.before, after)
    prove_envelope(outer, inner)
    return inner


def adopt(outer: Statement, inner: Statement, before: str, after: str) -> None:
    """Set `outer.output`, and take over what is known of the query."""
    outer.output = before.encode() + inner.output + after.encode()
    outer.reading, outer.uses, outer.fences = inner.reading, inner.uses, inner.fences
    outer.capability, outer.rows, outer.cap = inner.capability, inner.rows, inner.cap
    outer.complexity, outer.query = inner.complexity, inner.output
    outer.written = _written(outer, inner, len(before.encode()), len(after.encode()))


def _written(outer: Statement, inner: Statement, before: int, after: int) -> Written | None:
    """Places in the query lead back to the client's; those around it to what stood around it."""
    if inner.written is None or inner.written.changes is None or "query" not in outer.node:
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
        raise uncertain() from error
    if kind != outer.kind or not grammar.same({**outer.node, "query": query}, after):
        raise uncertain()


def query_of(outer: Statement, spare: int = 1) -> Statement:
    """The query as a statement of its own. Raises Refusal."""
    ((kind, node),) = outer.node["query"].items()
    if kind in VERBS and outer.views.writers:
        raise refuse_inside(kind)
    if kind != _QUERY:
        raise refuse_kind(kind)
    start, end = _place(outer, node)
    inner = outer.inner(outer.text[start:end], outer.offset + start, node)
    inner.spare, inner.operation = spare, "select"
    return inner


def _place(outer: Statement, node: Node) -> tuple[int, int]:
    """The first byte range of the text that PostgreSQL reads as exactly this query."""
    tried = 0
    for at, token in enumerate(outer.tokens):
        if token.name not in _OPENS:
            continue
        for end in _ends(outer, at):
            if tried == _MOST_TRIES:
                raise uncertain()
            tried += 1
            if _reads_as(outer.text[token.start : end], node):
                return token.start, end
    raise uncertain()


def _ends(outer: Statement, at: int) -> Iterator[int]:
    """Where a query that begins at this token may end: with the text, or its parenthesis."""
    yield len(outer.text)
    if outer.tokens[at].name == "ASCII_40":
        yield closing(outer.tokens, at)


def closing(tokens: Sequence[Token], at: int) -> int:
    """Where the parenthesis that token `at` opens is closed; the text is known to be balanced."""
    depth = 0
    for token in tokens[at:]:
        depth += {"ASCII_40": 1, "ASCII_41": -1}.get(token.name, 0)
        if depth == 0:
            return token.end
    raise uncertain()


def _reads_as(text: bytes, node: Node) -> bool:
    try:
        kind, found = grammar.parse_one(text)
    except (grammar.GrammarError, grammar.TooDeep):
        return False
    return kind == _QUERY and grammar.same(node, found)


def uncertain() -> Refusal:
    """The refusal of what cannot be proven."""
    return Refusal(
        UNSUPPORTED_SYNTAX,
        "the query in this statement could not be told apart with certainty, so it is refused",
        "send the query itself",
    )
