"""What a fenced policy view takes over from the statement around it, so that indexes serve it.

    SELECT * FROM users u WHERE u.id = 5 AND u.bio LIKE '%x%'
    ->  ... FROM (SELECT ... FROM "public"."users" r WHERE <scopes> AND r."id" = 5 OFFSET 0) u ...

PostgreSQL moves nothing into a fenced table. Leakproof conditions may go in by our hand: they stay
where they are as well, so a copy inside takes away only rows that the statement drops anyway.

- A comparison with constants in WHERE: all of them are NULL for the row of NULLs that an outer join
  makes up, so they may go in wherever the relation stands. In ON: on the right of INNER and LEFT.
- An equality with a column of a relation that gives one row at most (LATERAL).

An order is not copied: PostgreSQL plans a table below an ORDER BY for all of its rows, as it does
with a security-barrier view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from policies import grammar
from policies.catalog import Catalog, Relation
from policies.fence import comparable, touched, type_written
from policies.grammar import Node
from policies.moments import moment
from policies.outline import outline
from policies.scopes import INNER, own
from policies.sql import identifier, literal
from policies.views import Fence, PolicyView

_SIGNS = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}  # read from the other side


def fences(root: Node, views: Mapping[int, PolicyView], catalog: Catalog) -> dict[int, Fence]:
    """The fence of every relation that needs one, by id() of its RangeVar.

    `root`: the statement's SelectStmt; `views`: the policy view of each RangeVar, by its id().
    """
    if not any(view.scoped for view in views.values()):
        return {}
    parts = outline(root)
    opaque = touched(parts, views, catalog)
    if not opaque:
        return {}
    inside = {place: _Inside() for place in opaque}
    once = frozenset(number for number, times in parts.parameters.items() if times == 1)
    for select in parts.selects:
        _Level(select, views, inside, once, catalog).copy()
    return {
        place: Fence(
            opaque=columns,
            conditions=tuple(dict.fromkeys(inside[place].conditions)),
            lateral=inside[place].lateral,
        )
        for place, columns in opaque.items()
    }


@dataclass(slots=True)
class _Inside:
    conditions: list[str] = field(default_factory=list)
    lateral: bool = False


class _Level:
    """One SELECT's FROM list: its relations by alias, and what may be copied into them."""

    def __init__(
        self,
        select: Node,
        views: Mapping[int, PolicyView],
        inside: dict[int, _Inside],
        once: frozenset[int],
        catalog: Catalog,
    ) -> None:
        self._select = select
        self._views = views
        self._inside = inside
        self._once = once  # parameters that are used once, so that a copy sets no other type
        self._leakproof = catalog.leakproof
        self._places: dict[str, int] = {}
        self._equal: dict[int, set[str]] = {}  # columns known to have one value
        self._alone: int | None = None

    def copy(self) -> None:
        """Fill `inside` for the relations of this level."""
        items = self._select["fromClause"]
        for alias, node in _relations(items):
            if id(node) in self._views and "colnames" not in node.get("alias", {}):
                self._places[alias] = id(node)
        if len(items) == 1 and id(items[0].get("RangeVar")) in self._places.values():
            self._alone = id(items[0]["RangeVar"])
        conditions = list(grammar.conjuncts(self._select.get("whereClause")))
        for condition in conditions:
            self._copy_constant(condition, None)
        before: list[int] = []
        for item in items:
            self._follow(item, before, conditions)

    def _follow(self, item: Node, before: list[int], conditions: list[Node]) -> None:
        """In the order of FROM: a relation may look at those before it."""
        ((kind, node),) = item.items()
        if kind == "JoinExpr" and "alias" not in node:
            self._follow(node["larg"], before, conditions)
            right = id(node["rarg"].get("RangeVar"))
            own = list(grammar.conjuncts(node.get("quals")))
            if node["jointype"] not in ("JOIN_INNER", "JOIN_LEFT"):
                # Neither side may look at the other, nor anything after at what is made up.
                return
            if right in self._views:
                for condition in own:
                    self._copy_constant(condition, right)
                self._copy_key(right, before, own + conditions)
                before.append(right)
            else:
                self._follow(node["rarg"], before, conditions)
        elif kind == "RangeVar" and id(node) in self._views:
            self._copy_key(id(node), before, conditions)
            before.append(id(node))

    # Constants.

    def _copy_constant(self, condition: Node, only: int | None) -> None:
        """Copy `column op constant` into its relation (`only` that one)."""
        node = condition.get("A_Expr", {})
        if "lexpr" not in node:
            return
        name, sign = self._column(node["lexpr"]), grammar.names(node["name"])[-1]
        right = node["rexpr"]
        if name is None and node["kind"] == "AEXPR_OP":
            name, sign, right = self._column(right), _SIGNS.get(sign, ""), node["lexpr"]
        if name is None or (only is not None and name[0] != only):
            return
        place, column = name
        text = self._compared(place, column, node["kind"], sign, right)
        if text is None:
            return
        if node["kind"] == "AEXPR_OP" and sign == "=":
            self._equal.setdefault(place, set()).add(column)
        if place in self._inside:
            self._inside[place].conditions.append(f"{own(column, self._views[place].inner)} {text}")

    def _compared(self, place: int, column: str, kind: str, sign: str, right: Node) -> str | None:
        """`op constant`, when PostgreSQL's own operator for it is leakproof."""
        match kind:
            case "AEXPR_OP" if sign in _SIGNS:
                value = self._constant(place, column, (sign,), right)
                return f"{sign} {value}" if value is not None else None
            case "AEXPR_IN" if sign == "=":
                items = right["List"]["items"]
                values = [self._constant(place, column, ("=",), item) for item in items]
                given = [value for value in values if value is not None]
                return f"IN ({', '.join(given)})" if len(given) == len(values) else None
            case "AEXPR_OP_ANY" if sign == "=":
                value = self._array(place, column, right)
                return f"= ANY ({value})" if value is not None else None
            case "AEXPR_BETWEEN":
                low, high = right["List"]["items"]
                first = self._constant(place, column, (">=",), low)
                last = self._constant(place, column, ("<=",), high)
                return None if first is None or last is None else f"BETWEEN {first} AND {last}"
            case _:
                return None

    def _constant(self, place: int, column: str, signs: tuple[str, ...], node: Node) -> str | None:
        ((kind, value),) = node.items()
        own, cast, time = self._type(place, column), "", moment(node)
        if time is not None:
            leakproof = all(comparable(self._leakproof, sign, own, time[0]) for sign in signs)
            return time[1] if leakproof else None
        if kind == "TypeCast":
            written = value["typeName"]
            if "typmods" in written or "arrayBounds" in written:
                return None
            cast = "::" + ".".join(map(identifier, grammar.names(written["names"])))
            type_name = type_written(written)
            ((kind, value),) = value["arg"].items()
        elif kind == "A_Const" and not {"sval", "isnull"} & value.keys():
            type_name = next(t for key, t in _LITERAL_TYPES.items() if key in value)
        else:
            type_name = "unknown"
        if not all(comparable(self._leakproof, sign, own, type_name) for sign in signs):
            return None
        text = self._written(kind, value)
        return f"{text}{cast}" if text is not None else None

    def _array(self, place: int, column: str, node: Node) -> str | None:
        """An array that is a parameter or a literal, perhaps cast."""
        cast = ""
        type_name = "unknown"
        if "TypeCast" in node:
            written = node["TypeCast"]["typeName"]
            if "typmods" in written or len(written.get("arrayBounds", [])) != 1:
                return None
            cast = "::" + ".".join(map(identifier, grammar.names(written["names"]))) + "[]"
            type_name = type_written(written)
            node = node["TypeCast"]["arg"]
        ((kind, value),) = node.items()
        if not comparable(self._leakproof, "=", self._type(place, column), type_name):
            return None
        text = self._written(kind, value) if kind in ("ParamRef", "A_Const") else None
        return f"{text}{cast}" if text is not None else None

    def _written(self, kind: str, value: Node) -> str | None:
        if kind == "ParamRef":
            return f"${value['number']}" if value["number"] in self._once else None
        if kind != "A_Const" or value.get("isnull"):
            return None
        if "ival" in value:
            number = str(value["ival"].get("ival", 0))
        elif "fval" in value:
            number = value["fval"]["fval"]
        elif "boolval" in value:
            return "true" if value["boolval"].get("boolval") else "false"
        elif "sval" in value:
            return literal(value["sval"].get("sval", ""))
        else:
            return None
        return f"({number})" if number.startswith("-") else number

    # Keys.

    def _copy_key(self, place: int, before: list[int], conditions: list[Node]) -> None:
        """Copy `column = column of an earlier relation with one row` into this relation."""
        for condition in conditions:
            node = condition.get("A_Expr", {})
            if node.get("kind") != "AEXPR_OP" or grammar.names(node["name"]) != ("=",):
                continue
            if "lexpr" not in node:
                continue
            one, other = self._column(node["lexpr"]), self._column(node["rexpr"])
            if one is None or other is None:
                continue
            if one[0] != place:
                one, other = other, one
            if one[0] != place or other[0] not in before or not self._single(other[0]):
                continue
            if not comparable(self._leakproof, "=", self._type(*one), self._type(*other)):
                continue
            self._equal.setdefault(place, set()).add(one[1])
            alias = next(name for name, known in self._places.items() if known == other[0])
            if place in self._inside and alias != INNER:
                self._inside[place].lateral = True
                same = own(one[1], self._views[place].inner)
                self._inside[place].conditions.append(
                    f"{same} = {identifier(alias)}.{identifier(other[1])}"
                )

    def _single(self, place: int) -> bool:
        """Whether at most one row of a relation is left."""
        known = self._equal.get(place, set())
        return any(known.issuperset(key) for key in _keys(self._views[place].relation))

    # Names.

    def _column(self, node: Node) -> tuple[int, str] | None:
        """The relation of this level and its unchanged, unmasked column that a node is."""
        reference = node.get("ColumnRef")
        if reference is None or "A_Star" in reference["fields"][-1]:
            return None
        parts = grammar.names(reference["fields"])
        place = self._places.get(parts[-2]) if len(parts) == 2 else self._alone
        if place is None or len(parts) > 2:
            return None
        return (place, parts[-1]) if parts[-1] in self._views[place].plain else None

    def _type(self, place: int, column: str) -> str:
        found = self._views[place].relation.column(column)
        return found.type if found is not None else ""


_LITERAL_TYPES = {"ival": "integer", "fval": "numeric", "boolval": "boolean"}


def _relations(items: list[Node]) -> Iterator[tuple[str, Node]]:
    """Alias and RangeVar of the relations a FROM list names, but not under the alias of a join."""
    for item in items:
        ((kind, node),) = item.items()
        if kind == "RangeVar":
            yield grammar.alias(node), node
        elif kind == "JoinExpr" and "alias" not in node:
            yield from _relations([node["larg"], node["rarg"]])


def _keys(relation: Relation) -> Iterator[tuple[str, ...]]:
    """Columns that tell a relation's rows apart."""
    if relation.primary_key:
        yield relation.primary_key
    for index in relation.indexes:
        if index.unique and len(index.columns) == 1 and index.leading:
            yield (index.leading,)
