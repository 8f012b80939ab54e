"""Statements that are deep, long or many of something: answered or refused, and soon.

On proxies of their own, so that one that hangs or falls takes no other test with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest

from proxy.testing import RunningProxy
from tests.attacks.catalogue import Attack, shapes
from tests.attacks.conftest import RULES, UPSTREAM_ROLE, USERS, Worlds
from tests.attacks.shapes import LONG, SHORT
from tests.attacks.verdict import Tally, problems
from tests.attacks.worlds import DATABASE, FORMS, Door, TwoServers, World

PATIENCE = 10.0  # seconds for one decision, on a busy machine


class Replaceable:
    """Both worlds with proxies that are started anew when one of them has hung or ended."""

    def __init__(self, servers: TwoServers) -> None:
        self._servers = servers
        self._running = ExitStack()
        self._worlds: Worlds | None = None

    def get(self) -> Worlds:
        """Both worlds, served."""
        if self._worlds is None or any(world.hung for world in self._worlds):
            self.close()
            first, second = (self._start(place) for place in (0, 1))
            self._worlds = first, second
        return self._worlds

    def _start(self, place: int) -> World:
        server = self._servers[place]
        upstream = server.dsn(DATABASE, UPSTREAM_ROLE)
        proxy = RunningProxy(rules=RULES, users=USERS, upstream=upstream)
        self._running.enter_context(proxy)
        door = Door("127.0.0.1", proxy.port, "agent_t1", USERS["agent_t1"])
        world = World("AB"[place], server, door, PATIENCE)
        self._running.callback(world.close)
        return world

    def close(self) -> None:
        """End both proxies."""
        self._running.close()
        self._worlds = None


@pytest.fixture(scope="module")
def replaceable(servers: TwoServers) -> Iterator[Replaceable]:
    """Proxies for this module."""
    held = Replaceable(servers)
    yield held
    held.close()


@pytest.mark.parametrize("size", [SHORT, LONG])
@pytest.mark.parametrize("attack", shapes(0), ids=lambda attack: attack.id)
def test_shape(
    attack: Attack, size: int, replaceable: Replaceable, both: ThreadPoolExecutor, tally: Tally
) -> None:
    (sized,) = [other for other in shapes(size) if other.id == attack.id]
    worlds = replaceable.get()
    tally.attacks += 1
    for form in FORMS:
        first, second = both.map(partial(World.send, attack=sized, form=form), worlds)
        found = list(problems(sized, form, first, second, 180000, tally))
        assert not found, "\n".join(found)[:2000]
    assert all(world.bystander_works() for world in worlds), "another client is disturbed"
