"""YAML that is refused, and what its scalars become."""

from __future__ import annotations

import pytest

from policies.rules import RulesError, parse
from policies.rules_errors import Problem
from policies.rules_text import read_yaml


def problems(text: str) -> list[Problem]:
    with pytest.raises(RulesError) as caught:
        parse(text, "r.yaml")
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: b: c", 1, "second `:`"),
        ("a:\n\t- b", 2, "a tab"),
        ("a: [1,\n", 2, "bracket"),
        ("a: 'x", 1, "a quote, bracket or brace is not closed"),
        ("a: @x", 1, "cannot start a value"),
        ("a: 1\n b: 1", 2, "`:`"),
        ("- a", 1, "must be a set of fields"),
        ("hello", 1, "must be a set of fields"),
        ("", 1, "version: is missing"),
        ("version: 1\n---\nversion: 1", 2, "second document"),
        ("version: 1\nversion: 1", 2, "written twice: also in line 1"),
        ("version: !!python/object/apply:os.system [id]", 1, "tags (!name) are not allowed"),
        ("version: !!int 1", 1, "tags (!name) are not allowed"),
        ("version: 1\nentities: {<<: {}}", 2, "merge keys"),
        ("version: 1\n? [a]\n: b", 2, "must be plain text"),
        ("version: 1\nx: *b", 2, "no anchor"),
        ("version: 1\nx: &a [*a]", 2, "expand to too much"),
        ("version: 1\nx: " + "[" * 5000, 2, "nested too deeply"),
        ("version: 1\nx: \x00", 2, "may not hold"),
        ("version: 1\nroles:\n  r:\n    mode:\n", 4, "has no value"),
        ("version: 1\nentities:\n  u: {tenant: null, shared: true}\n", 3, "has no value"),
        ("version: '1'", 1, "version 1 of the format only"),
        ("version: true", 1, "version 1 of the format only"),
        ("version: 2", 1, "version 1 of the format only"),
    ],
)
def test_wrong_yaml(text: str, line: int, said: str) -> None:
    (found,) = problems(text)
    assert found.line == line and said in str(found), found


def test_anchors_work_and_their_expansion_is_bounded() -> None:
    shared = (
        "version: 1\nprofile: dev\nentities:\n  a: &x {tenant: t, columns: {b: deny}}\n  c: *x\n"
    )
    rules = parse(shared, "r.yaml")
    assert rules.entities["a"] == rules.entities["c"]
    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    (found,) = problems(laughs)
    assert "expand to too much" in found.message
    (found,) = problems("x: " + "y" * (1 << 20))
    assert "larger than 1 MiB" in found.message


def test_only_what_is_written_is_a_number_or_a_boolean() -> None:
    data = read_yaml("v: [010, 12:30, no, 1_0, 1e3, 0x1F, 2024-01-01, 7, -1, true, '7']", "x")
    assert data.data["v"] == (
        "010", "12:30", "no", "1_0", "1e3", "0x1F", "2024-01-01", 7, -1, True, "7",
    )  # fmt: skip
