"""What one reader gets wrong another notices: sites of relations, WITH queries, rewritten texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlglot import exp

from policies import pipeline
from policies.statement import Site, Statement
from policies.steps import generate, parse, resolve, utility
from tests.policies.lab import ask, refused

_READ = parse._sites


@pytest.mark.parametrize("fault", ["lost", "moved", "invented"])
def test_relations_one_reader_does_not_see(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(text: bytes, spelled: str) -> list[Site] | None:
        sites = _READ(text, spelled) or []
        match fault:
            case "lost":
                return sites[:-1]
            case "moved":
                return [replace(site, place=site.place + 1) for site in sites]
            case _:
                return [*sites, replace(sites[-1], place=0)]

    monkeypatch.setattr(parse, "_sites", wrong)
    assert refused("SELECT * FROM s, t").message.startswith("this spelling is not supported")


def test_with_queries_one_reader_takes_for_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(table: exp.Table) -> bool:
        return False

    monkeypatch.setattr(resolve, "_names_with_query", wrong)
    answer = refused("WITH q AS (SELECT 1) SELECT * FROM q")
    assert answer.message == "the WITH queries cannot be told from tables here"


def test_what_a_step_writes_wrongly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def tamper(statement: Statement) -> None:
        generate.generate(statement)
        statement.output = statement.output.replace(b"'1'", b"'2'")

    steps = tuple(tamper if step is generate.generate else step for step in pipeline.STEPS)
    monkeypatch.setattr(pipeline, "STEPS", steps)
    assert "could not be rewritten with certainty" in refused("SELECT id FROM t").message


def test_what_a_utility_writes_wrongly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def tamper(node: Any, statement: Statement) -> str:
        return "COMMIT"

    monkeypatch.setitem(utility.UTILITIES, "TransactionStmt", tamper)
    assert "could not be rewritten with certainty" in refused("BEGIN").message
    monkeypatch.undo()
    assert ask("BEGIN")
