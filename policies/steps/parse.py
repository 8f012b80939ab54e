"""parse: sqlglot's tree, and the byte ranges at which it finds relations.

    SELECT * FROM ONLY public.users u   ->   one site: `ONLY public.users`

sqlglot and PostgreSQL's grammar must have found relations at exactly the same places; a text on
which they disagree is read again in a plainer spelling, and refused if they still do.
"""

from __future__ import annotations

import re

from sqlglot import exp

from policies import dialect, grammar
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.statement import Site, Statement

_STAR = re.compile(rb"\s*\*")  # FROM t *: with the inheriting tables, as without it
_ONLY = re.compile(rb"\bONLY\s*\(?\s*\Z", re.IGNORECASE)


def parse(statement: Statement) -> None:
    """Fill `statement.sites`."""
    text = statement.text
    wanted = [relation.place for relation in statement.reading.relations]
    for _, node in statement.reading.writes:
        wanted.append(node["relation"].get("location", 0) - statement.offset)
    if not wanted:
        return  # nothing to find: no edit needs a place in sqlglot's tree
    wanted.sort()
    if text.isascii() and b"$" not in text:
        sites = _sites(text, text.decode())
        if sites is not None and [site.place for site in sites] == wanted:
            statement.sites = sites
            return
    try:
        spelled = dialect.plain(text)
    except grammar.GrammarError as error:
        raise _unsupported() from error
    sites = _sites(text, spelled)
    if sites is None or [site.place for site in sites] != wanted:
        raise _unsupported()
    statement.sites = sites


def _unsupported() -> Refusal:
    return Refusal(
        UNSUPPORTED_SYNTAX,
        "this spelling is not supported: its parts cannot be told apart with certainty",
        "write it in a plainer way; unusual operators and forms are the likely cause",
    )


def _sites(text: bytes, spelled: str) -> list[Site] | None:
    """Relation sites in order of place, or None when sqlglot cannot read the text."""
    try:
        root = dialect.tree(spelled)
    except dialect.Unparsed:
        return None
    sites = []
    for table in root.find_all(exp.Table):
        parts = [table.args.get("catalog"), table.args.get("db"), table.this]
        if not isinstance(table.this, exp.Identifier) or isinstance(table.parent, exp.Lock):
            continue  # a function in FROM, or an alias after FOR UPDATE OF
        named = [part for part in parts if part is not None]
        start, end = named[0].meta.get("start"), named[-1].meta.get("end")
        if start is None or end is None:
            return None
        sites.append(_site(text, start, end + 1, table))
    return sorted(sites, key=lambda site: site.place)


def _site(text: bytes, place: int, end: int, table: exp.Table) -> Site:
    start = place
    before = _ONLY.search(text, 0, place)
    if before is not None:
        start = before.start()
        if b"(" in before[0]:
            end = text.find(b")", end) + 1
    elif (star := _STAR.match(text, end)) is not None:
        end = star.end()
    return Site(place, start, end, table)
