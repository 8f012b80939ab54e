"""What a session's own settings are now: SET and RESET followed through transactions.

PostgreSQL's rules (manual, SET): a setting made in a transaction goes with it when that is rolled
back, LOCAL ones end with it in any case, and ROLLBACK TO gives back what was when the savepoint was
made. Told of completed statements only; knows names and values, nothing of what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policies.decision import SessionChange

MOST_SAVEPOINTS: Final = 10_000

Values = Mapping[str, str]
_NONE: Final[Values] = {}


class Following:
    """`start`: the values RESET goes back to. `unsettled`: the transaction has changed some, so an
    error or its end may change them again."""

    __slots__ = ("_failed", "_kept", "_local", "_now", "_points", "_start", "unsettled")

    def __init__(self, start: Values) -> None:
        self._start = self._kept = self._now = start
        self._local = _NONE
        self._points: list[tuple[str, Values, Values]] = []  # savepoint, session's and local values
        self._failed = False
        self.unsettled = False

    @property
    def values(self) -> Values:
        """What holds now."""
        return {**self._now, **self._local}

    def complete(self, change: SessionChange, tag: bytes) -> None:
        """A statement is complete; `tag`: its command tag."""
        match change.what:
            case "set":
                self._put({change.name: change.value}, change.local)
            case "reset":
                names = {*self._start, *self.values} if not change.name else {change.name}
                values = {name: self._start.get(name, "") for name in names}
                self._put(values, change.local)
            case "savepoint":
                self._points.append((change.name, self._now, self._local))
                del self._points[:-MOST_SAVEPOINTS]
            case "release":
                del self._points[self._place(change.name) :]
            case "undo":
                self._undo(change.name)
            case "commit":
                self._end(kept=tag != b"ROLLBACK")
            case "rollback":
                self._end(kept=False)

    def fail(self) -> None:
        """The upstream told an error."""
        self._failed = True

    def ready(self, idle: bool) -> None:
        """ReadyForQuery: `idle` outside a transaction, so one that had no words of its own is
        over, and undone if there was an error."""
        if idle:
            self._end(kept=not self._failed)
        self._failed = False

    def _put(self, values: Values, local: bool) -> None:
        if local:
            self._local = {**self._local, **values}
        else:
            self._now = {**self._now, **values}
            self._local = {name: value for name, value in self._local.items() if name not in values}
        self.unsettled = True

    def _place(self, name: str) -> int:
        """Where the last savepoint of this name is; behind all of them if it is not known."""
        for place in range(len(self._points) - 1, -1, -1):
            if self._points[place][0] == name:
                return place
        return len(self._points)

    def _undo(self, name: str) -> None:
        place = self._place(name)
        if place == len(self._points):  # forgotten: nothing is known to hold
            self._now = self._local = _NONE
            self.unsettled = True
            return
        _, self._now, self._local = self._points[place]
        del self._points[place + 1 :]

    def _end(self, *, kept: bool) -> None:
        if kept:
            self._kept = self._now
        else:
            self._now = self._kept
        self._local = _NONE
        self._points.clear()
        self.unsettled = False
