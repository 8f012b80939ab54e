"""Plans in two worlds: nothing hidden shows in them, whatever is explained.

The attacks on EXPLAIN are sent by a login that may EXPLAIN ANALYZE, and so is the plan of every
attack that only reads. Estimates and times come from rows of all tenants, which is said where the
permission is given, so the two worlds need not agree on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from proxy.testing import RunningProxy
from tests.attacks.catalogue import Attack, attacks, leaks, only_reads, statements
from tests.attacks.conftest import RULES, UPSTREAM_ROLE, USERS
from tests.attacks.verdict import Tally, outcome, unexpected
from tests.attacks.wire_client import rows
from tests.attacks.worlds import DATABASE, FORMS, Door, Transcript, TwoServers, World

EXPLAINING = RULES.replace("products]", "products]\n    analyze: true")
CHOSEN = [attack for attack in attacks() if attack.group == "plans"]
READS = [a for a in attacks() if only_reads(a.sql) and len(statements(a.sql)) == 1]
OPTIONS = (
    "(ANALYZE, VERBOSE, TIMING OFF)",
    "(ANALYZE, VERBOSE, BUFFERS, FORMAT JSON)",
    "(VERBOSE)",
)
# Parts of expressions, and what only expressions hold.
STRANGE = re.compile(rb"Filter|Cond|Output|Key|Removed|Buffers|Blocks|Heap Fetches|sha256|'|::|\\x")


@pytest.fixture(scope="module")
def world(servers: TwoServers) -> Iterator[World]:
    """World A, through a proxy whose rules let agents explain."""
    assert "analyze: true" in EXPLAINING
    upstream = servers[0].dsn(DATABASE, UPSTREAM_ROLE)
    with RunningProxy(rules=EXPLAINING, users=USERS, upstream=upstream) as proxy:
        door = Door("127.0.0.1", proxy.port, "agent_t1", USERS["agent_t1"])
        world = World("A", servers[0], door)
        yield world
        world.close()


def shown(transcript: Transcript) -> bytes:
    return b"\n".join(value or b"" for row in rows(transcript.messages) for value in row)


@pytest.mark.parametrize("attack", CHOSEN, ids=lambda attack: attack.id)
def test_attack(attack: Attack, world: World, tally: Tally) -> None:
    before = world.digest()
    for form in FORMS:
        transcript = world.send(attack, form)
        assert not leaks(transcript.received, attack.sql, attack.id)
        assert not unexpected(attack, transcript, 180000)
        if outcome(transcript) == "answered" and len(statements(attack.sql)) == 1:
            assert shown(transcript) and not STRANGE.search(shown(transcript))
    tally.attacks += 1
    assert world.digest() == before


def test_the_plan_of_every_attack_that_reads(world: World) -> None:
    explained = 0
    for number, attack in enumerate(READS):
        options, form = OPTIONS[number % 3], FORMS[number % 3]
        plan = Attack(attack.id, "plans", f"EXPLAIN {options} {attack.sql}", "filtered")
        transcript = world.send(plan, form)
        assert not leaks(transcript.received, attack.sql, attack.id), plan.sql
        assert not transcript.trouble, plan.sql
        if outcome(transcript) == "answered":
            explained += 1
            assert not STRANGE.search(shown(transcript)), plan.sql
    assert explained > 100
