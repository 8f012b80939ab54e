"""confine: each relation read becomes its policy view, fenced when a condition might leak.

    FROM users u JOIN orders   ->   FROM (SELECT ... WHERE "tenant_id" = '1') u
                                    JOIN (SELECT ...) AS "orders"

The edits are made in the client's own text, at the places both parsers agree on.
"""

from __future__ import annotations

import re

from policies import dialect
from policies.grammar import Node
from policies.places import VIEW
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.sql import identifier
from policies.statement import Edit, Statement, Use

_TABLE_COMMAND = re.compile(rb"\bTABLE\s+\Z", re.IGNORECASE)


def confine(statement: Statement) -> None:
    """Add the edits that put policy views and guards in place."""
    statement.fences = statement.fences_of(statement.views_by_node)
    for use in statement.uses:
        statement.edits.append(_view_edit(use, statement))
    for guard in statement.guards:
        sql = statement.views.sight.guard(guard.kind, "\0", guard.name, guard.companion)
        before, _, after = sql.partition("\0")
        # Where several guards meet, the wider one opens first and closes last.
        statement.edits.append(Edit(guard.start, guard.start, before, rank=-guard.end))
        statement.edits.append(Edit(guard.end, guard.end, after, rank=-guard.start))


def sampled(tree: Node, sample: Node) -> Node:
    """A policy view's tree with the sampling inside."""
    (source,) = tree["fromClause"]
    return {**tree, "fromClause": [{"RangeTableSample": {**sample, "relation": source}}]}


def _sample(use: Use, sample: Node, statement: Statement) -> str:
    """The sampling as the client wrote it; it is taken out where it stood."""
    if not use.view.whole:
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f'"{use.view.name}" cannot be sampled: which of its rows are drawn depends on where '
            "rows and columns lie that you may not see",
            "use ORDER BY random() LIMIT n instead",
            table=use.view.name,
        )
    place = sample["location"] - statement.offset
    tokens = statement.tokens
    at = max(n for n, t in enumerate(tokens) if t.name == "TABLESAMPLE" and t.start < place)
    clause = dialect.sample(tokens, at)
    start, end = clause[0].start, clause[-1].end
    statement.edits.append(Edit(start, end, ""))
    return f" {statement.text[start:end].decode()}"


def _view_edit(use: Use, statement: Statement) -> Edit:
    node = use.relation.node
    if not use.view.columns:
        raise Refusal(UNSUPPORTED_SYNTAX, f'"{use.view.name}" has no visible column')
    fence = statement.fences.get(id(node))
    sample = statement.reading.samples.get(id(node))
    inner = _sample(use, sample, statement) if sample is not None else ""
    text = f"({use.view.text(fence=fence, only=not node.get('inh'))}{inner})"
    if fence is not None and fence.lateral:
        text = f"LATERAL {text}"
    if "alias" not in node:
        text += f" AS {identifier(node['relname'])}"
    command = _TABLE_COMMAND.search(statement.text, 0, use.site.start)
    if command is not None:  # TABLE x is short for SELECT * FROM x
        return Edit(command.start(), use.site.end, f"SELECT * FROM {text}", kind=VIEW)
    return Edit(use.site.start, use.site.end, text, kind=VIEW)
