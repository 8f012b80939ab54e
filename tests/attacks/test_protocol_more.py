"""More conversations, thought up against the way this proxy works."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from proxy.testing import EmbeddedPostgres, RunningProxy
from tests.attacks import catalogue
from tests.attacks.conftest import RULES, UPSTREAM_ROLE, USERS, Worlds
from tests.attacks.conversation import CAP, MANY, ask, error_codes, hold, still_serves
from tests.attacks.wire_client import (
    LoginRefused,
    Message,
    WireClient,
    bind,
    close,
    columns,
    errors,
    execute,
    parse,
    query,
    rows,
    sync,
)
from tests.attacks.worlds import Door, TwoServers

# -- names and order -----------------------------------------------------------------------------


def test_a_refused_parse_leaves_no_statement(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        seen = ask(client, parse("s", "SELECT id FROM users"), sync())
        seen += ask(client, close("S", "s"), parse("s", "SELECT * FROM secrets"), sync())
        return [*seen, *ask(client, bind("", "s"), execute(""), sync())]

    assert error_codes(hold(worlds, talk).messages) == ["42501", "26000"]


def test_after_a_refusal_nothing_runs_until_sync(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        bad = parse("", "SELECT * FROM secrets"), bind("", ""), execute("")
        good = parse("", "SELECT id FROM orders WHERE id = 101"), bind("", ""), execute("")
        client.send(b"".join([*bad, *good, sync(), *good, sync()]))
        first, second = client.until(b"Z"), client.until(b"Z")
        assert not rows(first)
        assert rows(second) == [[b"101"]]
        return [*first, *second]

    assert error_codes(hold(worlds, talk).messages) == ["42501"]


def test_nothing_runs_before_all_is_decided(worlds: Worlds) -> None:
    seen = hold(worlds, lambda c: c.query("SELECT id FROM orders; DELETE FROM orders; SELECT 1"))
    assert not rows(seen.messages)
    assert len(error_codes(seen.messages)) == 1


def test_a_refusal_aborts_the_transaction(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.query("BEGIN")
        client.query("SELECT * FROM secrets")
        assert client.status == b"E"
        seen = client.query("SELECT id FROM orders")
        assert client.query("ROLLBACK")
        assert client.status == b"I"
        assert still_serves(client)
        return seen

    assert error_codes(hold(worlds, talk).messages) == ["25P02"]


def test_the_cap_counts_over_a_portal(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.query("BEGIN")
        seen = ask(client, parse("", MANY), bind("p", ""), sync())
        for _ in range(8):
            seen += ask(client, execute("p", 30), sync())
            if error_codes(seen):
                break
        client.query("ROLLBACK")
        return seen

    assert len(rows(hold(worlds, talk).messages)) == CAP


def test_a_capped_result_says_so(worlds: Worlds) -> None:
    seen = hold(worlds, lambda c: c.query(MANY))
    assert len(rows(seen.messages)) == CAP
    assert [m for m in seen.messages if m.tag == b"N" and b"capped" in m.body]
    assert [m.body for m in seen.messages if m.tag == b"C"] == [b"SELECT 100\0"]


def test_descriptions_have_no_origin(worlds: Worlds) -> None:
    seen = hold(worlds, lambda c: c.query("SELECT * FROM users JOIN orders ON user_id = users.id"))
    (described,) = [m for m in seen.messages if m.tag == b"T"]
    assert {(c.table_oid, c.number) for c in columns(described)} == {(0, 0)}


# -- settings ------------------------------------------------------------------------------------

PINNED = (
    "standard_conforming_strings",
    "search_path",
    "statement_timeout",
    "default_transaction_read_only",
)


@pytest.mark.parametrize("undo", ["RESET ALL", "RESET statement_timeout", "ROLLBACK"])
def test_what_is_pinned_stays_pinned(worlds: Worlds, undo: str) -> None:
    def talk(client: WireClient) -> list[Message]:
        before = [rows(client.query(f"SHOW {name}")) for name in PINNED]
        assert before[0] == [[b"on"]]
        assert before[2] != [[b"0"]]
        client.query("BEGIN")
        client.query("SET LOCAL statement_timeout = 1000")
        client.query("ROLLBACK" if undo == "ROLLBACK" else "COMMIT")
        seen = client.query(undo)
        assert [rows(client.query(f"SHOW {name}")) for name in PINNED] == before
        return seen

    hold(worlds, talk)


@pytest.mark.parametrize(
    "text",
    [
        "SET statement_timeout = 0",
        "SET statement_timeout TO DEFAULT",
        "SELECT set_config('statement_timeout', '0', false)",
        "SELECT set_config('search_path', 'evil', false)",
        "SELECT set_config(concat('search', '_path'), 'evil', false)",
        "SELECT set_config('standard_conforming_strings', 'off', false)",
        "SELECT current_setting('data_directory')",
        "SET LOCAL standard_conforming_strings = off",
        "SET SESSION standard_conforming_strings TO 'off'",
        'SET "standard_conforming_strings" = 0',
        "SET client_encoding = 'SQL_ASCII'",
        "SET NAMES 'LATIN1'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    ],
)
def test_settings_that_loosen_something(worlds: Worlds, text: str) -> None:
    def talk(client: WireClient) -> list[Message]:
        seen = client.query(text)
        shown = [rows(client.query(f"SHOW {name}")) for name in PINNED]
        assert shown[0] == [[b"on"]]
        assert shown[1] == [[b"public"]] or b"public" in (shown[1][0][0] or b"")
        assert shown[2] != [[b"0"]]
        return seen

    hold(worlds, talk)


@pytest.mark.parametrize(
    "parameters",
    [
        {"standard_conforming_strings": "off"},
        {"STANDARD_CONFORMING_STRINGS": "off"},
        {"search_path": "evil"},
        {"statement_timeout": "0"},
        {"default_transaction_read_only": "off"},
        {"role": "postgres"},
        {"session_authorization": "postgres"},
        {"client_encoding": "SQL_ASCII"},
        {"session_preload_libraries": "auto_explain"},
        {"client_min_messages": "debug5"},
        {"options": "-c statement_timeout=0"},
        {"options": "-c default_transaction_read_only=off"},
        {"application_name": "x", "options": "-csearch_path=evil -c", "database_": "x"},
    ],
    ids=str,
)
def test_start_up_parameters_loosen_nothing(worlds: Worlds, parameters: dict[str, str]) -> None:
    """Each is refused, or has no effect."""
    door = worlds[0].door
    try:
        client = door.connect(parameters=parameters)
    except LoginRefused as refused:
        assert not catalogue.leaks(refused.message.body, "")
        return
    with client, door.connect() as usual:
        for name in (*PINNED, "session_authorization", "client_encoding"):
            assert rows(client.query(f"SHOW {name}")) == rows(usual.query(f"SHOW {name}"))


@pytest.fixture
def talkative(servers: TwoServers) -> Iterator[RunningProxy]:
    """A proxy before a database whose server logs every statement, with its plan's parse tree."""
    server = servers[0]
    server.create_database("talkative", catalogue.HERE / "world_a.sql")
    for setting in ("log_statement = 'all'", "log_min_duration_statement = 0", "log_duration = on"):
        server.execute("postgres", f"ALTER DATABASE talkative SET {setting}")
    upstream = server.dsn("talkative", UPSTREAM_ROLE)
    with RunningProxy(rules=RULES, users=USERS, upstream=upstream) as proxy:
        yield proxy
    server.drop_database("talkative")


def test_the_servers_log_is_not_the_clients(talkative: RunningProxy) -> None:
    """LOG messages hold the rewritten text, and with it the key of hashed columns."""
    door = Door("127.0.0.1", talkative.port, "agent_t1", USERS["agent_t1"], "talkative")
    with door.connect() as client:
        client.query("SET client_min_messages = log")
        seen = client.query("SELECT id FROM users")
        seen += client.extended("SELECT full_name FROM users")
    received = b"".join(message.body for message in seen)
    assert len(rows(seen)) == 6
    assert b"tenant_id" not in received
    assert b"sha256" not in received


# -- log-in --------------------------------------------------------------------------------------


def refusal(worlds: Worlds, door: Door) -> dict[str, str]:
    """The error a log-in ends with."""
    with pytest.raises(LoginRefused) as refused:
        Door("127.0.0.1", worlds[0].door.port, door.user, door.password, door.database).connect()
    return refused.value.message.fields


def test_unknown_logins_and_wrong_passwords_look_alike(worlds: Worlds) -> None:
    wrong = refusal(worlds, Door("", 0, "agent_t1", "wrong"))
    unknown = refusal(worlds, Door("", 0, "nobody_t1", "wrong"))
    assert wrong["C"] == unknown["C"] == "28P01"
    assert wrong["M"].replace("agent_t1", "nobody_t1") == unknown["M"]
    role = refusal(worlds, Door("", 0, UPSTREAM_ROLE, ""))
    assert role["C"] == "28P01"


@pytest.mark.parametrize("database", ["postgres", "template1", "nosuchdatabase", ""])
def test_other_databases_are_not_there(worlds: Worlds, database: str) -> None:
    assert refusal(worlds, Door("", 0, "agent_t1", USERS["agent_t1"], database))["C"] == "3D000"


def test_a_guessed_cancel_key_cancels_nothing(worlds: Worlds) -> None:
    victim = worlds[0].door.connect()
    with victim:
        (key,) = [m for m in victim.startup if m.tag == b"K"]
        (pid,) = struct.unpack("!i", key.body[:4])
        victim.send(query("SELECT count(*) FROM generate_series(1, 1000000)"))
        with WireClient(worlds[0].door.host, worlds[0].door.port) as stranger:
            guess = struct.pack("!iii", 80877102, pid, 12345)
            stranger.send(struct.pack("!i", len(guess) + 4) + guess)
            stranger.rest()
        assert not errors(victim.until(b"Z"))


# -- the database changes under the proxy --------------------------------------------------------


@pytest.fixture
def changing_database(servers: TwoServers) -> Iterator[tuple[EmbeddedPostgres, RunningProxy]]:
    """A database of its own that a test may alter behind the proxy's back."""
    server = servers[0]
    upstream = server.create_database("changing", catalogue.HERE / "world_a.sql")
    upstream = server.dsn("changing", UPSTREAM_ROLE)
    with RunningProxy(rules=RULES, users=USERS, upstream=upstream) as proxy:
        yield server, proxy
    server.drop_database("changing")


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE users RENAME COLUMN tenant_id TO tenant; "
        "ALTER TABLE orders RENAME COLUMN tenant_id TO tenant",
        "ALTER TABLE users RENAME email TO mail; ALTER TABLE users RENAME ssn TO email",
        "ALTER TABLE products RENAME TO old; ALTER TABLE secrets RENAME TO products",
        "CREATE SCHEMA agent AUTHORIZATION agent; CREATE TABLE agent.products AS TABLE secrets;"
        " GRANT SELECT ON agent.products TO agent",
        "CREATE FUNCTION lower(users) RETURNS text LANGUAGE sql AS 'SELECT ($1).ssn'",
        "CREATE FUNCTION public.length(int) RETURNS text LANGUAGE sql AS"
        " 'SELECT string_agg(ssn, '','') FROM public.users'",
        "CREATE FUNCTION leak(int, int) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS"
        " 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END';"
        " CREATE OPERATOR public.<<< (leftarg = int, rightarg = int, function = leak)",
    ],
    ids=["tenant column renamed", "columns swapped", "tables swapped", "schema of the role's name",
         "function on rows", "overloaded function", "operator"],
)  # fmt: skip
def test_a_database_that_changes_gives_nothing_away(
    change: str, changing_database: tuple[EmbeddedPostgres, RunningProxy]
) -> None:
    server, proxy = changing_database
    door = Door("127.0.0.1", proxy.port, "agent_t1", USERS["agent_t1"], "changing")
    with door.connect() as client:
        ask(client, parse("old", "SELECT * FROM users"), sync())
        ask(client, parse("join", "SELECT * FROM products"), sync())
        server.execute("changing", change)
        seen = [m for text in PROBES for m in (*client.query(text), *client.extended(text))]
        for name in ("old", "join"):
            seen += ask(client, bind("", name), execute(""), sync())
    leaked = catalogue.leaks(b"".join(m.body for m in seen), " ".join(PROBES))
    assert not leaked


PROBES = (
    "SELECT * FROM users",
    "SELECT * FROM products",
    "SELECT (SELECT count(*) FROM users), (SELECT string_agg(note, ',') FROM orders)"
    " FROM (SELECT '1'::int AS tenant_id) x",
    "SELECT u.lower FROM users u",
    "SELECT lower(u) FROM users u",
    "SELECT length(id) FROM users",
    "SELECT 1 FROM orders WHERE id <<< 1",
    "SELECT x.* FROM (SELECT 1 AS tenant_id) y, LATERAL (SELECT note FROM orders) x",
)
