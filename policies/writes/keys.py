"""Which rows a condition names by its own words: by the whole key, and how many at most.

id = 5                          1
id IN (1, 2) AND name = 'x'     2
a = 1 AND b IN (2, 3)           2, with the key (a, b)
id = ANY($1)                    named by the key, but nobody knows how many
id = id, id IN (SELECT ...)     not named at all
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from policies import grammar
from policies.catalog import Catalog, Relation
from policies.grammar import Node
from policies.rules_models import Entity
from policies.writes.raising import is_plain

_USUAL = frozenset(
    """
    bool bpchar bytea date float4 float8 int2 int4 int8 interval numeric text time timestamp
    timestamptz timetz uuid varchar
    """.split()
)


def is_unique(key: tuple[str, ...], entity: Entity, relation: Relation, catalog: Catalog) -> bool:
    """Whether the columns name at most one row of those a subject sees.

    A unique index may have the tenant besides, which is the same in all of them. It does not reach
    the rows of tables that inherit.
    """
    if relation.kind != "p" and relation.oid in catalog.inherited:
        return False
    fixed = {*key, *([entity.tenant] if entity.tenant else [])}
    unique = (set(index.keys) for index in relation.indexes if index.unique and index.plain)
    return any(keys <= fixed for keys in (*unique, set(relation.primary_key)) if keys)


@dataclass(frozen=True, slots=True)
class Named:
    """Rows are named by the whole key: at most `count`, None when only running shows."""

    count: int | None


def named(condition: Node | None, key: tuple[str, ...], alias: str) -> Named | None:
    """How the condition names rows of a table called `alias`; None when it does not."""
    if not key or condition is None:
        return None
    if any(key == "typeName" and not _is_usual(kind) for key, kind in grammar.walk(condition)):
        found = _named(condition, key, alias)
        return Named(None) if found is not None else None
    return _named(condition, key, alias)


def _is_usual(type_name: Node) -> bool:
    """Whether values of a type equal no more than one value of a key: a type of the database may
    have an equality of its own, as citext does."""
    return grammar.names(type_name.get("names", []))[-1] in _USUAL


def _named(condition: Node, key: tuple[str, ...], alias: str) -> Named | None:
    arms = condition.get("BoolExpr", {})
    if arms.get("boolop") == "OR_EXPR":
        return _any([_named(arm, key, alias) for arm in arms["args"]])
    fixed: dict[str, int | None] = {}
    for one in grammar.conjuncts(condition):
        whole = _row(one, key, alias)
        if whole is not None:
            return whole
        if one.get("BoolExpr", {}).get("boolop") == "OR_EXPR":
            inner = _named(one, key, alias)
            if inner is not None:
                return inner
            continue
        found = _fixed(one, alias)
        if found is not None and found[0] in key:
            column, count = found
            known = fixed.get(column)
            fixed[column] = count if known is None else min(known, count or known)
    if not fixed.keys() >= set(key):
        return None
    count = 1
    for column in key:
        values = fixed[column]
        if values is None:
            return Named(None)
        count *= values
    return Named(count)


def _any(arms: Iterable[Named | None]) -> Named | None:
    total = 0
    unknown = False
    for arm in arms:
        if arm is None:
            return None
        unknown = unknown or arm.count is None
        total += arm.count or 0
    return Named(None if unknown else total)


def _fixed(condition: Node, alias: str) -> tuple[str, int | None] | None:
    """A column that must have one of so many values."""
    node = condition.get("A_Expr", {})
    if "lexpr" not in node or grammar.names(node["name"]) != ("=",):
        return None
    left, right = node["lexpr"], node["rexpr"]
    match node["kind"]:
        case "AEXPR_OP":
            column = _column(left, alias)
            if column is None:
                column, right = _column(right, alias), left
            return (column, 1) if column is not None and is_plain(right) else None
        case "AEXPR_IN":
            column, items = _column(left, alias), right["List"]["items"]
            plain = column is not None and all(map(is_plain, items))
            return (column, len(items)) if column is not None and plain else None
        case "AEXPR_OP_ANY":
            column = _column(left, alias)
            if column is None:
                return None
            array = right
            while "TypeCast" in array:
                array = array["TypeCast"]["arg"]
            if "A_ArrayExpr" in array:
                items = array["A_ArrayExpr"].get("elements", [])
                return (column, len(items)) if all(map(is_plain, items)) else None
            return (column, None) if is_plain(right) else None
        case _:
            return None


def _row(condition: Node, key: tuple[str, ...], alias: str) -> Named | None:
    """(a, b) = (1, 2) and (a, b) IN ((1, 2), (3, 4)), for a key of these columns."""
    node = condition.get("A_Expr", {})
    row = node.get("lexpr", {}).get("RowExpr")
    if row is None or grammar.names(node["name"]) != ("=",):
        return None
    columns = [_column(item, alias) for item in row["args"]]
    if None in columns or not set(key) <= set(columns):
        return None
    if node["kind"] == "AEXPR_OP":
        rows = [node["rexpr"]]
    elif node["kind"] == "AEXPR_IN":
        rows = node["rexpr"]["List"]["items"]
    else:
        return None
    plain = all("RowExpr" in one and all(map(is_plain, one["RowExpr"]["args"])) for one in rows)
    return Named(len(rows)) if plain else None


def _column(node: Node, alias: str) -> str | None:
    """The column of the table that a node is, perhaps named with its alias."""
    reference = node.get("ColumnRef")
    if reference is None or "A_Star" in reference["fields"][-1]:
        return None
    parts = grammar.names(reference["fields"])
    return parts[-1] if len(parts) == 1 or parts[-2] == alias else None
