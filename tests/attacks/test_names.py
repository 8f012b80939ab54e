"""Conversations about names of SQL: prepared statements and cursors that change hands, outlive
rules, or give more than one statement may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.testing import RunningProxy
from tests.attacks import catalogue
from tests.attacks.conftest import RULES, UPSTREAM_ROLE, USERS, Worlds
from tests.attacks.conversation import CAP, MANY, ask, error_codes, hold, still_serves
from tests.attacks.wire_client import (
    Message,
    WireClient,
    bind,
    close,
    describe,
    errors,
    execute,
    parse,
    rows,
    sync,
)
from tests.attacks.worlds import DATABASE, Door, TwoServers

OPEN_RULES = RULES.replace("      email: {mask: email}\n", "      email: show\n")
MAIL = "SELECT id, email FROM users ORDER BY id"
OWN = [b"1", b"alice@t1.example"]
MASKED = [b"1", b"a***@t1.example"]


@pytest.fixture(scope="module")
def own_proxy(servers: TwoServers) -> Iterator[RunningProxy]:
    upstream = servers[0].dsn(DATABASE, UPSTREAM_ROLE)
    with RunningProxy(rules=OPEN_RULES, users=USERS, upstream=upstream) as proxy:
        yield proxy


@pytest.fixture
def changing(own_proxy: RunningProxy) -> RunningProxy:
    """A proxy of this file's own, under rules that show e-mail addresses until they are changed."""
    if own_proxy.rules != OPEN_RULES:
        own_proxy.reload(OPEN_RULES)
    return own_proxy


def connect(proxy: RunningProxy) -> WireClient:
    return Door("127.0.0.1", proxy.port, "agent_t1", USERS["agent_t1"]).connect()


def run(client: WireClient, sql: str) -> list[Message]:
    """One statement in the extended protocol."""
    return ask(client, parse("", sql), bind("", ""), execute(""), sync())


def nothing_hidden(seen: list[Message]) -> bool:
    return not catalogue.leaks(b"".join(message.body for message in seen), "")


# -- other rules ---------------------------------------------------------------------------------

USES = {
    "EXECUTE": lambda client: client.query("EXECUTE p"),
    "EXECUTE, extended": lambda client: run(client, "EXECUTE p"),
    "Bind": lambda client: ask(client, bind("", "p"), execute(""), sync()),
    "FETCH": lambda client: client.query("FETCH ALL FROM held"),
    "FETCH, extended": lambda client: run(client, "FETCH ALL FROM held"),
    "MOVE": lambda client: client.query("MOVE ALL FROM held"),
}


@pytest.mark.parametrize("use", USES)
def test_rules_that_change_hold_for_names_made_before(changing: RunningProxy, use: str) -> None:
    with connect(changing) as client:
        client.query(f"PREPARE p AS {MAIL}")
        client.query(f"DECLARE held CURSOR WITH HOLD FOR {MAIL}")
        assert OWN in rows(client.query("EXECUTE p"))
        changing.reload(RULES)
        seen = USES[use](client)
        assert error_codes(seen) == ["0A000"] and nothing_hidden(seen)
        client.query("DEALLOCATE p; CLOSE held")
        client.query(f"PREPARE p AS {MAIL}")
        client.query(f"DECLARE held CURSOR WITH HOLD FOR {MAIL}")
        seen = USES[use](client)
        assert not error_codes(seen) and nothing_hidden(seen)
        assert rows(seen)[:1] in ([MASKED], [])


def test_an_execute_that_has_begun_stops_under_other_rules(changing: RunningProxy) -> None:
    with connect(changing) as client:
        client.query(f"PREPARE p AS {MAIL}")
        client.query("BEGIN")
        ask(client, parse("e", "EXECUTE p"), bind("e", "e"), sync())
        assert rows(ask(client, execute("e", 1), sync())) == [OWN]
        changing.reload(RULES)
        seen = ask(client, execute("e", 5), sync())
        assert error_codes(seen) == ["0A000"] and nothing_hidden(seen)


def test_names_made_while_nothing_was_enforced(changing: RunningProxy) -> None:
    """The client takes a harmless name, and gives it to something else while it may."""
    free = RULES.replace("  agent:\n", "  agent:\n    mode: bypass\n")
    harmless = "SELECT 1 AS id, 'x' AS email LIMIT 1"
    with connect(changing) as client:
        client.query(f"PREPARE p AS {harmless}")
        ask(client, parse("s", harmless), sync())
        client.query(f"DECLARE held CURSOR WITH HOLD FOR {harmless}")
        changing.reload(free)
        client.query("DEALLOCATE ALL; CLOSE ALL")
        for name in ("p", "s"):
            client.query(f"PREPARE {name} AS SELECT 1, ssn FROM users")
        client.query("DECLARE held CURSOR WITH HOLD FOR SELECT 1, ssn FROM users")
        changing.reload(RULES)
        seen = []
        for text in ("EXECUTE p", "EXECUTE s", "FETCH ALL FROM held"):
            seen += client.query(text)
            seen += run(client, text)
        for name in ("p", "s"):
            seen += ask(client, bind("", name), execute(""), sync())
        assert not rows(seen) and nothing_hidden(seen)
        assert len(error_codes(seen)) == 8


# -- whose name it is ----------------------------------------------------------------------------


def test_a_portal_is_not_read_by_fetch(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.query("BEGIN")
        ask(client, parse("", MANY), bind("c", ""), execute("c", 1), sync())
        seen = client.query("FETCH ALL FROM c")
        client.query("ROLLBACK")
        return seen

    assert error_codes(hold(worlds, talk).messages) == ["42501"]


def test_a_portal_that_took_a_cursors_name(worlds: Worlds) -> None:
    """After the rollback the name is free at the server, and still remembered here."""

    def talk(client: WireClient) -> list[Message]:
        client.query("BEGIN")
        client.query("DECLARE c CURSOR WITH HOLD FOR SELECT 1 AS id LIMIT 1")
        client.query("ROLLBACK")
        client.query("BEGIN")
        ask(client, parse("", MANY), bind("c", ""), sync())
        client.query("SAVEPOINT s")
        # The Close is skipped: the portal lives, and was opened before the savepoint.
        ask(client, parse("", "SELECT 1/0"), bind("", ""), execute(""), close("P", "c"), sync())
        client.query("ROLLBACK TO s")
        seen = client.query("FETCH ALL FROM c")
        client.query("ROLLBACK")
        return seen

    (code,) = error_codes(hold(worlds, talk).messages)
    assert code in ("34000", "42501")


@pytest.mark.parametrize(
    "name",
    ["p", "P", '"p"', 'U&"\\0070"', "p" * 63, "p" * 64, '"' + "é" * 40 + '"', '"P p"', '"p""q"'],
)
def test_names_are_what_postgresql_takes_them_for(worlds: Worlds, name: str) -> None:
    def talk(client: WireClient) -> list[Message]:
        seen = client.query(f"PREPARE {name} AS SELECT 7; EXECUTE {name}")
        seen += client.query(f"BEGIN; DECLARE {name} CURSOR FOR SELECT 8; FETCH {name}; COMMIT")
        assert [b"7"] in rows(seen) and [b"8"] in rows(seen)
        return [*seen, *client.query(f"DEALLOCATE {name}"), *client.query(f"EXECUTE {name}")]

    assert error_codes(hold(worlds, talk).messages) == ["26000"]


def test_a_long_name_is_one_name_in_both_ways(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        ask(client, parse("n" * 63 + "1", "SELECT 1"), sync())
        taken = client.query(f"PREPARE {'n' * 63}2 AS SELECT id FROM users")
        assert error_codes(taken) == ["42P05"]
        return [*taken, *client.query(f"EXECUTE {'n' * 70}")]

    assert rows(hold(worlds, talk).messages) == [[b"1"]]


def test_the_unnamed_ones_have_no_name_in_sql(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        ask(client, parse("", MANY), bind("", ""), sync())
        return [m for text in ('EXECUTE ""', 'FETCH ""') for m in client.query(text)]

    assert error_codes(hold(worlds, talk).messages) == ["42601", "42601"]


def test_a_statement_that_executes_itself(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        ask(client, parse("s", "EXECUTE s"), sync())
        seen = ask(client, bind("", "s"), execute(""), sync()) + client.query("EXECUTE s")
        assert still_serves(client)
        return seen

    assert error_codes(hold(worlds, talk).messages) == ["42501", "42501"]


def test_a_name_made_and_used_in_one_write(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        parts = (
            parse("", f"PREPARE p AS {MANY}"), bind("", ""), execute(""),
            parse("", "EXECUTE p"), bind("", ""), describe("P", ""), execute(""),
            close("S", "p"), parse("", "EXECUTE p"), bind("", ""), execute(""), sync(),
        )  # fmt: skip
        return ask(client, *parts)

    seen = hold(worlds, talk)
    assert len(rows(seen.messages)) == CAP and error_codes(seen.messages) == ["26000"]


def test_a_cursor_after_rollback_to_a_savepoint(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.query("BEGIN; DECLARE kept CURSOR FOR SELECT id FROM users ORDER BY id")
        client.query("SAVEPOINT s; DECLARE gone CURSOR FOR SELECT id FROM users")
        client.query("ROLLBACK TO s")
        seen = client.query("FETCH kept")
        seen += client.query("FETCH gone")
        client.query("ROLLBACK")
        return [*seen, *client.query("FETCH kept")]

    seen = hold(worlds, talk)
    assert rows(seen.messages) == [[b"1"]]
    assert error_codes(seen.messages) == ["34000", "34000"]


# -- how much it gives ---------------------------------------------------------------------------

STEPS = [
    "FETCH ALL c", "FETCH 1000 c", "MOVE ALL c; FETCH BACKWARD ALL c", "FETCH ABSOLUTE 101 c",
    "MOVE 100 c; FETCH ALL c", "FETCH LAST c; FETCH RELATIVE 1 c", "FETCH ABSOLUTE -101 c",
    "FETCH 60 c; FETCH 60 c; FETCH 60 c", "MOVE ABSOLUTE 100 c; FETCH NEXT c; FETCH FORWARD ALL c",
]  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
def test_a_cursor_has_no_row_beyond_the_cap(worlds: Worlds, step: str, extended: bool) -> None:
    numbered = "SELECT n FROM generate_series(1, 300) n"

    def talk(client: WireClient) -> list[Message]:
        client.query(f"BEGIN; DECLARE c SCROLL CURSOR FOR {numbered}")
        texts = step.split("; ") if extended else [step]
        seen = [m for text in texts for m in (run if extended else WireClient.query)(client, text)]
        client.query("ROLLBACK")
        return seen

    found = {int(value or b"0") for (value,) in rows(hold(worlds, talk).messages)}
    assert found <= set(range(1, CAP + 1))


@pytest.mark.parametrize("limit", ["$1", "500", "ALL", "NULL"])
def test_no_limit_through_a_prepared_name(worlds: Worlds, limit: str) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.query(f"PREPARE p AS {MANY} LIMIT {limit}")
        arguments = "(NULL)" if limit == "$1" else ""
        seen = client.query(f"EXECUTE p{arguments}")
        return [*seen, *run(client, f"EXECUTE p{arguments}")]

    seen = hold(worlds, talk)
    assert len(rows(seen.messages)) == 2 * CAP
    assert [m.body for m in seen.messages if m.tag == b"C"] == [b"SELECT 100\0"] * 2


# -- what it says --------------------------------------------------------------------------------


def test_an_error_in_a_prepared_statement_names_nothing_hidden(
    servers: TwoServers, worlds: Worlds
) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.query("PREPARE p (int) AS SELECT id, email FROM users WHERE id = $1")
        seen = client.query("EXECUTE p('x')") + client.query("EXECUTE p")
        seen += client.query("EXECUTE p(1, 2)") + client.query("EXECUTE p(DATE '2020-01-01')")
        return [*seen, *client.query("EXECUTE p(1)")]

    seen = hold(worlds, talk)
    assert rows(seen.messages) == [MASKED]
    told = " ".join(f"{e['M']} {e.get('H', '')}" for e in errors(seen.messages))
    assert "ssn" not in told and "tenant" not in told and "P" not in errors(seen.messages)[0]


@pytest.mark.parametrize(
    "argument",
    [
        "(SELECT max(id) FROM users)", "user_ssn(11)", "lower('x')", "ARRAY(SELECT 1)",
        "CASE WHEN true THEN 1 END", "'secrets'::regclass", "'{secrets}'::_regclass", "users.id",
        "1 + 1", "COALESCE(NULL, 1)", "CURRENT_USER", "'x'::user_tier", "ROW(1)",
    ],
)  # fmt: skip
def test_arguments_read_and_call_nothing(worlds: Worlds, argument: str) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.query("PREPARE p AS SELECT $1::text")
        return client.query(f"EXECUTE p({argument})")

    (told,) = errors(hold(worlds, talk).messages)
    assert told["C"] in ("0A000", "42501")
