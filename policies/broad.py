"""Which large relations a statement reads without a condition that an index can answer.

    SELECT * FROM events WHERE id = $1       id leads an index: fine
    SELECT * FROM events ORDER BY id LIMIT 9 the index is read from one end: fine
    SELECT max(id) FROM events               and here from the other
    SELECT * FROM events WHERE note = $1     broad, unless an index leads with note

Only conditions the statement itself holds count, never those of a policy view, and only on columns
shown as they are: a mask stands between a condition and the index. Size is the catalog's estimate.
A join counts when it starts from something that is not broad itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies import grammar
from policies.functions import AGGREGATES
from policies.grammar import Node
from policies.selects import Select, Source, own
from policies.syscat import SYSTEM_SCHEMAS
from policies.views import PolicyView

_MATCHES = frozenset({"AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR"})
# Sides of an outer join whose rows all come back, whatever the condition says.
_KEPT = {"JOIN_LEFT": ("larg",), "JOIN_RIGHT": ("rarg",), "JOIN_FULL": ("larg", "rarg")}
_WHOLE = ("groupClause", "distinctClause", "windowClause", "havingClause", "whereClause")


def find(selects: Iterable[Select], outermost: Node, rows: int) -> PolicyView | None:
    """The first relation of `rows` or more that is read broadly. The result of the `outermost`
    SELECT is capped in any case."""
    for select in selects:
        large = [source for source in select.sources if _is_large(source, rows)]
        if large:
            most = None if select.node is outermost else rows
            reached = _reached(select, large, _read_in_order(select, rows, most))
            for source in large:
                if source not in reached:
                    return source.view
    return None


def _is_large(source: Source, rows: int) -> bool:
    relation = source.view.relation if source.view is not None else None
    return (
        relation is not None
        and relation.row_estimate >= rows
        and relation.schema not in SYSTEM_SCHEMAS
    )


def indexed(view: PolicyView) -> tuple[str, ...]:
    """The columns of a view that lead an index and are shown as they are, in table order. What has
    one value in the whole view may stand before it in the index, and narrows nothing itself."""
    leading = set()
    for index in view.relation.indexes:
        keys = index.keys or (index.leading,)
        leading.update([key for key in keys if key not in view.fixed][:1])
    return tuple(name for name in _plain(view) if name in leading)


def _plain(view: PolicyView) -> list[str]:
    changed = {e.column for e in view.effects if e.effect in ("mask", "hash")}
    return [name for name in view.columns if name not in changed]


def _reached(select: Select, large: list[Source], first: Source | None) -> set[Source]:
    """The sources that need not be read as a whole; `first`: one known to be."""
    reached = {source for source in select.sources if source not in large}
    if first is not None:
        reached.add(first)
    conditions = list(_conditions(select))
    growing = True
    while growing:
        growing = False
        for source in large:
            if source not in reached and any(
                _answers(condition, source, select, reached)
                for condition, kept in conditions
                if source not in kept
            ):
                reached.add(source)
                growing = True
    return reached


def _conditions(select: Select) -> Iterator[tuple[Node, set[Source]]]:
    """What must hold, and the sources that a condition takes no row from."""
    for condition in grammar.conjuncts(select.node.get("whereClause")):
        yield condition, set()
    for key, join in own({"from": select.node.get("fromClause", [])}):
        if key != "JoinExpr":
            continue
        kept = _KEPT.get(join["jointype"], ())
        sides = {side: _within(join[side], select) for side in ("larg", "rarg")}
        safe = {source for side in kept for source in sides[side]}
        for condition in grammar.conjuncts(join.get("quals")):
            yield condition, safe
        for name in grammar.names(join.get("usingClause", [])):
            for one in sides["larg"]:
                for other in sides["rarg"]:
                    yield _equal(one, other, name), safe


def _within(item: Node, select: Select) -> list[Source]:
    nodes = {id(node) for _, node in own({"from": item})}
    return [source for source in select.sources if id(source.node) in nodes]


def _equal(one: Source, other: Source, name: str) -> Node:
    """`one.name = other.name`, as the grammar would give it."""
    sides = [
        {"ColumnRef": {"fields": [{"String": {"sval": part}} for part in (source.names[0], name)]}}
        for source in (one, other)
    ]
    operator = [{"String": {"sval": "="}}]
    node = {"kind": "AEXPR_OP", "name": operator, "lexpr": sides[0], "rexpr": sides[1]}
    return {"A_Expr": node}


def _answers(condition: Node, source: Source, select: Select, reached: set[Source]) -> bool:
    """Whether an index of the source can answer the condition."""
    ((kind, node),) = condition.items()
    if kind == "BoolExpr":
        sides = [
            any(_answers(one, source, select, reached) for one in grammar.conjuncts(side))
            for side in node["args"]
        ]
        return node["boolop"] == "OR_EXPR" and all(sides)
    if kind == "SubLink":
        return (
            node["subLinkType"] == "ANY_SUBLINK"
            and "testexpr" in node
            and _is_indexed(node["testexpr"], source, select)
        )
    if kind == "NullTest":
        return node["nulltesttype"] == "IS_NULL" and _is_indexed(node["arg"], source, select)
    if kind != "A_Expr" or "lexpr" not in node or not _narrows(node):
        return False
    equal = node["name"][-1]["String"]["sval"] == "="
    return any(
        _is_indexed(node[side], source, select)
        and _from_outside(node[other], source, select, reached, equal)
        for side, other in (("lexpr", "rexpr"), ("rexpr", "lexpr"))
    )


def _narrows(node: Node) -> bool:
    """Whether the operator is one an index answers: `<>`, NOT and patterns without a beginning
    are not."""
    if node["name"][-1]["String"]["sval"].startswith(("<>", "!", "NOT")):
        return False
    if node["kind"] in _MATCHES:
        pattern = node["rexpr"].get("A_Const", {}).get("sval", {}).get("sval")
        return pattern is None or not pattern.startswith(("%", "_"))
    return node["kind"] not in ("AEXPR_DISTINCT", "AEXPR_OP_ALL")


def _is_indexed(value: Node, source: Source, select: Select) -> bool:
    """Whether a value is a column of the source that leads an index, a row that begins with one,
    or an expression over a column that an index on an expression depends on."""
    if "RowExpr" in value:
        return _is_indexed(value["RowExpr"]["args"][0], source, select)
    view = source.view
    if view is None:
        return False
    column = value.get("ColumnRef")
    if column is not None:
        return _column(column, source, select) in indexed(view)
    for index in view.relation.indexes:
        if not index.leading:
            plain = {c.name for c in view.relation.columns if c.number in index.columns}
            plain.intersection_update(_plain(view))
            for key, inner in own({"value": value}):
                if key == "ColumnRef" and _column(inner, source, select) in plain:
                    return True
    return False


def _column(column: Node, source: Source, select: Select) -> str:
    """The view's name of the column a ColumnRef means; "" when it is of another source."""
    found = select.source_of(column)
    name = grammar.names(column["fields"])[-1:]
    if found is not source or source.view is None or not name or name[0] not in source.columns:
        return ""
    return source.view.columns[source.columns.index(name[0])]


def _from_outside(
    value: Node, source: Source, select: Select, reached: set[Source], equal: bool
) -> bool:
    """Whether a value is known before the source is read: constants, names of SELECTs around, and,
    for what they are equal to, columns of sources that are reached."""
    for key, node in own({"value": value}):
        if key == "ColumnRef":
            found = select.source_of(node)
            if found is not None and (found is source or found not in reached or not equal):
                return False
    return True


def _read_in_order(select: Select, rows: int, most: int | None) -> Source | None:
    """The source a limited SELECT reads only the beginning of: the one whose index its ORDER BY
    follows, else the first. Conditions, groups and sorting would make it read on. `most`: what its
    limit must stay below, None when there is another."""
    node = select.node
    if _ends_only(select):
        return select.sources[0]
    if "limitCount" not in node or not _below(node["limitCount"], most):
        return None
    if "limitOffset" in node and not _below(node["limitOffset"], rows, unknown=True):
        return None
    if any(clause in node for clause in _WHOLE) or _aggregates(node):
        return None
    if "sortClause" not in node:
        return select.sources[0]
    value = node["sortClause"][0]["SortBy"]["node"]
    source = select.source_of(value["ColumnRef"]) if "ColumnRef" in value else None
    return source if source is not None and _is_indexed(value, source, select) else None


_ENDS = frozenset({"min", "max"})


def _ends_only(select: Select) -> bool:
    """Whether a SELECT asks one relation for the first or last value of an index and nothing else,
    which PostgreSQL reads from its ends."""
    node = select.node
    if len(select.sources) != 1 or any(clause in node for clause in _WHOLE):
        return False
    return all(_is_end(target["ResTarget"]["val"], select) for target in node["targetList"])


def _is_end(value: Node, select: Select) -> bool:
    call = value.get("FuncCall", {})
    return (
        bool(call)
        and grammar.names(call["funcname"])[-1] in _ENDS
        and len(call.get("args", [])) == 1
        and not {"agg_filter", "over"} & call.keys()
        and "ColumnRef" in call["args"][0]
        and _is_indexed(call["args"][0], select.sources[0], select)
    )


def _below(count: Node, most: int | None, unknown: bool = False) -> bool:
    """Whether a LIMIT or OFFSET is less than that; `unknown`: what to say of a computed one."""
    literal = count.get("A_Const")
    if literal is None:
        return most is None or unknown
    return "ival" in literal and (most is None or int(literal["ival"].get("ival", 0)) < most)


def _aggregates(node: Node) -> bool:
    return any(
        key == "FuncCall"
        and (
            "over" in value
            or value.get("agg_star")
            or grammar.names(value["funcname"])[-1] in AGGREGATES
        )
        for key, value in own(node)
    )
