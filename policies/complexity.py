"""How much a statement asks for: columns of its result, joins, and the score of all its parts.

Knows the weights; the limits are the rules'. Every part counts where it is written, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from policies import grammar
from policies.grammar import Node
from policies.selects import Select, Selects, own

BASE = 1
COLUMN = 1
FILTER = 2
STRING_MATCH = 3
IN_ITEM = 2
BETWEEN = 2
JOIN = 10
ORDER = 1
SUBQUERY = 10
WINDOW = 5
RECURSIVE = 50
CROSS_JOIN = 100

_MATCHES = frozenset({"AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR"})
_LISTS = frozenset({"AEXPR_IN", "AEXPR_OP_ANY", "AEXPR_OP_ALL"})


@dataclass(frozen=True, slots=True)
class Measure:
    """What is compared with the budget of the same names."""

    columns: int
    joins: int
    complexity: int


def measure(selects: Selects) -> Measure:
    """The measure of a query."""
    joins = 0
    score = BASE + selects.recursive * RECURSIVE
    score += (len(selects.with_queries) + selects.set_operations) * SUBQUERY
    for select in selects.all:
        here, crossing = _joins(select)
        joins += here
        score += (here - crossing) * JOIN + crossing * CROSS_JOIN
        score += len(select.columns) * COLUMN + _parts(select.node)
    return Measure(selects.columns, joins, score)


def _joins(select: Select) -> tuple[int, int]:
    """Joins of a SELECT's FROM clause, and how many of them connect nothing."""
    items = select.node.get("fromClause", [])
    joins = max(len(select.sources) - 1, 0)
    if not joins:
        return 0, 0
    groups = [{id(source)} for source in select.sources]
    for connected in _connections(items, select):
        touched = [group for group in groups if group & connected]
        if len(touched) > 1:
            groups = [group for group in groups if not group & connected]
            groups.append(set().union(*touched))
    return joins, len(groups) - 1


def _connections(items: list[Node], select: Select) -> Iterator[set[int]]:
    """Sources that one condition speaks of together."""
    for condition in grammar.conjuncts(select.node.get("whereClause")):
        yield _together(condition, select)
    by_node = {id(source.node): source for source in select.sources}
    for key, node in own({"from": items}):
        if key == "JoinExpr":
            for condition in grammar.conjuncts(node.get("quals")):
                yield _together(condition, select)
            if "usingClause" in node or node.get("isNatural"):
                yield {id(_first(node[side], by_node)) for side in ("larg", "rarg")}
        elif key in ("RangeFunction", "RangeSubselect") and id(node) in by_node:
            yield {id(by_node[id(node)])} | _mentioned(node, select)


def _first(item: Node, by_node: dict[int, Any]) -> Any:
    ((kind, node),) = item.items()
    while kind in ("JoinExpr", "RangeTableSample"):
        ((kind, node),) = node["larg" if kind == "JoinExpr" else "relation"].items()
    return by_node[id(node)]


def _together(condition: Node, select: Select) -> set[int]:
    """The sources a condition connects; an OR those that each of its sides does."""
    inner = condition.get("BoolExpr", {})
    if inner.get("boolop") == "OR_EXPR":
        return set.intersection(*(_together(side, select) for side in inner["args"]))
    return _mentioned(condition, select)


def _mentioned(node: Node, select: Select) -> set[int]:
    found = set()
    for key, value in grammar.walk(node):
        if key == "ColumnRef":
            source = select.source_of(value)
            parts = grammar.names(value["fields"])
            if source is not None:
                found.add(id(source))
            elif len(parts) > 1:
                found.update(id(one) for one in select.sources if parts[-2] in one.names)
    return found


def _parts(select: Node) -> int:
    """The score of a SELECT's own expressions and clauses."""
    score = 0
    for key, value in own(select):
        if key in ("whereClause", "havingClause", "agg_filter"):
            score += _conditions(value) * FILTER
        elif key == "quals":
            score += (_conditions(value) - 1) * FILTER  # the first is what makes it a join
        elif key == "A_Expr":
            score += _operator(value)
        elif key in ("SubLink", "RangeSubselect"):
            score += SUBQUERY
        elif key == "SortBy":
            score += ORDER
        elif key == "over":
            score += WINDOW
    return score


def _conditions(condition: Node) -> int:
    """How many single conditions AND, OR and NOT put together."""
    count, pending = 0, [condition]
    while pending:
        one = pending.pop()
        if "BoolExpr" in one:
            pending.extend(one["BoolExpr"]["args"])
        else:
            count += 1
    return count


def _operator(node: Node) -> int:
    kind, name = node["kind"], grammar.names(node["name"])[-1]
    if kind in _MATCHES or "~" in name:
        return STRING_MATCH
    if kind in _LISTS:
        return _items(node["rexpr"]) * IN_ITEM
    return BETWEEN if "BETWEEN" in kind else 0


def _items(listed: Node) -> int:
    """How many values a list has; an array that is one value counts as one."""
    if "List" in listed:
        return len(listed["List"]["items"])
    array = listed.get("TypeCast", {}).get("arg", listed)
    return len(array["A_ArrayExpr"].get("elements", [])) if "A_ArrayExpr" in array else 1
