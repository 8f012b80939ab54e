"""Rows of the oracle's application, from a seed: several tenants, NULLs, duplicates and ties.

Rows the subject may not see carry values on which a careless expression fails; see tables.py.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import random
import uuid
from collections.abc import Iterable, Iterator, Sequence

from proxy.testing import TEST_HASH_KEY

TENANT, USER, CEILING = 2, 12, 900
STATUSES = ("new", "paid", "shipped", "returned", "cancelled")
WORDS = ("red", "green", "blue", "amber", "a_b", "50%", "Ünal", "", "it's", "x\\y", "null")
NAMES = ("Ada Byron", "Bo Li", "Cy", "Dee O'Hara", "Eve Ünal", "Flo Zee", "Gil  Park")
HUES = ("click", "view", "buy", "red", "green")
OWN_SHARE = 0.45

Row = tuple[object, ...]


def script(seed: int) -> str:
    """INSERT statements for every table."""
    made = Maker(random.Random(f"rows {seed}"))
    tables: dict[str, list[Row]] = {}
    for name, rows in made.tables():
        tables[name] = list(rows)
    return "".join(insert(name, rows) for name, rows in tables.items())


def digests(seed: int) -> str:
    """INSERT statements of the keyed digests the reference looks up: (key, value, digest)."""
    made = Maker(random.Random(f"rows {seed}"))
    tables = {name: list(rows) for name, rows in made.tables()}
    values = {("names", str(row[3])) for row in tables["users"] if row[3] is not None}
    values |= {("twins", str(row[-1])) for row in tables["kinds"] if row[-1] is not None}
    return insert("base.digests", sorted((k, v, keyed_digest(k, v)) for k, v in values))


def keyed_digest(key: str, value: str) -> str:
    """HMAC-SHA-256 under the key that the column's key name and the proxy's secret make."""
    inner = hmac.digest(
        TEST_HASH_KEY.encode(), b"querywarden column key: " + key.encode(), hashlib.sha256
    )
    return hmac.new(inner, value.encode(), hashlib.sha256).hexdigest()


class Maker:
    """One random stream, used in one order, so that a seed always gives the same rows."""

    def __init__(self, random_: random.Random) -> None:
        self.r = random_

    def tables(self) -> Iterator[tuple[str, Iterable[Row]]]:
        yield "tenants", [(i, f"tenant {i}", self.some(["free", "team"])) for i in range(1, 5)]
        yield "users", (self.user(i) for i in range(1, 51))
        yield "orders", (self.order(i) for i in range(1, 91))
        yield "products", (self.product(i) for i in range(1, 26))
        yield "order_items", self.items()
        yield "tags", ((i, self.tenant(), self.some(HUES)) for i in range(1, 17))
        yield "order_tags", self.order_tags()
        yield "events", (self.event(i) for i in range(1, 101))
        yield "documents", (self.document(i) for i in range(1, 31))
        yield (
            "contracts",
            ((*self.document(i), self.some(NAMES), self.day()) for i in range(31, 51)),
        )
        yield "notes", (self.note(i) for i in range(1, 51))
        yield "metrics", ((self.tenant(), self.some(HUES), self.day(), self.number(5))
                          for _ in range(70))  # fmt: skip
        yield "kinds", (self.kind(i) for i in range(1, 61))
        yield '"Order Log"', ((i, self.tenant(), self.some(WORDS), self.number(6), self.money())
                              for i in range(1, 31))  # fmt: skip
        yield "sales.targets", ((i, self.tenant(), self.some(("north", "south", "tools")),
                                 self.money(), self.r.randint(2024, 2026))
                                for i in range(1, 25))  # fmt: skip
        yield "secrets", ((i, self.tenant(), "secret") for i in range(1, 6))

    def tenant(self) -> int:
        return TENANT if self.r.random() < OWN_SHARE else self.r.choice((1, 3, 4))

    def some(self, values: Sequence[object], null: float = 0.12) -> object:
        return None if self.r.random() < null else self.r.choice(values)

    def number(self, most: int, null: float = 0.12) -> int | None:
        return None if self.r.random() < null else self.r.randint(0, most)

    def money(self, null: float = 0.12) -> str | None:
        return None if self.r.random() < null else f"{self.r.randint(-20, 400) * 25 / 100:.2f}"

    def day(self, null: float = 0.1) -> dt.date | None:
        start = dt.date(2024, 11, 1)
        return None if self.r.random() < null else start + dt.timedelta(days=self.r.randint(0, 600))

    def moment(self, null: float = 0.1) -> str | None:
        day = self.day(null)
        return (
            None
            if day is None
            else f"{day} {self.r.choice((0, 7, 7, 12, 23)):02}:{self.r.choice((0, 30)):02}Z"
        )

    def uuid(self, pool: int) -> uuid.UUID:
        return uuid.UUID(int=self.r.randint(1, pool) * 0x1111111111111111)

    def json(self, null: float = 0.12) -> str | None:
        made: object = self.r.choice(
            (
                {"n": self.r.randint(0, 9), "color": self.r.choice(HUES), "deep": {"x": [1, 2]}},
                {"n": self.r.randint(0, 9), "list": [self.r.randint(0, 3), "a"], "on": True},
                {},
                [1, "two", None],
                {"color": None},
            )
        )
        return None if self.r.random() < null else json.dumps(made)

    def list(self, values: Sequence[object], null: float = 0.12) -> list[object] | None:
        if self.r.random() < null:
            return None
        return [self.some(values, 0.1) for _ in range(self.r.randint(0, 3))]

    def user(self, i: int) -> Row:
        email = self.some((f"user{i}@example.com", "ab@b.example", "x@y.example", "none", "@z"))
        return (
            i, self.tenant() if i != USER else TENANT, email, self.some(NAMES),
            self.some(("+49 555 0100", "5550123", "12345678")), f"900-00-{i:04}", self.day(),
            self.money(), self.some(WORDS), self.some((True, False)),
            self.r.randint(1, i) if self.r.random() < 0.8 else None, self.number(60),
            self.moment(0), self.moment(0.85) if i != USER else None, self.json(),
            self.list(HUES),
        )  # fmt: skip

    def order(self, i: int) -> Row:
        tenant, status = self.tenant(), self.r.choice(STATUSES)
        own = tenant == TENANT and status != "cancelled"
        meta = json.dumps({"n": self.r.randint(0, 9) if own else "none", "color": "red"})
        return (
            i, tenant, self.number(52), status, self.money(), self.some(WORDS, 0.3),
            str(self.r.randint(1, 99)) if own else "n/a", self.day(), self.moment(),
            self.uuid(40), meta,
        )  # fmt: skip

    def product(self, i: int) -> Row:
        return (
            i, f"SKU-{i:04}", self.some(NAMES, 0), self.money(),
            self.some(("tools", "north", "red")), self.json(),
            self.list(range(5)), self.r.random() < 0.3,
        )  # fmt: skip

    def items(self) -> Iterator[Row]:
        for order in range(1, 95):
            tenant = self.tenant()
            for line in range(1, self.r.randint(1, 3)):
                quantity = self.r.randint(1, 6) if tenant == TENANT else 0
                yield (order, line, tenant, self.number(28), quantity, self.money(),
                       self.some(("0.50", "1.00", "2.50")))  # fmt: skip

    def order_tags(self) -> Iterator[Row]:
        for order in range(1, 95):
            for tag in self.r.sample(range(1, 18), self.r.randint(0, 2)):
                yield order, tag, self.tenant()

    def event(self, i: int) -> Row:
        return i % 60, self.tenant(), dt.date(2024, 11, 1) + dt.timedelta(days=i * 6), \
            self.some(HUES), self.number(9), self.json()  # fmt: skip

    def document(self, i: int) -> Row:
        return i, self.tenant(), self.some(WORDS), self.number(52), self.number(8)

    def note(self, i: int) -> Row:
        author = USER if self.r.random() < 0.6 else self.r.randint(1, 50)
        return (i, self.tenant(), author, self.some(WORDS), self.some((True, False)),
                self.number(5), self.moment())  # fmt: skip

    def kind(self, i: int) -> Row:
        tenant, medium = self.tenant(), self.some((0, 1, 5, 7, 30, 41, 899, 900, 950))
        own = tenant == TENANT and (medium is None or int(str(medium)) < CEILING)
        return (
            i, tenant, self.number(4), medium, self.some((10**12, 5, 7, -3)), self.money(),
            self.some(WORDS), self.some(WORDS), self.some(("abc", "abcdef", "z")),
            str(self.r.randint(0, 60)) if own else "zero", self.uuid(30),
            self.some((True, False)), self.day(), self.moment(), self.json(),
            self.list(range(6)), self.list(WORDS), self.some(STATUSES), "hidden",
            self.some(("Alice", "Bob", "a\nbcdef", "ünterü")), self.some(("12345", "123", "äöüß")),
            self.money(), self.day(), self.moment(), "hide me", self.uuid(30),
        )  # fmt: skip


def insert(table: str, rows: Sequence[Row]) -> str:
    """One INSERT of all rows."""
    values = ",\n".join(f"({', '.join(map(_literal, row))})" for row in rows)
    return f"INSERT INTO {table} VALUES\n{values};\n"


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, list):
        return _literal("{" + ",".join(map(_element, value)) + "}")
    return "'" + str(value).replace("'", "''") + "'"


def _element(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return "NULL" if value is None else f'"{text}"'
