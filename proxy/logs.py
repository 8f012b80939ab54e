"""Log lines of the server process: one line each, plain, `key=value` at the end.

A line never holds a traceback: frames can hold SQL and values. What stays of an exception is its
type and where it was raised.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from pathlib import PurePath
from types import TracebackType
from typing import TypeAlias

_ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)

# A client chooses some of the words in a line; it must not be able to start a new one.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127, 0x85, 0x2028, 0x2029)}


class LineFormatter(logging.Formatter):
    """`2025-01-31T12:00:00.123Z WARNING proxy.app message key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in the record."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = f"{record.levelname} {record.name} {record.getMessage()}"
        if record.exc_info:
            text += " " + self.formatException(record.exc_info)
        return f"{moment}.{int(record.msecs):03d}Z {text.translate(_CONTROL)}"

    def formatException(self, ei: _ExcInfo) -> str:
        """Type and place of the exception, without its message or frames."""
        kind, _, trace = ei
        frames = traceback.extract_tb(trace)
        at = f" at={PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        return f"error={kind.__name__ if kind else 'unknown'}{at}"


def configure(level: str) -> None:
    """Send every logger's lines from `level` up to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.raiseExceptions = False
