"""proxy/app.py as a process: start, reload, readiness, drain, and what keeps it from starting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from policies.rules import parse
from proxy.app import uses_hash
from proxy.oplog import chain
from proxy.testing import PostgresServer, RunningProxy

RULES = """
version: 1
profile: internal
entities:
  users: {tenant: tenant_id, columns: {ssn: deny, name: {hash: names}}}
capabilities:
  browse: {select: [users]}
roles:
  support: {can: [browse]}
  admin: {can: [browse], mode: bypass}
subjects:
  - {login: acme, tenant: 1, roles: [support]}
  - {login: root, tenant: 1, roles: [admin]}
"""
MORE = RULES.replace("ssn: deny, ", "ssn: show, ")
SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, tenant_id int NOT NULL, name text, ssn text);
INSERT INTO users VALUES (1, 1, 'Ann', '111'), (2, 2, 'Bob', '222');
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_reader') THEN
    CREATE ROLE app_reader LOGIN;
  END IF;
END $$;
GRANT SELECT ON users TO app_reader;
"""
USERS = {"acme": "pw", "root": "pw", "stranger": "pw"}


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    postgres.create_database("app_test", SCHEMA)
    yield postgres.dsn("app_test", "app_reader")
    postgres.drop_database("app_test")


@pytest.fixture
def proxy(database: str) -> Iterator[RunningProxy]:
    with RunningProxy(rules=RULES, users=USERS, upstream=database) as running:
        yield running


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def columns(proxy: RunningProxy, login: str = "acme") -> list[str]:
    with psycopg.connect(proxy.dsn(login)) as connection:
        description = connection.execute("SELECT * FROM users").description
    return [column.name for column in description or ()]


def test_a_statement_leaves_rows_a_record_and_metrics(proxy: RunningProxy) -> None:
    with psycopg.connect(proxy.dsn("acme"), autocommit=True) as connection:
        assert connection.execute("SELECT id FROM users").fetchall() == [(1,)]
        with pytest.raises(psycopg.Error):
            connection.execute("DELETE FROM users")
    wait_for(lambda: len(proxy.records()) >= 2)
    allowed, refused = proxy.records()[:2]
    assert (allowed["decision"], allowed["outcome"], allowed["row_count"]) == ("rewrite", "ok", 1)
    assert allowed["principal"]["user"] == "acme"
    assert (refused["decision"], refused["error"]["sqlstate"]) == ("deny", "25006")
    assert chain.verify([proxy.directory / "records"]).broken is None
    metrics = proxy.http("/metrics")[1]
    assert 'decision="rewrite",entity="users",operation="select"' in metrics
    assert 'reason="WRITE_DISABLED"' in metrics
    assert 'querywarden_unenforced_roles{mode="bypass"} 1.0' in metrics


def test_what_weakens_enforcement_is_said_at_the_start(proxy: RunningProxy) -> None:
    assert "WARNING proxy.app rules role admin is in mode bypass" in proxy.log()
    assert " INFO proxy.app ready listen=127.0.0.1:" in proxy.log()
    assert "pw" not in proxy.log()


def test_new_rules_by_signal_reach_clients_that_are_connected(proxy: RunningProxy) -> None:
    with psycopg.connect(proxy.dsn("acme"), autocommit=True) as connection:
        before = connection.execute("SELECT * FROM users").description or ()
        proxy.reload(MORE)
        after = connection.execute("SELECT * FROM users").description or ()
    assert "ssn" not in [column.name for column in before]
    assert "ssn" in [column.name for column in after]
    assert 'querywarden_rules_reload_total{result="ok"} 1.0' in proxy.http("/metrics")[1]


def test_a_changed_file_is_noticed_without_a_signal(proxy: RunningProxy) -> None:
    (proxy.directory / "rules.yaml").write_text(MORE)
    wait_for(lambda: "rules file changed rules: version" in proxy.log())
    assert "ssn" in columns(proxy)
    with (proxy.directory / "userlist.txt").open("a") as file:
        file.write('"late" "pw"\n')
    wait_for(lambda: "auth file changed logins: 4" in proxy.log())


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            RULES.replace("browse: {select", "browse: {selct"),
            "rules.yaml:7:12: capabilities.browse",
        ),
        ("version: 1\nentities: {", "rules.yaml:2:"),
        ("", "rules.yaml"),
    ],
    ids=["field", "yaml", "empty"],
)
def test_broken_rules_never_replace_good_ones(proxy: RunningProxy, broken: str, said: str) -> None:
    (proxy.directory / "rules.yaml").write_text(broken)
    os.kill(proxy.pid, signal.SIGHUP)
    wait_for(lambda: "rules: refused" in proxy.log())
    assert f"ERROR proxy.app rules refused problem={proxy.directory}/{said}" in proxy.log()
    assert columns(proxy) == ["id", "tenant_id", "name"]
    assert proxy.http("/readyz")[0] == 200
    metrics = proxy.http("/metrics")[1]
    assert 'querywarden_rules_reload_total{result="refused"} 1.0' in metrics
    proxy.reload(MORE)
    assert "ssn" in columns(proxy)


def test_a_new_column_is_seen_after_a_refresh(
    proxy: RunningProxy, postgres: PostgresServer
) -> None:
    postgres.execute("app_test", "ALTER TABLE users ADD COLUMN city text")
    try:
        os.kill(proxy.pid, signal.SIGHUP)
        wait_for(lambda: "reloaded" in proxy.log())
        assert columns(proxy) == ["id", "tenant_id", "name", "city"]
    finally:
        postgres.execute("app_test", "ALTER TABLE users DROP COLUMN city")
    # until the next refresh the view names a column that has gone: an error, never the raw table
    with pytest.raises(psycopg.errors.UndefinedColumn):
        columns(proxy)
    os.kill(proxy.pid, signal.SIGHUP)
    wait_for(lambda: proxy.log().count("reloaded") == 2)
    assert columns(proxy) == ["id", "tenant_id", "name"]


def test_readiness_follows_the_records_and_the_proxy_goes_on(database: str) -> None:
    with RunningProxy(rules=RULES, users=USERS, upstream=database) as proxy:
        path = proxy.directory / "records"
        with psycopg.connect(proxy.dsn("acme"), autocommit=True) as connection:
            connection.execute("SELECT 1")
            wait_for(lambda: path.exists() and proxy.records())
            path.unlink()
            path.mkdir()  # a place no record can be written to
            connection.execute("SELECT 2")
            wait_for(lambda: proxy.http("/readyz")[0] == 503)
            assert "Is a directory" in proxy.http("/readyz")[1]
            assert proxy.http("/healthz")[0] == 200
            assert connection.execute("SELECT id FROM users").fetchall() == [(1,)]
            path.rmdir()
            wait_for(lambda: proxy.http("/readyz")[0] == 200)
        wait_for(lambda: len(proxy.records()) >= 2)


def test_sigterm_lets_a_transaction_finish(proxy: RunningProxy) -> None:
    with psycopg.connect(proxy.dsn("acme")) as connection:
        connection.execute("SELECT 1")
        os.kill(proxy.pid, signal.SIGTERM)
        wait_for(lambda: proxy.http("/readyz")[0] == 503)
        assert '"clients":"draining"' in proxy.http("/readyz")[1]
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(proxy.dsn("acme"))
        assert connection.execute("SELECT id FROM users").fetchall() == [(1,)]
        connection.commit()
    assert proxy.stop() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(proxy: RunningProxy, second: signal.Signals) -> None:
    with psycopg.connect(proxy.dsn("acme")) as connection:
        connection.execute("SELECT 1")
        os.kill(proxy.pid, signal.SIGTERM)
        wait_for(lambda: "stopping" in proxy.log())
        before = time.monotonic()
        os.kill(proxy.pid, second)
        wait_for(lambda: "stopped" in proxy.log())
        assert time.monotonic() - before < 5
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
            connection.execute("SELECT 1")


def test_sigint_ends_open_transactions(proxy: RunningProxy) -> None:
    connection = psycopg.connect(proxy.dsn("acme"))
    connection.execute("SELECT 1")
    os.kill(proxy.pid, signal.SIGINT)
    wait_for(lambda: "stopped" in proxy.log())
    with pytest.raises(psycopg.errors.AdminShutdown):
        connection.execute("SELECT 1")
    connection.close()
    ended = os.waitid(os.P_PID, proxy.pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    assert (ended.si_code, ended.si_status) == (os.CLD_EXITED, 0)


def test_one_client_more_than_allowed_is_turned_away(database: str) -> None:
    arguments = ["--max-clients", "1"]
    with RunningProxy(rules=RULES, users=USERS, upstream=database, arguments=arguments) as proxy:
        with psycopg.connect(proxy.dsn("acme")):
            with pytest.raises(psycopg.OperationalError, match="too many clients already"):
                psycopg.connect(proxy.dsn("acme"))
            wait_for(lambda: 'sqlstate_class="53"' in proxy.http("/metrics")[1])
        wait_for(lambda: "querywarden_clients 0.0" in proxy.http("/metrics")[1])
        assert columns(proxy) == ["id", "tenant_id", "name"]


def serve(folder: Path, upstream: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run `serve` with something wrong; it must end by itself."""
    (folder / "rules.yaml").write_text(changes.pop("rules", None) or RULES)
    (folder / "users").write_text('"acme" "pw"\n')
    values: dict[str, str | None] = {
        "rules": str(folder / "rules.yaml"), "auth_file": str(folder / "users"),
        "upstream": upstream, "listen": "127.0.0.1:0", "admin": "127.0.0.1:0",
        "hash_key": "k" * 32, **changes,
    }  # fmt: skip
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("QUERYWARDEN")
    }
    environment |= {f"QUERYWARDEN_{name.upper()}": v for name, v in values.items() if v is not None}
    return subprocess.run(
        [sys.executable, "-c", "from proxy.commands.main import main; raise SystemExit(main())",
         "serve"],
        env=environment, capture_output=True, text=True, timeout=30, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hash_key": None}, "set QUERYWARDEN_HASH_KEY"),
        ({"auth_file": "/nowhere"}, "/nowhere: cannot be read"),
        (
            {"rules": RULES.replace("tenant: tenant_id", "tenat: tenant_id")},
            "did you mean `tenant`",
        ),
        ({"upstream": "postgresql://u:hunter2@127.0.0.1:1/x"}, "cannot connect to the upstream"),
        ({"upstream": "postgresql://u:hunter2@h/x?sslmode=require"}, "TLS to the upstream"),
        ({"listen": "192.0.2.1:6432"}, "cannot listen on 192.0.2.1:6432"),
    ],
    ids=["key", "logins", "rules", "upstream", "tls", "listen"],
)
def test_what_keeps_it_from_starting_is_one_line(
    tmp_path: Path, database: str, changes: dict[str, str | None], said: str
) -> None:
    done = serve(tmp_path, **{"upstream": database, **changes})  # type: ignore[arg-type]
    errors = [line for line in done.stderr.splitlines() if line.startswith("querywarden: ")]
    assert done.returncode == 1
    assert len(errors) == 1
    assert said in errors[0]
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_the_port_of_another_program_is_an_error(tmp_path: Path, proxy: RunningProxy) -> None:
    done = serve(tmp_path, proxy.upstream, listen=f"127.0.0.1:{proxy.port}")
    assert done.returncode == 1
    assert "in use" in done.stderr


def test_which_rules_need_a_key() -> None:
    assert uses_hash(parse(RULES, "rules"))
    assert not uses_hash(parse(RULES.replace("{hash: names}", "show"), "rules"))
