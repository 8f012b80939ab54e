"""proxy/commands/approvals.py: what a person sees, who may answer, and what is said when not."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from policies.rules import parse
from proxy.approvals.request import Entry, Request
from proxy.approvals.store import Store
from proxy.commands.main import main
from proxy.testing import PostgresServer
from tests.proxy.test_approvals_store import RULES, request

VERSION = parse(RULES, "r").text_hash


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    yield postgres.create_database("approvals_command")
    postgres.drop_database("approvals_command")


@pytest.fixture(autouse=True)
def environment(
    monkeypatch: pytest.MonkeyPatch, database: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    for name in list(os.environ):
        if name.startswith("QUERYWARDEN_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    (tmp_path / "rules.yaml").write_text(RULES)
    monkeypatch.setenv("QUERYWARDEN_RULES", str(tmp_path / "rules.yaml"))
    monkeypatch.setenv("QUERYWARDEN_APPROVALS", database)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    postgres.execute("approvals_command", "DROP SCHEMA IF EXISTS querywarden CASCADE")


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def one(*arguments: str) -> tuple[int, str, str]:
        status = main(["approvals", *arguments])
        return (status, *capsys.readouterr())

    return one


@pytest.fixture
def ask(database: str) -> Callable[..., Entry]:
    """Asks the store as a session does."""

    def one(wanted: Request | None = None, **changes: object) -> Entry:
        async def asked() -> Entry:
            store = Store(database)
            await store.open()
            made = wanted or request(rules_version=VERSION, **changes)
            entry = await store.ask(made)
            await store.close()
            return entry

        return asyncio.run(asked())

    return one


def test_nothing_waits(run: Run) -> None:
    assert run("list") == (0, "no approval is pending\n", "")
    assert run("list", "--state", "all", "--json") == (0, "[]\n", "")


def test_a_person_sees_who_asks_for_what(run: Run, ask: Callable[..., Entry]) -> None:
    entry = ask()
    status, out, _ = run("list")
    heading, row = out.splitlines()
    assert status == 0
    assert heading.split() == ["id", "state", "left", "who", "capability", "statement"]
    assert row.split()[:6] == [entry.id, "pending", row.split()[2], "agent", "of", "1"]
    assert "UPDATE orders SET status = $1 WHERE id = $2" in row
    _, out, _ = run("show", entry.id)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert f"approval {entry.id}, pending" in lines
    assert "who agent (support, tenant 1, user 7)" in lines
    assert "reason customer asked" in lines and "may decide lead (gate queue)" in lines
    assert "$1 'refunded'" in lines and "$2 41" in lines and "settings TimeZone: UTC" in lines
    said = json.loads(run("show", entry.id, "--json")[1])
    assert (said["id"], said["values"]) == (entry.id, ["'refunded'", "41"])
    assert "binding" not in said


def test_granted_used_and_asked_anew(run: Run, ask: Callable[..., Entry]) -> None:
    entry = ask()
    status, out, _ = run("grant", entry.id, "--as", "boss")
    assert status == 0 and out.startswith("granted: agent may run it once, until 20")
    assert "is granted already" in run("grant", entry.id, "--as", "boss")[2]
    assert ask().state == "used"
    for verb in ("grant", "refuse"):
        assert "it has been used" in run(verb, entry.id, "--as", "boss")[2]
    _, out, _ = run("show", entry.id)
    assert "by boss" in out and "values are no longer kept" in out and "refunded" not in out
    assert ask().id != entry.id


def test_refused_also_after_it_was_granted(run: Run, ask: Callable[..., Entry]) -> None:
    entry = ask()
    run("grant", entry.id, "--as", "boss")
    status, out, _ = run("refuse", entry.id, "--as", "root", "--json")
    assert status == 0 and json.loads(out)["decided_by"] == "root"
    assert ask().state == "refused"
    assert run("list", "--state", "refused")[1].count(entry.id) == 1
    assert "it was refused" in run("grant", entry.id, "--as", "boss")[2]


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ("agent", "agent has asked for it: somebody else must decide"),
        ("twin", "twin is the same user as agent"),
        ("peer", "peer has none of the roles that may decide: lead"),
        ("foreign", "foreign belongs to another tenant"),
        ("bos", "the rules have no login 'bos'; did you mean boss?"),
    ],
)
def test_who_may_not_decide_is_told_why(
    run: Run, ask: Callable[..., Entry], login: str, said: str
) -> None:
    entry = ask()
    for verb in ("grant", "refuse"):
        status, out, err = run(verb, entry.id, "--as", login)
        assert (status, out) == (1, "")
        assert said.split(";")[0] in err and err.count("\n") == 1
    assert ask().state == "pending"


def test_each_login_is_shown_its_own(run: Run, ask: Callable[..., Entry]) -> None:
    entry = ask()
    for login, seen in (("boss", True), ("root", True), ("agent", False), ("foreign", False)):
        assert (entry.id in run("list", "--as", login)[1]) is seen
    assert "there is no approval" in run("show", entry.id, "--as", "foreign")[2]
    assert entry.id in run("show", entry.id, "--as", "peer")[1]


def test_rules_that_changed_void_what_was_asked(run: Run, ask: Callable[..., Entry]) -> None:
    entry = ask(request(rules_version="0123456789ab"))
    assert "must be sent again" in run("grant", entry.id, "--as", "boss")[2]


def test_nothing_a_client_writes_steers_the_terminal(run: Run, ask: Callable[..., Entry]) -> None:
    evil = "UPDATE t SET a = '\x1b[2J\u202e[bold]\x07'"
    wanted = replace(
        request(), statement=evil, values=("'\x1b]0;x\x07'",), reason="\x1b[31m", template=evil,
        subject=replace(request().subject, roles=("\u2066r",)),
    )  # fmt: skip
    shown = ["show", ask(wanted).id]
    for arguments in (["list"], shown, ["list", "--json"], [*shown, "--json"]):
        _, out, _ = run(*arguments)
        assert all(letter.isprintable() or letter == "\n" for letter in out)
        assert "[bold]" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grant", "none", "--as", "boss"], "there is no approval 'none'"),
        (["list", "--state", "open"], "--state 'open' is none: pending, granted,"),
        (["grant", "x"], "Missing option '--as'"),
        (["list", "--approvals", "mysql://x"], "--approvals must be postgresql://"),
        (
            ["list", "--approvals", "postgresql://u:hunter2@127.0.0.1:1/none"],
            "approvals cannot be read: no connection",
        ),
    ],
)
def test_what_is_wrong_is_one_line(run: Run, arguments: list[str], said: str) -> None:
    status, out, err = run(*arguments)
    assert status in (1, 2) and out == ""
    assert said in err and err.count("\n") == 1 and "hunter2" not in err


def test_as_needs_rules(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUERYWARDEN_RULES")
    assert (
        "--as needs the rules: give --rules or set QUERYWARDEN_RULES"
        in run("list", "--as", "boss")[2]
    )
