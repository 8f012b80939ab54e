"""What the proxy itself says to a client: ready-made frames.

Knows the form of errors and notices (manual 54.8); knows nothing of sessions. An ErrorResponse of
ours has a one-line JSON DETAIL, so that a program can read the reason, and never a value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from policies.decision import Check, Deny
from policies.places import Written, tell
from policies.reasons import PLAN_CHANGED
from proxy.wire import messages
from proxy.wire.codecs import FIELDS
from proxy.wire.hygiene import STALE_PLAN_ROUTINE, Fields, clean_fields
from proxy.wire.messages import frame

PROTOCOL_VIOLATION: Final = "08P01"
CONNECTION_LOST: Final = "08006"
ADMIN_SHUTDOWN: Final = "57P01"

# Statements as they went up, and how each came to be.
Sent = Sequence[tuple[bytes, Written | None]]
# An error inside a policy view: PostgreSQL's own words would name what is hidden.
_UNFIT: Final = b"this relation cannot be read: its rules no longer fit the database"
_ASK: Final = b"ask whoever keeps the rules to run: querywarden check"
# An error in a statement that SQL prepared, by another text than the one that failed.
_STALE: Final = b"the prepared statement does not fit the arguments, or the database as it is now"
_AGAIN: Final = b"cast the arguments to the parameters' types, or prepare it again"
_NO_MORE: Final[Mapping[str, str]] = {}
_WORDING: Final = b"42"  # syntax error or access rule violation


def error(
    sqlstate: str,
    message: str,
    hint: str = "",
    *,
    detail: str = "",
    severity: str = "ERROR",
    about: tuple[str, str, str] = ("", "", ""),
    routine: str = "",
    place: int = 0,
) -> bytes:
    """An ErrorResponse. `about`: table, column and rule; `place`: a character of the text."""
    table, column, rule = about
    named = (
        ("S", severity), ("V", severity), ("C", sqlstate), ("M", message), ("D", detail),
        ("H", hint), ("P", str(place or "")), ("t", table), ("c", column), ("n", rule),
        ("R", routine),
    )  # fmt: skip
    fields = tuple((key, _clean(value)) for key, value in named if value)
    return frame(b"E", FIELDS.write(fields))


def fatal(sqlstate: str, message: str, hint: str = "") -> bytes:
    """An ErrorResponse after which the connection is closed."""
    return error(sqlstate, message, hint, severity="FATAL")


def denial(deny: Deny, severity: str = "ERROR", more: Mapping[str, str] = _NO_MORE) -> bytes:
    """The ErrorResponse of a refusal. `more`: what else a program can read in DETAIL."""
    detail = {"code": deny.reason.code, "policy_version": deny.policy_version, **more}
    return error(
        deny.reason.sqlstate,
        deny.message,
        deny.hint,
        detail=json.dumps(detail),
        severity=severity,
        about=(deny.table, deny.column, deny.rule),
        routine=STALE_PLAN_ROUTINE.decode() if deny.reason is PLAN_CHANGED else "",
        place=deny.place,
    )


def unmet(check: Check, policy_version: str, hint: str) -> bytes:
    """The ErrorResponse for a check of a write that did not hold. One without a code looks as if
    PostgreSQL said it."""
    if not check.code:
        return error(check.sqlstate, check.message)
    detail = json.dumps({"code": check.code, "policy_version": policy_version})
    about = (check.table, check.column, check.rule)
    return error(check.sqlstate, check.message, hint, detail=detail, about=about)


def upstream_error(fields: Fields, sent: Sent | None, text: bytes, hint: str = "") -> bytes:
    """An ErrorResponse of the upstream as the client may have it: what it was `sent` for the
    client's `text`; None when the place may be in another text. PostgreSQL's hint for a column that
    does not exist may name a hidden one of a table that is written."""
    if fields.get("C") == b"42703":
        fields = {key: value for key, value in fields.items() if key != "H"}
    if "P" not in fields or not fields["P"].isdigit():
        return clean_fields(b"E", fields, hint)
    if sent is None:
        if fields.get("C", _WORDING).startswith(_WORDING):
            fields, hint = {**fields, "M": _STALE, "H": _AGAIN}, ""
        return clean_fields(b"E", fields, hint)
    told = tell(fields.get("M", b""), int(fields["P"]), sent, text)
    if told.closed:
        known = {key: fields[key] for key in "SVC" if key in fields}
        fields, hint = {**known, "M": _UNFIT, "H": _ASK}, ""
    else:
        fields = {**fields, "M": told.message}
    return clean_fields(b"E", fields, hint, told.place)


def cap_notice(limit: int, unit: bytes) -> bytes:
    """Tells that rows were left out; `unit`: rows or bytes."""
    return _notice(b"result capped at %d %b" % (limit, unit))


def cursor_notice(rows: int) -> bytes:
    """Tells that a cursor ends there, whatever its query would give."""
    return _notice(b"cursor gives at most %d rows" % rows)


def _notice(message: bytes) -> bytes:
    fields = (("S", b"NOTICE"), ("V", b"NOTICE"), ("C", b"01000"), ("M", message))
    return messages.NoticeResponse(fields).encode()


def _clean(value: str) -> bytes:
    return value.replace("\0", "").encode("utf-8", "replace")
