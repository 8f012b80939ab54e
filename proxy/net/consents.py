"""What one session keeps for consents: whom it asks, what a held message waits for, and what of the
upstream's settings a consent depends on.

Knows no message; when to ask is judged in `holding`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from policies.decision import Plan
from proxy.approvals.desk import Asking
from proxy.approvals.request import Request

# Settings a client may change that change what a value means (manual 54.2.7).
MEANING: Final = (b"DateStyle", b"IntervalStyle", b"TimeZone")
# What may change them. The upstream reports that with its next ReadyForQuery, not before.
CHANGING: Final = frozenset({"set", "reset", "discard", "commit", "rollback"})


class Desk(Protocol):
    """The part of `proxy.approvals.desk.Desk` a session uses."""

    def ask(self, request: Request, wake: Callable[[], None]) -> Asking: ...


class Consents:
    """`asking`: what the held message waits for. `unreported`: a setting may have changed since the
    last ReadyForQuery."""

    __slots__ = ("_settings", "asking", "desk", "unreported")

    def __init__(self) -> None:
        self.desk: Desk | None = None
        self.asking: Asking | None = None
        self.unreported = False
        self._settings: dict[bytes, bytes] = {}

    def settings(self) -> tuple[tuple[str, str], ...]:
        """Those that a consent is bound to."""
        return tuple(
            (name.decode(), self._settings.get(name, b"").decode("utf-8", "replace"))
            for name in MEANING
        )

    def reported(self, name: bytes, value: bytes) -> None:
        """The upstream says what a setting is."""
        if name in MEANING:
            self._settings[name] = value

    def ended(self, plan: Plan) -> None:
        """A statement is complete."""
        self.unreported = self.unreported or plan.facts.operation in CHANGING

    def cancel(self) -> bool:
        """Nobody wants to wait any more; whether anybody did."""
        if self.asking is None:
            return False
        self.asking.cancel()
        return True

    def forget(self) -> None:
        """Nothing is held any more, so an answer that may still come is nobody's."""
        if self.cancel():
            self.asking = None
