"""Whether a statement's conditions could see a row before the scopes removed it.

PostgreSQL flattens a derived table and orders conditions by cost, so a cheap leaky condition of
the statement may run on rows of other tenants (measured: error texts print them). It cannot when
every condition is a comparison the catalog calls leakproof over plain columns and constants. What
is not recognised here as harmless needs the fence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policies import grammar
from policies.catalog import Catalog
from policies.functions import AGGREGATES
from policies.grammar import Node
from policies.views import PolicyView

_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_NEGATED = {"AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN", "AEXPR_BETWEEN_SYM", "AEXPR_NOT_BETWEEN_SYM"}
# The grammar's names for types -> format_type()'s.
_WRITTEN = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "bpchar": "character",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
}
_UNKNOWN = "unknown"  # an untyped literal or parameter takes the other side's type
_AGGREGATE = "aggregate"  # conditions on it cannot move below the grouping


def needed(node: Node, views: Iterable[PolicyView], catalog: Catalog) -> bool:
    """Whether the statement's scoped relations must be fenced. `node`: its SelectStmt."""
    return not _Conditions(node, views, catalog).harmless()


class _Conditions:
    """The conditions of one statement and what is known of the names in them."""

    def __init__(self, node: Node, views: Iterable[PolicyView], catalog: Catalog) -> None:
        self._leakproof = catalog.leakproof
        self._root = node
        # Types a bare column name may have: those of every relation read, and of inner results.
        self._types: dict[str, set[str]] = {}
        for view in views:
            for column in view.relation.columns:
                self._types.setdefault(column.name, set()).add(column.type)

    def harmless(self) -> bool:
        """Whether every condition is recognised as one that cannot leak."""
        if self._renames():
            return False
        selects = list(_selects(self._root))
        if not all(self._inner_targets(s) for s in selects if s is not self._root):
            return False
        for select in selects:
            where, having = select.get("whereClause"), select.get("havingClause")
            if where is not None and not self._safe(where):
                return False
            if having is not None and not self._safe(having):
                return False
        for key, join in grammar.walk(self._root):
            if key != "JoinExpr":
                continue
            if join.get("isNatural"):
                return False
            if "quals" in join and not self._safe(join["quals"]):
                return False
            for name in grammar.names(join.get("usingClause", [])):
                if not self._comparable("=", self._types.get(name), self._types.get(name)):
                    return False
        return True

    def _inner_targets(self, select: Node) -> bool:
        """Inner results must be plain, for a condition on them may be moved onto their source."""
        for target in select.get("targetList", []):
            result = target["ResTarget"]
            types = self._operand(result["val"], inner=True)
            if types is None:
                return False
            if "name" in result:
                self._types.setdefault(result["name"], set()).update(types)
            elif types == {_AGGREGATE}:
                function = grammar.names(result["val"]["FuncCall"]["funcname"])[-1]
                self._types.setdefault(function, set()).add(_AGGREGATE)
        return all(
            self._operand(value) is not None
            for row in select.get("valuesLists", [])
            for value in row["List"]["items"]
        )

    def _renames(self) -> bool:
        """Whether names may stand for other columns than those that carry them in the catalog."""
        for key, value in grammar.walk(self._root):
            if key in ("colnames", "aliascolnames", "coldeflist"):
                return True
            if key == "RangeFunction" and value.get("alias", {}).get("aliasname") in self._types:
                return True
        return False

    def _safe(self, condition: Node) -> bool:
        ((kind, node),) = condition.items()
        match kind:
            case "BoolExpr":
                return all(map(self._safe, node["args"]))
            case "A_Const" | "ParamRef":
                return True
            case "ColumnRef":
                return self._operand(condition) == {"boolean"}
            case "NullTest" | "BooleanTest":
                return self._operand(node["arg"]) is not None
            case "SubLink":
                return self._safe_sublink(node)
            case "A_Expr":
                return self._safe_comparison(node)
            case _:
                return False

    def _safe_sublink(self, node: Node) -> bool:
        if any(key == "lockingClause" for key, _ in grammar.walk(node)):
            return False  # run for a foreign row it would lock what that row leads to
        if node["subLinkType"] == "EXISTS_SUBLINK":
            return True  # its own conditions are looked at with all others
        if node["subLinkType"] != "ANY_SUBLINK" or grammar.names(node.get("operName", [])) not in (
            (),
            ("=",),
        ):
            return False
        targets = node["subselect"]["SelectStmt"].get("targetList", [])
        if len(targets) != 1:
            return False
        left = self._operand(node["testexpr"])
        return self._comparable("=", left, self._operand(targets[0]["ResTarget"]["val"]))

    def _safe_comparison(self, node: Node) -> bool:
        if not any(key in ("ColumnRef", "SubLink", "FuncCall") for key, _ in grammar.walk(node)):
            return True  # constants and parameters only: says nothing of a row
        kind, operator = node["kind"], grammar.names(node["name"])
        if "lexpr" not in node:
            return False
        left, right = self._operand(node["lexpr"]), node["rexpr"]
        if kind in _NEGATED:
            return all(
                self._comparable(sign, left, self._operand(bound))
                for sign in ("<=", ">=", "<", ">")
                for bound in right["List"]["items"]
            )
        if len(operator) != 1 or operator[0] not in _COMPARISONS:
            return False
        match kind:
            case "AEXPR_OP" | "AEXPR_DISTINCT" | "AEXPR_NOT_DISTINCT":
                return self._comparable(operator[0], left, self._operand(right))
            case "AEXPR_IN":
                items = right["List"]["items"]
                return all(self._comparable(operator[0], left, self._operand(i)) for i in items)
            case "AEXPR_OP_ANY" | "AEXPR_OP_ALL":
                return self._array_of_constants(operator[0], left, right)
            case _:
                return False

    def _array_of_constants(self, operator: str, left: set[str] | None, array: Node) -> bool:
        if "TypeCast" in array:
            cast = array["TypeCast"]
            element = _type_written(cast["typeName"])
            inner = cast["arg"]
            if not cast["typeName"].get("arrayBounds") or not (
                "A_Const" in inner or "ParamRef" in inner
            ):
                return False
            return self._comparable(operator, left, {element})
        if "ParamRef" in array or "A_Const" in array:
            return self._comparable(operator, left, {_UNKNOWN})
        if "A_ArrayExpr" in array:
            items = array["A_ArrayExpr"].get("elements", [])
            return all(self._comparable(operator, left, self._operand(i)) for i in items)
        return False

    def _operand(self, node: Node, inner: bool = False) -> set[str] | None:
        """Types a plain operand may have; None when it is not plain."""
        ((kind, value),) = node.items()
        match kind:
            case "ColumnRef":
                if "A_Star" in value["fields"][-1]:
                    return set() if inner else None
                return self._types.get(grammar.names(value["fields"])[-1])
            case "ParamRef":
                return {_UNKNOWN}
            case "A_Const":
                if "ival" in value:
                    return {"integer"}
                if "fval" in value:
                    return {"numeric"}
                return {"boolean"} if "boolval" in value else {_UNKNOWN}
            case "TypeCast":
                if "A_Const" in value["arg"] or "ParamRef" in value["arg"]:
                    bounds = value["typeName"].get("arrayBounds")
                    return None if bounds else {_type_written(value["typeName"])}
                return None
            case "FuncCall" if _is_aggregate(value):
                return {_AGGREGATE}  # computed from rows the scopes have left
            case _:
                return None

    def _comparable(self, operator: str, left: set[str] | None, right: set[str] | None) -> bool:
        """Whether every pair of types has a leakproof operator of that name."""
        if left is None or right is None:
            return False
        return all(self._pair(operator, one, other) for one in left for other in right)

    def _pair(self, operator: str, one: str, other: str) -> bool:
        if _AGGREGATE in (one, other) or one == other == _UNKNOWN:
            return True
        one, other = (other if one == _UNKNOWN else one), (one if other == _UNKNOWN else other)
        return (operator, _base(one), _base(other)) in self._leakproof


def _base(type_name: str) -> str:
    # varchar has no operators of its own; it is compared as text.
    return "text" if type_name == "character varying" else type_name


def _type_written(node: Node) -> str:
    parts = grammar.names(node.get("names", []))
    return _WRITTEN.get(parts[-1], parts[-1]) if parts else ""


def _selects(node: Any) -> Iterable[Node]:
    """Every SELECT of a statement: the root, subqueries, WITH queries, arms of set operations."""
    yield node
    for key, value in grammar.walk(node):
        if key in ("SelectStmt", "larg", "rarg"):
            yield value


def _is_aggregate(call: Node) -> bool:
    return grammar.names(call["funcname"])[-1] in AGGREGATES and "over" not in call
