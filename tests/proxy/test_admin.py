"""proxy/admin/http.py over a real socket."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import pytest

from proxy.admin.http import AdminServer
from proxy.metrics import Metrics


class Fixture:
    """A running admin server whose checks the test sets."""

    def __init__(self) -> None:
        self.checks = {"catalog": "", "records": ""}
        self.metrics = Metrics()
        self.server = AdminServer(self.metrics.render, lambda: self.checks)
        self.port = 0

    async def get(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        return await asyncio.to_thread(self._get, path, method)

    def _get(self, path: str, method: str) -> tuple[int, str, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode(), answer.headers["Content-Type"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers["Content-Type"]


@pytest.fixture
async def admin() -> AsyncIterator[Fixture]:
    fixture = Fixture()
    fixture.port = await fixture.server.start("127.0.0.1", 0)
    yield fixture
    await fixture.server.stop()


async def test_health_and_metrics(admin: Fixture) -> None:
    assert (await admin.get("/healthz"))[:2] == (200, '{"status":"ok"}')
    admin.metrics.client_opened()
    status, text, kind = await admin.get("/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=0.0.4")
    assert "querywarden_clients 1.0" in text
    assert "/readyz" in (await admin.get("/"))[1]


async def test_readiness_names_every_check(admin: Fixture) -> None:
    status, text, _ = await admin.get("/readyz")
    assert status == 200
    assert json.loads(text) == {"status": "ready", "checks": {"catalog": "ok", "records": "ok"}}
    admin.checks["records"] = "jsonl: No space left on device"
    status, text, _ = await admin.get("/readyz")
    assert status == 503
    assert json.loads(text)["status"] == "not ready"
    assert json.loads(text)["checks"]["records"] == "jsonl: No space left on device"
    assert (await admin.get("/healthz"))[0] == 200


async def test_other_paths_and_methods_are_refused(admin: Fixture) -> None:
    assert (await admin.get("/nothing"))[0] == 404
    assert (await admin.get("/metrics", "POST"))[0] == 405


async def test_signal_handlers_stay_ours() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    fixture = Fixture()
    fixture.port = await fixture.server.start("127.0.0.1", 0)
    assert (await fixture.get("/healthz"))[0] == 200
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    await fixture.server.stop()


async def test_a_taken_port_is_an_oserror_and_stop_frees_it(admin: Fixture) -> None:
    other = AdminServer(admin.metrics.render, lambda: {})
    with pytest.raises(OSError, match="in use"):
        await other.start("127.0.0.1", admin.port)
    await admin.server.stop()
    assert await other.start("127.0.0.1", admin.port) == admin.port
    await other.stop()
    await other.stop()
