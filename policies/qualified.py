"""`schema.table.column`: behind a derived table only `table.column` names the same thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from policies import grammar
from policies.catalog import Catalog
from policies.grammar import Node
from policies.statement import Relation

_OUTSIDE = frozenset({"withClause", "selectStmt"})


def columns(root: Node, catalog: Catalog, relations: Iterable[Relation]) -> Iterator[Node]:
    """ColumnRefs that may lose their schema without meaning another source.

    So it is when everything that goes by the table's name, in any FROM around the column, is that
    table itself. `relations`: every relation of the statement; some of them name WITH queries.
    """
    with_queries = {id(relation.node) for relation in relations if relation.with_query}
    yield from _Columns(catalog, with_queries).inside(root, ())


@dataclass(frozen=True, slots=True)
class _From:
    """How often each name stands in a FROM clause, and how often for a relation of that name."""

    named: Counter[str]
    own: Counter[tuple[str, str]]


class _Columns:
    def __init__(self, catalog: Catalog, with_queries: set[int]) -> None:
        self._catalog = catalog
        self._with_queries = with_queries

    def inside(self, node: Any, around: tuple[_From, ...]) -> Iterator[Node]:
        """Those under a node; `around`: the FROM clauses of every SELECT it stands in."""
        if isinstance(node, list):
            for part in node:
                yield from self.inside(part, around)
        elif isinstance(node, dict):
            outside = around  # what a WITH query, or the query of an INSERT, sees nothing of
            sources = _sources(node)
            if sources:
                around = (*around, self._from(sources))
            for key, value in node.items():
                if key == "ColumnRef":
                    if _is_shortened(value, around):
                        yield value
                else:
                    yield from self.inside(value, outside if key in _OUTSIDE else around)

    def _from(self, clause: list[Node]) -> _From:
        named: Counter[str] = Counter()
        own: Counter[tuple[str, str]] = Counter()
        for key, node in grammar.walk(clause):
            if key == "RangeVar":
                alias = node.get("alias", {}).get("aliasname")
                named[alias or node["relname"]] += 1
                relation = self._catalog.find(node.get("schemaname", ""), node["relname"])
                if alias is None and relation is not None and id(node) not in self._with_queries:
                    own[relation.schema, relation.name] += 1
            elif key in ("alias", "join_using_alias") and "aliasname" in node:
                named[node["aliasname"]] += 1  # once more for an aliased table, which harms nothing
            elif key == "FuncCall":  # in FROM it goes by the function's name
                named[grammar.names(node["funcname"])[-1]] += 1
        return _From(named, own)


def _sources(node: Node) -> list[Node]:
    """What stands in FROM, or beside the target of a write, with it."""
    found = list(node.get("fromClause", ()))
    if "relation" in node:
        found.append({"RangeVar": node["relation"]})
        found.extend(node.get("usingClause", ()))
    if "sourceRelation" in node:
        found.append(node["sourceRelation"])
    return found


def _is_shortened(column: Node, around: tuple[_From, ...]) -> bool:
    fields = column["fields"]
    names = grammar.names(fields)
    if len(fields) != 3 or len(names) < 2:
        return False
    found = [each for each in around if each.named[names[1]]]
    pair = names[0], names[1]
    return bool(found) and all(each.named[names[1]] == each.own[pair] for each in found)
