"""proxy/logs.py: one line each, and nothing of an exception but its type and place."""

from __future__ import annotations

import io
import logging
import re

from proxy.logs import LineFormatter


def logged(message: str, *values: object, failing: bool = False) -> str:
    logger = logging.Logger("proxy.some")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    logger.addHandler(handler)
    if failing:
        try:
            raise ValueError("SELECT 'secret value'")
        except ValueError:
            logger.exception(message, *values)
    else:
        logger.warning(message, *values)
    return stream.getvalue()


def test_a_line() -> None:
    line = logged("listening address=%s", "127.0.0.1:6432")
    expected = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING proxy\.some listening address=127.+"
    assert re.fullmatch(expected, line.rstrip("\n"))


def test_what_a_client_sends_cannot_start_a_line() -> None:
    line = logged("client name=%s", "x\n2025 ERROR forged\r\x1b[31m\u2028")
    assert line.count("\n") == 1
    assert "x\\x0a2025 ERROR forged\\x0d\\x1b[31m\\x2028" in line


def test_exceptions_keep_type_and_place_only() -> None:
    line = logged("session failed", failing=True)
    assert line.count("\n") == 1
    assert re.search(r"session failed error=ValueError at=test_logs\.py:\d+$", line.rstrip())
    assert "secret" not in line
