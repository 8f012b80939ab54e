"""Rows that change along with the one written: by a foreign key with ON DELETE CASCADE, SET NULL
and the like, or ON UPDATE. PostgreSQL changes them whosever they are.

    DELETE FROM users WHERE id = 5     where orders.user_id cascades
    ->  fails when EXISTS (an order of user 5 that is another tenant's)

A table the rules do not list says of no row whose it is: what would change it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.catalog import Constraint, Relation
from policies.decision import Check
from policies.reasons import FIELD_NOT_ALLOWED, Refusal
from policies.scopes import own
from policies.sql import identifier, literal
from policies.writes.target import Target, as_check

FOLLOWER = identifier("querywarden_follower")


def followers(target: Target) -> Iterator[tuple[str, Check]]:
    """What must hold of the rows that follow, as SQL, and what is said when it does not."""
    for relation, constraint in target.statement.catalog.referring.get(target.relation.oid, ()):
        if _changes(target, constraint):
            yield from _follow(target, relation, constraint)


def _changes(target: Target, constraint: Constraint) -> bool:
    if "delete" in constraint.follows and target.removes:
        return True
    numbers = {column.number for column in target.relation.columns if column.name in target.written}
    updated = target.update is not None and not numbers.isdisjoint(constraint.referenced)
    return updated and "update" in constraint.follows


def _follow(
    target: Target, relation: Relation, constraint: Constraint
) -> Iterator[tuple[str, Check]]:
    entity = target.statement.views.listed(relation)
    if entity is None:
        raise _elsewhere(target)
    tenant = target.statement.subject.tenant
    if entity.tenant is None or tenant is None:
        return  # shared: nobody's rows in particular
    names = {column.number: column.name for column in relation.columns}
    there = [own(names[number], FOLLOWER) for number in constraint.referencing]
    known = {column.number: column.name for column in target.relation.columns}
    here = [target.own(known[number]) for number in constraint.referenced]
    same = [f"{one} = {other}" for one, other in zip(there, here, strict=True)]
    foreign = f"({own(entity.tenant, FOLLOWER)} = {literal(tenant)}) IS NOT TRUE"
    table = f"{identifier(relation.schema)}.{identifier(relation.name)} AS {FOLLOWER}"
    found = f"NOT EXISTS (SELECT 1 FROM {table} WHERE {' AND '.join([*same, foreign])})"
    yield found, as_check(_elsewhere(target))


def _elsewhere(target: Target) -> Refusal:
    return Refusal(
        FIELD_NOT_ALLOWED,
        f'a row of "{target.name}" cannot be written: rows you may not change would change with it',
        "ask whoever keeps the rules to run: querywarden check",
        table=target.name,
    )
