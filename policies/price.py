"""Whether the planner's estimate of a statement is within its price; what to say when it is not.

Knows numbers; knows not how they are asked for. An estimate depends on rows the subject may not
see, so nothing of it is told but that a limit is exceeded.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.decision import Price
from policies.reasons import COST_EXCEEDED, COST_UNKNOWN, Refusal

_CHEAPER = "add conditions on indexed columns, or join and sort less"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the planner expects: its cost, and rows of all scans of tables."""

    cost: float
    scan_rows: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no estimate. `sqlstate`: why, "" when the planner could not be asked."""

    sqlstate: str = ""


def judge(price: Price, found: Estimate | Unknown) -> Refusal | None:
    """The refusal of a statement, None when it is within its price."""
    if isinstance(found, Unknown):
        return _unknown(price, found)
    if price.cost is not None and not found.cost <= price.cost:
        return Refusal(
            COST_EXCEEDED,
            f"the statement is too expensive: its cost limit is {price.cost}",
            f"{_CHEAPER}; or have {price.cost_rule} raised in the rules",
            rule=price.cost_rule,
        )
    if price.scan_rows is not None and not found.scan_rows <= price.scan_rows:
        return Refusal(
            COST_EXCEEDED,
            f"the statement reads too many rows: its limit is {price.scan_rows}",
            f"{_CHEAPER}; or have {price.scan_rows_rule} raised in the rules",
            rule=price.scan_rows_rule,
        )
    return None


def _unknown(price: Price, found: Unknown) -> Refusal:
    message = "the statement has a cost limit and its cost could not be estimated"
    rule = price.cost_rule if price.cost is not None else price.scan_rows_rule
    if not found.sqlstate:
        hint = "the database's planner could not be asked; try again"
        return Refusal(COST_UNKNOWN, message, hint, rule=rule)
    hint = "check its names and the types of its parameters, and cast those that are not clear"
    message = f"{message}: PostgreSQL cannot plan it (SQLSTATE {found.sqlstate})"
    return Refusal(COST_UNKNOWN, message, hint, rule=rule)
