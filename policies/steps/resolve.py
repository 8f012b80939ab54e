"""resolve: every relation is a WITH query or has a policy view; every look-up is of what is seen.

    WITH a AS (SELECT 1) SELECT * FROM a, users   ->   a: WITH query, users: policy view `users`

The two parsers are asked independently which names are WITH queries; they must agree.
"""

from __future__ import annotations

import re

from sqlglot import exp

from policies import grammar, hidden_columns, qualified
from policies.catalog import FIRST_NORMAL_OID
from policies.functions import CONFIGURATIONS, EMPTY_SOURCES, LOOKUP_TYPES, MEASURE, SIZED
from policies.grammar import Node
from policies.guards import companion_of, guard_of, written
from policies.lookups import (
    Lookup,
    cast_guard,
    constant_text,
    find,
    function_name,
    is_measured,
    lookup_type,
    operand_name,
    written_type,
)
from policies.places import PINNED
from policies.reasons import (
    TYPE_NOT_ALLOWED,
    UNSUPPORTED_SYNTAX,
    Refusal,
)
from policies.sql import identifier
from policies.statement import Edit, GuardUse, Statement, Use
from policies.steps.read import check_type
from policies.visible import no_relation, visible
from policies.writes.target import target_of


def resolve(statement: Statement) -> None:
    """Fill `statement.uses`, `statement.targets` and `statement.guards`."""
    statement.hidden = hidden_columns.named(statement.reading, statement.node, statement.catalog)
    by_place = {relation.place: relation for relation in statement.reading.relations}
    _find_targets(statement)
    for site in statement.sites:
        relation = by_place.get(site.place)
        if relation is None:
            continue  # a target
        if _names_with_query(site.table) != relation.with_query:
            raise Refusal(UNSUPPORTED_SYNTAX, "the WITH queries cannot be told from tables here")
        if not relation.with_query:
            view = visible(relation.node, statement)
            statement.uses.append(Use(site, relation, view))
    _shorten_columns(statement)
    empty, spread = set(), set()
    statement.lookups = list(find(statement.node))
    for lookup in statement.lookups:
        if lookup.kind == "cast":
            _guard_cast(lookup.node, statement)
        elif lookup.kind == "spread":
            spread.add(id(lookup.node))
        elif lookup.kind == "source":
            empty.add(id(lookup.node["functions"][0]["List"]["items"][0]["FuncCall"]))
        _close(lookup, statement)
    _guard_functions(statement, empty, spread)


def _find_targets(statement: Statement) -> None:
    sites = {site.place: site for site in statement.sites}
    for kind, node in statement.reading.writes:
        site = sites[node["relation"].get("location", 0) - statement.offset]
        outermost = node is statement.node
        statement.targets.append(target_of(kind, node, site, outermost, statement))


def _shorten_columns(statement: Statement) -> None:
    if not statement.reading.long_columns:
        return
    relations = statement.reading.relations
    for column in qualified.columns(statement.node, statement.catalog, relations):
        place = _place(column, statement)
        following = [token for token in statement.tokens if token.start >= place][:3]
        if len(following) == 3 and following[1].name == "ASCII_46":
            statement.edits.append(Edit(place, following[2].start, ""))


def _names_with_query(table: exp.Table) -> bool:
    """sqlglot's side: whether a name is bound by a WITH clause around it."""
    if table.args.get("db") is not None:
        return False
    name = _folded(table.this)
    inside: exp.Expr | None = table
    parent = table.parent
    while parent is not None:
        clause = parent.args.get("with_")
        if isinstance(clause, exp.With):
            visible = clause.expressions
            if inside is clause and not clause.args.get("recursive"):
                visible = visible[: _position(table, clause)]
            if any(_folded(cte.args["alias"].this) == name for cte in visible):
                return True
        inside, parent = parent, parent.parent
    return False


def _position(table: exp.Table, clause: exp.With) -> int:
    """Which query of the WITH clause the table stands in."""
    node: exp.Expr = table
    while node.parent is not None and node.parent is not clause:
        node = node.parent
    return next(i for i, cte in enumerate(clause.expressions) if cte is node)


def _folded(name: exp.Expr) -> str:
    return name.name if name.args.get("quoted") else name.name.lower()


def _guard_cast(cast: Node, statement: Statement) -> None:
    """Judge `x::regclass` and the like: names at once, values of rows by a guard around them."""
    lookup = lookup_type(cast)
    named = constant_text(cast["arg"])
    if named is not None:
        _check_named(lookup, named, statement)
        return
    kind = cast_guard(cast)
    start, end = _operand(cast, statement)
    name = operand_name(cast["arg"], lookup)
    statement.guards.append(GuardUse(start, end, kind, name))


def _close(lookup: Lookup, statement: Statement) -> None:
    """Cast a look-up value at once to what may meet other values."""
    if lookup.kind == "source":
        statement.edits.append(_empty_source(lookup, statement))
        return
    if not lookup.closing:
        return
    end = (
        _end_of_cast(lookup.node, statement)
        if lookup.kind == "cast"
        else (_call(statement, _place(lookup.node, statement))[-1][1] + 1)
    )
    label = f" AS {identifier(lookup.label)}" if lookup.label else ""
    text = f"::pg_catalog.{lookup.closing}{label}"
    statement.edits.append(Edit(end, end, text, rank=-(1 << 39)))


def _empty_source(lookup: Lookup, statement: Statement) -> Edit:
    call = lookup.node["functions"][0]["List"]["items"][0]["FuncCall"]
    start = _place(call, statement)
    end = _call(statement, start)[-1][1] + 1
    following = [t for t in statement.tokens if t.start >= end][:2]
    ordinality = bool(lookup.node.get("ordinality"))
    if ordinality:
        end = following[1].end
    text = f"({EMPTY_SOURCES[lookup.closing][ordinality]})"
    if "alias" not in lookup.node:
        text += f" AS {identifier(lookup.closing)}"
    return Edit(start, end, text)


def _place(node: Node, statement: Statement) -> int:
    return int(node.get("location", 0)) - statement.offset


def _end_of_cast(cast: Node, statement: Statement) -> int:
    """Where `x::t` or CAST(x AS t) ends."""
    at = _place(cast, statement)
    if statement.text[at : at + 4].upper() == b"CAST":
        return _call(statement, at)[-1][1] + 1
    tokens = [t for t in statement.tokens if t.start >= at]
    if not tokens or tokens[0].name != "TYPECAST":
        raise Refusal(TYPE_NOT_ALLOWED, "this form of the cast is not supported", "write x::type")
    last = 1
    while last + 2 < len(tokens) and tokens[last + 1].name == "ASCII_46":
        last += 2
    if cast["typeName"].get("arrayBounds"):
        last += 2  # the brackets; the proof refuses what is written otherwise
    if last >= len(tokens):
        raise Refusal(TYPE_NOT_ALLOWED, "this form of the cast is not supported", "write x::type")
    return tokens[last].end


def _check_named(lookup: str, named: str, statement: Statement) -> None:
    """`'users'::regclass`: the named object must be one the subject sees."""
    kind = LOOKUP_TYPES[lookup]
    if named.isdigit():
        sight = statement.views.sight
        seen = {
            "relation": sight.classes,
            "type": sight.types,
            "schema": sight.schemas,
        }.get(kind, frozenset())
        allowed = int(named) < FIRST_NORMAL_OID or int(named) in seen
    else:
        own = lookup == "regconfig" and named in CONFIGURATIONS
        allowed = own or _is_visible_name(kind, named, statement)
    if not allowed:
        raise (
            no_relation(named, statement)
            if kind == "relation"
            else Refusal(TYPE_NOT_ALLOWED, f'"{named}" does not exist or is not visible to you')
        )


_NAME_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([A-Za-z_\x80-\U0010ffff][\w$]*))\s*(\.|\Z)')


def _is_visible_type(named: str, statement: Statement) -> bool:
    """A type by its name alone: any of PostgreSQL's own, and the visible ones of the database."""
    try:
        node = written_type(named)
        if function_name(grammar.names(node["names"])) not in statement.catalog.builtin_types:
            check_type(node, False, statement)
    except (Refusal, ValueError):
        return False
    return True


def _is_visible_name(kind: str, named: str, statement: Statement) -> bool:
    if kind == "type":
        return _is_visible_type(named, statement)
    parts, position = [], 0
    while position < len(named):
        found = _NAME_PART.match(named, position)
        if found is None:
            return False
        quoted = found[1]
        parts.append(quoted.replace('""', '"') if quoted else found[2].lower())
        position = found.end()
    if kind == "relation" and len(parts) in (1, 2):
        relation = statement.catalog.find(parts[0] if len(parts) == 2 else "", parts[-1])
        if relation is None:  # no later schema of the path, for another's may come first
            sight = statement.views.sight
            full = (*statement.catalog.search_path[:1], *parts)[-2:]
            return full in sight.sequence_names | sight.index_names
        return relation is not None and statement.views.find(relation) is not None
    if kind == "schema" and len(parts) == 1:
        visible = statement.views.sight.schemas
        return parts[0] in ("pg_catalog", "information_schema") or any(
            oid in visible and name == parts[0] for oid, name in statement.catalog.schemas
        )
    # Functions, operators, collations: the system's own, written as such.
    return len(parts) == 2 and parts[0] == "pg_catalog"


_NAME = rb'(?:"(?:[^"]|"")+"|[\w$\x80-\xff]+)'
_COLUMN = re.compile(_NAME + rb"(?:\s*\.\s*" + _NAME + rb")*")


def _operand(cast: Node, statement: Statement) -> tuple[int, int]:
    """Byte range of a cast's operand: anything in CAST(x AS t), a column, call or parameter
    before `::`."""
    at = cast.get("location", 0) - statement.offset
    if statement.text[at : at + 4].upper() == b"CAST":
        return _before_as(statement, at)
    argument = cast["arg"]
    if "ColumnRef" in argument:
        start = argument["ColumnRef"].get("location", 0) - statement.offset
        found = _COLUMN.match(statement.text, start)
        if found is not None:
            return start, found.end()
    if "FuncCall" in argument:
        start = argument["FuncCall"].get("location", 0) - statement.offset
        return start, _call(statement, start)[-1][1] + 1
    if "ParamRef" in argument:
        start = argument["ParamRef"].get("location", 0) - statement.offset
        return start, next(t.end for t in statement.tokens if t.start == start)
    return _before_colons(statement, at)


def _before_colons(statement: Statement, at: int) -> tuple[int, int]:
    """Byte range of `(x)` or `x[1]` in front of the `::` at `at`."""
    tokens = statement.tokens
    last = next((i for i, token in enumerate(tokens) if token.start == at), 0) - 1
    first, depth = last, 0
    while first >= 0 and tokens[last].name in ("ASCII_41", "ASCII_93"):
        depth += {"ASCII_41": 1, "ASCII_93": 1, "ASCII_40": -1, "ASCII_91": -1}.get(
            tokens[first].name, 0
        )
        if depth == 0 and tokens[first].name == "ASCII_40":
            return tokens[first].start, tokens[last].end
        if depth == 0 and tokens[first].name != "ASCII_91":
            while first > 1 and tokens[first - 1].name == "ASCII_46":
                first -= 2
            return tokens[first].start, tokens[last].end
        first -= 1
    raise Refusal(
        TYPE_NOT_ALLOWED,
        "this form of the cast is not supported",
        "write CAST(... AS regclass)",
    )


def _before_as(statement: Statement, at: int) -> tuple[int, int]:
    """Byte range of x in CAST(x AS t); the cast starts at `at`."""
    depth, start = 0, -1
    for token in statement.tokens:
        if token.start < at:
            continue
        if token.name in ("ASCII_40", "ASCII_91"):
            depth += 1
            start = token.end if start < 0 else start
        elif token.name in ("ASCII_41", "ASCII_93"):
            depth -= 1
        elif token.name == "AS" and depth == 1:
            return start, token.start
    raise Refusal(UNSUPPORTED_SYNTAX, "a cast could not be followed")


def _guard_functions(statement: Statement, empty: set[int], spread: set[int]) -> None:
    """Pin bare names to a schema, for an overload the database may define is not meant, and
    guard what is looked up."""
    for node, parts in statement.reading.functions:
        if id(node) in empty:
            continue
        if len(parts) == 1 and id(node) not in spread:
            place = _place(node, statement)
            call = statement.views.calls.find(parts)
            schema = identifier(call.schema) if call is not None else "pg_catalog"
            statement.edits.append(Edit(place, place, f"{schema}.", kind=PINNED))
        if is_measured(node):
            start, end = _call(statement, _place(node, statement))[SIZED[function_name(parts)]]
            before, after = MEASURE
            statement.edits.append(Edit(start, start, before, rank=-end))
            statement.edits.append(Edit(end, end, after, rank=-start))
            continue
        guard = guard_of(node)
        if guard is None:
            continue
        place = node.get("location", 0) - statement.offset
        ranges = _call(statement, place)
        if guard.argument >= len(node.get("args", [])) or guard.argument >= len(ranges):
            raise Refusal(UNSUPPORTED_SYNTAX, f"call of {parts[-1]} with too few arguments")
        start, end = ranges[guard.argument]
        repeated = companion_of(node, guard)
        companion = written(repeated) if repeated is not None else ""
        statement.guards.append(GuardUse(start, end, guard.kind, companion=companion))


def _call(statement: Statement, place: int) -> list[tuple[int, int]]:
    """Byte ranges of the arguments of the call whose name starts at `place`."""
    tokens = statement.tokens
    at = next((i for i, token in enumerate(tokens) if token.start == place), None)
    while at is not None and at < len(tokens) and tokens[at].name != "ASCII_40":
        at += 1
    if at is None or at >= len(tokens):
        raise Refusal(UNSUPPORTED_SYNTAX, "a function call could not be followed")
    ranges, depth, start = [], 0, tokens[at].end
    for token in tokens[at:]:
        if token.name in ("ASCII_40", "ASCII_91"):
            depth += 1
        elif token.name in ("ASCII_41", "ASCII_93"):
            depth -= 1
            if depth == 0:
                ranges.append((start, token.start))
                return ranges
        elif token.name == "ASCII_44" and depth == 1:
            ranges.append((start, token.start))
            start = token.end
    raise Refusal(UNSUPPORTED_SYNTAX, "a function call could not be followed")
