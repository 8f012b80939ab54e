"""A sample of `make oracle`, and that the oracle would notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from proxy.testing import PostgresServer
from tests.oracle.answers import Answer, Tally, difference, judge
from tests.oracle.application import design
from tests.oracle.exchange import Form, Sides
from tests.oracle.grammar import Statement
from tests.oracle.run import generated, run
from tests.oracle.shrink import shrink
from tests.oracle.statements import statement
from tests.oracle.tables import TABLES
from tests.oracle.world import World, world

SEED, SAMPLE = 3, 800


@pytest.fixture(scope="module")
def made(postgres: PostgresServer) -> Iterator[World]:
    with world(postgres, design(SEED)) as made:
        yield made


def test_a_sample_answers_as_the_reference_does(made: World) -> None:
    report = run("sample", made, generated(SEED, SAMPLE))
    assert [str(finding) for finding in report.differences] == []
    tally = report.tally
    assert tally.total == SAMPLE
    assert tally.equal >= 0.95 * SAMPLE, str(report)
    assert tally.rows > 10 * SAMPLE, str(report)
    assert tally.refused.total() <= 0.01 * SAMPLE, [str(f) for f in report.refusals]
    assert tally.not_comparable.total() <= 0.005 * SAMPLE, [str(f) for f in report.doubtful]


def test_what_the_generator_knows_of_the_tables_is_so(made: World) -> None:
    sides = Sides(made)
    for table in TABLES:
        for answer in sides.ask(Statement("", f"TABLE {table.name}"), Form()):
            assert answer.names == tuple(c.name.strip('"') for c in table.columns), answer
            assert len(answer.rows) > 0
    sides.close()


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("tenant_id, rows: \"status <> 'cancelled'\"", "tenant_id"),  # rows one may not see
        ("birth_date: {mask: {truncate: year}}", "birth_date: show"),  # a value one may not see
        ("orders: {tenant: tenant_id", "orders: {tenant: user_id"),  # rows that are missing
    ],
)
def test_it_notices_another_policy(postgres: PostgresServer, rule: str, changed: str) -> None:
    right = design(SEED)
    assert rule in right.rules
    wrong = replace(right, name="wrong", rules=right.rules.replace(rule, changed))
    with world(postgres, wrong) as made:
        said: list[str] = []
        report = run(
            "wrong", made, generated(SEED, 200), said.append, smaller=changed == "tenant_id"
        )
    assert report.tally.different > 2
    assert all(len(each) <= len(f"smaller: {report.differences[0]}") for each in said)


def test_a_statement_shrinks_to_what_matters() -> None:
    text = (
        "WITH c AS (SELECT 1) SELECT a, b FROM t JOIN u ON t.x = u.x AND leak(t.y) WHERE a = 1 OR b"
        " IN (SELECT d FROM v WHERE bad < 3) GROUP BY a, b ORDER BY 1 LIMIT 3"
    )
    assert shrink(text, lambda it: "bad" in it) == "SELECT ( bad )"
    both = shrink(text, lambda it: "leak" in it and "SELECT d FROM v" in it)
    assert both == "SELECT leak IN ( SELECT d FROM v )"
    assert shrink(text, lambda it: False) == text


def test_a_seed_is_a_statement() -> None:
    assert statement(7, 120) == statement(7, 120)
    assert len({statement(7, number).sql for number in range(100)}) > 95


ONE = Answer(names=("a",), types=(23,), rows=((b"1",), (b"2",)))
FAILED = Answer(sqlstate="22012", message="division by zero")


@pytest.mark.parametrize(
    ("other", "ordered", "words"),
    [
        (ONE, (0,), ""),
        (replace(ONE, rows=ONE.rows[::-1]), None, ""),
        (replace(ONE, rows=ONE.rows[::-1]), (0,), "order"),
        (replace(ONE, rows=((b"1",), (b"3",))), None, "only here"),
        (replace(ONE, rows=(*ONE.rows, (b"2",))), None, "2 rows, reference 3"),
        (replace(ONE, names=("b",)), None, "names"),
        (replace(ONE, types=(20,)), None, "types"),
        (replace(ONE, parameters=b"x"), None, "parameters"),
        (FAILED, None, "answered 2 rows, reference failed with 22012"),
    ],
)
def test_differences_in_words(other: Answer, ordered: tuple[int, ...] | None, words: str) -> None:
    found = difference(ONE, other, ordered)
    assert words in found and bool(found) == bool(words)


def test_verdicts() -> None:
    tally = Tally()
    refused = Answer(sqlstate="42501", refusal="FUNCTION_NOT_ALLOWED")
    other = replace(ONE, rows=())
    assert judge(ONE, ONE, ONE, None, tally) == ""
    assert judge(refused, ONE, ONE, None, tally) == ""
    assert judge(FAILED, FAILED, FAILED, None, tally) == ""
    assert judge(ONE, other, ONE, None, tally) == ""  # the references disagree: says nothing
    assert judge(ONE, Answer(sqlstate="42803"), ONE, None, tally) == ""  # a view has no key
    assert judge(ONE, other, other, None, tally) != ""
    assert judge(ONE, FAILED, FAILED, None, tally) != ""
    assert (tally.equal, tally.different, tally.total) == (2, 2, 7)
    assert dict(tally.refused) == {"FUNCTION_NOT_ALLOWED": 1}
    assert dict(tally.both_failed) == {"22012": 1}
    assert tally.not_comparable.total() == 1
