"""What the engine answers: Allow or Deny, and the facts a record needs about the statement.

Only `policies.pipeline` makes an `Allow`; only an `Allow` can reach an upstream.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from policies.places import Written
from policies.reasons import Reason, Refusal

Mode = Literal["enforce", "observe", "bypass"]


@dataclass(frozen=True, slots=True)
class PolicyEffect:
    """One thing a rule did to the statement: `effect` is scope, mask, hash, hide, cap, fence
    or deny."""

    rule: str
    effect: str
    entity: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one statement without any value in it (literals are `$n`)."""

    operation: str = "unknown"  # select, begin, commit, set, show, insert ... lower case
    capability: str = ""
    entities: tuple[str, ...] = ()
    fields_read: tuple[str, ...] = ()  # entity.column, when the text names it
    affected_fields: tuple[str, ...] = ()  # entity.column of what it writes
    fingerprint: str = ""  # libpg_query's, 16 hex digits; "" when the text has no tree
    complexity_score: int = 0  # of a query that got so far
    sql_template: str = ""
    rewritten_template: str = ""
    effects: tuple[PolicyEffect, ...] = ()
    trace_id: str = ""  # 32 hex digits of its traceparent
    # what enforcement would have answered, for a statement that ran in observe mode
    observed: str = ""
    observed_reason: str = ""


@dataclass(frozen=True, slots=True)
class Forget:
    """SQL that ends protocol-level names: DEALLOCATE, CLOSE, DISCARD. name None: all of them."""

    what: Literal["statement", "portal"]
    name: str | None


@dataclass(frozen=True, slots=True)
class CopyOut:
    """Rows come as COPY data: whether a header line comes first, and whether the form is binary,
    which ends with a mark of its own."""

    header: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Price:
    """What the planner may expect of `query` at most before the statement runs (None: no limit),
    and the rules that say so."""

    query: bytes
    cost: int | None
    scan_rows: int | None
    cost_rule: str
    scan_rows_rule: str


@dataclass(frozen=True, slots=True)
class Naming:
    """What a statement does with a name of SQL's PREPARE or DECLARE; FETCH is also MOVE.

    `text`: of a PREPARE or DECLARE, the statement itself, to be decided again under other rules.
    `query`: what runs under the name of a PREPARE. `rows`: the most rows a cursor gives, unless the
    client's own limit says so already; `hold`: the cursor outlives its transaction. `capability`:
    what an EXECUTE wants to run under.
    """

    what: Literal["prepare", "execute", "declare", "fetch"]
    name: str
    text: bytes = b""
    query: Plan | None = None
    rows: int | None = None
    hold: bool = False
    capability: str = ""


@dataclass(frozen=True, slots=True)
class SessionChange:
    """What the session follows once the statement is complete: a setting of ours that was set or
    reset (name "": all of them), a savepoint, or how far the transaction goes back; undo is
    ROLLBACK TO. `value` may be a secret."""

    what: Literal["set", "reset", "savepoint", "release", "undo", "commit", "rollback"]
    name: str = ""
    value: str = field(default="", repr=False)
    local: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """The rows are an EXPLAIN's: names that may be shown of it, relations as (schema, name)."""

    json: bool
    relations: frozenset[tuple[str, str]] = frozenset()
    indexes: frozenset[str] = frozenset()
    aliases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Check:
    """What a writing statement makes sure of itself. When it does not hold, the statement fails
    with an error that holds `querywarden:<place of this in Write.checks>`, and the client gets this
    one. `code` "": it must look as if PostgreSQL said it. `invariant`: the one broken."""

    sqlstate: str
    code: str
    message: str
    hint: str = ""
    table: str = ""
    column: str = ""
    rule: str = ""
    invariant: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody must agree before it runs: a subject with a role of `by` that is not the one who
    asks. `ttl`: seconds a request waits and a consent holds."""

    capability: str
    by: tuple[str, ...]
    ttl: int
    gate: Literal["queue", "callback", "auto"]


@dataclass(frozen=True, slots=True)
class Write:
    """What the session must see to when a statement writes.

    `bound`: the rows it can affect at most by its own words; None: only running shows. `most`: the
    rows it may affect, `most_rule` says where. `tag`: the verb of the client's command tag, "" for
    the upstream's. `silent`: the rows that come back are ours alone, the client asked for none.
    `images`: the last column of each row is ours, the row before and after as JSON text.
    `constraints`: name of a constraint of the database -> the invariant it enforces. `shown`: the
    names of relations, columns and constraints that the database's own errors may say. `inside`:
    the rows that writes in WITH can affect at most, which the command tag does not count.
    """

    bound: int | None
    most: int
    most_rule: str
    inside: int = 0
    tag: str = ""
    silent: bool = False
    images: bool = False
    copies_in: bool = False
    checks: tuple[Check, ...] = ()
    constraints: tuple[tuple[str, str], ...] = ()
    shown: frozenset[str] = frozenset()
    invariants: tuple[tuple[str, str], ...] = ()  # name, what enforces it: constraint, statement
    reason: str = ""  # as its comment says
    reason_required: bool = False
    consent: Consent | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One statement ready to run.

    `sql` is the text for the upstream, UTF-8, without a trailing semicolon. When `cap` is set the
    text asks for cap + 1 rows and the session hands out cap of them, of `most_bytes` together.
    `hints` maps an upstream SQLSTATE to a hint worth adding to it (visible columns for 42703).
    `written` says where its words stand in the client's text; None: nowhere. `write`: it writes.
    `change`: of the session, when it is complete. `reason`: why, as its comment says.
    """

    sql: bytes
    facts: Facts
    cap: int | None = None
    most_bytes: int | None = None
    returns_rows: bool = False
    forget: Forget | None = None
    copy: CopyOut | None = None
    naming: Naming | None = None
    shown: Shown | None = None
    price: Price | None = None
    hints: dict[str, str] = field(default_factory=dict)
    written: Written | None = None
    write: Write | None = None
    change: SessionChange | None = None
    reason: str = ""

    @property
    def consent(self) -> Consent | None:
        """Whose consent it needs to run, or to run what it prepares."""
        if self.write is not None:
            return self.write.consent
        naming = self.naming
        return naming.query.consent if naming is not None and naming.query is not None else None


@dataclass(frozen=True, slots=True)
class Allow:
    """The statements of one text, in order, all permitted. `text` is what is sent: one frame's SQL.

    `statements` is empty for a text with no statement in it (PostgreSQL answers EmptyQuery).
    `named`: one of them makes or uses a name or changes a setting of ours, so the session has to be
    asked as well.
    """

    statements: tuple[Plan, ...]
    text: bytes
    policy_version: str
    mode: Mode = "enforce"
    named: bool = False

    @property
    def consent(self) -> Consent | None:
        """That of the first statement that needs any."""
        for plan in self.statements:
            if (plan.write is not None or plan.naming is not None) and plan.consent is not None:
                return plan.consent
        return None


@dataclass(frozen=True, slots=True)
class Deny:
    """A refusal: what the client is told and what the record says.

    `fault`: for the log, the place and type of an exception while deciding; never a value.
    `place`: the character of the text the message speaks of, from 1 on; 0: none.
    """

    reason: Reason
    message: str
    hint: str
    facts: Facts
    policy_version: str
    table: str = ""
    column: str = ""
    rule: str = ""
    fault: str = ""
    place: int = 0


Decision = Allow | Deny


def denial(refusal: Refusal, facts: Facts, policy_version: str) -> Deny:
    """The Deny of a refusal; its facts name the rule that refuses, when there is one."""
    if refusal.rule:
        effect = PolicyEffect(refusal.rule, "deny", refusal.table, refusal.column)
        facts = replace(facts, effects=(effect,))
    return Deny(
        reason=refusal.reason,
        message=refusal.message,
        hint=refusal.hint,
        facts=facts,
        policy_version=policy_version,
        table=refusal.table,
        column=refusal.column,
        rule=refusal.rule,
        place=refusal.place,
    )
