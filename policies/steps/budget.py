"""budget: what the text alone tells about its price stays within the role's budget.

    SELECT * FROM users        ->   as many columns as the view has, at most budget.columns
    a JOIN b JOIN c            ->   2 joins, at most budget.joins
    SELECT * FROM events       ->   refused when events is large: no condition on an indexed column

Reading system catalogs only is free: drivers and ORMs do it before they ask for anything.
"""

from __future__ import annotations

from policies import broad, selects
from policies.complexity import measure
from policies.reasons import (
    COMPLEXITY_EXCEEDED,
    QUERY_BUDGET_EXCEEDED,
    QUERY_TOO_BROAD,
    Refusal,
)
from policies.statement import Statement
from policies.views import PolicyView

_CHEAPER = (
    "select fewer columns, send subqueries and joins as statements of their own, write "
    "`= ANY($1)` with one array in place of a long IN list, and give every join a condition"
)


def budget(statement: Statement) -> None:
    """Fill `statement.complexity`; refuse what costs more than the budget allows."""
    found = selects.find(statement)
    measured = measure(found)
    statement.complexity = measured.complexity
    if statement.only_catalogs:
        return
    limits = statement.budget
    if measured.columns > limits.columns:
        _refuse_count(statement, "columns", measured.columns, limits.columns)
    if measured.joins > limits.joins:
        _refuse_count(statement, "joins", measured.joins, limits.joins)
    if measured.complexity > limits.complexity:
        raise Refusal(
            COMPLEXITY_EXCEEDED,
            f"the statement's complexity is {measured.complexity},"
            f" at most {limits.complexity} is allowed",
            f"{_CHEAPER}; or have {limits.rule('complexity')} raised in the rules",
            rule=limits.rule("complexity"),
        )
    if limits.indexed_from is not None:
        large = broad.find(found.all, statement.shape, limits.indexed_from)
        if large is not None:
            raise _too_broad(large, statement)


def _refuse_count(statement: Statement, field: str, count: int, most: int) -> None:
    """Refuse too many `columns` or `joins`."""
    rule = statement.budget.rule(field)
    hint = {
        "columns": "name the columns you need in place of *",
        "joins": "send the parts as statements of their own, and look up the second with"
        " `= ANY($1)` and the keys the first returned",
    }[field]
    noun = field if count != 1 else field.removesuffix("s")
    raise Refusal(
        QUERY_BUDGET_EXCEEDED,
        f"the statement has {count} {noun}, at most {most} {'is' if most == 1 else 'are'} allowed",
        f"{hint}; or have {rule} raised in the rules",
        rule=rule,
    )


def _too_broad(view: PolicyView, statement: Statement) -> Refusal:
    rule = statement.budget.rule("indexed_from")
    columns = broad.indexed(view)
    way_out = (
        f"add a condition on one of: {', '.join(columns)} (in the SELECT that names it), or read "
        f"its beginning with ORDER BY {columns[0]} LIMIT and no WHERE"
        if columns
        else "read its beginning with LIMIT and neither WHERE nor ORDER BY"
    )
    return Refusal(
        QUERY_TOO_BROAD,
        f'"{view.name}" is large and the statement has no condition on an indexed column of it',
        f"{way_out}; or have {rule} raised in the rules",
        table=view.name,
        rule=rule,
    )
