"""The listening socket: accepts clients, keeps the list of sessions, cancels and drains.

Knows who is connected; knows nothing of what they say. One client's fault ends that client only.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Sequence
from typing import Final, cast

from policies.steps.admit import MAX_BYTES
from proxy.auth import Userlist
from proxy.net import answers
from proxy.net.consents import Desk
from proxy.net.intake import Closed, Intake
from proxy.net.overdue import GRACE_SECONDS, Overdue
from proxy.net.replies import Replies
from proxy.net.requests import Requests
from proxy.net.session import Engine, Gauges, Session, complain
from proxy.net.startup import Admitted, CancelRequest, Door, admit
from proxy.net.upstream import UpstreamAddress, send_cancel, tune
from proxy.oplog.operation import Observer, Operation

STARTUP_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 10.0
MAX_CLIENTS: Final = 1000
# How much may wait for a slow reader before reading from the other side stops.
_HIGH_WATER: Final = 256 * 1024


class Listener:
    """One listening address. `start`, then `drain` or `close`."""

    def __init__(
        self,
        engine: Engine,
        userlist: Userlist,
        upstream: UpstreamAddress,
        observers: Sequence[Observer],
        metrics: Gauges,
        *,
        grace_seconds: float = GRACE_SECONDS,
        startup_seconds: float = STARTUP_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
        max_statement_bytes: int = MAX_BYTES,
        max_clients: int = MAX_CLIENTS,
        desk: Desk | None = None,
    ) -> None:
        self._engine = engine
        self._desk = desk
        self._observers = tuple(observers)
        self._metrics = metrics
        self._max_statement_bytes = max_statement_bytes
        self._door = Door(
            engine, userlist, upstream, self._record, startup_seconds, connect_seconds,
            full=lambda: len(self._sessions) + len(self._starting) > max_clients,
        )  # fmt: skip
        self._server: asyncio.Server | None = None
        self._starting: set[asyncio.Task[None]] = set()
        self._sessions: set[Session] = set()
        # pid the client sees -> (session, secret the client has, secret the upstream gave)
        self._keys: dict[int, tuple[Session, bytes, bytes]] = {}
        self._overdue = Overdue(lambda: self._sessions, self._cancel_overdue, grace_seconds)
        self._watch: asyncio.Task[None] | None = None
        self._quiet = asyncio.Event()
        self._draining = False

    async def start(self, host: str, port: int) -> int:
        """Listen; the port bound (port 0: any free one). Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, host, port, backlog=1024)
        self._watch = loop.create_task(self._overdue.watch())
        return cast(int, self._server.sockets[0].getsockname()[1])

    @property
    def sessions(self) -> int:
        """Clients past start-up."""
        return len(self._sessions)

    async def drain(self, seconds: float) -> None:
        """Accept nobody, end sessions as they become idle, and the rest when time is up."""
        self._draining = True
        self._stop_accepting()
        for session in list(self._sessions):
            session.drain()
        self._check_quiet()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        await self.close()

    async def close(self) -> None:
        """Accept nobody and end everybody now."""
        self._draining = True
        self._stop_accepting()
        for session in list(self._sessions):
            session.shut_down()
        for task in list(self._starting):
            task.cancel()
        if self._watch is not None:
            self._watch.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.sleep(0)

    def _stop_accepting(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _accept(self) -> Intake:
        return _Accepted(self)

    def accepted(self, intake: Intake) -> None:
        """A client has connected."""
        task = asyncio.get_running_loop().create_task(self._serve(intake))
        self._starting.add(task)
        task.add_done_callback(self._started)

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        self._check_quiet()

    async def _serve(self, client: Intake) -> None:
        self._metrics.client_opened()
        handed_over = False
        try:
            admitted = await admit(self._door, client, _address(client))
            if isinstance(admitted, CancelRequest):
                await self._cancel(admitted)
            elif admitted is not None:
                handed_over = self._open_session(client, admitted)
        except Closed:
            return
        except OSError as error:
            complain("a cancel request could not be passed on", error)
        except Exception as error:
            client.write(answers.fatal("XX000", "internal error: the connection is closed"))
            complain("a client could not be admitted", error)
        finally:
            if not handed_over:
                client.close()
                self._metrics.client_closed()

    def _open_session(self, client: Intake, admitted: Admitted) -> bool:
        """From here on two callbacks serve the client. False: it has gone meanwhile."""
        opened = admitted.upstream
        if client.transport is None or client.transport.is_closing():
            opened.intake.close()
            return False
        for transport in (client.transport, opened.transport):
            transport.set_write_buffer_limits(_HIGH_WATER)
        session = Session(
            self._engine, admitted.origin, self._observers, self._metrics,
            client.transport, opened.transport, self._ended, admitted.own,
        )  # fmt: skip
        session.requests = Requests(session, self._max_statement_bytes)
        session.replies = Replies(session)
        session.pid, session.consents.desk = opened.pid, self._desk
        for name, value in opened.parameters.items():
            session.consents.reported(name, value)
        self._sessions.add(session)
        self._keys[opened.pid] = (session, admitted.secret, opened.secret)
        try:
            opened.intake.hand_over(session.replies)
            client.hand_over(session.requests)
        except Closed:
            session.abort()
        if self._draining:
            session.drain()
        return True

    def _ended(self, session: Session) -> None:
        self._sessions.discard(session)
        held = self._keys.get(session.pid)
        if held is not None and held[0] is session:
            del self._keys[session.pid]
        self._metrics.client_closed()
        self._check_quiet()

    def _check_quiet(self) -> None:
        if self._draining and not self._sessions and not self._starting:
            self._quiet.set()

    async def _cancel(self, request: CancelRequest) -> None:
        """Forwarded only with the right secret, and only to the upstream this client holds now."""
        held = self._keys.get(request.pid)
        if held is None or not hmac.compare_digest(held[1], request.secret):
            return
        if held[0].consents.cancel():
            return
        await send_cancel(self._door.upstream, request.pid, held[2], self._door.connect_seconds)

    async def _cancel_overdue(self, session: Session) -> None:
        """What runs longer than its budget, as if the client had asked."""
        held = self._keys.get(session.pid)
        if held is not None and held[0] is session:
            door = self._door
            await send_cancel(door.upstream, session.pid, held[2], door.connect_seconds)

    def _record(self, operation: Operation) -> None:
        for observer in self._observers:
            try:
                observer.record(operation)
            except Exception as error:
                complain("an observer failed", error)


class _Accepted(Intake):
    """A client's first bytes; tells the listener when it is there."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        tune(transport)
        self._listener.accepted(self)


def _address(client: Intake) -> str:
    peer = client.transport.get_extra_info("peername") if client.transport is not None else None
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) > 1 else "local"
