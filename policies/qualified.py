"""`schema.table.column`: behind a derived table only `table.column` names the same thing."""

from __future__ import annotations

from collections import Counter

from policies import grammar
from policies.catalog import Catalog
from policies.grammar import Node


def tables(root: Node, catalog: Catalog) -> frozenset[tuple[str, str]]:
    """(schema, table) pairs whose columns may lose their schema without meaning another source.

    So it is when everything in any FROM that goes by the table's name is that table itself.
    """
    named: Counter[str] = Counter()
    own: Counter[tuple[str, str]] = Counter()
    for key, node in grammar.walk(root):
        if key == "RangeVar":
            alias = node.get("alias", {}).get("aliasname")
            named[alias or node["relname"]] += 1
            relation = catalog.find(node.get("schemaname", ""), node["relname"])
            if alias is None and relation is not None:
                own[relation.schema, relation.name] += 1
        elif key in ("RangeSubselect", "RangeFunction", "JoinExpr") and "alias" in node:
            named[node["alias"]["aliasname"]] += 1
        elif key == "CommonTableExpr":
            named[node["ctename"]] += 1
    return frozenset(pair for pair, count in own.items() if named[pair[1]] == count)


def shortened(column: Node, known: frozenset[tuple[str, str]]) -> bool:
    """Whether a ColumnRef is to lose its schema. `known`: what `tables` found."""
    fields = column["fields"]
    names = grammar.names(fields)
    return len(fields) == 3 and len(names) >= 2 and (names[0], names[1]) in known
