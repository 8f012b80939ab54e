"""psql: queries, and the catalog queries behind \\d and its like."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from proxy.testing import PostgresServer
from tests.drivers.conftest import plain_environment

HIDDEN = ("secrets", "hidden_tier", "ssn", "222-20", "bolt.example")


@pytest.fixture(params=["the server's own", "from the PATH"])
def psql(request: pytest.FixtureRequest, postgres: PostgresServer) -> Path:
    if request.param == "the server's own":
        return postgres.psql
    found = shutil.which("psql")
    if found is None:
        pytest.skip("no psql on the PATH")
    return Path(found)


def run(psql: Path, dsn: str, *commands: str) -> tuple[str, str]:
    """What psql prints on its two outputs for these commands, one session."""
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(
        [psql, "-X", dsn, *words],
        env=plain_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout, done.stderr


def test_rows_of_one_tenant(psql: Path, dsn: str, other_dsn: str) -> None:
    text = "SELECT id, email, balance FROM users ORDER BY id"
    printed, complaints = run(psql, dsn, text)
    assert complaints == ""
    assert [line.split("|")[1].strip() for line in printed.splitlines()[2:4]] == [
        "a***@acme.example",
        "a***@acme.example",
    ]
    assert "(2 rows)" in printed
    assert "z***@bolt.example" in run(psql, other_dsn, text)[0]


def test_star_hides_denied_columns(psql: Path, dsn: str) -> None:
    printed, complaints = run(psql, dsn, "SELECT * FROM users")
    assert complaints == ""
    assert not [word for word in HIDDEN if word in printed]
    assert "tiers" in printed


@pytest.mark.parametrize("command", [r"\d", r"\dt", r"\dt+", r"\dt public.*", r"\d+"])
def test_lists_visible_tables_only(psql: Path, dsn: str, command: str) -> None:
    printed, complaints = run(psql, dsn, command)
    assert complaints == ""
    for name in ("orgs", "users", "orders", "pgbench_accounts"):
        assert re.search(rf"\b{name}\b", printed)
    assert "secrets" not in printed


@pytest.mark.parametrize("command", [r"\d users", r"\d+ users", r"\d public.users"])
def test_describes_visible_columns_only(psql: Path, dsn: str, command: str) -> None:
    printed, complaints = run(psql, dsn, command)
    assert complaints == ""
    for name in ("email", "tenant_id", "tier", "users_pkey"):
        assert name in printed
    assert not [word for word in HIDDEN if word in printed]


@pytest.mark.parametrize(
    "command", [r"\di", r"\dn", r"\dT", r"\dT+", r"\df", r"\dv", r"\ds", r"\l"]
)
def test_other_lists_name_nothing_hidden(psql: Path, dsn: str, command: str) -> None:
    printed, complaints = run(psql, dsn, command)
    assert not [word for word in HIDDEN if word in printed]
    assert "relation" not in complaints.lower() or "find any" in complaints


def test_a_hidden_table_does_not_exist(psql: Path, dsn: str) -> None:
    printed, complaints = run(psql, dsn, r"\d secrets", r"\d nosuchtable")
    assert printed == ""
    assert complaints.splitlines() == [
        'Did not find any relation named "secrets".',
        'Did not find any relation named "nosuchtable".',
    ]


def test_a_refusal_says_what_to_do_and_the_session_lives_on(psql: Path, dsn: str) -> None:
    printed, complaints = run(
        psql, dsn, "DELETE FROM users", "SELECT count(*) AS left_alone FROM users"
    )
    assert complaints.startswith("ERROR:")
    assert "HINT:" in complaints
    assert re.search(r"left_alone.*\n-+\n +2\n", printed)


def test_a_wrong_password(psql: Path, dsn: str) -> None:
    printed, complaints = run(psql, dsn.replace("pass%20word", "wrong"), "SELECT 1")
    assert printed == ""
    assert "password authentication failed" in complaints


def test_transactions_and_settings(psql: Path, dsn: str) -> None:
    script = "BEGIN; SELECT count(*) FROM orders; COMMIT", "SET TIME ZONE 'UTC'", "SHOW timezone"
    printed, complaints = run(psql, dsn, *script)
    assert complaints == ""
    assert "UTC" in printed


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("SELECT nope FROM users", "nope"),
        ("SELECT u.id FROM users u JOIN orders o ON u.id = o.nope", "o.nope"),
        ("SELECT 'äöü€', id FROM users WHERE id = 'abc'", "'abc'"),
        ("/* € */ SELECT lower(id) FROM users", "lower"),
        ("SELECT id FROM orders; SELECT 1 + FROM users", "FROM users"),
        ("SELECT public.users.nope FROM public.users", "public"),
        ("SELECT id FROM users LIMIT 'x'", "'x'"),
        ("SELECT id, count(*) FROM users", "id"),
    ],
)
def test_an_error_is_marked_in_the_text_as_it_was_written(
    psql: Path, dsn: str, text: str, marked: str
) -> None:
    message, line, pointer, *_ = run(psql, dsn, text)[1].splitlines()
    assert line == f"LINE 1: {text}"
    assert pointer == " " * line.index(marked) + "^"
    assert "pg_catalog" not in message
