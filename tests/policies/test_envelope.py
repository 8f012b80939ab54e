"""A query inside another statement: found in the text, rewritten, and the whole proven."""

from __future__ import annotations

import pytest

from policies.envelope import Cover, enclose, prove_envelope
from policies.pipeline import STEPS
from policies.places import tell
from policies.reasons import Refusal
from tests.policies.lab import begun

VIEW = '(SELECT r."id", r."x" FROM "public"."s" r)'


def _enclosed(sql: str, cover: Cover) -> str:
    outer = begun(sql)
    enclose(outer, cover, STEPS)
    return outer.output.decode()


CURSOR = Cover('DECLARE "c" CURSOR FOR ', spare=0)
PREPARED = Cover('PREPARE "p" AS ')
COPY = Cover("COPY (", ") TO STDOUT")

FOUND = [
    ("DECLARE c CURSOR FOR SELECT id FROM s", CURSOR,
     f'DECLARE "c" CURSOR FOR SELECT id FROM {VIEW} AS "s"\nLIMIT 100'),
    ("DECLARE c CURSOR FOR SELECT id FROM s LIMIT 100", CURSOR,
     f'DECLARE "c" CURSOR FOR SELECT id FROM {VIEW} AS "s" LIMIT 100'),
    ("DECLARE c CURSOR FOR SELECT id FROM s LIMIT 101", CURSOR,
     f'DECLARE "c" CURSOR FOR SELECT id FROM {VIEW} AS "s" LIMIT 100'),
    ("SELECT 'é'; DECLARE c CURSOR FOR TABLE s; ", CURSOR,
     f'DECLARE "c" CURSOR FOR SELECT * FROM {VIEW} AS "s"\nLIMIT 100'),
    ("PREPARE p (numeric(3, 2), text) AS SELECT id FROM s -- x", None, ""),
    ("PREPARE p AS (SELECT id FROM s)", PREPARED,
     f'PREPARE "p" AS (SELECT id FROM {VIEW} AS "s")\nLIMIT 101'),
    ("PREPARE p AS (VALUES (1)) UNION (TABLE s)", PREPARED, None),
    ("PREPARE p AS WITH s AS (SELECT 1) SELECT * FROM s LIMIT 1 -- x", PREPARED,
     'PREPARE "p" AS WITH s AS (SELECT 1) SELECT * FROM s LIMIT 1 -- x'),
    ("COPY (SELECT id FROM s LIMIT 1) TO STDOUT", COPY,
     f'COPY ((SELECT id FROM {VIEW} AS "s" LIMIT 1)\n) TO STDOUT'),
    ("COPY ((SELECT id FROM s)) TO STDOUT", COPY,
     f'COPY (((SELECT id FROM {VIEW} AS "s"))\nLIMIT 101\n) TO STDOUT'),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "cover", "expected"), FOUND)
def test_the_query_is_found_and_rewritten(
    sql: str, cover: Cover | None, expected: str | None
) -> None:
    if cover is None:  # what is written around it must be what was
        with pytest.raises(Refusal):
            _enclosed(sql, PREPARED)
        cover = Cover('PREPARE "p" (numeric(3, 2), text) AS ')
    text = _enclosed(sql, cover)
    assert VIEW in text or "WITH" in text
    if expected:
        assert text == expected


def test_what_is_known_of_the_query_is_known_of_the_whole() -> None:
    outer = begun("DECLARE c CURSOR FOR SELECT id FROM s")
    enclose(outer, CURSOR, STEPS)
    assert [use.view.name for use in outer.uses] == ["s"]
    assert (outer.capability, outer.cap) == ("browse", 100)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("PREPARE p AS INSERT INTO s VALUES (1)", "WRITE_DISABLED"),
        ("PREPARE p AS SELECT * FROM nothing", "RELATION_NOT_ALLOWED"),
        ("PREPARE p (" + ", ".join(["numeric(3)"] * 40) + ") AS SELECT 1", "UNSUPPORTED_SYNTAX"),
        ("EXPLAIN EXECUTE p", "STATEMENT_NOT_ALLOWED"),
    ],
)
def test_what_is_refused(sql: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        _enclosed(sql, PREPARED)
    assert caught.value.reason.code == code


TAMPERED = [
    ('"c"', '"d"'),
    ("CURSOR FOR", "CURSOR WITH HOLD FOR"),
    ("LIMIT 100", "LIMIT 101"),
    (VIEW, "s"),
    ("LIMIT 100", "LIMIT 100; SELECT 1"),
    ("DECLARE", "DECLARE 1"),
]


@pytest.mark.parametrize(("right", "wrong"), TAMPERED)
def test_a_tampered_whole_is_refused(right: str, wrong: str) -> None:
    outer = begun("DECLARE c CURSOR FOR SELECT id FROM s")
    inner = begun("SELECT id FROM s")
    inner.spare = 0
    for step in STEPS:
        step(inner)
    outer.output = CURSOR.before.encode() + inner.output
    prove_envelope(outer, inner)  # as written it passes
    text = outer.output.decode()
    assert right in text
    outer.output = text.replace(right, wrong, 1).encode()
    with pytest.raises(Refusal):
        prove_envelope(outer, inner)


def test_places_in_the_query_lead_back() -> None:
    sql = "SELECT 'é'; DECLARE c CURSOR FOR SELECT '€', SPOT FROM s"
    outer = begun(sql)
    enclose(outer, CURSOR, STEPS)
    place = outer.output.decode().index("SPOT") + 1
    sent = [(b"SELECT 'x'", None), (outer.output, outer.written)]
    at = tell(b"", len("SELECT 'x'\n;") + place, sent, sql.encode())
    assert at.place == sql.index("SPOT") + 1
    around = tell(b"", len("SELECT 'x'\n;") + 3, sent, sql.encode())
    assert around.place == sql.index("DECLARE") + 1
