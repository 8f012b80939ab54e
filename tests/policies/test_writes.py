"""Writing statements: which rows they name, what is proven of them, what the session must see to.

What a statement becomes is in tests/cases/write.sql, with policies/writes/permission.py,
policies/writes/proof.py, policies/writes/returning.py, policies/writes/target.py,
policies/writes/update.py and policies/writes/written.py.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import grammar
from policies.decision import Allow, Deny, Write
from policies.pipeline import STEPS, Snapshot
from policies.reasons import Refusal
from policies.rules import parse
from policies.steps.prove import prove
from policies.writes import raising
from policies.writes.keys import Named, named
from policies.writes.shape import shape
from policies.writes.spans import region
from tests.policies.lab import CATALOG, RULES, ask, begun


def _named(condition: str, *key: str) -> Named | None:
    return named(grammar.parse_expression(condition), key, "t")


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("id = 5", 1),
        ("5 = t.id", 1),
        ("id = $1 AND x LIKE '%a'", 1),
        ("id IN (1, 2, $3)", 3),
        ("id = ANY(ARRAY[1, 2])", 2),
        ("id = ANY($1)", None),
        ("id = ANY('{1,2}'::int[])", None),
        ("id = 1 OR id IN (2, 3)", 3),
        ("(id = 1 OR id = 2) AND x > 0", 2),
        ("id = '5'::int", 1),
        ("id = 'A'::citext", None),
        ("id IN (1, 2) AND id = 1", 1),
    ],
)
def test_rows_named_by_their_key(condition: str, count: int | None) -> None:
    assert _named(condition, "id") == Named(count)


@pytest.mark.parametrize(
    "condition",
    [
        "id = id",
        "id = x",
        "u.id = 5",
        "id > 5",
        "id <> 5",
        "NOT id = 5",
        "id IN (SELECT 1)",
        "id = ANY(ARRAY(SELECT 1))",
        "id = (SELECT 1)",
        "id = 1 OR x = 2",
        "id = f(5)",
        "id IS NOT NULL",
        "id NOT IN (1, 2)",
        "id = ALL(ARRAY[1])",
        "x = 5",
        "true",
    ],
)
def test_rows_not_named_by_their_key(condition: str) -> None:
    assert _named(condition, "id") is None


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("a = 1 AND b = 2", 1),
        ("a IN (1, 2) AND b IN (3, 4, 5)", 6),
        ("(a, b) = (1, 2)", 1),
        ("(a, b) IN ((1, 2), (3, 4))", 2),
        ("(b, a, c) IN ((1, 2, 3))", 1),
    ],
)
def test_keys_of_several_columns(condition: str, count: int) -> None:
    assert _named(condition, "a", "b") == Named(count)


@pytest.mark.parametrize(
    "condition", ["a = 1", "(a, c) = (1, 2)", "a = 1 OR b = 2", "(a, b) = (1, c)"]
)
def test_a_part_of_a_key_names_no_row(condition: str) -> None:
    assert _named(condition, "a", "b") is None


def test_without_a_key_no_row_is_named() -> None:
    assert named(grammar.parse_expression("id = 5"), (), "t") is None


def test_a_query_without_writes_is_its_own_shape() -> None:
    kind, node = grammar.parse_one("WITH a AS (SELECT 1) SELECT * FROM a")
    assert shape(kind, node) is node


def test_a_region_ends_with_the_brackets_around_it() -> None:
    statement = begun("WITH d AS (DELETE FROM t WHERE f(1) RETURNING *) SELECT 2 FROM d", "wes")
    place = statement.text.index(b"t WHERE")
    found = region(statement, place)
    assert statement.text[place : found.end] == b"t WHERE f(1) RETURNING *"
    assert found.find("RETURNING") is not None
    assert found.find("SELECT") is None


def test_a_plain_value_may_stand_twice() -> None:
    plain = "1", "$1", "'a'::text", "CAST($1 AS int)", "NULL"
    other = "f(1)", "a", "1 + 1", "'a'::varchar(3)", "(SELECT 1)"
    assert all(raising.is_plain(grammar.parse_expression(text)) for text in plain)
    assert not any(raising.is_plain(grammar.parse_expression(text)) for text in other)


def _write(sql: str, login: str = "wes") -> Write:
    decision = ask(sql, login)
    assert isinstance(decision, Allow), decision
    write = decision.statements[-1].write
    assert write is not None
    return write


def test_what_the_session_must_see_to() -> None:
    write = _write("UPDATE jobs SET state = 'x' WHERE id IN (1, 2)")
    assert (write.bound, write.most, write.silent, write.tag) == (2, 2, True, "")
    assert write.most_rule == "capabilities.work.update.jobs.rows"
    assert [check.code for check in write.checks] == ["FIELD_NOT_ALLOWED"]
    assert not write.reason_required
    assert _write("UPDATE tags SET x = '' RETURNING id").bound is None
    assert _write("DELETE FROM jobs WHERE id = 1").tag == "DELETE"


def test_terms_of_a_capability() -> None:
    write = _write("/* reason='lost parcel' */ UPDATE t SET a = 'x' WHERE id = 1")
    assert write.consent is not None
    assert (write.consent.capability, write.consent.by, write.consent.ttl) == (
        "audited",
        ("clerk",),
        900,
    )
    assert write.images and write.silent and write.reason_required
    assert write.reason == "lost parcel"


def test_invariants_and_what_enforces_them() -> None:
    write = _write("/* capability='sweep' */ DELETE FROM jobs WHERE id = 1", "zoe")
    assert write.invariants == (("cheap", "statement"), ("named_once", "constraint"))
    assert write.constraints == (("jobs_title_key", "named_once"),)
    assert [check.invariant for check in write.checks] == ["cheap"]


TAMPERED = [
    # statement, what a fault writes instead of what
    ("UPDATE jobs SET title = 'x' WHERE id = 5", """"jobs"."org" = '1' AND """, ""),
    ("UPDATE jobs SET title = 'x' WHERE id = 5", """'1'""", """'2'"""),
    ("UPDATE jobs SET title = 'x' WHERE id = 5", '"died" IS NULL', '"died" IS NOT NULL'),
    ("UPDATE jobs SET title = 'x' WHERE id = 5", "id = 5", "true"),
    ("UPDATE jobs SET title = 'x' WHERE id = 5", "AND ( id", "OR ( id"),
    ("UPDATE jobs SET title = 'x' WHERE id = 5", "'x'", "'y'"),
    ("UPDATE jobs SET title = 'x' WHERE id = 5", "title", "mail"),
    ("UPDATE jobs SET title = 'x' WHERE id = 5", '"public"."jobs"', '"public"."tags"'),
    ("UPDATE jobs SET title = 'x' WHERE id = 5", '"public"."jobs"', '"jobs"'),
    ("UPDATE jobs SET title = 'x' WHERE id = 5 AND title LIKE '%a'", "ELSE false", "ELSE true"),
    (
        "UPDATE jobs SET title = 'x' WHERE id = 5 AND title LIKE '%a'",
        '"id" = 5 AND CASE',
        '"id" = 6 AND CASE',
    ),
    ("UPDATE jobs SET org = $1 WHERE id = 5", "ELSE CAST(", "ELSE ($1) + CAST("),
    ("UPDATE jobs SET org = $1 WHERE id = 5", "THEN CAST('1' AS integer)", "THEN $1"),
    ("UPDATE jobs SET mail = $1 WHERE id = 5", 'THEN "jobs"."mail" ELSE', "THEN $1 ELSE"),
    ("UPDATE jobs SET state = 'x' WHERE id = 5", "querywarden:0", "querywarden:1"),
    ("UPDATE jobs SET state = 'x' WHERE id = 5", "IS NOT TRUE", "IS NULL"),
    (
        "UPDATE jobs SET t_id = 5 WHERE id = 5",
        """AS "querywarden_referenced" WHERE "querywarden_referenced"."org" = '1' AND""",
        'AS "querywarden_referenced" WHERE',
    ),
    (
        "UPDATE jobs SET title = 'x' WHERE id = 5 RETURNING *",
        '"jobs"."state", ',
        '"jobs"."state", "jobs"."secret", ',
    ),
    (
        "UPDATE jobs SET title = 'x' WHERE id = 5 RETURNING id, state",
        "RETURNING id",
        "RETURNING secret",
    ),
    ("UPDATE jobs SET title = 'x' WHERE id = 5 RETURNING mail", ' AS "mail"', ' AS "m"'),
    (
        "UPDATE jobs SET state = 'x' WHERE id = 5 RETURNING id",
        " IS NULL THEN (id",
        " IS NOT NULL THEN (id",
    ),
    (
        "UPDATE jobs SET title = 'x' FROM t WHERE jobs.id = 1 AND t.id = 1",
        """r."org" = '1'""",
        """r."org" = '2'""",
    ),
    ("DELETE FROM pairs WHERE a = 1 AND b = 2", "DELETE FROM", "DELETE FROM ONLY"),
    ("DELETE FROM pairs WHERE a = 1 AND b = 2", """"pairs"."org" = '1' AND""", ""),
    ("DELETE FROM jobs WHERE id = 1", "CURRENT_TIMESTAMP", "NULL"),
    ("DELETE FROM jobs WHERE id = 1", '"died" = CURRENT', '"title" = CURRENT'),
    ("UPDATE pairs SET y = $1 WHERE a = 1 AND b = 2", "IS NOT DISTINCT FROM", "IS DISTINCT FROM"),
    ("UPDATE t SET a = 'x' WHERE id = 1", "NULL::text, 'n', \"old\"", '"old"."mail", \'n\', "old"'),
    (
        "WITH d AS (DELETE FROM pairs WHERE a = 1 AND b = 2 RETURNING *) SELECT * FROM d",
        """"pairs"."org" = '1' AND""",
        "",
    ),
]


@pytest.mark.parametrize(("sql", "right", "wrong"), TAMPERED)
def test_a_tampered_write_is_refused(sql: str, right: str, wrong: str) -> None:
    statement = begun(sql, "wes")
    for step in STEPS:
        step(statement)
    text = statement.output.decode()
    assert right in text
    statement.output = text.replace(right, wrong, 1).encode()
    with pytest.raises(Refusal):
        prove(statement)


def test_a_capability_that_wants_keys_fits_only_what_names_them() -> None:
    decision = ask("DELETE FROM jobs WHERE title = 'x'", "zoe")
    assert isinstance(decision, Allow)
    assert decision.statements[0].facts.capability == "sweep"


def test_errors_may_say_what_the_subject_sees() -> None:
    shown = _write("UPDATE jobs SET title = 'x' WHERE id = 1").shown
    assert {"jobs", "title", "mail", "jobs_title_key"} <= shown
    assert not {"secret", "hidden"} & shown


def test_a_row_that_is_new_was_nothing_before() -> None:
    sql = "INSERT INTO t (id, a) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET a = excluded.a"
    decision = ask(sql, "wes")
    assert isinstance(decision, Allow), decision
    assert b"""'before', CASE WHEN "old"."id" IS NOT NULL THEN""" in decision.text


def test_a_table_with_rules_of_the_database_is_not_written() -> None:
    relations = tuple(
        replace(relation, rewritten=relation.name == "tags") for relation in CATALOG.relations
    )
    catalog = replace(CATALOG, relations=relations)
    snapshot = Snapshot(parse(RULES, "lab.yaml"), catalog, b"k" * 32, "v1")
    decision = ask("DELETE FROM tags WHERE id = 1", "wes", snapshot)
    assert isinstance(decision, Deny)
    assert decision.message == '"tags" has rules of the database, which turn a write into others'
