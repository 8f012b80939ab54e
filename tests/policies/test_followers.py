"""Rows that change along with one that is written are the subject's own, or it is not written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from policies.decision import Allow, Deny
from policies.pipeline import Snapshot
from policies.rules import parse
from policies.writes.followers import FOLLOWER
from proxy.testing import PostgresServer
from tests.policies.lab import CATALOG, RULES, ask
from tests.policies.test_writes_run import FAILED, SETUP


def _snapshot(*follows: str, listed: bool = True) -> Snapshot:
    """The lab, where jobs follow the tags they point at."""
    relations = []
    for relation in CATALOG.relations:
        constraints = tuple(
            replace(c, follows=follows, referencing=(10,)) if c.name == "jobs_tag_id_fkey" else c
            for c in relation.constraints
        )
        name = relation.name if listed or relation.name != "jobs" else "unlisted"
        relations.append(replace(relation, name=name, constraints=constraints))
    catalog = replace(CATALOG, relations=tuple(relations))
    return Snapshot(parse(RULES, "lab.yaml"), catalog, b"k" * 32, "v1")


def _text(sql: str, snapshot: Snapshot) -> str:
    decision = ask(sql, "wes", snapshot)
    assert isinstance(decision, Allow), decision
    return decision.text.decode()


def test_rows_of_others_may_not_follow_a_deletion() -> None:
    assert FOLLOWER not in _text("DELETE FROM tags WHERE id = 1", _snapshot())
    assert FOLLOWER not in _text("DELETE FROM tags WHERE id = 1", _snapshot("update"))
    assert FOLLOWER in _text("DELETE FROM tags WHERE id = 1", _snapshot("delete"))


def test_an_update_is_followed_through_what_it_writes() -> None:
    snapshot = _snapshot("delete", "update")
    assert FOLLOWER not in _text("UPDATE tags SET x = 'y' WHERE id = 1", snapshot)
    assert FOLLOWER not in _text("INSERT INTO tags (x) VALUES ('y')", snapshot)


def test_nobody_knows_whose_rows_of_an_unlisted_table_are() -> None:
    decision = ask("DELETE FROM tags WHERE id = 1", "wes", _snapshot("delete", listed=False))
    assert isinstance(decision, Deny)
    assert decision.reason.code == "FIELD_NOT_ALLOWED"
    assert "unlisted" not in decision.message + decision.hint


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.create_database("followers", SETUP), autocommit=True) as found:
        found.execute(
            """
            ALTER TABLE jobs DROP CONSTRAINT jobs_tag_id_fkey,
                ADD FOREIGN KEY (tag_id) REFERENCES tags ON DELETE CASCADE;
            UPDATE jobs SET tag_id = id WHERE id < 3
            """
        )
        yield found


@pytest.mark.parametrize(("tag", "answer"), [(1, "DELETE 1"), (2, FAILED)])
def test_only_own_rows_follow(database: psycopg.Connection, tag: int, answer: str) -> None:
    sql = _text(f"DELETE FROM tags WHERE id = {tag}", _snapshot("delete"))
    with database.transaction(force_rollback=True):
        try:
            with database.transaction():
                said = database.execute(sql.encode()).statusmessage
        except psycopg.Error as error:
            said = error.sqlstate
        left = database.execute("SELECT id FROM jobs WHERE org = 2").fetchall()
    assert (said, left) == (answer, [(2,)])
