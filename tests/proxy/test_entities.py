"""Views and functions of the database as entities, through a real proxy.

What a view or a function leaves out stays out, and a function sees the caller's rows only.
"""

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
  notes: {tenant: org}
functions:
  leak: {}
  total: {}
  affordable: {}
  whole: {}
  twice: {function: tools.twice}
  lower: {function: tools.lower}
  similarity: {}
  clock: {volatile: true}
capabilities:
  read: {select: [cheap, walled, stored, mine, notes]}
  compute: {call: [leak, total, affordable, whole, twice, lower, similarity, clock]}
roles: {reader: {can: [read, compute]}, plain: {can: [read]}}
subjects:
  - {login: one, tenant: 1, roles: [reader]}
  - {login: two, tenant: 2, roles: [reader]}
  - {login: three, tenant: 1, roles: [plain]}
"""
USERS = {"one": "1", "two": "2", "three": "3"}
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
FUNCTIONS = f"""
CREATE TABLE notes (id int, org int, body text);
INSERT INTO notes SELECT n, 1 + n % 2, 'org' || 1 + n % 2 FROM generate_series(1, 40) n;
CREATE SCHEMA tools;
CREATE EXTENSION pg_trgm;
CREATE FUNCTION leak(text) RETURNS bool LANGUAGE plpgsql STABLE COST 0.0000001 AS
  $$BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END$$;
CREATE FUNCTION total(int) RETURNS int LANGUAGE sql STABLE AS
  'SELECT sum(price)::int FROM public.goods WHERE id = $1';
CREATE FUNCTION total(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 't' || $1$$;
CREATE FUNCTION affordable() RETURNS SETOF goods LANGUAGE sql STABLE AS
  $$SELECT * FROM public.goods WHERE {CHEAP}$$;
CREATE FUNCTION whole() RETURNS SETOF goods LANGUAGE sql STABLE SET search_path = public AS
  $$SELECT * FROM public.goods WHERE {CHEAP}$$;
CREATE FUNCTION tools.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION tools.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'own'$$;
CREATE FUNCTION tools.total(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -1';
CREATE FUNCTION clock() RETURNS bool LANGUAGE sql VOLATILE AS 'SELECT true';
CREATE FUNCTION unlisted(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
ANALYZE;
"""
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
    postgres.execute("entities", FUNCTIONS)
    upstream = postgres.dsn("entities", postgres.superuser)
    with RunningProxy(rules=RULES, users=USERS, upstream=upstream) as running:
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


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT total(3)", 5),
        ("SELECT total('x')", "tx"),  # every overload of the name
        ("SELECT public.total(4)", 6),
        ("SELECT tools.twice(21)", 42),
        ("SELECT lower('A')", "a"),  # PostgreSQL's, whatever the rules name
        ("SELECT tools.lower('A')", "own"),
        ("SELECT similarity('word', 'words') > 0.5", True),
        ("SELECT (g).id FROM whole() g ORDER BY 1 LIMIT 1", 3),
        ("SELECT g.name FROM whole() AS g ORDER BY 1 LIMIT 1", "3"),
        ("SELECT count(*) FROM notes n, LATERAL total(n.id) t WHERE t > 0", 2),
        ("SELECT clock()", True),
    ],
)
def test_a_named_function_is_called(proxy: RunningProxy, sql: str, value: object) -> None:
    with psycopg.connect(proxy.dsn("one")) as one:
        assert one.execute(sql.encode()).fetchone() == (value,)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT unlisted(1)",
        "SELECT public.unlisted(1)",
        "SELECT tools.total(1)",  # another schema's of the same name
        "SELECT twice(1)",  # its schema is not searched
        "SELECT * FROM affordable()",  # taken apart by the planner
        "SELECT (n.id).total FROM notes n",
        "SELECT word_similarity('a', 'b')",  # the same extension's
        "SELECT pg_temp.total(1)",
        "CALL total(1)",
    ],
)
def test_no_other_function_is(proxy: RunningProxy, sql: str) -> None:
    with psycopg.connect(proxy.dsn("one")) as one, pytest.raises(psycopg.Error) as refusal:
        one.execute(sql.encode())
    assert '"code":' in (refusal.value.diag.message_detail or ""), refusal.value


def test_without_the_capability_none_is(proxy: RunningProxy) -> None:
    refused = pytest.raises(psycopg.errors.UndefinedFunction)
    with psycopg.connect(proxy.dsn("three")) as three, refused:
        three.execute("SELECT total(3)")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM notes WHERE leak(body)",
        "SELECT id FROM notes WHERE public.leak(body) OR id = 1",
        "SELECT n.id FROM notes n JOIN cheap c ON leak(n.body)",
        "SELECT count(*) FILTER (WHERE leak(body)) FROM notes",
        "SELECT leak(body) FROM notes ORDER BY leak(body), id LIMIT 3",
        "SELECT id FROM (SELECT id, leak(body) AS l FROM notes) x WHERE l",
        "SELECT id FROM notes GROUP BY id, body HAVING leak(body)",
        "SELECT id FROM notes WHERE id IN (SELECT id FROM notes WHERE leak(body))",
        "SELECT id FROM notes n WHERE EXISTS (SELECT FROM cheap WHERE leak(n.body))",
        "SELECT n.id FROM notes n, LATERAL (SELECT leak(n.body) AS l) x WHERE l",
    ],
)
def test_a_named_function_sees_own_rows_only(proxy: RunningProxy, sql: str) -> None:
    seen: list[str] = []
    with psycopg.connect(proxy.dsn("one")) as one:
        one.add_notice_handler(lambda notice: seen.append(notice.message_primary or ""))
        one.execute(sql.encode()).fetchall()
    assert [line for line in seen if "org2" in line] == []
    assert any("org1" in line for line in seen), seen


@pytest.mark.parametrize("condition", LEAKY)
def test_nor_what_a_function_in_from_leaves_out(proxy: RunningProxy, condition: str) -> None:
    with psycopg.connect(proxy.dsn("one")) as one:
        found = one.execute(f"SELECT id FROM whole() WHERE {condition} ORDER BY 1").fetchall()
    assert found == [(3,), (4,)]
