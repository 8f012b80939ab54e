"""The admin address: /metrics for Prometheus, /healthz and /readyz for whoever runs the proxy.

Starlette on uvicorn inside the proxy's own event loop. It is told how to render metrics and how to
check readiness, and knows nothing else of the proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

# Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_INDEX = (
    "querywarden\n\n/metrics  Prometheus metrics\n/healthz  alive\n/readyz   ready for clients\n"
)

Checks = Callable[[], Mapping[str, str]]


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are the proxy's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class AdminServer:
    """`render` gives the metrics; `checks` maps each condition of readiness to "" or a problem."""

    def __init__(self, render: Callable[[], bytes], checks: Checks) -> None:
        self._render = render
        self._checks = checks
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which is chosen when `port` is 0. Raises OSError."""
        listening = _listen(host, port)
        config = uvicorn.Config(
            self._application(),
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="none",
            ws="none",
            http="h11",
            server_header=False,
            timeout_graceful_shutdown=1,
            limit_concurrency=64,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listening]), name="admin")
        return int(listening.getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and end open requests; a second call does nothing."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._server = self._task = None

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._index),
                Route("/metrics", self._metrics),
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
            ]
        )

    async def _index(self, request: Request) -> Response:
        return PlainTextResponse(_INDEX)

    async def _metrics(self, request: Request) -> Response:
        return Response(self._render(), headers={"Content-Type": METRICS_TYPE})

    async def _healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _readyz(self, request: Request) -> Response:
        checks = self._checks()
        ready = not any(checks.values())
        return JSONResponse(
            {
                "status": "ready" if ready else "not ready",
                "checks": {name: problem or "ok" for name, problem in checks.items()},
            },
            status_code=200 if ready else 503,
        )


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(64)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
