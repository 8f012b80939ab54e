"""Views of the database as entities, through a real proxy: what they leave out stays out."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from proxy.testing import PostgresServer, RunningProxy

RULES = """
version: 1
profile: dev
entities:
  cheap: {shared: true}
  walled: {shared: true}
  stored: {shared: true}
  mine: {tenant: org, columns: {price: deny}}
capabilities:
  read: {select: [cheap, walled, stored, mine]}
roles: {reader: {can: [read]}}
subjects:
  - {login: one, tenant: 1, roles: [reader]}
  - {login: two, tenant: 2, roles: [reader]}
"""
# More costly to PostgreSQL than the conditions below, so that it would try those first.
CHEAP = "abs(price) * 2 - abs(price) + 0 < 100 AND lower(upper(lower(name))) <> 'y'"
# The dear rows come first and raise an error under every leaky condition below.
SCHEMA = (
    "CREATE TABLE goods (id int, org int, price int, name text);"
    "INSERT INTO goods VALUES (1, 2, 1000, 'x'), (2, 1, 1000, 'x'), (3, 1, 5, '3'), (4, 2, 6, '4');"
    f"CREATE VIEW cheap AS SELECT id, price, name FROM goods WHERE {CHEAP};"
    "CREATE VIEW walled WITH (security_barrier) AS SELECT * FROM cheap;"
    "CREATE MATERIALIZED VIEW stored AS SELECT * FROM cheap;"
    f"CREATE VIEW mine AS SELECT * FROM goods WHERE {CHEAP}; ANALYZE goods;"
)
LEAKY = [
    "1 / (price - 1000) > -9",
    "name::int > 0",
    "CASE WHEN price > 100 THEN 1 / (price - price) END IS NULL",
    "price < 100 AND 10 / (1000 - price) >= 0",
]


@pytest.fixture(scope="module")
def proxy(postgres: PostgresServer) -> Iterator[RunningProxy]:
    postgres.create_database("entities")
    postgres.execute("entities", SCHEMA)
    upstream = postgres.dsn("entities", postgres.superuser)
    with RunningProxy(rules=RULES, users={"one": "1", "two": "2"}, upstream=upstream) as running:
        yield running
    postgres.drop_database("entities")


@pytest.mark.parametrize("view", ["cheap", "walled", "stored"])
@pytest.mark.parametrize("condition", LEAKY)
def test_a_leaky_condition_does_not_see_what_a_view_leaves_out(
    proxy: RunningProxy, view: str, condition: str
) -> None:
    with psycopg.connect(proxy.dsn("one")) as one:
        found = one.execute(f"SELECT id FROM {view} WHERE {condition} ORDER BY 1").fetchall()
    assert found == [(3,), (4,)]


def test_without_the_proxy_it_does(proxy: RunningProxy) -> None:
    with psycopg.connect(proxy.upstream) as direct, pytest.raises(psycopg.errors.DivisionByZero):
        direct.execute(f"SELECT id FROM cheap WHERE {LEAKY[0]}")


def test_a_view_has_its_own_scopes_and_columns(proxy: RunningProxy) -> None:
    for login, own in (("one", (3,)), ("two", (4,))):
        with psycopg.connect(proxy.dsn(login), autocommit=True) as client:
            assert client.execute("SELECT id FROM mine WHERE name::int > 0").fetchall() == [own]
            with pytest.raises(psycopg.errors.UndefinedColumn):
                client.execute("SELECT price FROM mine")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                client.execute("SELECT * FROM goods")
