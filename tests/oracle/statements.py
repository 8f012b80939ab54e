"""The numbered statements of a seed: `statement(7, 120)` is always the same text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.oracle.focused import Focused
from tests.oracle.grammar import Grammar, Parameter, Statement
from tests.oracle.scopes import Scope


def statement(seed: int, number: int) -> Statement:
    """The statement of that number."""
    kind = Focused if number % 5 in (1, 3) else Grammar
    grammar = kind(f"{seed}/{number}", parametrised=number % 3 == 0)
    made = grammar.query(Scope(), 2, top=True)
    sql, parameters = renumbered(made.sql, grammar.parameters)
    return Statement(f"{seed}/{number}", sql, parameters, made.order)


def renumbered(sql: str, parameters: Sequence[Parameter]) -> tuple[str, tuple[Parameter, ...]]:
    """The statement with the numbers of its parameters closed up: some were thrown away."""
    used = sorted({int(found) for found in re.findall(r"\$(\d+)", sql)})
    numbers = {old: new for new, old in enumerate(used, 1)}
    closed = re.sub(r"\$(\d+)", lambda found: f"${numbers[int(found[1])]}", sql)
    return closed, tuple(parameters[old - 1] for old in used)
