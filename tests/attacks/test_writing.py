"""Every attack as logins that may write: nothing hidden is told, nothing foreign changed.

Each statement is committed, alone and inside a transaction, and all rows of all tables are compared
with what the rules permit; then everything is put back. Inside a transaction that is rolled back
nothing at all may change.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from tests.attacks.binding import bound
from tests.attacks.catalogue import (
    Attack,
    attacks,
    writes,
)
from tests.attacks.conftest import Worlds
from tests.attacks.test_harness import SLOW
from tests.attacks.verdict import Tally, difference, leaked, unexpected
from tests.attacks.worlds import BOUND, FORMS, SETUP_VARIABLE, Transcript, World
from tests.attacks.writing import damage, keep, look, permitted, restore

BY_KEY, BROAD, COLLIDING = "agent_w1", "agent_w2", "agent_w3"
COLLISIONS = ("write_conflict", "constraint_conflict_oracles")
DAMAGE = "damage"
_ENDS = re.compile(r"\b(COMMIT|END)\b")
# Every attack in every way, in a run for one setup of the worlds; else the ways take turns.
ALL = SETUP_VARIABLE in os.environ
Way = tuple[str, str, str]  # form, what is sent before, what after
WAYS: tuple[Way, ...] = (
    (FORMS[0], "", ""),
    (FORMS[1], "BEGIN", "COMMIT"),
    (FORMS[2], "", ""),
    (BOUND, "BEGIN", "ROLLBACK"),
)
_WRITING = ("dml_tampering", "constraint_conflict_oracles", "error_oracles", "locks")
_OLD = [attack for attack in attacks() if attack.id not in {other.id for other in writes()}]
TRIED = [attack for attack in _OLD if attack.group in _WRITING]
OTHERS = [attack for attack in _OLD if attack.group not in _WRITING and attack.id not in SLOW]


class Bench:
    """Both worlds, what they held at first, and what the rules permit each login."""

    def __init__(self, doors: dict[str, Worlds], both: ThreadPoolExecutor) -> None:
        self.doors = doors
        self.both = both
        self.inspected = next(iter(doors.values()))
        for world in self.inspected:
            keep(world)
            restore(world)
        self.then = [look(world) for world in self.inspected]
        self.may = {login: permitted(login) for login in doors}

    def attack(self, attack: Attack, login: str, way: Way) -> tuple[list[str], Transcript]:
        """Everything wrong with one attack in one way, and what world A sent."""
        form, first, last = way
        send = partial(World.send, attack=attack, form=form, first=first, last=last)
        told = attack
        if form == BOUND and (with_parameters := bound(attack.sql)):
            told = replace(attack, sql=f"{attack.sql} {with_parameters[0]}")
        one, other = self.both.map(send, self.doors[login])
        found = [f"{name} came back: {values}" for name, values in leaked(told, one).items()]
        if login != COLLIDING and (apart := difference(told, one, other)):
            found.append(f"the worlds differ: {apart}")
        if one.trouble:
            found.append(one.trouble)
        for world, changes in zip("AB", self._damage(attack, login, last), strict=True):
            found += [f"{DAMAGE} in world {world}: {change}" for change in changes]
        return [f"{login} {form} {last}: {line}\n  {one.describe()}" for line in found], one

    def _damage(self, attack: Attack, login: str, last: str) -> list[list[str]]:
        """What was changed and must not be, of each world; puts everything back."""
        return [*self.both.map(partial(self._undo, attack, login, last), (0, 1))]

    def _undo(self, attack: Attack, login: str, last: str, index: int) -> list[str]:
        world, then = self.inspected[index], self.then[index]
        now = look(world)
        if now == then:
            return []
        found = [*damage(then, now, self.may[login], attack.sql + attack.data)]
        # sequences are outside of transactions
        kept = last != "ROLLBACK" or _ENDS.search(attack.sql)
        if not kept and replace(now, sequences=then.sequences) != then:
            found.append("something was changed though all was rolled back")
        restore(world)
        self.then[index] = look(world)
        return found


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
        if attack in writes() and (wrong := unexpected(attack, seen, 180000)):
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
