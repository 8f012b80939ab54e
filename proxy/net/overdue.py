"""Statements that outlast their time: cancelled, and if that does not help, their session ended.

PostgreSQL's statement_timeout should have ended them; it does not when the server was told
otherwise or waits for a client that does not read. One look at all sessions now and then, nothing
for each message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from proxy.net.session import Session, complain

# How much longer than its time a statement may take: PostgreSQL's own timeout comes first.
GRACE_SECONDS: Final = 1.0
# How long a cancelled statement may go on.
PATIENCE_SECONDS: Final = 10.0

Cancel = Callable[[Session], Awaitable[None]]


@dataclass(slots=True)
class Seen:
    """What a session is waited for, since when, and when it was cancelled (0.0: not yet)."""

    head: object
    since: float
    cancelled: float = 0.0


class Overdue:
    """The watch over one listener's sessions. `sessions`: all there are now; `cancel`: asks the
    upstream of one. Times are monotonic seconds."""

    def __init__(
        self,
        sessions: Callable[[], Iterable[Session]],
        cancel: Cancel,
        grace: float = GRACE_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._sessions = sessions
        self._cancel = cancel
        self._grace = grace
        self._patience = patience
        self._seen: dict[Session, Seen] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._grace / 2)
            self.look(perf_counter())

    def look(self, now: float) -> None:
        """Look at every session once."""
        before, self._seen = self._seen, {}
        for session in list(self._sessions()):
            owed = session.ledger.owed
            if owed and session.time_limit is not None:
                seen = before.get(session)
                if seen is None or seen.head is not owed[0]:
                    seen = Seen(owed[0], now)
                self._seen[session] = seen
                self._judge(session, seen, session.time_limit + self._grace, now)

    def _judge(self, session: Session, seen: Seen, limit: float, now: float) -> None:
        if seen.cancelled > session.last_done:
            if now - seen.cancelled >= self._patience:
                session.abort()
        elif now - max(seen.since, session.last_done) >= limit:
            seen.cancelled = now
            task = asyncio.ensure_future(self._ask(session))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, session: Session) -> None:
        try:
            await self._cancel(session)
        except (OSError, TimeoutError) as error:
            complain("a statement that took too long could not be cancelled", error)
