"""Does a rewritten statement still say what the original said? An independent answer.

Both texts are read by PostgreSQL's own grammar and their trees are walked side by side. These may
differ, each in one place only: a relation of the original is a derived table of the same name here
(its policy view, with its TABLESAMPLE inside), an argument that is looked up in the catalog has a
guard around it, a value that prints a name for an OID (regclass) is text or oid at once, the
outermost LIMIT is lower, GROUP BY has more columns of a table that is grouped by its key, a column
loses a schema that says nothing, a function gains its schema.
Everything else must be equal. Knows nothing of the rewriter: it imports no part of it, so that a
mistake there is not repeated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as made_by

import postgast

from benchmarks.copied import taken_off
from benchmarks.undo_guards import argument, select, unmeasured
from benchmarks.undo_names import Message, Scope, column, with_names, words
from benchmarks.undo_writes import WRITERS, Tenancy
from benchmarks.undo_writes import taken_off as taken_off_write

# Where a token stood, and the caches of the parse: no meaning. PostgreSQL's equalfuncs.c ignores
# the same fields.
POSITIONS = frozenset(
    {
        "location",
        "name_location",
        "stmt_location",
        "stmt_len",
        "list_start",
        "list_end",
        "rexpr_list_start",
        "rexpr_list_end",
    }
)
_WITH_TIES = postgast.pg_query_pb2.LIMIT_OPTION_WITH_TIES


@dataclass(frozen=True, slots=True)
class Expected:
    """What the rules of the run should have done: `cap` rows, and which view a relation becomes.

    `view(inner, schema, name)` says whether a derived table's SELECT is the policy view of the
    relation the original called `schema`.`name` (schema "" when it named none); without it
    relations stay what they are. `key`: every relation's primary key. `tenancy`: what statements
    that write gain. `functions`: the schema of each of the database's own functions that a bare
    name may mean.
    """

    cap: int | None
    view: Callable[[Message, str, str], bool] | None
    key: str = "id"
    tenancy: Tenancy | None = None
    functions: Mapping[str, str] = made_by(default_factory=dict)


def difference(original: str, rewritten: str, expected: Expected) -> str:
    """ "" when `rewritten` is `original` with only the permitted edits, else where it is not."""
    before, after = _only(original), _only(rewritten)
    if before is None or after is None:
        return "not one statement that reads or writes rows"
    if before.DESCRIPTOR.name == after.DESCRIPTOR.name == "SelectStmt":
        return between(before, after, expected)
    return next(_compare(before, after, "statement", Scope(), expected), "")


def between(before: Message, after: Message, expected: Expected) -> str:
    """The same for two SelectStmt nodes, which may be changed."""
    if expected.cap is not None and before.limit_option == _WITH_TIES:
        after = _inside(after, expected.cap)
        if after is None:
            return "limit: WITH TIES without a cap"
        return next(_compare(before, after, "select", Scope(), expected), "")
    limit = _limit(before, after, expected)
    if limit:
        return limit
    for tree in (before, after):
        tree.ClearField("limit_count")
        # Without LIMIT the parser leaves the default where LIMIT leaves COUNT.
        tree.ClearField("limit_option")
    return next(_compare(before, after, "select", Scope(), expected), "")


def _only(text: str) -> Message | None:
    statements = postgast.parse(text).stmts
    if len(statements) != 1:
        return None
    statement: Message = getattr(statements[0].stmt, statements[0].stmt.WhichOneof("node"))
    return statement if statement.DESCRIPTOR.name in ("SelectStmt", *WRITERS) else None


def _limit(before: Message, after: Message, expected: Expected) -> str:
    """The outermost LIMIT may only fall to cap + 1: a number, or least(what it was, cap + 1)."""
    had, has, cap = before.limit_count, after.limit_count, expected.cap
    if _same(had, has, expected) and before.limit_option == after.limit_option:
        unchanged = cap is None or ((rows := _number(had)) is not None and rows <= cap + 1)
        return "" if unchanged else "limit: no cap"
    if cap is None:
        return "limit: changed without a cap"
    if before.limit_option != after.limit_option and _is_limited(before):
        return "limit: another kind"
    if not _is_limited(before):
        return "" if _number(has) == cap + 1 else "limit: not the cap"
    rows = _number(had)
    if rows is not None and _number(has) == min(rows, cap + 1):
        return ""
    return "" if _is_least(has, had, expected, cap + 1) else "limit: not least(limit, cap)"


def _same(one: Message, other: Message, expected: Expected) -> bool:
    return not any(_compare(one, other, "limit", Scope(), expected))


def _inside(after: Message, cap: int) -> Message | None:
    """The statement in `SELECT * FROM (...) AS x LIMIT cap + 1`."""
    shell = postgast.parse(f"SELECT * FROM (SELECT) AS x LIMIT {cap + 1}").stmts[0].stmt
    if len(after.from_clause) != 1:
        return None
    derived, empty = after.from_clause[0].range_subselect, shell.select_stmt.from_clause[0]
    empty.range_subselect.subquery.CopyFrom(derived.subquery)
    empty.range_subselect.alias.CopyFrom(derived.alias)
    return derived.subquery.select_stmt if equal(shell.select_stmt, after) else None


def _is_limited(select: Message) -> bool:
    """LIMIT ALL and LIMIT NULL are an A_Const null: no limit."""
    count = select.limit_count
    return bool(count.WhichOneof("node")) and not count.a_const.isnull


def _number(node: Message) -> int | None:
    if node.WhichOneof("node") != "a_const" or node.a_const.WhichOneof("val") != "ival":
        return None
    return int(node.a_const.ival.ival)


def _is_least(node: Message, first: Message, expected: Expected, most: int) -> bool:
    """least(first, most), each perhaps cast to the bigint that LIMIT wants anyway."""
    if node.WhichOneof("node") != "min_max_expr" or node.min_max_expr.op != 2:  # IS_LEAST
        return False
    args = [_without_bigint(arg) for arg in node.min_max_expr.args]
    return (
        len(args) == 2
        and _same(_without_bigint(first), args[0], expected)
        and _number(args[1]) == most
    )


def _without_bigint(node: Message) -> Message:
    while node.WhichOneof("node") == "type_cast":
        if _type(node) != "int8":
            break
        node = node.type_cast.arg
    return node


def equal(one: Message, other: Message) -> bool:
    """Whether two trees are the same but for positions, nothing else permitted."""
    return not any(_compare(one, other, "", Scope(), Expected(None, None)))


def _compare(a: Message, b: Message, path: str, scope: Scope, expected: Expected) -> Iterator[str]:
    """Yield each place where b is not a; the first is enough for every caller."""
    if a.DESCRIPTOR.name == "Node":
        yield from _compare_nodes(a, b, path, scope, expected)
        return
    if a.DESCRIPTOR.name != b.DESCRIPTOR.name:
        yield f"{path}: {a.DESCRIPTOR.name} became {b.DESCRIPTOR.name}"
        return
    if a.DESCRIPTOR.name == "SelectStmt":
        if a.HasField("with_clause"):
            yield from _compare_with(a, b, path, scope, expected)
            scope = replace(scope, ctes=scope.ctes | with_names(a.with_clause))
        scope = scope.inside(a)
        yield from _compare_fields(a, b, path, scope, expected, skip={"with_clause"})
    elif a.DESCRIPTOR.name in WRITERS and expected.tenancy is not None:
        b = taken_off_write(a, b, expected.tenancy, equal)
        if a.HasField("with_clause"):
            yield from _compare_with(a, b, path, scope, expected)
            scope = replace(scope, ctes=scope.ctes | with_names(a.with_clause))
        yield from _compare_fields(a, b, path, scope.writing(a), expected, skip={"with_clause"})
    elif a.DESCRIPTOR.name == "ColumnRef" and expected.view is not None:
        if column(a) != column(b) and column(a, scope) != column(b):
            yield f"{path}: {column(a)} became {column(b)}"
    elif a.DESCRIPTOR.name == "FuncCall" and expected.view is not None:
        mine, theirs = words(a.funcname), words(b.funcname)
        if theirs not in (mine, (expected.functions.get(mine[-1], "pg_catalog"), *mine)):
            yield f"{path}: {'.'.join(mine)} became {'.'.join(theirs)}"
        b = unmeasured(a, b, equal) if mine[-1] in _MEASURED else b
        yield from _compare_fields(a, b, path, scope, expected, skip={"funcname"})
    elif a.DESCRIPTOR.name == "ResTarget" and not a.name and b.name:
        # a constant's column is called as its type, which the closing cast would change
        if not _is_closed(a.val, b.val) or b.name != _type(a.val):
            yield f"{path}: gained the name {b.name}"
        yield from _compare(a.val, b.val, f"{path}.val", scope, expected)
    else:
        yield from _compare_fields(a, b, path, scope, expected)


def _compare_nodes(
    a: Message, b: Message, path: str, scope: Scope, expected: Expected
) -> Iterator[str]:
    kind, other = a.WhichOneof("node"), b.WhichOneof("node")
    if kind is None or other is None:
        if kind != other:
            yield f"{path}: {kind} became {other}"
        return
    if (
        kind == "range_var"
        and expected.view is not None
        and (a.range_var.schemaname or a.range_var.relname not in scope.ctes)
    ):
        yield from _compare_relation(a.range_var, b, path, scope, expected.view)
        return
    if kind == "range_table_sample" and expected.view is not None:
        yield from _compare_sample(a.range_table_sample, b, path, expected.view)
        return
    if kind == "range_function" and _is_empty_source(a, b):
        return
    guarded = path.endswith(("func_call.args", "type_cast.arg"))
    if guarded and not argument(a, equal):
        b = argument(b, equal) or b
    if _is_closed(a, b):
        b = b.type_cast.arg
    other = b.WhichOneof("node")
    if kind != other:
        yield f"{path}: {kind} became {other}"
        return
    yield from _compare(getattr(a, kind), getattr(b, kind), f"{path}.{kind}", scope, expected)


def _compare_relation(
    a: Message, b: Message, path: str, scope: Scope, is_view: Callable[[Message, str, str], bool]
) -> Iterator[str]:
    """FROM s.users [AS u [(c, …)]] -> FROM (the policy view of s.users) AS users | u [(c, …)]."""
    if b.WhichOneof("node") != "range_subselect":
        yield f"{path}: {a.relname} is not confined"
        return
    derived = b.range_subselect
    alias = a.alias.aliasname or a.relname
    if derived.alias.aliasname != alias:
        yield f"{path}: {a.relname} lost its name"
    if words(derived.alias.colnames) != words(a.alias.colnames):
        yield f"{path}: {a.relname} lost its column names"
    inner = taken_off(derived.subquery.select_stmt, scope.around, alias, a)
    if not is_view(inner, a.schemaname, a.relname):
        yield f"{path}: {a.relname} became something else than its view"
    elif inner.from_clause[0].range_var.inh != a.inh and inner.from_clause[0].HasField("range_var"):
        yield f"{path}: {a.relname} gained or lost ONLY"


def _compare_sample(
    a: Message, b: Message, path: str, is_view: Callable[[Message, str, str], bool]
) -> Iterator[str]:
    """FROM u TABLESAMPLE m (1) -> FROM (the view of u with the same inside, and no WHERE) AS u."""
    shell = type(b)()
    shell.CopyFrom(b)
    select = shell.range_subselect.subquery.select_stmt
    source = select.from_clause[0] if len(select.from_clause) == 1 else shell
    sample = type(a)()
    sample.CopyFrom(source.range_table_sample)
    sample.relation.CopyFrom(a.relation)
    if not equal(a, sample) or select.HasField("where_clause"):
        yield f"{path}: another sample"
        return
    source.CopyFrom(source.range_table_sample.relation)
    yield from _compare_relation(a.relation.range_var, shell, path, Scope(), is_view)


def _type(node: Message) -> str:
    """The bare name of the type a node is cast to, "" when it is no cast."""
    if node.WhichOneof("node") != "type_cast":
        return ""
    names = words(node.type_cast.type_name.names)
    return names[-1] if names else ""


def _function(node: Message) -> str:
    names = words(node.func_call.funcname)
    return names[-1] if names else ""


def _is_closed(a: Message, b: Message) -> bool:
    """x::regclass -> x::regclass::text or ::oid; the same for functions that give such values."""
    if _type(b) not in ("text", "oid"):
        return False
    inner = b.type_cast.arg
    if _type(a).startswith("reg"):
        bounds = (len(node.type_cast.type_name.array_bounds) for node in (a, inner, b))
        return _type(inner) == _type(a) and len(set(bounds)) == 1
    return _function(a) in _NAMING and _function(inner) == _function(a)


def _is_empty_source(a: Message, b: Message) -> bool:
    """FROM pg_partition_ancestors(x) -> FROM (SELECT NULL::oid AS relid WHERE false)."""
    functions = a.range_function.functions
    name = _function(functions[0].list.items[0]) if len(functions) == 1 else ""
    derived = b.range_subselect
    return (
        name in _EMPTY
        and b.WhichOneof("node") == "range_subselect"
        and derived.alias.aliasname == (a.range_function.alias.aliasname or name)
        and any(
            equal(derived.subquery.select_stmt, select(f"SELECT {_EMPTY[name]}{more} WHERE false"))
            for more in ("", _ORDINALITY)
        )
    )


_MEASURED = ("lpad", "rpad", "repeat")
_NAMING = (
    "pg_typeof", "pg_partition_ancestors", "pg_partition_tree", "to_regtype", "to_regclass"
)  # fmt: skip
_EMPTY = {
    "pg_partition_ancestors": "NULL::pg_catalog.oid AS relid",
    "pg_partition_tree": "NULL::pg_catalog.oid AS relid, NULL::pg_catalog.oid AS parentrelid, "
    "NULL::pg_catalog.bool AS isleaf, NULL::pg_catalog.int4 AS level",
}
_ORDINALITY = ", NULL::pg_catalog.int8 AS ordinality"


def _compare_with(
    a: Message, b: Message, path: str, scope: Scope, expected: Expected
) -> Iterator[str]:
    """Each CTE sees those before it, or all of them under RECURSIVE (manual, 7.8)."""
    mine, theirs = list(a.with_clause.ctes), list(b.with_clause.ctes)
    if len(mine) != len(theirs) or a.with_clause.recursive != b.with_clause.recursive:
        yield f"{path}.with: another list"
        return
    if a.with_clause.recursive:
        scope = replace(scope, ctes=scope.ctes | with_names(a.with_clause))
    for one, other in zip(mine, theirs, strict=True):
        yield from _compare(one, other, f"{path}.with", scope, expected)
        scope = replace(scope, ctes=scope.ctes | {one.common_table_expr.ctename})


def _compare_fields(
    a: Message,
    b: Message,
    path: str,
    scope: Scope,
    expected: Expected,
    skip: Iterable[str] = (),
) -> Iterator[str]:
    for field in a.DESCRIPTOR.fields:
        name = field.name
        if name in POSITIONS or name in skip:
            continue
        mine, theirs = getattr(a, name), getattr(b, name)
        where = f"{path}.{name}"
        if field.is_repeated:
            yield from _compare_lists(list(mine), list(theirs), where, scope, expected)
        elif field.message_type is None:
            if mine != theirs:
                yield f"{where}: {mine!r} became {theirs!r}"
        elif a.HasField(name) != b.HasField(name):
            yield f"{where}: {'lost' if a.HasField(name) else 'gained'}"
        elif a.HasField(name):
            yield from _compare(mine, theirs, where, scope, expected)


def _follows(node: Message, grouped: Sequence[Message], key: str) -> bool:
    """Whether t.c may join GROUP BY t.key: it has one value for each of them (manual, 7.2.3)."""
    if node.WhichOneof("node") != "column_ref":
        return False
    names = column(node.column_ref)
    keys = (column(one.column_ref)[-2:] for one in grouped)
    return len(names) == 2 and any(own in ((names[0], key), (key,)) for own in keys)


def _compare_lists(
    mine: list[Message], theirs: list[Message], path: str, scope: Scope, expected: Expected
) -> Iterator[str]:
    if path.endswith(".group_clause") and len(theirs) > len(mine):
        extra = theirs[: len(theirs) - len(mine)]
        if all(_follows(column, mine, expected.key) for column in extra):
            theirs = theirs[len(extra) :]
    if len(mine) != len(theirs):
        yield f"{path}: {len(mine)} became {len(theirs)}"
        return
    locked = path.endswith(".locked_rels")  # FOR UPDATE OF u: names of the FROM list, no relations
    for one, other in zip(mine, theirs, strict=True):
        if locked:
            scope = replace(scope, ctes=scope.ctes | {one.range_var.relname})
        yield from _compare(one, other, path, scope, expected)
