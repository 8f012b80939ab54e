"""A sample of the writes of `make oracle`, and that the oracle would notice."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from proxy.testing import PostgresServer
from tests.oracle.answers import Answer
from tests.oracle.exchange import Form
from tests.oracle.writes.exchange import Both, Outcome, Way, way_of, with_first
from tests.oracle.writes.run import Judge, Report
from tests.oracle.writes.state import NOW
from tests.oracle.writes.statements import statement
from tests.oracle.writes.tables import MADE, TARGETS
from tests.oracle.writes.texts import Written, either, written
from tests.oracle.writes.verdicts import Tally, judge, summed
from tests.oracle.writes.world import LOGINS, WIDE, Pair, Wrong, pair

SEED, SAMPLE = 3, 600


@pytest.fixture(scope="module")
def made(postgres: PostgresServer) -> Iterator[Pair]:
    with pair(postgres, SEED) as made:
        yield made


def test_a_sample_writes_as_under_row_level_security(made: Pair) -> None:
    report = Report("sample")
    judge = Judge(made, report)
    judge.put(SEED, range(SAMPLE))
    judge.close()
    assert [str(finding) for finding in report.differences] == []
    tally = report.tally
    assert tally.total == SAMPLE
    assert tally.equal >= 0.6 * SAMPLE, str(report)
    assert tally.affected > SAMPLE and tally.rows > SAMPLE / 2, str(report)
    assert set(tally.shapes) >= {"insert", "update", "delete"}, str(report)


def test_what_is_changed_on_purpose_is_seen_and_put_back(made: Pair) -> None:
    both = Both(made, WIDE)
    baseline = both.reference.baseline()
    text = "DELETE FROM tags WHERE id IN (SELECT id FROM tags ORDER BY id LIMIT 2)"
    for alone in (False, True):
        (proxy, reference), = both.ask([(Written("", WIDE, "delete", text, text),
                                         Way(Form(), alone=alone))])  # fmt: skip
        assert reference.tags == ("DELETE 2",) and reference.state != baseline
        assert proxy == reference
        assert (both.proxy.baseline(), both.reference.baseline()) == (baseline, baseline)
    both.close()


# What is said wrong, by table: SQL for the reference, or other words for the rules. Those of one
# group stand in one world.
WRONG: dict[str, dict[str, str | tuple[str, str]]] = {
    "reference": {
        # rows of others are seen
        "orders": "ALTER POLICY own ON base.orders USING (status <> 'cancelled')"
        " WITH CHECK (tenant_id = 2 AND status <> 'cancelled')",
        # rows of others are written
        "memos": "ALTER POLICY own ON base.memos WITH CHECK (tenant_id = 2)",
        # the tenant is not filled in
        "sales.targets": "ALTER VIEW sales.targets ALTER tenant_id DROP DEFAULT",
        # hidden rows are seen
        "kinds": "ALTER POLICY own ON base.kinds USING (tenant_id = 2)"
        " WITH CHECK (tenant_id = 2 AND (medium < 900 OR medium IS NULL))",
        # references are not looked at
        "tickets": "DROP POLICY refs ON base.tickets",
    },
    "rules": {
        "orders": (""",\n   "rows": "status <> 'cancelled'\"""", ""),
        "tickets": ('"contact": {\n     "mask": "email"\n    }', '"contact": "show"'),
        "memos": (
            '"owner": {\n    "column": "author_id",\n    "equals": "subject.user_id"\n   },\n'
            '   "rows"',
            '"rows"',
        ),
        "tags": ('"tags": {\n   "tenant": "tenant_id"', '"tags": {\n   "shared": true'),
    },
    "rules of writing": {
        "orders": ('"code",\n      "meta"', '"code",\n      "created_at",\n      "meta"'),
        "tickets": (',\n   "soft_delete": "closed_at"', ""),
    },
}


@pytest.mark.parametrize("group", WRONG)
def test_it_notices_other_policies(postgres: PostgresServer, group: str) -> None:
    said = WRONG[group]
    wrong = Wrong(
        rules=tuple(each for each in said.values() if isinstance(each, tuple)),
        reference=";".join(each for each in said.values() if isinstance(each, str)),
    )
    with pair(postgres, SEED, "wrong", wrong) as made:
        for table in said:
            report = Report(table)
            judge = Judge(made, report)
            for number in _of_one(table, said):
                judge.put(SEED, [number])
                if report.tally.different:
                    break
            judge.close()
            assert report.tally.different > 0, str(report)


def _of_one(table: str, tables: Iterable[str]) -> list[int]:
    """Numbers of writes in which only that of the tables is named; first those that give every
    column a value, as those that may not be written rarely get one."""
    others = [each for each in tables if each != table]
    named = [
        (re.match(r"INSERT INTO \S+( AS \S+)? VALUES", text) is None, number)
        for number, text in enumerate(_texts())
        if f" {table} " in text and not any(each in text for each in others)
    ]
    return [number for _, number in sorted(named)[:150]]


@functools.cache
def _texts() -> list[str]:
    return [statement(SEED, number).sql for number in range(3000)]


def test_a_seed_is_a_statement() -> None:
    assert statement(7, 120) == statement(7, 120)
    assert len({statement(7, number).sql for number in range(100)}) > 95
    shapes = {(s.shape, s.login) for s in (statement(7, number) for number in range(400))}
    assert len({shape for shape, _ in shapes}) == 6
    assert {login for _, login in shapes} == set(LOGINS)


def test_the_two_texts_of_a_statement() -> None:
    text = f"DELETE FROM {either('a', 'a_d AS a')} WHERE x = $2 AND {either('y', 'z')} = $3"
    made = written("", WIDE, "delete", text, [("int", "1"), ("int", "2"), ("int", None)], "")
    assert made.sql == "DELETE FROM a WHERE x = $1 AND y = $2"
    assert made.reference == "DELETE FROM a_d AS a WHERE x = $1 AND z = $2"
    assert made.parameters == (("int", "2"), ("int", None))


def test_targets_are_as_the_tables_are() -> None:
    names = {target.name for target in TARGETS}
    assert {table.name for table in MADE} <= names and len(names) == len(TARGETS)
    for target in TARGETS:
        columns = {column.name for column in target.table.columns}
        assert {*target.needed, *target.update} <= {*target.insert, *target.update} <= columns


def test_some_writes_have_another_before_them() -> None:
    made = statement(7, 3)
    ways = [with_first(number, way_of(number, made), made) for number in range(60)]
    assert [way for way in ways if way.first is not None and way.alone] == []
    assert 5 < sum(way.first is not None for way in ways) < 12
    tally = Tally()
    assert judge(ONE, replace(FAILED, failed=True), DONE, BASE, False, tally) == ""
    assert tally.not_comparable.total() == tally.total == 1


def test_ways_reach_every_form() -> None:
    ways = [way_of(number, statement(7, number)) for number in range(400)]
    for field in ("alone", "twice", "named", "copies"):
        assert {getattr(way, field) for way in ways} == {False, True}
    assert {(way.form.extended, way.form.result) for way in ways} == {
        (False, 0),
        (True, 0),
        (True, 1),
    }


ONE = Written("1", WIDE, "update", "UPDATE t SET a = 1", "UPDATE t SET a = 1")
BASE = "t 2 10 7"
DONE = Outcome(Answer(), ("UPDATE 1",), "t 2 11 7")
FAILED = Outcome(Answer(sqlstate="23505", message="duplicate key"))
REFUSED = Outcome(Answer(sqlstate="42501", message="no", refusal="FIELD_NOT_ALLOWED"))
POLICY = Outcome(Answer(sqlstate="42501", message='new row violates row-level security policy "x"'))
LIMITED = Outcome(Answer(sqlstate="54000", message="x", refusal="MAX_AFFECTED_ROWS_EXCEEDED"))


@pytest.mark.parametrize(
    ("proxy", "reference", "alone", "words"),
    [
        (DONE, DONE, False, ""),
        (FAILED, FAILED, False, ""),
        (REFUSED, DONE, False, ""),
        (REFUSED, POLICY, False, ""),
        (DONE, POLICY, False, "did ('UPDATE 1',), reference 42501"),
        (FAILED, POLICY, False, ""),
        (FAILED, DONE, False, "23505 duplicate key, reference did"),
        (replace(DONE, tags=("UPDATE 2",)), DONE, False, "tags"),
        (replace(DONE, state="t 2 12 7"), DONE, False, "tables hold something else: t 2 11 7"),
        (replace(DONE, state="t 2 11 8"), DONE, False, "the proxy changed rows of others"),
        (replace(DONE, answer=Answer(rows=((b"1",),))), DONE, False, "1 rows, reference 0"),
        (replace(DONE, state=""), DONE, False, "did not say"),
        (replace(FAILED, state="t 2 11 7"), FAILED, True, "the proxy failed and changed rows"),
        (LIMITED, DONE, False, "refused for too many rows, but 1 were written"),
        (LIMITED, replace(DONE, tags=("UPDATE 1001",)), False, ""),
    ],
)
def test_verdicts(proxy: Outcome, reference: Outcome, alone: bool, words: str) -> None:
    tally = Tally()
    if alone:
        reference = replace(reference, state=BASE)
    found = judge(ONE, proxy, reference, BASE, alone, tally)
    assert words in found and bool(found) == bool(words)
    assert tally.different == bool(words) and summed([tally, tally]).total == 2 * tally.total


def test_times_of_now_are_younger_than_rows() -> None:
    assert NOW > "2026-07-31"
