"""Whether rules fit a database: what `querywarden check` says beyond what the file can tell."""

from __future__ import annotations

from dataclasses import dataclass

from policies import views
from policies.catalog import Catalog, Relation
from policies.rules import RuleSet

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
    errors = [Finding(field, message) for field, message in views.problems(rules, catalog)]
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
    return (*errors, *warnings)


def _indexed(relation: Relation, column: str) -> bool:
    return any(index.leading == column for index in relation.indexes)
