"""Rows in COPY data going out: how many a run of frames holds, and which are too many.

PostgreSQL sends one row per CopyData (measured on 15 and 18; the manual, 54.2.6, leaves it open, so
the text asks for one row too many only). A header line is a frame of its own. In the binary form
the signature stands before the first row in the same frame, and the trailer is a last frame of two
bytes; both come through whatever is left out. Knows frames; knows nothing of sessions.
"""

from __future__ import annotations

from typing import Final

from proxy.wire.frames import HEADER, skip
from proxy.wire.messages import CopyData

_SIGNATURE: Final = CopyData(b"PGCOPY\n\xff\r\n\0" + bytes(8)).encode()
_TRAILER_SIZE: Final = 7  # tag, length and two bytes
_EMPTY_SIZE: Final = len(_SIGNATURE) + 2  # both in one frame: no row


class CopiedRows:
    """Counts one COPY of at most `cap` rows and `most_bytes`; after one row that is left out none
    is passed on. `rows`: those passed on so far; `left_out`: those that were not; `dropping`: the
    frame now coming in pieces is one of those."""

    __slots__ = ("_binary", "_header", "_left", "_passed", "_room", "dropping", "left_out")

    def __init__(
        self, cap: int | None, most_bytes: int | None, *, header: bool, binary: bool
    ) -> None:
        self._header = header and not binary
        self._binary = binary
        self._room = cap  # rows that may still come
        self._left = most_bytes  # and bytes
        self._passed = 0
        self.left_out = 0
        self.dropping = False

    @property
    def rows(self) -> int:
        return self._passed

    def take(self, buffer: bytes, start: int, stop: int, count: int) -> tuple[int, int, bytes]:
        """The bytes of this run to leave out (an empty range for none) and what stands there
        instead. `count` as in Frame."""
        self.dropping = False
        frames, first = count or 1, start
        if self._header:  # no row, and always there
            self._header = False
            frames, first = frames - 1, skip(buffer, start, 1)
        begun = self._passed + self.left_out > 0
        fitting = self._fitting(buffer, first, frames)
        self._passed += fitting
        if fitting == frames:
            return stop, stop, b""
        first, beyond = skip(buffer, first, fitting), frames - fitting
        last = skip(buffer, first, beyond - 1)
        size = 1 + HEADER(buffer, last)[1]
        ends = self._binary and size == (_TRAILER_SIZE if begun or frames > 1 else _EMPTY_SIZE)
        self.left_out += beyond - ends
        self.dropping = not count and not ends
        unsigned = self._binary and not begun and not fitting and not (ends and frames == 1)
        return first, last if ends else stop, _SIGNATURE if unsigned else b""

    def _fitting(self, buffer: bytes, start: int, frames: int) -> int:
        """How many of these frames are within both limits."""
        if self.left_out:
            return 0
        fitting = frames if self._room is None else min(frames, self._room - self._passed)
        if self._left is None:
            return fitting
        at = start
        for number in range(fitting):
            size = 1 + HEADER(buffer, at)[1]
            if size > self._left:
                return number
            self._left -= size
            at += size
        return fitting
