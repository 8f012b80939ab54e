"""INSERT: which columns get values, and that tenant and owner get the subject's.

    INSERT INTO orders VALUES (1, 'new')
    ->  INSERT INTO orders ("id", "status", "tenant_id") VALUES (1, 'new', CAST('7' AS integer))

Without a list the values go to the visible columns, in the order of the table. What the client says
for tenant and owner is kept when it is the subject's own, refused when it plainly is another's,
compared when the statement runs if that cannot be told before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from policies import grammar
from policies.grammar import Node
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.sql import identifier
from policies.statement import Edit
from policies.steps.cap import own_limit
from policies.writes import conflict, unnested
from policies.writes.owned import Own, fate, filled
from policies.writes.raising import ARGUMENT
from policies.writes.sources import Row, Source, Span, call_end, find_source, leaves
from policies.writes.target import Demand, Target

_LAST = 1  # behind what other edits put at the same place
# Functions that give one value; with any other nobody can tell before.
_ONE_VALUE = frozenset(
    """
    abs age clock_timestamp concat concat_ws date_trunc decode encode format gen_random_uuid
    json_build_array json_build_object jsonb_build_array jsonb_build_object left length lower
    make_interval md5 now nullif round sha256 statement_timestamp substr substring timezone
    to_char to_date to_json to_jsonb to_number to_timestamp to_tsvector transaction_timestamp trim
    upper uuidv4 uuidv7
    """.split()
)


@dataclass(frozen=True, slots=True)
class Listed:
    """`columns`: those the client gives values to, in order; `own`: tenant and owner; `added`:
    those of them the client leaves to us."""

    columns: tuple[str, ...]
    own: Mapping[str, Own]
    added: tuple[Own, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The list as it will be."""
        return (*self.columns, *(own.column for own in self.added))


def demands_insert(target: Target) -> tuple[Demand, ...]:
    """What a capability must permit for an INSERT and its ON CONFLICT."""
    found = listed(target)
    asked = given(target, found, _plain_rows(target))
    return (Demand("insert", asked), *conflict.demands_conflict(target))


def demands_copy(target: Target) -> tuple[Demand, ...]:
    """What a capability must permit for a COPY FROM STDIN."""
    return (Demand("copy"), Demand("insert", given(target, copied(target), [])))


def copied(target: Target) -> Listed:
    """The columns a COPY gives values to: those it names, or the visible ones, but for generated
    ones."""
    generated = {column.name for column in target.relation.columns if column.generated}
    visible = [name for name in target.view.columns if name not in generated]
    return with_own(target, grammar.names(target.node.get("attlist", [])) or tuple(visible))


def edit_insert(target: Target) -> None:
    """Add the edits of the column list and the values. Raises Refusal."""
    found = listed(target)
    check_overriding(target, found, target.node)
    target.written.update(dict.fromkeys(given(target, found, _plain_rows(target))))
    source = find_source(target.region, target.node, target.statement.offset)
    _edit_list(target, source, found)
    if source.defaults is not None:
        if found.added:
            names = _names(own.column for own in found.added)
            _put(target, source.defaults, f"({names}) VALUES ({_values(found)})")
        return
    query = target.node["selectStmt"]["SelectStmt"]
    for leaf, rows in zip(leaves(query), source.leaves, strict=True):
        arrays = _arrays(leaf, target, found)
        if arrays is not None:
            _edit_arrays(target, found, arrays, rows[0][0])
            continue
        for items, spans in zip(_rows_of(leaf, target, found), rows, strict=True):
            edit_row(target, found, items, spans)


def bound_inserted(target: Target, most: int) -> int | None:
    """The rows it inserts at most by its own words. A LIMIT above `most` says nothing of them."""
    if "selectStmt" not in target.node:
        return 1
    query = target.node["selectStmt"]["SelectStmt"]
    if "valuesLists" in query:
        rows = query["valuesLists"]
        return len(rows) if len(rows) > 1 or _is_one_row(target, rows) else None
    if query.get("limitOption") == "LIMIT_OPTION_WITH_TIES":
        return None
    limit = own_limit(query)
    return limit if limit is not None and 0 <= limit <= most else None


def _is_one_row(target: Target, rows: list[Node]) -> bool:
    """Whether nothing in a VALUES of one row can make several of it, as generate_series does."""
    calls = [grammar.names(v["funcname"]) for k, v in grammar.walk(rows) if k == "FuncCall"]
    own = target.statement.views.calls
    return all(parts[-1] in _ONE_VALUE and own.find(parts) is None for parts in calls)


def expected_insert(target: Target) -> Node:
    """The columns and values that must have become of it, with the client's own nodes as they
    are."""
    found, node = listed(target), target.node
    columns: Node = {"cols": [{"ResTarget": {"name": name}} for name in found.names]}
    if "selectStmt" in node:
        query = _expected_query(node["selectStmt"]["SelectStmt"], target, found)
    elif found.added:
        row = {"List": {"items": [own.node for own in found.added]}}
        query = {"valuesLists": [row], "limitOption": "LIMIT_OPTION_DEFAULT", "op": "SETOP_NONE"}
    else:
        return {}
    return {**columns, "selectStmt": {"SelectStmt": query}}


# Which columns.


def _columns(target: Target) -> tuple[str, ...]:
    """The columns named, or those that the number of values means without. Raises Refusal."""
    node = target.node
    if "cols" in node:
        for entry in node["cols"]:
            if "indirection" in entry["ResTarget"]:
                raise Refusal(
                    UNSUPPORTED_SYNTAX,
                    "parts of a column cannot be inserted here",
                    "give the whole column a value",
                )
        return tuple(entry["ResTarget"]["name"] for entry in node["cols"])
    if "selectStmt" not in node:
        return ()
    leaf = next(leaves(node["selectStmt"]["SelectStmt"]))
    items = leaf["valuesLists"][0]["List"]["items"] if "valuesLists" in leaf else _results(leaf)
    if any(map(_is_star, items)):
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            "it cannot be told which columns this INSERT gives values to",
            f'name them: INSERT INTO "{target.name}" ({", ".join(target.view.columns)}) ...',
            table=target.name,
        )
    return target.view.columns[: len(items)]


def listed(target: Target) -> Listed:
    """The columns of the list as it will be. Raises Refusal."""
    return with_own(target, _columns(target))


def with_own(target: Target, columns: tuple[str, ...]) -> Listed:
    """The columns with those that the subject's own values go to."""
    own = {
        name: Own(target, name, literal, _type(target, name))
        for name, literal in target.forced.items()
    }
    return Listed(columns, own, tuple(own[name] for name in own if name not in columns))


def _type(target: Target, name: str) -> str:
    column = target.relation.column(name)
    if column is None:
        raise target.no_column(name)
    return column.type


def given(target: Target, found: Listed, rows: list[list[Node]]) -> tuple[str, ...]:
    """The columns that get values of the client's, but for the subject's own. DEFAULT for one that
    is seen, in all of `rows`, is as good as leaving it out.

    Raises Refusal for a column that does not exist for the subject.
    """
    asked: dict[str, None] = {}
    for place, name in enumerate(found.columns):
        if name not in target.view.columns and not _is_written_only(target, name):
            raise target.no_column(name)
        if name not in found.own and not _is_default(rows, place):
            asked[name] = None
    return tuple(asked)


def _plain_rows(target: Target) -> list[list[Node]]:
    """The rows of a plain VALUES; none of another source."""
    query = target.node.get("selectStmt", {}).get("SelectStmt", {})
    return [row["List"]["items"] for row in query.get("valuesLists", [])]


def _is_written_only(target: Target, name: str) -> bool:
    """Whether it is a hidden column the subject may give a value to all the same."""
    writers = target.statement.views.writers.values()
    rules = [able.insert[target.name] for able in writers if target.name in able.insert]
    listed = any(name in rule.columns for rule in rules)
    return listed and target.relation.column(name) is not None


def check_overriding(target: Target, found: Listed, node: Node) -> None:
    """OVERRIDING USER VALUE takes the next number in place of a value, also of the subject's."""
    if node.get("override") != "OVERRIDING_USER_VALUE":
        return
    for name in found.own:
        column = target.relation.column(name)
        if column is not None and column.identity:
            raise Refusal(
                UNSUPPORTED_SYNTAX,
                f'OVERRIDING USER VALUE would give column "{name}" of "{target.name}" a value that '
                "is not yours",
                "leave OVERRIDING USER VALUE out",
                table=target.name,
                column=name,
            )


def _is_default(rows: list[list[Node]], place: int) -> bool:
    """Whether every row says DEFAULT at this place."""
    return bool(rows) and all(len(r) > place and "SetToDefault" in r[place] for r in rows)


# The rows.


def _results(leaf: Node) -> list[Node]:
    return [target["ResTarget"]["val"] for target in leaf.get("targetList", [])]


def _is_star(value: Node) -> bool:
    parts = value.get("ColumnRef", {}).get("fields") or value.get("A_Indirection", {}).get(
        "indirection", []
    )
    return bool(parts) and "A_Star" in parts[-1]


def _rows_of(leaf: Node, target: Target, found: Listed) -> list[list[Node]]:
    """The items of each row of a SELECT or VALUES; none of a TABLE. Raises Refusal when the place
    of tenant or owner in it cannot be told."""
    if "valuesLists" in leaf:
        rows = [row["List"]["items"] for row in leaf["valuesLists"]]
    else:
        rows = [leaf.get("targetList", [])]
    for row in rows:
        values = [item.get("ResTarget", {}).get("val", item) for item in row]
        stars = [place for place, value in enumerate(values) if _is_star(value)]
        if not stars:
            continue
        behind = any(name in found.own for name in found.columns[stars[0] :])
        if behind or "valuesLists" in leaf:
            raise _untold(target)
    if _is_table(leaf):
        if found.added:
            raise _untold(target)
        return []
    return rows


def _is_table(leaf: Node) -> bool:
    """Whether it is `TABLE x`, whose star stands nowhere."""
    entries = leaf.get("targetList", [])
    return len(entries) == 1 and entries[0]["ResTarget"].get("location") == -1


def _untold(target: Target) -> Refusal:
    columns = " and ".join(target.forced)
    return Refusal(
        UNSUPPORTED_SYNTAX,
        f"it cannot be told which value * gives to {columns}",
        "name the columns instead of *",
        table=target.name,
    )


def edit_row(target: Target, found: Listed, items: Sequence[Node], spans: Row) -> None:
    """Add the edits of one row: its own values for tenant and owner, and those that are added."""
    if len(items) != len(spans):
        raise _untold(target)
    for name, item, span in zip(found.columns, items, spans, strict=False):
        own = found.own.get(name)
        if own is None:
            continue
        result = item.get("ResTarget")
        value = result["val"] if result is not None else item
        if result is not None and "name" in result:
            span = _without_label(target, span)
        match fate(own, value):
            case "kept":
                continue
            case "replaced":
                _put(target, span, own.sql)
            case "compared":
                before, _, after = own.compared.partition(ARGUMENT)
                edits = target.statement.edits
                edits.append(Edit(span.start, span.start, before, rank=-span.end))
                edits.append(Edit(span.end, span.end, after, rank=-span.start))
    if found.added:
        end = spans[-1].end
        text = f", {_values(found)}"
        target.statement.edits.append(Edit(end, end, text, rank=_LAST))


def expected_row(found: Listed, items: Sequence[Node]) -> list[Node]:
    """What must have become of the items of one row."""
    made: list[Node] = []
    for place, item in enumerate(items):
        result = item.get("ResTarget")
        value = result["val"] if result is not None else item
        own = found.own.get(found.columns[place]) if place < len(found.columns) else None
        if own is not None:
            match fate(own, value):
                case "replaced":
                    value = own.node
                case "compared":
                    value = filled(own.compared_node, value)
                case "kept":
                    made.append(item)
                    continue
            item = value if result is None else {"ResTarget": {**result, "val": value}}
        made.append(item)
    results = bool(items) and "ResTarget" in items[0]
    made += [{"ResTarget": {"val": own.node}} if results else own.node for own in found.added]
    return made


def _expected_query(query: Node, target: Target, found: Listed) -> Node:
    if "larg" in query:
        arms = {key: _expected_query(query[key], target, found) for key in ("larg", "rarg")}
        return {**query, **arms}
    arrays = _arrays(query, target, found)
    if arrays is not None:
        count = len(found.columns)
        items = expected_row(found, [_result_of(number) for number in range(1, count + 1)])
        return {**query, "targetList": items, "fromClause": [unnested.named(arrays, count)]}
    rows = [expected_row(found, row) for row in _rows_of(query, target, found)]
    if "valuesLists" in query:
        return {**query, "valuesLists": [{"List": {"items": row}} for row in rows]}
    return {**query, "targetList": rows[0]} if rows else query


def _arrays(leaf: Node, target: Target, found: Listed) -> Node | None:
    """The unnest() whose star gives tenant or owner a value."""
    if not any(name in found.own for name in found.columns):
        return None
    return unnested.arrays(leaf, len(found.columns), target.statement.catalog)


def _result_of(number: int) -> Node:
    return {"ResTarget": {"val": grammar.parse_expression(unnested.column(number))}}


def _edit_arrays(target: Target, found: Listed, source: Node, star: Span) -> None:
    """Name the columns of unnest() in place of the star."""
    written = []
    for number, name in enumerate(found.columns, 1):
        own, column = found.own.get(name), unnested.column(number)
        written.append(column if own is None else own.compared.replace(ARGUMENT, column))
    text = ", ".join([*written, *(own.sql for own in found.added)])
    _put(target, star, text)
    call = source["functions"][0]["List"]["items"][0]["FuncCall"]
    end = call_end(target.region, call["location"] - target.statement.offset)
    alias = unnested.names(len(found.columns))
    target.statement.edits.append(Edit(end, end, alias, rank=_LAST))


def _edit_list(target: Target, source: Source, found: Listed) -> None:
    edits = target.statement.edits
    if source.columns is not None:
        if found.added:
            text = f", {_names(own.column for own in found.added)}"
            edits.append(Edit(source.columns, source.columns, text, rank=_LAST))
    elif source.defaults is None:
        text = f" ({_names(found.names)})"
        edits.append(Edit(source.target, source.target, text, rank=_LAST))


def _names(columns: Iterable[str]) -> str:
    return ", ".join(map(identifier, columns))


def _values(found: Listed) -> str:
    return ", ".join(own.sql for own in found.added)


def _put(target: Target, span: Span, text: str) -> None:
    """Replace what stands there, with the edits in it."""
    statement = target.statement
    statement.edits = [
        edit for edit in statement.edits if not span.start <= edit.start <= edit.end <= span.end
    ]
    statement.edits.append(Edit(span.start, span.end, text))


def _without_label(target: Target, span: Span) -> Span:
    """The bytes of `value` in `value AS name` and `value name`."""
    inside = [t for t in target.region.tokens if span.start <= t.start < span.end]
    if len(inside) > 1:
        inside.pop()
    if len(inside) > 1 and inside[-1].name == "AS":
        inside.pop()
    return Span(span.start, inside[-1].end)
