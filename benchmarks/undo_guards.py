"""What a guard in a rewritten text is around, for `undo`: the argument the client wrote.

As independent of the rewriter as `undo` itself.
"""

from __future__ import annotations

from collections.abc import Callable

import postgast

from benchmarks.undo_names import Message

Equal = Callable[[Message, Message], bool]
_EXPRESSION = postgast.pg_query_pb2.EXPR_SUBLINK


def argument(node: Message, equal: Equal) -> Message | None:
    """x, when the node is a guard: (SELECT g.c FROM (SELECT (x)::oid) g(c) WHERE ...), the same
    with (x)::text, or (SELECT NULL::text WHERE (x) IS NULL)."""
    if node.WhichOneof("node") != "sub_link" or node.sub_link.sub_link_type != _EXPRESSION:
        return None
    guard = node.sub_link.subselect.select_stmt
    if not guard.from_clause:
        shell = select("SELECT NULL::pg_catalog.text WHERE (x) IS NULL")
        argument = guard.where_clause.null_test.arg
        shell.where_clause.null_test.arg.CopyFrom(argument)
        return argument if equal(shell, guard) else None
    if guard.from_clause[0].WhichOneof("node") == "range_function":
        return _elements(guard, equal)
    names = guard.from_clause[0].range_subselect.alias.colnames
    if len(names) != 1:
        return None
    # the guard bears the column's own name, so that the result column is still called that
    name = '"' + names[0].string.sval.replace('"', '""') + '"'
    for operand, slot in _OPERANDS:
        shell = select(f"SELECT g.{name} FROM (SELECT {operand}) g({name})")
        argument = slot(_operand(guard))
        if argument is not None:
            place = slot(_operand(shell))
            assert place is not None
            place.CopyFrom(argument)
            shell.where_clause.CopyFrom(guard.where_clause)
            if equal(shell, guard):
                return argument
    return None


def _elements(guard: Message, equal: Equal) -> Message | None:
    """x, when a guard looks at the elements of an array: (SELECT array_agg(CASE WHEN ... THEN e.v
    END ORDER BY e.n) AS x FROM unnest((x)::oid[]) WITH ORDINALITY e(v, n))."""
    shell = select(
        "SELECT pg_catalog.array_agg(CASE WHEN true THEN e.v END ORDER BY e.n) AS x "
        "FROM pg_catalog.unnest((x)::pg_catalog.oid[]) WITH ORDINALITY e(v, n)"
    )
    try:
        found, mine = (s.from_clause[0].range_function.functions[0].list.items[0].func_call.args[0]
                       for s in (guard, shell))  # fmt: skip
        mine.type_cast.arg.CopyFrom(found.type_cast.arg)
        result, own = (s.target_list[0].res_target for s in (guard, shell))
        own.name = result.name
        case, plain = (r.val.func_call.args[0].case_expr.args[0].case_when for r in (result, own))
    except IndexError:
        return None
    plain.expr.CopyFrom(case.expr)
    return found.type_cast.arg if equal(shell, guard) else None


def unmeasured(a: Message, b: Message, equal: Equal) -> Message:
    """The call without the check that its length, when it is no constant, is below 100,000."""
    if len(b.args) < 2 or len(a.args) < 2 or a.args[1].WhichOneof("node") == "a_const":
        return b
    shell = select("SELECT (x)::pg_catalog.int4::pg_catalog.numeric(5,0)::pg_catalog.int4")
    check, place = shell.target_list[0].res_target.val, shell.target_list[0].res_target.val
    found = b.args[1]
    for _ in range(3):
        place, found = place.type_cast.arg, found.type_cast.arg
    place.CopyFrom(found)
    if not equal(check, b.args[1]):
        return b
    plain = type(b)()
    plain.CopyFrom(b)
    plain.args[1].CopyFrom(found)
    return plain


def _operand(guard: Message) -> Message:
    """What the inner SELECT of a guard casts to oid (empty when there is no such thing)."""
    targets = guard.from_clause[0].range_subselect.subquery.select_stmt.target_list
    return (targets or [_NOTHING])[0].res_target.val.type_cast.arg


_NOTHING = postgast.parse("SELECT 1").stmts[0].stmt.select_stmt.target_list[0]
_OPERANDS: tuple[tuple[str, Callable[[Message], Message | None]], ...] = (
    ("(x)::pg_catalog.oid", lambda operand: operand),
    ("(x)::pg_catalog.text", lambda operand: operand),
)


def select(text: str) -> Message:
    """The tree of a SELECT."""
    return postgast.parse(text).stmts[0].stmt.select_stmt
