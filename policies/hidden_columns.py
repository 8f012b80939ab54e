"""Columns every table has without showing them, where a statement names them of a system table.

    SELECT c.tableoid, c.relname FROM pg_class c   ->   {"tableoid"}

A derived table has no such columns, so views of system tables get those that are named. They would
then be in `*` and in whole rows too: statements with both are refused.
"""

from __future__ import annotations

from policies import grammar
from policies.catalog import Catalog
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.statement import Reading
from policies.syscat import HIDDEN_COLUMNS, SYSTEM_SCHEMAS


def named(reading: Reading, node: grammar.Node, catalog: Catalog) -> frozenset[str]:
    """The hidden columns a statement names. Raises Refusal when its stars would show them."""
    if not any(parts and parts[-1] in HIDDEN_COLUMNS for parts in reading.columns):
        return frozenset()
    system = _system_tables(reading, catalog)
    # A bare name may be of any table there is.
    owners = {"", *system} if system else set()
    found = {
        parts[-1]
        for parts in reading.columns
        if parts and parts[-1] in HIDDEN_COLUMNS and "".join(parts[-2:-1]) in owners
    }
    if found and (_whole(reading, system) or _star(node, owners)):
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f"{', '.join(sorted(found))} beside * is not supported",
            "name the columns",
        )
    return frozenset(found)


def _system_tables(reading: Reading, catalog: Catalog) -> set[str]:
    """What the statement calls the system tables it reads."""
    found = set()
    for relation in reading.relations:
        node = relation.node
        known = catalog.find(node.get("schemaname", ""), node["relname"])
        if known is not None and not relation.with_query and known.schema in SYSTEM_SCHEMAS:
            found.add(grammar.alias(node))
    return found


def _whole(reading: Reading, system: set[str]) -> bool:
    return any(len(parts) == 1 and parts[0] in system for parts in reading.columns)


def _star(node: grammar.Node, owners: set[str]) -> bool:
    for key, column in grammar.walk(node):
        if key == "ColumnRef" and "A_Star" in column["fields"][-1]:
            parts = grammar.names(column["fields"])
            if (parts[-1] if parts else "") in owners:
                return True
    return False
