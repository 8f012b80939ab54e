"""What comments say, and what is no comment or says nothing."""

from __future__ import annotations

import time

import pytest

from policies import grammar
from policies.comments import LONGEST, said, trace_id, without_context


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/*capability='browse'*/ SELECT 1", {"capability": "browse"}),
        ("SELECT 1 /* capability = 'a' , reason = 'b' */", {"capability": "a", "reason": "b"}),
        ("SELECT /*reason='it''s'*/ 1", {"reason": "it's"}),
        (r"SELECT /*reason='it\'s%20lost%2C%C3%BC'*/ 1", {"reason": "it's lost,ü"}),
        ("/*reason='a'*/ SELECT 1 /*traceparent='00-ab-cd-01'*/",
         {"reason": "a", "traceparent": "00-ab-cd-01"}),
        ("/*framework='django%3A5',route='/x',reason='a'*/ SELECT 1", {"reason": "a"}),
        ("/*,reason='a',*/ SELECT 1", {"reason": "a"}),
        ("/*reason='a'*/ /*reason='a'*/ SELECT 1", {"reason": "a"}),
        # said differently: the name of nothing
        ("/*capability='a'*/ SELECT 1 /*capability='b'*/", {"capability": "a, b"}),
        # control characters and lines
        ("/*reason='a%00%0A%1B[2Jb'*/ SELECT 1", {"reason": "a [2Jb"}),
        ("/*reason='%ff'*/ SELECT 1", {"reason": "\N{REPLACEMENT CHARACTER}"}),
    ],
)  # fmt: skip
def test_what_is_said(text: str, expected: dict[str, str]) -> None:
    assert said(text.encode()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT '/*reason=''a''*/'",
        "SELECT 1 AS \"/*reason='a'*/\"",
        "SELECT $$/*reason='a'*/$$",
        "SELECT 1 -- /*reason='a'*/",
        "SELECT 1 -- reason='a'",
        "/* reason='a' and more */ SELECT 1",
        "/*reason=a*/ SELECT 1",
        "/*reason='a*/ SELECT 1",
        "/*reason='a'/*reason='b'*/*/ SELECT 1",
        "/*reason=''*/ SELECT 1",
        "/*re%61son='a'*/ SELECT 1",
        "/*REASON='a'*/ SELECT 1",
        "/*other='a'*/ SELECT 1",
        "/**/ SELECT 1",
        "/*reason='a'",
        "SELECT '/*reason=''a''*/",
    ],
)
def test_what_says_nothing(text: str) -> None:
    assert said(text.encode()) == {}


@pytest.mark.parametrize("key", ["reason", "capability", "traceparent"])
def test_a_value_is_bounded(key: str) -> None:
    assert said(f"/*{key}='{'x' * 5000}'*/ SELECT 1".encode()) == {key: "x" * LONGEST[key]}


@pytest.mark.parametrize(
    "body", [" " * 200_000 + "x", "a='b'," * 30_000 + "x", "a='" + "''" * 9**5]
)
def test_reading_takes_time_for_each_character_once(body: str) -> None:
    before = time.perf_counter()
    assert said(f"/*{body}*/ SELECT 1".encode()) == {}
    assert time.perf_counter() - before < 2


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ0ZW5hbnQiOjF9.c2ln"


@pytest.mark.parametrize(
    ("text", "left", "context"),
    [
        (f"/*querywarden_context='{TOKEN}'*/ SELECT 1", {}, TOKEN),
        (f"SELECT 1 /*reason='a',querywarden_context='{TOKEN}',capability='b'*/",
         {"reason": "a", "capability": "b"}, TOKEN),
        (f"/*querywarden_context='{TOKEN}'*/ SELECT 1 /*querywarden_context='{TOKEN}'*/", {},
         TOKEN),
        (f"/*querywarden_context='{TOKEN}'*/ SELECT 1 /*querywarden_context='other'*/", {},
         f"{TOKEN}, other"),
        # not of the form: no context, and not left to be read by others either
        (f"/*querywarden_context={TOKEN}*/ SELECT 1", {}, ""),
        (f"SELECT 1 -- querywarden_context='{TOKEN}'", {}, ""),
        (f"/*ü='ü', querywarden_context = '{TOKEN}' */ SELECT 1", {}, ""),
        (f"/*x='ü', querywarden_context = '{TOKEN}' */ SELECT 1", {}, TOKEN),
    ],
)  # fmt: skip
def test_a_context_is_taken_out(text: str, left: dict[str, str], context: str) -> None:
    blank, found = without_context(text.encode())
    assert found == context
    assert b"eyJ" not in blank and len(blank) == len(text.encode())
    assert said(blank) == left
    assert [t for t in grammar.tokens(blank) if "COMMENT" not in t.name] == [
        t for t in grammar.tokens(text.encode()) if "COMMENT" not in t.name
    ]


def test_a_literal_that_looks_like_a_context_stays() -> None:
    text = b"SELECT 'querywarden_context=''x''', '/*querywarden_context=''x''*/'"
    assert without_context(text) == (text, "")


def test_a_context_too_long_is_none_that_anybody_signed() -> None:
    long = "e" * 9000
    blank, found = without_context(f"/*querywarden_context='{long}'*/ SELECT 1".encode())
    assert b"eee" not in blank
    assert len(found) == LONGEST["querywarden_context"] + 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"00-{'ab' * 16}-{'cd' * 8}-01", "ab" * 16),
        (f"00-{'AB' * 16}-{'cd' * 8}-01", ""),
        (f"00-{'ab' * 16}-{'cd' * 8}-01-x", ""),
        ("", ""),
    ],
)
def test_the_trace_of_a_statement(said: str, expected: str) -> None:
    assert trace_id({"traceparent": said}) == expected
