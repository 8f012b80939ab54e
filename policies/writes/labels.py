"""What PostgreSQL calls a column of a result that has no AS: the last name, function or type in it.

As FigureColname of PostgreSQL's parse_target.c. An expression that is wrapped or in which a name is
replaced would be called otherwise, and clients find columns by their names.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from policies import grammar
from policies.grammar import Node

NAMELESS: Final = "?column?"
_Found = tuple[str, int]  # the name and how sure it is: a cast or CASE keeps a surer one inside
_NOTHING: _Found = ("", 0)

_NAMED: Final = {
    "A_ArrayExpr": "array", "RowExpr": "row", "CoalesceExpr": "coalesce",
    "GroupingFunc": "grouping", "MergeSupportFunc": "merge_action",
}  # fmt: skip
_MOST: Final = {"IS_GREATEST": "greatest", "IS_LEAST": "least"}
_NAMELESS: Final = frozenset({"A_Const", "ParamRef", "BoolExpr", "NullTest", "BooleanTest"})
_SUBLINKS: Final = {"EXISTS_SUBLINK": "exists", "ARRAY_SUBLINK": "array"}


class _Unknown(Exception):
    """Nothing here knows what PostgreSQL would call it."""


def label(value: Node, gone: Container[int] = ()) -> str:
    """The name of a result's column; "" when it cannot be told. `gone`: id() of ColumnRefs that are
    replaced, and name nothing any more."""
    try:
        return _find(value, gone)[0] or NAMELESS
    except _Unknown:
        return ""


def _find(value: Node, gone: Container[int]) -> _Found:
    ((kind, node),) = value.items()
    if kind in _NAMED:
        return _NAMED[kind], 2
    if kind in _NAMELESS:
        return _NOTHING
    match kind:
        case "ColumnRef" if id(node) not in gone:
            return _last(node["fields"]) or _NOTHING
        case "A_Indirection":
            return _last(node["indirection"]) or _find(node["arg"], gone)
        case "FuncCall":
            return grammar.names(node["funcname"])[-1], 2
        case "A_Expr":
            return ("nullif", 2) if node["kind"] == "AEXPR_NULLIF" else _NOTHING
        case "TypeCast":
            inner = _find(node["arg"], gone)
            return inner if inner[1] > 1 else (grammar.names(node["typeName"]["names"])[-1], 1)
        case "CollateClause":
            return _find(node["arg"], gone)
        case "CaseExpr":
            inner = _find(node["defresult"], gone) if "defresult" in node else _NOTHING
            return inner if inner[1] > 1 else ("case", 1)
        case "MinMaxExpr" if node.get("op") in _MOST:
            return _MOST[node["op"]], 2
        case "SubLink":
            return _of_sublink(node, gone)
        case _:
            raise _Unknown


def _last(fields: list[Node]) -> _Found | None:
    if "A_Star" in fields[-1]:
        raise _Unknown  # as many columns as it stands for
    names = [field["String"]["sval"] for field in fields if "String" in field]
    return (names[-1], 2) if names else None


def _of_sublink(node: Node, gone: Container[int]) -> _Found:
    kind = node["subLinkType"]
    if kind in _SUBLINKS:
        return _SUBLINKS[kind], 2
    if kind != "EXPR_SUBLINK":
        return _NOTHING
    query = node["subselect"]["SelectStmt"]
    while "larg" in query:
        query = query["larg"]
    if "valuesLists" in query:
        return "column1", 2
    if "targetList" not in query:
        raise _Unknown  # SELECT FROM t, which gives no column
    result = query["targetList"][0]["ResTarget"]
    if "name" in result:
        return result["name"], 2
    return _find(result["val"], gone)[0] or NAMELESS, 2
