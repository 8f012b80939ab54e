"""What PostgreSQL makes of fenced policy views: the index that serves the statement still does.

Plans are PostgreSQL's own, of the rewritten statements, on a table large enough to need an index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

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
  users: {tenant: org}
  orders: {tenant: org}
capabilities:
  read: {select: [users, orders]}
roles:
  reader: {can: [read]}
subjects:
  - {login: ann, tenant: 1, roles: [reader]}
"""
SCHEMA = """
CREATE TABLE users(id int PRIMARY KEY, org int, name text);
CREATE TABLE orders(id int PRIMARY KEY, org int, user_id int, amount numeric, made timestamptz);
INSERT INTO users SELECT g, g % 10, 'user ' || g FROM generate_series(1, 20000) g;
INSERT INTO orders SELECT g, g % 10, g % 20000, g, '2020-01-01'::timestamptz + g * interval '1 hour'
    FROM generate_series(1, 40000) g;
CREATE INDEX orders_user ON orders(user_id);
CREATE INDEX orders_made ON orders(made);
ANALYZE;
"""
INDEXED = [
    # statement, the index used, whether it is fenced
    ("SELECT * FROM users WHERE id = 11", "users_pkey", False),
    ("SELECT * FROM users WHERE id = 11 AND name LIKE '%1'", "users_pkey", True),
    ("SELECT * FROM users WHERE id = ANY ('{11,21}') AND name LIKE '%1'", "users_pkey", True),
    ("SELECT * FROM orders WHERE user_id = 11 AND amount > 5", "orders_user", True),
    ("SELECT * FROM orders WHERE made < '2020-01-02' AND amount > 5", "orders_made", True),
    ("SELECT * FROM orders o JOIN users u ON u.id = o.user_id WHERE o.id = 11",
     "users_pkey", False),
    ("SELECT * FROM orders o JOIN users u ON u.id = o.user_id WHERE o.id = 11 AND u.name LIKE '%1'",
     "users_pkey", True),
    ("SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.amount > 5 "
     "WHERE u.id = 11", "orders_user", True),
    ("SELECT * FROM users u, orders o WHERE o.user_id = u.id AND u.id = 11 AND o.amount > 5",
     "orders_user", True),
    ("SELECT * FROM orders WHERE made > now() - interval '7 days'", "orders_made", False),
    ("SELECT * FROM orders WHERE made > now() - interval '7 days' AND amount > 5",
     "orders_made", True),
    ("SELECT * FROM orders ORDER BY id DESC LIMIT 5", "orders_pkey", False),
    ("SELECT * FROM orders WHERE user_id <> 5 ORDER BY made LIMIT 5", "orders_made", False),
]  # fmt: skip

Plan = Callable[[str], str]


@pytest.fixture(scope="module")
def plan(postgres: PostgresServer) -> Iterator[Plan]:
    """The plan of what becomes of a statement."""
    postgres.create_database("plans")
    with psycopg.connect(postgres.dsn("plans"), autocommit=True) as connection:
        connection.execute(SCHEMA)
        catalog = asyncio.run(read_catalog(postgres.dsn("plans")))
        snapshot = Snapshot(parse(RULES, "rules"), catalog, b"k" * 32, "1")

        def explain(sql: str) -> str:
            decision = decide(sql.encode(), Subject("ann", tenant=1, roles=("reader",)), snapshot)
            assert isinstance(decision, Allow), decision
            rows = connection.execute(b"EXPLAIN " + decision.text).fetchall()
            return "\n".join(line for (line,) in rows)

        yield explain


@pytest.mark.parametrize(("sql", "index", "fenced"), INDEXED)
def test_an_index_serves_the_statement(sql: str, index: str, fenced: bool, plan: Plan) -> None:
    text = plan(sql)
    assert index in text, text
    assert "Seq Scan" not in text and "Sort" not in text, text
    assert ("Subquery Scan" in text) is fenced, text


def test_a_condition_on_what_an_outer_join_makes_up_keeps_its_meaning(plan: Plan) -> None:
    """Only the right side may be narrowed: the left side's rows all come back."""
    text = plan("SELECT * FROM users u LEFT JOIN orders o ON u.id = 11 AND o.amount > 5")
    assert "users_pkey" not in text, text
