"""Places of errors lead back to the client's own text, whatever was put into it."""

from __future__ import annotations

import pytest

from policies.decision import Allow
from policies.places import Told, tell
from tests.policies.lab import ask, refused


def _told(sql: str, word: str, message: bytes = b"") -> Told:
    """What is told of an error at the last `word` of the text the upstream gets."""
    decision = ask(sql)
    assert isinstance(decision, Allow)
    sent = [(plan.sql, plan.written) for plan in decision.statements]
    place = decision.text.decode().rindex(word) + 1
    return tell(message, place, sent, sql.encode())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT SPOT",
        "SELECT s.SPOT FROM s",
        "SELECT s.x FROM s, t WHERE SPOT = 1",
        "SELECT 'ä', 'äöü€😀' FROM s AS \"ü\" WHERE SPOT",
        "SELECT 1;\n-- é\nSELECT id, '€' FROM s ; ;\n\n /* € */ SELECT SPOT FROM s; SELECT 3",
        "BEGIN ; SELECT lower(SPOT); COMMIT",
        "TABLE s ORDER BY SPOT",
        "SELECT id FROM s LIMIT SPOT",
        "SELECT id FROM s ORDER BY SPOT FETCH FIRST ROW WITH TIES",
        "SELECT s.id FROM public.s WHERE public.s.id = public.s.x AND SPOT",
        "SELECT t.id, t.a FROM t WHERE SPOT GROUP BY t.id",
        "SELECT 'x' /* € */\n 'y', SPOT FROM s",
    ],
)
def test_a_place_in_the_clients_words(sql: str) -> None:
    assert _told(sql, "SPOT") == Told(sql.index("SPOT") + 1, b"")


def test_the_schema_put_before_a_function_is_not_told() -> None:
    sql = "SELECT '€', lower(x) FROM s"
    told = _told(sql, "pg_catalog.lower", b"function pg_catalog.lower(integer) does not exist")
    assert told == Told(sql.index("lower") + 1, b"function lower(integer) does not exist")
    written = "SELECT pg_catalog.lower(x) FROM s"
    told = _told(written, "pg_catalog.lower", b"function pg_catalog.lower(integer) does not exist")
    assert told == Told(8, b"function pg_catalog.lower(integer) does not exist")


@pytest.mark.parametrize("word", ['(SELECT r."id"', '"org"', '"public"', "'1'", "r WHERE"])
def test_a_place_in_a_policy_view_is_the_relations(word: str) -> None:
    sql = "SELECT a FROM s, t ORDER BY 1"
    assert _told(sql, word) == Told(sql.index("t ORDER") + 1, b"", closed=True)


def test_a_column_that_loses_its_schema() -> None:
    sql = "SELECT public.s.id, public.s.nope FROM public.s"
    assert _told(sql, "s.nope").place == sql.index("public.s.nope") + 1


@pytest.mark.parametrize("place", [-1, 0, 12, 10_000])
def test_a_place_that_is_none(place: int) -> None:
    decision = ask("SELECT 1 LIMIT 1")
    assert isinstance(decision, Allow)
    sent = [(plan.sql[:10], plan.written) for plan in decision.statements]
    assert tell(b"m", place, sent, b"SELECT 1 LIMIT 1") == Told(0, b"m")


def test_a_statement_written_anew_has_no_places() -> None:
    assert _told("start transaction", "TRANS") == Told(0, b"")
    assert tell(b"m", 1, [], b"") == Told(0, b"m")


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("SELECT 1; SELECT 'äöü€' FROM WHERE", "WHERE"),
        ("SELECT 'a' -- ä\n 'b' FROM WHERE", "WHERE"),
        ("SELECT 1 +", ""),
    ],
)
def test_a_syntax_error_has_its_place(sql: str, word: str) -> None:
    deny = refused(sql)
    assert (deny.reason.code, deny.place) == ("SYNTAX_ERROR", len(sql) - len(word) + 1)


def test_a_literal_of_theirs_that_was_copied_into_a_view_is_theirs() -> None:
    sql = "SELECT a FROM t WHERE id = 'abc' AND a LIKE 'x%'"
    decision = ask(sql)
    assert isinstance(decision, Allow)
    text = decision.text.decode()
    assert text.count("'abc'") == 2  # in the fence, and where it was
    sent = [(plan.sql, plan.written) for plan in decision.statements]
    told = tell(b"m", text.index("'abc'") + 1, sent, sql.encode())
    assert told == Told(sql.index("'abc'") + 1, b"m")
