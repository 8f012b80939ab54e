"""ON CONFLICT: what an INSERT does with rows that are there already.

    ... ON CONFLICT (id) DO UPDATE SET note = excluded.note WHERE o.n > 1
    ->  ... WHERE o."tenant_id" = '7' AND CASE WHEN o."tenant_id" = '7' THEN (o.n > 1)
        ELSE false END

The arbiter looks at the rows of all tenants; one of another's that is met stays as it is.
"""

from __future__ import annotations

from policies import grammar
from policies.grammar import Node
from policies.reasons import FIELD_NOT_ALLOWED, UNSUPPORTED_SYNTAX, Refusal
from policies.statement import Edit
from policies.writes import update
from policies.writes.raising import ARGUMENT
from policies.writes.spans import Region, unclear
from policies.writes.target import Demand, Target, check_readable, references


def assignments(target: Target) -> list[Node]:
    """The assignments of DO UPDATE; none without."""
    clause = target.node.get("onConflictClause", {})
    entries: list[Node] = clause.get("targetList", [])
    return entries


def demands_conflict(target: Target) -> tuple[Demand, ...]:
    """What a capability must permit for ON CONFLICT."""
    entries = [entry["ResTarget"] for entry in assignments(target)]
    if not entries:
        return ()
    columns = update.assigned(target, [entry["name"] for entry in entries])
    return (Demand("update", tuple(name for name in columns if name not in target.key)),)


def edit_conflict(target: Target) -> None:
    """Add the edits of ON CONFLICT. Raises Refusal."""
    clause = target.node.get("onConflictClause")
    if clause is None:
        return
    _check_arbiter(target, clause.get("infer", {}))
    if clause["action"] != "ONCONFLICT_UPDATE":
        return
    entries = assignments(target)
    update.check_assignments(target, entries)
    check_readable(target, clause.get("whereClause", {}))
    _check_excluded(target, [entries, clause.get("whereClause", {})])
    update.edit_assignments(target, entries)
    _edit_condition(target, clause)


def condition_of(target: Target, own: Node | None) -> str:
    """The template of DO UPDATE's WHERE, with ARGUMENT for the client's; "" when it stays."""
    scope = target.scope
    if own is None or not scope:
        return scope
    return f"{scope} AND CASE WHEN {scope} THEN ({ARGUMENT}) ELSE false END"


def _edit_condition(target: Target, clause: Node) -> None:
    own = clause.get("whereClause")
    template = condition_of(target, own)
    if not template:
        return
    parts, edits = target.region, target.statement.edits
    at = parts.at(clause["location"] - target.statement.offset)
    do = parts.find("DO", "UPDATE", after=at)
    if do is None:
        raise unclear()
    end = parts.before(parts.find("RETURNING", after=do))
    if own is None:
        edits.append(Edit(end, end, f"\nWHERE {template}", rank=1))
        return
    before, _, after = template.partition(ARGUMENT)
    begin = _where(parts, do)
    edits.append(Edit(begin, begin, f" {before}"))
    edits.append(Edit(end, end, f"\n{after}", rank=1))


def _where(parts: Region, after: int) -> int:
    """Where the word WHERE ends."""
    where = parts.find("WHERE", after=after)
    if where is None:
        raise unclear()
    return parts.tokens[where].end


def _check_arbiter(target: Target, infer: Node) -> None:
    """What says which rows conflict names nothing hidden."""
    if "conname" in infer:
        relation, sight = target.relation, target.statement.views.sight
        if (relation.schema, relation.name, infer["conname"]) not in sight.constraint_names:
            raise Refusal(
                FIELD_NOT_ALLOWED,
                f'constraint "{infer["conname"]}" for table "{relation.name}" does not exist or is '
                "not visible to you",
                "name the columns: ON CONFLICT (column, ...)",
                table=target.name,
            )
    for entry in infer.get("indexElems", []):
        element = entry["IndexElem"]
        if element.keys() - {"name", "ordering", "nulls_ordering"}:
            raise Refusal(
                UNSUPPORTED_SYNTAX,
                "ON CONFLICT takes names of columns here, and nothing else",
                "name the columns, or the constraint: ON CONFLICT ON CONSTRAINT name",
            )
        target.column(element["name"])
    check_readable(target, infer.get("whereClause", {}))


def _check_excluded(target: Target, parts: list[Node | list[Node]]) -> None:
    """Refuse what could read a hidden column of the row that was to be inserted: its default, or
    what a trigger put there."""
    for reference in references(parts):
        names, star = grammar.names(reference["fields"]), "A_Star" in reference["fields"][-1]
        whole = names[-1:] == (update.EXCLUDED,) and (star or len(names) == 1)
        if whole and target.concealed:
            raise Refusal(
                FIELD_NOT_ALLOWED,
                f'whole rows of "{update.EXCLUDED}" cannot be read: not all of it may be seen',
                "name the columns",
                table=target.name,
            )
        if len(names) > 1 and names[-2] == update.EXCLUDED and not star:
            rule = target.insert
            if rule is None or names[-1] not in rule.columns:
                target.column(names[-1])
