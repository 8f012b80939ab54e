"""proxy/approvals/desk.py and proxy/approvals/hook.py: gates, waiting, and every way to fail."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from proxy.approvals import desk as desks
from proxy.approvals.desk import Desk
from proxy.approvals.hook import Hook
from proxy.approvals.request import Answer, Entry, Request, State
from proxy.approvals.store import Crowded, Store, StoreError
from tests.proxy.test_approvals_store import request

KEY = b"0123456789abcdef"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
Reply = Callable[[dict[str, str], bytes], bytes]


def asked(gate: str) -> Request:
    made = request()
    return replace(made, consent=replace(made.consent, gate=cast(Any, gate)))


def entry(wanted: Request, state: State, id: str = "a1") -> Entry:
    return Entry(
        id, state, "agent", "1", "7", ("support",), "refund", "queue", ("lead",), 900, "v1",
        "update", ("orders",), "t", wanted.statement, wanted.values, (), "why", NOW, NOW,
        None, None, None, None,
    )  # fmt: skip


class Table:
    """Stands in for a Store: `states` are what asking finds, one after the other."""

    def __init__(self, *states: State | Exception) -> None:
        self.states = list(states)
        self.decided: list[tuple[object, ...]] = []
        self.closed = False

    async def ask(self, wanted: Request) -> Entry:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return entry(wanted, state)

    async def use_at_once(self, wanted: Request) -> Entry:
        return await self.ask(wanted)

    async def decide(self, *given: object) -> None:
        self.decided.append(given)

    async def close(self) -> None:
        self.closed = True


async def answer(desk: Desk, wanted: Request) -> Answer:
    woken = asyncio.Event()
    asking = desk.ask(wanted, woken.set)
    await asyncio.wait_for(woken.wait(), 5)
    assert asking.answer is not None
    return asking.answer


def desk(table: Table, service: Any = None, wait: float = 0.0) -> Desk:
    return Desk(cast(Store, table), service, wait)


# Queue and auto.


@pytest.mark.parametrize("state", ["used", "pending", "refused"])
async def test_the_queue_says_what_the_store_says(state: State) -> None:
    assert await answer(desk(Table(state)), asked("queue")) == Answer(state, "a1", NOW)  # type: ignore[arg-type]


async def test_auto_is_granted_at_once() -> None:
    assert (await answer(desk(Table("used")), asked("auto"))).state == "used"


@pytest.mark.parametrize(
    "error", [StoreError("gone"), TimeoutError(), RuntimeError("value 41"), OSError()]
)
@pytest.mark.parametrize("gate", ["queue", "auto", "callback"])
async def test_a_store_that_fails_is_a_no(
    error: Exception, gate: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await answer(desk(Table(error)), asked(gate)) == Answer("unavailable")
    assert any(record.levelno == logging.ERROR for record in caplog.records)


async def test_a_store_that_hangs_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Table):
        async def ask(self, wanted: Request) -> Entry:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(desks, "_STORE_SECONDS", 0.05)
    assert (await answer(desk(Hanging("used")), asked("queue"))).state == "unavailable"


async def test_a_queue_that_is_full_is_told() -> None:
    assert await answer(desk(Table(Crowded())), asked("queue")) == Answer("crowded")


async def test_a_state_that_is_no_answer_is_a_no() -> None:
    assert (await answer(desk(Table("granted")), asked("queue"))).state == "unavailable"


async def test_it_waits_as_long_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "_POLL_SECONDS", 0.001)
    waiting = Table("pending", "pending", "pending", "used")
    assert (await answer(desk(waiting, wait=5), asked("queue"))).state == "used"
    assert (await answer(desk(Table("pending"), wait=0.02), asked("queue"))).state == "pending"
    assert (await answer(desk(Table("pending", "refused"), wait=5), asked("queue"))).state == (
        "refused"
    )


async def test_who_no_longer_waits_gets_no_answer() -> None:
    held = desk(Table("pending"), wait=60)
    woken: list[str] = []
    asking = held.ask(asked("queue"), lambda: woken.append("now"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.sleep(0.01)
    assert asking.answer == Answer("cancelled") and woken == ["now"]
    other = held.ask(asked("queue"), lambda: None)
    await held.close()
    assert other.answer is None


async def test_not_everybody_can_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "MOST_ASKING", 1)
    held = desk(Table("pending"), wait=60)
    held.ask(asked("queue"), lambda: None)
    assert (await answer(held, asked("queue"))).state == "unavailable"
    await held.close()


# The web service.


@asynccontextmanager
async def serving(reply: Reply) -> AsyncIterator[str]:
    """A web server that answers every request with the bytes of `reply(headers, body)`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        writer.write(reply({"": head[0], **headers}, body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    finally:
        server.close()
        await server.wait_closed()


def http(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def says(decision: object) -> Reply:
    return lambda headers, body: http(json.dumps({"decision": decision}).encode())


async def verdict(reply: Reply, seconds: float = 2.0) -> str:
    async with serving(reply) as url:
        hook = Hook(url, KEY, seconds, lambda: 1767225600.5)
        found = await hook.ask(entry(asked("callback"), "pending"))
        await hook.close()
        return found


async def test_what_is_sent_is_whole_and_signed() -> None:
    seen: list[tuple[dict[str, str], bytes]] = []

    def reply(headers: dict[str, str], body: bytes) -> bytes:
        seen.append((headers, body))
        return says("granted")(headers, body)

    assert await verdict(reply) == "granted"
    ((headers, body),) = seen
    assert headers[""] == "POST /hook HTTP/1.1"
    assert headers["querywarden-timestamp"] == "1767225600"
    signed = hmac.new(KEY, b"1767225600." + body, hashlib.sha256).hexdigest()
    assert headers["querywarden-signature"] == f"sha256={signed}"
    said = json.loads(body)
    assert (said["id"], said["login"], said["by"]) == ("a1", "agent", ["lead"])
    assert (said["statement"], said["values"]) == (request().statement, ["'refunded'", "41"])


@pytest.mark.parametrize("decision", ["granted", "refused", "pending"])
async def test_its_verdicts(decision: str) -> None:
    assert await verdict(says(decision)) == decision


@pytest.mark.parametrize(
    "answered",
    [
        http(b'{"decision": "granted"}', "500 Internal Server Error"),
        http(b'{"decision": "granted"}', "201 Created"),
        http(b"", "302 Found\r\nLocation: http://127.0.0.1:1/"),
        http(b"granted"),
        http(b'["granted"]'),
        http(b'{"decision": true}'),
        http(b'{"decision": "GRANTED"}'),
        http(b'{"decision": ["granted"]}'),
        http(b'{"decision": "granted"}' + b" " * 70_000),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"decision\": \"granted\"}",
        b"granted",
        b"",
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_pending(
    answered: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert await verdict(lambda headers, body: answered) == "pending"
    assert "did not decide about a1" in caplog.text and "refunded" not in caplog.text


async def test_nobody_there_is_pending() -> None:
    hook = Hook("http://127.0.0.1:1/hook", KEY, 1.0)
    assert await hook.ask(entry(asked("callback"), "pending")) == "pending"
    await hook.close()


class Service:
    """Stands in for a Hook."""

    seconds = 0.05

    def __init__(self, verdict: str) -> None:
        self.verdict = verdict
        self.asked = 0

    async def ask(self, found: Entry) -> str:
        self.asked += 1
        if self.verdict == "slow":
            await asyncio.sleep(60)
        return self.verdict

    async def close(self) -> None:
        self.verdict = "closed"


async def test_the_services_word_is_kept_before_it_counts() -> None:
    table = Table("pending", "used")
    assert (await answer(desk(table, Service("granted")), asked("callback"))).state == "used"
    assert table.decided == [("a1", "granted", "callback")]
    table = Table("pending", "refused")
    assert (await answer(desk(table, Service("refused")), asked("callback"))).state == "refused"
    assert table.decided == [("a1", "refused", "callback")]


@pytest.mark.parametrize("service", [Service("pending"), Service("slow"), None])
async def test_without_its_word_a_person_may_still_answer(service: Service | None) -> None:
    table = Table("pending")
    assert (await answer(desk(table, service), asked("callback"))).state == "pending"
    assert table.decided == []


async def test_the_service_is_asked_about_pending_requests_of_its_gate_only() -> None:
    service = Service("granted")
    for state, gate in (("used", "callback"), ("refused", "callback"), ("pending", "queue")):
        await answer(desk(Table(cast(State, state)), service), asked(gate))
    assert service.asked == 0
    held = desk(table := Table("used"), service)
    await held.close()
    assert table.closed and service.verdict == "closed"
