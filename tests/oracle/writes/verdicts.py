"""Whether a write did through the proxy what it does under row-level security.

Equal means: the same tag, the same rows returned, the same error code, and all tables of all
tenants hold the same. Where the two must differ, a narrow class says so and is counted by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.oracle.answers import CANCELED, NO_KEY, difference
from tests.oracle.writes.exchange import Outcome
from tests.oracle.writes.texts import Written
from tests.oracle.writes.world import FEW, MOST_FEW

TOO_MANY = "MAX_AFFECTED_ROWS_EXCEEDED"
# A check of the row as it was written: the reference cannot have written it.
_LEFT = re.compile(r"a row written to \S+ would not be one you may see")
_MOVED = re.compile(r"column \S+ of \S+ can hold your own (tenant|owner) only")
_NAMED = re.compile(r"the statement would write \d+ rows")


@dataclass(frozen=True, slots=True)
class Class:
    """A difference there must be. `proxy`, `reference`: what each must have failed with, as
    SQLSTATE and the start of its message (expressions); "" when it must have done it."""

    name: str
    proxy: str
    reference: str


_PROPOSED = "a row that is proposed, and not written for a conflict, breaks a policy"
_BREAKS = re.compile(r"42501 new row violates row-level security|44000 ")

# Both fail and nothing is written; each says so in its own way.
_CONSTRAINT = r"(23505|23503|23514|23502|428C9|21000|22\d\d\d) "
CLASSES = (
    Class("a reference to a row one does not see looks like one to none", r"23503 ",
          r'42501 new row violates row-level security policy "refs"'),
    Class("a policy and a constraint are broken: which is said first", _CONSTRAINT,
          r"(42501 new row violates|44000 )"),
    Class("several constraints are broken: which is said first", _CONSTRAINT, _CONSTRAINT),
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """How often which verdict."""

    equal: int = 0
    affected: int = 0
    rows: int = 0
    shapes: Counter[str] = field(default_factory=Counter)
    alike: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    by_design: Counter[str] = field(default_factory=Counter)
    both_failed: Counter[str] = field(default_factory=Counter)
    not_comparable: Counter[str] = field(default_factory=Counter)
    different: int = 0

    @property
    def total(self) -> int:
        """Statements that were run."""
        counters = (
            self.refused, self.alike, self.by_design, self.both_failed, self.not_comparable,
        )  # fmt: skip
        return self.equal + self.different + sum(c.total() for c in counters)

    def __str__(self) -> str:
        def by(counter: Counter[str]) -> str:
            inner = ", ".join(f"{n} {name}" for name, n in sorted(counter.items()))
            return f"{counter.total()}{f' ({inner})' if inner else ''}"

        return (
            f"equal {self.equal} ({self.affected} rows written, {self.rows} returned:"
            f" {by(self.shapes)}), refused by both {by(self.alike)}, refused {by(self.refused)},"
            f" both failed {by(self.both_failed)}, different by design {by(self.by_design)},"
            f" not comparable {by(self.not_comparable)}, different {self.different}"
        )


def judge(
    statement: Written, proxy: Outcome, reference: Outcome, baseline: str, alone: bool, tally: Tally
) -> str:
    """Count one write; what differs, or nothing. `baseline`: what the tables held before;
    `alone`: it stood in no transaction, so there is a state after a failure as well."""
    words = _judge(statement, proxy, reference, baseline, alone, tally)
    tally.different += bool(words)
    return words


def _judge(
    statement: Written, proxy: Outcome, reference: Outcome, baseline: str, alone: bool, tally: Tally
) -> str:
    theirs, ours = reference.answer, proxy.answer
    if CANCELED in (ours.sqlstate, theirs.sqlstate):
        tally.not_comparable["took too long"] += 1
        return ""
    if proxy.failed or reference.failed:
        tally.not_comparable["the write before it failed"] += 1
        return ""
    if theirs.sqlstate == NO_KEY and ours.sqlstate != NO_KEY:
        tally.not_comparable["a view has no key to group by"] += 1
        return ""
    for side, outcome in (("the proxy", proxy), ("the reference", reference)):
        if outcome.state and _foreign(outcome.state) != _foreign(baseline):
            return f"{side} changed rows of others: {_changed(outcome.state, baseline)}"
        if alone and outcome.answer.sqlstate and outcome.state != baseline:
            return f"{side} failed and changed rows: {_changed(outcome.state, baseline)}"
        if not outcome.answer.sqlstate and not outcome.state:
            return f"{side} did not say what the tables hold"
    if ours.refusal == TOO_MANY:
        return _limited(statement, ours.message, reference, tally)
    if ours.refusal:
        # of memos a trigger may take such a row away before a policy looks at it
        kept = statement.shape == "insert" and "memos" not in statement.sql
        moved = kept and _MOVED.match(ours.message)
        wrote = not theirs.sqlstate and (_affected(reference) > 0 or not moved)
        if (moved or _LEFT.match(ours.message)) and wrote:
            return f"refused: {ours.message}, but the reference did {reference.tags}"
        alike = theirs.sqlstate == ours.sqlstate
        (tally.alike if alike else tally.refused)[ours.refusal] += 1
        return ""
    if ours.sqlstate or theirs.sqlstate:
        return _failed(statement, proxy, reference, tally)
    if statement.login == FEW and max(map(_count, reference.tags)) > MOST_FEW:
        return f"{reference.tags}, where {MOST_FEW} are allowed"
    expected = replace(reference, tags=tuple(_tag(statement, tag) for tag in reference.tags))
    if proxy.tags != expected.tags:
        return f"tags {proxy.tags}, reference {expected.tags}"
    found = difference(ours, theirs, None)
    if found:
        return found
    if proxy.state != reference.state:
        return f"tables hold something else: {_changed(proxy.state, reference.state)}"
    tally.equal += 1
    tally.affected += _affected(reference)
    tally.rows += len(ours.rows)
    tally.shapes[statement.shape] += 1
    return ""


def _limited(statement: Written, message: str, reference: Outcome, tally: Tally) -> str:
    """Too many rows: named by the text, or else just then when the reference wrote too many."""
    most = MOST_FEW if statement.login == FEW else 1000
    if _NAMED.match(message):
        tally.refused[f"{TOO_MANY} named"] += 1
    elif reference.answer.sqlstate:
        tally.refused[f"{TOO_MANY} where the reference fails"] += 1
    elif max(map(_count, reference.tags)) > most:
        tally.refused[f"{TOO_MANY} written"] += 1
    else:
        return f"refused for too many rows, but {_affected(reference)} were written"
    return ""


def _failed(statement: Written, proxy: Outcome, reference: Outcome, tally: Tally) -> str:
    ours, theirs = proxy.answer, reference.answer
    if ours.sqlstate == theirs.sqlstate:
        tally.both_failed[ours.sqlstate] += 1
        return ""
    said, expected = (f"{a.sqlstate} {a.message}".strip() for a in (ours, theirs))
    for each in CLASSES:
        if re.match(each.proxy, said) and re.match(each.reference, expected):
            tally.by_design[each.name] += 1
            return ""
    if not said and _BREAKS.match(expected) and "ON CONFLICT" in statement.sql:
        tally.by_design[_PROPOSED] += 1
        return ""
    return f"{said or f'did {proxy.tags}'}, reference {expected or f'did {reference.tags}'}"


def _tag(statement: Written, tag: str) -> str:
    """What the client must read where the reference said another verb."""
    if not statement.verb:
        return tag
    return f"{statement.verb} {tag.split()[-1]}"


def _affected(outcome: Outcome) -> int:
    return sum(_count(tag) for tag in outcome.tags)


def _count(tag: str) -> int:
    return 0 if tag.startswith("SELECT") else int(tag.split()[-1])


def _foreign(state: str) -> list[str]:
    """Of each table, the sum over rows of others."""
    return [f"{name} {foreign}" for name, _, _, foreign in map(str.split, state.splitlines())]


def _changed(state: str, other: str) -> str:
    changed = sorted(set(state.splitlines()) ^ set(other.splitlines()))
    return ", ".join(changed) or "nothing"


def summed(tallies: Sequence[Tally]) -> Tally:
    """All of them as one."""
    whole = Tally()
    for each in tallies:
        whole.equal += each.equal
        whole.affected += each.affected
        whole.rows += each.rows
        whole.different += each.different
        for name in ("shapes", "alike", "refused", "by_design", "both_failed", "not_comparable"):
            getattr(whole, name).update(getattr(each, name))
    return whole
