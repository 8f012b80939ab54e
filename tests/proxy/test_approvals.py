"""Approvals through a running proxy: held, granted by the command, run once, never twice."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import asyncpg
import psycopg
import pytest

from proxy.commands.main import main
from proxy.testing import PostgresServer, ProxyError, RunningProxy
from tests.conftest import StartProxy

RULES = """
version: 1
profile: internal
entities:
  orders: {tenant: tenant_id}
capabilities:
  browse: {select: [orders]}
  refund:
    update: {orders: {columns: [status]}}
    reason: optional
    approval: {by: [lead], ttl: 1m, gate: %s}
  close:
    update: {orders: {columns: [status]}}
    reason: optional
    approval: {by: [lead]}
    statement:
      sql: UPDATE orders SET status = $1 WHERE id = $2
      parameters: {status: text, id: integer}
roles:
  support: {can: [browse, refund, close]}
  lead: {can: [browse]}
subjects:
  - {login: agent, tenant: 1, roles: [support]}
  - {login: second, tenant: 1, roles: [support, lead]}
  - {login: other, tenant: 2, roles: [support]}
  - {login: boss, tenant: 1, roles: [lead]}
"""
SCHEMA = """
CREATE TABLE orders (id int PRIMARY KEY, tenant_id int NOT NULL, status text UNIQUE);
INSERT INTO orders SELECT i, 1 + i % 2, 'open ' || i FROM generate_series(1, 20) i;
"""
USERS = dict.fromkeys(("agent", "second", "other", "boss"), "pw")
REFUND = "UPDATE orders SET status = %s WHERE id = %s"
Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Place:
    """A database and a store, and what it takes to answer a request there."""

    def __init__(self, upstream: str, store: str, capture: Any) -> None:
        self.upstream = upstream
        self.store = store
        self._capture = capture

    def proxy(self, gate: str = "queue", **settings: str) -> RunningProxy:
        environment = {f"QUERYWARDEN_{name}": value for name, value in settings.items()}
        environment.setdefault("QUERYWARDEN_APPROVALS", self.store)
        return RunningProxy(
            rules=RULES % gate, users=USERS, upstream=self.upstream, environment=environment
        )

    def command(self, proxy: RunningProxy, *arguments: str) -> str:
        rules = str(proxy.directory / "rules.yaml")
        options = ["--approvals", self.store, "--rules", rules]
        status = main(["approvals", *arguments, *options])
        out, err = self._capture.readouterr()
        assert status == 0, err
        return str(out)


@pytest.fixture(scope="module")
def databases(postgres: PostgresServer) -> Iterator[tuple[str, str]]:
    yield postgres.create_database("held_shop", SCHEMA), postgres.create_database("held_store")
    postgres.drop_database("held_shop")
    postgres.drop_database("held_store")


@pytest.fixture
def place(
    databases: tuple[str, str], postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> Place:
    postgres.execute("held_shop", "UPDATE orders SET status = 'open ' || id")
    gone = "DELETE FROM querywarden.approvals"
    postgres.execute(
        "held_store", f"DO $$ BEGIN {gone}; EXCEPTION WHEN undefined_table THEN NULL; END $$"
    )
    return Place(*databases, capsys)


@pytest.fixture(scope="module")
def queue(databases: tuple[str, str], start_proxy: StartProxy) -> RunningProxy:
    upstream, store = databases
    environment = {"QUERYWARDEN_APPROVALS": store}
    return start_proxy(
        rules=RULES % "queue", users=USERS, upstream=upstream, environment=environment
    )


def connect(proxy: RunningProxy, login: str = "agent") -> psycopg.Connection[Any]:
    return psycopg.connect(proxy.dsn(login), autocommit=True)


def held(connection: psycopg.Connection[Any], *values: object, sql: str = REFUND) -> str:
    """The statement is held; its approval's id."""
    with pytest.raises(psycopg.Error) as raised:
        connection.execute(sql, values or None, prepare=True)
    diagnosis = raised.value.diag
    assert diagnosis.sqlstate == "QW001", diagnosis.message_primary
    said = json.loads(str(diagnosis.message_detail))
    assert said["state"] == "pending" and said["approval"] in str(diagnosis.message_hint)
    return str(said["approval"])


def status(place: Place, id: int) -> str:
    with psycopg.connect(place.upstream) as direct:
        row = direct.execute("SELECT status FROM orders WHERE id = %s", (id,)).fetchone()
        assert row is not None
        return str(row[0])


def recorded(proxy: RunningProxy, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 10
    while len(found := [r for r in proxy.records() if r["operation"] == "update"]) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_held_granted_run_once(place: Place, queue: RunningProxy) -> None:
    with connect(queue) as agent, connect(queue, "second") as second:
        id = held(agent, "secret-word", 2)
        assert held(agent, "secret-word", 2) == id
        others = {
            held(agent, "secret-word", 4),
            held(agent, "word", 2),
            held(second, "secret-word", 2),
        }
        assert len(others | {id}) == 4
        shown = place.command(queue, "show", id)
        assert "$1          'secret-word'" in shown and "$2          2" in shown
        place.command(queue, "grant", id, "--as", "boss")
        assert held(second, "secret-word", 2) in others
        assert agent.execute(REFUND, ("secret-word", 2)).rowcount == 1
        assert status(place, 2) == "secret-word"
        assert held(agent, "secret-word", 2) != id
        records = recorded(queue, 7)
        done = [record for record in records if record["outcome"] == "ok"]
        assert [(r["decision"], r["approval_id"], r["affected_rows"]) for r in done] == [
            ("rewrite", id, 1)
        ]
        assert {r["decision"] for r in records if r not in done} == {"hold"}
        assert records[0]["approval_id"] == id and records[0]["error"]["sqlstate"] == "QW001"
        assert "secret-word" not in json.dumps(records) + queue.log() + queue.http("/metrics")[1]


def test_simple_queries_and_literals(place: Place, queue: RunningProxy) -> None:
    sql = "UPDATE orders SET status = 'literal' WHERE id = 2"
    with connect(queue) as agent:
        agent.execute("SELECT 1")
        cursor = psycopg.ClientCursor(agent)
        with pytest.raises(psycopg.Error) as raised:
            cursor.execute(sql)
        id = json.loads(str(raised.value.diag.message_detail))["approval"]
        place.command(queue, "grant", id, "--as", "boss")
        traced = "/* traceparent='00-1' */ UPDATE orders  SET status = 'literal' WHERE id = 2"
        cursor.execute(traced)
        assert cursor.rowcount == 1 and status(place, 2) == "literal"
        inside = "WITH done AS (UPDATE orders SET status = %s WHERE id = %s RETURNING id) SELECT id"
        id = held(agent, "inside", 2, sql=f"{inside} FROM done")
        place.command(queue, "grant", id, "--as", "boss")
        assert agent.execute(f"{inside} FROM done", ("inside", 2)).fetchall() == [(2,)]
        with pytest.raises(psycopg.Error) as raised:
            cursor.execute(f"SELECT 1; {sql}")
        assert raised.value.sqlstate == "0A000"


def test_a_statement_of_the_rules(place: Place, queue: RunningProxy) -> None:
    with connect(queue) as agent:
        for sql, values in (
            ("EXECUTE close('closed', 2)", ()),
            ("EXECUTE close(%s, 2)", ("shut",)),
        ):
            id = held(agent, *values, sql=sql)
            place.command(queue, "grant", id, "--as", "boss")
            assert agent.execute(sql, values or None, prepare=True).rowcount == 1
    assert status(place, 2) == "shut"


def test_in_a_transaction_it_fails_as_any_error_does(place: Place, queue: RunningProxy) -> None:
    with connect(queue) as agent:
        with pytest.raises(psycopg.Error), agent.transaction():
            agent.execute("SELECT 1")
            id = held(agent, "refunded", 2)
            agent.execute("SELECT 1")
        place.command(queue, "grant", id, "--as", "boss")
        with agent.transaction():
            assert agent.execute("SELECT 1").fetchone() == (1,)


def test_a_restart_changes_nothing_and_changed_rules_do(place: Place) -> None:
    with place.proxy() as proxy, connect(proxy) as agent:
        id = held(agent, "refunded", 2)
        place.command(proxy, "grant", id, "--as", "boss")
    with place.proxy() as proxy, connect(proxy) as agent:
        assert 'querywarden_approvals{state="granted"} 1.0' in proxy.http("/metrics")[1]
        assert agent.execute(REFUND, ("refunded", 2), prepare=True).rowcount == 1
        id = held(agent, "again", 2)
        place.command(proxy, "grant", id, "--as", "boss")
        proxy.reload(proxy.rules + "\n# changed\n")
        assert held(agent, "again", 2) != id
    assert status(place, 2) == "refunded"


def test_two_sessions_race_for_one_grant(place: Place, queue: RunningProxy) -> None:
    """On two proxies, with the same statement: it runs once."""

    async def race(first: RunningProxy, second: RunningProxy, number: int) -> list[str]:
        connections = [await asyncpg.connect(p.dsn("agent")) for p in (first, second) * 2]
        sql, values = "UPDATE orders SET status = $1 WHERE id = $2", (f"race {number}", 2)
        try:
            with pytest.raises(asyncpg.PostgresError) as raised:
                await connections[0].execute(sql, *values)
            id = json.loads(str(raised.value.detail))["approval"]
            shown = await asyncio.to_thread(place.command, first, "show", id, "--json")
            assert json.loads(shown)["values"] == [f"'race {number}'", "2"]
            await asyncio.to_thread(place.command, first, "grant", id, "--as", "boss")
            runs = (one.execute(sql, *values) for one in connections)
            done = await asyncio.gather(*runs, return_exceptions=True)
        finally:
            for one in connections:
                await one.close()
        return [str(getattr(one, "sqlstate", one)) for one in done]

    with place.proxy() as second:
        for number in range(5):
            found = asyncio.run(race(queue, second, number))
            assert sorted(found) == ["QW001", "QW001", "QW001", "UPDATE 1"]


def test_a_failed_statement_has_used_its_grant(place: Place, queue: RunningProxy) -> None:
    with connect(queue) as agent:
        id = held(agent, "open 4", 2)
        place.command(queue, "grant", id, "--as", "boss")
        with pytest.raises(psycopg.errors.UniqueViolation) as raised:
            agent.execute(REFUND, ("open 4", 2))
        assert f"approval {id} is used up by this attempt" in str(raised.value.diag.message_hint)
        assert held(agent, "open 4", 2) != id


def test_a_statement_can_wait_for_its_grant_and_be_cancelled(place: Place) -> None:
    with place.proxy(APPROVAL_WAIT="20") as proxy, connect(proxy) as agent:
        done: list[int] = []
        waiting = threading.Thread(
            target=lambda: done.append(agent.execute(REFUND, ("waited", 2)).rowcount)
        )
        waiting.start()
        while not (listed := json.loads(place.command(proxy, "list", "--json"))):
            time.sleep(0.05)
        place.command(proxy, "grant", listed[0]["id"], "--as", "boss")
        waiting.join(10)
        assert done == [1] and status(place, 2) == "waited"
        timer = threading.Timer(0.5, agent.cancel)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            agent.execute(REFUND, ("never", 2))
        assert agent.execute("SELECT 1").fetchone() == (1,)


def test_auto_is_recorded_and_runs(place: Place) -> None:
    with place.proxy("auto") as proxy, connect(proxy) as agent:
        assert agent.execute(REFUND, ("auto", 2)).rowcount == 1
        (record,) = recorded(proxy, 1)
        shown = json.loads(place.command(proxy, "show", record["approval_id"], "--json"))
        assert (shown["state"], shown["decided_via"], shown["values"]) == ("used", "auto", None)


def test_a_web_service_answers(place: Place) -> None:
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            answer = json.dumps({"decision": body["values"][0].strip("'")}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/ask"
    settings = {"APPROVAL_HOOK": url, "APPROVAL_HOOK_KEY": "k" * 16}
    with place.proxy("callback", **settings) as proxy, connect(proxy) as agent:
        assert agent.execute(REFUND, ("granted", 2)).rowcount == 1
        with pytest.raises(psycopg.Error) as raised:
            agent.execute(REFUND, ("refused", 2))
        assert json.loads(str(raised.value.diag.message_detail))["state"] == "refused"
        id = held(agent, "pending", 2)
        place.command(proxy, "grant", id, "--as", "boss")
        assert agent.execute(REFUND, ("pending", 2)).rowcount == 1
    server.shutdown()
    server.server_close()
    assert [one["login"] for one in asked] == ["agent"] * 3


def test_a_store_that_goes_away_refuses_and_comes_back(
    place: Place, queue: RunningProxy, postgres: PostgresServer
) -> None:
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'held_store';"
    with connect(queue) as agent:
        id = held(agent, "refunded", 2)
        place.command(queue, "grant", id, "--as", "boss")
        postgres.execute("postgres", "ALTER DATABASE held_store ALLOW_CONNECTIONS false;" + end)
        with pytest.raises(psycopg.Error) as raised:
            agent.execute(REFUND, ("refunded", 2))
        assert raised.value.sqlstate == "58000"
        assert agent.execute("SELECT count(*) FROM orders").fetchone() == (10,)
        postgres.execute("postgres", "ALTER DATABASE held_store ALLOW_CONNECTIONS true;")
        assert agent.execute(REFUND, ("refunded", 2)).rowcount == 1
        assert "the approval store cannot be asked" in queue.log(), queue.log()


@pytest.mark.parametrize(
    ("gate", "settings", "said"),
    [
        ("queue", {"APPROVALS": ""}, "the rules ask for approvals, which are kept in a PostgreSQL"),
        ("callback", {}, "set QUERYWARDEN_APPROVAL_HOOK, QUERYWARDEN_APPROVAL_HOOK_KEY"),
        ("queue", {"APPROVALS": "same"}, "the upstream's login can reach it"),
        ("queue", {"APPROVALS": "postgresql://u:hunter2@127.0.0.1:1/x"}, "no connection"),
    ],
)
def test_it_does_not_start_without_what_it_takes(
    place: Place, gate: str, settings: dict[str, str], said: str
) -> None:
    given = {name: value.replace("same", place.upstream) for name, value in settings.items()}
    with pytest.raises(ProxyError) as raised:
        place.proxy(gate, **given).start()
    assert said in str(raised.value) and "hunter2" not in str(raised.value)
