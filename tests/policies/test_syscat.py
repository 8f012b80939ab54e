"""System catalogs on a real server: only what the subject sees, whoever asks how."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from policies import syscat
from policies.decision import Allow
from policies.pipeline import Snapshot, decide
from policies.rules import parse
from proxy.introspect import read_catalog
from proxy.testing import PostgresServer

SQL = """
CREATE TYPE mood AS ENUM ('ok', 'secretmood');
CREATE TYPE zqxmood AS ENUM ('x');
CREATE TABLE seen(id int PRIMARY KEY, m mood, zqx text CHECK (zqx <> 'zqxvalue'), o int DEFAULT 5);
CREATE INDEX seen_zqx ON seen(zqx);
CREATE INDEX seen_zqxboth ON seen((zqx || id));
CREATE TABLE zqxtable(id int PRIMARY KEY, m zqxmood, seen int REFERENCES seen(id));
COMMENT ON TABLE zqxtable IS 'zqxcomment'; COMMENT ON COLUMN seen.zqx IS 'zqxcomment';
CREATE FUNCTION zqxfunction() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE VIEW zqxview AS SELECT zqx FROM seen;
CREATE SCHEMA zqxschema;
INSERT INTO seen SELECT g FROM generate_series(1, 500) g; ANALYZE;
"""
RULES = """
version: 1
profile: dev
entities: {seen: {columns: {zqx: deny}}}
capabilities: {browse: {select: [seen]}}
roles: {reader: {can: [browse]}}
subjects: [{login: ann, roles: [reader]}]
"""


@pytest.fixture(scope="module")
def run(postgres: PostgresServer) -> Iterator[Any]:
    postgres.create_database("syscat", SQL)
    dsn = postgres.dsn("syscat")
    rules = parse(RULES, "rules.yaml")
    snapshot = Snapshot(rules, asyncio.run(read_catalog(dsn)), b"", "v1")
    subject = rules.subject("ann")
    assert subject is not None
    with psycopg.connect(dsn, autocommit=True) as connection:
        (last,) = connection.execute("SELECT max(oid)::text FROM pg_class").fetchone() or ("0",)

        def ask(sql: str) -> list[tuple[Any, ...]]:
            decision = decide(sql.replace("@LAST@", last).encode(), subject, snapshot)
            assert isinstance(decision, Allow), decision
            return connection.execute(decision.text).fetchall()

        yield ask


@pytest.mark.parametrize("name", sorted(".".join(key) for key in syscat.SYSTEM_VIEWS))
def test_no_system_view_shows_what_is_hidden(run: Any, name: str) -> None:
    assert run(f"SELECT v::text FROM {name} AS v WHERE v::text LIKE '%zqx%'") == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT relname FROM pg_class WHERE oid > 16383 ORDER BY 1", ["seen", "seen_pkey"]),
        ("SELECT DISTINCT reltuples FROM pg_class", [-1.0]),
        ("SELECT attname FROM pg_attribute WHERE attrelid = 'seen'::regclass AND attnum > 0 "
         "ORDER BY attnum", ["id", "m", "o"]),
        ("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef", ["5"]),
        ("SELECT enumlabel FROM pg_enum ORDER BY 1", ["ok", "secretmood"]),
        ("SELECT typname FROM pg_type WHERE oid > 16383 ORDER BY 1",
         ["_mood", "_seen", "mood", "seen"]),
        ("SELECT conname FROM pg_constraint WHERE oid > 16383 AND contype <> 'n'", ["seen_pkey"]),
        ("SELECT column_name FROM information_schema.columns WHERE table_name = 'seen' "
         "ORDER BY ordinal_position", ["id", "m", "o"]),
        ("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
         ["seen"]),
        ("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", ["seen"]),
        ("SELECT nspname FROM pg_namespace WHERE oid > 16383", []),
        ("SELECT proname FROM pg_proc WHERE oid > 16383", []),
        ("SELECT pg_get_viewdef(oid) FROM pg_class WHERE relname = 'seen'", [None]),
        ("SELECT col_description('seen'::regclass, 3)", [None]),
        ("SELECT DISTINCT g::regclass::text FROM generate_series(16384, @LAST@) g "
         "WHERE g::regclass IS NOT NULL ORDER BY 1", ["seen", "seen_pkey"]),
        ("SELECT DISTINCT format_type(g, NULL) FROM generate_series(16384, @LAST@) g "
         "WHERE format_type(g, NULL) IS NOT NULL ORDER BY 1",
         ["mood", "mood[]", "seen", "seen[]"]),
    ],
)  # fmt: skip
def test_what_is_seen(run: Any, sql: str, expected: list[object]) -> None:
    assert [row[0] for row in run(sql)] == expected
