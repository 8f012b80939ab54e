"""Operation: one record of what was asked, decided and done. Everything downstream reads only this.

Written for executed, refused, failed, cancelled and abandoned statements alike; it never holds a
value of the database or of the statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from policies.decision import Facts, Mode
from policies.subject import Subject


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an operation came from; one per client session, shared by its operations."""

    session_id: str
    subject: Subject
    database: str
    application_name: str
    client_address: str
    auth_method: str


@dataclass(slots=True)
class Operation:
    """One executed or refused statement. Times are seconds; `started` is epoch seconds.

    `decision`: allow (unchanged or utility), rewrite, deny. `outcome`: ok, refused, failed,
    cancelled, abandoned. `sqlstate` and `code` are "" unless there was an error.
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


class Observer(Protocol):
    """Whoever wants every finished operation: the recorder, the metrics."""

    def record(self, operation: Operation) -> None:
        """Take one finished operation; must not block and must not raise."""
