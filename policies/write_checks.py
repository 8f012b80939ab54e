"""Whether permissions to write fit the database: what they name is there and does what they say.

Knows rules and the catalog; statements are judged in `policies.writes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policies.catalog import Catalog, Column, Constraint, Relation
from policies.rules import RuleSet
from policies.rules_models import Capability, Entity
from policies.rules_write_checks import written
from policies.rules_writes import DeleteRule, UpdateRule
from policies.scopes import INNER, EntityError, predicate
from policies.subject import Subject
from policies.writes.keys import is_unique
from policies.writes.update import KINDS_OF_TIME

_ENFORCING: Final = {"c": "23514", "u": "23505", "p": "23505", "x": "23P01", "f": "23503"}


def enforced_by(relation: Relation, name: str) -> Constraint | None:
    """The constraint of that name, when each statement is held to it and an error of it says so."""
    for constraint in relation.constraints:
        if constraint.name == name and constraint.kind in _ENFORCING and constraint.at_once:
            return constraint
    return None


def problems(rules: RuleSet, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """(rule, message) for everything that cannot work as it is written."""
    relations = _relations(rules, catalog)
    for name, relation in relations.items():
        yield from _key(name, rules, relation, catalog)
        yield from _constraints(name, rules.entities[name], relation)
        yield from _conditions(name, rules.entities[name], relation, catalog)
    for name, capability in rules.capabilities.items():
        for entity in written(capability):
            if entity in relations:
                field = f"capabilities.{name}"
                yield from _target(field, entity, relations[entity])
                yield from _columns(field, capability, entity, rules, relations[entity])
                yield from _pointers(field, capability, entity, rules, catalog)
                yield from _rows(field, capability, entity, rules, relations[entity])
                yield from _nameless(field, capability, entity, rules, catalog)


def _relations(rules: RuleSet, catalog: Catalog) -> dict[str, Relation]:
    """Entity -> what it is in the database, of those that are there."""
    tables = rules.entity_tables()
    return {name: catalog.by_name[at] for at, name in tables.items() if at in catalog.by_name}


def _key(
    name: str, rules: RuleSet, relation: Relation, catalog: Catalog
) -> Iterator[tuple[str, str]]:
    """A key that the entity states is there, shown and unique."""
    entity = rules.entities[name]
    field, wrong = f"entities.{name}.key", False
    for column in entity.key or ():
        if relation.column(column) is None:
            wrong = True
            yield field, f'no column "{column}" in the table'
        elif rules.column_rule(name, column).kind != "show":
            wrong = True
            message = f'"{column}" is not shown as it is, so no row can be named by it'
            yield field, f"{message}; show the column, or choose another key"
    if entity.key and not wrong and not is_unique(entity.key, entity, relation, catalog):
        columns = ", ".join(entity.key)
        message = f"nothing makes ({columns}) unique, so it may name several rows"
        yield field, f"{message}; create a unique index without a condition, or choose another key"


def _constraints(name: str, entity: Entity, relation: Relation) -> Iterator[tuple[str, str]]:
    """Constraints that enforce an invariant are there and do."""
    for invariant, rule in entity.invariants.items():
        field = f"entities.{name}.invariants.{invariant}.constraint"
        if rule.constraint is None or enforced_by(relation, rule.constraint):
            continue
        named = [one for one in relation.constraints if one.name == rule.constraint]
        known = [one.name for one in relation.constraints if enforced_by(relation, one.name)]
        if not named:
            there = ", ".join(known) or "none"
            yield field, f'no constraint "{rule.constraint}" on the table; there are: {there}'
        elif named[0].kind not in _ENFORCING:
            yield field, f'"{rule.constraint}" says only that a column is not NULL; use `holds`'
        else:
            message = f'"{rule.constraint}" is not enforced when a statement ends'
            yield field, f"{message}; make it enforced, and not INITIALLY DEFERRED"


def _conditions(
    name: str, entity: Entity, relation: Relation, catalog: Catalog
) -> Iterator[tuple[str, str]]:
    """Conditions of invariants use columns of the entity and values of the subject."""
    subject = Subject(login="check", tenant="0", user_id="0")
    for invariant, rule in entity.invariants.items():
        field = f"entities.{name}.invariants.{invariant}.holds"
        if rule.holds is not None:
            try:
                predicate(field, rule.holds, relation, subject, catalog.leakproof, INNER)
            except EntityError as error:
                yield field, str(error)


def _target(field: str, name: str, relation: Relation) -> Iterator[tuple[str, str]]:
    """What is written is a table, and writing to it writes to nothing else."""
    if relation.kind not in ("r", "p"):
        yield field, f'"{name}" is not a table, and only tables can be written'
    elif relation.rewritten:
        message = f'"{name}" has rules (CREATE RULE), which turn a write into others'
        yield field, f"{message}; make them triggers"


def _columns(
    field: str, capability: Capability, name: str, rules: RuleSet, relation: Relation
) -> Iterator[tuple[str, str]]:
    """Columns that may be written are there, are visible and hold what they are given."""
    primary = relation.primary_key if rules.entities[name].key is None else ()
    for verb in ("insert", "update"):
        rule = getattr(capability, verb).get(name)
        for index, column in enumerate(rule.columns if rule is not None else ()):
            at, found = f"{field}.{verb}.{name}.columns[{index}]", relation.column(column)
            if found is None:
                yield at, f'no column "{column}" in the table'
            elif found.generated:
                yield at, f'"{column}" is generated, so nobody can write it; remove it'
            elif rules.column_rule(name, column).kind == "deny":
                denied = rules.column_rule(name, column).rule
                yield at, f'"{column}" is denied by {denied}; remove it, or list it in the entity'
            elif verb == "update" and column in primary:
                yield at, f'"{column}" is part of the primary key: a row keeps its key; remove it'


def _pointers(
    field: str, capability: Capability, name: str, rules: RuleSet, catalog: Catalog
) -> Iterator[tuple[str, str]]:
    """Foreign keys that may be written point at entities: what cannot be seen cannot be named."""
    tables, relation = rules.entity_tables(), _relations(rules, catalog)[name]
    hidden: dict[int, str] = {}
    for constraint in relation.constraints:
        target = catalog.by_oid.get(constraint.references)
        if constraint.kind == "f" and (
            target is None or (target.schema, target.name) not in tables
        ):
            hidden |= dict.fromkeys(constraint.columns, target.name if target else "a table")
    numbers = {column.name: column.number for column in relation.columns}
    for verb in ("insert", "update"):
        rule = getattr(capability, verb).get(name)
        for index, column in enumerate(rule.columns if rule is not None else ()):
            where = hidden.get(numbers.get(column, 0))
            if where is not None:
                message = f'"{column}" points at rows of {where}, which is no entity'
                way = "add it to the entities, or remove the column here"
                yield f"{field}.{verb}.{name}.columns[{index}]", f"{message}; {way}"


def _rows(
    field: str, capability: Capability, name: str, rules: RuleSet, relation: Relation
) -> Iterator[tuple[str, str]]:
    """Rows that are marked as deleted can be."""
    delete, mark = capability.delete.get(name), rules.entities[name].soft_delete
    column = relation.column(mark) if mark is not None else None
    if delete is None or delete.hard or column is None:
        return
    if column.type not in KINDS_OF_TIME or column.generated:
        message = f'DELETE sets "{column.name}" to the time, and it is {column.type}'
        way = "make it a timestamptz, timestamp or date, or permit `hard: true`"
        yield f"{field}.delete.{name}", f"{message}; {way}"


def _nameless(
    field: str, capability: Capability, name: str, rules: RuleSet, catalog: Catalog
) -> Iterator[tuple[str, str]]:
    """Rows that must be named by the primary key can be."""
    entity, relation = rules.entities[name], _relations(rules, catalog)[name]
    rows: dict[str, UpdateRule | DeleteRule | None] = {
        "update": capability.update.get(name),
        "delete": capability.delete.get(name),
    }
    verbs = [verb for verb, rule in rows.items() if rule is not None and rule.key]
    if entity.key is not None or not verbs:
        return
    primary = relation.primary_key
    hidden = [one for one in primary if rules.column_rule(name, one).kind != "show"]
    message = f'"{name}" has no primary key, so no row can be named'
    if hidden:
        message = f'"{hidden[0]}" of the primary key is not shown as it is'
    if hidden or not primary:
        way = "add `key: [<columns>]` to the entity, or say `key: false` here"
        yield from ((f"{field}.{verb}.{name}", f"{message}; {way}") for verb in verbs)


def warnings(rules: RuleSet, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """(rule, message) for what works, and may do more than meant."""
    relations = _relations(rules, catalog)
    touched: dict[str, dict[str, str]] = {}
    for name, capability in rules.capabilities.items():
        for entity in written(capability):
            if entity in relations:
                _collect(touched.setdefault(entity, {}), name, capability, entity)
                yield from _unfilled(name, capability, entity, rules, relations[entity])
    for name, columns in touched.items():
        yield from _collisions(columns, rules.entities[name], relations[name])
        yield from _triggers(name, relations[name], catalog)
    for name, capability in rules.capabilities.items():
        for entity in written(capability):
            if entity in relations:
                yield from _followers(name, capability, entity, rules, relations[entity], catalog)


def _collect(found: dict[str, str], name: str, capability: Capability, entity: str) -> None:
    """Column -> the rule that first permits to write it."""
    for verb in ("insert", "update"):
        rule = getattr(capability, verb).get(entity)
        for index, column in enumerate(rule.columns if rule is not None else ()):
            found.setdefault(column, f"capabilities.{name}.{verb}.{entity}.columns[{index}]")


def _collisions(
    columns: dict[str, str], entity: Entity, relation: Relation
) -> Iterator[tuple[str, str]]:
    """A value that may be there once in all tenants tells, when it is refused, that others have
    it."""
    if entity.tenant is None:
        return
    names = {column.number: column.name for column in relation.columns}
    over_all = {
        index.name: {names[number] for number in index.columns if number in names}
        for index in relation.indexes
        if index.unique and entity.tenant not in index.keys
    }
    for constraint in relation.constraints:
        if constraint.kind == "x":
            held = {names[number] for number in constraint.columns if number in names}
            if entity.tenant not in held:
                over_all[constraint.name] = held
    for unique, held in over_all.items():
        open_to = [column for column in columns if column in held]
        if open_to:
            yield (
                columns[open_to[0]],
                f'"{unique}" makes {", ".join(open_to)} unique in all tenants together: a value'
                f" that is refused tells that another has it; put {entity.tenant} into it",
            )


def _triggers(name: str, relation: Relation, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Triggers do what they like, with the rights of the login of the proxy at least."""
    family = [relation, *_descendants(relation, catalog)]
    found = dict.fromkeys(trigger.name for one in family for trigger in one.triggers)
    if found:
        yield (
            f"entities.{name}",
            f"writes to it fire {', '.join(found)}: what a trigger reads and writes is not limited"
            " by these rules",
        )


def _followers(
    name: str,
    capability: Capability,
    entity: str,
    rules: RuleSet,
    relation: Relation,
    catalog: Catalog,
) -> Iterator[tuple[str, str]]:
    """Foreign keys that change the rows which refer to those written, whosever they are."""
    delete, update = capability.delete.get(entity), capability.update.get(entity)
    numbers = {column.name: column.number for column in relation.columns}
    assigned = {numbers.get(column) for column in update.columns} if update is not None else set()
    removes = delete is not None and (delete.hard or rules.entities[entity].soft_delete is None)
    for other, one in catalog.referring.get(relation.oid, ()):
        changes = assigned.intersection(one.referenced) and "update" in one.follows
        verb = "delete" if removes and "delete" in one.follows else "update" if changes else ""
        following = rules.entity_of(other.schema, other.name)
        if not verb or (following is not None and following.tenant is not None):
            continue  # rows that follow are looked at when the statement runs
        why = "is refused, as they are no entity" if following is None else "is not limited"
        yield (
            f"capabilities.{name}.{verb}.{entity}",
            f'"{one.name}" has rows of {other.name} deleted or changed with the rows they refer'
            f" to, which {why}; NO ACTION refuses just those that are referred to",
        )


def _descendants(relation: Relation, catalog: Catalog) -> Iterator[Relation]:
    """Partitions and tables that inherit, at any depth."""
    for one in catalog.relations:
        if relation.oid in one.parents:
            yield one
            yield from _descendants(one, catalog)


def _unfilled(
    name: str, capability: Capability, entity: str, rules: RuleSet, relation: Relation
) -> Iterator[tuple[str, str]]:
    """Columns that every row must have and that nobody may give it."""
    rule, scopes = capability.insert.get(entity), rules.entities[entity]
    if rule is None:
        return
    filled = {*rule.columns, scopes.tenant, scopes.owner.column if scopes.owner else None}
    defaults = {default.number for default in relation.defaults}
    missing = [
        column.name
        for column in relation.columns
        if _is_needed(column) and column.name not in filled and column.number not in defaults
    ]
    if missing:
        yield (
            f"capabilities.{name}.insert.{entity}.columns",
            f"every row needs {', '.join(missing)}, which may not be given: every INSERT fails"
            " unless a trigger fills in",
        )


def _is_needed(column: Column) -> bool:
    return column.not_null and not column.generated and not column.identity
