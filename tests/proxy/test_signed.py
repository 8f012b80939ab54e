"""A pooled application behind one login, through a real proxy: each statement is somebody's."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import jwt
import psycopg
import pytest

from proxy.testing import PostgresServer, RunningProxy

SECRET = "0123456789abcdef0123456789abcdef"
RULES = """
version: 1
profile: dev
entities:
  notes: {tenant: org, owner: {column: who, equals: subject.user_id, for: [clerk]}}
  shared: {shared: true}
functions: {total: {}}
capabilities:
  read: {select: [notes, shared], call: [total]}
  less: {select: [shared]}
  edit: {update: {notes: {columns: [body]}}, reason: required}
  sweep: {update: {notes: {columns: [body], key: false, rows: 20}}, reason: required}
  mark:
    select: [notes]
    update: {notes: {columns: [body]}}
    reason: required
    statement:
      sql: "UPDATE notes SET body = $2 WHERE id = $1 RETURNING id, body"
      parameters: {id: bigint, body: text}
roles:
  app: {can: [read, less, edit, sweep, mark]}
  clerk: {can: [read]}
subjects:
  - {login: crm, roles: [app], assume: signed}
  - {login: own, roles: [clerk], assume: signed}
  - {login: plain, tenant: 2, roles: [app]}
"""
SCHEMA = (
    "CREATE TABLE notes (id int PRIMARY KEY, org int NOT NULL, who text, body text NOT NULL);"
    "INSERT INTO notes SELECT n, n % 3, 'u' || n % 2, 'note ' || n FROM generate_series(1, 30) n;"
    "CREATE TABLE shared (id int PRIMARY KEY); INSERT INTO shared VALUES (1);"
    "CREATE FUNCTION total() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT 30::bigint';"
    "CREATE TYPE mood AS ENUM ('good'); ALTER TABLE shared ADD mood mood;"
)
NUMBERS = itertools.count()
NEEDS = "nothing says for whom"


def token(tenant: object = 1, seconds: float = 600, key: str = SECRET, **other: Any) -> str:
    claims = {"aud": "querywarden", "exp": time.time() + seconds, "tenant": tenant, "sub": "u1",
              "jti": f"n{next(NUMBERS)}", **other}  # fmt: skip
    return jwt.encode(claims, key, algorithm="HS256")


def comment(signed: str) -> str:
    return f"/*querywarden_context='{signed}'*/ "


@pytest.fixture(scope="module")
def proxy(postgres: PostgresServer) -> Iterator[RunningProxy]:
    dsn = postgres.create_database("signed", SCHEMA)
    with RunningProxy(
        rules=RULES, users={"crm": "pw", "own": "pw", "plain": "pw"}, upstream=dsn,
        environment={"QUERYWARDEN_CONTEXT_KEY": SECRET},
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def crm(proxy: RunningProxy) -> Iterator[psycopg.Connection]:
    with psycopg.connect(proxy.dsn("crm"), autocommit=True) as connection:
        yield connection


def tenants(connection: psycopg.Connection, before: str = "", **how: Any) -> set[int]:
    rows = connection.execute(f"{before}SELECT org FROM notes".encode(), **how).fetchall()
    return {org for (org,) in rows}


def refused(connection: psycopg.Connection, sql: str, **how: Any) -> str:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql.encode(), **how)
    return str(caught.value)


def test_without_a_context_nobody_reads_anything(crm: psycopg.Connection) -> None:
    for sql in (
        "SELECT * FROM notes",
        "SELECT * FROM shared",
        "SELECT count(*) FROM notes",
        "SELECT total()",
        "UPDATE notes SET body = 'x' WHERE id = 1",
        "WITH w AS (UPDATE notes SET body = 'x' WHERE id = 1 RETURNING id) SELECT 1",
        "COPY notes TO STDOUT",
        "PREPARE p AS SELECT * FROM notes",
        "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM notes",
    ):
        message = refused(crm, sql)
        assert NEEDS in message or "total() does not exist" in message, sql
    assert crm.execute("SELECT 1").fetchone() == (1,)
    seen = crm.execute("SELECT typname FROM pg_type WHERE typname = 'mood'").fetchall()
    assert seen == [("mood",)]


@pytest.mark.parametrize("prepare", [False, True])
def test_a_comment_speaks_for_its_text(crm: psycopg.Connection, prepare: bool) -> None:
    one, two = comment(token(1)), comment(token(2))
    for _ in range(3):
        assert tenants(crm, one, prepare=prepare) == {1}
        assert tenants(crm, two, prepare=prepare) == {2}
        assert NEEDS in refused(crm, "SELECT org FROM notes", prepare=prepare)
    both = crm.execute(f"SELECT id FROM shared; {two}SELECT org FROM notes".encode())
    assert both.nextset() and {org for (org,) in both} == {2}


def test_a_set_speaks_until_it_is_changed(crm: psycopg.Connection) -> None:
    one, two = token(1), token(2)
    crm.execute(f"SET querywarden.context = '{one}'".encode())
    assert tenants(crm) == {1}
    assert tenants(crm, comment(token(0))) == {0}
    with pytest.raises(psycopg.errors.DivisionByZero), crm.transaction():
        crm.execute(f"SET LOCAL querywarden.context = '{two}'".encode())
        assert tenants(crm) == {2}
        crm.execute("SELECT 1/0")
    assert tenants(crm) == {1}
    with crm.transaction():
        crm.execute("SAVEPOINT s")
        crm.execute(f"SET querywarden.context = '{two}'".encode())
        assert tenants(crm) == {2}
        crm.execute("ROLLBACK TO s")
        assert tenants(crm) == {1}
    shown = crm.execute("SHOW querywarden.context").fetchone()
    assert shown is not None and shown[0].startswith("sha256:") and one[:8] not in shown[0]
    crm.execute("RESET ALL")
    assert NEEDS in refused(crm, "SELECT org FROM notes")


def test_what_was_prepared_for_one_is_not_run_for_another(crm: psycopg.Connection) -> None:
    one, two = token(1), token(2)
    crm.execute(f"SET querywarden.context = '{one}'".encode())
    crm.execute("PREPARE p AS SELECT org FROM notes")
    crm.execute("BEGIN; DECLARE c CURSOR FOR SELECT org FROM notes")
    assert {org for (org,) in crm.execute("EXECUTE p")} == {1}
    crm.execute(f"SET querywarden.context = '{two}'".encode())
    assert "declare the cursor again" in refused(crm, "FETCH 1 FROM c")
    crm.rollback()
    crm.execute(f"SET querywarden.context = '{two}'".encode())
    assert "prepare the statement again" in refused(crm, "EXECUTE p")
    crm.execute("RESET querywarden.context")
    assert "prepare the statement again" in refused(crm, "EXECUTE p")
    assert {org for (org,) in crm.execute(f"{comment(one)}EXECUTE p".encode())} == {1}


SQL = "SELECT DISTINCT org FROM notes WHERE id > %s"


@pytest.mark.parametrize("binary", [False, True])
def test_one_prepared_statement_for_many(crm: psycopg.Connection, binary: bool) -> None:
    """A driver prepares a text once; each transaction is somebody else's."""
    for tenant in (1, 2, 1, 0, 2, 2, 1):
        with crm.transaction():
            crm.execute(f"SET LOCAL querywarden.context = '{token(tenant)}'".encode())
            for _ in range(2):
                found = crm.execute(SQL, (0,), prepare=True, binary=binary).fetchall()
                assert found == [(tenant,)]
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        crm.execute(SQL, (0,), prepare=True, binary=binary)
    with crm.pipeline():
        crm.execute(f"SET querywarden.context = '{token(2)}'".encode())
        cursors = [crm.execute(SQL, (n,), prepare=True, binary=binary) for n in (0, 1)]
    assert [cursor.fetchall() for cursor in cursors] == [[(2,)], [(2,)]]
    update = "/*capability='edit',reason='r'*/ UPDATE notes SET body = 'u' WHERE id = %s"
    for tenant in (1, 2):
        crm.execute(f"SET querywarden.context = '{token(tenant)}'".encode())
        done = [crm.execute(update.encode(), (n,), prepare=True).rowcount for n in (1, 2)]
        assert done == [int(tenant == 1), int(tenant == 2)]


async def test_asyncpg_prepares_once_for_many(proxy: RunningProxy) -> None:
    connection = await asyncpg.connect(proxy.dsn("crm"))
    try:
        for tenant in (1, 2, 1, 0):
            async with connection.transaction():
                await connection.execute(f"SET LOCAL querywarden.context = '{token(tenant)}'")
                rows = await connection.fetch(SQL.replace("%s", "$1"), 0)
                assert [row["org"] for row in rows] == [tenant]
        with pytest.raises(asyncpg.PostgresError, match=NEEDS):
            await connection.fetch(SQL.replace("%s", "$1"), 0)
    finally:
        await connection.close()


def test_a_pipeline_keeps_them_apart(crm: psycopg.Connection) -> None:
    one, two = comment(token(1)), comment(token(2))
    sql = "SELECT DISTINCT org FROM notes"
    with crm.pipeline():
        cursors = [crm.execute((who + sql).encode()) for who in (one, two, one, two)]
    assert [cursor.fetchall() for cursor in cursors] == [[(1,)], [(2,)], [(1,)], [(2,)]]


def test_owner_and_capability_of_a_context(proxy: RunningProxy, crm: psycopg.Connection) -> None:
    with psycopg.connect(proxy.dsn("own"), autocommit=True) as own:
        sql = f"{comment(token(1, sub='u0'))}SELECT DISTINCT who FROM notes"
        assert own.execute(sql.encode()).fetchall() == [("u0",)]
    narrow = comment(token(1, capability="less"))
    assert crm.execute(f"{narrow}SELECT id FROM shared".encode()).fetchall() == [(1,)]
    for sql, expected in (
        ("SELECT id FROM notes", "does not exist or is not visible"),
        ("/*capability='read'*/ SELECT id FROM notes", 'capability "read" is not one of yours'),
        ("UPDATE notes SET body = 'x' WHERE id = 1 /*reason='r'*/", "not allowed"),
        ("/*capability='edit',reason='r'*/ UPDATE notes SET body = 'x' WHERE id = 1",
         "not allowed"),
    ):  # fmt: skip
        assert expected in refused(crm, narrow + sql), sql
    wide = comment(token(1, capability="everything"))
    assert 'capability "everything"' in refused(crm, f"{wide}SELECT id FROM shared")
    crm.execute("SET querywarden.capability = 'read'")
    assert 'capability "less, read"' in refused(crm, f"{narrow}SELECT id FROM shared")


def test_contexts_that_are_none(proxy: RunningProxy, crm: psycopg.Connection) -> None:
    stolen = token(1)
    with psycopg.connect(proxy.dsn("crm"), autocommit=True) as other:
        assert tenants(other, comment(stolen)) == {1}
        cases = [
            (token(1, key="f" * 32), "cannot be verified"),
            (token(1, seconds=-60), "expired"),
            (token(1, seconds=100_000), "holds longer"),
            (token(1, aud="other"), "somebody else"),
            (stolen, "another session"),
            (jwt.encode({"tenant": 1}, "", algorithm="none"), "not signed the way"),
            (f"{stolen}', reason='x", "cannot be verified"),
        ]
        for signed, expected in cases:
            for sql in (f"{comment(signed)}SELECT 1", f"SET querywarden.context = '{signed}'"):
                message = refused(crm, sql)
                if "reason" not in signed:
                    assert expected in message and signed[-20:] not in message, signed
    assert "acts for itself only" in _plain(proxy, f"{comment(token(2))}SELECT 1")
    assert "acts for itself only" in _plain(proxy, f"SET querywarden.context = '{token(2)}'")
    one, two = token(1), token(2)
    assert "cannot be verified" in refused(crm, f"{comment(one)}{comment(two)}SELECT 1")


def _plain(proxy: RunningProxy, sql: str) -> str:
    with psycopg.connect(proxy.dsn("plain"), autocommit=True) as connection:
        return refused(connection, sql)


def test_a_context_ends_when_its_time_is_up(crm: psycopg.Connection) -> None:
    ends = int(time.time()) + 5
    short = token(1, exp=ends)
    crm.execute(f"SET querywarden.context = '{short}'".encode())
    crm.execute("PREPARE p AS SELECT org FROM notes")
    assert tenants(crm) == {1}
    assert tenants(crm, comment(short), prepare=True) == {1}
    time.sleep(max(0.0, ends - time.time()) + 0.1)
    assert NEEDS in refused(crm, "SELECT org FROM notes")
    assert "prepare the statement again" in refused(crm, "EXECUTE p")
    assert refused(crm, f"{comment(short)}SELECT org FROM notes", prepare=True)


def test_a_write_of_somebody_says_why(proxy: RunningProxy, crm: psycopg.Connection) -> None:
    one = comment(token(1))
    update = "UPDATE /*capability='edit'*/ notes SET body = 'new' WHERE id = %s"
    with pytest.raises(psycopg.Error) as caught:
        crm.execute((one + update).encode(), (1,))
    assert caught.value.sqlstate == "QW002"
    assert "/*reason='why'*/" in str(caught.value.diag.message_hint)
    for sql in (
        f"{one}PREPARE w (int) AS UPDATE notes SET body = 'new' WHERE id = $1",
        f"{one}EXECUTE w (1)",
    ):
        try:
            crm.execute(sql.encode())
        except psycopg.Error as error:
            assert error.sqlstate in ("QW002", "25006", "26000", "0A000"), error
        else:
            assert sql.startswith(f"{one}PREPARE")
    done = crm.execute(f"{one}/*reason='because'*/ {update}".encode(), (1,))
    assert done.rowcount == 1
    crm.execute("SET querywarden.reason = 'it was asked for'")
    assert crm.execute((one + update).encode(), (4,)).rowcount == 1
    assert crm.execute((one + update).encode(), (2,)).rowcount == 0  # another tenant's
    deadline = time.monotonic() + 10
    while True:
        said = ("because", "it was asked for")
        wrote = [r for r in proxy.records() if r["outcome"] == "ok" and r["reason"] in said]
        wrote = [r for r in wrote if r["operation"] == "update"]
        if len(wrote) == 3:
            break
        assert time.monotonic() < deadline, wrote
        time.sleep(0.05)
    assert [r["reason"] for r in wrote] == ["because"] + ["it was asked for"] * 2
    assert {r["principal"]["tenant"] for r in wrote} == {1}


@pytest.mark.parametrize("simple", [False, True])
def test_rows_that_are_counted_are_somebodys(crm: psycopg.Connection, simple: bool) -> None:
    """Held writes, within a transaction whose settings go with it."""
    cursor = psycopg.ClientCursor(crm) if simple else crm.cursor()
    sweep = "/*capability='sweep'*/ UPDATE notes SET body = 'swept' WHERE id > 0"
    count = "SELECT DISTINCT org FROM notes WHERE body = 'swept'"
    for tenant in (1, 2):
        with crm.transaction(force_rollback=True):
            cursor.execute(f"SET LOCAL querywarden.context = '{token(tenant)}'".encode())
            cursor.execute("SAVEPOINT s")
            with pytest.raises(psycopg.Error) as caught:
                cursor.execute(sweep)
            assert caught.value.sqlstate == "QW002"
            cursor.execute("ROLLBACK TO s")
            cursor.execute("SET LOCAL querywarden.reason = 'tidy'")
            assert cursor.execute(sweep).rowcount == 10
            assert cursor.execute(count).fetchall() == [(tenant,)]
        assert NEEDS in refused(crm, count)
    one = comment(token(1))
    if simple:
        text = f"SELECT 1; {sweep} /*reason='r'*/; SET querywarden.capability = 'read'"
        cursor.execute((one + text).encode())
        assert tenants(crm, one) == {1}
        assert "not allowed" in refused(crm, f"{one}{sweep.partition('*/ ')[2]} /*reason='r'*/")


@pytest.mark.parametrize("binary", [False, True])
def test_a_statement_of_the_rules(crm: psycopg.Connection, binary: bool) -> None:
    one = comment(token(1))
    mark = f"{one}/*reason='r'*/ EXECUTE mark (%s, %s)"
    for _ in range(2):
        row = crm.execute(mark.encode(), (7, "marked"), prepare=True, binary=binary).fetchone()
        assert row == (7, "marked")
    assert crm.execute(f"{one}/*reason='r'*/ EXECUTE mark (7, 'x')".encode()).rowcount == 1
    assert crm.execute(mark.encode(), (8, "not mine")).fetchall() == []
    assert "22P02" in sqlstate(crm, f"{one}/*reason='r'*/ EXECUTE mark ('a', 'x')")
    assert "QW002" in sqlstate(crm, f"{one}EXECUTE mark (7, 'x')")
    assert "22023" in sqlstate(crm, f"{one}EXECUTE mark (7)")
    assert "28000" in sqlstate(crm, "/*reason='r'*/ EXECUTE mark (7, 'x')")
    assert "42501" in sqlstate(crm, f"{one}PREPARE mark AS SELECT 1")


def sqlstate(connection: psycopg.Connection, sql: str) -> str:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql.encode())
    return str(caught.value.sqlstate)


def test_settings_a_session_starts_with(proxy: RunningProxy) -> None:
    options = "-c querywarden.capability=less -c querywarden.reason=nightly\\ job"
    with psycopg.connect(proxy.dsn("plain"), autocommit=True, options=options) as connection:
        assert "not visible" in refused(connection, "SELECT id FROM notes")
        connection.execute("SET querywarden.capability = 'read'")
        assert tenants(connection) == {2}
        connection.execute("RESET ALL")
        assert connection.execute("SHOW querywarden.capability").fetchone() == ("less",)
        assert connection.execute("SHOW querywarden.reason").fetchone() == ("nightly job",)
        assert "not visible" in refused(connection, "SELECT id FROM notes")
        update = "/*capability='edit'*/ UPDATE notes SET body = 'x' WHERE id = 2"
        assert connection.execute(update).rowcount == 1


def test_a_proxy_without_a_key_takes_no_context(postgres: PostgresServer) -> None:
    dsn = postgres.create_database("signed_keyless", SCHEMA)
    with RunningProxy(rules=RULES, users={"crm": "pw", "own": "pw", "plain": "pw"},
                      upstream=dsn) as keyless:  # fmt: skip
        assert "no key of signed contexts is configured" in keyless.log()
        with psycopg.connect(keyless.dsn("crm"), autocommit=True) as connection:
            assert "no key" in refused(connection, f"{comment(token(1))}SELECT 1")


def test_a_trace_is_in_the_record(proxy: RunningProxy) -> None:
    trace = f"{next(NUMBERS):032x}"
    with psycopg.connect(proxy.dsn("plain"), autocommit=True) as connection:
        connection.execute(f"SELECT 1 /*traceparent='00-{trace}-{'1' * 16}-01'*/".encode())
    deadline = time.monotonic() + 10
    while not [r for r in proxy.records() if r.get("trace_id") == trace]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_no_context_is_in_any_record_log_or_database(
    proxy: RunningProxy, crm: psycopg.Connection, postgres: PostgresServer
) -> None:
    signed = token(1)
    crm.execute(f"{comment(signed)}SELECT org FROM notes".encode())
    crm.execute(f"SET querywarden.context = '{signed}'".encode())
    refused(crm, f"{comment(signed)}SELECT nothing FROM notes")
    refused(crm, f"{comment(signed)}SELECT 'unterminated")
    refused(crm, f"/*querywarden_context={signed}*/ SELECT org FROM nothing")
    with psycopg.connect(proxy.upstream, autocommit=True) as direct:
        asked = direct.execute("SELECT query FROM pg_stat_activity").fetchall()
    deadline = time.monotonic() + 10
    while not any("FROM nothing" in record["sql_template"] for record in proxy.records()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for piece in signed.split("."):
        assert piece not in str(asked) + str(proxy.records()) + proxy.log()
