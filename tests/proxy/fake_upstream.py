"""A PostgreSQL server as far as log-in goes, and a raw client, both on asyncio streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

from proxy.wire import messages
from proxy.wire.codecs import STRINGS
from proxy.wire.messages import (
    FROM_UPSTREAM,
    Authentication,
    BackendKeyData,
    ErrorResponse,
    Message,
    NegotiateProtocolVersion,
    ParameterStatus,
    Password,
    ReadyForQuery,
    SaslInitial,
    Terminate,
)
from proxy.wire.scram import MECHANISM, ScramServer, make_verifier, md5_password
from tests.proxy.model_server import ModelServer

SECRET = b"upst"
PID = 4711


class FakeUpstream:
    """`method`: trust, password, md5, scram, or raw bytes to say instead of any of that.

    After log-in it is a ModelServer. `cancels` and `parameters` are what it was sent.
    """

    def __init__(self, method: str | bytes = "trust", password: str = "pw") -> None:
        self.method = method
        self.password = password
        self.port = 0
        self.cancels: list[bytes] = []
        self.parameters: list[dict[bytes, bytes]] = []
        self.wrong_proof = False
        self.connections = 0
        self.terminated = 0
        self.writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.drop()
        await asyncio.sleep(0.01)

    def drop(self) -> None:
        """Close every connection."""
        for writer in self.writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        packet = await reader.readexactly(size - 4)
        if int.from_bytes(packet[:4], "big") == messages.CANCEL_REQUEST:
            self.cancels.append(packet[4:])
            return
        self.parameters.append(dict(messages.startup_parameters(packet[4:])))
        if isinstance(self.method, bytes):
            writer.write(self.method)
            await reader.read()
            return
        await self._log_in(reader, writer)
        said = [
            Authentication(0), ParameterStatus(b"server_version", b"18.0"),
            ParameterStatus(b"session_authorization", b"upstream_login"),
            BackendKeyData(PID, SECRET), ReadyForQuery(),
        ]  # fmt: skip
        writer.write(b"".join(each.encode() for each in said))
        self.connections += 1
        model = ModelServer()
        while data := await reader.read(65536):
            last = data.endswith(Terminate().encode())
            writer.write(model.hear(data[:-5] if last else data))
            if last:
                self.terminated += 1
                return

    async def _log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def answer(request: Message) -> bytes:
            writer.write(request.encode())
            head = await reader.readexactly(5)
            return await reader.readexactly(int.from_bytes(head[1:], "big") - 4)

        if self.method == "password":
            assert await answer(Authentication(3)) == self.password.encode() + b"\0"
        elif self.method == "md5":
            expected = md5_password("login", self.password, b"salt")
            assert await answer(Authentication(5, b"salt")) == expected.encode() + b"\0"
        elif self.method == "scram":
            scram = ScramServer(make_verifier(self.password))
            offer = STRINGS.write((b"SCRAM-SHA-256-PLUS", MECHANISM))
            initial = SaslInitial.decode(await answer(Authentication(10, offer)))
            first = scram.first(initial.response or b"")
            final = scram.final(await answer(Authentication(11, first)))
            proof = b"v=AAAA" if self.wrong_proof else final
            writer.write(Authentication(12, proof).encode())


def _fatal(message: Message) -> bool:
    return isinstance(message, ErrorResponse) and ("V", b"FATAL") in message.fields


class RawClient:
    """Says bytes, hears messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[RawClient]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    def say(self, *said: Message | bytes) -> None:
        self._writer.write(b"".join(m if isinstance(m, bytes) else m.encode() for m in said))

    def finish(self) -> None:
        self._writer.write_eof()

    async def byte(self) -> bytes:
        async with asyncio.timeout(5):
            return await self._reader.readexactly(1)

    async def hear(self) -> Message:
        async with asyncio.timeout(5):
            head = await self._reader.readexactly(5)
            body = await self._reader.readexactly(int.from_bytes(head[1:], "big") - 4)
        return FROM_UPSTREAM[head[:1]].decode(body)

    async def until(self, kind: type[Message]) -> list[Message]:
        """Everything up to and including one of this kind, or an error that is fatal."""
        heard = [await self.hear()]
        while not isinstance(heard[-1], kind) and not _fatal(heard[-1]):
            heard.append(await self.hear())
        return heard

    async def closed(self) -> bool:
        """Whether nothing more comes and the connection ends."""
        async with asyncio.timeout(5):
            try:
                return await self._reader.read(1) == b""
            except ConnectionError:
                return True

    async def log_in(self, password: str = "pw", **parameters: str) -> list[Message]:
        """Start-up and SCRAM; what was heard after it, up to ReadyForQuery."""
        from proxy.wire.scram import ScramClient

        self.say(messages.startup({"user": "app", "database": "shop", **parameters}))
        scram = ScramClient(password)
        heard = await self.hear()
        while isinstance(heard, NegotiateProtocolVersion):
            heard = await self.hear()
        assert heard == Authentication(10, STRINGS.write((MECHANISM,)))
        self.say(SaslInitial(MECHANISM, scram.first()))
        first = await self.hear()
        assert isinstance(first, Authentication)
        self.say(Password(scram.final(first.data)))
        last = await self.hear()
        if not isinstance(last, Authentication):
            return [last]
        scram.check(last.data)
        return await self.until(ReadyForQuery)
