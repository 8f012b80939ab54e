"""How much one statement may ask for: the profiles' starting values, what roles state, the sum.

Knows numbers and where each was written; what they are compared with is in
`policies.steps.budget` and, for what only running shows, in the session.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field
from pydantic.json_schema import WithJsonSchema

from policies.rules_errors import invalid
from policies.rules_fields import Fields
from policies.rules_writes import WriteLimits

ProfileName = Literal["prod", "internal", "dev"]

MAX_ROWS = 1_000_000
MAX_COLUMNS = 1664  # PostgreSQL's own for a result
MAX_JOINS = 1000
MAX_COMPLEXITY = 1_000_000
MAX_INDEXED_FROM = 10**12
MAX_BYTES = 10**12
MAX_RATE = 1_000_000
MAX_PRICE = 10**12
MIN_TIME_MS, MAX_TIME_MS = 100, 600_000
_TIME = re.compile(r"([0-9]{1,7})(ms|s|m)\Z")


@dataclass(frozen=True, slots=True)
class Profile:
    """Starting values. `sensitive`: what happens to a column that `defaults.mask_columns` covers
    and its entity does not list."""

    rows: int
    time_ms: int
    columns: int
    joins: int
    complexity: int
    indexed_from: int | None
    tenant_required: bool
    sensitive: Literal["deny", "mask"]
    affected: int  # rows per write
    reason_required: bool


PROFILES: Final[dict[ProfileName, Profile]] = {
    "prod": Profile(
        rows=100, time_ms=2_000, columns=40, joins=1, complexity=100, indexed_from=10_000,
        tenant_required=True, sensitive="deny", affected=1, reason_required=True,
    ),
    "internal": Profile(
        rows=500, time_ms=5_000, columns=80, joins=2, complexity=200, indexed_from=10_000,
        tenant_required=True, sensitive="mask", affected=1, reason_required=True,
    ),
    "dev": Profile(
        rows=1000, time_ms=10_000, columns=100, joins=3, complexity=500, indexed_from=None,
        tenant_required=False, sensitive="mask", affected=100, reason_required=False,
    ),
}  # fmt: skip


def _time(value: object) -> object:
    found = _TIME.match(value) if isinstance(value, str) else None
    if found is None:
        raise invalid("must be a duration", "write a whole number and its unit, as 500ms, 2s or 1m")
    if not MIN_TIME_MS <= milliseconds(str(value)) <= MAX_TIME_MS:
        raise invalid("must be between 100ms and 10m")
    return value


def milliseconds(duration: str) -> int:
    """`500ms`, `2s`, `1m` in milliseconds."""
    found = _TIME.match(duration)
    if found is None:
        raise ValueError(f"not a duration: {duration}")
    return int(found[1]) * {"ms": 1, "s": 1000, "m": 60_000}[found[2]]


Duration = Annotated[
    str,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,7}(ms|s|m)$"}),
]


class Rate(Fields):
    """How many statements a login may send, over all its connections; refused ones count,
    transaction control does not. Unused statements of one period are not saved for the next."""

    per_second: int | None = Field(default=None, ge=1, le=MAX_RATE)
    """Statements per second."""
    per_minute: int | None = Field(default=None, ge=1, le=MAX_RATE)
    """Statements per minute."""
    per_hour: int | None = Field(default=None, ge=1, le=MAX_RATE)
    """Statements per hour."""


# The fields of a Rate and how many seconds each is about.
PERIODS: Final = {"per_second": 1, "per_minute": 60, "per_hour": 3600}


class RoleBudget(Fields):
    """Limits of one statement; absent ones come from the profile."""

    rows: int | None = Field(default=None, ge=1, le=MAX_ROWS)
    """Rows per statement."""
    time: Duration | None = None
    """Time per statement, as 500ms, 2s or 1m; from 100ms to 10m."""
    columns: int | None = Field(default=None, ge=1, le=MAX_COLUMNS)
    """Columns of the result; `*` and whole rows count as the visible columns they stand for."""
    joins: int | None = Field(default=None, ge=0, le=MAX_JOINS)
    """Joins of one statement, those of its subqueries included."""
    complexity: int | None = Field(default=None, ge=1, le=MAX_COMPLEXITY)
    """The highest score: 1, and for each column 1, condition 2, string match 3 more, IN 2 per item,
    BETWEEN 2, join 10, ORDER BY item 1, subquery 10, window function 5, recursion 50, join
    without a condition 100."""
    indexed_from: int | None = Field(default=None, ge=1, le=MAX_INDEXED_FROM)
    """Tables estimated to have this many rows or more need a condition on an indexed column. The
    estimate is of the whole table, all tenants, as a power of ten: a refusal tells that much."""

    bytes: int | None = Field(default=None, ge=1, le=MAX_BYTES)
    """Bytes of rows per statement, as they are on the wire; rows beyond it are left out."""
    cost: int | None = Field(default=None, ge=1, le=MAX_PRICE)
    """The planner's own cost of the statement as it is sent. It depends on the rows of all tenants,
    and so does whether a statement is refused for it."""
    scan_rows: int | None = Field(default=None, ge=1, le=MAX_PRICE)
    """The rows the planner expects its scans of tables to give, all together. As with cost."""
    rate: Rate = Rate()
    """Statements per second, minute and hour of one login."""
    writes: WriteLimits = WriteLimits()
    """Rows written, over several statements."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `count` statements in so many `seconds`; `rule`: where that is written."""

    count: int
    seconds: int
    rule: str


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one statement. None: there is no such limit. `stated_by`: the role that states a
    limit's value, for those that do not come from the profile."""

    rows: int
    time_ms: int
    columns: int
    joins: int
    complexity: int
    indexed_from: int | None = None
    bytes: int | None = None
    cost: int | None = None
    scan_rows: int | None = None
    rate: tuple[Allowance, ...] = ()
    written_per_transaction: int | None = None
    written_per_session: int | None = None
    affected: int = 1  # rows per write, unless its capability says so
    reason_required: bool = True
    role: str = ""
    stated_by: tuple[tuple[str, str], ...] = ()

    @property
    def priced(self) -> bool:
        """Whether the planner is asked before a statement runs."""
        return self.cost is not None or self.scan_rows is not None

    def rule(self, field: str) -> str:
        """Where the limit is, or would be, written in the rules."""
        role = dict(self.stated_by).get(field, self.role)
        return f"roles.{role}.budget.{field}"


def combine(profile: Profile, roles: Sequence[str], stated: Mapping[str, RoleBudget]) -> Budget:
    """The largest limit any of these roles states, else the profile's. `stated`: known roles'."""
    by: dict[str, str] = {}
    known = {role: stated[role] for role in roles if role in stated}

    def largest(field: str, starting: int | None) -> int | None:
        found = None
        for role, budget in known.items():
            said = getattr(budget, field)
            value = milliseconds(said) if isinstance(said, str) else said
            if value is not None and (found is None or value > found):
                found, by[field] = value, role
        return starting if found is None else found

    return Budget(
        rows=largest("rows", profile.rows) or profile.rows,
        time_ms=largest("time", profile.time_ms) or profile.time_ms,
        columns=largest("columns", profile.columns) or profile.columns,
        joins=largest("joins", profile.joins) or 0,
        complexity=largest("complexity", profile.complexity) or profile.complexity,
        indexed_from=largest("indexed_from", profile.indexed_from),
        bytes=largest("bytes", None),
        cost=largest("cost", None),
        scan_rows=largest("scan_rows", None),
        rate=tuple(_rate(known)),
        written_per_transaction=_most_written(known, "per_transaction", by),
        written_per_session=_most_written(known, "per_session", by),
        affected=profile.affected,
        reason_required=profile.reason_required,
        role=next(iter(roles), ""),
        stated_by=tuple(by.items()),
    )


def _most_written(stated: Mapping[str, RoleBudget], field: str, by: dict[str, str]) -> int | None:
    """The largest limit of rows written that a role states, over several statements."""
    counts = {role: getattr(budget.writes, field) or 0 for role, budget in stated.items()}
    role = max(counts, key=counts.__getitem__, default="")
    if not role or not counts[role]:
        return None
    by[f"writes.{field}"] = role
    return counts[role]


def _rate(stated: Mapping[str, RoleBudget]) -> Iterator[Allowance]:
    """The largest rate stated for each period."""
    for field, seconds in PERIODS.items():
        counts = {role: getattr(budget.rate, field) or 0 for role, budget in stated.items()}
        role = max(counts, key=counts.__getitem__, default="")
        if role and counts[role]:
            yield Allowance(counts[role], seconds, f"roles.{role}.budget.rate.{field}")
