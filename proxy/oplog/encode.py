"""One Operation -> its JSON record, without the chain's two fields. Shapes only; no queue, no file.

Times are milliseconds, `timestamp` is when the statement arrived, in UTC. What an Operation does
not offer does not get in; it says which values it may hold.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from policies.decision import Facts
from proxy.oplog.operation import Operation, Origin

LONGEST_TEMPLATE = 65536  # characters; a longer statement is cut, and says so
LONGEST_NAME = 256  # what a client calls itself is its own choice
LONGEST_REASON = 1024

_CUT = " ...[cut]"
_REMEMBERED = 8_000_000  # bytes of JSON
_MOST_FORMS = 1000
_NUMBERS = (b'"row_count":0', b'"bytes":0', b'"duration_ms":0.0',
            b'"decide":0.0', b'"upstream":0.0', b'"total":0.0')  # fmt: skip


class Encoder:
    """Encodes operations of one proxy; used by one thread.

    A session and a cached decision are the same objects in record after record, so the JSON of
    both is kept: that is most of a record.
    """

    def __init__(self, instance: str) -> None:
        self._instance = _dumps({"instance": instance})[1:-1]
        self._parts: dict[int, tuple[object, bytes]] = {}  # by id(); the object is kept alive
        self._size = 0
        self._forms: dict[tuple[object, ...], bytes] = {}
        self._second = -1
        self._second_text = ""

    def encode(self, operation: Operation, lost: int = 0) -> bytes:
        """The record as one line of JSON. `lost`: records that could not be kept before it."""
        origin, facts = operation.origin, operation.facts
        found = self._parts.get(id(origin))
        said_of_origin = found[1] if found else self._remember(origin, _origin(origin))
        found = self._parts.get(id(facts))
        said_of_facts = found[1] if found else self._remember(facts, _facts(facts))
        if lost or _is_special(operation):
            outcome = _dumps(_outcome(operation, lost))[1:]
        else:
            outcome = self._plain_outcome(operation)
        return b'{"id":"%b","timestamp":"%b",%b,%b,%b,%b' % (
            new_id(operation.started).encode(),
            self._timestamp(operation.started).encode(),
            self._instance,
            said_of_origin,
            said_of_facts,
            outcome,
        )

    def _plain_outcome(self, operation: Operation) -> bytes:
        """The same as `_outcome` for a read that went well, which most statements are: the words
        are kept, only the numbers are written anew."""
        key = (
            operation.policy_version,
            operation.mode,
            operation.decision,
            operation.outcome,
            operation.truncated,
            operation.cache,
        )
        form = self._forms.get(key)
        if form is None:
            if len(self._forms) >= _MOST_FORMS:
                self._forms.clear()
            form = self._forms[key] = _form(operation)
        total = operation.total_seconds * 1000
        return form % (
            operation.row_count,
            operation.bytes,
            total,
            operation.decide_seconds * 1000,
            operation.upstream_seconds * 1000,
            total,
        )

    def _remember(self, key: object, said: dict[str, Any]) -> bytes:
        text = _dumps(said)[1:-1]
        self._size += len(text)
        if self._size > _REMEMBERED:
            self._parts.clear()
            self._size = len(text)
        self._parts[id(key)] = (key, text)
        return text

    def _timestamp(self, seconds: float) -> str:
        whole = int(seconds)
        if whole != self._second:
            moment = datetime.fromtimestamp(whole, UTC)
            self._second, self._second_text = whole, moment.strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._second_text}.{int((seconds - whole) * 1_000_000):06d}Z"


def new_id(seconds: float) -> str:
    """A UUID version 7 (RFC 9562, with method 3 of section 6.2 for the part below a millisecond):
    sorts by time, unique across instances."""
    ticks = int(seconds * 1000 * 4096)
    milliseconds = ticks >> 12 & 0xFFFFFFFFFFFF
    chance = random.getrandbits(62)
    return "%08x-%04x-7%03x-%04x-%012x" % (  # noqa: UP031 twice as fast as an f-string
        milliseconds >> 16,
        milliseconds & 0xFFFF,
        ticks & 0xFFF,
        0x8000 | chance >> 48,
        chance & 0xFFFFFFFFFFFF,
    )


def _origin(origin: Origin) -> dict[str, Any]:
    subject = origin.subject
    return {
        "session_id": origin.session_id,
        "principal": {
            "user": subject.login,
            "user_id": subject.user_id,
            "tenant": subject.tenant,
            "roles": subject.roles,
            "auth_method": origin.auth_method,
        },
        "database": origin.database,
        "application_name": origin.application_name[:LONGEST_NAME],
        "client_address": origin.client_address,
    }


def _facts(facts: Facts) -> dict[str, Any]:
    said: dict[str, Any] = {
        "capability": facts.capability,
        "operation": facts.operation,
        "entity": facts.entities[0] if facts.entities else "",
        "entities": facts.entities,
        "fields_read": facts.fields_read,
        "affected_fields": facts.affected_fields,
        "fingerprint": facts.fingerprint,
        "complexity_score": facts.complexity_score,
        "sql_template": _short(facts.sql_template),
        "rewritten_template": _short(facts.rewritten_template),
        "policy_decisions": [
            {
                "rule": effect.rule,
                "effect": effect.effect,
                "entity": effect.entity,
                "column": effect.column,
            }
            for effect in facts.effects
        ],
    }
    if facts.trace_id:
        said["trace_id"] = facts.trace_id
    if facts.observed:
        said["observed"] = {"decision": facts.observed, "reason": facts.observed_reason}
    return said


def _is_special(operation: Operation) -> bool:
    """Whether its outcome is more than a read's that went well."""
    return bool(
        operation.sqlstate
        or operation.code
        or operation.affected_rows is not None
        or operation.reason
        or operation.approval_id
        or operation.invariants_checked
        or operation.before is not None
        or operation.after is not None
    )


def _outcome(operation: Operation, lost: int) -> dict[str, Any]:
    total = round(operation.total_seconds * 1000, 3)
    error = None
    if operation.sqlstate or operation.code:
        error = {"sqlstate": operation.sqlstate, "code": operation.code, "hint": operation.hint}
    said: dict[str, Any] = {
        "policy_version": operation.policy_version,
        "mode": operation.mode,
        "decision": operation.decision,
        "outcome": operation.outcome,
        "row_count": operation.row_count,
        "affected_rows": operation.affected_rows,
        "bytes": operation.bytes,
        "truncated": operation.truncated,
        "duration_ms": total,
        "timings": {
            "decide": round(operation.decide_seconds * 1000, 3),
            "upstream": round(operation.upstream_seconds * 1000, 3),
            "total": total,
        },
        "cache": operation.cache,
        "reason": _short(operation.reason, LONGEST_REASON),
        "approval_id": operation.approval_id,
        "invariants_checked": [
            {"name": one.name, "enforced_by": one.enforced_by, "result": one.result}
            for one in operation.invariants_checked
        ],
        "error": error,
    }
    if operation.before is not None or operation.after is not None:
        said["before"] = [orjson.Fragment(row) for row in operation.before or ()]
        said["after"] = [orjson.Fragment(row) for row in operation.after or ()]
        said["images_truncated"] = operation.images_truncated
    if lost:
        said["lost"] = lost
    return said


def _form(operation: Operation) -> bytes:
    """A read's outcome with places for its numbers, in the order of _NUMBERS."""
    blank = replace(
        operation,
        row_count=0,
        bytes=0,
        total_seconds=0.0,
        decide_seconds=0.0,
        upstream_seconds=0.0,
    )
    form = _dumps(_outcome(blank, 0))[1:].replace(b"%", b"%%")
    for number in _NUMBERS:
        name, _, zero = number.partition(b":")
        place = b"%d" if zero == b"0" else b"%.3f"
        form = form.replace(number, name + b":" + place, 1)
    return form


def _short(text: str, longest: int = LONGEST_TEMPLATE) -> str:
    return text if len(text) <= longest else text[:longest] + _CUT


def _dumps(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate, or a value JSON has no type for
        return orjson.dumps(_plain(value))


def _plain(value: object) -> object:
    """The same value with every text encodable and every unknown type as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, float, orjson.Fragment)):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    return str(value).encode("utf-8", "replace").decode()
