"""The user's own expectations of the rules: statements, who sends them, and what must happen.

    -- as: agent_acme
    -- expect: deny WRITE_DISABLED
    UPDATE users SET balance = 0;

allow: it runs. hold: it runs when somebody consents. Statements are decided, never run, so a
write says its reason in a comment of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from policies.decision import Allow, Deny, Plan
from policies.pipeline import Snapshot, decide
from policies.reasons import REASON_REQUIRED, REASONS

_HEADER = re.compile(r"--\s*(as|expect):\s*(.*?)\s*\Z")


class ExpectationError(ValueError):
    """A case that cannot be read; the message names the line and what is missing."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One case. `answer`: allow, hold or deny. `reason`: a refusal's code, "" for any. `line`:
    where its statement starts."""

    login: str
    answer: str
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
    known = reason == "" or (word == "deny" and reason in REASONS)
    if word not in ("allow", "hold", "deny") or not known:
        raise ExpectationError(
            f"line {line}: write `-- expect: allow`, `hold` or `deny [REASON]` above"
        )
    return Expectation(login, word, reason, sql, line)


def failure(case: Expectation, snapshot: Snapshot) -> str:
    """What happened instead of what was expected; "" when it was as expected."""
    subject = snapshot.rules.subject(case.login)
    if subject is None:
        return f"the rules have no login {case.login}"
    decision = decide(case.sql.encode(), subject, snapshot)
    match decision:
        case Allow(mode=mode) if mode != "enforce":
            return f"login {case.login} is in mode {mode}, which enforces nothing"
        case Allow(statements=plans):
            found = "hold" if any(_waits(plan) for plan in plans) else "allow"
            if any(_lacks_reason(plan) for plan in plans):
                return _refused(case, REASON_REQUIRED.code, "a write must say why")
            return "" if case.answer == found else f"{_SAID[found]}, not {case.answer}"
        case Deny():
            return _refused(case, decision.reason.code, decision.message)


_SAID = {"allow": "allowed", "hold": "held until somebody consents"}


def _refused(case: Expectation, code: str, message: str) -> str:
    expected = case.answer == "deny" and case.reason in ("", code)
    return "" if expected else f"refused: {code} {message}"


def _waits(plan: Plan) -> bool:
    consent = plan.write.consent if plan.write is not None else None
    return consent is not None and consent.gate != "auto"


def _lacks_reason(plan: Plan) -> bool:
    return plan.write is not None and plan.write.reason_required and not plan.write.reason
