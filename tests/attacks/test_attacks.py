"""Every attack, in every form, in both worlds, through the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from proxy.testing import RunningProxy
from tests.attacks import catalogue
from tests.attacks.catalogue import Attack, answered, attacks, refused, writes
from tests.attacks.conftest import Worlds
from tests.attacks.verdict import Tally, outcome, problems
from tests.attacks.worlds import FORMS, TwoServers, World, server_version

# These are refused here, and sent in every form in test_writing.py.
WRITES = {attack.id for attack in writes()}


@pytest.fixture(scope="session")
def version(servers: TwoServers) -> int:
    """The servers' version, as 180000."""
    return server_version(servers[0])


@pytest.fixture(scope="session")
def untouched(worlds: Worlds) -> Iterator[list[str]]:
    """What both databases held before the first attack."""
    yield [world.digest() for world in worlds]


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.id)
def test_attack(
    attack: Attack,
    worlds: Worlds,
    untouched: list[str],
    both: ThreadPoolExecutor,
    tally: Tally,
    version: int,
) -> None:
    tally.attacks += 1
    found: list[str] = []
    outcomes = set()
    for form in FORMS if attack.id not in WRITES else FORMS[:1]:
        first, second = both.map(partial(World.send, attack=attack, form=form), worlds)
        found += problems(attack, form, first, second, version, tally)
        outcomes.add(outcome(first))
    found += [f"another client of {w.name} is disturbed" for w in worlds if not w.bystander_works()]
    for index, world in enumerate(worlds):
        now = world.digest()
        if now != untouched[index]:
            untouched[index] = now  # so that later attacks are not blamed for it
            found.append(f"world {world.name} was changed")
    if attack.id in answered() and outcomes == {"refused"}:
        found.append("answered.yaml lists it, but it is refused")
    if attack.id in refused() and outcomes == {"answered"}:
        found.append("refused.yaml lists it, but it is answered")
    assert not found, "\n".join([attack.sql, f"expected: {attack.expected}", *found])


def test_records_hold_no_values(proxies: tuple[RunningProxy, RunningProxy], tally: Tally) -> None:
    """Run last: records and log lines hold neither hidden values nor those of the statements."""
    if not tally.attacks:
        pytest.skip("no attack was sent in this run")
    for proxy in proxies:
        written = (proxy.directory / "records").read_bytes() + proxy.log().encode()
        assert written
        for name, pattern in catalogue.canaries().items():
            if name != "hidden_name":
                assert not pattern.findall(written), name
