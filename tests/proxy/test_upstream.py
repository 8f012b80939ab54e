"""Logging in upstream: every method, every way it can fail, and what may go out."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from policies.decision import Allow
from proxy.net.address import UpstreamAddress
from proxy.net.upstream import NO_TYPES, OwnStatement, Upstream, UpstreamError, connect, send_cancel
from proxy.wire.messages import Authentication, ErrorResponse, NoticeResponse, Parse, Query
from tests.proxy.conversation import Wire, plan
from tests.proxy.fake_upstream import PID, SECRET, FakeUpstream


def address(upstream: FakeUpstream, password: str = "pw", **more: Any) -> UpstreamAddress:
    return UpstreamAddress("127.0.0.1", upstream.port, "login", "shop", password, **more)


@pytest.mark.parametrize("method", ["trust", "password", "md5", "scram"])
async def test_every_method(method: str) -> None:
    async with FakeUpstream(method) as upstream:
        opened = await connect(address(upstream), {"search_path": "public"}, 5)
        assert (opened.pid, opened.secret) == (PID, SECRET)
        assert opened.parameters[b"server_version"] == b"18.0"
        assert upstream.parameters == [
            {b"user": b"login", b"database": b"shop", b"search_path": b"public"}
        ]
        opened.intake.close()


async def test_options_of_the_address_come_first() -> None:
    async with FakeUpstream() as upstream:
        where = address(upstream, options="-c a=1")
        (await connect(where, {"options": "-c a=2", "user": "other"}, 5)).intake.close()
        assert upstream.parameters[0][b"options"] == b"-c a=1 -c a=2"
        assert upstream.parameters[0][b"user"] == b"login"


async def refusal(method: str | bytes, password: str = "pw", seconds: float = 5) -> UpstreamError:
    async with FakeUpstream(method) as upstream:
        with pytest.raises(UpstreamError) as raised:
            await connect(address(upstream, password), {}, seconds)
        return raised.value


def said(sqlstate: bytes, message: bytes) -> bytes:
    return ErrorResponse((("S", b"FATAL"), ("C", sqlstate), ("M", message))).encode()


@pytest.mark.parametrize("method", ["password", "md5", "scram"])
async def test_a_password_is_asked_for_and_there_is_none(method: str) -> None:
    error = await refusal(method, password="")
    assert error.sqlstate == "08004" and "none is configured" in error.message


@pytest.mark.parametrize("sqlstate", [b"28P01", b"28000", b"3D000"])
async def test_our_own_login_is_refused(sqlstate: bytes) -> None:
    error = await refusal(said(sqlstate, b'password authentication failed for user "login"'))
    assert error.sqlstate == "08004" and 'login"' not in error.message


async def test_another_refusal_is_passed_on() -> None:
    notice = NoticeResponse((("S", b"WARNING"), ("M", b"x"))).encode()
    error = await refusal(notice + said(b"53300", b"too many clients"))
    assert (error.sqlstate, error.message) == ("53300", "too many clients")


@pytest.mark.parametrize(
    "raw",
    [b"", b"HTTP/1.1 400 Bad Request\r\n", b"R\0\0\0\3", b"R\xff\xff\xff\xff",
     Authentication(12, b"v=x").encode(), Authentication(7).encode(),
     Authentication(10, b"OTHER\0\0").encode(), Authentication(10, b"broken").encode(),
     Authentication(11, b"r=x,s=AAAA,i=1").encode(), b"Z\0\0\0\5I"],
)  # fmt: skip
async def test_what_is_not_a_log_in(raw: bytes) -> None:
    error = await refusal(raw, seconds=0.3)
    assert error.sqlstate in ("08001", "08004")


async def test_a_server_that_does_not_know_the_password() -> None:
    async with FakeUpstream("scram") as upstream:
        upstream.wrong_proof = True
        with pytest.raises(UpstreamError, match="authentication went wrong"):
            await connect(address(upstream), {}, 5)


async def test_a_server_that_skips_its_proof() -> None:
    class Skips(FakeUpstream):
        async def _log_in(self, reader: Any, writer: Any) -> None:
            writer.write(Authentication(10, b"SCRAM-SHA-256\0\0").encode())
            await reader.read(10)

    async with Skips() as upstream:
        with pytest.raises(UpstreamError, match="authentication went wrong"):
            await connect(address(upstream), {}, 5)


async def test_nobody_listens() -> None:
    async with FakeUpstream() as upstream:
        where = address(upstream)
    for gone in (where, UpstreamAddress("/nonexistent", 5432, "u", "d")):
        with pytest.raises(UpstreamError, match="could not connect") as raised:
            await connect(gone, {}, 1)
        assert raised.value.sqlstate == "08001"


async def test_a_cancel_request() -> None:
    async with FakeUpstream() as upstream:
        await send_cancel(address(upstream), 7, b"abcd", 5)
        assert upstream.cancels == [b"\0\0\0\7abcd"]


def test_only_allows_and_own_statements_have_a_text() -> None:
    wire = Wire()
    upstream = Upstream(cast(asyncio.Transport, wire))
    allow = Allow((plan(b"SELECT 1"),), b"SELECT 1", "v1")
    upstream.query(allow)
    upstream.parse(b"s", allow, b"\0\1\0\0\0\x17")
    upstream.parse(b"e", Allow((), b"", "v1"), NO_TYPES)
    upstream.query(OwnStatement.REFUSED)
    upstream.parse(b"", OwnStatement.REFUSED, NO_TYPES)
    upstream.flush()
    own = OwnStatement.REFUSED.value
    expected = [Query(b"SELECT 1"), Parse(b"s", b"SELECT 1", (23,)), Parse(b"e", b""), Query(own),
                Parse(b"", own)]  # fmt: skip
    assert wire.written == b"".join(message.encode() for message in expected)
    assert wire.writes == 1
