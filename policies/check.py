"""Whether rules fit a database: what `querywarden check` says beyond what the file can tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policies import routines, views, write_checks
from policies.catalog import Catalog, Relation
from policies.decision import Deny
from policies.pipeline import Snapshot, decide
from policies.rules import RuleSet
from policies.rules_models import Entity
from policies.sql import identifier

# Below this many rows a sequential scan costs less than the missing index.
_LARGE = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `error`: the entity stays closed; otherwise it is a warning."""

    field: str
    message: str
    error: bool = True

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def findings(rules: RuleSet, catalog: Catalog) -> tuple[Finding, ...]:
    """Errors (rules that name what is not there, or do not fit its type), then warnings."""
    fit = (*views.problems(rules, catalog), *routines.problems(rules, catalog))
    fit = (*fit, *_joins(rules, catalog), *write_checks.problems(rules, catalog))
    fit = (*fit, *_statements(rules, catalog))
    errors = [Finding(field, message) for field, message in dict.fromkeys(fit)]
    warnings = []
    if catalog.role_is_superuser:
        warnings.append(
            Finding(
                "upstream",
                f'the role "{catalog.role}" is a superuser; connect as one that owns nothing',
                error=False,
            )
        )
    for table, name in rules.entity_tables().items():
        relation = catalog.by_name.get(table)
        tenant = rules.entities[name].tenant
        if relation is None or tenant is None:
            continue
        if relation.row_estimate >= _LARGE and not _indexed(relation, tenant):
            warnings.append(
                Finding(
                    f"entities.{name}.tenant",
                    f'no index starts with "{tenant}"; every statement reads the whole table',
                    error=False,
                )
            )
    said = (*routines.warnings(rules, catalog), *write_checks.warnings(rules, catalog))
    loud = [Finding(field, message, error=False) for field, message in said]
    return (*errors, *warnings, *_views(rules, catalog), *loud)


def _joins(rules: RuleSet, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Columns to join through that do not exist."""
    tables = {name: table for table, name in rules.entity_tables().items()}
    for name in tables:
        for other, column in sorted(rules.joins.get(name, ())):
            relation = catalog.by_name.get(tables.get(other, ("", "")))
            if relation is not None and relation.column(column) is None:
                yield f"entities.{name}.joins", f'no column "{column}" in "{other}"'


def _statements(rules: RuleSet, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Statements of the rules that are refused when whoever may call them does."""
    snapshot = Snapshot(rules, catalog, b"check", rules.text_hash)
    for name, capability in rules.capabilities.items():
        if capability.statement is None:
            continue
        able = {role for role, rule in rules.roles.items() if name in rule.can}
        caller = next((one for one in rules.subjects if able.intersection(one.roles)), None)
        subject = rules.subject(caller.login) if caller is not None else None
        if subject is None or (caller is not None and caller.assume):
            continue  # nobody can call it, or nobody knows yet for whom
        values = ", ".join("NULL" for _ in capability.statement.parameters)
        arguments = f" ({values})" if values else ""
        answer = decide(f"EXECUTE {identifier(name)}{arguments}".encode(), subject, snapshot)
        if isinstance(answer, Deny):
            said = f"refused when {subject.login} calls it: {answer.message}"
            hint = f"; {answer.hint}" if answer.hint else ""
            yield f"capabilities.{name}.statement.sql", said + hint


def _views(rules: RuleSet, catalog: Catalog) -> Iterator[Finding]:
    """What to know of entities that are views: they run with their owner's rights, so nothing of
    the rules for what they read holds inside them."""
    by_oid = {relation.oid: relation for relation in catalog.relations}
    tables = rules.entity_tables()
    for table, name in tables.items():
        relation = catalog.by_name.get(table)
        if relation is None or relation.kind not in ("v", "m"):
            continue
        field, entity = f"entities.{name}", rules.entities[name]
        behind = _behind(relation, by_oid)
        scoped = [
            tables[source.schema, source.name]
            for source in behind
            if _scopes(rules.entities.get(tables.get((source.schema, source.name), "")))
        ]
        if scoped and not _scopes(entity):
            message = f"shows rows of every tenant: it is a view of {', '.join(scoped)}"
            hint = "; give it the same scopes"
            yield Finding(field, message + hint, error=False)
        hidden = [
            f"{tables[source.schema, source.name]}.{column.name}"
            for source, numbers in behind.items()
            if (source.schema, source.name) in tables
            for column in source.columns
            if column.number in numbers
            and rules.column_rule(tables[source.schema, source.name], column.name).kind != "show"
        ]
        if hidden:
            message = f"is a view that reads {', '.join(hidden)}, hidden or masked there"
            yield Finding(field, message + "; say here what it may show of them", error=False)
        if relation.open_view:
            message = "is a view without security_barrier: conditions that might leak make"
            yield Finding(field, f"{message} PostgreSQL read all of it first", error=False)


def _behind(view: Relation, by_oid: dict[int, Relation]) -> dict[Relation, set[int]]:
    """Relations a view is made of, through other views too, and the attnums it uses of each."""
    found: dict[Relation, set[int]] = {}
    pending = list(view.reads)
    while pending:
        oid, number = pending.pop()
        source = by_oid.get(oid)
        if source is None:
            continue
        if source not in found:
            found[source] = set()
            pending += source.reads
        found[source].add(number)
    return found


def _scopes(entity: Entity | None) -> bool:
    """Whether an entity has rows that not everybody sees."""
    return entity is not None and bool(
        entity.tenant or entity.owner or entity.soft_delete or entity.rows
    )


def _indexed(relation: Relation, column: str) -> bool:
    return any(index.leading == column for index in relation.indexes)
