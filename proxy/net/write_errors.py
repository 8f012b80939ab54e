"""An error of a write, as its client may have it: checks that did not hold, constraints, values.

A write meets what no read does: constraints, triggers, generated columns and indexes see the whole
row, hidden columns too, and their errors can print what they see. So of an error of a write only
this is told:

- a check of ours: the refusal it stands for, or what PostgreSQL would say;
- what points into the client's text, or is wrong with a parameter: as PostgreSQL says it;
- a wrong value (class 22): without the value;
- a constraint (class 23): its name if the client may see it, and the invariant it enforces;
- what a trigger or function raised, and what is not known here: nothing but the SQLSTATE.

SQLSTATEs always stay. Knows fields and plans; knows nothing of sessions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from policies.decision import Check, Write
from proxy.net.wrote import Wrote, broke
from proxy.wire.hygiene import Fields
from proxy.wire.ledger import BIND, PARSE

_RAISED: Final = "22P02"
_OURS: Final = re.compile(rb"querywarden:([0-9]{1,6})")
_QUOTED: Final = re.compile(rb'"([^"]*)"')
_VALUE: Final = re.compile(rb':?\s*".*"|:.*', re.DOTALL)

# Classes whose messages speak of the statement, not of rows (manual, appendix A).
_PLAIN: Final = frozenset("08 0A 21 24 25 26 34 3B 40 42 53 55 57".split())
_WRONG_VALUE: Final = "22"
_CONSTRAINT: Final = frozenset({"23", "44"})
_WORDS: Final = {
    "40001": b"could not serialize access",
    "40P01": b"deadlock detected",
    "55P03": b"canceling statement due to lock timeout",
    "57014": b"canceling statement",
    "23001": b"the row is referred to by others",
    "23502": b"null value in a column that must have one",
    "23503": b"the row refers to one that does not exist, or is referred to by others",
    "23505": b"duplicate key value violates a unique constraint",
    "23514": b"the new row violates a check constraint",
    "23P01": b"conflicting key value violates an exclusion constraint",
    "44000": b"the new row violates the check option of a view",
}
_BROKEN: Final = b"the row violates a constraint"
_RAISED_BY_DATABASE: Final = b"a trigger or function of the database stopped the statement"
_UNKNOWN: Final = b"the database could not run the statement"
# What COPY adds to an error in a line of the client's own data.
_COPY_LINE: Final = re.compile(rb"COPY [^\n]*\Z")
# Codes of notices that say nothing else: anybody's RAISE.
_RAISED_NOTICES: Final = frozenset({b"00000", b"01000", b"P0001"})


@dataclass(frozen=True, slots=True)
class Failure:
    """`fields`: what of the error may be told; `check`: the one of ours that did not hold, and then
    the client gets that. The rest is for the record."""

    fields: Fields
    check: Check | None = None
    outcome: str = "failed"
    sqlstate: str = ""
    code: str = ""
    hint: str = ""
    wrote: Wrote | None = None


def failure(fields: Fields, write: Write, kind: int) -> Failure:
    """What becomes of an error. `kind`: of the ledger's entry it answers."""
    sqlstate = fields.get("C", b"").decode("ascii", "replace")
    found = _OURS.search(fields.get("M", b"")) if sqlstate == _RAISED else None
    if found is not None and write.checks:
        number = int(found[1])
        if number < len(write.checks):
            return _unmet(fields, write, write.checks[number])
        found = None
    name = _text(fields.get("n"))
    invariant = dict(write.constraints).get(name, "") if sqlstate[:2] == "23" and name else ""
    hint = f'the invariant "{invariant}" does not hold of the row' if invariant else ""
    told, message = fields, _message(fields, sqlstate, write, kind)
    if message != fields.get("M"):  # then its hint is nobody's either
        told = {**{key: fields[key] for key in "SVC" if key in fields}, "M": message}
    return Failure(told, sqlstate=sqlstate, hint=hint, wrote=broke(write, invariant))


def late_failure(fields: Fields, deferred: Write) -> Failure | None:
    """The same for an error that is not of a write, in a transaction that wrote: a check put off
    until now, or None."""
    sqlstate = fields.get("C", b"").decode("ascii", "replace")
    if sqlstate[:2] not in _CONSTRAINT and "W" not in fields:
        return None
    return failure(fields, deferred, 0)


def tells_of_rows(fields: Fields, writes: bool) -> bool:
    """Whether a notice may say what a trigger or function saw. `writes`: it came while a write
    ran, else in the same transaction."""
    return "W" in fields or (writes and fields.get("C") in _RAISED_NOTICES)


def _unmet(fields: Fields, write: Write, check: Check) -> Failure:
    wrote = broke(write, check.invariant)
    outcome = "refused" if check.code else "failed"
    return Failure(fields, check, outcome, check.sqlstate, check.code, check.hint, wrote)


def _message(fields: Fields, sqlstate: str, write: Write, kind: int) -> bytes:
    message = fields.get("M", b"")
    if kind in (PARSE, BIND):
        return message
    context = fields.get("W", b"")
    copied = write.copies_in and _COPY_LINE.match(context) is not None
    if context and not copied:
        return _WORDS.get(sqlstate, _RAISED_BY_DATABASE)
    if "P" in fields or (copied and sqlstate.startswith(_WRONG_VALUE)):
        return message
    kind_of = sqlstate[:2]
    if kind_of in _PLAIN:
        return message
    if kind_of == _WRONG_VALUE:
        return _VALUE.sub(b"", message)
    if kind_of in _CONSTRAINT:
        shown = {_text(name) for name in _QUOTED.findall(message)} <= write.shown
        return message if shown else _WORDS.get(sqlstate, _BROKEN)
    return _UNKNOWN


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
