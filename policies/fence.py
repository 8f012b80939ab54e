"""Which relations of a statement must be fenced, and which of their columns made opaque.

PostgreSQL flattens a derived table and orders conditions by cost, so a cheap leaky condition of
the statement may run on rows of other tenants before the scopes remove them (measured: error texts
print them). It also runs such conditions on the most common values of a column, which are of all
tenants, while it plans. A comparison that the catalog calls leakproof over plain columns and
constants can do neither harm. Every other condition *touches* the columns it names: their
relations are fenced and these columns are no plain columns to the planner.

What cannot be followed here touches everything.
"""

from __future__ import annotations

from collections.abc import Mapping

from policies import grammar
from policies.catalog import Catalog
from policies.functions import AGGREGATES
from policies.grammar import Node
from policies.lookups import called
from policies.moments import moment
from policies.origins import Names, Origin, Untraceable, output_names
from policies.outline import Outline
from policies.views import PolicyView

_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_BETWEEN = {"AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN", "AEXPR_BETWEEN_SYM", "AEXPR_NOT_BETWEEN_SYM"}
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
_COMPUTED = "computed"  # an aggregate or window: conditions on it cannot move below it


def touched(
    parts: Outline, views: Mapping[int, PolicyView], catalog: Catalog
) -> dict[int, frozenset[str]]:
    """Scoped relations that must be fenced, and their columns that a leaky condition names.

    `parts`: of the statement; `views`: the policy view of each RangeVar, by its id().
    """
    found = _Conditions(parts, views, catalog).touched()
    return {
        place: view.plain if found is None else frozenset(found[place]) & view.plain
        for place, view in views.items()
        if view.scoped and (found is None or place in found)
    }


class _Conditions:
    """The conditions of one statement and what is known of the names in them."""

    def __init__(self, parts: Outline, views: Mapping[int, PolicyView], catalog: Catalog) -> None:
        self._leakproof = catalog.leakproof
        self._parts = parts
        self._views = views
        self._names = Names(parts, views)
        # Types a name may have that is not direct; None for one that is computed in a leaky way.
        self._types: dict[str, set[str] | None] = {}
        for view in views.values():
            for column in view.relation.columns:
                kinds = self._types.setdefault(column.name, set())
                if kinds is not None:
                    kinds.add(column.type)
        # Columns that an equality makes one: PostgreSQL derives conditions among all of them.
        self._equal: list[set[Origin]] = []

    def touched(self) -> dict[int, set[str]] | None:
        """Columns that leaky conditions name, by relation; None for everything."""
        if self._parts.renamed or self._parts.natural:
            return None
        try:
            self._type_outputs()
            touching: set[Origin] = set()
            for condition in (
                c for whole in self._parts.conditions for c in grammar.conjuncts(whole)
            ):
                self._note_equality(condition)
                if not self._safe(condition):
                    touching |= self._named(condition)
            for names in self._parts.joined_by:
                same = {(p, c) for c in names for p, v in self._views.items() if c in v.columns}
                self._equal.append(same)
                if not all(self._comparable("=", self._of(c), self._of(c)) for c in names):
                    touching |= same
        except Untraceable:
            return None
        found: dict[int, set[str]] = {}
        for place, column in self._closed(touching):
            found.setdefault(place, set()).add(column)
        return found

    # What conditions name.

    def _named(self, condition: Node) -> set[Origin]:
        """The columns a condition names. Raises Untraceable when it names none."""
        found: set[Origin] = set()
        for key, value in grammar.walk(condition):
            if key == "ColumnRef":
                if "A_Star" in value["fields"][-1]:
                    raise Untraceable
                found.update(self._names.origins(grammar.names(value["fields"])))
        if not found:
            raise Untraceable  # how often it runs may depend on any row
        return found

    def _note_equality(self, condition: Node) -> None:
        node = condition.get("A_Expr", {})
        if node.get("kind") != "AEXPR_OP" or grammar.names(node["name"])[-1:] != ("=",):
            return
        same: set[Origin] = set()
        for side in ("lexpr", "rexpr"):
            column = node.get(side, {}).get("ColumnRef")
            if column is None or "A_Star" in column["fields"][-1]:
                return
            try:
                same.update(self._names.origins(grammar.names(column["fields"])))
            except Untraceable:
                return
        self._equal.append(same)

    def _closed(self, origins: set[Origin]) -> set[Origin]:
        """With everything an equality makes the same."""
        found, grew = set(origins), True
        while grew:
            grew = False
            for same in self._equal:
                if found & same and not same <= found:
                    found |= same
                    grew = True
        return found

    # What inner results hold: a condition on them may be moved onto their source.

    def _type_outputs(self) -> None:
        pending = []
        for select in (*self._parts.outputs, *self._parts.united):
            for row in select.get("valuesLists", []):
                if any(self._operand(value) is None for value in row["List"]["items"]):
                    raise Untraceable
            pending += [target["ResTarget"] for target in select.get("targetList", [])]
        for select in self._parts.united:  # columns of these go by position
            for target in select.get("targetList", []):
                if self._operand(target["ResTarget"]["val"], inner=True) is None:
                    raise Untraceable
        grew = True
        while grew:
            grew = False
            for result in pending:
                types = self._operand(result["val"], inner=True)
                for name in output_names(result) or ():
                    if self._add_types(name, types):
                        grew = True

    def _add_types(self, name: str, types: set[str] | None) -> bool:
        known = self._types.setdefault(name, set())
        if known is None:
            return False
        if types is None:
            self._types[name] = None
            return True
        before = len(known)
        known |= types
        return len(known) > before

    # What is harmless.

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
        """Whether a subquery can neither fail nor be told from another that has the same rows."""
        select = node["subselect"].get("SelectStmt", {})
        if not self._clean(select):
            return False
        if node["subLinkType"] == "EXISTS_SUBLINK":
            return True
        if node["subLinkType"] != "ANY_SUBLINK" or grammar.names(node.get("operName", [])) not in (
            (),
            ("=",),
        ):
            return False
        targets = select.get("targetList", [])
        if len(targets) != 1:
            return False
        return self._compared("=", node["testexpr"], targets[0]["ResTarget"]["val"])

    def _clean(self, select: Node) -> bool:
        if select.keys() - _CLEAN_CLAUSES or select.get("op") != "SETOP_NONE":
            return False
        targets = [target["ResTarget"]["val"] for target in select.get("targetList", [])]
        groups = select.get("groupClause", [])
        if any(self._operand(value, inner=True) in (None, {_COMPUTED}) for value in targets):
            return False
        return (
            all("ColumnRef" in group for group in groups)
            and all(map(self._clean_source, select.get("fromClause", [])))
            and all(self._safe(select[key]) for key in _CONDITION_CLAUSES if key in select)
        )

    def _clean_source(self, source: Node) -> bool:
        if "JoinExpr" in source:
            join = source["JoinExpr"]
            inner = self._clean_source(join["larg"]) and self._clean_source(join["rarg"])
            return inner and ("quals" not in join or self._safe(join["quals"]))
        return "RangeVar" in source

    def _safe_comparison(self, node: Node) -> bool:
        if not any(key in ("ColumnRef", "SubLink", "FuncCall") for key, _ in grammar.walk(node)):
            return True  # constants and parameters only: says nothing of a row
        kind, operator = node["kind"], grammar.names(node["name"])
        if "lexpr" not in node:
            return False
        left, right = node["lexpr"], node["rexpr"]
        if kind in _BETWEEN:
            return all(
                self._compared(sign, left, bound)
                for sign in ("<=", ">=", "<", ">")
                for bound in right["List"]["items"]
            )
        if len(operator) != 1 or operator[0] not in _COMPARISONS:
            return False
        match kind:
            case "AEXPR_OP" | "AEXPR_DISTINCT" | "AEXPR_NOT_DISTINCT":
                return self._compared(operator[0], left, right)
            case "AEXPR_IN":
                return all(self._compared(operator[0], left, i) for i in right["List"]["items"])
            case "AEXPR_OP_ANY" | "AEXPR_OP_ALL":
                return self._array_of_constants(operator[0], left, right)
            case _:
                return False

    def _array_of_constants(self, operator: str, left: Node, array: Node) -> bool:
        if "TypeCast" in array:
            cast = array["TypeCast"]
            element = type_written(cast["typeName"])
            inner = cast["arg"]
            if not cast["typeName"].get("arrayBounds") or not (
                "A_Const" in inner or "ParamRef" in inner
            ):
                return False
            return self._comparable(operator, self._operand(left), {element})
        if "ParamRef" in array or "A_Const" in array:
            return self._comparable(operator, self._operand(left), {_UNKNOWN})
        if "A_ArrayExpr" in array:
            items = array["A_ArrayExpr"].get("elements", [])
            return all(self._compared(operator, left, item) for item in items)
        return False

    def _operand(self, node: Node, inner: bool = False) -> set[str] | None:
        """Types a plain operand may have; None when it is not plain."""
        ((kind, value),) = node.items()
        match kind:
            case "ColumnRef":
                if "A_Star" in value["fields"][-1]:
                    return set() if inner else None
                return self._column_types(grammar.names(value["fields"]))
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
                    return None if bounds else {type_written(value["typeName"])}
                time = moment(node)
                return {time[0]} if time is not None else None
            case "FuncCall" if _is_computed(value):
                return {_COMPUTED}  # from rows the scopes have left
            case _:
                time = moment(node)
                return {time[0]} if time is not None else None

    def _column_types(self, parts: tuple[str, ...]) -> set[str] | None:
        try:
            origins = self._names.origins(parts)
        except Untraceable:
            unknown = not parts or self._names.functions.intersection(parts[-2:])
            return None if unknown else self._of(parts[-1])
        columns = (self._views[place].relation.column(name) for place, name in origins)
        return {column.type for column in columns if column is not None}

    def _of(self, name: str) -> set[str] | None:
        return self._types.get(name)

    def _compared(self, operator: str, left: Node, right: Node) -> bool:
        """Whether comparing two operands leaks nothing. What is computed from rows may meet
        constants only: a column beside it would be looked at before its own scopes."""
        one, other = self._operand(left), self._operand(right)
        if one is None or other is None:
            return False
        for types, partner, beside in ((one, other, right), (other, one, left)):
            if _COMPUTED in types and partner != {_COMPUTED} and "ColumnRef" in beside:
                return False
        return self._comparable(operator, one, other)

    def _comparable(self, operator: str, left: set[str] | None, right: set[str] | None) -> bool:
        """Whether every pair of types has a leakproof operator of that name."""
        if left is None or right is None:
            return False
        return all(comparable(self._leakproof, operator, a, b) for a in left for b in right)


_CONDITION_CLAUSES = ("whereClause", "havingClause")
# Clauses of a subquery that only pick rows or plain columns of them.
_CLEAN_CLAUSES = frozenset(
    "targetList fromClause whereClause groupClause havingClause op limitOption".split()
)


def comparable(
    leakproof: frozenset[tuple[str, str, str]], operator: str, one: str, other: str
) -> bool:
    """Whether comparing values of these types leaks nothing."""
    if _COMPUTED in (one, other) or one == other == _UNKNOWN:
        return True
    one, other = (other if one == _UNKNOWN else one), (one if other == _UNKNOWN else other)
    return (operator, _base(one), _base(other)) in leakproof


def _base(type_name: str) -> str:
    # varchar has no operators of its own; it is compared as text.
    return "text" if type_name == "character varying" else type_name


def type_written(node: Node) -> str:
    """A TypeName's type as format_type() would write it, when it is a built-in one."""
    parts = grammar.names(node.get("names", []))
    return _WRITTEN.get(parts[-1], parts[-1]) if parts else ""


def _is_computed(call: Node) -> bool:
    return "over" in call or called(call) in AGGREGATES
