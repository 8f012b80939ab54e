"""The two worlds, their proxies, and the summary of the attacks at the end of the run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from proxy.testing import RunningProxy
from tests.attacks.catalogue import HERE
from tests.attacks.verdict import Tally
from tests.attacks.worlds import DATABASE, Door, TwoServers, World, fill, two_servers

TALLY = pytest.StashKey[Tally]()
USERS = {"agent_t1": "one", "agent_t2": "two"}
RULES = (HERE / "rules.yaml").read_text()
WRITERS = {"agent_w1": "one", "agent_w2": "two", "agent_w3": "three"}
WRITING_RULES = (HERE / "rules_writing.yaml").read_text()
# What the proxy is upstream: `postgres` here lets whatever slips through take full effect.
UPSTREAM_ROLE = os.environ.get("QUERYWARDEN_TEST_ROLE", "agent")
BARE = "bare"

Worlds = tuple[World, World]


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    """The counts printed at the end."""
    return request.config.stash.setdefault(TALLY, Tally())


@pytest.fixture(scope="session")
def servers() -> Iterator[TwoServers]:
    """Both databases, filled, each on a server of its own."""
    with two_servers() as pair:
        yield pair


@pytest.fixture(scope="session")
def proxies(servers: TwoServers) -> Iterator[tuple[RunningProxy, RunningProxy]]:
    """A proxy before each of the two servers, same rules."""
    upstreams = [server.dsn(DATABASE, UPSTREAM_ROLE) for server in servers]
    first, second = (RunningProxy(rules=RULES, users=USERS, upstream=u) for u in upstreams)
    with first, second:
        yield first, second


@pytest.fixture(scope="session")
def worlds(servers: TwoServers, proxies: tuple[RunningProxy, RunningProxy]) -> Iterator[Worlds]:
    """Both worlds as tenant 1 sees them through the proxy."""
    yield from _worlds(
        servers, [Door("127.0.0.1", p.port, "agent_t1", USERS["agent_t1"]) for p in proxies]
    )


@pytest.fixture(scope="session")
def bare_worlds(servers: TwoServers) -> Iterator[Worlds]:
    """Both worlds without protection, in databases of their own because attacks succeed there."""
    fill(*servers, BARE)
    yield from _worlds(
        servers, [Door("127.0.0.1", s.port, UPSTREAM_ROLE, database=BARE) for s in servers]
    )


def _worlds(servers: TwoServers, doors: list[Door]) -> Iterator[Worlds]:
    pair = tuple(
        World(name, server, door) for name, server, door in zip("AB", servers, doors, strict=True)
    )
    first, second = pair
    yield first, second
    first.close()
    second.close()


@pytest.fixture(scope="session")
def writing_servers() -> Iterator[TwoServers]:
    """Servers of their own for those who write, so that both count their OIDs alike."""
    with two_servers(writing=True) as pair:
        yield pair


@pytest.fixture(scope="session")
def writers(writing_servers: TwoServers) -> Iterator[dict[str, Worlds]]:
    """Login -> both worlds as it meets them through the proxy."""
    upstreams = [server.dsn(DATABASE, UPSTREAM_ROLE) for server in writing_servers]
    first, second = (
        RunningProxy(rules=WRITING_RULES, users=WRITERS, upstream=u) for u in upstreams
    )
    with first, second, ExitStack() as stack:
        found = {}
        for login, password in WRITERS.items():
            doors = [Door("127.0.0.1", p.port, login, password) for p in (first, second)]
            made = contextmanager(_worlds)(writing_servers, doors)
            found[login] = stack.enter_context(made)
        yield found


@pytest.fixture(scope="session")
def bare_writers(writing_servers: TwoServers) -> Iterator[Worlds]:
    """Both databases for those who write, without protection."""
    yield from _worlds(
        writing_servers,
        [Door("127.0.0.1", s.port, UPSTREAM_ROLE) for s in writing_servers],
    )


@pytest.fixture(scope="session")
def both() -> Iterator[ThreadPoolExecutor]:
    """Two threads, so that both worlds are asked at the same time."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tally when there is one."""
    tally = terminalreporter.config.stash.get(TALLY, None)
    if tally is not None:
        terminalreporter.section("attacks")
        for line in tally.lines():
            terminalreporter.write_line(line)
