"""No leaky condition ever runs on a row the subject may not see, wherever it stands.

Every statement is decided, and what the proxy would send is run as the proxy's role, on a database
whose leaky operators and functions tell their arguments, and on one where hidden rows never were:
no notice may hold anything of a hidden row, and both must give the same rows.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import psycopg
import pytest

from policies.decision import Allow
from policies.pipeline import Snapshot, decide
from policies.rules import parse
from policies.subject import Subject
from policies.views import FENCE
from proxy.introspect import read_catalog
from proxy.testing import PostgresServer
from tests.attacks.leaky_statements import PLACES, Leaky, statements
from tests.attacks.telling import RULES, foreign, script, told

# What the planner may choose among, as settings of the session.
PLANS: Sequence[dict[str, str]] = (
    {},
    {"enable_seqscan": "off"},
    {"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"},
    {"enable_hashjoin": "off", "enable_mergejoin": "off"},
    {"enable_hashjoin": "off", "enable_nestloop": "off", "enable_hashagg": "off"},
    {"enable_nestloop": "off", "enable_material": "off"},
    {"enable_hashjoin": "off", "enable_memoize": "off", "enable_seqscan": "off"},
    {"plan_cache_mode": "force_generic_plan"},
    {"from_collapse_limit": "1", "join_collapse_limit": "1", "jit": "off"},
)
# Every statement under every plan, which takes minutes.
ALL = bool(os.environ.get("QUERYWARDEN_ALL_PLANS"))
ROLE = "f_leak_agent"
PARAMETER = "4"
# A whole row beside a grouped key is an error behind a derived table, which knows of no key.
NO_KEY = [
    "error",
    '42803 column "t.*" must appear in the GROUP BY clause or be used in an aggregate function',
]


@dataclass
class Side:
    """A connection as the proxy's role; `told` collects notices."""

    connection: psycopg.Connection[tuple[Any, ...]]
    told: list[str] = field(default_factory=list)
    plan: dict[str, str] = field(default_factory=dict)

    def run(self, sql: str, plan: dict[str, str], *, parameter: bool) -> list[str]:
        """The rows, sorted, or the error's words."""
        if plan != self.plan:
            settings = [f"SET {name} TO {value}" for name, value in plan.items()]
            self.connection.execute("; ".join(["RESET ALL", *settings]))
            self.plan = plan
        self.told.clear()
        try:
            if parameter:
                self.connection.execute(f"DEALLOCATE ALL; PREPARE p AS {sql}")
                sql = f"EXECUTE p ({PARAMETER})"
            cursor = self.connection.execute(sql)
            if cursor.description is None:
                return [cursor.statusmessage or ""]
            return sorted(map(repr, cursor.fetchall()))
        except psycopg.Error as error:
            return ["error", f"{error.sqlstate} {error.diag.message_primary}"]


@dataclass(frozen=True)
class Bench:
    """The decisions, and both databases: with hidden rows and alone."""

    snapshot: Snapshot
    subject: Subject
    telling: Side
    alone: Side

    def rewritten(self, sql: str) -> str:
        """What the proxy would send, with calls of functions that tell."""
        decision = decide(sql.encode(), self.subject, self.snapshot)
        assert isinstance(decision, Allow), (sql, decision)
        return told(decision.text.decode())

    def seen(self, statement: Leaky, sql: str, plan: dict[str, str]) -> tuple[list[str], list[str]]:
        """Rows of a text beside the hidden ones, and what its notices say of these."""
        rows = self.telling.run(sql, plan, parameter=statement.has_parameter)
        return rows, [word for notice in self.telling.told for word in foreign(notice, sql)][:5]


def benches(postgres: PostgresServer, role: str, rules: str) -> Iterator[Bench]:
    """Both databases, filled, on the common server, for a role of that name."""
    sides = []
    names = {f"{role}_{name}": name == "telling" for name in ("telling", "alone")}
    postgres.execute("postgres", f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN")
    for name, hidden in names.items():
        postgres.create_database(name, script(hidden=hidden))
        connection = psycopg.connect(postgres.dsn(name, role), autocommit=True)
        connection.prepare_threshold = None
        side = Side(connection)
        connection.add_notice_handler(lambda n, told=side.told: told.append(n.message_primary))
        sides.append(side)
    catalog = asyncio.run(read_catalog(postgres.dsn(next(iter(names)), role)))
    read = parse(rules, "f_leak.yaml")
    subject = read.subject("own")
    assert subject is not None
    yield Bench(Snapshot(read, catalog, b"k" * 32, "f_leak"), subject, *sides)
    for side in sides:
        side.connection.close()
    for name in names:
        postgres.drop_database(name)
    postgres.execute("postgres", f"DROP ROLE {role}")


@pytest.fixture(scope="module")
def bench(postgres: PostgresServer) -> Iterator[Bench]:
    """Both databases for a login that reads."""
    yield from benches(postgres, ROLE, RULES)


@pytest.mark.parametrize("place", PLACES)
def test_leaky_conditions_meet_no_hidden_row(place: str, bench: Bench) -> None:
    found = []
    for statement in statements(place):
        sql = bench.rewritten(statement.sql)
        for plan in PLANS if ALL else (_plan(statement),):
            rows, hears = bench.seen(statement, sql, plan)
            alone = bench.alone.run(sql, plan, parameter=statement.has_parameter)
            if hears or rows != alone or (alone[:1] == ["error"] and alone != NO_KEY):
                found.append(f"{statement.sql}\n{plan}\ntold {hears}\n{rows}\n{alone}\n{sql}")
    assert not found, "\n\n".join([f"{len(found)} statements leak or fail", *found[:3]])


def _plan(statement: Leaky) -> dict[str, str]:
    """Plans take turns."""
    return PLANS[statement.number % len(PLANS)]


def _leaking(bench: Bench, weaken: Callable[[str], str]) -> Counter[str]:
    """How many statements of each place leak when what is sent is weakened; a third is tried."""
    leaking: Counter[str] = Counter()
    for statement in islice(statements(), None, None, 3):
        sql = bench.rewritten(statement.sql)
        weaker = weaken(sql)
        if weaker != sql:
            _, hears = bench.seen(statement, weaker, _plan(statement))
            leaking[statement.place] += bool(hears)
    return leaking


def test_without_the_fence_they_would(bench: Bench) -> None:
    leaking = _leaking(bench, lambda sql: sql.replace(FENCE, ""))
    assert leaking.total() > 150, leaking
    assert len(+leaking) > 30, leaking


def test_the_planner_would_try_them_on_common_values(bench: Bench) -> None:
    shown = re.compile(r"COALESCE\((r\.\"\w+\"), \1\)")
    leaking = _leaking(bench, lambda sql: shown.sub(r"\1", sql))
    assert leaking.total() > 150, leaking
