"""What an entity with `joins` may be combined with: only what is joined through a listed column.

    orders: {joins: [users.id]}    ->   orders o JOIN users u ON o.user_id = u.id, and on from u

Looked at are the relations of one SELECT together with those of the subqueries in its conditions
and results. Each must be reached from the entity over equalities of columns, and those at the
entity itself must be listed ones. What cannot be followed, as a join with a derived table that
reads relations or a set operation with others, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from policies import grammar
from policies.grammar import Node
from policies.reasons import RELATION_NOT_ALLOWED, Refusal
from policies.statement import Statement
from policies.views import PolicyView

_OPEN: frozenset[str] = frozenset()
_SET_OPERATIONS = ("SETOP_UNION", "SETOP_INTERSECT", "SETOP_EXCEPT")


def check_joins(statement: Statement) -> None:
    """Refuse a statement that combines an entity otherwise than its `joins` say."""
    listed = statement.views.joins
    if any(view.name in listed for view in statement.views_by_node.values()):
        _Combined(statement).check()


@dataclass(frozen=True, slots=True)
class _Item:
    """One item of a FROM list: a relation, or anything else with the entities inside it."""

    alias: str
    view: PolicyView | None = None
    inside: frozenset[str] = _OPEN

    @property
    def entities(self) -> frozenset[str]:
        return frozenset({self.view.name}) if self.view is not None else self.inside


@dataclass(slots=True)
class _Scope:
    """The FROM list of one SELECT, by number of the item, and the SELECT around it."""

    items: list[int]
    outer: _Scope | None


@dataclass(frozen=True, slots=True)
class _Equality:
    """Two operands and the FROM lists they look their columns up in. `sides`: the items on either
    side of an outer join, whose condition says nothing of any others."""

    left: Node
    scope: _Scope
    right: Node
    other: _Scope
    sides: tuple[range, range] | None = None


@dataclass(slots=True)
class _Level:
    """A SELECT with the subqueries of its conditions and results."""

    items: list[_Item] = field(default_factory=list)
    equal: list[_Equality] = field(default_factory=list)
    using: list[tuple[range, range, str]] = field(default_factory=list)


class _Combined:
    def __init__(self, statement: Statement) -> None:
        self._views = statement.views_by_node
        self._root = statement.shape
        self._listed = statement.views.joins
        self._seen = statement.views.names
        self._with: dict[str, Any] = {}
        self._pending: list[Node] = [statement.shape]

    def check(self) -> None:
        """Raise Refusal for a level that combines what may not be."""
        for key, query in grammar.walk(self._root):
            if key == "CommonTableExpr":
                self._with.setdefault(query["ctename"], []).append(query["ctequery"])
                self._pending.append(query["ctequery"]["SelectStmt"])
            elif key == "RangeSubselect":
                self._pending.append(query["subquery"]["SelectStmt"])
        for _, query in grammar.walk({"SelectStmt": self._root}):
            if isinstance(query, dict) and query.get("op") in _SET_OPERATIONS:
                self._set_operation(query)
        for select in self._pending:
            for arm in _arms(select):
                level = _Level()
                self._gather(arm, level, None)
                self._verify(level)

    def _set_operation(self, query: Node) -> None:
        """INTERSECT joins, and so does UNION with a GROUP BY around it: the arms are one thing."""
        arms = self._inside(query["larg"]), self._inside(query["rarg"])
        for own, others in (arms, arms[::-1]):
            for name in own & self._listed.keys():
                if others - {name}:
                    raise self._refusal(name, min(others - {name}))

    # What stands on one level.

    def _gather(self, arm: Node, level: _Level, outer: _Scope | None) -> None:
        scope = _Scope([], outer)
        for source in arm.get("fromClause", []):
            self._source(source, level, scope)
        if "whereClause" in arm:
            _note_equalities(arm["whereClause"], level, scope, None)
        rest = {k: v for k, v in arm.items() if k not in ("fromClause", "withClause")}
        self._subqueries(rest, level, scope)

    def _source(self, source: Node, level: _Level, scope: _Scope) -> None:
        ((kind, node),) = source.items()
        if kind == "JoinExpr":
            return self._join(node, level, scope)
        if kind == "RangeTableSample":
            return self._source(node["relation"], level, scope)
        alias = node.get("alias", {})
        name = grammar.alias(node)
        view = self._views.get(id(node)) if kind == "RangeVar" else None
        scope.items.append(len(level.items))
        if view is None:
            inside = _OPEN if kind == "RangeFunction" else self._inside(source)
            level.items.append(_Item(name, inside=inside))
            if kind == "RangeFunction":
                self._subqueries(node, level, scope)
        elif "colnames" in alias:  # columns by other names: not followed
            level.items.append(_Item(name, inside=frozenset({view.name})))
        else:
            level.items.append(_Item(name, view))
        return None

    def _join(self, node: Node, level: _Level, scope: _Scope) -> None:
        first = len(level.items)
        self._source(node["larg"], level, scope)
        middle = len(level.items)
        self._source(node["rarg"], level, scope)
        sides = range(first, middle), range(middle, len(level.items))
        level.using += [(*sides, c) for c in grammar.names(node.get("usingClause", []))]
        if "quals" in node:
            outer = node.get("jointype") != "JOIN_INNER"
            _note_equalities(node["quals"], level, scope, sides if outer else None)
            self._subqueries(node["quals"], level, scope)

    def _subqueries(self, tree: Any, level: _Level, scope: _Scope) -> None:
        pending = [tree]
        while pending:
            item = pending.pop()
            if isinstance(item, list):
                pending.extend(item)
            elif isinstance(item, dict):
                for key, value in item.items():
                    if key == "SubLink":
                        pending.append(value.get("testexpr"))
                        self._subquery(value, level, scope)
                    elif key not in ("RangeSubselect", "lockingClause"):
                        pending.append(value)

    def _subquery(self, link: Node, level: _Level, scope: _Scope) -> None:
        for arm in _arms(link["subselect"]["SelectStmt"]):
            inner = len(level.items)
            self._gather(arm, level, scope)
            targets = arm.get("targetList", [])
            is_in = link["subLinkType"] == "ANY_SUBLINK" and _is_equal(link.get("operName", []))
            if is_in and len(targets) == 1:
                width = _width(arm.get("fromClause", []))
                own = _Scope(list(range(inner, inner + width)), scope)
                target = targets[0]["ResTarget"]["val"]
                level.equal.append(_Equality(link["testexpr"], scope, target, own))

    def _inside(self, tree: Any, known: frozenset[str] = _OPEN) -> frozenset[str]:
        """The entities a part of the statement reads, WITH queries it names among them."""
        found: set[str] = set()
        for key, value in grammar.walk(tree):
            if key == "RangeVar" and id(value) in self._views:
                found.add(self._views[id(value)].name)
            elif key == "RangeVar" and value["relname"] not in known:
                name = value["relname"]
                found |= self._inside(self._with.get(name, []), known | {name})
        return frozenset(found)

    # Whether it may be combined.

    def _verify(self, level: _Level) -> None:
        edges = list(self._edges(level))
        for number, item in enumerate(level.items):
            for name in item.entities & self._listed.keys():
                reached = self._reached(name, number, level, edges)
                for place, other in enumerate(level.items):
                    strange = other.entities - {name} if place != number else _OPEN
                    if strange and (item.view is None or place not in reached):
                        raise self._refusal(name, min(strange))

    def _reached(
        self, name: str, number: int, level: _Level, edges: list[tuple[int, str, int, str]]
    ) -> set[int]:
        """Items reached from one of entity `name`; all of that entity count as one."""
        own = {n for n, item in enumerate(level.items) if name in item.entities and item.view}
        found = {number, *own}
        grew = True
        while grew:
            grew = False
            for here, _, there, column in edges:
                if here not in found or there in found:
                    continue
                entity = min(level.items[there].entities)
                if here not in own or (entity, column) in self._listed[name]:
                    found.add(there)
                    grew = True
        return found

    def _edges(self, level: _Level) -> Iterator[tuple[int, str, int, str]]:
        """(item, column, other item, its column) of every equality, both ways."""
        pairs = []
        for equality in level.equal:
            one = _meant(equality.left, equality.scope, level)
            two = _meant(equality.right, equality.other, level)
            if one is None or two is None:
                continue
            sides = equality.sides
            if sides is None or _across(sides, one[0], two[0]):
                pairs.append((*one, *two))
        for lefts, rights, column in level.using:
            held = [[n for n in side if _has(level.items[n], column)] for side in (lefts, rights)]
            if all(len(side) == 1 for side in held):
                pairs.append((held[0][0], column, held[1][0], column))
        for a, first, b, second in pairs:
            yield a, first, b, second
            yield b, second, a, first

    def _refusal(self, name: str, other: str) -> Refusal:
        known = sorted(f"{e}.{c}" for e, c in self._listed[name] if e in self._seen)
        through = f"join it on {' or '.join(known)}, by =" if known else "read it by itself"
        return Refusal(
            RELATION_NOT_ALLOWED,
            f'"{name}" may not be combined with "{other}" in this way',
            f"{through}; derived tables, subqueries and set operations count too",
            table=name,
            rule=f"entities.{name}.joins",
        )


def _arms(select: Node) -> Iterator[Node]:
    """The SELECTs a set operation is made of, and what stands around them (LIMIT, ORDER BY); itself
    when it is none."""
    if select.get("op", "SETOP_NONE") == "SETOP_NONE":
        yield select
    else:
        yield from _arms(select["larg"])
        yield from _arms(select["rarg"])
        yield {key: part for key, part in select.items() if key not in ("larg", "rarg")}


def _note_equalities(
    condition: Node, level: _Level, scope: _Scope, sides: tuple[range, range] | None
) -> None:
    for part in grammar.conjuncts(condition):
        compared = part.get("A_Expr", {})
        if compared.get("kind") == "AEXPR_OP" and _is_equal(compared["name"]):
            left, right = compared.get("lexpr", {}), compared["rexpr"]
            level.equal.append(_Equality(left, scope, right, scope, sides))


def _across(sides: tuple[range, range], one: int, other: int) -> bool:
    first, second = sides
    return (one in first and other in second) or (other in first and one in second)


def _is_equal(operator: list[Node]) -> bool:
    return grammar.names(operator) in ((), ("=",), ("pg_catalog", "="))


def _width(sources: list[Node]) -> int:
    """How many items a FROM list has."""
    joins = [s["JoinExpr"] for s in sources if "JoinExpr" in s]
    return len(sources) - len(joins) + sum(_width([j["larg"], j["rarg"]]) for j in joins)


def _has(item: _Item, column: str) -> bool:
    return item.view is not None and column in item.view.columns


def _meant(node: Node, scope: _Scope | None, level: _Level) -> tuple[int, str] | None:
    """The item and column a reference means, None when that is not certain."""
    parts = grammar.names(node.get("ColumnRef", {}).get("fields", []))
    if not parts:
        return None
    while scope is not None:
        items = [(n, level.items[n]) for n in scope.items]
        if len(parts) > 1:
            found = [(n, item) for n, item in items if item.alias == parts[-2]]
        elif any(item.view is None for _, item in items):
            return None
        else:
            found = [(n, item) for n, item in items if _has(item, parts[0])]
        if found:
            (number, item), several = found[0], len(found) > 1
            return (number, parts[-1]) if not several and _has(item, parts[-1]) else None
        scope = scope.outer
    return None
