"""PostgreSQL's grammar as the engine uses it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import grammar
from policies.settings import milliseconds
from policies.sql import array, identifier, literal


def test_statements_are_split_with_their_places() -> None:
    text = b"  SELECT 1 ; /* x */ SELECT 'b;' -- end"
    found = grammar.parse(text)
    assert [raw.text for raw in found] == [b"SELECT 1", b"SELECT 'b;' -- end"]
    assert all(text[raw.start :].startswith(raw.text) for raw in found)


def test_characters_that_begin_nothing_are_tokens_too() -> None:
    assert [token.name for token in grammar.tokens(b"a {}")] == ["IDENT", "", ""]


def test_same_ignores_places_only() -> None:
    assert grammar.same(grammar.parse_one("SELECT  1"), grammar.parse_one("SELECT /**/ 1")) is False
    _, one = grammar.parse_one("SELECT a, 'location' FROM t")
    _, other = grammar.parse_one("SELECT   a,   'location'   FROM   t")
    _, third = grammar.parse_one("SELECT a, 'locatiom' FROM t")
    assert grammar.same(one, other) and not grammar.same(one, third)


@pytest.mark.parametrize("text", ["1; SELECT 2", "1) OR (2", "1 AS x", "1 FROM t", "", "(1"])
def test_an_expression_is_just_that(text: str) -> None:
    with pytest.raises(grammar.GrammarError):
        grammar.parse_expression(text)


_ANY = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=30)


@given(text=_ANY)
def test_literals_and_identifiers_hold_whatever_is_in_them(text: str) -> None:
    _, node = grammar.parse_one(f"SELECT {literal(text)} AS {identifier(text or 'x')}")
    target = node["targetList"][0]["ResTarget"]
    assert target["val"]["A_Const"]["sval"].get("sval", "") == text
    name = text or "x"
    assert name.encode().startswith(target["name"].encode())  # PostgreSQL cuts at 63 bytes
    assert len(name.encode()) <= 63 or len(target["name"].encode()) >= 60


def test_a_literal_refuses_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        literal("a\0b")
    assert literal(True) == "'true'"
    assert array({3, 1}, "oid") == "'{1,3}'::oid[]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500", 500), ("2s", 2000), ("1 min", 60_000), ("1.5s", 1500), ("x", None), ("", None)],
)
def test_durations(text: str, expected: float | None) -> None:
    assert milliseconds(text) == expected
