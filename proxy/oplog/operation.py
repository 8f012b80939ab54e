"""Operation: one record of what was asked, decided and done. Everything downstream reads only this.

Written for executed, refused, held, failed, cancelled and abandoned statements alike. It holds no
value of the database or of the statement, but for what was asked for: the reason a client gives,
and the rows written under a capability with `images`, as its subject sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from policies.decision import Facts, Mode
from policies.subject import Subject

Rows = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an operation came from; one per client session, shared by its operations."""

    session_id: str
    subject: Subject
    database: str
    application_name: str
    client_address: str
    auth_method: str


@dataclass(frozen=True, slots=True)
class InvariantChecked:
    """What became of one invariant of the rules. `enforced_by`: constraint or statement; `result`:
    held, broken, or unknown when the statement ended before it was looked at."""

    name: str
    enforced_by: str
    result: str


@dataclass(slots=True)
class Operation:
    """One executed or refused statement. Times are seconds; `started` is epoch seconds.

    `decision`: allow (unchanged or utility), rewrite, hold (somebody must consent), deny.
    `outcome`: ok, refused, held, failed, cancelled, abandoned. `sqlstate` and `code` are "" unless
    there was an error. `before` and `after`: JSON objects as text, one for each row written, from
    `proxy.oplog.images`; None: nobody asked for them.
    """

    origin: Origin
    facts: Facts
    decision: str
    policy_version: str
    started: float
    mode: Mode = "enforce"
    outcome: str = "ok"
    sqlstate: str = ""
    code: str = ""
    hint: str = ""
    row_count: int = 0
    affected_rows: int | None = None  # from the command tag, never guessed
    bytes: int = 0  # result bytes sent to the client
    truncated: bool = False
    decide_seconds: float = 0.0
    upstream_seconds: float = 0.0
    total_seconds: float = 0.0
    cache: str = "miss"  # hit or miss
    reason: str = ""  # why, in the client's words
    approval_id: str = ""
    invariants_checked: Sequence[InvariantChecked] = ()
    before: Rows | None = None
    after: Rows | None = None
    images_truncated: bool = False  # more rows were written than `before` and `after` hold


class Observer(Protocol):
    """Whoever wants every finished operation: the recorder, the metrics."""

    def record(self, operation: Operation) -> None:
        """Take one finished operation; must not block and must not raise."""
