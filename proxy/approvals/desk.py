"""Where a session asks whether a statement has somebody's consent, and is told later.

Each request is a task of its own: the store is asked, the gate's service too, and again until
`wait` is over. Whatever goes wrong, the answer is no. Knows gates; knows no messages.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from proxy.approvals.request import Answer, Entry, Request, Verdict
from proxy.approvals.store import SECONDS, Crowded, Store, StoreError

_log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.25
MOST_ASKING: Final = 1000
# One question is a few statements, and the store limits each of them.
_STORE_SECONDS: Final = 2 * SECONDS

Wake = Callable[[], None]


class Service(Protocol):
    """The part of `proxy.approvals.hook.Hook` that is used here."""

    seconds: float

    async def ask(self, entry: Entry) -> Verdict: ...
    async def close(self) -> None: ...


class Asking:
    """A request under way. `answer` is None until it is there, and then whoever waits is woken."""

    __slots__ = ("_task", "_wake", "answer", "request")

    def __init__(self, request: Request, wake: Wake) -> None:
        self.request = request
        self.answer: Answer | None = None
        self._wake = wake
        self._task: asyncio.Task[None] | None = None

    def begin(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def told(self, answer: Answer) -> None:
        """The answer has come; only the first one counts."""
        if self.answer is None:
            self.answer = answer
            asyncio.get_running_loop().call_soon(self._wake)

    def cancel(self) -> None:
        """Nobody waits for the answer any more. A consent spent at this very moment is lost."""
        self.told(Answer("cancelled"))
        if self._task is not None:
            self._task.cancel()


class Desk:
    """The gates of one proxy. `wait`: seconds a request may wait for its answer."""

    def __init__(self, store: Store, service: Service | None = None, wait: float = 0.0) -> None:
        self._store = store
        self._service = service
        self._wait = wait
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, request: Request, wake: Wake) -> Asking:
        """Ask whether this may run now, once; `wake` is called when the answer is there."""
        asking = Asking(request, wake)
        if len(self._tasks) >= MOST_ASKING:
            asking.told(Answer("unavailable"))
            return asking
        task = asyncio.get_running_loop().create_task(self._run(asking))
        asking.begin(task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return asking

    async def sweep(self) -> Mapping[str, int]:
        """See `Store.sweep`."""
        return await self._store.sweep()

    async def close(self) -> None:
        """Nobody is answered any more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._service is not None:
            await self._service.close()
        await self._store.close()

    async def _run(self, asking: Asking) -> None:
        try:
            answer = await self._answer(asking.request)
        except Crowded:
            answer = Answer("crowded")
        except (StoreError, TimeoutError) as error:
            _log.error("the approval store cannot be asked: %s", error or "no answer in time")
            answer = Answer("unavailable")
        except Exception as error:
            _log.error("asking for approval has failed: %s", type(error).__name__, exc_info=True)
            answer = Answer("unavailable")
        asking.told(answer)

    async def _answer(self, request: Request) -> Answer:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait
        if request.consent.gate == "auto":
            async with asyncio.timeout(_STORE_SECONDS):
                return _told(await self._store.use_at_once(request))
        found = await self._ask(request)
        if found.state == "pending" and request.consent.gate == "callback":
            found = await self._ask_service(request, found)
        while found.state == "pending" and loop.time() < until:
            await asyncio.sleep(_POLL_SECONDS)
            found = await self._ask(request)
        return _told(found)

    async def _ask(self, request: Request) -> Entry:
        async with asyncio.timeout(_STORE_SECONDS):
            return await self._store.ask(request)

    async def _ask_service(self, request: Request, entry: Entry) -> Entry:
        if self._service is None:
            return entry
        verdict: Verdict = "pending"
        try:
            async with asyncio.timeout(self._service.seconds):
                verdict = await self._service.ask(entry)
        except TimeoutError:
            _log.warning("the approval hook did not decide about %s: no answer in time", entry.id)
        if verdict != "pending":
            async with asyncio.timeout(_STORE_SECONDS):
                await self._store.decide(entry.id, verdict, "callback")
            return await self._ask(request)
        return entry


def _told(entry: Entry) -> Answer:
    match entry.state:
        case "used" | "pending" | "refused":
            return Answer(entry.state, entry.id, entry.expires_at)
        case _:
            return Answer("unavailable", entry.id)
