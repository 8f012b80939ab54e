"""policies/steps/admit.py: texts that would hurt a parser never reach one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from policies.reasons import Refusal
from policies.steps.admit import MAX_CHAIN, SHORT, admit
from tests.policies.lab import ask, refused


@pytest.mark.parametrize("name", ["()", "[]"])
def test_nesting_is_bounded_before_any_parser(name: str) -> None:
    """The parsers have limits of their own, which stand behind this one."""
    deep = name[0] * 250 + " " * SHORT + name[1] * 250
    with pytest.raises(Refusal):
        admit(f"SELECT {deep}".encode())
    admit(f"SELECT {name[0] * 150} {' ' * SHORT} {name[1] * 150}".encode())


def test_chains_of_operators_are_bounded_before_any_parser() -> None:
    with pytest.raises(Refusal):
        admit(b"SELECT 1" + b" + 1" * (MAX_CHAIN + 1))
    admit(b"SELECT 1" + b" + 1" * (MAX_CHAIN - 10))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"SELECT '\0'", "INVALID_TEXT"),
        (b"SELECT '\xff'", "INVALID_TEXT"),
        (b"SELECT '\xed\xa0\x80'", "INVALID_TEXT"),
        (b"SELECT '" + b"x" * (1 << 18) + b"'", "TOO_LARGE"),
        (b"SELECT 1 -- " + b"-" * 200_000, "TOO_COMPLEX"),
        (b"SELECT " + b"/**/" * 50_000 + b"1", "TOO_COMPLEX"),
        (b"SELECT 1 IN (1" + b",1" * 50_000 + b")", "TOO_COMPLEX"),
        (b"SELECT " + b"(" * 10_000 + b"1" + b")" * 10_000, "TOO_COMPLEX"),
        (b"SELECT 1" + b"+1" * 100_000, "TOO_COMPLEX"),
        (b"SELECT 1" + b"+1" * 1_000, "TOO_COMPLEX"),
        (b"SELECT " + b"NOT " * 5_000 + b"true", "TOO_COMPLEX"),
        (b"SELECT " + b"- " * 1_000 + b"1 FROM s", "TOO_COMPLEX"),
        (b"SELECT 1" + b"::int4" * 3_000, "TOO_COMPLEX"),
        (b"SELECT 1" + b" UNION SELECT 1" * 10_000, "TOO_COMPLEX"),
        (b"SELECT * FROM " + b"(SELECT * FROM " * 400 + b"s" + b") x" * 400, "TOO_COMPLEX"),
        (b"SELECT " + b"CASE WHEN true THEN " * 300 + b"1" + b" END" * 300, "TOO_COMPLEX"),
        (b"SELECT " + b"lower(" * 5_000 + b"'x'" + b")" * 5_000, "TOO_COMPLEX"),
        (b"SELECT 'x", "SYNTAX_ERROR"),
        (b"SELECT '" + b"x" * 5_000, "SYNTAX_ERROR"),
        (b"", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_hostile_sizes(text: bytes, code: str) -> None:
    if code:
        denied = refused(text)
        assert denied.reason.code == code
        assert not denied.fault
    else:
        assert not getattr(ask(text), "statements", None)


def test_long_but_flat_statements_are_fine() -> None:
    numbers = ", ".join(map(str, range(9_000)))
    assert type(ask(f"SELECT id FROM s WHERE id IN ({numbers})")).__name__ == "Allow"
    either = " OR ".join(f"id = {n}" for n in range(1_000))
    assert type(ask(f"SELECT id FROM s WHERE {either}")).__name__ == "Allow"


def test_no_text_kills_the_process() -> None:
    """A C stack overflow would take the interpreter with it, so it runs in one of its own."""
    code = """
from tests.policies.lab import ask
for unit in ("(", "[", "NOT ", "-", "1+", "a||", "SELECT ", "(SELECT ", "CASE WHEN ", "x::", "f("):
    for count in (100, 1_000, 10_000, 100_000):
        ask("SELECT " + unit * count)
        ask("SELECT " + unit * count + "1")
for unit in ("::int4", "+1", " UNION SELECT 1", "[1]", " AND true", ".x", " IS NULL", ")"):
    for count in (100, 1_000, 10_000, 100_000):
        ask("SELECT 1" + unit * count)
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "alive", (done.returncode, done.stderr[-500:])
