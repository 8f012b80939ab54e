"""The upstream: logging in there, and the only door statements go out by.

Knows PostgreSQL's start-up from the client's side; knows nothing of clients or rules. `Upstream`
takes an Allow, or one of the proxy's own statements: no method takes a text.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from struct import Struct
from typing import Final

from policies.decision import Allow
from proxy.net.address import UpstreamAddress
from proxy.net.intake import Closed, Intake
from proxy.wire import messages, scram
from proxy.wire.codecs import STRINGS, Malformed
from proxy.wire.frames import HEADER, HEADER_SIZE, KIB
from proxy.wire.hygiene import read_fields

__all__ = ["OwnStatement", "Upstream", "UpstreamAddress", "UpstreamError", "connect"]

_LENGTH: Final = Struct("!i").pack
_TYPES: Final = Struct("!H").pack

FLUSH: Final = messages.Flush().encode()
TERMINATE: Final = messages.Terminate().encode()
# A name no statement of a client has: PostgreSQL refuses the text before it looks at the name.
REFUSED_NAME: Final = b"querywarden refused"


class OwnStatement(Enum):
    """Every statement the proxy says itself. Closed: nothing else but an Allow goes upstream."""

    # A syntax error on purpose: it stands where a refused statement stood, so the upstream aborts
    # the transaction and skips to Sync exactly as PostgreSQL does after any error.
    REFUSED = b"querywarden refused this statement"


NO_TYPES: Final = _TYPES(0)
_RUN: Final = b"".join(
    message.encode()
    for message in (
        messages.Bind(b"", b""), messages.Describe(b"P"), messages.Execute(), messages.Flush(),
    )
)  # fmt: skip


class Upstream:
    """Collects what goes out and writes it at once.

    `forward` is for frames that carry no statement: Bind, Describe, Execute, Close, Sync, Flush,
    Terminate and COPY data.
    """

    __slots__ = ("_out", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._out: list[bytes] = []

    def query(self, statement: Allow | OwnStatement) -> None:
        text = statement.value if isinstance(statement, OwnStatement) else statement.text
        self._out.append(b"Q" + _LENGTH(len(text) + 5) + text + b"\0")

    def parse(self, name: bytes, statement: Allow | OwnStatement, types: bytes) -> None:
        """`types`: the parameter types as they stand in the client's own Parse, count included.
        A prepared statement holds at most one statement; none is the empty one."""
        if isinstance(statement, OwnStatement):
            text = statement.value
        else:
            text = statement.statements[0].sql if statement.statements else b""
        size = len(name) + len(text) + 6 + len(types)
        self._out.append(b"P" + _LENGTH(size) + name + b"\0" + text + b"\0" + types)

    def step(self, statement: Allow, index: int) -> None:
        """One statement of it, prepared and run under the unnamed names, and its answer wanted."""
        text = statement.statements[index].sql
        size = len(text) + 6 + len(NO_TYPES)
        self._out += (b"P", _LENGTH(size), b"\0", text, b"\0", NO_TYPES, _RUN)

    def forward(self, buffer: bytes, start: int, stop: int) -> None:
        """Frames as the client sent them; the caller vouches that none carries a text."""
        self._out.append(buffer[start:stop])

    def flush(self) -> None:
        """Everything collected goes out in one write."""
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def pass_on(self, buffer: bytes) -> None:
        """`forward` of a whole read and `flush` in one."""
        if self._out:
            self._out.append(buffer)
            self.flush()
        else:
            self._transport.write(buffer)


class UpstreamError(Exception):
    """The upstream cannot be used. `sqlstate` and the text are fit for a client."""

    def __init__(self, sqlstate: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection the upstream has declared ready; `status` is ReadyForQuery's byte."""

    intake: Intake
    transport: asyncio.Transport
    pid: int
    secret: bytes = field(repr=False)
    parameters: dict[bytes, bytes]


async def connect(address: UpstreamAddress, settings: Mapping[str, str], seconds: float) -> Opened:
    """Open a connection and log in. `settings` become start-up parameters. Raises UpstreamError."""
    intake = Intake()
    try:
        async with asyncio.timeout(seconds):
            await dial(address, intake)
            return await _log_in(address, intake, settings)
    except (OSError, Closed, TimeoutError) as error:
        intake.close()
        raise UpstreamError(
            "08001",
            "could not connect to the upstream server",
            "the database behind the proxy is down or not reachable; try again later",
        ) from error
    except BaseException:
        intake.close()
        raise


async def dial(address: UpstreamAddress, intake: Intake) -> None:
    """Connect the socket only. Raises OSError."""
    loop = asyncio.get_running_loop()
    if address.socket_path is not None:
        await loop.create_unix_connection(lambda: intake, address.socket_path)
        return
    transport, _ = await loop.create_connection(lambda: intake, address.host, address.port)
    tune(transport)


def tune(transport: asyncio.BaseTransport) -> None:
    """No delay for small writes, and a peer that vanished is noticed some day."""
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


async def send_cancel(address: UpstreamAddress, pid: int, secret: bytes, seconds: float) -> None:
    """Ask the upstream to cancel; returns when it has closed. Raises OSError, TimeoutError."""
    intake = Intake()
    try:
        async with asyncio.timeout(seconds):
            await dial(address, intake)
            intake.write(messages.cancel_request(pid, secret))
            await intake.exactly(1)
    except Closed:
        return
    finally:
        intake.close()


async def _log_in(address: UpstreamAddress, intake: Intake, settings: Mapping[str, str]) -> Opened:
    parameters = dict(settings)
    parameters.update(user=address.user, database=address.database)
    if address.options:
        parameters["options"] = f"{address.options} {parameters.get('options', '')}".rstrip()
    intake.write(messages.startup(parameters))
    login = _Login(address, intake)
    reported: dict[bytes, bytes] = {}
    key = messages.BackendKeyData(0, b"")
    while True:
        tag, body = await _message(intake)
        if tag == b"R":
            await login.answer(messages.Authentication.decode(body))
        elif tag == b"S":
            status = messages.ParameterStatus.decode(body)
            reported[status.name] = status.value
        elif tag == b"K":
            key = messages.BackendKeyData.decode(body)
        elif tag == b"Z":
            transport = intake.transport
            if transport is None or not login.done:
                raise Closed
            return Opened(intake, transport, key.pid, key.secret, reported)
        elif tag == b"E":
            raise _refusal(read_fields(body))
        elif tag not in (b"N", b"v"):
            raise Closed


async def _message(intake: Intake) -> tuple[bytes, bytes]:
    header = await intake.exactly(HEADER_SIZE)
    _, length = HEADER(header)
    if not 4 <= length <= 32 * KIB:
        raise Closed
    return header[:1], await intake.exactly(length - 4)


def _refusal(fields: Mapping[str, bytes]) -> UpstreamError:
    """What the upstream says when it does not let us in, without our own credentials' names."""
    sqlstate = fields.get("C", b"08006").decode("ascii", "replace")
    if sqlstate.startswith("28") or sqlstate == "3D000":
        return UpstreamError(
            "08004",
            "the upstream server refused the proxy's own login",
            "the operator must check the proxy's upstream connection string",
        )
    return UpstreamError(sqlstate, fields.get("M", b"").decode("utf-8", "replace"))


class _Login:
    """Answers the upstream's authentication requests (manual 54.2.1)."""

    def __init__(self, address: UpstreamAddress, intake: Intake) -> None:
        self._address = address
        self._intake = intake
        self._scram: scram.ScramClient | None = None
        self._checked = True
        self.done = False

    async def answer(self, request: messages.Authentication) -> None:
        """Raises UpstreamError for a method we cannot do or a server that is not the right one."""
        try:
            await self._answer(request.code, request.data)
        except (scram.ScramError, Malformed) as error:
            raise _bad_login("the upstream server's authentication went wrong") from error

    async def _answer(self, code: int, data: bytes) -> None:
        if code == 0:
            self.done = self._checked
            if not self._checked:
                raise scram.ScramError("no proof from the server")
        elif code == 3:
            self._send(self._password().encode() + b"\0")
        elif code == 5:
            hashed = scram.md5_password(self._address.user, self._password(), data)
            self._send(hashed.encode() + b"\0")
        elif code == 10:
            self._start_scram(data)
        elif code == 11 and self._scram is not None:
            # Hashing thousands of times must not hold up other clients.
            loop = asyncio.get_running_loop()
            self._send(await loop.run_in_executor(None, self._scram.final, data))
        elif code == 12 and self._scram is not None:
            self._scram.check(data)
            self._checked = True
        else:
            raise _bad_login(f"the upstream server asks for authentication method {code}")

    def _start_scram(self, data: bytes) -> None:
        mechanisms, _ = STRINGS.read(data, 0)
        if scram.MECHANISM not in mechanisms:
            raise _bad_login("the upstream server offers no SCRAM mechanism the proxy can do")
        self._scram = scram.ScramClient(self._password())
        self._checked = False
        initial = messages.SaslInitial(scram.MECHANISM, self._scram.first())
        self._intake.write(initial.encode())

    def _password(self) -> str:
        if not self._address.password:
            raise _bad_login("the upstream server asks for a password and none is configured")
        return self._address.password

    def _send(self, answer: bytes) -> None:
        self._intake.write(messages.Password(answer).encode())


def _bad_login(message: str) -> UpstreamError:
    return UpstreamError(
        "08004", message, "the operator must check the proxy's upstream connection string"
    )
