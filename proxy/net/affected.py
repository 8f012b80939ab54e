"""May a write affect so many rows? Judged when it has run and can still be undone.

Knows counts and limits: of the statement, of its transaction and of its session. Knows nothing of
messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policies.decision import Write
from policies.reasons import MAX_AFFECTED_ROWS_EXCEEDED, QUERY_BUDGET_EXCEEDED, Refusal
from policies.rules import Budget

# Bytes of a write's rows that are held until it is known how many there are.
HELD_BYTES: Final = 16 * 1024 * 1024

_COUNTING: Final = frozenset({b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"COPY"})


@dataclass(frozen=True, slots=True)
class Totals:
    """Rows that all writes of a transaction, and of a session, may affect together; None: any
    number. `rules`: where each is written."""

    per_transaction: int | None
    per_session: int | None
    rules: tuple[str, str]


def totals_of(budget: Budget) -> Totals | None:
    """The limits of a budget that are about several statements; None: there are none."""
    if budget.written_per_transaction is None and budget.written_per_session is None:
        return None
    rules = budget.rule("writes.per_transaction"), budget.rule("writes.per_session")
    return Totals(budget.written_per_transaction, budget.written_per_session, rules)


def rows_affected(tag: bytes) -> int | None:
    """The count in a tag like "INSERT 0 3" or "UPDATE 3"; None when it counts nothing."""
    words = tag.split(b" ")
    if len(words) > 1 and words[0] in _COUNTING and words[-1].isdigit():
        return int(words[-1])
    return None


def over_statement(write: Write, rows: int | None) -> Refusal | None:
    """Too many for one statement, or nobody can say how many."""
    if rows is None:
        return Refusal(
            MAX_AFFECTED_ROWS_EXCEEDED,
            "it cannot be known how many rows the statement would affect",
            "write it as a statement of its own, without WITH",
            rule=write.most_rule,
        )
    if rows <= write.most:
        return None
    return Refusal(
        MAX_AFFECTED_ROWS_EXCEEDED,
        f"the statement would affect {rows} rows, and its limit is {write.most}",
        f"name fewer rows; or have {write.most_rule} raised in the rules",
        rule=write.most_rule,
    )


def over_totals(totals: Totals, rows: int, transaction: int, session: int) -> Refusal | None:
    """Too many together with those of the same `transaction`, and of the `session` before it."""
    together = transaction + rows
    if totals.per_transaction is not None and together > totals.per_transaction:
        rule = totals.rules[0]
        return Refusal(
            MAX_AFFECTED_ROWS_EXCEEDED,
            f"the transaction would affect {together} rows, and its limit is"
            f" {totals.per_transaction}",
            f"commit in between; or have {rule} raised in the rules",
            rule=rule,
        )
    if totals.per_session is not None and session + together > totals.per_session:
        rule = totals.rules[1]
        return Refusal(
            MAX_AFFECTED_ROWS_EXCEEDED,
            f"the session would affect {session + together} rows, and its limit is"
            f" {totals.per_session}",
            f"have {rule} raised in the rules",
            rule=rule,
        )
    return None


def too_large(write: Write) -> Refusal:
    """The rows a write gives back are more than can be held."""
    return Refusal(
        QUERY_BUDGET_EXCEEDED,
        f"the statement would return more than {HELD_BYTES // 1024 // 1024} MiB",
        "return fewer columns, or name fewer rows",
        rule=write.most_rule,
    )
