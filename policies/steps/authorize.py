"""authorize: which capability permits reading each entity, and how many rows may be asked for.

Relations without a capability never get this far: they have no policy view. For reading, several
capabilities add up; the record names the ones that were needed.
"""

from __future__ import annotations

from policies.statement import Statement
from policies.syscat import SYSTEM_SCHEMAS

# Introspection by drivers and ORMs reads whole catalogs; they hold nothing of the data.
CATALOG_ROWS = 10_000


def authorize(statement: Statement) -> None:
    """Fill `statement.capability` and `statement.rows`."""
    needed: dict[str, None] = {}
    permitting = [set(use.view.capabilities) for use in statement.uses if use.view.capabilities]
    for capability in (c for use in statement.uses for c in use.view.capabilities):
        if all(capability in able for able in permitting):
            needed = {capability: None}  # the first that covers everything is enough
            break
        needed.setdefault(capability)
    statement.capability = "+".join(needed)
    only_catalogs = bool(statement.uses) and all(
        use.view.relation.schema in SYSTEM_SCHEMAS for use in statement.uses
    )
    statement.rows = CATALOG_ROWS if only_catalogs else statement.budget.rows
