"""EXPLAIN through drivers, against the server itself: nodes, names and costs, and no expression."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from proxy.testing import TEST_HASH_KEY, PostgresServer, RunningProxy
from tests.drivers.conftest import plain_environment

TENANT = "4711"
REGION = "region-4712"
RULES = """
version: 1
profile: dev
entities:
  users:
    tenant: tenant_id
    rows: "region = subject.region"
    columns:
      ssn: deny
      email: {mask: email}
      full_name: {hash: names}
      phone: {mask: {constant: constant-4713}}
  orders: {tenant: tenant_id}
  sums: {tenant: tenant_id}
capabilities:
  read: {select: [users, orders, sums], analyze: true}
roles:
  tuner: {can: [read]}
subjects:
  - {login: ann, tenant: 4711, roles: [tuner], attributes: {region: region-4712}}
"""
TABLES = f"""
CREATE TABLE users (id int PRIMARY KEY, tenant_id int, region text, email text, full_name text,
  ssn text, phone text);
CREATE INDEX users_ssn ON users (ssn, id);
CREATE INDEX users_phone ON users (lower(phone), tenant_id);
CREATE TABLE orders (id int, tenant_id int, user_id int) PARTITION BY LIST (tenant_id);
CREATE TABLE orders_mine PARTITION OF orders FOR VALUES IN ({TENANT});
CREATE TABLE orders_others PARTITION OF orders DEFAULT;
CREATE INDEX ON orders (user_id);
CREATE VIEW sums AS SELECT o.tenant_id, count(*) AS n FROM orders o JOIN users secret_alias
  ON secret_alias.id = o.user_id GROUP BY 1;
INSERT INTO users SELECT g, CASE WHEN g % 5 = 0 THEN {TENANT} ELSE g END, '{REGION}', 'a@b', 'A',
  g::text, 'p' FROM generate_series(1, 3000) g;
INSERT INTO orders SELECT g, CASE WHEN g % 5 = 0 THEN {TENANT} ELSE g END, g % 300
  FROM generate_series(1, 3000) g;
ANALYZE;
DROP ROLE IF EXISTS plans_app;
CREATE ROLE plans_app LOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO plans_app;
"""
QUERIES = [
    "SELECT * FROM users",
    "SELECT full_name, email, phone FROM users WHERE id = 7 OR id < 10",
    "SELECT id FROM users WHERE lower(full_name) LIKE 'x%' AND full_name LIKE '%b' ORDER BY email",
    "SELECT u.id, o.id FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id < 20",
    "SELECT email, count(*) FROM users GROUP BY email HAVING count(*) > 1",
    "SELECT full_name, row_number() OVER (PARTITION BY phone ORDER BY id) FROM users",
    "WITH w AS MATERIALIZED (TABLE users) SELECT * FROM w WHERE id IN (SELECT user_id FROM orders)",
    "SELECT phone FROM users UNION SELECT email FROM users EXCEPT SELECT 'x'",
    "SELECT (SELECT max(o.id) FROM orders o WHERE o.user_id = u.id) FROM users u",
    "SELECT 1 FROM users a LEFT JOIN LATERAL (SELECT * FROM orders WHERE user_id = a.id) b ON true",
]
# What no plan may show: values of the subject, of masks and hashes, parts of expressions, hidden
# names, counts of pages and of rows of others.
HIDDEN = re.compile(
    r"4711|4712|4713|sha256|\\x|tenant|ssn|region|secret_alias|orders_|users_ssn|lower"
    r"|Filter|Cond|Output|Key|Removed|Buffers|Blocks|Hit|Fetches|::|'|constant|COALESCE"
)


@pytest.fixture(scope="module")
def proxy(postgres: PostgresServer) -> Iterator[RunningProxy]:
    owner = postgres.create_database("plans")
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(TABLES)
    upstream = postgres.dsn("plans", "plans_app")
    with RunningProxy(rules=RULES, users={"ann": "x"}, upstream=upstream) as proxy:
        yield proxy
    postgres.drop_database("plans")
    postgres.execute("postgres", "DROP ROLE plans_app")


def lines(proxy: RunningProxy, sql: str, *, binary: bool | None = None) -> list[Any]:
    """The rows of one statement; `binary`: by the extended protocol in that format."""
    with psycopg.connect(proxy.dsn("ann"), autocommit=True) as connection:
        if binary is None:
            with psycopg.ClientCursor(connection) as cursor:
                return [row[0] for row in cursor.execute(sql).fetchall()]
        with connection.cursor(binary=binary) as cursor:
            return [row[0] for row in cursor.execute(sql, prepare=True).fetchall()]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("options", ["", "ANALYZE VERBOSE ", "(ANALYZE, VERBOSE, BUFFERS, WAL) "])
def test_a_plan_shows_nodes_and_no_expression(
    proxy: RunningProxy, query: str, options: str
) -> None:
    for binary in (None, False, True):
        found = lines(proxy, f"EXPLAIN {options}{query}", binary=binary)
        assert found[0].startswith("Limit  (cost=")
        assert ("(actual " in found[0]) is bool(options)
        assert not HIDDEN.search("\n".join(found))
        assert any(" users r" in line or " users_pkey" in line for line in found) or (
            ".users r" in "\n".join(found)
        )


@pytest.mark.parametrize("query", QUERIES)
def test_the_json_form(proxy: RunningProxy, query: str) -> None:
    for binary in (None, False, True):
        options = "(ANALYZE, VERBOSE, BUFFERS, FORMAT json)"
        (found,) = lines(proxy, f"EXPLAIN {options} {query}", binary=binary)
        assert found[0]["Plan"]["Node Type"] == "Limit"
        assert found[0]["Execution Time"] > 0
        keys = {"Sort Key", "Group Key", "Filter"}
        assert not keys & set(re.findall(r'"([^"]+)":', json.dumps(found)))
        assert not HIDDEN.search(json.dumps(found))


def test_a_view_of_the_database_shows_no_name_from_inside(proxy: RunningProxy) -> None:
    query = "EXPLAIN (VERBOSE{}) SELECT n, 'secret_alias' FROM sums AS secret_alias"
    for found in (lines(proxy, query.format("")), lines(proxy, query.format(", FORMAT json"))):
        assert not HIDDEN.search(json.dumps(found))
        assert "users" not in json.dumps(found) and "orders" not in json.dumps(found)


def test_own_rows_are_counted_and_index_entries_of_others_are_not(
    proxy: RunningProxy, postgres: PostgresServer
) -> None:
    settings = ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan")
    with psycopg.connect(postgres.dsn("plans"), autocommit=True) as owner:
        for name in settings:
            owner.execute(f"ALTER DATABASE plans SET {name} = off")
        found = lines(proxy, "EXPLAIN ANALYZE SELECT id FROM users WHERE id < 1000")
        for name in settings:
            owner.execute(f"ALTER DATABASE plans RESET {name}")
    (heap,) = [line for line in found if "Bitmap Heap Scan on users" in line]
    (index,) = [line for line in found if "Bitmap Index Scan on users_" in line]
    assert re.search(r"rows=199(\.00)? loops=1\)$", heap)
    assert "actual" not in index and "width=0)" in index


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_plan_by_the_name_it_was_prepared_under(proxy: RunningProxy, form: str) -> None:
    """The protocol prepares an EXPLAIN, and SQL executes it: it is the same plan."""
    text = f"EXPLAIN (ANALYZE, VERBOSE, FORMAT {form}) SELECT full_name FROM users WHERE id = $1"
    with psycopg.connect(proxy.dsn("ann"), autocommit=True) as connection:
        prepared = connection.pgconn.prepare(b"plan", text.encode(), [23])
        assert prepared.status == psycopg.pq.ExecStatus.COMMAND_OK
        with psycopg.ClientCursor(connection) as cursor:
            found = cursor.execute("EXECUTE plan (5)").fetchall()
    assert found and not HIDDEN.search(json.dumps(found))


def test_psql(proxy: RunningProxy, postgres: PostgresServer) -> None:
    done = subprocess.run(
        [postgres.psql, "-X", "-At", proxy.dsn("ann"), "-c", "EXPLAIN (COSTS OFF) SELECT 1"],
        env=plain_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("Limit\n  ->  Result\n", "")


def test_records_and_logs_hold_no_key(proxy: RunningProxy) -> None:
    lines(proxy, "EXPLAIN VERBOSE SELECT full_name FROM users")
    written = (proxy.directory / "records").read_text() + proxy.log()
    assert TEST_HASH_KEY not in written and "x363636" not in written
