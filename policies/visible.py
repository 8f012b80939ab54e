"""Which policy view a relation's name stands for, for reading and for writing alike.

Knows names; knows nothing of what is done with the relation.
"""

from __future__ import annotations

from policies.grammar import Node
from policies.reasons import RELATION_NOT_ALLOWED, Refusal
from policies.statement import Statement
from policies.views import PolicyView


def visible(node: Node, statement: Statement) -> PolicyView:
    """The view of the relation a RangeVar names. Raises Refusal when the subject sees none."""
    schema, name = node.get("schemaname", ""), node["relname"]
    database = node.get("catalogname", statement.catalog.database)
    found = statement.catalog.find(schema, name) if database == statement.catalog.database else None
    view = statement.views.find(found, statement.hidden) if found is not None else None
    if view is None:
        raise no_relation(f"{schema}.{name}" if schema else name, statement)
    return view


def no_relation(written: str, statement: Statement) -> Refusal:
    """One answer for what does not exist and for what is hidden, so that it tells nothing."""
    return Refusal(
        RELATION_NOT_ALLOWED,
        f'relation "{written}" does not exist or is not visible to you',
        "visible: " + (", ".join(statement.views.names) or "nothing"),
    )
