"""read: what PostgreSQL's own grammar says the statement is and names.

    SELECT lower(u.email) FROM users u   ->   relations users, functions lower, columns u.email

Every node type, function, type and operator must be known; what is not is refused here, so the
steps after this one meet only what they were written for.
"""

from __future__ import annotations

from typing import Any

from policies import grammar
from policies.functions import (
    ALLOWED,
    ELSEWHERE,
    EMPTY_SOURCES,
    GUARDED,
    LONGEST,
    LOOKUP_RESULTS,
    LOOKUP_TYPES,
    PRIVILEGES,
    REFUSED_TYPES,
    SAMPLING,
    SETTING_READERS,
    SETTING_WRITERS,
    SIZED,
    SOURCE_COLUMNS,
    TYPE_READERS,
    WRITERS,
)
from policies.grammar import Node, Scope
from policies.lookups import constant_text, function_name, is_measured, written_type
from policies.other_dialects import instead
from policies.reasons import (
    FUNCTION_NOT_ALLOWED,
    FUNCTION_NOT_FOUND,
    OPERATOR_NOT_ALLOWED,
    STATEMENT_NOT_ALLOWED,
    TYPE_NOT_ALLOWED,
    UNSUPPORTED_SYNTAX,
    WRITE_DISABLED,
    Refusal,
)
from policies.settings import any_value, check_set, check_show
from policies.statement import Relation, Statement
from policies.writes.shape import VERBS

_NODES = frozenset(
    """
    A_ArrayExpr A_Const A_Expr A_Indices A_Indirection A_Star BitString BoolExpr Boolean
    BooleanTest CaseExpr CaseWhen CoalesceExpr CollateClause ColumnDef ColumnRef CommonTableExpr
    Float FuncCall GroupingFunc GroupingSet Integer JoinExpr JsonAggConstructor JsonArgument
    JsonArrayAgg JsonArrayConstructor JsonArrayQueryConstructor JsonBehavior JsonFormat
    JsonFuncExpr JsonIsPredicate JsonKeyValue JsonObjectAgg JsonObjectConstructor JsonOutput
    JsonParseExpr JsonReturning JsonScalarExpr JsonSerializeExpr JsonValueExpr List MinMaxExpr
    NamedArgExpr NullTest ParamRef RangeFunction RangeSubselect RangeTableSample RangeVar
    ResTarget RowExpr SQLValueFunction SelectStmt SortBy String SubLink TypeCast TypeName WindowDef
    IndexElem MergeSupportFunc MergeWhenClause MultiAssignRef ReturningOption SetToDefault
    """.split()
)
_CLOSED_TYPES = REFUSED_TYPES | LOOKUP_TYPES.keys()


def read(statement: Statement) -> None:
    """Fill `statement.reading`; refuse what is not known."""
    _collect(statement)
    for parts in statement.reading.operators:
        _check_operator(parts, statement)
    for node, parts in statement.reading.functions:
        _check_function(node, parts, statement)
    _check_attributes(statement)
    casts = {id(cast["typeName"]) for cast in statement.reading.casts}
    for type_name in statement.reading.types:
        check_type(type_name, id(type_name) in casts, statement)


def _collect(statement: Statement) -> None:
    """Walk the tree once, without recursion, with the WITH queries visible at each place."""
    pending: list[tuple[Any, Scope]] = [({statement.kind: statement.node}, Scope())]
    sources: dict[int, Node] = {}
    while pending:
        item, scope = pending.pop()
        if isinstance(item, list):
            pending.extend((child, scope) for child in item)
            continue
        if not isinstance(item, dict):
            continue
        if "withClause" in item:
            clause = item["withClause"]
            inner, scope = scope.within(clause)
            pending.extend(zip(clause["ctes"], inner, strict=True))
        if "MultiAssignRef" in item:
            _unite(item["MultiAssignRef"], sources)
            if item["MultiAssignRef"]["colno"] > 1:
                continue
        for key, value in item.items():
            if key in VERBS:
                _note_write(key, value, statement)
            elif key[0].isupper():
                _note(key, value, scope, statement)
            elif key == "typeName":
                statement.reading.types.append(value)
            elif key in ("operName", "useOp"):
                statement.reading.operators.append(grammar.names(value))
            elif key == "intoClause":
                raise Refusal(WRITE_DISABLED, "SELECT INTO creates a table, which is not allowed")
            elif key == "lockingClause":
                statement.reading.locks.append(item)
                continue
            if key != "withClause" and isinstance(value, dict | list):
                pending.append((value, scope))


def _note_write(kind: str, node: Node, statement: Statement) -> None:
    """Remember a statement that writes; refuse it for who may not."""
    if not statement.views.writers:
        raise refuse_kind(kind)
    if not statement.may_write:
        raise refuse_inside(kind)
    statement.reading.writes.append((kind, node))


def refuse_inside(kind: str) -> Refusal:
    """The refusal of a write inside another statement."""
    return Refusal(
        WRITE_DISABLED,
        f"{VERBS[kind]} is not allowed inside another statement",
        "send it as a statement of its own",
    )


def _unite(node: Node, sources: dict[int, Node]) -> None:
    """(a, b) = (SELECT ...) holds its source once for each column, as trees of their own: from here
    on they are one."""
    source = node["source"]
    place = next((v for k, v in grammar.walk(source) if k == "location"), 0)
    node["source"] = sources.setdefault(place, source)


def _note(kind: str, node: Any, scope: Scope, statement: Statement) -> None:
    """Remember what a node names; refuse node types the engine does not know."""
    reading = statement.reading
    if kind not in _NODES:
        raise Refusal(UNSUPPORTED_SYNTAX, f"this kind of expression is not supported: {kind}")
    match kind:
        case "RangeVar":
            place = node.get("location", 0) - statement.offset
            reading.relations.append(Relation(node, place, scope.hides(node)))
        case "FuncCall":
            reading.functions.append((node, grammar.names(node["funcname"])))
        case "TypeCast":
            reading.casts.append(node)
        case "A_Expr":
            reading.operators.append(grammar.names(node["name"]))
        case "ColumnRef":
            reading.columns.append(grammar.names(node["fields"]))
            reading.long_columns = reading.long_columns or len(node["fields"]) > 2
        case "RangeFunction":
            _note_source(node, statement)
        case "RangeTableSample":
            _note_sample(node, statement)
        case "A_Indirection":
            reading.attributes.extend(grammar.names(node["indirection"]))


def _check_operator(parts: tuple[str, ...], statement: Statement) -> None:
    if len(parts) == 2 and parts[0] == "pg_catalog":
        return
    if len(parts) != 1:
        raise Refusal(OPERATOR_NOT_ALLOWED, f"operator {'.'.join(parts)} is not allowed")
    if parts[0] in statement.catalog.user_operators:
        raise Refusal(
            OPERATOR_NOT_ALLOWED,
            f"operator {parts[0]} is not allowed: the database defines its own",
            f"write OPERATOR(pg_catalog.{parts[0]}) for the built-in one",
        )


def _check_function(node: Node, parts: tuple[str, ...], statement: Statement) -> None:
    name = function_name(parts)
    if parts in ELSEWHERE or name in PRIVILEGES or name in EMPTY_SOURCES:
        return
    if name in ALLOWED or name in GUARDED:
        if name in SIZED:
            _check_size(name, node)
        return
    if name in TYPE_READERS:
        return _check_type_reader(name, node, statement)
    given = node.get("args", [])
    if name in SETTING_READERS and given:
        named = constant_text(given[0])
        if named is not None:
            check_show(named)
        return  # a computed name is guarded
    if name in SETTING_WRITERS and len(given) == 3 and _may_set(given, statement):
        return
    call = statement.views.calls.find(parts)
    if call is not None:
        statement.reading.calls.append(call)
        return
    raise _no_function(parts, statement)


def _check_type_reader(name: str, node: Node, statement: Statement) -> None:
    """pg_input_is_valid(text, type): the type must be one the subject sees."""
    arguments = node.get("args", [])
    written = constant_text(arguments[1]) if len(arguments) == 2 else None
    if written is None:
        raise Refusal(FUNCTION_NOT_ALLOWED, f"function {name} is allowed only with a constant type")
    try:
        check_type(written_type(written), False, statement)
    except ValueError as error:
        raise Refusal(FUNCTION_NOT_ALLOWED, f"function {name}: no such type") from error


def _no_function(parts: tuple[str, ...], statement: Statement) -> Refusal:
    """What is PostgreSQL's own is not allowed; anything else does not exist, whether or not the
    database has it, so that the answer tells nothing."""
    name, written = function_name(parts), ".".join(parts)
    if name in WRITERS:
        return Refusal(WRITE_DISABLED, f"function {written} writes: this login may only read")
    if name in statement.catalog.system_functions or parts[0] == "information_schema":
        return Refusal(
            FUNCTION_NOT_ALLOWED,
            f"function {written} is not allowed",
            "use built-in functions that compute from their arguments",
        )
    return Refusal(FUNCTION_NOT_FOUND, f"function {written}(...) does not exist", instead(name))


def _may_set(given: list[Node], statement: Statement) -> bool:
    """Whether set_config(name, value, local) may run; refuses what SET would refuse.

    Only plain literals count: a cast could make another value of one.
    """
    name, value = constant_text(given[0]), constant_text(given[1])
    if name is None or "A_Const" not in given[2]:
        return False
    if value is None:
        return "ParamRef" in given[1] and any_value(name)
    check_set(
        name,
        value,
        time_limit=statement.budget.time_ms,
        search_path=statement.catalog.search_path,
    )
    return True


def _check_size(name: str, node: Node) -> None:
    arguments = node.get("args", [])
    if is_measured(node) and "NamedArgExpr" not in arguments[SIZED[name]]:
        return
    size = constant_text(arguments[SIZED[name]]) if len(arguments) > SIZED[name] else None
    if size is None or not size.isdigit() or int(size) > LONGEST:
        raise Refusal(
            FUNCTION_NOT_ALLOWED, f"function {name} is allowed only with a length up to {LONGEST}"
        )


def _note_source(node: Node, statement: Statement) -> None:
    """A function in FROM: the names it goes by and the columns declared for it."""
    alias = node.get("alias", {})
    declared = {part["String"]["sval"] for part in alias.get("colnames", [])}
    declared |= {c["ColumnDef"]["colname"] for c in node.get("coldeflist", [])}
    named = {alias["aliasname"]} if alias else set()
    for entry in node["functions"]:
        call, *columns = entry["List"]["items"]
        parts = grammar.names(call.get("FuncCall", {}).get("funcname", []))
        named.update(parts[-1:])
        columns_of = _columns_of(parts, statement)
        if "colnames" not in alias:  # which give them other names
            declared |= columns_of - statement.catalog.record_functions
            declared |= SOURCE_COLUMNS.get(function_name(parts), frozenset())
        for column in columns:
            for definition in column.get("List", {}).get("items", []):
                declared.add(definition["ColumnDef"]["colname"])
    for name in named:
        statement.reading.sources.setdefault(name, set()).update(declared)


def _columns_of(parts: tuple[str, ...], statement: Statement) -> frozenset[str]:
    """Columns of a function of the database in FROM."""
    call = statement.views.calls.find(parts)
    if call is not None and call.inlined:
        # As conditions on a view, those on its result might run before its own.
        raise Refusal(
            FUNCTION_NOT_ALLOWED,
            f"function {'.'.join(parts)} may not stand in FROM: PostgreSQL would take it apart, "
            "and conditions could see what it leaves out",
            "a SET clause in its definition, as SET search_path = public, keeps it whole",
        )
    return call.columns if call is not None else frozenset()


def _note_sample(node: Node, statement: Statement) -> None:
    """TABLESAMPLE by a method of PostgreSQL's own, of a share that is plainly written."""
    given = [*node.get("args", []), *([node["repeatable"]] if "repeatable" in node else [])]
    if grammar.names(node["method"]) not in SAMPLING or any(
        "A_Const" not in value and "ParamRef" not in value for value in given
    ):
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            "this form of TABLESAMPLE is not supported",
            "write bernoulli or system, and numbers or parameters in the brackets",
        )
    statement.reading.samples[id(node["relation"]["RangeVar"])] = node


def _check_attributes(statement: Statement) -> None:
    """`x.f` and `(x).f` call f(x) when x has no column f (manual, "Using Composite Types").

    A row only finds functions that take rows; a value, also a function's in FROM, finds any
    function, and any type as a cast.
    """
    catalog, sources = statement.catalog, statement.reading.sources
    for parts in statement.reading.columns:
        if len(parts) < 2:
            continue
        source, name = parts[-2], parts[-1]
        if source in sources:
            if name not in sources[source]:
                _refuse_call(name, statement)
        elif name in catalog.record_functions and not _harmless(name, statement):
            raise Refusal(FUNCTION_NOT_ALLOWED, f"function {name} is not allowed")
    for name in statement.reading.attributes:
        _refuse_call(name, statement)


def _refuse_call(name: str, statement: Statement) -> None:
    """Refuse an attribute unless it is a column somebody gave a name, and nothing one can call.

    Names of hidden functions and names of nothing are refused alike.
    """
    catalog = statement.catalog
    if _harmless(name, statement):
        return
    callable_ = (
        name in catalog.functions
        or name in catalog.builtin_types
        or any(known.name == name for known in catalog.types)
    )
    if callable_ or name not in _named(statement):
        raise Refusal(
            FUNCTION_NOT_ALLOWED,
            f"attribute {name} is not allowed: it is no known column and may call a function",
            "name the column with AS, and declare columns of functions in FROM",
        )


def _named(statement: Statement) -> set[str]:
    """Column names the statement gives, and those of what it may read."""
    found = {"key", "value", "ordinality"}  # of the json_each family
    if any(parts in ELSEWHERE for _, parts in statement.reading.functions):
        found |= {"x", "n"}  # of _pg_expandarray
    for view in statement.views:
        found.update(view.columns)
    for key, node in grammar.walk(statement.node):
        if key == "ResTarget" and "name" in node:
            found.add(node["name"])
        elif key in ("colnames", "aliascolnames"):
            found.update(grammar.names(node))
    return found.union(statement.views.calls.columns, *statement.reading.sources.values())


def _harmless(name: str, statement: Statement) -> bool:
    return (
        name in ALLOWED
        and name not in LOOKUP_RESULTS
        and name not in SIZED
        and name not in statement.catalog.user_functions
    )


def check_type(node: Node, cast: bool, statement: Statement) -> None:
    """Refuse a type that is not visible. `cast`: it is what a cast is to."""
    parts = grammar.names(node.get("names", []))
    if node.get("pct_type") or node.get("setof") or not parts:
        raise Refusal(UNSUPPORTED_SYNTAX, "%TYPE and SETOF are not supported here")
    name = parts[-1]
    if len(parts) == 1 or parts[0] == "pg_catalog":
        if name in LOOKUP_TYPES:
            if cast:
                return  # judged with its operand, by the step that resolves names
            raise Refusal(TYPE_NOT_ALLOWED, f"type {name} may be used only in casts")
        # Every type has an array type, whose own name is the type's behind an underscore.
        refused = {name, name.removeprefix("_")} & _CLOSED_TYPES
        if name in statement.catalog.builtin_types and not refused:
            return
    for known in statement.catalog.types:
        if known.name == name and known.oid in statement.views.sight.types and known.kind != "c":
            if len(parts) == 2 and parts[0] == known.schema:
                return
            if len(parts) == 1 and known.schema in statement.catalog.search_path:
                return
    raise Refusal(TYPE_NOT_ALLOWED, f'type "{".".join(parts)}" does not exist or is not visible')


def refuse_kind(kind: str) -> Refusal:
    """The refusal for a statement that is neither a query nor a known utility statement."""
    hint = {
        "ExecuteStmt": "send the EXECUTE itself",
        "DiscardStmt": "use RESET ALL and DEALLOCATE ALL",
    }.get(kind, "only SELECT, VALUES, TABLE, transaction control, SET, SHOW and RESET are allowed")
    written = VERBS.get(kind)
    if written:
        return Refusal(
            WRITE_DISABLED,
            f"{written} is not allowed: this login may only read",
            "send a SELECT",
        )
    name = kind.removesuffix("Stmt")
    return Refusal(STATEMENT_NOT_ALLOWED, f"this kind of statement is not allowed: {name}", hint)
