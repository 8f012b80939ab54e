"""Names: what counts when it is sent, what is undone after an error, what ends a name."""

from __future__ import annotations

import pytest

from proxy.wire import ledger
from proxy.wire.names import Named, Names, key_of

WHEN = (0.0, 0.0)


def parse(name: bytes, statement: Named) -> ledger.Entry[Named]:
    return ledger.PARSE, name, statement, WHEN, b""


def bind(portal: bytes, statement: Named) -> ledger.Entry[Named]:
    return ledger.BIND, portal, statement, WHEN, b""


@pytest.fixture
def names() -> Names[Named]:
    """With a settled statement `s` and a settled unnamed one."""
    known: Names[Named] = Names()
    for name in (b"s", b""):
        statement = Named()
        known.parse_sent(name, statement, 0)
        known.parse_settled(name, statement)
    return known


def test_a_parse_counts_at_once_and_is_settled_later() -> None:
    names: Names[Named] = Names()
    statement = Named()
    names.parse_sent(b"s", statement, 4)
    assert names.statements == {b"s": statement} and names.settled == {}
    assert (statement.settled, statement.group) == (False, 4)
    names.parse_settled(b"s", statement)
    assert names.settled == {b"s": statement} and statement.settled


def test_a_failed_redefinition_leaves_the_old_one(names: Names[Named]) -> None:
    old, new = names.settled[b"s"], Named()
    names.close_sent(b"Ss")
    names.parse_sent(b"s", new, 1)
    assert names.statements[b"s"] is new
    names.failed((ledger.CLOSE, b"Ss", None, WHEN, b""), [parse(b"s", new)], [])
    assert names.statements[b"s"] is old


def test_what_is_still_to_come_counts_on(names: Names[Named]) -> None:
    later = Named()
    failed = Named()
    names.parse_sent(b"t", failed, 1)
    names.parse_sent(b"u", later, 2)
    close = (ledger.CLOSE, b"Ss", None, WHEN, b"")
    names.failed(parse(b"t", failed), [], [parse(b"u", later), close])
    assert set(names.statements) == {b"u", b""} and names.statements[b"u"] is later


@pytest.mark.parametrize("kind", [ledger.PARSE, ledger.REFUSED])
def test_a_failed_parse_drops_the_unnamed_statement(names: Names[Named], kind: int) -> None:
    names.failed((kind, b"", None, WHEN, b""), [], [])
    assert set(names.settled) == {b"s"} == set(names.statements)


@pytest.mark.parametrize("kind", [ledger.QUERY, ledger.REFUSED_QUERY])
def test_a_query_drops_the_unnamed_statement(names: Names[Named], kind: int) -> None:
    names.query_sent()
    assert set(names.statements) == {b"s"} and b"" in names.settled
    names.failed(parse(b"t", Named()), [], [(kind, b"", None, WHEN, b"")])
    assert set(names.statements) == {b"s"}
    names.query_settled()
    assert set(names.settled) == {b"s"}


def test_a_dropped_bind_is_undone_unless_bound_again(names: Names[Named]) -> None:
    statement = names.statements[b"s"]
    names.portals = {b"": (statement, 2), b"c": (statement, 1)}
    names.failed(bind(b"c", statement), [bind(b"", statement)], [bind(b"", statement)])
    assert set(names.portals) == {b""}


def test_close(names: Names[Named]) -> None:
    names.portals[b"c"] = (names.statements[b"s"], 0)
    names.close_sent(b"Ss")
    names.close_sent(b"Pc")
    names.close_sent(b"Snobody")
    assert set(names.statements) == {b""} and names.portals == {}
    names.close_settled(b"Ss")
    names.close_settled(b"Pc")
    assert set(names.settled) == {b""}


def test_forgetting_does_not_touch_what_is_being_prepared_anew(names: Names[Named]) -> None:
    new = Named()
    names.parse_sent(b"s", new, 1)
    names.forget_statement(None)
    assert names.statements == {b"s": new} and names.settled == {}
    names.forget_statement(b"nobody")
    names.portals = {b"a": (new, 1), b"b": (new, 1)}
    names.forget_portal(b"a")
    assert set(names.portals) == {b"b"}
    names.forget_portal(None)
    assert names.portals == {}


def test_what_sql_prepared_counts_when_it_is_confirmed() -> None:
    names: Names[Named] = Names()
    statement = Named()
    names.prepared(b"s", statement)
    assert names.statements == {b"s": statement} == names.settled and statement.settled


def test_a_cursor_s_name_is_its_own() -> None:
    names: Names[Named] = Names()
    cursor, other = Named(), Named()
    names.bind_sent(b"c", other, 3)
    names.declared(b"c", cursor, hold=False)
    assert names.portals == {} and names.describable(b"c") == (cursor, -1)
    names.bind_sent(b"c", other, 4)
    assert names.cursors == {} and names.describable(b"c") == (other, 4)
    assert names.describable(b"d") is None


def test_cursors_with_hold_stay_when_the_transaction_ends() -> None:
    names: Names[Named] = Names()
    for name, hold in ((b"c", False), (b"d", True)):
        names.declared(name, Named(), hold)
    names.transaction_ended()
    assert set(names.cursors) == {b"d"}
    names.forget_portal(b"d")
    assert names.cursors == {}


def test_names_nobody_looked_after_are_doubtful(names: Names[Named]) -> None:
    bound = Named()
    names.bind_sent(b"p", bound, 0)
    names.declared(b"c", Named(), hold=True)
    names.distrust()
    assert bound.doubtful and all(each.doubtful for each in names.statements.values())
    assert names.cursors == {}


def test_names_of_sql_are_cut_like_those_of_the_protocol() -> None:
    assert key_of("n" * 70) == b"n" * 63 and key_of("\u00e9") == b"\xc3\xa9"
