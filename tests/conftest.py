"""Fixtures every test may use: a PostgreSQL server, and proxies in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from proxy.testing import PostgresServer, RunningProxy, postgres_server

StartProxy = Callable[..., RunningProxy]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole run; a test that changes a database makes its own there."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def start_proxy() -> Iterator[StartProxy]:
    """Start a proxy (arguments as RunningProxy); it ends with the test module."""
    with ExitStack() as started:

        def start(**arguments: Any) -> RunningProxy:
            return started.enter_context(RunningProxy(**arguments))

        yield start
