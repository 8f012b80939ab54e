"""COPY to the client: the proof refuses any text but that of the COPY asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import grammar
from policies.copying import Options, copy_out, prove_copy, read_options
from policies.decision import Allow, CopyOut
from policies.pipeline import STEPS, Snapshot, decide
from policies.reasons import Refusal
from policies.statement import Statement
from tests.policies.lab import CATALOG, SNAPSHOT, ask, begun, subject

TAMPERED = [
    # statement, what a fault writes instead of what
    ("COPY s TO STDOUT", "STDOUT", "'/tmp/x'"),
    ("COPY s TO STDOUT", "STDOUT", "PROGRAM 'cat'"),
    ("COPY s TO STDOUT", "COPY (", "EXPLAIN ("),
    ("COPY s TO STDOUT", ") TO STDOUT", ") TO STDOUT (FORMAT csv)"),
    ("COPY s TO STDOUT", "LIMIT 101", "LIMIT 1001"),
    ("COPY s TO STDOUT", "LIMIT 101", ""),
    ("COPY s TO STDOUT", '"public"."s"', '"public"."hidden"'),
    ("COPY s TO STDOUT", "ONLY ", ""),
    ("COPY s TO STDOUT", ') AS "s"', ') AS "s", hidden'),
    ("COPY (SELECT id FROM t) TO STDOUT", """ WHERE r."org" = '1'""", ""),
    ("COPY (SELECT id FROM t) TO STDOUT", "SELECT id", "SELECT a"),
    ("COPY s TO STDOUT CSV HEADER NULL 'a'", "NULL 'a'", "NULL 'b'"),
    ("COPY s TO STDOUT CSV HEADER", "HEADER true", "HEADER false"),
    ("COPY s TO STDOUT CSV HEADER", "FORMAT 'csv'", "FORMAT 'binary'"),
    ("COPY s TO STDOUT CSV FORCE QUOTE x", 'FORCE_QUOTE ("x")', "FORCE_QUOTE *"),
    ("COPY s TO STDOUT CSV FORCE QUOTE x", 'FORCE_QUOTE ("x")', "FREEZE"),
    ("COPY s TO STDOUT", ") TO STDOUT", ") TO STDOUT; SELECT 1"),
]


def _written(sql: str) -> tuple[Statement, Statement]:
    """A COPY after every step, and the query inside it."""
    outer = begun(sql)
    inner: list[Statement] = []
    copy_out(outer, (*STEPS, inner.append))
    return outer, inner[0]


@pytest.mark.parametrize(("sql", "right", "wrong"), TAMPERED)
def test_a_tampered_text_is_refused(sql: str, right: str, wrong: str) -> None:
    outer, inner = _written(sql)
    prove_copy(outer, inner)
    text = outer.output.decode()
    assert right in text
    outer.output = text.replace(right, wrong, 1).encode()
    with pytest.raises(Refusal):
        prove_copy(outer, inner)


@pytest.mark.parametrize(
    ("asked", "copied"),
    [
        ("SELECT id, x FROM s", "x, id"),
        ("SELECT x FROM ONLY s", "id"),
        ("SELECT id FROM s", "id"),
        ("SELECT id FROM ONLY t", "id"),
        ("SELECT DISTINCT id FROM ONLY s", "id"),
    ],
)
def test_the_query_must_be_that_of_the_table(asked: str, copied: str) -> None:
    outer, inner = _written(f"COPY ({asked}) TO STDOUT")
    outer.node = grammar.parse_one(f"COPY s ({copied}) TO STDOUT")[1]
    with pytest.raises(Refusal):
        prove_copy(outer, inner)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", Options()),
        ("CSV HEADER", Options("csv", header=True)),
        ("(FORMAT csv, HEADER)", Options("csv", header=True)),
        ("(HEADER ON)", Options(header=True)),
        ("(HEADER 0)", Options()),
        ("(HEADER 1)", Options(header=True)),
        ("(FORMAT text, ENCODING 'UTF8')", Options()),
        ("USING DELIMITERS '|'", Options(signs=(("delimiter", "|"),))),
        ("(FORCE_QUOTE *)", Options(forced=(), every=True)),
        ("(FORCE_QUOTE (a, b), ESCAPE '')", Options(signs=(("escape", ""),), forced=("a", "b"))),
    ],
)
def test_options_are_read_and_written_alike(written: str, expected: Options) -> None:
    _, node = grammar.parse_one(f"COPY s TO STDOUT {written}")
    assert read_options(node) == expected
    _, again = grammar.parse_one(f"COPY s TO STDOUT{expected.text()}")
    assert read_options(again) == expected


@pytest.mark.parametrize(
    ("sql", "form"),
    [
        ("COPY s TO STDOUT", CopyOut()),
        ("COPY s TO STDOUT CSV HEADER", CopyOut(header=True)),
        ("COPY (SELECT 1) TO STDOUT (FORMAT binary)", CopyOut(binary=True)),
    ],
)
def test_the_session_knows_the_form_and_the_cap(sql: str, form: CopyOut) -> None:
    decision = ask(sql)
    assert isinstance(decision, Allow)
    (plan,) = decision.statements
    assert (plan.copy, plan.cap, plan.facts.operation) == (form, 100, "copy")
    assert not plan.facts.entities or plan.facts.capability == "browse"


def test_generated_columns_are_left_out_as_by_postgresql() -> None:
    relations = [
        replace(r, columns=(r.columns[0], replace(r.columns[1], generated=True)))
        if r.name == "s"
        else r
        for r in CATALOG.relations
    ]
    catalog = replace(CATALOG, relations=tuple(relations))
    snapshot = Snapshot(SNAPSHOT.rules, catalog, SNAPSHOT.hash_key, "v2")
    for sql, columns in (("COPY s", '"id"'), ("COPY s (id, x)", '"id", "x"')):
        decision = decide(f"{sql} TO STDOUT".encode(), subject(), snapshot)
        assert isinstance(decision, Allow)
        assert decision.text.decode().startswith(f"COPY (SELECT {columns} FROM")
