"""What writing statements do when PostgreSQL runs what they became: rows of others stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from policies.decision import Allow
from proxy.testing import PostgresServer
from tests.policies.lab import ask

SETUP = Path(__file__).parent / "writes_run.sql"
FAILED = "22P02"  # a check of the statement did not hold

Row = tuple[Any, ...]
RUN: list[tuple[str, tuple[str, ...], str, list[Row]]] = [
    # statement, parameters, tag or SQLSTATE, and the rows of `pairs` and `jobs` it makes
    ("INSERT INTO pairs (a, b) VALUES (5, 2), (6, $1)", ("7",), "INSERT 0 2",
     [(5, 2, 1, None), (6, 7, 1, None)]),
    ("INSERT INTO pairs (a, org, b) VALUES (5, $1, 3)", ("1",), "INSERT 0 1", [(5, 3, 1, None)]),
    ("INSERT INTO pairs (a, org, b) VALUES (5, $1, 3)", ("2",), FAILED, []),
    ("INSERT INTO pairs (a, org) VALUES (5, (SELECT 2))", (), FAILED, []),
    ("INSERT INTO pairs (a, org) VALUES (5, (SELECT 1))", (), "INSERT 0 1", [(5, 0, 1, None)]),
    ("INSERT INTO pairs VALUES (7, 2)", (), "INSERT 0 1", [(7, 2, 1, None)]),
    ("INSERT INTO pairs (a, x) SELECT id + 100, title FROM jobs", (), "INSERT 0 1",
     [(101, 0, 1, "one")]),
    ("INSERT INTO pairs (a, org) SELECT n, n FROM tags", (), FAILED, []),
    ("INSERT INTO pairs (a, b) SELECT 11, 2 UNION ALL (VALUES (13, 4)) LIMIT 2", (), "INSERT 0 2",
     [(11, 2, 1, None), (13, 4, 1, None)]),
    ("INSERT INTO pairs (a, b) SELECT * FROM (VALUES (21, 2)) v", (), "INSERT 0 1",
     [(21, 2, 1, None)]),
    ("INSERT INTO pairs (a, org) SELECT * FROM UNNEST($1::int4[], $2::int4[])",
     ("{8,9}", "{1,1}"), "INSERT 0 2", [(8, 0, 1, None), (9, 0, 1, None)]),
    ("INSERT INTO pairs (a, org) SELECT * FROM UNNEST($1::int4[], $2::int4[])",
     ("{8,9}", "{1}"), FAILED, []),
    ("INSERT INTO pairs (a, b, x) VALUES (1, 1, 'new') ON CONFLICT (a, b) DO UPDATE SET "
     "x = excluded.x, a = excluded.a", (), "INSERT 0 1", [(1, 1, 1, "new")]),
    ("INSERT INTO pairs (a, b, x) VALUES (2, 1, 'new') ON CONFLICT (a, b) DO UPDATE SET "
     "x = excluded.x", (), "INSERT 0 0", []),
    ("INSERT INTO pairs (a, b, x) VALUES (2, 1, 'new') ON CONFLICT (a, b) DO UPDATE SET "
     "x = excluded.x WHERE 1 / (pairs.org - 2) IS NULL", (), "INSERT 0 0", []),
    ("INSERT INTO pairs(a,org)SELECT(n)+70,(n/n)t FROM tags", (), "INSERT 0 2",
     [(71, 0, 1, None), (72, 0, 1, None)]),
    ("INSERT INTO jobs(title)VALUES('q')RETURNING*", (), "INSERT 0 1", [("q", None, "hidden")]),
    ("INSERT INTO jobs(title)VALUES('q')RETURNING(mail)t", (), "INSERT 0 1",
     [("q", None, "hidden")]),
    ("INSERT INTO jobs (title, state) VALUES ('x', 'draft')", (), FAILED, []),
    ("INSERT INTO jobs (title, t_id) VALUES ('f', 1)", (), "INSERT 0 1", [("f", 1, "hidden")]),
    ("INSERT INTO jobs (title, t_id) VALUES ('f', 2)", (), FAILED, []),
    ("INSERT INTO jobs (title, t_id) VALUES ('f', 99)", (), FAILED, []),
    ("INSERT INTO jobs (title) VALUES ('dead') ON CONFLICT (org, title) DO UPDATE SET "
     "title = 'alive'", (), "INSERT 0 0", []),
    ("INSERT INTO jobs (title, mail) VALUES ('one', 'a***@one') ON CONFLICT ON CONSTRAINT "
     "jobs_title_key DO UPDATE SET mail = excluded.mail", (), "INSERT 0 1", []),
    ("MERGE INTO pairs p USING tags t ON p.a = t.id AND p.b = 1 WHEN MATCHED THEN UPDATE SET "
     "x = t.x WHEN NOT MATCHED THEN INSERT (a, x) VALUES (t.id + 50, t.x)", (), "MERGE 2",
     [(1, 1, 1, "one"), (52, 0, 1, "two")]),
    ("MERGE INTO pairs p USING tags t ON p.a = t.id AND p.b = 1 AND 1 / (p.org - 2) < 9 "
     "WHEN MATCHED THEN UPDATE SET x = 'new'", (), "MERGE 1", [(1, 1, 1, "new")]),
    ("MERGE INTO pairs p USING tags t ON p.a = t.id AND p.b = 1 WHEN MATCHED THEN UPDATE SET "
     "org = $1", ("2",), FAILED, []),
    ("MERGE INTO jobs j USING tags t ON j.id = t.id WHEN NOT MATCHED THEN INSERT (title, t_id) "
     "VALUES (t.x, t.id)", (), FAILED, []),
]  # fmt: skip


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.create_database("writes_run", SETUP), autocommit=True) as found:
        yield found


def _rows(database: psycopg.Connection) -> list[Row]:
    pairs = database.execute("SELECT a, b, org, x FROM pairs ORDER BY 1, 2").fetchall()
    jobs = database.execute("SELECT title, t_id, secret FROM jobs WHERE org = 1 ORDER BY 1")
    return pairs + jobs.fetchall()


def _foreign(database: psycopg.Connection) -> list[Row]:
    digest = "SELECT p::text FROM pairs p WHERE org = 2 UNION ALL SELECT j::text FROM jobs j WHERE "
    return database.execute(f"{digest} id <> 1 AND org = 2 OR died IS NOT NULL").fetchall()


@pytest.mark.parametrize(("sql", "parameters", "answer", "made"), RUN)
def test_a_write_does_what_it_says_to_own_rows(
    database: psycopg.Connection,
    sql: str,
    parameters: tuple[str, ...],
    answer: str,
    made: list[Row],
) -> None:
    decision = ask(sql, "wes")
    assert isinstance(decision, Allow), decision
    before, foreign = _rows(database), _foreign(database)
    with database.transaction(force_rollback=True):
        cursor = psycopg.RawCursor(database)
        try:
            with database.transaction():
                cursor.execute(decision.text, parameters)
            said = cursor.statusmessage
        except psycopg.Error as error:
            said = error.sqlstate
        assert said == answer
        assert [row for row in _rows(database) if row not in before] == made
        assert _foreign(database) == foreign


COPIED = [
    ("5,1,1\n6,2,1\n", "COPY 2", [(5, 1, 1, None), (6, 2, 1, None)]),
    ("5,1,1\n6,2,2\n", FAILED, []),
    ("5,1,\n", FAILED, []),
    ("1,1,1\n", "23505", []),
]


@pytest.mark.parametrize(("data", "answer", "made"), COPIED)
def test_a_copy_takes_own_rows_only(
    database: psycopg.Connection, data: str, answer: str, made: list[Row]
) -> None:
    decision = ask("COPY pairs (a, b, org) FROM STDIN CSV", "wes")
    assert isinstance(decision, Allow), decision
    before = _rows(database)
    with database.transaction(force_rollback=True):
        cursor = database.cursor()
        try:
            with database.transaction(), cursor.copy(decision.text) as copy:
                copy.write(data)
            said = cursor.statusmessage
        except psycopg.Error as error:
            said = error.sqlstate
        assert said == answer
        assert [row for row in _rows(database) if row not in before] == made
