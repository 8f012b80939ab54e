"""The attacks on row locks, sent to two worlds by a login that may lock users and orders.

Its upstream session is not read-only, so nothing but the proxy keeps it from writing.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from proxy.testing import RunningProxy
from tests.attacks.catalogue import Attack, attacks
from tests.attacks.conftest import RULES, UPSTREAM_ROLE, USERS, Worlds
from tests.attacks.verdict import Tally, problems
from tests.attacks.worlds import DATABASE, FORMS, Door, TwoServers, World

LOCKING = RULES.replace(
    "capabilities:", "capabilities:\n  keep: {select: [users, orders], lock: true}"
).replace("can: [read]", "can: [keep, read]")
GROUPS = ("locks", "dml_tampering", "constraint_conflict_oracles")
CHOSEN = [attack for attack in attacks() if attack.group in GROUPS]


@pytest.fixture(scope="module")
def lock_worlds(servers: TwoServers) -> Iterator[Worlds]:
    """Both worlds, through proxies of their own."""
    upstreams = [server.dsn(DATABASE, UPSTREAM_ROLE) for server in servers]
    first, second = (RunningProxy(rules=LOCKING, users=USERS, upstream=u) for u in upstreams)
    with first, second:
        doors = [Door("127.0.0.1", p.port, "agent_t1", USERS["agent_t1"]) for p in (first, second)]
        a, b = (World(n, s, d) for n, s, d in zip("AB", servers, doors, strict=True))
        yield a, b
        a.close()
        b.close()


@pytest.mark.parametrize("attack", CHOSEN, ids=lambda attack: attack.id)
def test_attack(
    attack: Attack, lock_worlds: Worlds, both: ThreadPoolExecutor, tally: Tally
) -> None:
    before = [world.digest() for world in lock_worlds]
    tally.attacks += 1
    for form in FORMS:
        first, second = both.map(partial(World.send, attack=attack, form=form), lock_worlds)
        found = list(problems(attack, form, first, second, 180000, tally))
        assert not found, "\n".join(found)
    assert [world.digest() for world in lock_worlds] == before
