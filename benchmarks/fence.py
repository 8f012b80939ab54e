"""What the fence costs: rewritten statements beside PostgreSQL's own security-barrier views.

    python -m benchmarks.fence --rounds 15

Both keep conditions of the statement away from other tenants' rows. Every statement runs on the
same data in two forms, in alternating order: as the proxy rewrites it, and as written over views
`WITH (security_barrier)` that show the same rows and columns. The times are PostgreSQL's, medians,
in ms, planning included; `ratio` is the rewritten statement's share of the view's, and no more than
2.0 is wanted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import asyncpg
from rich.table import Table

from benchmarks import stage
from policies.decision import Allow
from policies.pipeline import Snapshot, decide
from policies.rules import parse
from policies.subject import Subject
from proxy.embedded import EmbeddedPostgres
from proxy.introspect import read_catalog

DATABASE = "fence"
TENANTS = 20
WANTED = 2.0
SUBJECT = Subject("reader", tenant=7, roles=("reader",))
RULES = """
version: 1
profile: dev
entities:
  users: {tenant: tenant_id}
  orders: {tenant: tenant_id}
capabilities:
  read: {select: [users, orders]}
roles:
  reader: {can: [read], budget: {rows: 100, joins: 10, complexity: 10000}}
subjects:
  - {login: reader, tenant: 7, roles: [reader]}
"""
SCHEMA = f"""
CREATE TABLE users (id int PRIMARY KEY, tenant_id int NOT NULL, name text, bio text,
                    score numeric, joined timestamptz);
CREATE TABLE orders (id int PRIMARY KEY, tenant_id int NOT NULL, user_id int NOT NULL, note text,
                     amount numeric, status text, doc jsonb, made timestamptz);
INSERT INTO users SELECT g, g %% {TENANTS}, 'user ' || g, 'about ' || md5(g::text), g %% 1000,
    '2020-01-01'::timestamptz + g * interval '1 minute' FROM generate_series(1, %(users)s) g;
INSERT INTO orders SELECT g, g %% {TENANTS}, 1 + (g * 7) %% %(users)s, 'note ' || md5(g::text),
    (g %% 977) + 0.5, (ARRAY['open', 'paid', 'void'])[1 + g %% 3],
    jsonb_build_object('n', g %% 100), '2020-01-01'::timestamptz + g * interval '1 minute'
    FROM generate_series(1, %(orders)s) g;
CREATE INDEX ON users (tenant_id, id);
CREATE INDEX ON users (joined);
CREATE INDEX ON orders (tenant_id, id);
CREATE INDEX ON orders (user_id);
CREATE INDEX ON orders (made);
CREATE SCHEMA barrier;
CREATE VIEW barrier.users WITH (security_barrier) AS SELECT * FROM users WHERE tenant_id = 7;
CREATE VIEW barrier.orders WITH (security_barrier) AS SELECT * FROM orders WHERE tenant_id = 7;
ANALYZE;
"""
STATEMENTS = {
    "row by its key": "SELECT * FROM users WHERE id = 107 AND bio LIKE '%a%'",
    "row by its key, no fence needed": "SELECT * FROM users WHERE id = 107 AND name <> 'x'",
    "rows by a list of keys": (
        "SELECT * FROM orders WHERE id IN (107, 127, 147, 167) AND doc @> '{\"n\": 7}'"
    ),
    "row and what it points to": (
        "SELECT * FROM orders o JOIN users u ON u.id = o.user_id "
        "WHERE o.id = 107 AND u.bio LIKE '%a%' AND o.amount > 1"
    ),
    "row and what points to it": (
        "SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.amount > 1 "
        "WHERE u.id = 107"
    ),
    "newest that match, often": ("SELECT * FROM orders WHERE amount > 5 ORDER BY id DESC LIMIT 20"),
    "newest that match, seldom": (
        "SELECT * FROM orders WHERE note LIKE '%abcd%' ORDER BY id DESC LIMIT 20"
    ),
    "a page of a join, keys first": (
        "SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.user_id "
        "WHERE o.amount > 5 ORDER BY o.id LIMIT 20"
    ),
    "a page of a join": (
        "SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.user_id "
        "WHERE o.note LIKE '%a%' ORDER BY o.id LIMIT 20"
    ),
    "a range of time": (
        "SELECT id, amount FROM orders WHERE made >= '2020-02-01' AND made < '2020-02-03' "
        "AND amount > 100"
    ),
    "count of what matches": "SELECT count(*) FROM orders WHERE note LIKE '%ab%'",
    "sums by group": (
        "SELECT status, sum(amount) FROM orders WHERE amount > 10 GROUP BY status ORDER BY 1"
    ),
    "sums over a join": (
        "SELECT u.name, sum(o.amount) FROM users u JOIN orders o ON o.user_id = u.id "
        "WHERE o.amount > 900 GROUP BY u.name ORDER BY 2 DESC LIMIT 10"
    ),
    "those that have one": (
        "SELECT count(*) FROM users u WHERE EXISTS "
        "(SELECT 1 FROM orders o WHERE o.user_id = u.id AND o.amount > 900)"
    ),
    "those without": (
        "SELECT count(*) FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.amount > 900 "
        "WHERE o.id IS NULL"
    ),
    "through a WITH query": (
        "WITH big AS (SELECT user_id, amount FROM orders WHERE amount > 900) "
        "SELECT u.name, b.amount FROM big b JOIN users u ON u.id = b.user_id "
        "WHERE u.bio LIKE '%ab%' ORDER BY 2, 1 LIMIT 10"
    ),
}


@dataclass(frozen=True, slots=True)
class Result:
    """Medians of one statement in ms; `fenced`: whether a fence stood in it."""

    name: str
    barrier: float
    rewritten: float
    fenced: bool

    @property
    def ratio(self) -> float:
        """What the rewritten form takes of the barrier's time."""
        return self.rewritten / self.barrier


@contextlib.contextmanager
def database(users: int, orders: int) -> Iterator[str]:
    """The DSN of a filled database on a server of its own."""
    with EmbeddedPostgres() as server:
        server.create_database(DATABASE)
        schema = SCHEMA.replace("%(users)s", str(users)).replace("%(orders)s", str(orders))
        server.execute(DATABASE, schema.replace("%%", "%"))
        yield server.dsn(DATABASE)


async def measure(dsn: str, rounds: int) -> list[Result]:
    """Time every statement in both forms. Raises RuntimeError when their rows differ."""
    snapshot = Snapshot(parse(RULES, "fence"), await read_catalog(dsn), b"k" * 32, "fence")
    plain = await asyncpg.connect(dsn, statement_cache_size=0)
    barrier = await asyncpg.connect(dsn, server_settings={"search_path": "barrier"})
    results = []
    for name, sql in STATEMENTS.items():
        decision = decide(sql.encode(), SUBJECT, snapshot)
        if not isinstance(decision, Allow):
            raise RuntimeError(f"{name}: {decision.message}")
        text = decision.text.decode()
        expected = f"SELECT * FROM ({sql}) AS s LIMIT 101" if "LIMIT" not in sql else sql
        if sorted(map(str, await plain.fetch(text))) != sorted(
            map(str, await barrier.fetch(expected))
        ):
            raise RuntimeError(f"{name}: other rows than through the view")
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(rounds):
            ways = [(barrier, expected, times[0]), (plain, text, times[1])]
            for connection, form, taken in ways if number % 2 else ways[::-1]:
                start = perf_counter()
                await connection.execute(form)
                taken.append((perf_counter() - start) * 1000)
        results.append(Result(name, median(times[0]), median(times[1]), "OFFSET 0" in text))
    await plain.close()
    await barrier.close()
    return results


def _table(results: Sequence[Result], title: str) -> Table:
    table = stage.table(title, "statement", "fenced", figures=("barrier ms", "ours ms", "ratio"))
    for r in results:
        fenced = "yes" if r.fenced else ""
        table.add_row(r.name, fenced, f"{r.barrier:.3f}", f"{r.rewritten:.3f}", f"{r.ratio:.2f}")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a statement takes more than what is wanted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fence", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--users", type=int, default=40_000)
    parser.add_argument("--orders", type=int, default=400_000)
    chosen = parser.parse_args(arguments)
    with database(chosen.users, chosen.orders) as dsn:
        results = asyncio.run(measure(dsn, chosen.rounds))
    title = f"Fence, {chosen.orders:,} orders of {TENANTS} tenants, {chosen.rounds} rounds"
    console = stage.console()
    console.print(_table(results, title))
    console.print(stage.machine(), style="dim", soft_wrap=True)
    return 1 if any(r.ratio > WANTED for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
