"""What must hold of a row as it was written: it stays in the subject's view, it points at rows the
subject sees, and the invariants of the capability hold.

    CASE WHEN (<scope>) IS NOT TRUE THEN <fail 0>
         WHEN (o."user_id" IS NULL OR EXISTS (SELECT ...)) IS NOT TRUE THEN <fail 1> END

is NULL for such a row and fails otherwise. It is evaluated where RETURNING is: after defaults,
triggers and generated columns have done their part.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies import grammar
from policies.catalog import Constraint, Relation
from policies.decision import Check
from policies.reasons import FIELD_NOT_ALLOWED, INVARIANT_VIOLATED, Refusal
from policies.scopes import own
from policies.sql import identifier
from policies.views import PolicyView
from policies.writes.followers import followers
from policies.writes.raising import raised
from policies.writes.target import Target, as_check

REFERENCED = "querywarden_referenced"  # the table a foreign key points at


def check_of(target: Target) -> str:
    """SQL of type int4 that is NULL or fails; "" when there is nothing to look at."""
    whens = [
        f"WHEN ({condition}) IS NOT TRUE THEN {raised(target.check(check))}"
        for condition, check in _conditions(target)
    ]
    return f"CASE {' '.join(whens)} END" if whens else ""


def _conditions(target: Target) -> Iterator[tuple[str, Check]]:
    if target.insert is not None or target.update is not None:
        if target.scope and _may_leave(target):
            yield target.scope, left(target)
        yield from references(target)
    yield from followers(target)
    yield from invariants(target)


# It stays in the subject's view.


def _may_leave(target: Target) -> bool:
    """Whether what is written can take a row out of the subject's view."""
    if target.kind != "UpdateStmt" or "onConflictClause" in target.node:
        listed = target.entity.soft_delete in target.written
        return target.entity.rows is not None or listed or is_changed(target)
    read = _columns_of(target.entity.rows) | {target.entity.soft_delete}
    generated = {c.name for c in target.relation.columns if c.generated}
    return (
        not read.isdisjoint(target.written)
        or not generated.isdisjoint((*read, *target.forced))
        or is_changed(target)
    )


def is_changed(target: Target) -> bool:
    """Whether a row may become another one on its way: by triggers of its table, a partition or
    a table that inherits."""
    return target.has_children or any(trigger.before_row for trigger in target.relation.triggers)


def _columns_of(condition: str | None) -> set[str | None]:
    if condition is None:
        return set()
    tree = grammar.parse_expression(condition)
    return {
        grammar.names(value["fields"])[-1]
        for key, value in grammar.walk({"root": tree})
        if key == "ColumnRef" and len(value["fields"]) == 1
    }


def left(target: Target) -> Check:
    refusal = Refusal(
        FIELD_NOT_ALLOWED,
        f'a row written to "{target.name}" would not be one you may see',
        "write values that keep it within what you may see",
        table=target.name,
        rule=f"entities.{target.name}",
    )
    return as_check(refusal)


# It points at rows the subject sees.


def references(target: Target) -> Iterator[tuple[str, Check]]:
    """Foreign keys look at all rows there are, so that a key of another tenant's row would be taken
    and one that does not exist refused: they look at the subject's own here, and both are refused
    in the same words."""
    numbers = {column.name: column.number for column in target.relation.columns}
    written = {numbers[name] for name in target.written if name not in target.forced}
    for constraint in target.relation.constraints:
        if constraint.kind == "f" and not written.isdisjoint(constraint.referencing):
            yield from _reference(target, constraint)


def _reference(target: Target, constraint: Constraint) -> Iterator[tuple[str, Check]]:
    views = target.statement.views
    relation = target.statement.catalog.by_oid.get(constraint.references)
    view = views.find(relation) if relation is not None else None
    if relation is None or view is None:
        columns = ", ".join(_names(target.relation, constraint.referencing))
        raise Refusal(
            FIELD_NOT_ALLOWED,
            f'column "{columns}" of "{target.name}" cannot be written: it points at hidden rows',
            f"leave {columns} out",
            table=target.name,
            column=columns,
        )
    if not view.scoped:
        return  # it sees them all, and PostgreSQL looks itself
    known = views.called(view, identifier(REFERENCED))
    own_columns = _names(target.relation, constraint.referencing)
    pairs = zip(_names(relation, constraint.referenced), own_columns, strict=True)
    same = [f"{own(there, known.inner)} = {target.own(here)}" for there, here in pairs]
    absent = [f"{target.own(column)} IS NULL" for column in own_columns]
    met = " AND ".join([*known.conditions, *same])
    found = f"EXISTS (SELECT 1 FROM {_table(known)} WHERE {met})"
    message = (
        f'insert or update on table "{target.relation.name}" violates foreign key constraint '
        f'"{constraint.name}"'
    )
    yield f"{' OR '.join(absent)} OR {found}", Check("23503", "", message)


def _names(relation: Relation, numbers: tuple[int, ...]) -> list[str]:
    by_number = {column.number: column.name for column in relation.columns}
    return [by_number[number] for number in numbers]


def _table(view: PolicyView) -> str:
    relation = view.relation
    return f"{identifier(relation.schema)}.{identifier(relation.name)} AS {view.inner}"


# The invariants hold.


def invariants(target: Target) -> Iterator[tuple[str, Check]]:
    for name in target.statement.views.capability(target.capability).invariants:
        invariant = target.entity.invariants.get(name)
        if invariant is None or invariant.holds is None:
            continue
        rule = f"entities.{target.name}.invariants.{name}"
        condition = target.statement.views.condition(
            target.view, f"{rule}.holds", invariant.holds, target.view.inner
        )
        check = Check(
            INVARIANT_VIOLATED.sqlstate,
            INVARIANT_VIOLATED.code,
            f'a row written to "{target.name}" breaks the invariant {name}',
            f"{name}: {invariant.holds}",
            table=target.name,
            rule=rule,
            invariant=name,
        )
        yield condition, check
