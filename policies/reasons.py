"""Why a statement is refused: one row per reason, its SQLSTATE and what the client may be told.

SQLSTATEs are PostgreSQL's own (manual, appendix A).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """A refusal's stable code and SQLSTATE."""

    code: str
    sqlstate: str


MODEL_NOT_ALLOWED = Reason("MODEL_NOT_ALLOWED", "42501")
RELATION_NOT_ALLOWED = Reason("RELATION_NOT_ALLOWED", "42501")
FUNCTION_NOT_ALLOWED = Reason("FUNCTION_NOT_ALLOWED", "42501")
FUNCTION_NOT_FOUND = Reason("FUNCTION_NOT_FOUND", "42883")
TYPE_NOT_ALLOWED = Reason("TYPE_NOT_ALLOWED", "42501")
OPERATOR_NOT_ALLOWED = Reason("OPERATOR_NOT_ALLOWED", "42501")
SETTING_NOT_ALLOWED = Reason("SETTING_NOT_ALLOWED", "42501")
STATEMENT_NOT_ALLOWED = Reason("STATEMENT_NOT_ALLOWED", "42501")
AUTHENTICATION_REQUIRED = Reason("AUTHENTICATION_REQUIRED", "28000")
TENANT_SCOPE_REQUIRED = Reason("TENANT_SCOPE_REQUIRED", "28000")
WRITE_DISABLED = Reason("WRITE_DISABLED", "25006")
VALIDATION_ERROR = Reason("VALIDATION_ERROR", "22023")
UNSUPPORTED_SYNTAX = Reason("UNSUPPORTED_SYNTAX", "0A000")
SYNTAX_ERROR = Reason("SYNTAX_ERROR", "42601")
INVALID_TEXT = Reason("INVALID_TEXT", "22021")
TOO_LARGE = Reason("TOO_LARGE", "54000")
TOO_COMPLEX = Reason("TOO_COMPLEX", "54001")
QUERY_TOO_BROAD = Reason("QUERY_TOO_BROAD", "54000")
QUERY_BUDGET_EXCEEDED = Reason("QUERY_BUDGET_EXCEEDED", "54000")
COMPLEXITY_EXCEEDED = Reason("COMPLEXITY_EXCEEDED", "54001")
COST_EXCEEDED = Reason("COST_EXCEEDED", "54001")
COST_UNKNOWN = Reason("COST_UNKNOWN", "54001")
RATE_LIMITED = Reason("RATE_LIMITED", "53400")
PLAN_CHANGED = Reason("PLAN_CHANGED", "0A000")
COLUMN_NOT_FOUND = Reason("COLUMN_NOT_FOUND", "42703")
FIELD_NOT_ALLOWED = Reason("FIELD_NOT_ALLOWED", "42501")
MAX_AFFECTED_ROWS_EXCEEDED = Reason("MAX_AFFECTED_ROWS_EXCEEDED", "54000")
INVARIANT_VIOLATED = Reason("INVARIANT_VIOLATED", "23514")
WRITE_APPROVAL_REQUIRED = Reason("WRITE_APPROVAL_REQUIRED", "QW001")
APPROVAL_UNAVAILABLE = Reason("APPROVAL_UNAVAILABLE", "58000")
REASON_REQUIRED = Reason("REASON_REQUIRED", "QW002")
CAPABILITY_REQUIRED = Reason("CAPABILITY_REQUIRED", "QW003")
INTERNAL_ERROR = Reason("INTERNAL_ERROR", "XX000")

REASONS: dict[str, Reason] = {
    reason.code: reason for reason in list(globals().values()) if isinstance(reason, Reason)
}


class Refusal(Exception):
    """Raised by a step to refuse the statement; `pipeline.decide` turns it into a Deny.

    `message` and `hint` go to the client, so they may hold only what the client wrote itself or
    may see anyway. `table`, `column` and `rule` become the error fields of the same name, `place`
    (a character of the client's text, from 1 on) its position.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        hint: str = "",
        *,
        table: str = "",
        column: str = "",
        rule: str = "",
        place: int = 0,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.hint = hint
        self.table = table
        self.column = column
        self.rule = rule
        self.place = place
