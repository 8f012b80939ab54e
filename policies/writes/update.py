"""UPDATE and DELETE: the target keeps its name, and WHERE what only the subject's rows can meet.

    UPDATE users SET role = 'x' WHERE id = 5 AND bio LIKE '%y%'
    ->  UPDATE "public"."users" SET role = 'x' WHERE "users"."tenant_id" = '1' AND "users"."id" = 5
        AND CASE WHEN "users"."tenant_id" = '1' THEN (id = 5 AND bio LIKE '%y%') ELSE false END

Conditions are ordered by cost, so a cheap one of the client's would run on rows of others first;
inside CASE it waits. When all of them are leakproof there is no CASE.
"""

from __future__ import annotations

from policies import grammar
from policies.decision import Check
from policies.functions import INCOMPARABLE
from policies.grammar import Node
from policies.reasons import (
    FIELD_NOT_ALLOWED,
    MAX_AFFECTED_ROWS_EXCEEDED,
    QUERY_TOO_BROAD,
    UNSUPPORTED_SYNTAX,
    Refusal,
)
from policies.rules_writes import MAX_COPIED
from policies.sql import identifier
from policies.statement import Edit
from policies.writes import keys
from policies.writes.raising import ARGUMENT, is_plain, only, unchanged, unmasked
from policies.writes.spans import EQUALS, unclear
from policies.writes.target import Demand, Target, as_check, check_readable, moved

EXCLUDED = "excluded"  # what ON CONFLICT calls the row that was to be inserted
KINDS_OF_TIME = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})


# What it demands.


def demands_update(target: Target) -> tuple[Demand, ...]:
    """What a capability must permit for an UPDATE."""
    columns = [entry["ResTarget"]["name"] for entry in target.node["targetList"]]
    return (Demand("update", assigned(target, columns)),)


def demands_delete(target: Target) -> tuple[Demand, ...]:
    """What a capability must permit for a DELETE."""
    return (Demand("delete"),)


def assigned(target: Target, columns: list[str]) -> tuple[str, ...]:
    """Those of the columns a rule must name: the subject's own values go without saying."""
    for name in columns:
        target.column(name)
    return tuple(dict.fromkeys(name for name in columns if name not in target.forced))


# Rows named by their key.


def bound_rows(target: Target) -> None:
    """Fill `target.bound`. Raises Refusal when rows must be named by their key and are not, or when
    more of them are named than may be written."""
    rule = target.update or target.delete
    if rule is None:
        raise unclear()
    found = keys.named(target.node.get("whereClause"), target.key, target.alias)
    if found is None and rule.key:
        names = ", ".join(target.key)
        hint = (
            f"add a condition like {names} = $1 for each of: {names}"
            if names
            else ("the table has no primary key: the rules must say which columns are its key")
        )
        verb = "update" if target.update is not None else "delete"
        raise Refusal(
            QUERY_TOO_BROAD,
            f'rows of "{target.name}" must be named by their key here, with values',
            hint,
            table=target.name,
            rule=f"capabilities.{target.capability}.{verb}.{target.name}.key",
        )
    target.bound = found.count if found is not None and target.key_is_unique else None
    check_bound(target)


def check_bound(target: Target) -> None:
    """Refuse a statement that names more rows than it may write."""
    most, stated = most_rows(target)
    if target.bound is None or target.bound <= most:
        return
    raise Refusal(
        MAX_AFFECTED_ROWS_EXCEEDED,
        f'the statement would write {target.bound} rows of "{target.name}", at most {most} '
        f"{'is' if most == 1 else 'are'} allowed",
        f"write fewer rows at a time; or have {stated} raised in the rules",
        table=target.name,
        rule=stated,
    )


def most_rows(target: Target) -> tuple[int, str]:
    """The rows a statement may write, and where they are, or would be, stated: the least of what
    its actions may."""
    rules = {"insert": target.insert, "update": target.update, "delete": target.delete}
    unsaid = MAX_COPIED if target.kind == "CopyStmt" else target.statement.budget.affected
    limits = [(rule.rows or unsaid, verb) for verb, rule in rules.items() if rule is not None]
    most, verb = min(limits, default=(unsaid, "insert"))
    return most, f"capabilities.{target.capability}.{verb}.{target.name}.rows"


# WHERE.


def condition_of(target: Target, own: Node | None) -> str:
    """The template of WHERE, with ARGUMENT for the client's `own` condition; "" when it stays."""
    scope = target.scope
    if not scope:
        return ""
    if own is None:
        return scope
    fence = target.statement.fences.get(id(target.node["relation"]))
    if fence is None:
        return f"{scope} AND ({ARGUMENT})"
    copied = "".join(f" AND {condition}" for condition in fence.conditions)
    return f"{scope}{copied} AND CASE WHEN {scope} THEN ({ARGUMENT}) ELSE false END"


def edit_condition(target: Target) -> None:
    """Add the edits of WHERE."""
    own = target.node.get("whereClause")
    template = condition_of(target, own)
    if not template:
        return
    parts, edits = target.region, target.statement.edits
    returning = parts.find("RETURNING")
    end = parts.before(returning)
    if own is None:
        edits.append(Edit(end, end, f"\nWHERE {template}"))
        return
    where = parts.find("WHERE")
    if where is None:
        raise unclear()
    before, _, after = template.partition(ARGUMENT)
    begin = parts.tokens[where].end
    edits.append(Edit(begin, begin, f" {before}"))
    edits.append(Edit(end, end, f"\n{after}"))


# SET.


def check_assignments(target: Target, entries: list[Node]) -> None:
    """Note the columns an assignment list writes; refuse those that may not be written."""
    seen: set[int] = set()
    for entry in entries:
        value = entry["ResTarget"]
        name = value["name"]
        target.written[name] = None
        _check_assigned(target, value)
        source = value.get("val", {}).get("MultiAssignRef", {}).get("source")
        parts = [value.get("indirection", []), value.get("val", {})]
        if source is not None and id(source) in seen:
            continue
        seen.add(id(source))
        check_readable(target, parts)


def proposed(target: Target, value: Node) -> str | None:
    """The column x that a value is as `excluded.x` of ON CONFLICT; None for any other value."""
    names = grammar.names(value.get("ColumnRef", {}).get("fields", []))
    ours = target.kind == "InsertStmt" and len(names) == 2 and names[0] == EXCLUDED
    return names[1] if ours else None


def _is_repeatable(target: Target, value: Node) -> bool:
    """Whether a value may stand in a statement twice."""
    return is_plain(value) or proposed(target, value) is not None


def _check_assigned(target: Target, entry: Node) -> None:
    name, value = entry["name"], entry.get("val", {})
    rule = target.update
    if name in target.forced and name not in target.key:
        if "indirection" in entry or not _is_repeatable(target, value):
            raise moved(target, name)
        return
    if name in target.key:
        if proposed(target, value) != name or "indirection" in entry:
            raise _not_assignable(target, name, "it is the key")
        return
    permitted = rule is not None and name in rule.columns
    if not permitted and not (rule is not None and rule.whole_rows):
        raise _not_assignable(target, name, "the rules do not permit it")
    column = target.column(name)
    if "indirection" in entry and (name in target.masked or not permitted):
        raise _not_assignable(target, name, "a part of it cannot be")
    if name in target.masked and not _is_repeatable(target, value) and "SetToDefault" not in value:
        raise Refusal(
            FIELD_NOT_ALLOWED,
            f'column "{name}" of "{target.name}" is masked, and gets plain values only',
            "write a constant or a parameter",
            table=target.name,
            column=name,
        )
    kind = column.type.removesuffix("[]")
    if not permitted and (not _is_repeatable(target, value) or kind in INCOMPARABLE):
        raise _not_assignable(target, name, "the rules do not permit it")


def _not_assignable(target: Target, name: str, why: str) -> Refusal:
    rule = target.update
    permitted = [c for c in rule.columns if c in target.view.columns] if rule is not None else []
    return Refusal(
        FIELD_NOT_ALLOWED,
        f'column "{name}" of "{target.name}" cannot be written: {why}',
        f"leave it out; what may be written here: {', '.join(permitted) or 'nothing'}",
        table=target.name,
        column=name,
    )


def value_of(target: Target, entry: Node) -> str:
    """The template of what is assigned, with ARGUMENT for the client's value; "" when it stays."""
    name, value = entry["name"], entry.get("val", {})
    if not _is_repeatable(target, value):
        return ""
    own = target.own(name)
    forced = target.forced.get(name)
    kind = target.column(name).type
    if forced is not None:
        return only(forced, target.forced_check(name), kind)
    rule = target.update
    shown = target.view.shown[name]
    if name in target.key or (rule is not None and name not in rule.columns):
        number = target.check(_unwritable(target, name))
        return unchanged(shown, own, number, kind)
    return unmasked(shown, own) if name in target.masked else ""


def _unwritable(target: Target, name: str) -> Check:
    refusal = _not_assignable(target, name, "it can only stay what it is")
    refusal.rule = f"capabilities.{target.capability}.update.{target.name}.columns"
    return as_check(refusal)


def edit_assignments(target: Target, entries: list[Node]) -> None:
    """Add the edits of an assignment list."""
    parts, statement = target.region, target.statement
    for entry in entries:
        template = value_of(target, entry["ResTarget"])
        if not template:
            continue
        at = parts.at(entry["ResTarget"]["location"] - statement.offset)
        equals = parts.find(EQUALS, after=at)
        if equals is None or equals != at + 1:
            raise unclear()
        end = parts.item_end(equals + 1, "FROM", "WHERE", "RETURNING", "WHEN")
        begin, last = parts.start_of(equals + 1), parts.before(end)
        own = statement.text[begin:last].decode() + "\n"
        statement.edits.append(Edit(begin, last, template.replace(ARGUMENT, own)))


# The target's name, and DELETE that marks.


def edit_name(target: Target) -> None:
    """Write the target with its schema, and a DELETE that only marks rows as the UPDATE it is."""
    statement, parts = target.statement, target.region
    relation = target.node["relation"]
    name = f"{identifier(target.relation.schema)}.{identifier(target.relation.name)}"
    only_it = "" if relation.get("inh") else "ONLY "
    start, end = target.site.start, target.site.end
    if not target.marks:
        statement.edits.append(Edit(start, end, f"{only_it}{name}"))
        return
    verb = [t for t in statement.tokens if t.start < start and t.name in ("DELETE_P", "FROM")][-2:]
    if [token.name for token in verb] != ["DELETE_P", "FROM"]:
        raise unclear()
    statement.edits.append(Edit(verb[0].start, end, f"UPDATE {only_it}{name}"))
    using = parts.find("USING")
    rest = [n for n in (using, parts.find("WHERE"), parts.find("RETURNING")) if n is not None]
    place = parts.before(rest[0] if rest else None)
    statement.edits.append(Edit(place, place, f" SET {marking(target)}", rank=-1))
    if using is not None:
        token = parts.tokens[using]
        statement.edits.append(Edit(token.start, token.end, "FROM"))


def marking(target: Target) -> str:
    """The assignment that marks a row as deleted."""
    column = target.relation.column(target.entity.soft_delete or "")
    if column is None or column.type not in KINDS_OF_TIME:
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f'rows of "{target.name}" cannot be marked as deleted: the column for it holds no time',
            "ask whoever keeps the rules to run: querywarden check",
            table=target.name,
        )
    return f"{identifier(column.name)} = CURRENT_TIMESTAMP"
