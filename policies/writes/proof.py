"""The proof of a writing statement: its new tree is the old one with exactly what policy puts in.

What is expected is worked out from the original's tree and the rules; the edits that were made are
not asked.
"""

from __future__ import annotations

from typing import Any, Protocol

from policies import grammar
from policies.grammar import PLACES, Node, Scope
from policies.writes import conflict, insert, merge, returning, update
from policies.writes.raising import ARGUMENT
from policies.writes.target import Target
from policies.writes.written import check_of


class Different(Exception):
    """The trees differ where they may not."""


class Walk(Protocol):
    """What compares the parts of two trees; raises Different."""

    instead: dict[int, str]

    def same(self, before: Any, after: Any, scope: Scope) -> None: ...
    def same_with(self, before: Node, after: Node, scope: Scope) -> Scope: ...
    def matches(self, template: Any, found: Any, own: Node, scope: Scope) -> None: ...


def prove_write(walk: Walk, target: Target, kind: str, after: Node, scope: Scope) -> None:
    """Raise Different unless `after`, a node of that kind, is what the target's must become."""
    before = target.node
    if "withClause" in before:
        scope = walk.same_with(before["withClause"], after.get("withClause", {}), scope)
    match target.kind:
        case "InsertStmt":
            expected = _insert(walk, target, after, scope)
        case "UpdateStmt":
            expected = _update(walk, target, after, scope)
        case "DeleteStmt":
            expected = _delete(walk, target, after, scope)
        case "MergeStmt":
            expected = _merge(walk, target, after, scope)
        case _:
            raise Different
    wanted = "UpdateStmt" if target.marks else target.kind
    if kind != wanted or _keys(after) != expected | ({"withClause"} & _keys(before)):
        raise Different


def _keys(node: Node) -> set[str]:
    return set(node) - PLACES


def _insert(walk: Walk, target: Target, after: Node, scope: Scope) -> set[str]:
    before, expected = target.node, insert.expected_insert(target)
    same_name(target, after)
    for key, node in expected.items():
        walk.same(node, after.get(key), scope)
    found = {"relation", *expected}
    if before.get("override") != after.get("override"):
        raise Different
    found.add("override")
    if "onConflictClause" in before:
        _same_conflict(walk, target, after.get("onConflictClause", {}), scope)
        found.add("onConflictClause")
    return found | same_returning(walk, target, after, scope)


def _same_conflict(walk: Walk, target: Target, after: Node, scope: Scope) -> None:
    before = target.node["onConflictClause"]
    own = before.get("whereClause")
    template = ""
    if before["action"] == "ONCONFLICT_UPDATE":
        same_assignments(
            walk, target, conflict.assignments(target), after.get("targetList", []), scope
        )
        template = conflict.condition_of(target, own)
    found = after.get("whereClause")
    if template:
        if found is None:
            raise Different
        walk.matches(grammar.parse_expression(template), found, own or {}, scope)
    else:
        walk.same(own, found, scope)
    for one, other in ((before, after), (after, before)):
        for key in _keys(one) - {"targetList", "whereClause"}:
            walk.same(one[key], other.get(key), scope)


def _update(walk: Walk, target: Target, after: Node, scope: Scope) -> set[str]:
    before = target.node
    same_name(target, after)
    same_assignments(walk, target, before["targetList"], after.get("targetList", []), scope)
    found = {"relation", "targetList"}
    if "fromClause" in before:
        walk.same(before["fromClause"], after.get("fromClause"), scope)
        found.add("fromClause")
    return (
        found | _condition(walk, target, after, scope) | same_returning(walk, target, after, scope)
    )


def _delete(walk: Walk, target: Target, after: Node, scope: Scope) -> set[str]:
    before = target.node
    same_name(target, after)
    found = {"relation"}
    if target.marks:
        _, marking = grammar.parse_one(f"UPDATE t SET {update.marking(target)}")
        if not grammar.same(marking["targetList"], after.get("targetList")):
            raise Different
        found.add("targetList")
    if "usingClause" in before:
        clause = "fromClause" if target.marks else "usingClause"
        walk.same(before["usingClause"], after.get(clause), scope)
        found.add(clause)
    return (
        found | _condition(walk, target, after, scope) | same_returning(walk, target, after, scope)
    )


def _merge(walk: Walk, target: Target, after: Node, scope: Scope) -> set[str]:
    before = target.node
    same_name(target, after)
    walk.same(before["sourceRelation"], after.get("sourceRelation"), scope)
    own, condition = before["joinCondition"], after.get("joinCondition")
    template = update.condition_of(target, own)
    if template:
        walk.matches(grammar.parse_expression(template), condition, own, scope)
    else:
        walk.same(own, condition, scope)
    found = after.get("mergeWhenClauses", [])
    if len(found) != len(before["mergeWhenClauses"]):
        raise Different
    for clause, entry in zip(merge.clauses(target), found, strict=True):
        _same_action(walk, target, clause, entry["MergeWhenClause"], scope)
    parts = {"relation", "sourceRelation", "joinCondition", "mergeWhenClauses"}
    return parts | same_returning(walk, target, after, scope)


def _same_action(walk: Walk, target: Target, clause: Node, after: Node, scope: Scope) -> None:
    expected = merge.expected_action(target, clause)
    found = _keys(after)
    if clause["commandType"] == "CMD_UPDATE":
        assigned = after.get("targetList", [])
        same_assignments(walk, target, clause["targetList"], assigned, scope)
        found -= {"targetList"}
    for key in ("matchKind", "override", "condition"):
        if key in clause:
            expected[key] = clause[key]
    if _keys(expected) != found:
        raise Different
    for key in found:
        walk.same(expected[key], after[key], scope)


def same_name(target: Target, after: Node) -> None:
    """The target goes by the same name, with its schema written out."""
    named = {"schemaname": target.relation.schema, "relname": target.relation.name}
    relation = {k: v for k, v in target.node["relation"].items() if k != "catalogname"}
    if not grammar.same({**relation, **named}, after.get("relation")):
        raise Different


def _condition(walk: Walk, target: Target, after: Node, scope: Scope) -> set[str]:
    own = target.node.get("whereClause")
    template = update.condition_of(target, own)
    if not template and own is None:
        return set()
    found = after.get("whereClause")
    if found is None:
        raise Different
    if template:
        walk.matches(grammar.parse_expression(template), found, own or {}, scope)
    else:
        walk.same(own, found, scope)
    return {"whereClause"}


def same_assignments(
    walk: Walk, target: Target, before: list[Node], after: list[Node], scope: Scope
) -> None:
    """Each assignment is the client's, or one of the subject's own values and masks around it."""
    if len(before) != len(after):
        raise Different
    for one, other in zip(before, after, strict=True):
        entry, found = one["ResTarget"], other.get("ResTarget", {})
        template = update.value_of(target, entry)
        if not template:
            walk.same(entry, found, scope)
            continue
        if entry["name"] != found.get("name") or _keys(found) != _keys(entry):
            raise Different
        walk.matches(grammar.parse_expression(template), found["val"], entry["val"], scope)


def same_returning(walk: Walk, target: Target, after: Node, scope: Scope) -> set[str]:
    """RETURNING is the client's with masks, its stars spread, the check and the image."""
    check, image = check_of(target), returning.image_of(target)
    clause = target.node.get("returningClause")
    found = after.get("returningClause", {})
    if clause is None:
        own = [text for text in returning.own_results(check, image) if text]
        if not own:
            return set()
        if _keys(found) != {"exprs"} or not grammar.same(_parsed(", ".join(own)), found["exprs"]):
            raise Different
        return {"returningClause"}
    if _keys(found) != _keys(clause):
        raise Different
    if not grammar.same(clause.get("options", []), found.get("options", [])):
        raise Different
    instead, items = returning.replaced(target), returning.results(target)
    walk.instead.update(instead)
    around = returning.watched(target, items) if check else -1
    entries = found["exprs"]
    if len(entries) != len(items) + bool(image):
        raise Different
    if image and not grammar.same(_parsed(image), entries[-1:]):
        raise Different
    for number, (item, entry) in enumerate(zip(items, entries, strict=False)):
        checked = number == around
        if item.node is None:
            _is_alone(item, check if checked else "", entry)
            continue
        result = entry["ResTarget"]
        label = item.named or returning.labelled(item, instead, checked)
        if _keys(result) != {"val", *(("name",) if label else ())}:
            raise Different
        if label and result["name"] != item.label:
            raise Different
        if checked:
            template = grammar.parse_expression(returning.carrying(check, ARGUMENT))
            walk.matches(template, result["val"], item.node["val"], scope)
        else:
            walk.same(item.node["val"], result["val"], scope)
    return {"returningClause"}


def _is_alone(item: returning.Item, check: str, entry: Node) -> None:
    if not grammar.same(_parsed(returning.alone(item, check)), [entry]):
        raise Different


def _parsed(results: str) -> list[Node]:
    _, node = grammar.parse_one(f"SELECT {results}")
    entries: list[Node] = node["targetList"]
    return entries
