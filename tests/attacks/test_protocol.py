"""The attacks of attacks.yaml that are conversations, one test each, in both worlds."""

from __future__ import annotations

import contextlib
import re
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from proxy.testing import RunningProxy
from tests.attacks import catalogue, wire_client
from tests.attacks.conftest import RULES, UPSTREAM_ROLE, USERS, Worlds
from tests.attacks.conversation import (
    CAP,
    MANY,
    ask,
    compare,
    error_codes,
    hold,
    hold_raw,
    still_serves,
    until_closed,
)
from tests.attacks.verdict import Tally
from tests.attacks.wire_client import (
    BINARY,
    SSL_REQUEST,
    LoginRefused,
    Message,
    WireClient,
    bind,
    describe,
    execute,
    flush,
    frame,
    parse,
    query,
    rows,
    startup_packet,
    sync,
)
from tests.attacks.worlds import DATABASE, Door, Transcript, TwoServers, World

LOGIN = {"user": "agent_t1", "database": DATABASE}
BOOL, INT8 = 16, 20
PROTOCOL_3_2 = 196610


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest, tally: Tally) -> None:
    """Every conversation is in the summary."""
    if re.match(r"test_pr_\d+", request.node.name):
        tally.conversations += 1


def test_every_conversation_has_a_test() -> None:
    written = {
        f"PR-{found[1]}" for name in globals() if (found := re.match(r"test_pr_(\d+)", name))
    }
    assert written == set(catalogue.conversations())


def test_pr_001_two_statements_in_one_query(worlds: Worlds) -> None:
    seen = hold(worlds, lambda c: c.query("SELECT 1; SELECT ssn FROM users WHERE id=11"))
    assert error_codes(seen.messages)


def test_pr_003_two_statements_in_one_parse(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        messages = ask(client, parse("", "SELECT 1; SELECT 2"), sync())
        assert still_serves(client)
        return messages

    assert error_codes(hold(worlds, talk).messages) == ["42601"]


def test_pr_005_function_call(worlds: Worlds) -> None:
    (oid,) = rows(worlds[0].inspector.query("SELECT 'user_ssn'::regproc::oid::int"))[0]
    argument = struct.pack("!i", 2) + b"11"
    body = struct.pack("!ihh", int(oid or b""), 0, 1) + argument + struct.pack("!h", 0)

    def talk(client: WireClient) -> list[Message]:
        messages = ask(client, frame(b"F", body))
        assert still_serves(client)
        return messages

    seen = hold(worlds, talk)
    assert error_codes(seen.messages)
    assert not [m for m in seen.messages if m.tag == b"V"]


def test_pr_007_prepare_and_parse_share_names(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        refused = client.query("PREPARE p AS SELECT ssn FROM users WHERE id=11")
        assert error_codes(refused)
        return ask(client, bind("", "p"), execute(""), sync())

    assert error_codes(hold(worlds, talk).messages) == ["26000"]


def test_pr_009_cursors_are_portals(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.query("BEGIN")
        refused = client.query("DECLARE cur CURSOR FOR SELECT ssn FROM users")
        assert error_codes(refused)
        return ask(client, execute("cur", 1), sync())

    (code,) = error_codes(hold(worlds, talk).messages)
    assert code in ("34000", "25P02")


OPEN_RULES = RULES.replace("      email: {mask: email}\n", "      email: show\n")


@pytest.fixture
def changing(servers: TwoServers) -> Iterator[RunningProxy]:
    """A proxy of its own, under rules that show e-mail addresses until they are changed."""
    upstream = servers[0].dsn(DATABASE, UPSTREAM_ROLE)
    with RunningProxy(rules=OPEN_RULES, users=USERS, upstream=upstream) as proxy:
        yield proxy


@pytest.mark.parametrize("opened", [False, True], ids=["prepared", "portal open"])
def test_pr_011_rules_change_between_parse_and_bind(changing: RunningProxy, opened: bool) -> None:
    door = Door("127.0.0.1", changing.port, "agent_t1", USERS["agent_t1"])
    with door.connect() as client:
        client.query("BEGIN")
        ask(client, parse("s1", "SELECT id, email FROM users"), sync())
        before = ask(client, bind("first", "s1"), execute("first", 1), sync())
        assert b"alice@t1.example" in rows(before)[0]
        changing.reload(RULES)
        parts = [] if opened else [bind("first", "s1")]
        after = ask(client, *parts, execute("first"), sync())
        assert error_codes(after) or rows(after)
        assert not catalogue.leaks(b"".join(m.body for m in after), "")
        client.query("ROLLBACK")
        fresh = client.query("SELECT id, email FROM users WHERE id = 1")
        assert rows(fresh) == [[b"1", b"a***@t1.example"]]


def test_pr_012_a_statement_never_crosses_tenants(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        ask(client, parse("s1", "SELECT * FROM users"), sync())
        host, port = client.socket.getpeername()
        other = Door(host, port, "agent_t2", USERS["agent_t2"])
        with other.connect() as second:
            alongside = ask(second, bind("", "s1"), execute(""), sync())
        client.send(frame(b"X", b""))
        assert not client.rest()
        with other.connect() as third:
            return [*alongside, *ask(third, bind("", "s1"), execute(""), sync())]

    assert error_codes(hold(worlds, talk).messages) == ["26000", "26000"]


def test_pr_014_no_limit_through_a_parameter(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        few = client.extended("SELECT id FROM orders LIMIT $1", [None])
        assert sorted(rows(few)) == [[b"101"], [b"102"], [b"103"]]
        many = client.extended(f"{MANY} LIMIT $1", [None])
        assert len(rows(many)) == CAP
        return [*few, *many]

    assert not error_codes(hold(worlds, talk).messages)


def test_pr_015_negative_limit(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        minus_one = struct.pack("!q", -1)
        return ask(
            client,
            parse("", "SELECT id FROM orders LIMIT $1", [INT8]),
            bind("", "", [minus_one], formats=[BINARY]),
            execute(""),
            sync(),
        )

    assert error_codes(hold(worlds, talk).messages) == ["2201W"]


def test_pr_017_predicate_in_a_parameter(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        text = "SELECT id FROM users WHERE $1"
        return ask(client, parse("", text, [BOOL]), bind("", "", [b"t"]), execute(""), sync())

    assert sorted(rows(hold(worlds, talk).messages)) == [[b"1"], [b"2"], [b"3"]]


def test_pr_019_composite_parameter(worlds: Worlds) -> None:
    (oid,) = rows(worlds[0].inspector.query("SELECT 'users'::regtype::oid::int"))[0]
    row = b"(1,1,a,b,c,d,1,,,{})"

    def talk(client: WireClient) -> list[Message]:
        messages = ask(
            client,
            parse("", "SELECT $1", [int(oid or b"")]),
            bind("", "", [row]),
            describe("P", ""),
            execute(""),
            sync(),
        )
        assert still_serves(client)
        return messages

    hold(worlds, talk)


def test_pr_022_a_query_drops_the_unnamed_statement(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        ask(client, parse("", "SELECT id FROM users"), sync())
        assert rows(client.query("SELECT 7")) == [[b"7"]]
        messages = ask(client, bind("", ""), execute(""), sync())
        assert still_serves(client)
        return messages

    assert error_codes(hold(worlds, talk).messages) == ["26000"]


def test_pr_023_describe_names_no_hidden_column(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        text = "SELECT x AS a, ssn AS b FROM (SELECT ssn, id x FROM users) q"
        refused = ask(client, parse("", text), describe("S", ""), sync())
        assert not [m for m in refused if m.tag == b"T"]
        shown = ask(client, parse("", "SELECT * FROM users"), describe("S", ""), sync())
        (described,) = [m for m in shown if m.tag == b"T"]
        assert "ssn" not in {column.name for column in wire_client.columns(described)}
        return [*refused, *shown]

    assert error_codes(hold(worlds, talk).messages) == ["42703"]


def test_pr_025_rows_through_copy(worlds: Worlds) -> None:
    before = worlds[0].digest()

    def talk(client: WireClient) -> list[Message]:
        row = b"901\t2\t11\t1\tx\tn\t2020-01-01\n"
        copy = query("COPY orders FROM STDIN")
        messages = ask(client, copy, frame(b"d", row), frame(b"c", b""))
        assert still_serves(client)
        return messages

    assert error_codes(hold(worlds, talk).messages)
    assert worlds[0].digest() == before


def test_pr_027_copy_out(worlds: Worlds) -> None:
    """Rows without a RowDescription are as masked and as much the tenant's own as any."""
    for form in ("text", "csv", "binary"):
        seen = hold(worlds, lambda c, form=form: c.query(f"COPY users TO STDOUT (FORMAT {form})"))
        rows = [m.body for m in seen.messages if m.tag == b"d"]
        assert not error_codes(seen.messages) and rows
        assert all(b"***@t1.example" in row for row in rows[:3])
        assert len(rows) == 3 + (form == "binary")


@pytest.mark.parametrize("value", ["true", "database", "1"])
def test_pr_029_replication(worlds: Worlds, value: str) -> None:
    seen = _log_in(worlds, {"replication": value})
    assert error_codes(seen.messages)


def _log_in(worlds: Worlds, parameters: dict[str, str]) -> Transcript:
    def talk(world: World) -> tuple[Transcript, str]:
        try:
            world.door.connect(parameters=parameters).close()
        except LoginRefused as refused:
            return Transcript([refused.message]), str(parameters)
        return Transcript(), str(parameters)

    return compare(worlds, talk)


@pytest.mark.parametrize(
    "options",
    [
        "-c standard_conforming_strings=off -c search_path=evil",
        "-cstandard_conforming_strings=off",
        "--standard_conforming_strings=off",
        "-c search_path=evil",
        "-c role=postgres",
        "-c\\ standard_conforming_strings=off",
    ],
)
def test_pr_031_settings_at_start_up(worlds: Worlds, options: str) -> None:
    assert error_codes(_log_in(worlds, {"options": options}).messages)


def test_pr_033_encoding_at_start_up(worlds: Worlds) -> None:
    assert error_codes(_log_in(worlds, {"client_encoding": "GBK"}).messages)
    assert error_codes(_log_in(worlds, {"options": "-c client_encoding=GBK"}).messages)


@pytest.mark.parametrize("through", ["query", "parse"])
def test_pr_035_invalid_utf8(worlds: Worlds, through: str) -> None:
    text = b"SELECT 'x\xbf\x5c', ssn FROM users WHERE id=11 --'"

    def talk(client: WireClient) -> list[Message]:
        parts = [query(text)] if through == "query" else [parse("", text), sync()]
        messages = ask(client, *parts)
        assert still_serves(client)
        return messages

    assert error_codes(hold(worlds, talk).messages) == ["22021"]


def test_pr_037_plain_text_behind_an_ssl_request(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.send(SSL_REQUEST + startup_packet(LOGIN))
        client.socket.settimeout(5)
        answer = b""
        while data := client.socket.recv(1000):
            answer += data
        assert b"SCRAM" not in answer
        return []

    hold_raw(worlds, talk)


def test_pr_039_newer_protocol(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        password = USERS["agent_t1"]
        client.start({**LOGIN, "_pq_.unknown": "1"}, password, version=PROTOCOL_3_2)
        assert still_serves(client)
        return [m for m in client.startup if m.tag == b"v"]

    (answer,) = hold_raw(worlds, talk).messages
    assert b"_pq_.unknown\0" in answer.body


@pytest.mark.parametrize("length", [0, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("ready", [False, True], ids=["start-up", "ready"])
def test_pr_041_impossible_lengths(worlds: Worlds, length: int, ready: bool) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.send((b"Q" if ready else b"") + struct.pack("!I", length) + b"abcd")
        client.socket.settimeout(5)
        return until_closed(client)

    (hold if ready else hold_raw)(worlds, talk)


def test_pr_043_nested_parentheses(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        messages = client.query("SELECT " + "(" * 20_000 + "1" + ")" * 20_000)
        assert still_serves(client)
        return messages

    assert error_codes(hold(worlds, talk).messages)


def test_pr_045_a_bind_of_gigabytes(
    worlds: Worlds, proxies: tuple[RunningProxy, RunningProxy]
) -> None:
    before = _memory(proxies[0].pid)

    def talk(client: WireClient) -> list[Message]:
        ask(client, parse("", "SELECT $1::text"), sync())
        head = struct.pack("!xxHH", 0, 65_535) + struct.pack("!i", 1 << 20)
        client.socket.settimeout(5)
        with contextlib.suppress(ConnectionError, TimeoutError):
            client.send(b"B" + struct.pack("!I", 0x3FFFFFF0) + head)
            for _ in range(300):
                client.send(bytes(1 << 20))
        assert _memory(proxies[0].pid) - before < 150 << 20
        return []

    assert all(world.bystander_works() for world in worlds)  # one client each stays connected
    clients = [_clients(proxy) for proxy in proxies]
    hold(worlds, talk)
    deadline = time.monotonic() + 20
    while [_clients(proxy) for proxy in proxies] != clients:
        assert time.monotonic() < deadline, "a client that went away is still served"
        time.sleep(0.05)


def _clients(proxy: RunningProxy) -> str:
    """The line of the metrics that counts clients."""
    found = re.search(r"^querywarden_clients .*$", proxy.http("/metrics")[1], re.MULTILINE)
    assert found
    return found[0]


def _memory(pid: int) -> int:
    """Resident bytes of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) << 10


def test_pr_048_flush_instead_of_sync(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        parts = parse("", MANY), bind("p", ""), describe("P", "p"), execute("p", 60), flush()
        client.send(b"".join(parts))
        first = client.until(b"s", b"C", b"E")
        client.send(execute("p", 60) + flush())
        second = client.until(b"s", b"C", b"E")
        client.send(execute("p", 60) + sync())
        return [*first, *second, *client.until(b"Z")]

    assert 0 < len(rows(hold(worlds, talk).messages)) <= CAP


def test_pr_050_notices_are_a_channel(worlds: Worlds) -> None:
    text = "DO $$BEGIN RAISE NOTICE '%', (SELECT max(ssn) FROM public.users); END$$"
    seen = hold(worlds, lambda c: c.query(text))
    assert error_codes(seen.messages)
    assert not [m for m in seen.messages if m.tag == b"N"]


def test_pr_053_move_counts_rows(worlds: Worlds) -> None:
    text = "BEGIN; DECLARE c CURSOR FOR SELECT 1 FROM users; MOVE ALL c; ROLLBACK"
    seen = hold(worlds, lambda c: c.query(text))
    assert [m.body for m in seen.messages if m.body.startswith(b"MOVE")] == [b"MOVE 3\0"]


def test_pr_055_nothing_is_left_behind(worlds: Worlds) -> None:
    def talk(client: WireClient) -> list[Message]:
        client.query("SET application_name = 'left behind'")
        client.query("BEGIN")
        ask(client, parse("left", "SELECT id FROM users"), sync())
        client.send(frame(b"X", b""))
        assert not client.rest()
        host, port = client.socket.getpeername()
        with Door(host, port, LOGIN["user"], USERS["agent_t1"]).connect() as second:
            assert second.status == b"I"
            name = second.query("SHOW application_name")
            gone = ask(second, bind("", "left"), execute(""), sync())
        return [*name, *gone]

    seen = hold(worlds, talk)
    assert rows(seen.messages) == [[b""]]
    assert error_codes(seen.messages) == ["26000"]


def test_pr_057_search_path_between_parse_and_bind(worlds: Worlds) -> None:
    def talk(client: WireClient) -> Sequence[Message]:
        ask(client, parse("s1", "SELECT * FROM users"), sync())
        moved = client.query("SET search_path = evil, public")
        return [*moved, *ask(client, bind("", "s1"), execute(""), sync())]

    seen = hold(worlds, talk)
    assert error_codes(seen.messages)
    assert len(rows(seen.messages)) in (0, 3)
