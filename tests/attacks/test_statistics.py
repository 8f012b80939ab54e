"""The planner tries conditions on a column's most common values, whosever they are.

`LIKE '%guess\\'` fails just where text goes on behind a match, so a condition that PostgreSQL runs
on the statistics of all tenants tells whether anybody's common value holds the guess. Each
statement must answer the same in a database where others have such values and in one where not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from policies.decision import Allow
from policies.pipeline import Snapshot, decide
from policies.rules import parse
from policies.subject import Subject
from proxy.introspect import read_catalog
from proxy.testing import PostgresServer

RULES = """
version: 1
profile: dev
entities:
  people: {tenant: org}
  notes: {tenant: org}
capabilities:
  read: {select: [people, notes]}
roles:
  reader: {can: [read]}
subjects:
  - {login: ann, tenant: 1, roles: [reader]}
"""
SCHEMA = """
CREATE TABLE people(id int PRIMARY KEY, org int, name text, born date);
CREATE TABLE notes(id int PRIMARY KEY, org int, person int, note text, at timestamptz);
CREATE INDEX ON people(name);
INSERT INTO people SELECT g, 1, 'own ' || g, '2000-01-01' FROM generate_series(1, 60) g;
INSERT INTO notes SELECT g, 1, g, 'own ' || g, '2020-01-01' FROM generate_series(1, 60) g;
"""
OTHERS = """
INSERT INTO people SELECT g, 2, 'supersecret', '5874000-01-01' FROM generate_series(101, 160) g;
INSERT INTO notes SELECT g, 2, g, 'supersecret', '2020-01-01' FROM generate_series(101, 160) g;
DO $$ BEGIN FOR n IN 1..150 LOOP
  EXECUTE format('CREATE TABLE other%s(confidential_column int)', n);
END LOOP; END $$;
"""
GUESS = r"LIKE '%persecre\'"
COLUMN = r"LIKE '%nfidential_colum\'"
STATEMENTS = [
    f"SELECT id FROM people WHERE name {GUESS}",
    f"SELECT id FROM people WHERE id > 5 AND (name {GUESS} OR name = 'x')",
    f"SELECT id FROM people WHERE name NOT {GUESS}",
    rf"SELECT id FROM people WHERE name I{GUESS}",
    r"SELECT id FROM people WHERE name ~~ ANY ('{%persecre\\\\}'::text[])",
    f"SELECT p.id FROM people p JOIN notes n ON n.person = p.id AND n.note {GUESS}",
    f"SELECT p.id FROM people p LEFT JOIN notes n ON n.note {GUESS} WHERE p.id = 1",
    f"SELECT name FROM people GROUP BY name HAVING name {GUESS}",
    f"SELECT * FROM (SELECT name FROM people) q WHERE name {GUESS}",
    f"SELECT * FROM (SELECT name AS x FROM people) q WHERE q.x {GUESS}",
    f"SELECT * FROM (SELECT name AS x FROM people ORDER BY id LIMIT 50) q WHERE q.x {GUESS}",
    f"WITH q AS (SELECT name FROM people) SELECT * FROM q WHERE name {GUESS}",
    f"WITH q AS MATERIALIZED (SELECT name FROM people) SELECT * FROM q WHERE name {GUESS}",
    f"WITH q(y) AS (SELECT name FROM people) SELECT * FROM q WHERE y {GUESS}",
    "SELECT * FROM (SELECT name FROM people UNION ALL SELECT note FROM notes) q "
    f"WHERE name {GUESS}",
    f"SELECT id FROM people WHERE EXISTS (SELECT 1 FROM notes WHERE note {GUESS})",
    f"SELECT id FROM people WHERE id IN (SELECT person FROM notes WHERE note {GUESS})",
    f"SELECT (SELECT count(*) FROM notes WHERE note {GUESS}) FROM people",
    f"SELECT x.id FROM people p, LATERAL (SELECT * FROM notes WHERE note {GUESS}) x",
    f"SELECT id FROM people p (id, org, other) WHERE other {GUESS}",
    f"SELECT id FROM people NATURAL JOIN (SELECT id FROM notes) n WHERE name {GUESS}",
    f"SELECT count(*) FILTER (WHERE name {GUESS}) FROM people WHERE id < 0",
    f"SELECT 1 FROM (people p JOIN notes n ON n.person = p.id) AS j WHERE name {GUESS}",
    "SELECT id FROM people WHERE born < '2001-01-01'::timestamptz",
    "SELECT p.id FROM people p JOIN notes n ON p.born = n.at WHERE p.id = 1",
    f"SELECT attname FROM pg_attribute WHERE attname {COLUMN}",
    "SELECT a.attname FROM pg_class c JOIN pg_attribute a "
    f"ON a.attrelid = c.oid AND a.attname {COLUMN}",
    f"SELECT column_name FROM information_schema.columns WHERE column_name {COLUMN}",
]


@pytest.fixture(scope="module")
def worlds(postgres: PostgresServer) -> list[tuple[str, Snapshot]]:
    """(DSN, snapshot) of a database where others have common values, and of one where not."""
    found = []
    for name, others in (("statistics_a", OTHERS), ("statistics_b", "")):
        postgres.create_database(name)
        with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
            connection.execute(SCHEMA)
            if others:
                connection.execute(others)
            connection.execute("ANALYZE")
        catalog = asyncio.run(read_catalog(postgres.dsn(name)))
        found.append((postgres.dsn(name), Snapshot(parse(RULES, "rules"), catalog, b"k" * 32, "1")))
    return found


@pytest.fixture(scope="module")
def connections(worlds: list[tuple[str, Snapshot]]) -> Iterator[list[psycopg.Connection]]:
    opened = [psycopg.connect(dsn, autocommit=True) for dsn, _ in worlds]
    yield opened
    for connection in opened:
        connection.close()


def _answer(connection: psycopg.Connection, sql: str) -> object:
    try:
        return connection.execute(sql.encode()).fetchall()
    except psycopg.Error as error:
        return error.sqlstate


@pytest.mark.parametrize("sql", STATEMENTS)
def test_common_values_of_others_do_not_show(
    sql: str, worlds: list[tuple[str, Snapshot]], connections: list[psycopg.Connection]
) -> None:
    answers = []
    for (_, snapshot), connection in zip(worlds, connections, strict=True):
        decision = decide(sql.encode(), Subject("ann", tenant=1, roles=("reader",)), snapshot)
        assert isinstance(decision, Allow), decision
        answers.append(_answer(connection, decision.text.decode()))
    assert answers[0] == answers[1]


def test_they_would_show_behind_a_fence_alone(connections: list[psycopg.Connection]) -> None:
    """Else the test above could not fail."""
    sql = f"SELECT * FROM (SELECT name FROM people WHERE org = 1 OFFSET 0) q WHERE name {GUESS}"
    assert _answer(connections[0], sql) == "22025"
    assert _answer(connections[1], sql) != "22025"
    sql = f"SELECT * FROM (SELECT attname FROM pg_attribute OFFSET 0) q WHERE attname {COLUMN}"
    assert _answer(connections[0], sql) == "22025"
