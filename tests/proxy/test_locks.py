"""Row locks through a real proxy: they touch the subject's rows only, and open no way to write."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from policies.functions import ALLOWED, GUARDED
from proxy.testing import PostgresServer, RunningProxy

RULES = """
version: 1
profile: dev
entities:
  notes: {tenant: org}
  tags: {tenant: org}
capabilities:
  keep: {select: [notes], lock: true}
  read: {select: [notes, tags]}
roles: {keeper: {can: [keep, read]}, reader: {can: [read]}}
subjects:
  - {login: one, tenant: 1, roles: [keeper]}
  - {login: two, tenant: 2, roles: [keeper]}
  - {login: only, tenant: 1, roles: [reader]}
"""
# Foreign rows first, so that a scan meets them first.
SCHEMA = (
    "CREATE TABLE notes (id int PRIMARY KEY, org int NOT NULL, body text NOT NULL);"
    "CREATE TABLE tags (id int PRIMARY KEY, org int NOT NULL, note int NOT NULL);"
    "INSERT INTO notes SELECT n, CASE WHEN n <= 20 THEN 2 ELSE 1 END, 'note ' || n"
    " FROM generate_series(1, 40) n;"
    "INSERT INTO tags SELECT id, org, id FROM notes; CREATE SEQUENCE numbers;"
)
# Every way one might lock more than the own rows: conditions that leak, joins, derived tables.
LOCKING = [
    "SELECT id FROM notes FOR UPDATE",
    "SELECT id FROM notes WHERE lower(body) LIKE 'note%' FOR UPDATE",
    "SELECT id FROM notes WHERE body ~ 'note' OR true FOR NO KEY UPDATE",
    "SELECT n.id FROM notes n JOIN tags t ON t.note = n.id OR true FOR SHARE OF n",
    "SELECT id FROM (SELECT * FROM notes) x WHERE md5(body) <> '' FOR KEY SHARE",
    "WITH a AS (SELECT * FROM notes WHERE upper(body) > 'A' FOR UPDATE) SELECT id FROM a",
    "SELECT id FROM tags WHERE EXISTS (SELECT FROM notes n WHERE n.id = tags.note FOR UPDATE)",
    "SELECT (SELECT body FROM notes n WHERE n.id = tags.note FOR UPDATE) FROM tags",
    "SELECT id FROM tags, LATERAL (SELECT body FROM notes n WHERE n.id = note FOR UPDATE) x",
    "SELECT id FROM tags WHERE note = (SELECT id FROM notes n WHERE n.id = tags.id FOR UPDATE)",
    "DECLARE c CURSOR FOR SELECT id FROM notes WHERE upper(body) > 'A' FOR SHARE; FETCH 99 c",
    "PREPARE p AS SELECT id FROM notes FOR UPDATE; EXECUTE p",
]
WRITES = [
    "INSERT INTO notes VALUES (99, 1, 'x')",
    "UPDATE notes SET body = 'x'",
    "DELETE FROM notes",
    "MERGE INTO notes USING tags ON false WHEN NOT MATCHED THEN INSERT VALUES (99, 1, 'x')",
    "WITH w AS (DELETE FROM notes RETURNING id) SELECT * FROM w FOR UPDATE",
    "SELECT * INTO copied FROM notes",
    "CREATE TABLE copied AS SELECT * FROM notes",
    "CREATE TEMP TABLE copied (id int)",
    "COPY notes FROM STDIN",
    "TRUNCATE notes",
    "LOCK TABLE notes",
    "DROP TABLE notes",
    "ALTER TABLE notes ADD COLUMN x int",
    "GRANT ALL ON notes TO PUBLIC",
    "COMMENT ON TABLE notes IS 'x'",
    "DO $$ BEGIN DELETE FROM notes; END $$",
    "CALL anything()",
    "VACUUM notes",
    "NOTIFY x",
    "PREPARE TRANSACTION 'x'",
    "EXPLAIN ANALYZE DELETE FROM notes",
    "PREPARE p AS DELETE FROM notes",
    "DECLARE c CURSOR FOR DELETE FROM notes RETURNING id",
    "SELECT nextval('numbers')",
    "SELECT setval('numbers', 9)",
    "SELECT lo_create(0)",
    "SELECT pg_catalog.txid_current()",
    "SELECT query_to_xml('DELETE FROM notes', true, true, '')",
    "SET default_transaction_read_only = off",
    "SET session_replication_role = replica",
]
# All volatile functions a statement may call. Each was looked at: none of them writes.
VOLATILE = set(
    "array_sample array_shuffle clock_timestamp gen_random_uuid pg_advisory_unlock_all random "
    "random_normal timeofday uuidv4 uuidv7 pg_relation_size pg_table_size pg_total_relation_size "
    "pg_is_in_recovery pg_partition_ancestors pg_partition_tree pg_is_wal_replay_paused "
    "pg_database_size pg_indexes_size pg_tablespace_size pg_sequence_last_value"
    .split()
)  # fmt: skip


@pytest.fixture(scope="module")
def proxy(postgres: PostgresServer) -> Iterator[RunningProxy]:
    postgres.create_database("locks")
    postgres.execute("locks", SCHEMA)
    users = {"one": "1", "two": "2", "only": "3"}
    upstream = postgres.dsn("locks", postgres.superuser)
    with RunningProxy(rules=RULES, users=users, upstream=upstream) as running:
        yield running
    postgres.drop_database("locks")


@pytest.mark.parametrize("sql", LOCKING)
def test_only_own_rows_are_locked(proxy: RunningProxy, sql: str) -> None:
    free = "SELECT array_agg(DISTINCT org) FROM (SELECT * FROM notes FOR UPDATE SKIP LOCKED) x"
    with (
        psycopg.connect(proxy.dsn("one")) as one,
        psycopg.connect(proxy.dsn("two")) as two,
        psycopg.connect(proxy.upstream) as direct,
    ):
        done = one.execute(sql.encode())
        while done.nextset():
            continue
        found = two.execute("SELECT id FROM notes ORDER BY id FOR UPDATE NOWAIT").fetchall()
        assert [row[0] for row in found] == list(range(1, 21))
        two.rollback()
        assert direct.execute(free).fetchone() == ([2],)  # and all of tenant 1's are locked


def test_a_key_copied_into_the_fence_locks_one_row(proxy: RunningProxy) -> None:
    free = "SELECT count(*) FROM (SELECT * FROM notes FOR UPDATE SKIP LOCKED) x"
    with psycopg.connect(proxy.dsn("one")) as one, psycopg.connect(proxy.upstream) as direct:
        one.execute("SELECT id FROM notes WHERE id = 30 AND md5(body) <> '' FOR UPDATE").fetchall()
        assert direct.execute(free).fetchone() == (39,)


def test_a_lock_of_the_same_tenant_is_noticed(proxy: RunningProxy) -> None:
    with psycopg.connect(proxy.dsn("one")) as one, psycopg.connect(proxy.dsn("one")) as again:
        one.execute("SELECT id FROM notes WHERE id = 30 FOR UPDATE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            again.execute("SELECT id FROM notes FOR UPDATE NOWAIT")
        again.rollback()
        rest = again.execute("SELECT count(*) FROM (SELECT 1 FROM notes FOR SHARE SKIP LOCKED) x")
        assert rest.fetchone() == (19,)


def test_without_the_permission_nothing_is_locked(proxy: RunningProxy) -> None:
    with psycopg.connect(proxy.dsn("only"), autocommit=True) as only:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="may not be locked"):
            only.execute("SELECT id FROM notes FOR UPDATE")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="READ WRITE"):
            only.execute("BEGIN READ WRITE")
        assert only.execute("SHOW transaction_read_only").fetchone() == ("on",)
    refused = pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match='"tags"')
    with psycopg.connect(proxy.dsn("one"), autocommit=True) as one, refused:
        one.execute("SELECT tags.id FROM notes, tags FOR SHARE")


@pytest.mark.parametrize("prepared", [False, True])
def test_who_may_lock_may_not_write(proxy: RunningProxy, prepared: bool) -> None:
    state = "SELECT md5(string_agg(n::text, ',' ORDER BY id)) FROM notes n"
    kinds = "SELECT count(*), max(oid::int8) FROM pg_class WHERE oid > 16384"
    with psycopg.connect(proxy.upstream, autocommit=True) as direct:
        before = [direct.execute(q).fetchone() for q in (state, kinds)]
        with psycopg.connect(proxy.dsn("one"), autocommit=True) as one:
            assert one.execute("SHOW transaction_read_only").fetchone() == ("off",)
            for sql in WRITES:
                with pytest.raises(psycopg.Error) as refusal:
                    one.execute(sql.encode(), prepare=prepared)
                said = refusal.value.diag.message_detail or ""
                assert '"code":' in said, f"not refused by the proxy: {sql}: {refusal.value}"
        assert [direct.execute(q).fetchone() for q in (state, kinds)] == before


def test_no_allowed_function_writes(proxy: RunningProxy) -> None:
    with psycopg.connect(proxy.upstream) as direct:
        rows = direct.execute(
            "SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v'"
            " AND pronamespace = 'pg_catalog'::regnamespace"
        ).fetchall()
    found = {name for (name,) in rows} & (ALLOWED | GUARDED.keys())
    assert sorted(found - VOLATILE) == []
