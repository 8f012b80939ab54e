"""An allowed text as a session keeps it: of a Query, of a prepared statement, of a cursor.

Knows decisions; knows nothing of messages, of names and of who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from policies.decision import Allow, Plan, Write
from policies.own_settings import sets
from proxy.wire.names import Named

# More than any result can have: a limit for those without one.
MOST_BYTES: Final = 1 << 62


class Versioned(Protocol):
    """What a session must know of a Snapshot; two are the same only if they are one object."""

    @property
    def version(self) -> str: ...


class Statement(Named):
    """An allowed text and the snapshot it was decided under: a Query's, a prepared one, a cursor.

    `plan`, `cap`, `most_bytes` and `decision` are those of its first statement, which is the only
    one when it is prepared. `may_copy`: it may start a COPY; `holds`: what follows must wait for
    its answer. `named`: it makes or uses names of SQL or settings of ours; `asks`: it does or it
    writes, so it is judged each time it runs; `by_sql`: SQL prepared it, and what runs is
    the query in it. One for each plan of a text that was judged, `made`: what goes by the name it
    makes, `targets`: what it reads from. `spent`: bytes a cursor has given. `writes`: it has the
    session see to what it writes. `special`: its messages do not take the shortcut. `consent`:
    somebody must agree to each run; `approval_id`: of this one. `types`: those its Parse declares,
    and `described` those the upstream says its parameters have, as they stand in messages.
    """

    __slots__ = (
        "_run", "allow", "approval_id", "asks", "by_sql", "cached", "cap", "consent",
        "decide_seconds", "decision", "described", "holds", "made", "may_copy", "most_bytes",
        "named", "plan", "plans", "snapshot", "special", "spent", "targets", "text", "types",
        "writes",
    )  # fmt: skip

    def __init__(
        self, text: bytes, allow: Allow, snapshot: Versioned, decide_seconds: float, cached: bool,
        by_sql: bool = False, types: bytes = b"",
    ) -> None:  # fmt: skip
        self.doubtful = self.settled = False
        self.group = -1
        self.text = text
        self.decide_seconds = decide_seconds
        self.cached = cached
        self.by_sql = by_sql
        self.types = types
        self.described = b""
        self.approval_id = ""
        self.made: Sequence[Statement | None] = ()
        self.targets: Sequence[Statement | None] = ()
        self.spent = 0
        self._run: tuple[Plan, Plan] | None = None
        self.adopt(allow, snapshot)

    def adopt(self, allow: Allow, snapshot: Versioned) -> None:
        """Take the decision made under a newer snapshot, whose text is the same."""
        self.allow = allow
        self.snapshot = snapshot
        self.named = allow.named
        self.consent = allow.consent
        self.holds = self.may_copy = allow.mode != "enforce" and b"copy" in allow.text.lower()
        if allow.named and any(sets(plan) for plan in allow.statements):
            self.holds = True
        self._run = None
        if self.by_sql:
            self.named = False
            naming = [plan.naming for plan in allow.statements if plan.naming]
            self._take([each.query for each in naming if each.query])
        elif self.targets:
            self.judged(self.made, self.targets)
        else:
            self._take(allow.statements)

    def judged(self, made: Sequence[Statement | None], targets: Sequence[Statement | None]) -> None:
        """Its names may be used, one of each for every plan."""
        self.made, self.targets = made, targets
        self.holds = self.holds or any(made)
        pairs = zip(self.allow.statements, targets, strict=True)
        self._take([plan if target is None else target.run(plan) for plan, target in pairs])

    @property
    def target(self) -> Statement | None:
        """What its first statement reads from."""
        return self.targets[0] if self.targets else None

    def _take(self, plans: Sequence[Plan]) -> None:
        self.plans = plans
        plan = plans[0] if plans else None
        self.asks = self.named or any(each.write for each in plans)
        self.plan: Plan | None = plan
        self.cap = plan.cap if plan else None
        limit = plan.most_bytes if plan else None
        self.most_bytes = MOST_BYTES if limit is None else limit
        self.decision = decision_of(plan) if plan else "allow"
        self.writes = self.allow.mode == "enforce" and any(each.write for each in plans)
        self.special = self.may_copy or self.asks

    def again(self) -> Statement:
        """The same for one more run of a prepared statement, whose names are judged each time."""
        run = Statement(
            self.text, self.allow, self.snapshot, self.decide_seconds, self.cached, types=self.types
        )
        run.settled, run.group, run.doubtful = self.settled, self.group, self.doubtful
        self.decide_seconds, self.cached = 0.0, True
        return run

    def run(self, plan: Plan) -> Plan:
        """`plan`, an EXECUTE or FETCH, as it reads from this: its cap, form and facts."""
        if self._run is not None and self._run[0] is plan:
            return self._run[1]
        own = self.plan
        if own is None:
            return plan
        facts = replace(
            plan.facts,
            capability=own.facts.capability,
            entities=own.facts.entities,
            fields_read=own.facts.fields_read,
            effects=own.facts.effects,
            affected_fields=own.facts.affected_fields,
        )
        found = replace(
            plan,
            cap=own.cap,
            most_bytes=own.most_bytes,
            copy=own.copy,
            shown=own.shown,
            facts=facts,
            hints=own.hints,
            write=own.write,
            reason=plan.reason or own.reason,
        )
        self._run = plan, found
        return found


def is_unbounded(write: Write) -> bool:
    """Whether the count must be judged before it is too late, or all of its rows are needed."""
    return write.images or write.bound is None or write.bound > write.most


def decision_of(plan: Plan) -> str:
    """The record's word for a statement that runs."""
    facts = plan.facts
    changed = facts.rewritten_template and facts.rewritten_template != facts.sql_template
    effects = any(effect.effect != "deny" for effect in facts.effects)  # deny: had it been enforced
    return "rewrite" if changed or effects else "allow"
