"""What a derived table may have taken over from the SELECT around it without changing any result.

Knows only SQL: a condition of the WHERE clause around that is NULL for a row of NULLs, or one of ON
on the right of an INNER or LEFT JOIN. Imports nothing of the rewriter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import postgast

Message = Any
_OPERATION = postgast.pg_query_pb2.AEXPR_OP
# `x op NULL` is NULL in these forms; in `x = ALL ('{}')` it is not.
_STRICT = frozenset(
    getattr(postgast.pg_query_pb2, kind)
    for kind in ("AEXPR_OP", "AEXPR_IN", "AEXPR_OP_ANY", "AEXPR_BETWEEN")
)
_RIGHT = frozenset({postgast.pg_query_pb2.JOIN_INNER, postgast.pg_query_pb2.JOIN_LEFT})
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_AND = postgast.pg_query_pb2.AND_EXPR


def taken_off(inner: Message, around: Message | None, alias: str, relation: Message) -> Message:
    """`inner` without what it may have copied from `around`, the SELECT, UPDATE or DELETE in whose
    FROM or USING list `relation` (a RangeVar) stands under `alias`."""
    bare = type(inner)()
    bare.CopyFrom(inner)
    if around is None:
        return bare
    named = inner.from_clause[0].range_var.alias.aliasname
    sources = _sources(around)
    reads = around.DESCRIPTOR.name == "SelectStmt"  # else the target is there as well
    alone = reads and len(sources) == 1 and sources[0].range_var == relation
    there = {
        claim
        for condition in _may_go_in(around, relation)
        for claim in claims(condition, alias if alone else "", "", "")
    }
    kept = [
        condition
        for condition in conjuncts(inner.where_clause)
        if not there.intersection(claims(condition, "", named, alias))
    ]
    bare.ClearField("where_clause")
    if len(kept) == 1:
        bare.where_clause.CopyFrom(kept[0])
    elif kept:
        bare.where_clause.bool_expr.boolop = _AND
        bare.where_clause.bool_expr.args.extend(kept)
    return bare


def _sources(around: Message) -> list[Message]:
    clause = "using_clause" if around.DESCRIPTOR.name == "DeleteStmt" else "from_clause"
    return list(getattr(around, clause, ()))


def _may_go_in(around: Message, relation: Message) -> Iterator[Message]:
    yield from conjuncts(around.where_clause)
    pending = _sources(around)
    while pending:
        join = pending.pop().join_expr
        if join.HasField("larg"):
            pending += [join.larg, join.rarg]
            if join.jointype in _RIGHT and join.rarg.range_var == relation:
                yield from conjuncts(join.quals)


def conjuncts(condition: Message) -> Iterator[Message]:
    """The conditions that AND combines."""
    if condition.WhichOneof("node") == "bool_expr" and condition.bool_expr.boolop == _AND:
        for part in condition.bool_expr.args:
            yield from conjuncts(part)
    elif condition.WhichOneof("node") is not None:
        yield condition


def claims(condition: Message, bare: str, inner: str, alias: str) -> Iterator[tuple[str, ...]]:
    """The comparison a condition is, read from either side; nothing for other conditions."""
    if condition.WhichOneof("node") != "a_expr" or condition.a_expr.kind not in _STRICT:
        return
    compared = condition.a_expr
    left = _written(compared.lexpr, bare, inner, alias)
    right = _written(compared.rexpr, bare, inner, alias)
    sign = compared.name[-1].string.sval
    yield str(compared.kind), left, sign, right
    if compared.kind == _OPERATION and sign in _TURNED:
        yield str(compared.kind), right, _TURNED[sign], left


def _written(node: Message, bare: str, inner: str, alias: str) -> str:
    """A tree as text without places. A bare column is one of `bare`; `inner` is called `alias`."""
    if node.DESCRIPTOR.name == "Node" and node.WhichOneof("node") == "column_ref":
        words = [part.string.sval for part in node.column_ref.fields]
        if len(words) == 1 and bare:
            words.insert(0, bare)
        if words[0] == inner:
            words[0] = alias
        return f"column {words!r}"
    parts = []
    for field, value in node.ListFields():
        if field.name in ("funcname", "names"):
            value = list(value)[-1:]  # the same with and without pg_catalog
        if field.name.endswith("location") or field.name.startswith(("list_", "rexpr_list_")):
            continue
        if field.message_type is None:
            parts.append(f"{field.name}={value!r}")
        else:
            values = value if field.is_repeated else [value]
            inside = ",".join(_written(one, bare, inner, alias) for one in values)
            parts.append(f"{field.name}=({inside})")
    return f"{node.DESCRIPTOR.name}({' '.join(parts)})"
