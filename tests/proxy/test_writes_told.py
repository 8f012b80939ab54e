"""What a client and the record are told of a write: rows that are ours, tags, images, checks that
did not hold, errors (proxy/net/writing.py, proxy/net/write_errors.py, proxy/net/wrote.py).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import errors

from policies.decision import Check, Facts, Plan, PolicyEffect, Write
from policies.places import Written
from proxy.oplog.operation import InvariantChecked, Operation
from proxy.testing import PostgresServer
from proxy.wire.messages import (
    Bind,
    BindComplete,
    CommandComplete,
    DataRow,
    Describe,
    ErrorResponse,
    Execute,
    Message,
    NoData,
    Parse,
    ParseComplete,
    PortalSuspended,
    Query,
    ReadyForQuery,
    RowDescription,
    Sync,
)
from tests.proxy.fake_upstream import RawClient
from tests.proxy.test_listener import Proxy
from tests.proxy.writes import RULE, SCHEMA, Talk, WritingEngine

CHECKS = (
    Check("42501", "FIELD_NOT_ALLOWED", "no such tenant", "leave it out", "t", "n", "entities.t"),
    Check("23503", "", 'insert or update on table "t" violates foreign key constraint "x"'),
    Check("23514", "VALIDATION_ERROR", "too old", invariant="fresh"),
)
RAISE = "CAST(pg_catalog.concat('querywarden:%d') AS pg_catalog.int4)"
IMAGE = ("json_build_object('before', json_build_object('n', n - 1, 'note', %s),"
         " 'after', json_build_object('n', n))::text")  # fmt: skip
SMALL = IMAGE % "null"


def write(bound: int | None = 1, **options: Any) -> Write:
    return Write(bound, 3, RULE, **options)


def updates(sql: str, **options: Any) -> Plan:
    return Plan(sql.encode(), Facts(operation="update"), write=write(**options),
                written=Written(0, None))  # fmt: skip


PLANS = {
    "silent": updates("UPDATE t SET n = 1 WHERE id = 1 RETURNING 1", silent=True),
    "silent unbounded": updates("UPDATE t SET n = 1 WHERE id < 4 RETURNING 1", silent=True,
                                bound=None),
    "deleted": updates("UPDATE t SET s = NULL WHERE id = 2 RETURNING id", tag="DELETE"),
    "deleted silently": updates("UPDATE t SET s = NULL WHERE id < 3 RETURNING 1", tag="DELETE",
                                silent=True, bound=None),
    "imaged": updates(f"UPDATE t SET n = n + 1 WHERE id < 4 RETURNING id, s, {SMALL}",
                      images=True, bound=3),
    "imaged silently": updates(f"UPDATE t SET n = n + 1 WHERE id < 4 RETURNING {SMALL}",
                               images=True, silent=True, bound=3),
    "imaged large": updates("UPDATE t SET n = n + 1 WHERE id < 4 RETURNING id, "
                            + IMAGE % "repeat('x', 50000)", images=True, bound=3),
    "large": updates("UPDATE t SET n = 0 WHERE id < 3 RETURNING repeat('x', 9000000)", bound=None),
    **{
        f"broken {number}": updates(
            f"UPDATE t SET n = CASE WHEN id < 0 THEN 1 ELSE {RAISE % number} END WHERE id = 1",
            checks=CHECKS, invariants=(("fresh", "statement"), ("unique", "constraint")),
        )
        for number in range(4)
    },
    "parameter": updates(
        f"UPDATE t SET n = CASE WHEN $1 = '1'::int4 THEN '1'::int4 ELSE {RAISE % 0} END"
        " WHERE id = 1", checks=CHECKS,
    ),
    "held": updates("UPDATE t SET n = 1 WHERE id = 1", bound=None,
                    invariants=(("fresh", "statement"),)),
}  # fmt: skip


class TellingEngine(WritingEngine):
    """The texts are names of plans."""

    def __init__(self) -> None:
        super().__init__()
        self.table = {name.encode(): plan for name, plan in PLANS.items()}


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    return postgres.create_database("writes_told", SCHEMA)


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    with Proxy(database, TellingEngine()) as running:
        yield running


async def asked(proxy: Proxy, *said: Message) -> list[Message]:
    """The answer, without the ReadyForQuery and what tells that the answer is over."""
    async with RawClient.to(proxy.port) as client:
        await client.log_in(database=proxy.database)
        return (await asyncio.wait_for(Talk(client).ask(*said), 20))[:-3]


def last(proxy: Proxy) -> Operation:
    proxy.recorded(1)
    return proxy.records.operations[-1]


def run(name: str, *formats: int, rows: int = 0) -> list[Message]:
    return [Parse(b"", name.encode()), Describe(b"S"), Bind(b"", b"", (), (), formats),
            Describe(b"P"), Execute(b"", rows), Sync()]  # fmt: skip


# Rows that are ours.


@pytest.mark.parametrize("name, tag", [
    ("silent", b"UPDATE 1"), ("silent unbounded", b"UPDATE 3"), ("deleted silently", b"DELETE 2"),
    ("imaged silently", b"UPDATE 3"),
])  # fmt: skip
async def test_rows_nobody_asked_for_are_not_seen(proxy: Proxy, name: str, tag: bytes) -> None:
    done = CommandComplete(tag)
    assert await asked(proxy, Query(name.encode())) == [done]
    for formats, rows in (((), 0), ((1,), 1), ((0, 1, 0), 0)):
        heard = await asked(proxy, *run(name, *formats, rows=rows))
        assert heard[0] == ParseComplete() and heard[2:] == [
            NoData(),
            BindComplete(),
            NoData(),
            done,
        ]
    assert (last(proxy).row_count, last(proxy).bytes) == (0, 0)
    assert last(proxy).affected_rows == int(tag.split()[-1])


async def test_the_tag_is_the_client_s_verb(proxy: Proxy) -> None:
    heard = await asked(proxy, Query(b"deleted"))
    assert [type(each) for each in heard] == [RowDescription, DataRow, CommandComplete]
    assert heard[-1] == CommandComplete(b"DELETE 1")
    assert (await asked(proxy, *run("deleted")))[-1] == CommandComplete(b"DELETE 1")


# Images.


@pytest.mark.parametrize("formats", [(), (0,), (1, 0)])
async def test_images_go_into_the_record_and_nowhere_else(
    proxy: Proxy, formats: tuple[int, ...]
) -> None:
    for said in (run("imaged", *formats), [Query(b"imaged")]):
        heard = await asked(proxy, *said)
        for each in heard:
            if isinstance(each, RowDescription):
                assert [column.name for column in each.columns] == [b"id", b"s"]
            if isinstance(each, DataRow):
                assert len(each.values) == 2
        assert heard[-1] == CommandComplete(b"UPDATE 3")
        done = last(proxy)
        assert done.before is not None and done.after is not None
        assert [bytes(each) for each in done.after] == [
            each.replace(b', "note" : null', b"").replace(
                b'"n" : %d' % n, b'"n" : %d' % (n + 1)) for each, n in zip(
                map(bytes, done.before), ns(map(bytes, done.before)), strict=True)
        ]  # fmt: skip
        assert not done.images_truncated and done.row_count == 3


def ns(images: Any) -> list[int]:
    return [json.loads(each)["n"] for each in images]


async def test_images_of_a_portal_read_in_steps(proxy: Proxy) -> None:
    said = [Parse(b"", b"imaged"), Bind(b"p", b""), Execute(b"p", 2), Execute(b"p"), Sync()]
    heard = await asked(proxy, *said)
    assert [type(each) for each in heard[2:]] == [
        DataRow, DataRow, PortalSuspended, DataRow, CommandComplete,
    ]  # fmt: skip
    done = last(proxy)
    assert (done.affected_rows, done.row_count) == (3, 3)
    assert done.before is not None and len(done.before) == 3 and not done.images_truncated


@pytest.mark.parametrize("body", [b"\0", b"\0\0", b"\0\0\0\0\0\0"])
async def test_a_malformed_execute_does_not_run(proxy: Proxy, database: str, body: bytes) -> None:
    before = table(database)
    async with RawClient.to(proxy.port) as client:
        await client.log_in(database=proxy.database)
        frame = b"E" + (4 + len(body)).to_bytes(4, "big") + body
        client.say(Parse(b"", b"imaged"), Bind(b"", b""), frame, Sync())
        heard = await client.until(ReadyForQuery)
    assert [type(each) for each in heard[2:]] == [ErrorResponse, ReadyForQuery]
    assert code(heard[2]) == "08P01" and table(database) == before


async def test_images_are_bounded(proxy: Proxy) -> None:
    heard = await asked(proxy, Query(b"imaged large"))
    assert len([each for each in heard if isinstance(each, DataRow)]) == 3
    done = last(proxy)
    assert done.images_truncated and done.before is not None and len(done.before) == 1


async def test_a_bind_too_long_to_be_changed_is_refused(proxy: Proxy) -> None:
    long = Bind(b"", b"", (), (b"x" * 2_000_000,))
    heard = await asked(proxy, Parse(b"", b"imaged"), long, Execute(), Sync())
    assert code(heard[-1]) == "54000"
    heard = await asked(proxy, Parse(b"", b"silent"), long, Execute(), Sync())
    assert code(heard[-1]) == "08P01"  # it has no parameters


def code(message: Message) -> str:
    assert isinstance(message, ErrorResponse)
    return dict(message.fields)["C"].decode()


async def test_a_result_too_large_to_be_held_is_undone(proxy: Proxy, database: str) -> None:
    before = table(database)
    heard = await asked(proxy, Query(b"large"))
    assert code(heard[-1]) == "54000" and len(heard) == 1
    assert table(database) == before
    assert last(proxy).code == "QUERY_BUDGET_EXCEEDED"


def table(database: str) -> list[Any]:
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT * FROM t ORDER BY id").fetchall()


# Checks.


@pytest.mark.parametrize("cursor", [psycopg.ClientCursor, psycopg.Cursor])
def test_a_check_that_does_not_hold_is_the_refusal_it_stands_for(
    proxy: Proxy, cursor: type[psycopg.Cursor[Any]]
) -> None:
    with proxy.connect(autocommit=True, cursor_factory=cursor) as connection:
        with pytest.raises(errors.InsufficientPrivilege) as raised:
            connection.execute("broken 0")
        diag = raised.value.diag
        assert (diag.message_primary, diag.message_hint) == ("no such tenant", "leave it out")
        assert (diag.table_name, diag.column_name, diag.constraint_name) == ("t", "n", "entities.t")
        assert diag.message_detail == '{"code": "FIELD_NOT_ALLOWED", "policy_version": "v1"}'
        assert (last(proxy).outcome, last(proxy).code) == ("refused", "FIELD_NOT_ALLOWED")
        assert last(proxy).facts.effects[-1] == PolicyEffect("entities.t", "deny", "t", "n")
        with pytest.raises(errors.CheckViolation):
            connection.execute("broken 2")
        assert last(proxy).invariants_checked == (
            InvariantChecked("fresh", "statement", "broken"),
            InvariantChecked("unique", "constraint", "unknown"),
        )
        connection.execute("held")
        assert last(proxy).invariants_checked == (InvariantChecked("fresh", "statement", "held"),)


async def test_a_check_may_look_like_postgresql(proxy: Proxy) -> None:
    async with RawClient.to(proxy.port) as client:
        await client.log_in(database=proxy.database)
        client.say(Query(b"broken 1"))
        heard, _ = await client.until(ReadyForQuery)
    assert heard == ErrorResponse((("S", b"ERROR"), ("V", b"ERROR"), ("C", b"23503"),
                                   ("M", CHECKS[1].message.encode())))  # fmt: skip
    done = last(proxy)
    assert (done.outcome, done.sqlstate, done.code) == ("failed", "23503", "")


async def test_what_is_no_check_of_the_plan_is_not_told(proxy: Proxy) -> None:
    heard = await asked(proxy, Query(b"broken 3"))
    assert code(heard[0]) == "22P02" and b"querywarden" not in heard[0].encode()


async def test_a_value_of_a_parameter_is_checked_as_the_statement_runs(proxy: Proxy) -> None:
    connection = await asyncpg.connect(proxy.dsn)
    try:
        assert await connection.execute("parameter", 1) == "UPDATE 1"
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no such tenant"):
            await connection.execute("parameter", 2)
    finally:
        await connection.close()


# Errors and notices of the database.

LOUD = """
CREATE TABLE loud (
    id int PRIMARY KEY, tenant int, email text UNIQUE, hidden text NOT NULL DEFAULT 'h1dden',
    age int CONSTRAINT adult CHECK (age > 17), number int GENERATED ALWAYS AS (email::int) STORED);
CREATE TABLE loud_child (id int PRIMARY KEY, loud int CONSTRAINT of_loud REFERENCES loud);
INSERT INTO loud VALUES (1, 1, '10'), (2, 2, '20');
INSERT INTO loud_child VALUES (1, 2);
CREATE TYPE mood AS ENUM ('good');
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE 'a notice of %', NEW.hidden;
  RAISE WARNING 'a warning of %', NEW.hidden;
  IF NEW.age = 99 THEN RAISE EXCEPTION 'age of %', NEW.hidden
    USING ERRCODE = 'AB123', HINT = 'hint of ' || NEW.hidden; END IF;
  IF NEW.age = 98 THEN PERFORM NEW.hidden::int; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER shout BEFORE UPDATE ON loud FOR EACH ROW EXECUTE FUNCTION shout();
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.age = 97 THEN RAISE EXCEPTION 'late %', NEW.hidden; END IF; RETURN NEW;
END $$;
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON loud DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION late();
"""
TRIGGER = "a trigger or function of the database stopped the statement"


class LoudEngine(WritingEngine):
    def __init__(self) -> None:
        super().__init__()
        self.write = write(
            None, shown=frozenset({"loud", "age", "adult"}), constraints=(("adult", "of_age"),),
            invariants=(("of_age", "constraint"),),
        )  # fmt: skip


@pytest.fixture(scope="module")
def loud(postgres: PostgresServer) -> Iterator[Proxy]:
    with Proxy(postgres.create_database("writes_loud", LOUD), LoudEngine()) as running:
        yield running


@pytest.mark.parametrize("text, sqlstate, message", [
    ("UPDATE loud SET age = 1 WHERE id = 1", "23514",
     'new row for relation "loud" violates check constraint "adult"'),
    ("UPDATE loud SET hidden = NULL WHERE id = 1", "23502",
     "null value in a column that must have one"),
    ("UPDATE loud SET email = '20' WHERE id = 1", "23505",
     "duplicate key value violates a unique constraint"),
    ("DELETE FROM loud WHERE id = 2", "23503",
     "the row refers to one that does not exist, or is referred to by others"),
    ("UPDATE loud SET email = hidden WHERE id = 1", "22P02",
     "invalid input syntax for type integer"),
    ("UPDATE loud SET age = 'x' WHERE id = 1", "22P02",
     'invalid input syntax for type integer: "x"'),
    ("UPDATE loud SET email = 'x'::mood WHERE id = 1", "22P02",
     'invalid input value for enum mood: "x"'),
    ("UPDATE loud SET email = hidden::mood::text WHERE id = 1", "22P02",
     "invalid input value for enum mood"),
    ("UPDATE loud SET age = (email || '0000000000')::int WHERE id = 1", "22003",
     "value is out of range for type integer"),
    ("UPDATE loud SET age = 1/0 WHERE id = 1", "22012", "division by zero"),
    ("UPDATE loud SET email = chr(99999999 + id) WHERE id = 1", "54000",
     "the database could not run the statement"),
    ("UPDATE loud SET age = 99 WHERE id = 1", "AB123", TRIGGER),
    ("UPDATE loud SET age = 98 WHERE id = 1", "22P02", TRIGGER),
    ("UPDATE loud SET age = 97 WHERE id = 1", "P0001", TRIGGER),
    ("UPDATE loud SET age = 97 WHERE id = 1; SELECT 1", "P0001", TRIGGER),
    ("BEGIN; UPDATE loud SET age = 97 WHERE id = 1; COMMIT", "P0001", TRIGGER),
    ("UPDATE nowhere SET age = 97", "42P01", 'relation "nowhere" does not exist'),
])  # fmt: skip
async def test_errors_of_writes_show_no_rows(
    loud: Proxy, text: str, sqlstate: str, message: str
) -> None:
    for said in (
        [Query(text.encode())],
        [Parse(b"", text.encode()), Bind(b"", b""), Execute(), Sync()],
    ):
        if len(said) > 1 and ";" in text:
            continue
        (told,) = [each for each in await asked(loud, *said) if isinstance(each, ErrorResponse)]
        fields = dict(told.fields)
        assert (fields["C"].decode(), fields["M"].decode()) == (sqlstate, message)
        assert b"h1dden" not in told.encode()


async def test_an_error_of_a_deferred_check_in_a_commit_of_its_own(loud: Proxy) -> None:
    said = [b"BEGIN", b"UPDATE loud SET age = 97 WHERE id = 1", b"COMMIT"]
    heard = await asked(loud, *[Query(each) for each in said])
    assert code(heard[-1]) == "P0001" and b"h1dden" not in heard[-1].encode()
    assert not [each for each in heard if each.TAG == b"N"]


async def test_a_constraint_names_its_invariant(loud: Proxy) -> None:
    async with RawClient.to(loud.port) as client:
        await client.log_in(database=loud.database)
        client.say(Query(b"UPDATE loud SET age = 1 WHERE id = 1"))
        heard, _ = await client.until(ReadyForQuery)
    assert isinstance(heard, ErrorResponse)
    assert dict(heard.fields)["H"] == b'the invariant "of_age" does not hold of the row'
    assert last(loud).invariants_checked == (InvariantChecked("of_age", "constraint", "broken"),)


async def test_a_trigger_gives_no_hint(loud: Proxy) -> None:
    async with RawClient.to(loud.port) as client:
        await client.log_in(database=loud.database)
        client.say(Query(b"UPDATE loud SET age = 99 WHERE id = 1"))
        heard, _ = await client.until(ReadyForQuery)
    assert isinstance(heard, ErrorResponse) and b"h1dden" not in heard.encode()
    assert [key for key, _ in heard.fields] == ["S", "V", "C", "M"]


async def test_notices_of_triggers_are_not_heard(loud: Proxy) -> None:
    heard = await asked(loud, Query(b"UPDATE loud SET age = 20 WHERE id = 1"))
    assert heard == [CommandComplete(b"UPDATE 1")]
