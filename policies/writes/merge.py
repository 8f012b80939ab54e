"""MERGE: each of its actions is an INSERT, UPDATE or DELETE, of rows the subject may touch.

    MERGE INTO orders o USING s ON o.id = s.id WHEN MATCHED THEN DELETE
    WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)
    ->  MERGE INTO "public"."orders" o USING s ON o."tenant_id" = '7' AND (o.id = s.id)
        WHEN MATCHED THEN DELETE
        WHEN NOT MATCHED THEN INSERT (id, "tenant_id") VALUES (s.id, CAST('7' AS integer))

With the scopes in ON, rows of others match nothing. Rows that no source row matches would be those
of others too, so what MERGE does with them is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policies import grammar
from policies.grammar import Node
from policies.reasons import QUERY_TOO_BROAD, UNSUPPORTED_SYNTAX, Refusal
from policies.sql import identifier
from policies.statement import Edit
from policies.writes import update
from policies.writes.insert import Listed, check_overriding, edit_row, expected_row, given, with_own
from policies.writes.raising import ARGUMENT
from policies.writes.sources import Span, closing, values_row, word
from policies.writes.spans import Region, unclear
from policies.writes.target import Demand, Target, check_readable

_RETURNING = 170000  # the first PostgreSQL whose MERGE gives rows back


@dataclass(frozen=True, slots=True)
class Action:
    """The token at which a WHEN clause's action begins, and the one behind it."""

    start: int
    end: int


def clauses(target: Target) -> Iterator[Node]:
    """The WHEN clauses."""
    for entry in target.node["mergeWhenClauses"]:
        yield entry["MergeWhenClause"]


def demands_merge(target: Target) -> tuple[Demand, ...]:
    """What a capability must permit for a MERGE. Raises Refusal."""
    found = [Demand("merge")]
    for clause in clauses(target):
        if clause["matchKind"] == "MERGE_WHEN_NOT_MATCHED_BY_SOURCE":
            raise Refusal(
                UNSUPPORTED_SYNTAX,
                "WHEN NOT MATCHED BY SOURCE is not supported: it acts on all rows there are",
                "send an UPDATE or DELETE of its own",
            )
        match clause["commandType"]:
            case "CMD_INSERT":
                found.append(Demand("insert", _given(target, clause)))
            case "CMD_UPDATE":
                names = [entry["ResTarget"]["name"] for entry in clause["targetList"]]
                found.append(Demand("update", update.assigned(target, names)))
            case "CMD_DELETE":
                found.append(Demand("delete"))
            case "CMD_NOTHING":
                continue
            case _:
                raise unclear()
    return tuple(found)


def listed_of(target: Target, clause: Node) -> Listed:
    """The columns of an INSERT among the actions. Raises Refusal."""
    entries = [entry["ResTarget"] for entry in clause.get("targetList", [])]
    if any("indirection" in entry for entry in entries):
        raise Refusal(UNSUPPORTED_SYNTAX, "parts of a column cannot be inserted here")
    columns = tuple(entry["name"] for entry in entries)
    return with_own(target, columns or target.view.columns[: len(clause.get("values", []))])


def _given(target: Target, clause: Node) -> tuple[str, ...]:
    values = [clause["values"]] if "values" in clause else []
    return given(target, listed_of(target, clause), values)


def marks(target: Target, clause: Node) -> bool:
    """Whether a DELETE among the actions marks rows in place of removing them."""
    return clause["commandType"] == "CMD_DELETE" and target.keeps_rows


def check_merge(target: Target) -> None:
    """Note the columns written; refuse what may not be done. Raises Refusal."""
    condition, found = target.node["joinCondition"], list(clauses(target))
    check_readable(target, [condition, *(clause.get("condition", {}) for clause in found)])
    _check_key(target, condition)
    for clause in found:
        if clause["commandType"] == "CMD_UPDATE":
            update.check_assignments(target, clause["targetList"])
        elif clause["commandType"] == "CMD_INSERT":
            check_readable(target, clause.get("values", []))
            check_overriding(target, listed_of(target, clause), clause)
            target.written.update(dict.fromkeys(_given(target, clause)))


def _check_key(target: Target, condition: Node) -> None:
    """Rows that are changed are named by their key, where the rules want it."""
    rules = (target.update, target.delete)
    if not any(rule is not None and rule.key for rule in rules):
        return
    named = {c for one in grammar.conjuncts(condition) for c in _equated(one, target.alias)}
    if target.key and named.issuperset(target.key):
        return
    names = ", ".join(f"{target.alias}.{column}" for column in target.key)
    raise Refusal(
        QUERY_TOO_BROAD,
        f'rows of "{target.name}" must be matched by their key here',
        f"compare the whole key in ON, with =: {names or 'the table has none'}",
        table=target.name,
    )


def _equated(condition: Node, alias: str) -> Iterator[str]:
    """The column of the target that must equal something which is not of the target."""
    node = condition.get("A_Expr", {})
    if node.get("kind") != "AEXPR_OP" or grammar.names(node["name"]) != ("=",):
        return
    sides = (node.get("lexpr", {}), node["rexpr"])
    for own, other in (sides, sides[::-1]):
        parts = grammar.names(own.get("ColumnRef", {}).get("fields", []))
        theirs = [v for k, v in grammar.walk({"x": other}) if k == "ColumnRef"]
        plain = all(len(v["fields"]) > 1 for v in theirs)
        apart = all(grammar.names(v["fields"])[-2:-1] != (alias,) for v in theirs)
        if len(parts) == 2 and parts[0] == alias and plain and apart:
            yield parts[1]


def check_returned(target: Target, check: str, image: str) -> None:
    """Refuse a MERGE whose rows cannot be looked at as they were written."""
    if not (check or image):
        return
    marked = any(marks(target, clause) for clause in clauses(target))
    if target.statement.catalog.server_version < _RETURNING or (check and marked):
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f'rows written to "{target.name}" are checked, which MERGE cannot do here',
            "send INSERT ... ON CONFLICT, UPDATE and DELETE instead",
            table=target.name,
        )


# Edits.


def edit_merge(target: Target) -> None:
    """Add the edits of ON and of the actions. Raises Refusal."""
    parts = target.region
    starts = list(_whens(parts))
    found = list(clauses(target))
    if len(starts) != len(found):
        raise unclear()
    _edit_condition(target, starts[0])
    returning = parts.find("RETURNING", after=starts[-1])
    ends = [*starts[1:], len(parts.tokens) if returning is None else returning]
    for clause, start, end in zip(found, starts, ends, strict=True):
        action = Action(_then(parts, start, end) + 1, end)
        match clause["commandType"]:
            case "CMD_INSERT":
                _edit_insert(target, clause, action)
            case "CMD_UPDATE":
                update.edit_assignments(target, clause["targetList"])
            case "CMD_DELETE" if marks(target, clause):
                token = parts.tokens[action.start]
                text = f"UPDATE SET {update.marking(target)}"
                target.statement.edits.append(Edit(token.start, token.end, text))
            case _:
                continue


def _whens(parts: Region) -> Iterator[int]:
    """The tokens at which WHEN clauses begin, not those of CASE."""
    for number in _outside_case(parts, 0):
        if word(parts, number) == "WHEN":
            yield number


def _outside_case(parts: Region, first: int) -> Iterator[int]:
    depth = 0
    for number in range(first, len(parts.tokens)):
        if parts.depths[number] != 0:
            continue
        name = word(parts, number)
        depth += {"CASE": 1, "END_P": -1}.get(name, 0)
        if depth == 0 and name != "END_P":
            yield number


def _then(parts: Region, start: int, end: int) -> int:
    for number in _outside_case(parts, start + 1):
        if word(parts, number) == "THEN" and number < end:
            return number
    raise unclear()


def _edit_condition(target: Target, when: int) -> None:
    template = update.condition_of(target, target.node["joinCondition"])
    if not template:
        return
    parts, edits = target.region, target.statement.edits
    places = [n for n in _outside_case(parts, 0) if n < when and word(parts, n) == "ON"]
    if not places:
        raise unclear()
    before, _, after = template.partition(ARGUMENT)
    begin, end = parts.tokens[places[-1]].end, parts.before(when)
    edits.append(Edit(begin, begin, f" {before}", rank=-end))
    edits.append(Edit(end, end, f"\n{after}", rank=1))


def _edit_insert(target: Target, clause: Node, action: Action) -> None:
    parts, edits, listed = target.region, target.statement.edits, listed_of(target, clause)
    number = action.start + 1
    added = ", ".join(identifier(own.column) for own in listed.added)
    if "targetList" in clause:
        columns = values_row(parts, number)
        if added:
            edits.append(Edit(columns[-1].end, columns[-1].end, f", {added}", rank=1))
        number = closing(parts, number) + 1
    if word(parts, number) == "OVERRIDING":
        number += 3
    if "values" not in clause:
        span = Span(parts.tokens[number].start, parts.tokens[number + 1].end)
        if added:
            values = ", ".join(own.sql for own in listed.added)
            edits.append(Edit(span.start, span.end, f"({added}) VALUES ({values})"))
        return
    if word(parts, number) != "VALUES":
        raise unclear()
    if "targetList" not in clause:
        names = ", ".join(map(identifier, listed.names))
        start = parts.start_of(action.start + 1)
        edits.append(Edit(start, start, f"({names}) "))
    edit_row(target, listed, clause["values"], values_row(parts, number + 1))


# What the tree must become.


def expected_action(target: Target, clause: Node) -> Node:
    """The action that must have become of a clause, but for the values of an UPDATE: its own
    nodes, and those of policy."""
    if marks(target, clause):
        _, marking = grammar.parse_one(f"UPDATE t SET {update.marking(target)}")
        return {"commandType": "CMD_UPDATE", "targetList": marking["targetList"]}
    if clause["commandType"] != "CMD_INSERT":
        return {"commandType": clause["commandType"]}
    listed = listed_of(target, clause)
    made: Node = {"commandType": "CMD_INSERT"}
    if listed.names:
        made["targetList"] = [{"ResTarget": {"name": name}} for name in listed.names]
        made["values"] = expected_row(listed, clause.get("values", []))
    return made
