"""Hints for functions PostgreSQL does not have."""

from __future__ import annotations

import pytest

from policies import grammar
from policies.other_dialects import OTHERWISE, instead
from tests.policies.lab import refused


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ("SELECT year(now())", "extract(year FROM x)"),
        ("SELECT IFNULL(a, 'x') FROM t", "coalesce(a, b)"),
        ("SELECT strftime('%Y', a) FROM t", "to_char"),
        ("SELECT DateDiff(a, a) FROM t", "age(a, b)"),
        ("SELECT group_concat(a) FROM t", "string_agg"),
        ("SELECT divide(id, 2) FROM t", "a / b"),
        ("SELECT divide_by(1, 2)", OTHERWISE),
        ("SELECT public.year(1)", OTHERWISE),
    ],
)
def test_a_function_of_nothing_is_answered_as_postgresql_does(sql: str, part: str) -> None:
    deny = refused(sql)
    assert (deny.reason.code, deny.reason.sqlstate) == ("FUNCTION_NOT_FOUND", "42883")
    assert deny.message.endswith("(...) does not exist")
    assert part in deny.hint


@pytest.mark.parametrize("name", ["year", "week", "instr", "rand", "len"])
def test_a_hint_is_an_expression_postgresql_reads(name: str) -> None:
    written = instead(name).removeprefix("write ").split(" or ")[0]
    assert grammar.parse_expression(written.replace("(part IN string)", "(a IN b)"))
