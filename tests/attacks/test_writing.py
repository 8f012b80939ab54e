"""Every attack as logins that may write: nothing hidden is told, nothing foreign changed.

Each statement is committed, alone and inside a transaction, and all rows of all tables are compared
with what the rules permit; then everything is put back. Inside a transaction that is rolled back
nothing at all may change.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.attacks.catalogue import Attack, attacks, writes
from tests.attacks.conftest import Worlds
from tests.attacks.test_harness import SLOW
from tests.attacks.verdict import Tally, unexpected
from tests.attacks.worlds import BOUND, SETUP_VARIABLE
from tests.attacks.writing_bench import BROAD, BY_KEY, COLLIDING, DAMAGE, WAYS, Bench

COLLISIONS = ("write_conflict", "constraint_conflict_oracles")
# Every attack in every way, in a run for one setup of the worlds; else the ways take turns.
ALL = SETUP_VARIABLE in os.environ
_WRITING = ("dml_tampering", "constraint_conflict_oracles", "error_oracles", "locks")
_OLD = [attack for attack in attacks() if attack.id not in {other.id for other in writes()}]
TRIED = [attack for attack in _OLD if attack.group in _WRITING]
OTHERS = [attack for attack in _OLD if attack.group not in _WRITING and attack.id not in SLOW]


@pytest.fixture(scope="module")
def bench(writers: dict[str, Worlds], both: ThreadPoolExecutor) -> Bench:
    """Ready for attacks."""
    return Bench(writers, both)


@pytest.mark.parametrize("attack", [*writes(), *TRIED], ids=lambda attack: attack.id)
def test_attack(attack: Attack, bench: Bench, tally: Tally) -> None:
    tally.written += 1
    turn = tally.written % len(WAYS)
    found: list[str] = []
    for way in WAYS if ALL else {WAYS[0], WAYS[turn]}:
        problems, seen = bench.attack(attack, BY_KEY, way)
        found += problems
        # a parameter in place of a constant has no type where the constant had one
        untyped = way[0] == BOUND and {state[:2] for state in seen.sqlstates} == {"42"}
        if attack in writes() and not untyped and (wrong := unexpected(attack, seen, 180000)):
            found.append(f"{BY_KEY} {way[0]}: {wrong}\n  {seen.describe()}")
    for way in WAYS if ALL else (WAYS[turn - 1],):
        found += bench.attack(attack, BROAD, way)[0]
    if ALL or attack.group in COLLISIONS:
        found += bench.attack(attack, COLLIDING, WAYS[turn - 2])[0]
    tally.damaged += any(DAMAGE in line for line in found)
    assert not found, "\n".join([attack.sql, f"expected: {attack.expected}", *found])


def test_all_others(bench: Bench) -> None:
    found = []
    for number, attack in enumerate(OTHERS):
        login, way = (BY_KEY, BROAD)[number // 4 % 2], WAYS[number % 4]
        problems, _ = bench.attack(attack, login, way)
        found += [f"{attack.id} {attack.sql}\n{line}" for line in problems]
    assert not found, "\n".join([f"{len(found)} problems", *found[:5]])


def test_without_the_proxy_there_is_damage(
    bare_writers: Worlds, both: ThreadPoolExecutor, tally: Tally
) -> None:
    bench = Bench({BY_KEY: bare_writers}, both)
    damaging = set()
    for attack in writes()[::3]:
        if "CREATE" not in attack.sql:
            problems, _ = bench.attack(attack, BY_KEY, WAYS[0])
            if any(DAMAGE in line for line in problems):
                damaging.add(attack.id)
    tally.bare_damaged = len(damaging)
    assert len(damaging) > 30
