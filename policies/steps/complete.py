"""complete: GROUP BY on a primary key names the other columns too.

    SELECT u.id, u.role FROM users u GROUP BY u.id   ->   ... GROUP BY "u"."role", u.id

PostgreSQL lets columns be left out that depend on a grouped primary key, but knows of no key behind
a derived table (42803). A dependent column does not change the groups, so naming it is no change.
A column of a type that cannot be compared, as json, cannot be named there: such a statement is
refused with what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies import grammar
from policies.functions import AGGREGATES, INCOMPARABLE
from policies.grammar import Node
from policies.lookups import called
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.sql import identifier
from policies.statement import Edit, Statement
from policies.views import PolicyView

_USING = ("targetList", "havingClause", "sortClause", "windowClause", "distinctClause")


def complete(statement: Statement) -> None:
    """Add the edits that name dependent columns."""
    views = {id(use.relation.node): use.view for use in statement.uses}
    for key, select in grammar.walk({"SelectStmt": statement.shape}):
        if key not in ("SelectStmt", "larg", "rarg"):
            continue
        extra = dependent(select, views)
        if extra:
            _check_comparable(extra, select, views, statement)
            place = select["groupClause"][0]["ColumnRef"].get("location", 0) - statement.offset
            named = "".join(f"{identifier(alias)}.{identifier(name)}, " for alias, name in extra)
            statement.edits.append(Edit(place, place, named))


def _check_comparable(
    extra: list[tuple[str, str]],
    select: Node,
    views: Mapping[int, PolicyView],
    statement: Statement,
) -> None:
    sources = dict(_sources(select.get("fromClause", [])))
    for alias, name in extra:
        column = views[id(sources[alias])].relation.column(name)
        if column is None or column.type.removesuffix("[]") not in INCOMPARABLE:
            continue
        written, kind = f"{alias}.{name}", column.type
        newer = statement.catalog.server_version >= 160000
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f"{written} cannot be left out of GROUP BY here: its type {kind} has no equality",
            f"write any_value({written})" if newer else f"write (array_agg({written}))[1]",
            column=name,
        )


def dependent(select: Node, views: Mapping[int, PolicyView]) -> list[tuple[str, str]]:
    """(alias, column) pairs one SELECT uses that depend on a grouped primary key, and does not
    group by. `views`: by id() of the RangeVar node."""
    grouped = [grammar.names(item.get("ColumnRef", {}).get("fields", [])) for item in
               select.get("groupClause", [])]  # fmt: skip
    if not grouped or not all(grouped):
        return []  # not grouped, or by expressions or grouping sets
    sources = dict(_sources(select.get("fromClause", [])))
    found: dict[tuple[str, str], None] = {}
    for alias, node in sources.items():
        view = views.get(id(node)) if node is not None else None
        if view is None or not view.relation.primary_key:
            continue
        own = set(grouped) if len(sources) == 1 else {g for g in grouped if len(g) > 1}
        named = {parts[-1] for parts in own if len(parts) == 1 or parts[-2] == alias}
        if not named.issuperset(view.relation.primary_key):
            continue
        for name in _used(select, alias, view, alone=len(sources) == 1):
            if name not in named:
                found[alias, name] = None
    return sorted(found)


def _sources(items: list[Node]) -> Iterator[tuple[str, Node | None]]:
    """Alias and RangeVar of everything in FROM; None for what is not a named relation."""
    for item in items:
        ((kind, node),) = item.items()
        alias = node.get("alias", {}).get("aliasname", "")
        if kind == "RangeVar":
            renamed = "colnames" in node.get("alias", {})
            yield alias or node["relname"], None if renamed else node
        elif kind == "RangeTableSample":
            yield from _sources([node["relation"]])
        elif kind == "JoinExpr":
            yield from _sources([node["larg"], node["rarg"]])
            if alias:
                yield alias, None
        else:
            yield alias, None


def _outside_aggregates(parts: list[Any]) -> Iterator[tuple[str, Any]]:
    """As grammar.walk, but for what aggregates are computed from, which needs no group. In a
    subquery it may: there an aggregate of both its and our columns is its own."""
    pending = [(part, False) for part in parts]
    while pending:
        item, inner = pending.pop()
        if isinstance(item, list):
            pending.extend((part, inner) for part in item)
        elif isinstance(item, dict):
            for key, value in item.items():
                yield key, value
                if inner or key != "FuncCall" or not _is_aggregate(value):
                    pending.append((value, inner or key == "SubLink"))


def _is_aggregate(call: Node) -> bool:
    return called(call) in AGGREGATES and "over" not in call and not call.get("agg_within_group")


def _used(select: Node, alias: str, view: PolicyView, *, alone: bool) -> Iterator[str]:
    """Columns of the view that the SELECT uses outside FROM, WHERE and GROUP BY."""
    for key, column in _outside_aggregates([select[key] for key in _USING if key in select]):
        if key != "ColumnRef":
            continue
        names = grammar.names(column["fields"])
        if "A_Star" in column["fields"][-1]:
            if not names or names[-1] == alias:
                yield from view.columns
        elif names[-1] in view.columns and (
            (len(names) > 1 and names[-2] == alias) or (len(names) == 1 and alone)
        ):
            yield names[-1]
