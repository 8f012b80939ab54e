"""authorize: which capability permits reading or locking each entity, what it may be combined with,
and how many rows may be asked for.

Relations without a capability never get this far: they have no policy view. For reading, several
capabilities add up; the record names the ones that were needed.
"""

from __future__ import annotations

from policies.joins import check_joins
from policies.locks import locked
from policies.reasons import UNSUPPORTED_SYNTAX, WRITE_DISABLED, Refusal
from policies.statement import Statement
from policies.writes.permission import permit

# Introspection by drivers and ORMs reads whole catalogs; they hold nothing of the data.
CATALOG_ROWS = 10_000
_TABLES = ("r", "p")


def authorize(statement: Statement) -> None:
    """Fill `statement.capability` and `statement.rows`."""
    check_joins(statement)
    if statement.targets:
        permit(statement)
        _locked(statement)
        if statement.kind == "SelectStmt":  # it reads besides what WITH queries write
            statement.rows = statement.budget.rows
        return
    needed: dict[str, None] = {}
    locks = _locked(statement)
    named = [
        [c for c in use.view.capabilities if id(use) not in locks or c in statement.views.lockers]
        for use in statement.uses
        if use.view.capabilities
    ]
    named += [list(call.capabilities) for call in statement.reading.calls]
    for capability in (c for capabilities in named for c in capabilities):
        if all(capability in capabilities for capabilities in named):
            needed = {capability: None}  # the first that covers everything is enough
            break
        needed.setdefault(capability)
    statement.capability = "+".join(needed)
    statement.rows = CATALOG_ROWS if statement.only_catalogs else statement.budget.rows


def _locked(statement: Statement) -> set[int]:
    """id() of each use the statement locks. Raises Refusal unless a capability permits it.

    Only tables: a lock of a view reaches the tables behind it before the scopes take rows away.
    """
    if not statement.reading.locks:
        return set()
    uses = {id(use.relation.node): use for use in statement.uses}
    found = set()
    for select in statement.reading.locks:
        for clause in select["lockingClause"]:
            for relation in locked(select, clause["LockingClause"]):
                use = uses.get(id(relation))
                if use is None:
                    continue  # a WITH query, which PostgreSQL does not lock
                if statement.views.lockers.isdisjoint(use.view.capabilities):
                    raise Refusal(
                        WRITE_DISABLED,
                        f'"{use.view.name}" may not be locked: this login may only read it',
                        "leave FOR UPDATE or FOR SHARE out",
                        table=use.view.name,
                    )
                if use.view.relation.kind not in _TABLES:
                    raise Refusal(
                        UNSUPPORTED_SYNTAX,
                        f'"{use.view.name}" is not a table, and only tables can be locked here',
                        "leave FOR UPDATE or FOR SHARE out, or name the tables to lock after OF",
                        table=use.view.name,
                    )
                found.add(id(use))
    return found
