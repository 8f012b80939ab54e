"""What one session keeps for consents: whom it asks, what a held message waits for, and what of the
upstream's settings a consent depends on.

Knows no message; when to ask is judged in `holding`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from proxy.approvals.desk import Asking
from proxy.approvals.request import Request
from proxy.net.statement import Statement

# Settings a client may change that change what a value means (manual 54.2.7).
MEANING: Final = (b"DateStyle", b"IntervalStyle", b"TimeZone")
# What cannot change them; a SELECT can, by set_config.
_HARMLESS: Final = frozenset({"begin", "savepoint", "release"})


class Desk(Protocol):
    """The part of `proxy.approvals.desk.Desk` a session uses."""

    def ask(self, request: Request, wake: Callable[[], None]) -> Asking: ...


class Consents:
    """`asking`: what the held message waits for."""

    __slots__ = ("_settings", "_unreported", "asking", "desk")

    def __init__(self) -> None:
        self.desk: Desk | None = None
        self.asking: Asking | None = None
        self._unreported = -1  # the group whose statements may have changed settings
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

    def executed(self, statement: Statement | None, group: int) -> None:
        """An Execute goes up. What it changes the upstream reports when the group has ended."""
        plan = statement.plan if statement is not None else None
        judged = statement is not None and statement.approval_id
        if not judged and (plan is None or plan.facts.operation not in _HARMLESS):
            self._unreported = group

    def unreported(self, group: int) -> bool:
        """Whether something ran in this group that may have changed a setting."""
        return group == self._unreported

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
