"""The fields of the rules file that permit writing: inserts, updates, deletes and their terms.

Knows one field at a time; what must agree between fields is in `rules_write_checks`.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.json_schema import WithJsonSchema

from policies.rules_columns import check_name
from policies.rules_errors import invalid
from policies.rules_fields import Fields

MAX_AFFECTED = 1000
MAX_COPIED = 1_000_000
_SPAN = re.compile(r"([0-9]{1,6})(s|m|h|d)\Z")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MIN_TTL, MAX_TTL = 1, 30 * 86_400


def _span(value: object) -> object:
    found = _SPAN.match(value) if isinstance(value, str) else None
    if found is None:
        raise invalid("must be a duration", "write a whole number and its unit, as 30s, 15m or 1h")
    if not MIN_TTL <= span_seconds(str(value)) <= MAX_TTL:
        raise invalid("must be between 1s and 30d")
    return value


def span_seconds(span: str) -> int:
    """`30s`, `15m`, `1h`, `2d` in seconds."""
    found = _SPAN.match(span)
    if found is None:
        raise ValueError(f"not a duration: {span}")
    return int(found[1]) * _SECONDS[found[2]]


def _sql(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise invalid("must not be empty", "write SQL, or remove the line")
    return text


Sql = Annotated[str, AfterValidator(_sql)]
Column = Annotated[str, AfterValidator(check_name)]
Span = Annotated[
    str,
    BeforeValidator(_span),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}(s|m|h|d)$"}),
]


class InsertRule(Fields):
    """What may be inserted into one entity."""

    columns: tuple[Column, ...] = Field(min_length=1)
    """Columns that may be given a value. Tenant and owner are filled in and need not be named; a
    column that is not named keeps its default."""
    rows: int | None = Field(default=None, ge=1, le=MAX_AFFECTED)
    """Rows per statement; absent: the profile's."""


class UpdateRule(Fields):
    """What may be updated in one entity, also by ON CONFLICT DO UPDATE."""

    columns: tuple[Column, ...] = Field(min_length=1)
    """Columns that may be assigned. Never tenant, owner or key."""
    rows: int | None = Field(default=None, ge=1, le=MAX_AFFECTED)
    """Rows per statement; absent: the profile's."""
    key: bool = True
    """true: the rows must be named by the whole key, each with an equality or IN of values."""
    whole_rows: bool = False
    """true: columns that are not named may be assigned the value they show already, which changes
    nothing; for ORMs that write whole rows."""


class DeleteRule(Fields):
    """What may be deleted from one entity."""

    rows: int | None = Field(default=None, ge=1, le=MAX_AFFECTED)
    """Rows per statement; absent: the profile's."""
    key: bool = True
    """true: the rows must be named by the whole key, each with an equality or IN of values."""
    hard: bool = False
    """true: rows of an entity with `soft_delete` are really deleted. Without, they are marked."""


class ApprovalRule(Fields):
    """Each statement waits for somebody's consent."""

    by: tuple[str, ...] = Field(min_length=1)
    """Roles whose subjects may consent; never the one who asks."""
    ttl: Span = "15m"
    """How long a request waits, and how long a consent holds."""
    gate: Literal["queue", "callback", "auto"] = "queue"
    """queue: somebody answers; callback: a web service is asked; auto: granted at once."""


class NamedStatement(Fields):
    """A statement of the rules, called by the capability's name: EXECUTE name(values)."""

    sql: Sql
    """One statement; $1, $2 ... are its parameters."""
    parameters: dict[Column, Sql] = Field(default_factory=dict)
    """Name and type of each parameter, in order."""


class Invariant(Fields):
    """What must hold of each row that is written. One of the two fields."""

    holds: Sql | None = None
    """An SQL condition over the entity's own columns and subject.*; of a row deleted, as it was."""
    constraint: str | None = Field(default=None, min_length=1)
    """A constraint of the table that enforces it."""


class WriteLimits(Fields):
    """Limits that hold over several statements; absent ones do not limit."""

    per_transaction: int | None = Field(default=None, ge=1)
    """Rows in one transaction."""
    per_session: int | None = Field(default=None, ge=1)
    """Rows in one session."""
