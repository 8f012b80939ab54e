"""The SELECTs a statement is made of: what each reads under which name, and which columns it has.

Knows trees and policy views; knows no limits. A set operation is its arms; VALUES is a SELECT
without sources. Names are looked up as PostgreSQL does: in the SELECT itself, then around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from policies import grammar
from policies.grammar import Node
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.statement import Statement
from policies.views import PolicyView

# Clauses of a SELECT that hold other SELECTs of the same rank.
_APART = frozenset({"withClause", "larg", "rarg"})
_CONDITIONS = ("whereClause", "havingClause")


@dataclass(frozen=True, eq=False, slots=True)
class Source:
    """One relation, subquery or function of a FROM clause. `names`: its own and those of joins in
    brackets around it; `view`: of a relation that has one."""

    names: tuple[str, ...]
    columns: tuple[str, ...]
    node: Node
    view: PolicyView | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Select:
    """One SELECT. `outer`: the one whose names it may use; `width`: columns of its result."""

    node: Node
    outer: Select | None
    sources: list[Source] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)

    def source_of(self, column: Node) -> Source | None:
        """The source here that a ColumnRef is of; None: of a SELECT around this one, or unknown."""
        parts = grammar.names(column["fields"])
        if not parts:
            return None
        for source in self.sources:
            if len(parts) == 1 or parts[-2] in source.names:
                if parts[-1] in source.columns:
                    return source
            elif parts[-1] in source.names and "A_Star" in column["fields"][-1]:
                return source
        return None

    def named(self, name: str) -> list[Source]:
        """The sources a name stands for, here or around: several for the alias of a join."""
        found = [source for source in self.sources if name in source.names]
        if not found and self.outer is not None:
            return self.outer.named(name)
        return found


@dataclass(slots=True)
class Selects:
    """All of them and what else there is around them. The clauses around a set operation (ORDER BY,
    LIMIT) are a SELECT without sources."""

    all: list[Select] = field(default_factory=list)
    with_queries: list[Node] = field(default_factory=list)
    recursive: int = 0
    set_operations: int = 0
    columns: int = 0  # of the statement's result


Names = dict[str, tuple[str, ...]]  # WITH queries in sight and their columns


def find(statement: Statement) -> Selects:
    """The SELECTs of a query whose relations are resolved."""
    reader = _Reader(statement.views_by_node)
    reader.found.columns = len(reader.query(statement.shape, {}, None))
    return reader.found


def own(node: Node) -> Iterator[tuple[str, Any]]:
    """Every (key, value) in a SELECT's own clauses; SELECTs in them are yielded, not entered."""
    pending: list[Any] = [node[key] for key in node if key not in _APART]
    yield from ((key, node[key]) for key in _CONDITIONS if key in node)
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            for key, value in item.items():
                yield key, value
                if key != "SelectStmt" and isinstance(value, dict | list):
                    pending.append(value)
        elif isinstance(item, list):
            pending.extend(item)


class _Reader:
    def __init__(self, views: dict[int, PolicyView]) -> None:
        self._views = views
        self.found = Selects()

    def query(self, node: Node, names: Names, outer: Select | None) -> tuple[str, ...]:
        """Read a query with everything in it; the columns of its result."""
        if "withClause" in node:
            names = self._with(node["withClause"], names, outer)
        if "larg" not in node:
            return self._select(node, names, outer)
        # the arms, leftmost last: a chain of UNIONs nests as deeply as it is long
        columns: tuple[str, ...] = ()
        pending = [node["rarg"], node["larg"]]
        self.found.set_operations += 1
        while pending:
            arm = pending.pop()
            if "larg" in arm and "withClause" not in arm:
                self.found.set_operations += 1
                pending += [arm["rarg"], arm["larg"]]
                continue
            found = self.query(arm, names, outer)
            columns = columns or found
        around = Select({key: node[key] for key in node if key not in _APART}, outer)
        self.found.all.append(around)
        self._inside(around, names)
        return columns

    def _with(self, clause: Node, names: Names, outer: Select | None) -> Names:
        names = dict(names)
        for entry in clause["ctes"]:
            with_query = entry["CommonTableExpr"]
            self.found.with_queries.append(with_query)
            if "SelectStmt" not in with_query["ctequery"]:
                raise Refusal(
                    UNSUPPORTED_SYNTAX,
                    "WITH clause containing a data-modifying statement must be at the top level",
                    "put WITH in front of the whole statement",
                )
            inner, name = with_query["ctequery"]["SelectStmt"], with_query["ctename"]
            aliases = grammar.names(with_query.get("aliascolnames", []))
            seen = dict(names)
            if clause.get("recursive") and _names_itself(inner, name):
                self.found.recursive += 1
                seen[name] = aliases or _plain_columns(inner)
            columns = self.query(inner, seen, outer)
            names[name] = aliases + columns[len(aliases) :]
        return names

    def _select(self, node: Node, names: Names, outer: Select | None) -> tuple[str, ...]:
        select = Select(node, outer)
        self.found.all.append(select)
        for item in node.get("fromClause", []):
            select.sources.extend(self._sources(item, names, select))
        self._inside(select, names)
        for row in node.get("valuesLists", [])[:1]:
            select.columns.extend("" for _ in row["List"]["items"])
        for target in node.get("targetList", []):
            select.columns.extend(_result(target["ResTarget"], select))
        return tuple(select.columns)

    def _inside(self, select: Select, names: Names) -> None:
        """SELECTs in the clauses of one, but for subqueries in FROM, which are its sources."""
        sources, inner = set(), []
        for key, value in own(select.node):
            if key == "RangeSubselect":
                sources.add(id(value["subquery"]["SelectStmt"]))
            elif key == "SelectStmt":
                inner.append(value)
        for query in inner:
            if id(query) not in sources:
                self.query(query, names, select)

    def _sources(self, item: Node, names: Names, select: Select) -> Iterator[Source]:
        ((kind, node),) = item.items()
        alias = node.get("alias", {})
        name = alias.get("aliasname", "")
        renamed = grammar.names(alias.get("colnames", []))
        if kind == "RangeTableSample":
            yield from self._sources(node["relation"], names, select)
            return
        if kind == "JoinExpr":
            for side in ("larg", "rarg"):
                for source in self._sources(node[side], names, select):
                    yield replace(source, names=(*source.names, name)) if name else source
            return
        view = None
        columns: tuple[str, ...] = ()
        if kind == "RangeVar":
            name, view = name or node["relname"], self._views.get(id(node))
            columns = view.columns if view is not None else names.get(node["relname"], ())
        elif kind == "RangeSubselect":
            outer = select if node.get("lateral") else select.outer
            columns = self.query(node["subquery"]["SelectStmt"], names, outer)
        elif kind == "RangeFunction":
            functions = [part["List"]["items"][0] for part in node["functions"]]
            columns = tuple(c["ColumnDef"]["colname"] for c in node.get("coldeflist", []))
            columns = columns or tuple(map(_name, functions))
            name = name or columns[0]
        yield Source((name,), renamed + columns[len(renamed) :], node, view)


def _names_itself(query: Node, name: str) -> bool:
    return any(
        key == "RangeVar" and value["relname"] == name and "schemaname" not in value
        for key, value in grammar.walk(query)
    )


def _plain_columns(query: Node) -> tuple[str, ...]:
    """Columns of a recursive query's first arm, for those who read it in the second."""
    while "larg" in query:
        query = query["larg"]
    return tuple(_name(target["ResTarget"]) for target in query.get("targetList", []))


def _result(target: Node, select: Select) -> list[str]:
    """The columns one item of the target list gives; a whole row counts as what is in it."""
    value = target["val"]
    if "ColumnRef" in value and "A_Star" in value["ColumnRef"]["fields"][-1]:
        parts = grammar.names(value["ColumnRef"]["fields"])
        sources = select.named(parts[-1]) if parts else select.sources
        columns = [column for source in sources for column in source.columns]
        for key, merged in own({"from": select.node.get("fromClause", [])}):
            if key == "usingClause" and not parts:
                for name in grammar.names(merged):
                    if name in columns:
                        columns.remove(name)
        return columns
    rows: list[str] = []
    for key, node in own({"val": value}):
        if key == "ColumnRef":
            rows += _row(node, select)
    return rows if len(rows) > 1 else [_name(target)]


def _row(column: Node, select: Select) -> list[str]:
    """The columns of the whole row a ColumnRef means; none when it means a column."""
    parts = grammar.names(column["fields"])
    star = "A_Star" in column["fields"][-1]
    if not parts or (not star and (len(parts) > 1 or select.source_of(column) is not None)):
        return []
    return [name for source in select.named(parts[-1]) for name in source.columns]


def _name(target: Node) -> str:
    """The name PostgreSQL gives a result column, for columns and calls; "" for other things."""
    if "name" in target:
        return str(target["name"])
    value = target.get("val", target)
    if "ColumnRef" in value:
        return (grammar.names(value["ColumnRef"]["fields"]) or ("",))[-1]
    if "FuncCall" in value:
        return grammar.names(value["FuncCall"]["funcname"])[-1]
    return ""
