"""The attacks again, with other tables and planner settings, and with constants as parameters.

The settings are the server's own, as no client can make them. What must hold whatever the planner
does: no hidden value, no difference between the worlds, no broken connection. In a run for one
setup of the worlds (see worlds.Setup) all attacks are sent under that one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import pytest

from proxy.testing import EmbeddedPostgres, RunningProxy
from tests.attacks.binding import bound
from tests.attacks.catalogue import Attack, attacks, writes
from tests.attacks.conftest import RULES, UPSTREAM_ROLE, USERS, Worlds
from tests.attacks.test_harness import SLOW
from tests.attacks.verdict import Tally, difference, leaked
from tests.attacks.wire_client import rows
from tests.attacks.worlds import (
    BOUND,
    DATABASE,
    FORMS,
    SETUP_VARIABLE,
    Door,
    Setup,
    TwoServers,
    World,
    set_for_all,
    two_servers,
)

GIVEN = os.environ.get(SETUP_VARIABLE)
# Each setting is met; attacks take turns.
SETUPS = [GIVEN] if GIVEN else [
    "large enable_seqscan=off plan_cache_mode=force_generic_plan",
    "large enable_seqscan=on plan_cache_mode=force_custom_plan",
]  # fmt: skip


@pytest.fixture(scope="module")
def pair() -> Iterator[TwoServers]:
    """Servers of this module's own, with large tables."""
    with two_servers(Setup.parse(SETUPS[0])) as servers:
        yield servers


@pytest.fixture(scope="module")
def doors(pair: TwoServers) -> Iterator[list[Door]]:
    """A proxy before each."""
    with ExitStack() as running:
        found = []
        for server in pair:
            upstream = server.dsn(DATABASE, UPSTREAM_ROLE)
            proxy = RunningProxy(rules=RULES, users=USERS, upstream=upstream)
            running.enter_context(proxy)
            found.append(Door("127.0.0.1", proxy.port, "agent_t1", USERS["agent_t1"]))
        yield found


@pytest.mark.parametrize("text", SETUPS)
def test_attacks(
    text: str, pair: TwoServers, doors: list[Door], both: ThreadPoolExecutor, tally: Tally
) -> None:
    setup = Setup.parse(text)
    for server in pair:
        set_for_all(server, setup)
    turn = SETUPS.index(text)
    left_out = SLOW | {attack.id for attack in writes()}  # refused whatever the planner does
    sent = [attack for attack in attacks() if attack.id not in left_out][turn :: len(SETUPS)]
    with _worlds(pair, doors) as worlds:
        for name, value in setup.settings:
            assert all(_setting(server, name) == value for server in pair)
        before = [world.digest() for world in worlds]
        found = [line for attack in sent for line in _problems(attack, worlds, both, tally)]
        assert not found, "\n".join(found[:5])
        assert [world.digest() for world in worlds] == before
        assert all(world.bystander_works() for world in worlds)


@contextmanager
def _worlds(pair: TwoServers, doors: list[Door]) -> Iterator[Worlds]:
    ends = zip("AB", pair, doors, strict=True)
    first, second = (World(name, server, door) for name, server, door in ends)
    try:
        yield first, second
    finally:
        first.close()
        second.close()


def _setting(server: EmbeddedPostgres, name: str) -> str:
    """A setting as the proxy's role gets it with a new session."""
    with Door("127.0.0.1", server.port, UPSTREAM_ROLE).connect() as client:
        ((value,),) = rows(client.query(f"SHOW {name}"))
    return (value or b"").decode()


def _problems(
    attack: Attack, worlds: Worlds, both: ThreadPoolExecutor, tally: Tally
) -> Iterator[str]:
    tally.replayed += 1
    with_parameters = bound(attack.sql)
    forms = (*FORMS, BOUND) if with_parameters else FORMS
    for form in forms:
        first, second = both.map(partial(World.send, attack=attack, form=form), worlds)
        told = attack
        if form == BOUND and with_parameters:
            told = replace(attack, sql=f"{attack.sql} {with_parameters[0]}")
        hidden, apart = leaked(told, first), difference(attack, first, second)
        tally.leaks += bool(hidden)
        tally.differences += bool(apart)
        if hidden or apart or first.trouble:
            yield f"{attack.id} {form}: {hidden} {apart} {first.trouble}"


def test_constants_become_parameters() -> None:
    assert bound("SELECT id, 'a' FROM t WHERE n = 'it''s' AND id < 2.5 LIMIT 3") == (
        "SELECT id,  $4  FROM t WHERE n =  $3  AND id <  $2  LIMIT  $1 ",
        (b"3", b"2.5", b"it's", b"a"),
    )
    assert bound("SELECT id FROM t") is None
    assert bound("not SQL 1") is None
