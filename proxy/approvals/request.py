"""One statement that wants to run, as it is asked about, and what comes of asking.

Knows what a consent is bound to and who may give it; knows neither where requests are kept nor how
an answer is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from policies import grammar
from policies.decision import Consent
from policies.rules import RuleSet
from policies.subject import Subject

State = Literal["pending", "granted", "refused", "used", "expired"]
Verdict = Literal["granted", "refused", "pending"]
STATES: tuple[State, ...] = ("pending", "granted", "refused", "used", "expired")
COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})


@dataclass(frozen=True, slots=True)
class Request:
    """A statement and what a person needs to judge it. `binding`: 32 bytes over all that a consent
    is bound to. `statement` is the client's text, `values` its bind values as a person reads them;
    `template` has neither. `settings`: those that change what a value means."""

    binding: bytes
    subject: Subject
    consent: Consent
    rules_version: str
    operation: str
    entities: tuple[str, ...]
    template: str
    statement: str = field(repr=False)
    values: tuple[str, ...] = field(default=(), repr=False)
    settings: tuple[tuple[str, str], ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a request. used: it may run now, this once, and its consent is spent;
    crowded: too many of its login wait already."""

    state: Literal["used", "pending", "refused", "unavailable", "crowded", "cancelled"]
    id: str = ""
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A request as it is kept. `statement` and `values` are None once it is over."""

    id: str
    state: State
    login: str
    tenant: str | None
    user_id: str | None
    roles: tuple[str, ...]
    capability: str
    gate: str
    by: tuple[str, ...]
    ttl: int
    rules_version: str
    operation: str
    entities: tuple[str, ...]
    template: str
    statement: str | None = field(repr=False)
    values: tuple[str, ...] | None = field(repr=False)
    settings: tuple[str, ...]
    reason: str
    asked_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    decided_via: str | None
    used_at: datetime | None


def binding(
    sql: bytes,
    parameters: Iterable[bytes],
    subject: Subject,
    capability: str,
    rules_version: str,
    settings: Iterable[tuple[str, str]],
    reason: str,
) -> bytes:
    """What a consent is bound to, as a digest. `sql` is the statement as it goes up; comments and
    blanks in it do not count, for tracing writes others into each. `parameters`: the types a Parse
    declared and formats and values of the Bind, byte for byte."""
    who = (subject.login, subject.tenant, subject.user_id, subject.roles, subject.attributes)
    parts = [
        b"querywarden approval 1",
        *parameters,
        *(repr(each).encode() for each in (who, capability, rules_version, tuple(settings))),
        reason.encode(),
        *_words(sql),
    ]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _words(sql: bytes) -> Iterator[bytes]:
    try:
        tokens = grammar.tokens(sql)
    except grammar.GrammarError:
        yield sql
        return
    yield from (sql[each.start : each.end] for each in tokens if each.name not in COMMENTS)


def obstacle(entry: Entry, login: str, rules: RuleSet) -> str:
    """Why this login may not decide about this request, "" when it may."""
    approver = rules.subject(login)
    if approver is None:
        return f"the rules have no login {login!r}"
    if approver.absent:
        return f"{login} acts for others: decide as a login of your own"
    if login == entry.login:
        return f"{login} has asked for it: somebody else must decide"
    mine = _text(approver.tenant), _text(approver.user_id)
    if mine[1] is not None and mine == (entry.tenant, entry.user_id):
        return f"{login} is the same user as {entry.login}, who has asked for it"
    if not set(entry.by).intersection(approver.roles):
        return f"{login} has none of the roles that may decide: {', '.join(entry.by)}"
    if not sees(entry, approver):
        return f"{login} belongs to another tenant than the request"
    if entry.rules_version != rules.text_hash:
        return (
            f"it was asked for under rules {entry.rules_version}, and now there are rules"
            f" {rules.text_hash}: the statement must be sent again"
        )
    return ""


def sees(entry: Entry, approver: Subject) -> bool:
    """Whether a request may be shown to a subject: one with a tenant sees its own tenant's, and one
    that acts for others sees none."""
    if approver.tenant is None:
        return not approver.absent
    return _text(approver.tenant) == entry.tenant


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def subject_columns(subject: Subject) -> tuple[str, str | None, str | None, list[str]]:
    """login, tenant, user_id and roles as they are kept."""
    return subject.login, _text(subject.tenant), _text(subject.user_id), list(subject.roles)
