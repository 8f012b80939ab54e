"""Writes within their limits: a client sees through the proxy, byte for byte, what PostgreSQL says
to it, although each write is held until it is counted (proxy/net/steps.py, proxy/net/writing.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from proxy.testing import PostgresServer
from proxy.wire.messages import (
    Bind,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    Execute,
    Flush,
    Message,
    Parse,
    Query,
    Sync,
)
from tests.proxy.test_listener import Proxy
from tests.proxy.writes import SCHEMA, WritingEngine, both

Turn = list[Message]


def queries(*texts: str) -> list[Turn]:
    return [[Query(text.encode())] for text in texts]


def prepared(text: str, *values: bytes, rows: int = 0, name: bytes = b"") -> Turn:
    return [Parse(name, text.encode()), Bind(b"", name, (), values), Describe(b"P"),
            Execute(b"", rows)]  # fmt: skip


COPIED = [CopyData(b"50\t1\ta\t\\N\n"), CopyData(b"51\t2\tb\t\\N\n"), CopyDone()]

CONVERSATIONS: dict[str, list[Turn]] = {
    "one statement": queries(
        "UPDATE t SET n = 1 WHERE id = 1",
        "INSERT INTO t VALUES (20, 1, 'a', 'b') RETURNING id, s",
        "DELETE FROM t WHERE id = 20 RETURNING *",
        "UPDATE t SET n = 1 WHERE id = -1 RETURNING n",
        "MERGE INTO t USING (VALUES (1)) v (i) ON t.id = v.i WHEN MATCHED THEN UPDATE SET n = 7",
    ),
    "several statements are one transaction": queries(
        "UPDATE t SET n = 2 WHERE id = 2; SELECT n FROM t WHERE id = 2; SHOW TimeZone",
        "UPDATE t SET n = 3 WHERE id = 2; SELECT 1/0; UPDATE t SET n = 4 WHERE id = 3",
        "SELECT n FROM t WHERE id = 2; UPDATE t SET s = 'z' WHERE id = 2",
        "UPDATE t SET n = 4 WHERE id = 2; SELECT 1/(n - n) FROM t WHERE id = 2",
        "UPDATE t SET n = 4 WHERE id = 2;; ; UPDATE t SET n = 5 WHERE id = 3;",
    ),
    "transactions": [
        *queries(
            "BEGIN; UPDATE t SET n = 10 WHERE id = 4; COMMIT; UPDATE t SET n = 11 WHERE id = 4",
            "BEGIN",
            "UPDATE t SET n = 12 WHERE id = 4; SAVEPOINT a; UPDATE t SET n = 13 WHERE id = 4",
            "UPDATE t SET n = 5000 WHERE id = 4",
            "SELECT 1; UPDATE t SET n = 14 WHERE id = 4",
            "ROLLBACK TO a; UPDATE t SET n = 15 WHERE id = 4 RETURNING n; COMMIT",
            "UPDATE t SET n = 16 WHERE id = 4; BEGIN; UPDATE t SET n = 17 WHERE id = 4",
            "ROLLBACK; UPDATE t SET n = 18 WHERE id = 4; SELECT n FROM t WHERE id = 4",
            "UPDATE t SET n = 19 WHERE id = 4; COMMIT",
            "UPDATE t SET n = 20 WHERE id = 4; ROLLBACK",
            "UPDATE t SET n = 21 WHERE id = 4; SAVEPOINT x",
            "SAVEPOINT x; UPDATE t SET n = 21 WHERE id = 4",
            "SELECT n FROM t WHERE id = 4",
            "BEGIN READ ONLY; UPDATE t SET n = 1 WHERE id = 1",
            "ROLLBACK",
        ),
    ],
    "statements that want a transaction block": queries(
        "BEGIN; DECLARE c CURSOR FOR SELECT 1 i; UPDATE t SET n = 1 WHERE id = 1; FETCH c; COMMIT",
        "SET LOCAL work_mem = '5MB'; UPDATE t SET n = 1 WHERE id = 1; SHOW work_mem",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; UPDATE t SET n = 1 WHERE id = 1;"
        " SHOW transaction_isolation",
        "UPDATE t SET n = 1 WHERE id = 1; SET LOCAL work_mem = '5MB'",
        "SET LOCAL work_mem = '5MB'; UPDATE t SET n = 5000 WHERE id = 1",
        "SHOW work_mem; SET LOCAL work_mem = '5MB'; UPDATE t SET n = 1 WHERE id = 1",
        "BEGIN",
        "SELECT 1/0",
        "SET LOCAL work_mem = '5MB'; UPDATE t SET n = 1 WHERE id = 1",
        "ROLLBACK; SET LOCAL work_mem = '5MB'; UPDATE t SET n = 1 WHERE id = 1; SHOW work_mem",
        "COMMIT; SAVEPOINT a; UPDATE t SET n = 1 WHERE id = 1",
        "RELEASE a; UPDATE t SET n = 1 WHERE id = 1",
    ),
    "errors": queries(
        "UPDATE nowhere SET n = 1",
        "SELECT 1; UPDATE t SET wrong = 1 WHERE id = 1",
        "UPDATE t SET n = 'é' WHERE id = 1",
        "SELECT 'é'; UPDATE t SET n = 1 WHERE id = $1",
        "UPDATE t SET n = $2 WHERE id = 1",
        "UPDATE t SET n = 1 WHERE id = 1; SELECT $1",
        "INSERT INTO child VALUES (1, -1)",
        "INSERT INTO child VALUES (2, 1) RETURNING id; SELECT 2",
        "BEGIN; INSERT INTO child VALUES (3, -1); COMMIT; SELECT 3",
        "INSERT INTO child VALUES (3, -1); SELECT 3",
        "INSERT INTO child VALUES (3, -1); SHOW work_mem",
        "COMMIT; INSERT INTO child VALUES (3, -1); BEGIN",
        "COMMIT",
        "SHOW nothing; UPDATE t SET n = 1 WHERE id = 1",
        "UPDATE t SET n = 1 WHERE id = 1; SHOW nothing",
    ),
    "extended": [
        [*prepared("UPDATE t SET n = $1 WHERE id = 5", b"1"), Sync()],
        [*prepared("UPDATE t SET n = $1 WHERE id = 5 RETURNING n, s", b"2"), Sync()],
        [*prepared("UPDATE t SET n = $1 WHERE id = 5", b"3"), *prepared("SELECT 1"), Sync()],
        [*prepared("UPDATE t SET n = 4 WHERE id = 5"), *prepared("SELECT 1/0"),
         *prepared("UPDATE t SET n = 5 WHERE id = 5"), Sync(), *prepared("SELECT 1"), Sync()],
        [Parse(b"u", b"UPDATE t SET n = $1 WHERE id = $2 RETURNING n", (23, 23)),
         Describe(b"S", b"u"), Sync()],
        [*[each for n in (b"6", b"7", b"8")
           for each in (Bind(b"", b"u", (), (n, b"6")), Execute())], Sync()],
        [Bind(b"p", b"u", (), (b"1", b"7")), Execute(b"p"), Close(b"P", b"p"), Flush(), Sync()],
        [Bind(b"", b"u", (1,), (b"\0\0\0\1", b"\0\0\0\7"), (1,)), Execute(), Sync()],
        [Bind(b"", b"u", (), (b"x", b"7")), Execute(), Sync()],
        [*prepared("BEGIN"), Sync(), *prepared("INSERT INTO child VALUES (8, -1)"), Sync(),
         *prepared("COMMIT"), Sync(), Query(b"SELECT count(*) FROM child")],
        [*prepared("INSERT INTO child VALUES (9, -1)"), Sync()],
        [Parse(b"", b"UPDATE t SET n = 1 WHERE id = 5"), Query(b"UPDATE t SET n = 2 WHERE id = 5"),
         Bind(b"", b""), Execute(), Sync()],
    ],
    "row limits of Execute": [
        [*prepared("UPDATE t SET n = n WHERE id < 4 RETURNING id", rows=1), Sync()],
        [*prepared("UPDATE t SET n = n WHERE id < 4 RETURNING id", rows=3), Sync()],
        [*prepared("UPDATE t SET n = n WHERE id < 4 RETURNING id", rows=4), Sync()],
        [*prepared("UPDATE t SET n = n WHERE id < 4", rows=1), Sync()],
        [Parse(b"", b"UPDATE t SET n = n WHERE id < 4 RETURNING id"), Bind(b"p", b""),
         Execute(b"p", 1), Execute(b"p", 1), Execute(b"p", 1), Execute(b"p", 1), Sync()],
        [Parse(b"", b"UPDATE t SET n = n WHERE id < 4 RETURNING id"), Bind(b"p", b""),
         Execute(b"p", 2), Flush(), Execute(b"p", 0), Sync()],
        [*prepared("BEGIN"), Parse(b"", b"DELETE FROM log WHERE n = -1 RETURNING n"),
         Bind(b"p", b""), Execute(b"p", 2), Sync(), Execute(b"p", 1), Sync(), Query(b"ROLLBACK")],
    ],
    "copy": [
        [Query(b"COPY t FROM STDIN"), *COPIED],
        [Query(b"SELECT id FROM t WHERE id > 49"), Query(b"DELETE FROM t WHERE id > 49")],
        [*prepared("COPY t FROM STDIN"), *COPIED, Sync()],
        [*prepared("COPY t FROM STDIN"), Sync(), Flush(), *COPIED, Sync()],
        [*prepared("COPY t FROM STDIN"), *COPIED, Sync()],
        [Query(b"DELETE FROM t WHERE id > 49; COPY t FROM STDIN; SELECT 1"), *COPIED],
        [Query(b"DELETE FROM t WHERE id > 49; COPY t FROM STDIN; SELECT 1"), COPIED[0],
         CopyFail(b"changed my mind"), Query(b"SELECT 1")],
        [Query(b"COPY t FROM STDIN"), CopyData(b"1\t1\ta\t\\N\n"), *COPIED, Query(b"SELECT 1")],
        [Query(b"COPY t FROM STDIN"), CopyData(b"x\t1\ta\t\\N\n"), *COPIED, Query(b"SELECT 1")],
        [*prepared("COPY t FROM STDIN"), CopyData(b"1\t1\n"), *COPIED, Sync(), Query(b"SELECT 1")],
        [Query(b"COPY t (id, n) FROM STDIN (FORMAT csv)"), CopyData(b"90,1\n91"), CopyData(b",2\n"),
         CopyDone()],
        [Query(b"COPY (SELECT 1) TO STDOUT; DELETE FROM t WHERE id = 90")],
        [Query(b"DELETE FROM t WHERE id = 91; COPY (SELECT 1) TO STDOUT")],
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def databases(postgres: PostgresServer) -> Iterator[tuple[str, str]]:
    names = ("writes_direct", "writes_proxied")
    yield (postgres.create_database(names[0], SCHEMA), postgres.create_database(names[1], SCHEMA))


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_a_client_hears_what_postgresql_says(name: str, databases: tuple[str, str]) -> None:
    direct, proxied = databases
    with Proxy(proxied, WritingEngine()) as proxy:
        heard, expected = await both(proxy.port, direct, proxied, CONVERSATIONS[name])
    for turn, got, wanted in zip(CONVERSATIONS[name], heard, expected, strict=True):
        assert got == wanted, turn
    assert table(direct) == table(proxied)


def table(dsn: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT * FROM t ORDER BY id").fetchall()
        return rows + connection.execute("SELECT * FROM child ORDER BY id").fetchall()
