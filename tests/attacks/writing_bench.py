"""Attacks of logins that write, in both worlds, and what they changed; all is put back after.

Knows ways to send a statement and what is wrong with what came of it; what a login may change is
in `writing`.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from tests.attacks.binding import bound
from tests.attacks.catalogue import Attack
from tests.attacks.verdict import difference, leaked
from tests.attacks.worlds import BOUND, FORMS, Transcript, World
from tests.attacks.writing import damage, keep, look, permitted, restore

BY_KEY, BROAD, COLLIDING = "agent_w1", "agent_w2", "agent_w3"
DAMAGE = "damage"
Way = tuple[str, str, str]  # form, what is sent before, what after
WAYS: tuple[Way, ...] = (
    (FORMS[0], "", ""),
    (FORMS[1], "BEGIN", "COMMIT"),
    (FORMS[2], "", ""),
    (BOUND, "BEGIN", "ROLLBACK"),
)
_ENDS = re.compile(r"\b(COMMIT|END)\b", re.IGNORECASE)


class Bench:
    """Both worlds, what they held at first, and what the rules permit each login."""

    def __init__(self, doors: dict[str, tuple[World, World]], both: ThreadPoolExecutor) -> None:
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
