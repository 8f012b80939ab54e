"""Connecting (proxy/net/startup.py): every first byte a client may send, to a running listener."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from policies import reasons
from proxy.auth import Userlist
from proxy.net.address import UpstreamAddress
from proxy.net.listener import Listener
from proxy.wire.messages import (
    GSSENC_REQUEST,
    PROTOCOL_3_0,
    SSL_REQUEST,
    Authentication,
    BackendKeyData,
    FirstPacket,
    NegotiateProtocolVersion,
    ParameterStatus,
    Password,
    Query,
    ReadyForQuery,
    SaslInitial,
    Sync,
    Terminate,
    cancel_request,
    startup,
)
from proxy.wire.scram import MECHANISM, make_verifier
from tests.proxy.conversation import Records, TableEngine, deny, error
from tests.proxy.fake_upstream import PID, SECRET, FakeUpstream, RawClient

GREETING = startup({"user": "app", "database": "shop"})


@dataclass
class Running:
    """A listener in front of a fake upstream."""

    port: int
    listener: Listener
    engine: TableEngine
    records: Records
    upstream: FakeUpstream


@contextlib.asynccontextmanager
async def running(upstream: FakeUpstream | None = None, **options: Any) -> AsyncIterator[Running]:
    async with upstream or FakeUpstream() as behind:
        engine, records = TableEngine(), Records()
        userlist = Userlist({"app": make_verifier("pw"), "unruled": make_verifier("pw")})
        address = UpstreamAddress("127.0.0.1", behind.port, "login", "shop", "pw")
        listener = Listener(engine, userlist, address, [records], records, **options)
        port = await listener.start("127.0.0.1", 0)
        try:
            yield Running(port, listener, engine, records, behind)
        finally:
            await listener.close()
        assert (records.clients, records.upstreams) == (0, 0)


async def fatal(client: RawClient, sqlstate: str, **fields: str) -> None:
    expected = error(sqlstate, S="FATAL", **fields)
    message = await client.hear()
    assert expected(message), message
    assert await client.closed()


# Silence for what is not the protocol, as PostgreSQL does.


@pytest.mark.parametrize(
    "raw",
    [b"\0\0\0\0", b"\0\0\0\7", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\x27\x11",
     b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\1\0\1\xfc\3\3"],
)  # fmt: skip
async def test_garbage_is_closed_without_an_answer(raw: bytes) -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        client.say(raw)
        assert await client.closed()
        await asyncio.sleep(0)
        refused = proxy.records.operations[0]
        assert (refused.facts.operation, refused.outcome) == ("connect", "refused")
        assert refused.sqlstate == "08P01" and proxy.upstream.parameters == []


async def test_a_client_that_goes_leaves_nothing() -> None:
    async with running() as proxy:
        for raw in (b"", b"\0\0", GREETING[:-3], GREETING):
            async with RawClient.to(proxy.port) as client:
                client.say(raw)
        await asyncio.sleep(0.05)
        assert proxy.records.clients == 0


async def test_a_slow_client_is_told_and_closed() -> None:
    async with running(startup_seconds=0.1) as proxy, RawClient.to(proxy.port) as client:
        client.say(GREETING[:10])
        await fatal(client, "08006", M="start-up took too long")
        assert proxy.records.operations[0].outcome == "refused"


async def test_a_startup_a_byte_at_a_time() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        for byte in GREETING:
            client.say(bytes([byte]))
            await asyncio.sleep(0)
        assert isinstance(await client.hear(), Authentication)


# Encryption requests.


async def test_ssl_and_gss_are_declined_and_plain_goes_on() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        for code in (GSSENC_REQUEST, SSL_REQUEST):
            client.say(FirstPacket(code).encode())
            assert await client.byte() == b"N"
        assert isinstance((await client.log_in())[-1], ReadyForQuery)


async def test_bytes_behind_an_ssl_request_are_fatal() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        client.say(FirstPacket(SSL_REQUEST).encode() + GREETING)
        await fatal(client, "08P01", M="received unencrypted data after SSL request")


async def test_the_same_request_twice_is_no_protocol() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        client.say(FirstPacket(SSL_REQUEST).encode())
        assert await client.byte() == b"N"
        client.say(FirstPacket(SSL_REQUEST).encode())
        await fatal(client, "0A000")


# Versions and parameters.


@pytest.mark.parametrize("version", [2 << 16, 1 << 16, 4 << 16, 0])
async def test_other_protocols(version: int) -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        client.say(startup({"user": "app"}, version))
        await fatal(client, "0A000")
        assert proxy.records.operations[0].sqlstate == "0A000"


@pytest.mark.parametrize(
    ("version", "options", "unknown"),
    [
        (PROTOCOL_3_0 + 2, {}, ()),
        (PROTOCOL_3_0 + 9999, {}, ()),
        (PROTOCOL_3_0, {"_pq_.one": "1", "_pq_.two": "2"}, (b"_pq_.one", b"_pq_.two")),
        (PROTOCOL_3_0 + 2, {"_pq_.one": "1"}, (b"_pq_.one",)),
    ],
)
async def test_newer_versions_are_negotiated_down_once(
    version: int, options: dict[str, str], unknown: tuple[bytes, ...]
) -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        client.say(startup({"user": "app", "database": "shop", **options}, version))
        assert await client.hear() == NegotiateProtocolVersion(PROTOCOL_3_0, unknown)
        assert isinstance(await client.hear(), Authentication)


@pytest.mark.parametrize(
    ("packet", "sqlstate"),
    [
        (FirstPacket(PROTOCOL_3_0, b"user\0app\0").encode(), "08P01"),
        (FirstPacket(PROTOCOL_3_0, b"user\0app\0\0x").encode(), "08P01"),
        (FirstPacket(PROTOCOL_3_0, b"").encode(), "08P01"),
        (FirstPacket(PROTOCOL_3_0, b"user\0\xff\0\0").encode(), "22021"),
        (startup({"database": "shop"}), "28000"),
        (startup({"user": "app", "replication": "database"}), "0A000"),
        (startup({"user": "app", "replication": "true"}), "0A000"),
    ],
)
async def test_startups_that_are_refused(packet: bytes, sqlstate: str) -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        client.say(packet)
        await fatal(client, sqlstate)
        assert [o.sqlstate for o in proxy.records.operations] == [sqlstate]


async def test_parameters_reach_the_upstream_through_the_engine() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        await client.log_in(application_name="me", options="-c x=1", replication="false")
        given = proxy.upstream.parameters[0]
        assert (given[b"application_name"], given[b"options"]) == (b"me", b"-c x=1")
        assert b"replication" not in given and given[b"user"] == b"login"


async def test_a_setting_the_engine_refuses() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        proxy.engine.refuse_startup = deny(reasons.SETTING_NOT_ALLOWED, "no such setting for you")
        heard = await client.log_in(role="admin")
        detail = '{"code": "SETTING_NOT_ALLOWED", "policy_version": "v1"}'
        expected = error("42501", S="FATAL", M="no such setting for you", D=detail)
        assert expected(heard[-1])


# Who it is.


async def test_what_a_client_is_told_after_log_in() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        heard = await client.log_in()
        assert heard[0] == Authentication(0)
        assert ParameterStatus(b"session_authorization", b"app") in heard
        key = heard[-2]
        assert isinstance(key, BackendKeyData)
        assert key.pid == PID and key.secret != SECRET and len(key.secret) == 4
        client.say(Query(b"rows 1"))
        await client.until(ReadyForQuery)
        origin = proxy.records.operations[0].origin
        assert (origin.subject.login, origin.database) == ("app", "shop")
        assert origin.auth_method == "scram-sha-256" and origin.client_address.startswith("127.")


@pytest.mark.parametrize(("user", "password"), [("app", "no"), ("nobody", "pw"), ("unruled", "pw")])
async def test_a_wrong_login_is_always_the_same_error(user: str, password: str) -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        heard = await client.log_in(password, user=user)
        expected = f'password authentication failed for user "{user}"'
        assert error("28P01", S="FATAL", M=expected)(heard[-1])
        assert await client.closed()
        refused = proxy.records.operations[0]
        assert (refused.facts.operation, refused.sqlstate) == ("connect", "28P01")
        assert refused.origin.subject.login == user and refused.origin.subject.tenant is None
        assert proxy.upstream.parameters == []


@pytest.mark.parametrize(
    ("answer", "sqlstate"),
    [
        (SaslInitial(b"SCRAM-SHA-1", b"n,,n=,r=a"), "08P01"),
        (SaslInitial(MECHANISM, b"nonsense"), "28P01"),
        (Password(b""), "28P01"),
        (Query(b"SELECT 1"), "08P01"),
        (Sync(), "08P01"),
    ],
)
async def test_answers_that_are_no_scram(answer: Any, sqlstate: str) -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        client.say(GREETING, answer)
        assert isinstance(await client.hear(), Authentication)
        await fatal(client, sqlstate)


async def test_a_scram_answer_that_is_too_long_is_closed() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        client.say(GREETING, b"p\x7f\xff\xff\xff")
        await client.hear()
        assert await client.closed()


async def test_an_empty_initial_response_is_asked_for() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        client.say(GREETING, SaslInitial(MECHANISM, None))
        await client.hear()
        assert await client.hear() == Authentication(11)


async def test_another_database_does_not_exist() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        heard = await client.log_in(database="other")
        assert error("3D000", S="FATAL", M='database "other" does not exist')(heard[-1])


async def test_the_database_is_the_users_name_by_default() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        heard = await client.log_in(database="")
        assert error("3D000", M='database "app" does not exist')(heard[-1])


async def test_too_many_clients() -> None:
    async with running(max_clients=1) as proxy, RawClient.to(proxy.port) as one:
        await one.log_in()
        async with RawClient.to(proxy.port) as two:
            two.say(GREETING)
            await fatal(two, "53300")


async def test_an_upstream_that_is_down() -> None:
    async with running() as proxy:
        proxy.upstream._server.close()  # type: ignore[union-attr]
        await asyncio.sleep(0.01)
        async with RawClient.to(proxy.port) as client:
            heard = await client.log_in()
            assert error("08001", S="FATAL", M="could not connect to the upstream server")(
                heard[-1]
            )
            assert proxy.records.operations[0].sqlstate == "08001"


# Life.


async def test_cancel_needs_the_right_secret() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        key = (await client.log_in())[-2]
        assert isinstance(key, BackendKeyData)
        for pid, secret in ((key.pid, SECRET), (key.pid + 1, key.secret), (key.pid, b"x" * 256)):
            async with RawClient.to(proxy.port) as other:
                other.say(cancel_request(pid, secret))
                assert await other.closed()
        assert proxy.upstream.cancels == []
        async with RawClient.to(proxy.port) as other:
            other.say(cancel_request(key.pid, key.secret))
            assert await other.closed()
        assert proxy.upstream.cancels == [key.pid.to_bytes(4, "big") + SECRET]
    assert [o.facts.operation for o in proxy.records.operations] == []


async def test_a_cancel_after_the_client_has_gone_reaches_nobody() -> None:
    async with running() as proxy:
        async with RawClient.to(proxy.port) as client:
            key = (await client.log_in())[-2]
        assert isinstance(key, BackendKeyData)
        await asyncio.sleep(0.05)
        async with RawClient.to(proxy.port) as other:
            other.say(cancel_request(key.pid, key.secret))
            assert await other.closed()
        assert proxy.upstream.cancels == []


@pytest.mark.parametrize("how", ["terminate", "half-close"])
async def test_a_query_just_before_the_end_is_answered(how: str) -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        await client.log_in()
        client.say(Query(b"rows 3"))
        if how == "terminate":
            client.say(Terminate())
        else:
            client.finish()
        assert len(await client.until(ReadyForQuery)) == 6
        proxy.upstream.drop()
        assert await client.closed()
        assert proxy.upstream.terminated == 1


async def test_statements_sent_with_the_last_of_the_log_in_are_kept() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as client:
        say = client.say
        client.say = lambda *said: say(*said, *[Query(b"rows 1")] * (  # type: ignore[method-assign]
            isinstance(said[0], Password)
        ))  # fmt: skip
        await client.log_in()
        assert len(await client.until(ReadyForQuery)) == 4


async def test_an_upstream_that_dies() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as one:
        await one.log_in()
        proxy.upstream.drop()
        await fatal(one, "08006", M="the connection to the upstream server was lost")
        async with RawClient.to(proxy.port) as two:
            assert isinstance((await two.log_in())[-1], ReadyForQuery)


async def test_one_clients_fault_does_not_disturb_another() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as good:
        await good.log_in()
        for raw in (b"!\0\0\0\4", b"Q\xff\xff\xff\xff", b"Q\0\0\0\5x" * 3):
            async with RawClient.to(proxy.port) as bad:
                await bad.log_in()
                bad.say(raw)
                good.say(Query(b"rows 1"))
                assert len(await good.until(ReadyForQuery)) == 4


async def test_draining() -> None:
    async with (
        running() as proxy,
        RawClient.to(proxy.port) as idle,
        RawClient.to(proxy.port) as busy,
    ):
        await idle.log_in()
        await busy.log_in()
        busy.say(Query(b"begin"))
        await busy.until(ReadyForQuery)
        draining = asyncio.create_task(proxy.listener.drain(5))
        await fatal(idle, "57P01")
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        busy.say(Query(b"commit"))
        await busy.until(ReadyForQuery)
        await fatal(busy, "57P01")
        await draining


async def test_draining_has_an_end() -> None:
    async with running() as proxy, RawClient.to(proxy.port) as busy:
        await busy.log_in()
        busy.say(Query(b"begin"))
        await busy.until(ReadyForQuery)
        await proxy.listener.drain(0.05)
        await fatal(busy, "57P01")
