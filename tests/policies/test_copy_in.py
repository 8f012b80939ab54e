"""COPY FROM STDIN: what is proven of it, what the session must see to.

What it becomes is in tests/cases/copy_in.sql, what it does in test_writes_run.py; the file is
policies/writes/copy_in.py.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.catalog import Trigger
from policies.decision import Allow, Deny
from policies.pipeline import Snapshot
from policies.reasons import Refusal
from policies.writes.copy_in import copy_in, prove_copy_in
from tests.policies.lab import CATALOG, SNAPSHOT, ask, begun

PAIRS = "COPY pairs (a, b, org) FROM STDIN (FORMAT csv, HEADER)"
TAMPERED = [
    (PAIRS, "'1'", "'2'"),
    (PAIRS, "IS NOT TRUE", "IS NOT FALSE"),
    (PAIRS, "ELSE true", "ELSE false"),
    (PAIRS, "querywarden:0", "querywarden:1"),
    (PAIRS, '"public"."pairs"', '"public"."jobs"'),
    (PAIRS, '("a", "b"', '("b", "a"'),
    (PAIRS, ', "org")', ")"),
    (PAIRS, "HEADER true", "HEADER false"),
    (PAIRS, "'csv'", "'text'"),
    (PAIRS, "STDIN", "'/etc/passwd'"),
    (PAIRS, "STDIN", "PROGRAM 'id'"),
    (PAIRS, "FROM STDIN", "TO STDOUT"),
    ("COPY tags (x, n) FROM STDIN", "STDIN", "STDIN WHERE n > 1"),
    ("COPY tags (x, n) FROM STDIN", "STDIN", "STDIN (FREEZE)"),
    ("COPY jobs (org, title) FROM STDIN", """.state <> 'draft'""", """.state = 'draft'"""),
]


@pytest.mark.parametrize(("sql", "right", "wrong"), TAMPERED)
def test_a_tampered_text_is_refused(sql: str, right: str, wrong: str) -> None:
    statement = begun(sql, "wes")
    copy_in(statement)
    text = statement.output.decode()
    assert right in text, text
    statement.output = text.replace(right, wrong, 1).encode()
    (target,) = statement.targets
    with pytest.raises(Refusal):
        prove_copy_in(target)


def test_what_the_session_must_see_to() -> None:
    decision = ask("/* reason='stock' */ COPY tags (x, n) FROM STDIN", "wes")
    assert isinstance(decision, Allow)
    (plan,) = decision.statements
    assert plan.write is not None and plan.copy is None and not plan.returns_rows
    assert plan.write.copies_in and not plan.write.silent and plan.write.bound is None
    assert (plan.write.most, plan.write.most_rule) == (1000, "capabilities.work.insert.tags.rows")
    assert plan.write.reason == "stock"
    assert plan.facts.affected_fields == ("tags.x", "tags.n")
    assert plan.facts.operation == "copy"


def test_rows_that_a_trigger_may_change_are_not_copied() -> None:
    relations = tuple(
        replace(one, triggers=(Trigger("moves", True),)) if one.name == "tags" else one
        for one in CATALOG.relations
    )
    snapshot = Snapshot(SNAPSHOT.rules, replace(CATALOG, relations=relations), b"k" * 32, "v2")
    said = ask("COPY tags (x, n) FROM STDIN", "wes", snapshot)
    assert isinstance(said, Deny) and "another one on its way" in said.message
