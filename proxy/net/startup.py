"""From the first byte of a client to its session: what it asks for, who it is, its upstream.

Knows start-up and authentication (manual 54.2.1, 54.3); knows nothing of statements. Everything
here is bounded in size and time, and every refusal is recorded as an operation.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from struct import Struct
from time import perf_counter, time, time_ns
from typing import Final

from policies import reasons
from policies.decision import Deny, Facts
from policies.own_settings import started_with
from policies.subject import Subject
from proxy.auth import Userlist
from proxy.net import answers
from proxy.net.intake import Intake
from proxy.net.session import Engine
from proxy.net.upstream import Opened, UpstreamAddress, UpstreamError, connect
from proxy.oplog.operation import Operation, Origin
from proxy.wire import messages
from proxy.wire.codecs import STRINGS, Malformed
from proxy.wire.frames import HEADER, HEADER_SIZE
from proxy.wire.scram import MECHANISM, ScramError, ScramServer

_LENGTH: Final = Struct("!i").unpack
_PROTOCOL: Final = Struct("!i").unpack_from

# PostgreSQL's own limits: MAX_STARTUP_PACKET_LENGTH, PG_MAX_SASL_MESSAGE_LENGTH.
_PACKET_BYTES: Final = 10_000
_SASL_BYTES: Final = 1024

_FALSE: Final = frozenset({"false", "off", "no", "0", "f", "n"})
_OWN_PARAMETERS: Final = frozenset({"user", "database", "replication"})
AUTH_METHOD: Final = "scram-sha-256"


class Refused(Exception):
    """The client is turned away: `answer` goes to it, `code` to the record."""

    def __init__(self, sqlstate: str, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.hint = hint
        self.code = code
        self.answer = answers.fatal(sqlstate, message, hint) if message else b""

    @classmethod
    def by(cls, deny: Deny) -> Refused:
        """By a policy."""
        refused = cls(deny.reason.sqlstate, deny.message, deny.hint, deny.reason.code)
        refused.answer = answers.denial(deny, "FATAL")
        return refused


class Unreadable(Exception):
    """Not the protocol: the connection is closed without an answer, as PostgreSQL does."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """A connection that only asks to cancel another one's statement."""

    pid: int
    secret: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client asks for."""

    user: str
    database: str
    parameters: dict[str, str]

    @property
    def application_name(self) -> str:
        return self.parameters.get("application_name", "")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A client that is who it says, with its upstream open and everything answered."""

    origin: Origin
    upstream: Opened
    secret: bytes
    own: Mapping[str, str]  # settings of ours it starts with


@dataclass(frozen=True, slots=True)
class Door:
    """What every start-up needs."""

    engine: Engine
    userlist: Userlist
    upstream: UpstreamAddress
    record: Callable[[Operation], None]
    startup_seconds: float
    connect_seconds: float
    full: Callable[[], bool]


async def admit(door: Door, client: Intake, address: str) -> Admitted | CancelRequest | None:
    """Everything up to ReadyForQuery. None: turned away, answered and recorded. Raises Closed."""
    started, clock = time(), perf_counter()
    origin = Origin(_session_id(), Subject(""), "", "", address, "")
    refused: Refused
    try:
        async with asyncio.timeout(door.startup_seconds):
            hello = await greet(client)
            if isinstance(hello, CancelRequest):
                return hello
            origin = replace(
                origin, subject=Subject(hello.user), database=hello.database,
                application_name=hello.application_name, auth_method=AUTH_METHOD,
            )  # fmt: skip
            if door.full():
                raise Refused("53300", "sorry, too many clients already", "try again later")
            subject = await _authenticate(door, client, hello.user)
            origin = replace(origin, subject=subject)
        return await _open(door, client, hello, origin)
    except Refused as error:
        refused = error
    except UpstreamError as error:
        refused = Refused(error.sqlstate, error.message, error.hint)
    except TimeoutError:
        refused = Refused("08006", "start-up took too long")
    except Unreadable:
        refused = Refused(answers.PROTOCOL_VIOLATION, "")
    client.write(refused.answer)
    door.record(
        Operation(
            origin, Facts(operation="connect"), "deny", door.engine.snapshot.version, started,
            outcome="refused", sqlstate=refused.sqlstate, code=refused.code, hint=refused.hint,
            total_seconds=perf_counter() - clock,
        )
    )  # fmt: skip
    return None


def _session_id() -> str:
    """Sortable by time, unique across instances."""
    return f"{time_ns():016x}{secrets.token_hex(4)}"


# The first packets.


async def greet(client: Intake) -> Hello | CancelRequest:
    """Reads until it is known what the client wants. Raises Refused, Unreadable, Closed."""
    asked: set[int] = set()
    while True:
        (length,) = _LENGTH(await client.exactly(4))
        if not 8 <= length <= _PACKET_BYTES:
            raise Unreadable
        packet = await client.exactly(length - 4)
        (code,) = _PROTOCOL(packet)
        if code in (messages.SSL_REQUEST, messages.GSSENC_REQUEST) and code not in asked:
            asked.add(code)
            # Bytes sent before our answer would later be taken for protected ones.
            if client.waiting:
                raise Refused(
                    answers.PROTOCOL_VIOLATION, "received unencrypted data after SSL request"
                )
            client.write(b"N")
        elif code == messages.CANCEL_REQUEST:
            if not 8 < len(packet) <= 4 + 4 + 256:
                raise Unreadable
            return CancelRequest(_PROTOCOL(packet, 4)[0], packet[8:])
        else:
            return _hello(client, code, packet[4:])


def _hello(client: Intake, code: int, body: bytes) -> Hello:
    major, minor = (code >> 16) & 0xFFFF, code & 0xFFFF
    if major != 3:
        raise Refused(
            "0A000",
            f"unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0",
            "use a driver that speaks protocol 3",
        )
    try:
        pairs = messages.startup_parameters(body)
    except Malformed as error:
        raise Refused(answers.PROTOCOL_VIOLATION, "invalid startup packet layout") from error
    try:
        parameters = {key.decode(): value.decode() for key, value in pairs}
    except UnicodeDecodeError as error:
        raise Refused("22021", "start-up parameters must be UTF-8") from error
    unknown = tuple(key for key, _ in pairs if key.startswith(b"_pq_."))
    if minor or unknown:
        reply = messages.NegotiateProtocolVersion(messages.PROTOCOL_3_0, unknown)
        client.write(reply.encode())
    user = parameters.get("user", "")
    if not user:
        raise Refused("28000", "no PostgreSQL user name specified in startup packet")
    if parameters.get("replication", "false").lower() not in _FALSE:
        raise Refused(
            "0A000",
            "replication connections are not available",
            "connect to the server itself for replication",
            reasons.STATEMENT_NOT_ALLOWED.code,
        )
    wanted = {
        key: value
        for key, value in parameters.items()
        if key not in _OWN_PARAMETERS and not key.startswith("_pq_.")
    }
    return Hello(user, parameters.get("database") or user, wanted)


# Authentication.


async def _authenticate(door: Door, client: Intake, login: str) -> Subject:
    """SCRAM-SHA-256. An unknown login goes through the same exchange and fails at its end."""
    known = door.userlist.verifier(login)
    subject = door.engine.subject(login)
    mock = door.userlist.mock_verifier(login)  # made in any case: time must not tell
    if known is None:
        subject = None
    exchange = ScramServer(known if known is not None and subject is not None else mock)
    offer = STRINGS.write((MECHANISM,))
    client.write(messages.Authentication(10, offer).encode())
    try:
        initial = messages.SaslInitial.decode(await _answer(client))
        if initial.mechanism != MECHANISM:
            raise Refused(answers.PROTOCOL_VIOLATION,
                          "client selected an invalid SASL authentication mechanism")  # fmt: skip
        response = initial.response
        if response is None:
            client.write(messages.Authentication(11).encode())
            response = await _answer(client)
        client.write(messages.Authentication(11, exchange.first(response)).encode())
        final = exchange.final(await _answer(client))
    except (ScramError, Malformed) as error:
        raise _wrong_password(login) from error
    if subject is None:
        raise _wrong_password(login)
    client.write(messages.Authentication(12, final).encode() + messages.Authentication(0).encode())
    return subject


def _wrong_password(login: str) -> Refused:
    return Refused(
        "28P01",
        f'password authentication failed for user "{login}"',
        code=reasons.AUTHENTICATION_REQUIRED.code,
    )


async def _answer(client: Intake) -> bytes:
    tag, length = HEADER(await client.exactly(HEADER_SIZE))
    if tag != ord("p"):
        raise Refused(answers.PROTOCOL_VIOLATION, f"expected SASL response, got message type {tag}")
    if not 4 <= length <= _SASL_BYTES:
        raise Unreadable
    return await client.exactly(length - 4)


# The upstream.


async def _open(door: Door, client: Intake, hello: Hello, origin: Origin) -> Admitted:
    """Opens the client's upstream connection and reports its parameters."""
    if hello.database != door.upstream.database:
        raise Refused("3D000", f'database "{hello.database}" does not exist')
    settings = door.engine.startup(origin.subject, hello.parameters)
    if isinstance(settings, Deny):
        raise Refused.by(settings)
    opened = await connect(door.upstream, settings, door.connect_seconds)
    secret = secrets.token_bytes(4)
    enforcing = door.engine.mode(origin.subject) == "enforce"
    client.write(_welcome(opened, secret, origin.subject.login if enforcing else None))
    return Admitted(origin, opened, secret, started_with(settings) if enforcing else {})


def _welcome(opened: Opened, secret: bytes, login: str | None) -> bytes:
    """`login`: shown in place of the upstream's own, when the client must not see that one."""
    reported = dict(opened.parameters)
    if login is not None and b"session_authorization" in reported:
        reported[b"session_authorization"] = login.encode()
    said: list[messages.Message] = [
        messages.ParameterStatus(name, value) for name, value in reported.items()
    ]
    said += [messages.BackendKeyData(opened.pid, secret), messages.ReadyForQuery()]
    return b"".join(message.encode() for message in said)
