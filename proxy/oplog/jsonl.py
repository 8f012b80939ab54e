"""The jsonl sink: sealed records appended to a file (or to standard output), one per line.

Called from one thread only. It keeps the chain going over restarts, rotation and moves of the
file, and knows nothing of Operations or queues. Failures are OSErrors for the caller to count.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from proxy.oplog import chain

STANDARD_OUTPUT = "-"

_log = logging.getLogger(__name__)


class JsonlSink:
    """`path`: the file, or "-" for standard output. `rotate_bytes`: move the file aside when it
    has grown past this; 0 never does (logrotate may: a file moved or removed is opened anew)."""

    name = "jsonl"

    def __init__(self, path: str, rotate_bytes: int = 0) -> None:
        self._path = Path(path)
        self._standard_output = path == STANDARD_OUTPUT
        self._rotate_bytes = rotate_bytes
        self._fd = -1
        self._last = ""

    def open(self) -> None:
        """Open the file and find the chain's end; a second call does nothing. Raises OSError."""
        if self._fd >= 0:
            return
        if self._standard_output:
            self._fd, self._last = 1, self._last or chain.GENESIS
            return
        # 0600: a record says who asked what
        fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock(fd)
            with os.fdopen(os.dup(fd), "rb") as file:
                last, end = chain.resume(file)
            size = os.fstat(fd).st_size
            if end < size:
                os.ftruncate(fd, end)
                _log.warning(
                    "records file ended inside a line, as after a crash; cut it path=%s bytes=%d",
                    self._path,
                    size - end,
                )
        except OSError:
            os.close(fd)
            raise
        self._fd = fd
        # a new file after a rotation continues the chain of the one before it
        self._last = self._last if end == 0 and self._last else last

    def write(self, records: Sequence[bytes]) -> None:
        """Seal and append; all of them or, with an OSError, none."""
        self._follow_move()
        self._rotate()
        self.open()
        text, last = chain.seal_all(records, self._last)
        if self._standard_output:
            self._write_all(text)
            self._last = last
            return
        before = os.fstat(self._fd).st_size
        try:
            self._write_all(text)
        except OSError:
            os.ftruncate(self._fd, before)
            raise
        self._last = last

    def close(self) -> None:
        """Make what was written safe and let go of the file. Raises OSError."""
        if self._fd < 0 or self._standard_output:
            return
        fd, self._fd = self._fd, -1
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _lock(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                error.errno, "another process writes this file", str(self._path)
            ) from None

    def _write_all(self, text: bytes) -> None:
        left = memoryview(text)
        while left:
            left = left[os.write(self._fd, left) :]

    def _rotate(self) -> None:
        """Move a full file aside, just before a write so that the new one is never empty."""
        if not self._rotate_bytes or self._fd < 0 or self._standard_output:
            return
        if os.fstat(self._fd).st_size < self._rotate_bytes:
            return
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        try:
            self._path.rename(self._path.with_name(f"{self._path.name}.{moment}"))
            self.close()
        except OSError as error:
            self._rotate_bytes = 0
            _log.error("records file cannot be rotated; it grows on error=%s", error)

    def _follow_move(self) -> None:
        """Let go of a file that is no longer the one at our path."""
        if self._fd < 0 or self._standard_output:
            return
        try:
            there = self._path.stat()
        except FileNotFoundError:
            self.close()
            return
        here = os.fstat(self._fd)
        if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
            self.close()
