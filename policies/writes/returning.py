"""RETURNING: what comes back of written rows, as the subject sees them.

    RETURNING *            ->   RETURNING "u"."id", <mask of email> AS "email"
    RETURNING lower(email) ->   RETURNING lower(<mask of email>)
    RETURNING u            ->   RETURNING (SELECT "u" FROM (SELECT "u"."id", ...) AS "u") AS "u"

It is also where a row is looked at as it was written: the first result becomes
`CASE WHEN <check> IS NULL THEN result END`, and a statement without RETURNING gets one of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from policies import grammar
from policies.grammar import Node
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.scopes import own
from policies.sql import identifier, literal
from policies.statement import Edit
from policies.views import PolicyView
from policies.writes.labels import label
from policies.writes.raising import ARGUMENT
from policies.writes.spans import DOT, Region, unclear
from policies.writes.target import Target, check_column, check_readable, references

EARLIER = "querywarden_earlier"  # the written table as it was, in an image


def rows_of(target: Target) -> dict[str, PolicyView]:
    """What the written row is called: the target's alias, and old and new where there are two."""
    found, named = {target.alias: target.returned}, _versions(target)
    if target.statement.catalog.server_version >= 180000:
        views = target.statement.views
        for name in named.values():
            found.setdefault(name, _perhaps(views.called(target.view, identifier(name))))
    return found


def _perhaps(view: PolicyView) -> PolicyView:
    """The view of a row there may be none of, as the old one of an INSERT: then a column whose mask
    is a constant is NULL like the others."""
    shown = (
        text
        if f"{view.inner}." in text
        else f"CASE WHEN {_is_there(view)} THEN {view.shown[column]} END AS {identifier(column)}"
        for column, text in zip(view.columns, view.expressions, strict=True)
    )
    return replace(view, expressions=tuple(shown), _trees={})


def _is_there(view: PolicyView) -> str:
    return f"{own('tableoid', view.inner)} IS NOT NULL"


def _versions(target: Target) -> dict[str, str]:
    """What the row as it was and as it is are called, by OLD and NEW."""
    named = {"OLD": "old", "NEW": "new"}
    for option in target.node.get("returningClause", {}).get("options", []):
        entry = option["ReturningOption"]
        named[entry["option"].removeprefix("RETURNING_OPTION_")] = entry["value"]
    return named


def replaced(target: Target) -> dict[int, str]:
    """What stands for a ColumnRef of the RETURNING list instead, by id() of its node."""
    rows, found = rows_of(target), {}
    for item in _items(target):
        if spread(target, item) is None:
            for reference in references(item["val"]):
                text = _replaced(reference, target, rows)
                if text is not None:
                    found[id(reference)] = text
        _check_inside(item, target, rows)
    return found


def _replaced(reference: Node, target: Target, rows: dict[str, PolicyView]) -> str | None:
    fields = reference["fields"]
    names = grammar.names(fields)
    if "A_Star" in fields[-1]:
        if not names or names[-1] not in rows or not target.concealed:
            return None
        return _row(target, rows, names[-1])
    name = names[-1]
    view = target.returned if len(names) == 1 else rows.get(names[-2])
    if len(names) == 1 and name in rows and target.relation.column(name) is None:
        if not target.concealed:
            return None
        return _row(target, rows, name)
    if view is None:
        return None  # another relation's
    if name in view.columns and name not in view.plain:
        return view.shown[name]
    if name not in view.columns:
        check_column(target, name)
    return None


def _row(target: Target, rows: dict[str, PolicyView], name: str) -> str:
    view, alias = rows[name], identifier(name)
    whole = f"(SELECT {alias} FROM (SELECT {', '.join(view.expressions)}) AS {alias})"
    return whole if name == target.alias else f"CASE WHEN {_is_there(view)} THEN {whole} END"


def _check_inside(item: Node, target: Target, rows: dict[str, PolicyView]) -> None:
    """In a subquery the same name may mean another relation's column, so none is replaced there."""
    for key, select in grammar.walk(item["val"]):
        if key == "subselect":
            check_readable(target, select, frozenset(rows))


def _items(target: Target) -> Iterator[Node]:
    for entry in target.node.get("returningClause", {}).get("exprs", []):
        yield entry["ResTarget"]


def spread(target: Target, item: Node) -> tuple[str, ...] | None:
    """The columns a `*` of the list stands for, as SQL; None for any other item."""
    reference = item["val"].get("ColumnRef")
    if reference is None or "A_Star" not in reference["fields"][-1]:
        return None
    names = grammar.names(reference["fields"])
    if names:
        view = rows_of(target).get(names[-1])
        return view.expressions if view is not None else None
    sources = [*target.node.get("fromClause", ()), *target.node.get("usingClause", ())]
    if "sourceRelation" in target.node:  # MERGE gives those of its source first
        return (*_stars([target.node["sourceRelation"]]), *target.returned.expressions)
    return (*target.returned.expressions, *_stars(sources))


def _stars(sources: list[Node]) -> Iterator[str]:
    for source in sources:
        ((kind, node),) = source.items()
        if kind == "JoinExpr" and "alias" not in node:
            if "usingClause" in node or node.get("isNatural"):
                raise Refusal(
                    UNSUPPORTED_SYNTAX,
                    "RETURNING * of tables joined by USING or NATURAL is not supported",
                    "name the columns",
                )
            yield from _stars([node["larg"], node["rarg"]])
        elif not grammar.alias(node):
            raise Refusal(UNSUPPORTED_SYNTAX, "RETURNING * cannot be spread", "name the columns")
        else:
            yield f"{identifier(grammar.alias(node))}.*"


# The list as it will be, for the edits and for the proof.


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the new list: the client's own `node`, or SQL that stands alone. `label`: the
    name its column goes by, "" when that cannot be told; `named`: whether it is written."""

    node: Node | None
    text: str
    label: str
    named: bool


def results(target: Target) -> list[Item]:
    """The items of the new list, without the check."""
    found = []
    for item in _items(target):
        texts = spread(target, item)
        if texts is None:
            found.append(Item(item, "", _label(item), "name" in item))
        else:
            found.extend(_spread_item(text) for text in texts)
    return found


def _spread_item(text: str) -> Item:
    _, node = grammar.parse_one(f"SELECT {text}")
    (entry,) = node["targetList"]
    return Item(None, text, _label(entry["ResTarget"]), "name" in entry["ResTarget"])


def _label(item: Node) -> str:
    if "name" in item:
        return str(item["name"])
    return label(item["val"])


def labelled(item: Item, instead: dict[int, str], checked: bool) -> bool:
    """Whether the item's column must be given its name anew."""
    if item.named or not item.label:
        return False
    return checked or (item.node is not None and label(item.node["val"], instead) != item.label)


def carrying(check: str, inner: str) -> str:
    """A result that comes only when the check finds nothing."""
    return f"CASE WHEN ({check}) IS NULL THEN ({inner}) END"


# Edits.


def rewrite(target: Target, check: str, image: str) -> None:
    """Add the edits of the RETURNING clause. `check`: SQL that is NULL or fails, "" for none;
    `image`: SQL of one more result, "" for none."""
    parts, statement = target.region, target.statement
    if "returningClause" not in target.node:
        own = ", ".join(filter(None, own_results(check, image)))
        if own:
            end = parts.end
            statement.edits.append(Edit(end, end, f"\nRETURNING {own}", rank=1 << 38))
        return
    instead, found = replaced(target), results(target)
    around = watched(target, found) if check else -1
    numbers = iter(enumerate(found))
    for item in _items(target):
        start = parts.at(item["location"] - statement.offset)
        end = parts.item_end(start)
        texts = spread(target, item)
        if texts is None:
            number, known = next(numbers)
            checked = number == around
            last = _expression_end(parts, start, end, item)
            begin = parts.start_of(start)
            if checked:
                before, _, after = carrying(check, ARGUMENT).partition(ARGUMENT)
                statement.edits.append(Edit(begin, begin, before, rank=-(1 << 38)))
                statement.edits.append(Edit(last, last, f"\n{after}", rank=1 << 37))
            if labelled(known, instead, checked):
                label = f" AS {identifier(known.label)}"
                statement.edits.append(Edit(last, last, label, rank=1 << 38))
            continue
        written = []
        for _ in texts:
            number, known = next(numbers)
            written.append(alone(known, check if number == around else ""))
        begin, last = parts.start_of(start), parts.before(end)
        statement.edits.append(Edit(begin, last, ", ".join(written)))
    for key, reference in grammar.walk(target.node["returningClause"]):
        if key == "ColumnRef" and id(reference) in instead:
            begin, last = _name_span(target, reference)
            statement.edits.append(Edit(begin, last, instead[id(reference)]))
    if image:
        end = parts.end
        statement.edits.append(Edit(end, end, f", {image}", rank=1 << 39))


def own_results(check: str, image: str) -> tuple[str, ...]:
    """What is returned when the client asks for nothing."""
    if check and image:
        return (carrying(check, image),)
    return (check or image,)


def alone(item: Item, check: str) -> str:
    if not check:
        return item.text
    inner = item.text.removesuffix(f" AS {identifier(item.label)}")
    return f"{carrying(check, inner)} AS {identifier(item.label)}"


def _expression_end(parts: Region, start: int, end: int, item: Node) -> int:
    """Where an item's expression ends, in front of its name."""
    if "name" not in item:
        return parts.before(end)
    last = end - 1 if parts.tokens[end - 2].name != "AS" else end - 2
    if last <= start:
        raise unclear()
    return parts.before(last)


def _name_span(target: Target, reference: Node) -> tuple[int, int]:
    """Byte range of a column's name with what qualifies it, but for a schema that goes anyway."""
    parts = target.region
    at = parts.at(reference["location"] - target.statement.offset)
    last = at
    while last + 2 < len(parts.tokens) and parts.tokens[last + 1].name == DOT:
        last += 2
    begin = parts.start_of(at)
    gone = [edit.end for edit in target.statement.edits if edit.start == begin and not edit.text]
    return max([begin, *gone]), parts.tokens[last].end


def watched(target: Target, found: list[Item]) -> int:
    """Which item the check goes around. Raises Refusal."""
    for number, item in enumerate(found):
        if item.label:
            return number
    raise Refusal(
        UNSUPPORTED_SYNTAX,
        f'rows written to "{target.name}" are checked, and no result here can carry that',
        "name a result of RETURNING with AS",
    )


def image_of(target: Target) -> str:
    """The written row as it was and as it is, as JSON text, with the columns the subject sees; ""
    when its capability wants none.

    Before PostgreSQL 18 the row as it was is looked up by its key: a subquery sees the table as it
    was when the statement began.
    """
    if not target.statement.views.capability(target.capability).images:
        return ""
    deleted = target.kind == "DeleteStmt" and not target.marks
    parts = []
    if deleted:
        parts.append(f"'before', {_object(target.view)}")
    elif target.kind != "InsertStmt" or "onConflictClause" in target.node:
        parts.append(f"'before', {_before(target)}")
    if not deleted:
        parts.append(f"'after', {_object(target.view)}")
    return f"pg_catalog.jsonb_build_object({', '.join(parts)})::pg_catalog.text"


def _before(target: Target) -> str:
    views = target.statement.views
    if target.statement.catalog.server_version >= 180000:
        old = views.called(target.view, identifier(_as_it_was(target)))
        made = "onConflictClause" in target.node or target.kind == "MergeStmt"
        if not made or not target.key:
            return _object(old)
        return f"CASE WHEN {own(target.key[0], old.inner)} IS NOT NULL THEN {_object(old)} END"
    if not target.key:
        return "NULL"
    old = views.called(target.view, identifier(EARLIER))
    pairs = (f"{own(c, old.inner)} = {target.own(c)}" for c in target.key)
    same = " AND ".join((*old.conditions, *pairs))
    table = f"{identifier(target.relation.schema)}.{identifier(target.relation.name)}"
    return f"(SELECT {_object(old)} FROM {table} AS {old.inner} WHERE {same})"


def _as_it_was(target: Target) -> str:
    """What the row as it was is called. A table of the statement that has this name would take its
    place in the record."""
    name = _versions(target)["OLD"]
    for _, value in grammar.walk(target.node):
        if isinstance(value, dict) and grammar.alias(value) == name:
            raise Refusal(
                UNSUPPORTED_SYNTAX,
                f'rows written to "{target.name}" are recorded as they were, as "{name}": nothing '
                "else can be called so",
                f"give it another name than {name}",
                table=target.name,
            )
    return name


def _object(view: PolicyView) -> str:
    # A function takes 100 arguments at most.
    columns = list(zip(view.columns, (view.shown[c] for c in view.columns), strict=True))
    objects = []
    for first in range(0, len(columns), 40):
        pairs = ", ".join(f"{literal(name)}, {sql}" for name, sql in columns[first : first + 40])
        objects.append(f"pg_catalog.jsonb_build_object({pairs})")
    return " || ".join(objects)
