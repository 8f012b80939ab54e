"""Bytes of one socket, awaited: what start-up reads from on both sides.

Knows a transport and a bounded buffer; knows no protocol. Once start-up is over the transport is
given to another asyncio Protocol, together with what was read ahead.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

# Nobody has more to say than this before start-up is over.
HIGH_WATER: Final = 64 * 1024


class Closed(Exception):
    """The other side went away."""


class Intake(asyncio.Protocol):
    """`exactly` waits for bytes; one waiter at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._closed = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > HIGH_WATER and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._closed = True
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def waiting(self) -> int:
        """Bytes received and not yet taken."""
        return len(self._buffer)

    async def exactly(self, size: int) -> bytes:
        """The next `size` bytes (at most HIGH_WATER). Raises Closed."""
        while len(self._buffer) < size:
            if self._closed:
                raise Closed
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        return taken

    def write(self, data: bytes) -> None:
        """Send, unless the other side is gone."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Let `protocol` have the transport and whatever was read ahead. Raises Closed."""
        if self._closed or self.transport is None:
            raise Closed
        self.transport.set_protocol(protocol)
        if self._paused:
            self.transport.resume_reading()
        if self._buffer:
            protocol.data_received(bytes(self._buffer))

    def close(self) -> None:
        """Send what is written, then close."""
        if self.transport is not None:
            self.transport.close()
