"""proxy/commands: what each prints and how each ends. serve is in test_app, demo in test_demo.

Covers proxy/commands/main.py, proxy/commands/serve.py, proxy/commands/check.py,
proxy/commands/explain.py, proxy/commands/passwd.py, proxy/commands/schema.py,
proxy/commands/ops.py, proxy/oplog/search.py and proxy/commands/demo.py.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy import __version__
from proxy.auth import Userlist
from proxy.commands.main import COMMANDS, main
from proxy.config import NO_FLAG, Settings, flag, shipped_rules, variable
from proxy.demo_data import TABLES
from proxy.oplog import chain
from proxy.testing import PostgresServer

RULES = """
version: 1
profile: internal
entities:
  users:
    tenant: tenant_id
    columns: {ssn: deny, name: {hash: names}, email: {mask: email}}
  orders: {tenant: tenant_id}
capabilities:
  browse: {select: [users, orders]}
roles:
  support: {can: [browse], budget: {rows: 7}}
  crm: {can: [browse], mode: observe}
subjects:
  - {login: acme, tenant: 41, roles: [support]}
  - {login: crm, tenant: 41, roles: [crm]}
"""
SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, tenant_id int NOT NULL, name text, email text, ssn text);
CREATE TABLE orders (id int PRIMARY KEY, tenant_id int NOT NULL, user_id int);
CREATE TABLE secrets (value text);
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'check_reader') THEN
    CREATE ROLE check_reader LOGIN;
  END IF;
END $$;
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("QUERYWARDEN_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    postgres.create_database("commands_test", SCHEMA)
    yield postgres.dsn("commands_test", "check_reader")
    postgres.drop_database("commands_test")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


class Ran:
    """What a command printed and returned."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def one(*arguments: object) -> Ran:
        status = main([str(argument) for argument in arguments])
        return Ran(status, *capsys.readouterr())

    return one


class TestHelp:
    def test_no_arguments_print_every_command(self, run: Run) -> None:
        done = run()
        assert done.status == 0
        assert all(f"│ {name} " in done.out for name in COMMANDS)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_explains_itself(self, run: Run, name: str) -> None:
        done = run(name, "--help")
        assert (done.status, done.err) == (0, "")
        assert len(done.out.splitlines()) > 6

    def test_serve_lists_flag_and_variable_of_every_setting(self, run: Run) -> None:
        out = run("serve", "--help").out
        for name in Settings.model_fields:
            assert variable(name) in out
            assert flag(name) in out or name in NO_FLAG
        assert "DATABASE_URL" in out

    def test_version(self, run: Run) -> None:
        assert run("--version").out == f"querywarden {__version__}\n"


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["nothing"], "No such command 'nothing'"),
            (["serve", "--nothing"], "No such option"),
            (["serve", "--max-clients", "many"], "should be a valid integer"),
            (["check"], "Missing argument 'RULES'"),
            (["ops", "verify"], "Missing argument 'FILE...'"),
        ],
    )
    def test_a_wrong_command_line_is_one_line(
        self, run: Run, arguments: list[str], said: str
    ) -> None:
        done = run(*arguments)
        assert done.status == 2
        assert done.out == ""
        assert done.err.startswith("querywarden: ")
        assert done.err.count("\n") == 1
        assert said in done.err
        assert "--help" in done.err

    def test_missing_settings_are_all_named(self, run: Run) -> None:
        done = run("serve")
        assert done.status == 1
        assert done.err.splitlines()[0] == (
            "querywarden: --rules is needed: give the flag or set QUERYWARDEN_RULES"
        )
        assert len(done.err.splitlines()) == 3

    def test_a_fault_of_ours_is_one_line_too(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> None:
            raise ValueError("SELECT 'secret'")

        monkeypatch.setitem(COMMANDS, "schema", fail)
        done = run("schema")
        assert done.status == 1
        assert done.err.startswith("querywarden: this is a fault of querywarden: ValueError at ")
        assert "secret" not in done.err

    def test_interrupted(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        monkeypatch.setitem(COMMANDS, "schema", interrupt)
        assert run("schema").status == 130


class TestCheck:
    def test_good_rules(self, run: Run, rules: Path) -> None:
        done = run("check", rules)
        assert done.status == 0
        assert f"{rules}: ok, 2 entities, 1 capabilities, 2 roles, 2 logins; version " in done.out
        assert "warning: role crm is in mode observe" in done.out

    def test_every_problem_with_its_place(self, run: Run, rules: Path) -> None:
        rules.write_text(RULES.replace("mask: email", "mask: emial").replace("can:", "cann:"))
        done = run("check", rules)
        assert done.status == 1
        lines = done.out.splitlines()
        assert lines[0].startswith(f"{rules}:7:")
        assert "did you mean `email`" in lines[0]
        assert len(lines) == 4
        assert lines[-1] == "3 problems"

    def test_against_a_database(self, run: Run, rules: Path, database: str) -> None:
        assert run("check", rules, "--upstream", database).status == 0
        rules.write_text(RULES.replace("orders", "ordres"))
        done = run("check", rules, "--upstream", database)
        assert done.status == 1
        assert f"{rules}:8:3: entities.ordres" in done.out
        assert done.out.splitlines()[-1] == "1 problem"

    def test_writes_against_a_database(self, run: Run, rules: Path, database: str) -> None:
        permitted = "  keep: {update: {orders: {columns: [user_id, nothing]}}}\nroles:"
        rules.write_text(RULES.replace("roles:", permitted, 1))
        done = run("check", rules, "--upstream", database)
        assert done.status == 1
        assert f"{rules}:11:47: capabilities.keep.update.orders.columns[1]: no column" in done.out
        rules.write_text(RULES.replace("roles:", permitted.replace(", nothing", ""), 1))
        assert run("check", rules, "--upstream", database).status == 0

    def test_a_superuser_is_a_warning(self, run: Run, rules: Path, database: str) -> None:
        done = run("check", rules, "--upstream", database.replace("check_reader", "postgres"))
        assert done.status == 0
        assert "is a superuser" in done.out

    def test_no_database_and_no_file(self, run: Run, rules: Path, tmp_path: Path) -> None:
        done = run("check", rules, "--upstream", "postgresql://u:hunter2@127.0.0.1:1/x")
        assert done.status == 1
        assert done.err.startswith("querywarden: cannot connect to the upstream 127.0.0.1:1/x")
        assert "hunter2" not in done.err
        assert "no such file" in run("check", tmp_path / "none.yaml").out

    def test_the_shipped_expectations_hold(
        self, run: Run, postgres: PostgresServer, tmp_path: Path
    ) -> None:
        dsn = postgres.create_database("shop_cases", TABLES)
        shipped = "rules/demo.yaml", "--upstream", dsn, "--cases", "rules/cases"
        held = run("check", *shipped).out
        assert "expectations held" in held
        warned = [line for line in held.splitlines() if line.startswith("warning: ")]
        assert len(warned) == 2 and "observe" in warned[0] and "superuser" in warned[1]
        (tmp_path / "wrong.sql").write_text(
            "-- as: agent_acme\n-- expect: allow\nSELECT ssn FROM secrets;\n"
        )
        failed = run("check", *shipped[:-1], tmp_path)
        assert failed.status == 1
        assert "wrong.sql:3 refused: RELATION_NOT_ALLOWED" in failed.out
        assert run("check", "rules/demo.yaml", "--cases", "rules/cases").status == 1

    def test_the_shipped_rules_are_good(self, run: Run) -> None:
        for name in ("demo.yaml", "reference.yaml"):
            assert run("check", shipped_rules() / name).status == 0


class TestExplain:
    @pytest.fixture
    def explain(self, run: Run, rules: Path, database: str) -> Run:
        def one(statement: str, login: str = "acme") -> Ran:
            return run(
                "explain", "--as", login, "--rules", rules, "--upstream", database, statement
            )

        return one

    def test_a_rewritten_statement(self, explain: Run) -> None:
        done = explain("SELECT * FROM users u WHERE u.id = 7001")
        assert done.status == 0
        words = " ".join(done.out.split())
        assert "acme (support, tenant 41)" in words
        assert "decision rewrite" in words
        assert "capability browse" in words
        assert "rows at most 7" in words
        assert "users ssn not there entities.users.columns.ssn" in words
        assert "users email masked entities.users.columns.email" in words
        assert "users rows limited entities.users.tenant" in words
        before, after = done.out.split("\nafter\n")
        assert "  FROM users u\n" in before
        assert "7001" in after
        assert "'41'" in after
        assert '+   FROM "public"."users" r\n' in after

    def test_the_hash_key_is_not_shown(self, explain: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("QUERYWARDEN_HASH_KEY", "hunter2-hunter2-hunter2")
        done = explain("SELECT name FROM users")
        assert "<hash key>" in done.out
        assert r"\x" not in done.out

    def test_a_write_and_what_it_waits_for(self, explain: Run, rules: Path) -> None:
        keep = (
            "  keep: {update: {orders: {columns: [user_id], rows: 3}}, reason: required,"
            " approval: {by: [crm]}, invariants: [some]}\n"
        )
        text = RULES.replace("roles:", keep + "roles:", 1).replace(
            "can: [browse],", "can: [browse, keep],"
        )
        rules.write_text(
            text.replace(
                "{tenant: tenant_id}",
                '{tenant: tenant_id, invariants: {some: {holds: "user_id > 0"}}}',
            )
        )
        done = explain("UPDATE orders SET user_id = 4 WHERE id = 5")
        words = " ".join(done.out.split())
        assert "writes orders.user_id at most 3 rows (capabilities.keep" in words
        assert "needs a reason and consent of crm held to some (by statement)" in words
        assert '"tenant_id" = ' in words

    def test_a_refused_statement(self, explain: Run) -> None:
        done = explain("SELECT value FROM secrets")
        words = " ".join(done.out.split())
        assert "decision deny" in words
        assert "(SQLSTATE 42501)" in words
        assert "hint " in words

    def test_several_statements_and_none(self, explain: Run) -> None:
        done = explain("BEGIN; SELECT id FROM orders")
        assert "statement 1\n" in done.out
        assert "statement 2\n" in done.out
        assert "there is no statement" in explain("/* nothing */").out

    def test_a_role_that_is_not_enforced(self, explain: Run) -> None:
        done = explain("SELECT ssn FROM users", login="crm")
        assert "forwarded as written (mode observe)" in done.out

    def test_from_standard_input(self, explain: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("SELECT id\nFROM orders"))
        assert "orders" in explain("-").out

    def test_an_unknown_login(self, explain: Run) -> None:
        done = explain("SELECT 1", login="acne")
        assert done.status == 1
        assert done.err == "querywarden: the rules have no login 'acne'; did you mean `acme`?\n"


class TestPasswd:
    def test_a_line_the_proxy_can_read(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
        done = run("passwd", 'odd "name"')
        assert done.status == 0
        assert "hunter2" not in done.out
        (tmp_path / "users").write_text(done.out)
        assert Userlist.load(tmp_path / "users").verifier('odd "name"') is not None

    def test_no_password(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
        done = run("passwd", "acme")
        assert done.status == 1
        assert "must be one line each and not empty" in done.err


class TestSchema:
    def test_it_is_the_shipped_one(self, run: Run) -> None:
        printed = json.loads(run("schema").out)
        assert printed == json.loads((shipped_rules() / "rules.schema.json").read_text())


class TestOpsVerify:
    def test_a_good_and_a_changed_file(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "records"
        text, last = chain.seal_all([b'{"n":%d}' % n for n in range(3)], chain.GENESIS)
        path.write_bytes(text)
        assert run("ops", "verify", path).out == (
            f"ok: 3 records from the beginning; last hash {last}\n"
        )
        path.write_bytes(text.replace(b'"n":1', b'"n":9'))
        done = run("ops", "verify", path)
        assert done.status == 1
        assert done.err == (
            f"querywarden: {path}:2: the line does not match its own hash; 1 lines before it hold\n"
        )

    def test_no_records_and_no_file(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        assert run("ops", "verify", tmp_path / "empty").out == "no records\n"
        done = run("ops", "verify", tmp_path / "none")
        assert (done.status, done.err) == (
            1,
            f"querywarden: {tmp_path / 'none'}: no such file or directory\n",
        )


class TestOpsList:
    RECORDS = (
        '{"timestamp":"2026-01-01T10:00:00.000000Z","principal":{"user":"ann"},"decision":"allow",'
        '"outcome":"ok","operation":"select","entity":"users","entities":["users","orders"],'
        '"capability":"browse","row_count":7,"affected_rows":null,"reason":"","error":null,'
        '"prev_hash":"0","hash":"1"}',
        '{"timestamp":"2999-01-01T10:00:00.000000Z","principal":{"user":"bob"},"decision":"deny",'
        '"outcome":"refused","operation":"update","entity":"orders","entities":["orders"],'
        '"capability":"refund_order","row_count":0,"affected_rows":0,'
        '"reason":"Ticket 77\\u001b[2J","error":{"sqlstate":"QW002","code":"REASON_REQUIRED"},'
        '"prev_hash":"1","hash":"2"}',
        '{"no": "record"}',
        "[" * 100_000,
        '{"cut of',
    )

    @pytest.fixture
    def records(self, tmp_path: Path) -> Path:
        path = tmp_path / "records"
        path.write_text("\n".join(self.RECORDS))
        return path

    @pytest.mark.parametrize(
        ("options", "logins"),
        [
            ([], ["ann", "bob"]),
            (["--entity", "orders"], ["ann", "bob"]),
            (["--entity", "users"], ["ann"]),
            (["--operation", "update"], ["bob"]),
            (["--capability", "refund_order"], ["bob"]),
            (["--capability", "refund"], []),
            (["--reason", "ticket"], ["bob"]),
            (["--login", "ann"], ["ann"]),
            (["--decision", "deny"], ["bob"]),
            (["--since", "1h"], ["bob"]),
            (["--entity", "orders", "--login", "ann", "--decision", "allow"], ["ann"]),
            (["--entity", "users", "--login", "bob"], []),
        ],
    )
    def test_records_meet_every_option(
        self, run: Run, records: Path, options: list[str], logins: list[str]
    ) -> None:
        done = run("ops", "list", records, *options)
        assert [line.split()[1] for line in done.out.splitlines()] == logins

    def test_json_is_the_line_itself(self, run: Run, records: Path) -> None:
        assert run("ops", "list", records, "--json").out.splitlines() == list(self.RECORDS[:2])

    def test_a_line_says_what_happened_and_steers_no_terminal(
        self, run: Run, records: Path
    ) -> None:
        first, second = run("ops", "list", records).out.splitlines()
        assert first.split() == [
            "2026-01-01T10:00:00", "ann", "allow", "ok", "select", "users", "7", "browse",
        ]  # fmt: skip
        assert second.endswith("0  refund_order  REASON_REQUIRED  Ticket 77?[2J")

    def test_no_duration_and_no_file(self, run: Run, tmp_path: Path, records: Path) -> None:
        done = run("ops", "list", records, "--since", "yesterday")
        assert (done.status, done.out) == (2, "")
        assert "--since 'yesterday' is no duration" in done.err
        done = run("ops", "list", tmp_path / "none")
        assert done.err == f"querywarden: {tmp_path / 'none'}: no such file or directory\n"
