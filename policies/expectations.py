"""The user's own expectations of the rules: statements, who sends them, and what must happen.

    -- as: agent_acme
    -- expect: deny WRITE_DISABLED
    UPDATE users SET balance = 0;

Statements are decided, never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from policies.decision import Allow, Deny
from policies.pipeline import Snapshot, decide
from policies.reasons import REASONS

_HEADER = re.compile(r"--\s*(as|expect):\s*(.*?)\s*\Z")


class ExpectationError(ValueError):
    """A case that cannot be read; the message names the line and what is missing."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One case. `reason`: a refusal's code, "" for any. `line`: where its statement starts."""

    login: str
    allowed: bool
    reason: str
    sql: str
    line: int


def read(text: str) -> Iterator[Expectation]:
    """The cases of a file. A header line holds until the next of its kind.

    Raises ExpectationError.
    """
    login, expected, start = "", "", 0
    pending: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line.strip())
        if header is not None and not pending:
            if header[1] == "as":
                login = header[2]
            else:
                expected = header[2]
            continue
        if not pending and (not line.strip() or line.strip().startswith("--")):
            continue
        if not pending:
            start = number
        pending.append(line)
        if line.rstrip().endswith(";"):
            yield _expectation(login, expected, "\n".join(pending), start)
            pending = []
    if pending:
        raise ExpectationError(f"line {start}: the statement does not end with `;`")


def _expectation(login: str, expected: str, sql: str, line: int) -> Expectation:
    word, _, reason = expected.partition(" ")
    if not login:
        raise ExpectationError(f"line {line}: who sends it? write `-- as: LOGIN` above")
    if word not in ("allow", "deny") or (reason and reason not in REASONS):
        raise ExpectationError(
            f"line {line}: write `-- expect: allow` or `-- expect: deny [REASON]` above"
        )
    return Expectation(login, word == "allow", reason, sql, line)


def failure(case: Expectation, snapshot: Snapshot) -> str:
    """What happened instead of what was expected; "" when it was as expected."""
    subject = snapshot.rules.subject(case.login)
    if subject is None:
        return f"the rules have no login {case.login}"
    decision = decide(case.sql.encode(), subject, snapshot)
    match decision:
        case Allow(mode=mode) if mode != "enforce":
            return f"login {case.login} is in mode {mode}, which enforces nothing"
        case Allow():
            return "" if case.allowed else "allowed, though a refusal was expected"
        case Deny():
            code = decision.reason.code
            if not case.allowed and case.reason in ("", code):
                return ""
            return f"refused: {code} {decision.message}"
