"""write: what is written stays within the subject's view, and the columns its capability permits.

    UPDATE orders SET status = $1 WHERE id = $2
    ->  UPDATE "public"."orders" SET status = $1 WHERE "orders"."tenant_id" = '1' AND (id = $2)

Every writing statement of the text is done: the outermost, and those in WITH. What the session must
see to when it runs (rows counted, a reason, consent) goes with the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policies.comments import REASON
from policies.decision import Consent, Write
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.rules_models import Capability
from policies.rules_writes import Invariant, span_seconds
from policies.statement import Statement
from policies.views import closed
from policies.write_checks import enforced_by
from policies.writes import conflict, insert, merge, returning, update
from policies.writes.target import Target, check_readable
from policies.writes.written import check_of


def write(statement: Statement) -> None:
    """Add the edits of every writing statement, and fill `statement.write`."""
    silent = False
    for target in statement.targets:
        WRITERS[target.kind](target)
        check, image = check_of(target), returning.image_of(target)
        if target.kind == "MergeStmt":
            merge.check_returned(target, check, image)
        returning.rewrite(target, check, image)
        if target.outermost and "returningClause" not in target.node:
            silent = bool(check or image)
    if statement.targets:
        statement.write = obligations(statement, silent=silent)


def _update(target: Target) -> None:
    update.check_assignments(target, target.node["targetList"])
    check_readable(target, target.node.get("whereClause", {}))
    update.bound_rows(target)
    update.edit_name(target)
    update.edit_assignments(target, target.node["targetList"])
    update.edit_condition(target)


def _delete(target: Target) -> None:
    check_readable(target, target.node.get("whereClause", {}))
    update.bound_rows(target)
    update.edit_name(target)
    update.edit_condition(target)


def _insert(target: Target) -> None:
    target.bound = insert.bound_inserted(target, update.most_rows(target)[0])
    update.check_bound(target)
    insert.edit_insert(target)
    conflict.edit_conflict(target)
    update.edit_name(target)


def _merge(target: Target) -> None:
    merge.check_merge(target)
    update.edit_name(target)
    merge.edit_merge(target)


WRITERS: Final[dict[str, Callable[[Target], None]]] = {
    "InsertStmt": _insert,
    "UpdateStmt": _update,
    "DeleteStmt": _delete,
    "MergeStmt": _merge,
}


def obligations(statement: Statement, *, silent: bool) -> Write:
    """What the session must see to when a statement with these targets runs. `silent`: rows come
    back though the client asks for none. Raises Refusal."""
    targets = statement.targets
    top = next((target for target in targets if target.outermost), None)
    for target in targets:
        if target.bound is None and target is not top:
            raise Refusal(
                UNSUPPORTED_SYNTAX,
                f'nobody can tell how many rows of "{target.name}" are written inside WITH here',
                "name the rows by their key, or send the write as a statement of its own",
                table=target.name,
            )
    capability = statement.views.capability(statement.capability)
    if capability.images and (top is None or len(targets) > 1):
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            "rows written under this capability are recorded, which writes inside WITH cannot be",
            "send each write as a statement of its own",
            rule=f"capabilities.{statement.capability}.images",
        )
    inside = sum(target.bound or 0 for target in targets if target is not top)
    most, rule = update.most_rows(top or targets[0])
    invariants = [
        (name, "constraint" if known.constraint else "statement", known.constraint or "")
        for target in targets
        for name, known in target.entity.invariants.items()
        if name in capability.invariants and _is_enforced(target, known)
    ]
    required = capability.reason
    return Write(
        bound=top.bound if top is not None else 0,
        most=most,
        most_rule=rule,
        inside=inside,
        tag="DELETE" if top is not None and top.marks else "",
        silent=silent,
        images=capability.images,
        checks=tuple(statement.checks),
        constraints=tuple((known, name) for name, _, known in invariants if known),
        shown=statement.views.words,
        invariants=tuple((name, by) for name, by, _ in invariants),
        reason=statement.said.get(REASON, ""),
        reason_required=(
            required == "required" or (required is None and statement.budget.reason_required)
        ),
        consent=_consent(statement.capability, capability),
    )


def _is_enforced(target: Target, invariant: Invariant) -> bool:
    """True; raises Refusal when the constraint that should enforce it is not there."""
    name = invariant.constraint
    if name is not None and enforced_by(target.relation, name) is None:
        raise closed(target.name)
    return True


def _consent(name: str, capability: Capability) -> Consent | None:
    rule = capability.approval
    if rule is None:
        return None
    return Consent(name, rule.by, span_seconds(rule.ttl), rule.gate)
