"""What the record of a write says beside counts and times. Knows plans and records only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from policies.decision import Plan, PolicyEffect, Write
from proxy.oplog.images import Images
from proxy.oplog.operation import InvariantChecked, Operation


@dataclass(frozen=True, slots=True)
class Wrote:
    """`invariants`: those that were looked at; `images`: None unless they were asked for."""

    invariants: tuple[InvariantChecked, ...]
    images: Images | None = None

    def tell(self, operation: Operation) -> None:
        """Put it into the record."""
        operation.invariants_checked = self.invariants
        if self.images is not None:
            operation.before, operation.after = self.images.before, self.images.after
            operation.images_truncated = self.images.truncated


def stopped_by(plan: Plan, rule: str, entity: str, column: str = "") -> Plan:
    """The plan as it is recorded when a rule stopped it as it ran."""
    if not rule:
        return plan
    effects = (*plan.facts.effects, PolicyEffect(rule, "deny", entity, column))
    return replace(plan, facts=replace(plan.facts, effects=effects))


def went_well(write: Write, images: Images | None) -> Wrote:
    """It ran, so each of its invariants held."""
    held = tuple(InvariantChecked(name, by, "held") for name, by in write.invariants)
    return Wrote(held, images)


def broke(write: Write, name: str) -> Wrote:
    """It was stopped by that invariant ("": by none); of the others nobody knows."""
    known = dict(write.invariants)
    if name:
        known.setdefault(name, "constraint")
    return Wrote(
        tuple(
            InvariantChecked(each, by, "broken" if each == name else "unknown")
            for each, by in known.items()
        )
    )
