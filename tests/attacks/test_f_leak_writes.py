"""No leaky condition of a statement that writes ever runs on a row the subject may not see.

As test_f_leak, with what is written: beside the hidden rows and without them the same rows come
back and the same rows are there afterwards, and no hidden row is changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pytest

from policies.decision import Allow, Deny
from policies.pipeline import decide
from policies.views import FENCE
from proxy.testing import PostgresServer
from tests.attacks.leaky_statements import Leaky
from tests.attacks.leaky_writes import COLLIDING, PLACES, statements
from tests.attacks.telling import SCOPED, SHARED, WRITING_RULES, foreign, told
from tests.attacks.test_f_leak import ALL, PLANS, Bench, Side, benches

_FENCED = re.compile(r"AND CASE WHEN .*? THEN \((.*)\) ELSE false END", re.DOTALL)
TABLES = (*SCOPED, SHARED)
_OWN = " UNION ALL ".join(
    f"SELECT '{t}', (to_jsonb(t) - 'gone')::text, gone IS NULL FROM {t} t WHERE id < 1000"
    for t in TABLES
)
_HIDDEN = " UNION ALL ".join(
    f"SELECT '{t}', md5(string_agg(concat(ctid, xmin), ' ' ORDER BY ctid)) FROM {t}"
    " WHERE id >= 1000"
    for t in SCOPED
)
# Why a write is refused that a read would not be: masked columns and whole rows of the target.
REFUSED = {"FIELD_NOT_ALLOWED", "UNSUPPORTED_SYNTAX"}


@pytest.fixture(scope="module")
def bench(postgres: PostgresServer) -> Iterator[Bench]:
    """Both databases, filled, for a login that may write."""
    yield from benches(postgres, "f_leak_writes", WRITING_RULES)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back, the own rows that are there afterwards, a digest of the hidden ones, and what
    notices said of them."""

    came: list[str]
    there: list[str]
    hidden: list[str]
    heard: list[str]


def _sent(bench: Bench, sql: str) -> str | None:
    """What the proxy would send; None when it refuses."""
    decision = decide(sql.encode(), bench.subject, bench.snapshot)
    if isinstance(decision, Deny):
        assert decision.reason.code in REFUSED, (sql, decision)
        return None
    assert isinstance(decision, Allow)
    return told(decision.text.decode())


def _run(side: Side, statement: Leaky, sql: str, plan: dict[str, str]) -> Seen:
    """Run it in a transaction that is rolled back."""
    side.run("BEGIN", plan, parameter=False)
    came = side.run(sql, plan, parameter=statement.has_parameter)
    heard = [word for notice in side.told for word in foreign(notice, sql)][:5]
    there, hidden = ["failed"], ["failed"]
    if came[:1] != ["error"]:
        there = side.run(_OWN, plan, parameter=False)
        hidden = side.run(_HIDDEN, plan, parameter=False)
    side.run("ROLLBACK", plan, parameter=False)
    return Seen(came, there, hidden, heard)


@pytest.fixture(scope="module")
def untouched(bench: Bench) -> list[str]:
    """A digest of the hidden rows, before anything."""
    return bench.telling.run(_HIDDEN, {}, parameter=False)


@pytest.mark.parametrize("place", PLACES)
def test_leaky_conditions_meet_no_hidden_row(
    place: str, bench: Bench, untouched: list[str]
) -> None:
    found, ran = [], 0
    for statement in islice(statements(place), None, None, 1 if ALL else 2):
        sql = _sent(bench, statement.sql)
        if sql is None:
            continue
        for plan in PLANS if ALL else (PLANS[statement.number % len(PLANS)],):
            telling = _run(bench.telling, statement, sql, plan)
            alone = _run(bench.alone, statement, sql, plan)
            same = (telling.came, telling.there) == (alone.came, alone.there)
            wrong = not same and place not in COLLIDING
            touched = telling.hidden not in (untouched, ["failed"])
            if telling.heard or wrong or touched or _failed(alone):
                told_of = (telling.came[:3], alone.came[:3], telling.heard, touched)
                found.append(f"{statement.sql}\n{plan}\n{told_of}\n{sql}")
        ran += 1
    assert not found, "\n\n".join([f"{len(found)} statements leak or fail", *found[:3]])
    assert ran > 10, "all are refused"


def _failed(seen: Seen) -> bool:
    """Whether it failed otherwise than by a check that the statement makes of its own rows."""
    return seen.came[:1] == ["error"] and "querywarden:" not in seen.came[1]


def test_without_the_fence_they_would(bench: Bench) -> None:
    leaking: Counter[str] = Counter()
    for statement in islice(statements(), None, None, 5):
        sql = _sent(bench, statement.sql)
        if sql is not None and "CASE WHEN" in sql:
            weaker = _FENCED.sub(r"AND (\1)", sql.replace(FENCE, ""))
            plan = PLANS[statement.number % len(PLANS)]
            leaking[statement.place] += bool(_run(bench.telling, statement, weaker, plan).heard)
    assert len(+leaking) > 8, leaking
