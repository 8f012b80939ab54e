"""Nothing is half done when somebody dies in the middle of a write, and the record says so.

Each write is stopped by a lock (or in the middle of its data) when the proxy is killed, the server
ends its connection, the server falls over, or the client is gone. Then either all of it holds or
nothing, and no record of a write that does not hold says that it went well.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from proxy.oplog import chain
from proxy.testing import EmbeddedPostgres, RunningProxy
from tests.attacks.wire_client import (
    WireClient,
    bind,
    errors,
    execute,
    flush,
    frame,
    parse,
    query,
    rows,
    sync,
)

RULES = """
version: 1
profile: dev
entities:
  accounts: {tenant: tenant_id}
capabilities:
  keep:
    select: [accounts]
    insert: {accounts: {columns: [id, amount], rows: 1000}}
    update: {accounts: {columns: [amount], rows: 1000, key: false}}
    delete: {accounts: {rows: 1000, key: false}}
    copy: true
roles:
  clerk: {can: [keep]}
subjects:
  - {login: clerk, tenant: 1, roles: [clerk]}
"""
SCHEMA = """
DROP TABLE IF EXISTS accounts;
CREATE TABLE accounts (id int PRIMARY KEY, tenant_id int NOT NULL, amount int NOT NULL);
INSERT INTO accounts VALUES (9, 2, 0), (1, 1, 0), (2, 1, 0), (3, 1, 0);
DO $$BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$;
GRANT ALL ON accounts TO clerk;
"""
DATABASE = "crashes"
FAILED = ("abandoned", "failed", "cancelled")
UNTOUCHED = [(1, 0), (2, 0), (3, 0), (9, 0)]
ADDED = "UPDATE accounts SET amount = amount + 1 WHERE id IN (%s)"
PATIENCE = 20.0


@dataclass(frozen=True)
class Write:
    """Messages sent one after the other: all but the last are answered, the last meets the lock.

    `done`: what the table holds when all of it was done. `whole`: it may hold although somebody
    died, since PostgreSQL was told to commit it before.
    """

    first: tuple[bytes, ...]
    last: bytes
    done: list[tuple[int, int]]
    whole: bool
    locked: bool = True


def _run(sql: str) -> bytes:
    return parse("", sql) + bind("", "") + execute("")


ALL_ADDED = [(1, 1), (2, 1), (3, 1), (9, 0)]
COPIED = frame(b"d", b"11\t1\t5\n12\t1\t5\n")
WRITES = {
    "query": Write((), query(ADDED % "1, 2, 3"), ALL_ADDED, whole=True),
    "query of two": Write(
        (), query(f"{ADDED % '1, 2'}; {ADDED % '3'}"), ALL_ADDED, whole=True
    ),
    "in a transaction": Write(
        (query("BEGIN"), query(ADDED % "1, 2")), query(ADDED % "3"), ALL_ADDED, whole=False
    ),
    "extended": Write((), _run(ADDED % "1, 2, 3") + sync(), ALL_ADDED, whole=True),
    "pipeline": Write(
        (), _run(ADDED % "1, 2") + _run(ADDED % "3") + flush(), ALL_ADDED, whole=False
    ),
    "delete": Write((), query("DELETE FROM accounts"), [(9, 0)], whole=True),
    "copy": Write(
        (query("COPY accounts (id, tenant_id, amount) FROM STDIN"),), COPIED, [],
        whole=False, locked=False,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of its own: it falls over."""
    with EmbeddedPostgres() as started:
        started.create_database(DATABASE, SCHEMA)
        yield started


@pytest.fixture(scope="module")
def started(server: EmbeddedPostgres) -> Iterator[Callable[[], RunningProxy]]:
    """Gives a running proxy: the one from before unless that was killed."""
    proxies: list[RunningProxy] = []
    with ExitStack() as stack:

        def running() -> RunningProxy:
            if not proxies or proxies[-1].http("/healthz")[0] != 200:
                upstream = server.dsn(DATABASE, "clerk")
                made = RunningProxy(rules=RULES, users={"clerk": "pw"}, upstream=upstream)
                proxies.append(stack.enter_context(made))
            return proxies[-1]

        yield running


@pytest.fixture
def proxy(server: EmbeddedPostgres, started: Callable[[], RunningProxy]) -> RunningProxy:
    """A proxy that may be killed, before fresh rows."""
    server.execute(DATABASE, SCHEMA, "CHECKPOINT")
    return started()


Victim = Callable[[RunningProxy, WireClient, EmbeddedPostgres], None]


def kill_proxy(proxy: RunningProxy, client: WireClient, server: EmbeddedPostgres) -> None:
    os.kill(proxy.pid, signal.SIGKILL)
    assert client.rest() is not None


def end_upstream(proxy: RunningProxy, client: WireClient, server: EmbeddedPostgres) -> None:
    server.execute(DATABASE, f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) q")


def fell_server(proxy: RunningProxy, client: WireClient, server: EmbeddedPostgres) -> None:
    os.kill(int(server.execute(DATABASE, BACKENDS)), signal.SIGKILL)


def close_client(proxy: RunningProxy, client: WireClient, server: EmbeddedPostgres) -> None:
    client.socket.shutdown(socket.SHUT_RDWR)
    client.close()


def reset_client(proxy: RunningProxy, client: WireClient, server: EmbeddedPostgres) -> None:
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


BACKENDS = "SELECT pid FROM pg_stat_activity WHERE usename = 'clerk' AND state <> 'idle'"
DIES: dict[str, Victim] = {
    "proxy": kill_proxy,
    "connection": end_upstream,
    "client": close_client,
    "client resets": reset_client,
}


@pytest.mark.parametrize("dies", DIES)
@pytest.mark.parametrize("name", WRITES)
def test_all_or_nothing(
    name: str, dies: str, server: EmbeddedPostgres, proxy: RunningProxy
) -> None:
    write, since = WRITES[name], len(proxy.records())
    held = _die_in_the_middle(write, DIES[dies], server, proxy)
    allowed = [UNTOUCHED, write.done] if write.whole and dies != "connection" else [UNTOUCHED]
    assert held in allowed
    _records_agree(proxy, since, done=held == write.done, alive=dies != "proxy")


def test_the_server_falls_over(server: EmbeddedPostgres, proxy: RunningProxy) -> None:
    since = len(proxy.records())
    held = _die_in_the_middle(WRITES["query of two"], fell_server, server, proxy)
    assert held == UNTOUCHED
    _records_agree(proxy, since, done=False, alive=True)


def test_without_a_death_all_of_it_holds(server: EmbeddedPostgres, proxy: RunningProxy) -> None:
    since = len(proxy.records())
    for name in ("query of two", "pipeline"):
        server.execute(DATABASE, SCHEMA)
        with WireClient.login("127.0.0.1", proxy.port, "clerk", "pw", DATABASE) as client:
            client.send(WRITES[name].last + sync())
            client.until(b"Z")
        assert _rows(server) == WRITES[name].done
    _wait(lambda: len(_outcomes(proxy, since)) == 4, "no records")
    assert _outcomes(proxy, since) == ["ok"] * 4


def _die_in_the_middle(
    write: Write, victim: Victim, server: EmbeddedPostgres, proxy: RunningProxy
) -> list[tuple[int, int]]:
    """What the table holds after somebody died while the write waited for a lock on account 3."""
    with (
        closing(psycopg.connect(server.dsn(DATABASE))) as holder,
        closing(WireClient.login("127.0.0.1", proxy.port, "clerk", "pw", DATABASE)) as client,
    ):
        for message in write.first:
            client.send(message)
            answer = client.until(b"Z", b"G")
            assert not errors(answer), errors(answer)
        if write.locked:
            holder.execute("SELECT FROM accounts WHERE id = 3 FOR UPDATE")
        client.send(write.last)
        _wait(lambda: not write.locked or _waiting(server), "the write does not wait")
        victim(proxy, client, server)
        if victim is not fell_server:
            holder.rollback()
        _wait(lambda: _quiet(server), "a connection upstream stays busy")
    return _rows(server)


def _records_agree(proxy: RunningProxy, since: int, *, done: bool, alive: bool) -> None:
    """The chain holds; a write that was not done is recorded, not as done and committed."""
    if alive:
        with WireClient.login("127.0.0.1", proxy.port, "clerk", "pw", DATABASE) as client:
            assert rows(client.query("SELECT count(*) FROM accounts"))
        _wait(lambda: bool(_outcomes(proxy, since)), "no record of the write")
        if not done:
            _wait(lambda: _tells(proxy, since), "it is recorded as done")
    path = proxy.directory / "records"
    if path.exists() and path.read_bytes().endswith(b"\n"):
        assert chain.verify([path]).broken is None


def _outcomes(proxy: RunningProxy, since: int) -> list[str]:
    records = proxy.records()[since:]
    return [r["outcome"] for r in records if r["operation"] in ("update", "delete", "copy")]


def _tells(proxy: RunningProxy, since: int) -> bool:
    """The last write went wrong, or was part of a transaction that has no end."""
    operations = [record["operation"] for record in proxy.records()[since:]]
    open_end = "begin" in operations and "commit" not in operations
    return open_end or _outcomes(proxy, since)[-1] in FAILED


def _rows(
    server: EmbeddedPostgres, sql: str = "SELECT id, amount FROM accounts ORDER BY id"
) -> Any:
    with psycopg.connect(server.dsn(DATABASE), autocommit=True) as connection:
        return connection.execute(sql).fetchall()


def _waiting(server: EmbeddedPostgres) -> bool:
    return bool(_rows(server, f"{BACKENDS} AND wait_event_type = 'Lock'"))


def _quiet(server: EmbeddedPostgres) -> bool:
    """Whether the server answers and does nothing for the proxy; one that falls over has been
    started again by then, since it shows the dead connection until it is."""
    try:
        return not _rows(server, BACKENDS)
    except psycopg.OperationalError:
        return False


def _waiting(server: EmbeddedPostgres) -> bool:
    return bool(_rows(server, f"{BACKENDS} AND wait_event_type = 'Lock'"))


def _answers(server: EmbeddedPostgres) -> bool:
    try:
        return bool(_rows(server))
    except psycopg.OperationalError:
        return False


def _wait(condition: Callable[[], bool], failure: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.02)
