"""What a statement answered, and whether the proxy's answer is the reference's."""

from __future__ import annotations

import json
import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from policies.reasons import REASONS
from tests.attacks.wire_client import Message, columns, errors, row_values

_RECORD, _REGCONFIG, _TEXT = 2249, 3734, 25
_FIRST_USER_TYPE = 16384
CANCELED = "57014"
NO_KEY = "42803"  # "must appear in the GROUP BY clause": views have no primary keys

_VOLATILE = re.compile(
    r"(?i)\b(now|random|clock_timestamp|statement_timestamp|current_timestamp|localtimestamp"
    r"|timeofday|gen_random_uuid)\b"
)

Row = tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """`names`, `types`: of the columns, 0 for rows and types of users, whose numbers say nothing;
    `parameters`: types PostgreSQL found for them; `refusal`: the proxy's reason."""

    names: tuple[str, ...] = ()
    types: tuple[int, ...] = ()
    rows: tuple[Row, ...] = ()
    parameters: bytes = b""
    sqlstate: str = ""
    message: str = ""
    refusal: str = ""


def read(messages: Sequence[Message]) -> Answer:
    """The answer in everything the server sent for one statement."""
    # The proxy takes the name of a text search configuration as text, and looks at it first.
    taken = b"".join(m.body for m in messages if m.tag == b"t")
    parameters = taken.replace(struct.pack("!I", _REGCONFIG), struct.pack("!I", _TEXT))
    for error in errors(messages):
        return Answer(sqlstate=error["C"], message=error["M"], refusal=_refusal(error))
    described = [columns(m) for m in messages if m.tag == b"T"]
    shown = described[-1] if described else []
    return Answer(
        names=tuple(c.name for c in shown),
        types=tuple(0 if _own(c.type_oid) else c.type_oid for c in shown),
        rows=tuple(
            tuple(row_values(m)) if m.tag == b"D" else tuple(m.body.split(b"\t"))  # d: COPY
            for m in messages
            if m.tag in (b"D", b"d")
        ),
        parameters=parameters,
    )


def _refusal(error: dict[str, str]) -> str:
    """The reason in the one-line JSON that the proxy's own errors have for a DETAIL."""
    detail = error.get("D", "")
    code = json.loads(detail).get("code", "") if detail.startswith("{") else ""
    return code if code in REASONS else ""


def _own(oid: int) -> bool:
    return oid == _RECORD or oid >= _FIRST_USER_TYPE


@dataclass(slots=True)
class Tally:
    """How often which verdict; `refused`: by reason; `differences`: their reports."""

    equal: int = 0
    rows: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    both_failed: Counter[str] = field(default_factory=Counter)
    not_comparable: Counter[str] = field(default_factory=Counter)
    different: int = 0

    @property
    def total(self) -> int:
        """Statements that were run."""
        counters = (self.refused, self.both_failed, self.not_comparable)
        return self.equal + self.different + sum(c.total() for c in counters)

    def add(self, other: Tally) -> None:
        """Count another tally's statements too."""
        self.equal += other.equal
        self.rows += other.rows
        self.different += other.different
        self.refused += other.refused
        self.both_failed += other.both_failed
        self.not_comparable += other.not_comparable


def judge(
    proxy: Answer,
    views: Answer,
    tables: Answer,
    ordered: Sequence[int] | None,
    tally: Tally,
    text: str = "",
) -> str:
    """Count one statement; what differs, or nothing. `ordered`: places of the columns whose order
    the statement says, None when it says none. `text`: the statement."""
    if proxy.refusal and proxy.sqlstate != tables.sqlstate:
        tally.refused[proxy.refusal] += 1
        return ""
    if CANCELED in (proxy.sqlstate, views.sqlstate, tables.sqlstate):
        tally.not_comparable["took too long"] += 1
        return ""
    if views.sqlstate != NO_KEY and difference(views, tables, ordered):
        tally.not_comparable["the two references differ"] += 1
        return ""
    found = difference(proxy, tables, ordered)
    if found and _VOLATILE.search(text):
        tally.not_comparable["the clock or chance"] += 1
        return ""
    if found:
        tally.different += 1
    elif proxy.sqlstate:
        tally.both_failed[proxy.sqlstate] += 1
    else:
        tally.equal += 1
        tally.rows += len(proxy.rows)
    return found


def difference(one: Answer, other: Answer, ordered: Sequence[int] | None) -> str:
    """In words how two answers differ; empty when they are equal."""
    if one.sqlstate or other.sqlstate:
        if one.sqlstate == other.sqlstate:
            return ""
        return f"{_ending(one)}, reference {_ending(other)}"
    for what in ("names", "types", "parameters"):
        if getattr(one, what) != getattr(other, what):
            return f"{what}: {getattr(one, what)!r}, reference {getattr(other, what)!r}"
    extra, missing = Counter(one.rows), Counter(other.rows)
    extra, missing = extra - missing, missing - extra
    if extra or missing:
        first = next(iter(extra), None), next(iter(missing), None)
        return (
            f"{len(one.rows)} rows, reference {len(other.rows)};"
            f" only here {first[0]!r}, only in the reference {first[1]!r}"
        )
    for row, its in zip(one.rows, other.rows, strict=True):
        if ordered is not None and row != its and _moved(row, its, ordered):
            return f"order: {row!r} where the reference has {its!r}"
    return ""


def _moved(row: Row, its: Row, ordered: Sequence[int]) -> bool:
    return any(at < 0 or row[at] != its[at] for at in ordered)


def _ending(answer: Answer) -> str:
    if answer.sqlstate:
        return f"failed with {answer.sqlstate} {answer.message}"
    return f"answered {len(answer.rows)} rows"
