"""A row leaves the login's view while a write of it waits for the row: it stays as it is.

Another session changes the row and commits when the write is waiting for its lock. PostgreSQL then
looks at the newest version of the row again, which is another tenant's by now (or deleted, or a
draft): nothing of it may be told and nothing of it changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.attacks.catalogue import Attack, leaks
from tests.attacks.conftest import Worlds
from tests.attacks.wire_client import errors, rows
from tests.attacks.worlds import DATABASE, FORMS, Door, Transcript, TwoServers, World
from tests.attacks.writing import keep, restore

PATIENCE = 15.0
_HIDDEN = """
SELECT 'o', o::text FROM orders o WHERE tenant_id <> 1
UNION ALL SELECT 'n', n::text FROM notes n WHERE tenant_id <> 1 OR gone IS NOT NULL
UNION ALL SELECT 't', t::text FROM tickets t
  WHERE tenant_id <> 1 OR owner_id <> 1 OR state = 'draft'
ORDER BY 1, 2
"""
_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'agent'"
)


@dataclass(frozen=True)
class Race:
    """`leaves`: what the other session does; `write`: what waits. The row holds T2NOTE then."""

    leaves: str
    write: str
    login: str = "agent_w1"


MOVED = (
    "UPDATE orders SET tenant_id = 2, id = 1101, note = 'T2NOTE-z' WHERE tenant_id = 1 AND id = 101"
)
SOLD = "UPDATE orders SET tenant_id = 2, note = 'T2NOTE-z' WHERE tenant_id = 1 AND id = 101"
GONE = "UPDATE notes SET gone = '2024-05-05', body = 'T1GONE' WHERE tenant_id = 1 AND id = 11"
GIVEN = "UPDATE tickets SET owner_id = 2, title = 'T1OTHER' WHERE tenant_id = 1 AND id = 41"
DRAFT = "UPDATE tickets SET state = 'draft', title = 'T1DRAFT' WHERE tenant_id = 1 AND id = 41"
RACES = {
    "update": Race(SOLD, "UPDATE orders SET status = 'x' WHERE id = 101 RETURNING *"),
    "moved key": Race(MOVED, "UPDATE orders SET status = 'x' WHERE id = 101 RETURNING *"),
    "delete": Race(SOLD, "DELETE FROM orders WHERE id = 101 RETURNING *"),
    "leaky condition": Race(
        SOLD, "UPDATE orders SET status = 'x' WHERE id = 101 AND CASE WHEN note LIKE 'T2%' THEN"
        " note::int > 0 ELSE true END"),
    "leaky assignment": Race(
        SOLD, "UPDATE orders SET amount = CASE WHEN note LIKE 'T2%' THEN note::int ELSE 1 END"
        " WHERE id = 101"),
    "every row": Race(SOLD, "UPDATE orders SET status = 'x' RETURNING *", "agent_w2"),
    "every row deleted": Race(SOLD, "DELETE FROM orders", "agent_w2"),
    "join": Race(
        SOLD, "UPDATE orders o SET note = o.note || u.role FROM users u WHERE o.id = 101 AND"
        " u.id = o.user_id RETURNING o.note"),
    "join deleted": Race(
        SOLD, "DELETE FROM orders o USING users u WHERE o.id = 101 AND u.id = o.user_id"
        " RETURNING o.*"),
    "in WITH": Race(
        SOLD, "WITH w AS (UPDATE orders SET status = 'x' WHERE id = 101 RETURNING *)"
        " SELECT * FROM w"),
    "upsert": Race(
        SOLD, "INSERT INTO orders AS o (id, user_id, amount, status) VALUES (101, 1, 1, 'x')"
        " ON CONFLICT (tenant_id, id) DO UPDATE SET status = o.note RETURNING *"),
    "merge": Race(
        SOLD, "MERGE INTO orders o USING (VALUES (101)) v (id) ON o.id = v.id"
        " WHEN MATCHED THEN UPDATE SET status = o.note"),
    "merge by source": Race(
        SOLD, "MERGE INTO orders o USING (VALUES (102)) v (id) ON o.id = v.id"
        " WHEN NOT MATCHED BY SOURCE THEN DELETE", "agent_w2"),
    "deleted meanwhile": Race(GONE, "UPDATE notes SET stars = 4 WHERE id = 11 RETURNING *"),
    "deleted twice": Race(GONE, "DELETE FROM notes WHERE id = 11 RETURNING *"),
    "another owner": Race(GIVEN, "UPDATE tickets SET title = title || '!' WHERE id = 41"),
    "draft": Race(DRAFT, "DELETE FROM tickets WHERE id = 41 RETURNING *"),
}  # fmt: skip


@pytest.fixture(scope="module")
def world(writers: dict[str, Worlds]) -> World:
    """World A, with everything in its place."""
    world = writers["agent_w1"][0]
    keep(world)
    restore(world)
    return world


@pytest.fixture(scope="module")
def other(writing_servers: TwoServers) -> Iterator[Callable[[str], None]]:
    """Runs statements of another session."""
    server = writing_servers[0]
    with Door("127.0.0.1", server.port, server.superuser, database=DATABASE).connect() as client:

        def run(sql: str) -> None:
            assert not errors(client.query(sql)), sql

        yield run


@pytest.mark.parametrize("form", FORMS[:2])
@pytest.mark.parametrize("name", RACES)
def test_a_row_that_leaves_stays_as_it_is(
    name: str,
    form: str,
    world: World,
    writers: dict[str, Worlds],
    other: Callable[[str], None],
    both: ThreadPoolExecutor,
) -> None:
    race = RACES[name]
    seen, kept = _raced(race, writers[race.login][0], form, world, other, both)
    assert kept, seen.describe()
    assert not seen.trouble
    assert not leaks(seen.received, race.write), seen.describe()


def test_without_the_proxy_it_is_changed(
    world: World,
    bare_writers: Worlds,
    other: Callable[[str], None],
    both: ThreadPoolExecutor,
) -> None:
    for name in ("update", "deleted meanwhile", "another owner"):
        _, kept = _raced(RACES[name], bare_writers[0], FORMS[0], world, other, both)
        assert not kept


def _raced(
    race: Race,
    writer: World,
    form: str,
    world: World,
    other: Callable[[str], None],
    both: ThreadPoolExecutor,
) -> tuple[Transcript, bool]:
    """What the writer was told, and whether rows it may not see are as the other left them."""
    other(race.leaves)
    then = _hidden(world)  # as it is when nothing else happens
    restore(world)
    assert then != _hidden(world)
    other(f"BEGIN; {race.leaves}")
    attack = Attack("race", "races", race.write, "filtered")
    waiting = both.submit(writer.send, attack, form)
    try:
        waited = _waits(world, waiting)
    finally:
        other("COMMIT")
    seen = waiting.result(PATIENCE)
    after = _hidden(world)
    restore(world)
    assert waited or seen.refusals, seen.describe()
    return seen, after == then


def _hidden(world: World) -> list[list[bytes | None]]:
    """The rows that the login may not see."""
    return rows(world.inspector.query(_HIDDEN))


def _waits(world: World, waiting: Future[Transcript]) -> bool:
    """Wait until the write waits for the row, or is answered without."""
    deadline = time.monotonic() + PATIENCE
    while not waiting.done():
        if rows(world.inspector.query(_WAITING)) != [[b"0"]]:
            return True
        assert time.monotonic() < deadline, "the write neither waits nor ends"
        time.sleep(0.01)
    return False
