"""Rows of the tables that only the oracle of writes has, from a seed; the others are ../rows.py's.

A row refers to rows of its own tenant that are alive, and one the subject sees is referred to by
such alone, so that what the database does by itself for a foreign key stays among them.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator

from tests.oracle import rows
from tests.oracle.rows import HUES, STATUSES, TENANT, USER, WORDS, Row, insert

ACCOUNTS, TICKETS, MEMOS, PLACES = 24, 40, 40, 20
SEQUENCES = {"tickets": 500, "memos": 500, "places": 500}  # where keys made by the database begin


def script(seed: int) -> str:
    """INSERT statements for every table."""
    made = _Maker(random.Random(f"written {seed}"))
    return rows.script(seed) + "".join(insert(name, found) for name, found in made.tables())


class _Maker(rows.Maker):
    """One random stream, used in one order."""

    def tables(self) -> Iterator[tuple[str, list[Row]]]:
        tenants = {i: self.tenant() for i in range(1, ACCOUNTS + 1)}
        yield (
            "accounts (id, tenant_id, code, level, credit, names, data)",
            [self.account(i, tenant) for i, tenant in tenants.items()],
        )
        tickets = [self.ticket(i, tenants) for i in range(1, TICKETS + 1)]
        yield "tickets", tickets
        alive: dict[object, list[object]] = {}
        for ticket in tickets:
            if ticket[-1] is None:
                alive.setdefault(ticket[1], []).append(ticket[0])
        lines = [
            (ticket[0], line, ticket[1], self.some((f"s{line}", *HUES[: line - 1])),
             self.r.randint(1, 9), self.money())
            for ticket in tickets if ticket[1] != TENANT or ticket[-1] is None
            for line in range(1, self.r.randint(1, 4))
        ]  # fmt: skip
        named = "ticket_lines (ticket_id, line, tenant_id, sku, quantity, price)"
        yield named, [line if line[3] not in HUES else (*line[:3], f"{line[3]}{line[1]}", *line[4:])
                      for line in lines]  # fmt: skip
        yield "memos OVERRIDING SYSTEM VALUE", [self.memo(i, alive) for i in range(1, MEMOS + 1)]
        yield "places", [self.place(i) for i in range(1, PLACES + 1)]

    def account(self, i: int, tenant: int) -> Row:
        code = WORDS[i % len(WORDS)] if i <= len(WORDS) else f"a{i}"
        return (_key(i), tenant, code, self.r.randint(0, 9), self.money(), self.list(HUES),
                self.json())  # fmt: skip

    def ticket(self, i: int, tenants: dict[int, int]) -> Row:
        tenant = self.tenant()
        mine = [_key(a) for a, its in tenants.items() if its == tenant]
        return (
            i, tenant, self.some(mine or [None]), self.some(WORDS, 0), self.number(9),
            self.some((f"c{i}@example.com", "ab@b.example", "none")), "hidden",
            self.r.choice(STATUSES), self.day(), self.moment(), self.moment(0.8),
        )  # fmt: skip

    def memo(self, i: int, alive: dict[object, list[object]]) -> Row:
        tenant = self.tenant()
        author = USER if self.r.random() < 0.75 else self.r.randint(1, 50)
        state = self.r.choice(("open", "open", "done", "locked"))
        own = (tenant, author) == (TENANT, USER) and state != "locked"
        tickets = alive.get(tenant, [None]) if own or tenant != TENANT else [None]
        data = json.dumps({"n": i % 7 if own else "none"})
        return (i, tenant, author, self.some(WORDS), state, self.number(29), self.some(tickets),
                self.list(range(6)), data)  # fmt: skip

    def place(self, i: int) -> Row:
        slug = WORDS[i % len(WORDS)] if i <= len(WORDS) else f"p{i}"
        return (i, self.tenant(), slug, self.some(("north", "south", "tools")), self.number(50),
                self.r.random() < 0.5)  # fmt: skip


def _key(i: int) -> uuid.UUID:
    return uuid.UUID(int=i * 0x1111111111111111)
