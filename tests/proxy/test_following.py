"""SET and RESET of our own settings through transactions, as PostgreSQL's own behave."""

from __future__ import annotations

import psycopg
import pytest

from policies.decision import Allow, SessionChange
from proxy.net import following
from proxy.net.following import Following
from proxy.testing import PostgresServer
from tests.policies.lab import ask

TEXTS = [
    ["SET querywarden.reason = 'a'"],
    ["SET LOCAL querywarden.reason = 'a'"],
    ["BEGIN", "SET querywarden.reason = 'a'", "COMMIT"],
    ["BEGIN", "SET querywarden.reason = 'a'", "ROLLBACK"],
    ["BEGIN", "SET LOCAL querywarden.reason = 'a'", "COMMIT"],
    ["BEGIN", "SET LOCAL querywarden.reason = 'a'", "SET querywarden.reason = 'b'", "COMMIT"],
    ["BEGIN", "SET querywarden.reason = 'b'", "SET LOCAL querywarden.reason = 'a'", "COMMIT"],
    ["BEGIN", "SET querywarden.reason = 'a'", "SAVEPOINT s", "SET querywarden.reason = 'b'",
     "ROLLBACK TO s", "SET LOCAL querywarden.reason = 'c'", "ROLLBACK TO SAVEPOINT s", "COMMIT"],
    ["BEGIN", "SAVEPOINT s", "SET querywarden.reason = 'b'", "SAVEPOINT s",
     "SET querywarden.reason = 'c'", "ROLLBACK TO s", "RELEASE s", "ROLLBACK TO s", "COMMIT"],
    ["BEGIN", "SAVEPOINT s", "SET LOCAL querywarden.reason = 'b'", "RELEASE s", "COMMIT"],
    ["BEGIN", "SET querywarden.reason = 'a'", "SELECT 1/0", "COMMIT"],
    ["BEGIN", "SET querywarden.reason = 'a'", "SAVEPOINT s", "SET querywarden.reason = 'b'",
     "SELECT 1/0", "ROLLBACK TO s", "COMMIT"],
    ["BEGIN", "SET querywarden.reason = 'a'", "COMMIT AND CHAIN",
     "SET querywarden.reason = 'b'", "ROLLBACK AND CHAIN", "ROLLBACK"],
    ["SET querywarden.reason = 'a'", "RESET querywarden.reason"],
    ["SET querywarden.reason = 'a'", "BEGIN", "RESET ALL", "ROLLBACK"],
    ["SET querywarden.reason = 'a'", "BEGIN", "SET LOCAL querywarden.reason TO DEFAULT", "COMMIT"],
    ["SELECT 1; SET querywarden.reason = 'a'"],
    ["SELECT 1/0; SET querywarden.reason = 'a'"],
]  # fmt: skip


@pytest.fixture(scope="module")
def dsn(postgres: PostgresServer) -> str:
    return postgres.create_database("following")


@pytest.mark.parametrize("start", ["", "started"])
@pytest.mark.parametrize("texts", TEXTS, ids="; ".join)
def test_it_follows_as_postgresql_does(dsn: str, texts: list[str], start: str) -> None:
    """The same statements, the same value after each of them."""
    options = f"-c querywarden.reason={start}"
    with psycopg.connect(dsn, autocommit=True, options=options) as connection:
        followed = Following({"reason": start})
        for text in texts:
            _run(connection, followed, text)
            if connection.info.transaction_status.name != "INERROR":
                row = connection.execute("SHOW querywarden.reason").fetchone()
                assert row == (followed.values.get("reason", ""),), text


def _run(connection: psycopg.Connection, followed: Following, text: str) -> None:
    decision = ask(text)
    assert isinstance(decision, Allow)
    try:
        tag = connection.execute(text.encode()).statusmessage or ""
        for plan in decision.statements:
            if plan.change is not None:
                followed.complete(plan.change, tag.encode())
    except psycopg.Error:
        followed.fail()
    followed.ready(connection.info.transaction_status.name == "IDLE")


def test_a_savepoint_that_is_forgotten_gives_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST_SAVEPOINTS", 1)
    followed = Following({"context": "start"})
    for name in ("a", "b"):
        followed.complete(SessionChange("savepoint", name), b"SAVEPOINT")
        followed.complete(SessionChange("set", "context", name), b"SET")
    followed.complete(SessionChange("undo", "a"), b"ROLLBACK")
    assert followed.values == {} and followed.unsettled
