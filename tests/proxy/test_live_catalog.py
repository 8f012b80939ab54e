"""Rules against a database that changes while sessions are connected."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from proxy.testing import PostgresServer, RunningProxy

RULES = """
version: 1
profile: dev
entities:
  people:
    tenant: org
    columns: {"*_internal": deny, "note*": {mask: {first: 1}}, code: show}
  pets: {tenant: org, columns: {chip: deny}}
capabilities: {read: {select: [people, pets]}}
roles: {reader: {can: [read]}}
subjects: [{login: one, tenant: 1, roles: [reader]}]
"""
SCHEMA = (
    "DROP TABLE IF EXISTS people, pets;"
    "CREATE TABLE people (id int PRIMARY KEY, org int NOT NULL, note text, code int);"
    "CREATE TABLE pets (id int PRIMARY KEY, org int NOT NULL, chip text);"
    "INSERT INTO people VALUES (1, 1, 'abc', 5), (2, 2, 'xyz', 6);"
    "INSERT INTO pets VALUES (1, 1, 'chip one'), (2, 2, 'chip two');"
)
REFRESHED = 'querywarden_catalog_refresh_total{result="ok"}'


class Database:
    """A database with a proxy before it, changed by SQL and read again by the proxy."""

    def __init__(self, server: PostgresServer, proxy: RunningProxy) -> None:
        self._server = server
        self.proxy = proxy

    def change(self, sql: str) -> None:
        """Run the SQL, and wait until the proxy has read the catalog again."""
        self._server.execute("live", sql)
        before = self._refreshes()
        os.kill(self.proxy.pid, signal.SIGHUP)
        deadline = time.monotonic() + 20
        while self._refreshes() == before:
            assert time.monotonic() < deadline, self.proxy.log()[-2000:]
            time.sleep(0.02)

    def _refreshes(self) -> str:
        lines = self.proxy.http("/metrics")[1].splitlines()
        return "".join(line for line in lines if line.startswith(REFRESHED))


@pytest.fixture(scope="module")
def running(postgres: PostgresServer) -> Iterator[Database]:
    postgres.create_database("live")
    upstream = postgres.dsn("live", postgres.superuser)
    with RunningProxy(
        rules=RULES, users={"one": "1"}, upstream=upstream, arguments=("--catalog-refresh", "3600")
    ) as proxy:
        yield Database(postgres, proxy)
    postgres.drop_database("live")


@pytest.fixture
def database(running: Database) -> Database:
    running.change(SCHEMA)
    return running


@pytest.fixture
def client(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database.proxy.dsn("one"), autocommit=True) as connection:
        yield connection


def _columns(client: psycopg.Connection[Any], table: str = "people") -> list[str]:
    described = client.execute(f"SELECT * FROM {table}".encode()).description
    return [column.name for column in described or ()]


def test_a_column_added_later_takes_the_rule_of_its_glob(
    database: Database, client: psycopg.Connection[Any]
) -> None:
    assert _columns(client) == ["id", "org", "note", "code"]
    database.change(
        "ALTER TABLE people ADD memo_internal text DEFAULT 'hidden', ADD note_two text DEFAULT"
        " 'masked', ADD plain int DEFAULT 7, ADD reset_token text DEFAULT 'hidden'"
    )
    assert _columns(client) == ["id", "org", "note", "code", "note_two", "plain"]
    row = client.execute("SELECT p::text, note_two, plain FROM people p").fetchone()
    assert row == ("(1,1,a***,5,m***,7)", "m***", 7)
    with pytest.raises(psycopg.errors.UndefinedColumn):
        client.execute("SELECT memo_internal FROM people")


def test_a_column_that_is_gone_closes_what_names_it(
    database: Database, client: psycopg.Connection[Any]
) -> None:
    assert _columns(client, "pets") == ["id", "org"]
    database.change("ALTER TABLE pets RENAME chip TO tag")
    for text in ("SELECT * FROM pets", "SELECT tag FROM pets", "SELECT count(*) FROM pets"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refusal:
            client.execute(text.encode())
        assert "MODEL_NOT_ALLOWED" in (refusal.value.diag.message_detail or "")
        assert "do not fit the database, so it is closed" in str(refusal.value)
        assert "chip" not in str(refusal.value)
    assert "entities.pets.columns.chip: no such column in the table" in database.proxy.log()
    assert _columns(client) == ["id", "org", "note", "code"]  # the others stay open
    checked = subprocess.run(
        [sys.executable, "-c", "from proxy.commands.main import main; raise SystemExit(main())",
         "check", str(database.proxy.directory / "rules.yaml"),
         "--upstream", database.proxy.upstream],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert checked.returncode == 1 and "entities.pets.columns.chip" in checked.stdout
    database.change("ALTER TABLE pets RENAME tag TO chip")
    assert _columns(client, "pets") == ["id", "org"]


def test_a_tenant_column_that_is_gone_closes_its_table(
    database: Database, client: psycopg.Connection[Any]
) -> None:
    database.change("ALTER TABLE pets RENAME org TO owner; ALTER TABLE pets ADD org_id int")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is closed"):
        client.execute("SELECT id FROM pets")
    assert "entities.pets.tenant" in database.proxy.log()


def test_a_prepared_statement_is_decided_again(
    database: Database, client: psycopg.Connection[Any]
) -> None:
    def note() -> Any:
        return client.execute("SELECT note FROM people WHERE id = 1", prepare=True).fetchone()

    assert note() == ("a***",)
    database.change(
        "ALTER TABLE people RENAME note TO old_internal; ALTER TABLE people ADD note int"
    )
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan"):
        note()
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is closed"):
        client.execute("SELECT note FROM people")  # a mask of text does not fit a number
    database.change("ALTER TABLE people DROP note; ALTER TABLE people RENAME old_internal TO note")
    assert note() == ("a***",)


def test_a_retyped_column_gives_new_values_to_prepared_statements(
    database: Database, client: psycopg.Connection[Any]
) -> None:
    text = "SELECT code FROM people WHERE id = %s"
    assert client.execute(text, (1,), prepare=True).fetchone() == (5,)
    database.change("ALTER TABLE people ALTER code TYPE text USING code || '!'")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan"):
        client.execute(text, (1,), prepare=True)
    client.execute("DEALLOCATE ALL")
    client.prepare_threshold = None
    assert client.execute(text, (1,)).fetchone() == ("5!",)


def test_before_the_catalog_is_read_again_nothing_else_is_seen(
    database: Database, postgres: PostgresServer, client: psycopg.Connection[Any]
) -> None:
    assert len(_columns(client)) == 4
    postgres.execute(
        "live",
        "ALTER TABLE people ADD salary int DEFAULT 1; ALTER TABLE people RENAME note TO n_internal",
    )
    with pytest.raises(psycopg.Error) as error:
        client.execute("SELECT * FROM people")
    assert "salary" not in str(error.value) and "internal" not in str(error.value)
    assert client.execute("SELECT count(*) FROM pets").fetchone() == (1,)
