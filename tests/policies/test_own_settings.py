"""SET, RESET and SHOW of querywarden.*: what goes up, what the session is told, what is secret."""

from __future__ import annotations

import pytest

from policies import grammar, reasons
from policies.decision import Allow, Deny, SessionChange
from policies.own_settings import as_sent, shown
from policies.pipeline import decide
from policies.reasons import Refusal
from policies.steps.prove import prove
from tests.policies.lab import SNAPSHOT, ask, begun, refused, subject

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ0ZW5hbnQiOjF9.c2ln"
FINGERPRINT = shown("context", TOKEN)


@pytest.mark.parametrize(
    ("sql", "sent", "change"),
    [
        ("SET querywarden.reason = 'it''s lost'",
         "SET \"querywarden.reason\" TO 'it''s lost'", ("set", "reason", "it's lost")),
        ("SET SESSION QueryWarden.Capability TO browse",
         "SET \"querywarden.capability\" TO 'browse'", ("set", "capability", "browse")),
        ("SET LOCAL querywarden.capability = ''",
         "SET LOCAL \"querywarden.capability\" TO ''", ("set", "capability", "", True)),
        (f"SET querywarden.context = '{TOKEN}'",
         f"SET \"querywarden.context\" TO '{FINGERPRINT}'", ("set", "context", TOKEN)),
        (f'SET LOCAL "querywarden".context = "{TOKEN}"',
         f"SET LOCAL \"querywarden.context\" TO '{FINGERPRINT}'", ("set", "context", TOKEN, True)),
        ("SET querywarden.context = ''",
         "SET \"querywarden.context\" TO ''", ("set", "context", "")),
        ("RESET querywarden.reason", 'RESET "querywarden.reason"', ("reset", "reason")),
        ("SET LOCAL querywarden.reason TO DEFAULT",
         'SET LOCAL "querywarden.reason" TO DEFAULT', ("reset", "reason", "", True)),
        ("RESET ALL", "RESET ALL", ("reset",)),
        ("SAVEPOINT a", 'SAVEPOINT "a"', ("savepoint", "a")),
        ("RELEASE a", 'RELEASE SAVEPOINT "a"', ("release", "a")),
        ("ROLLBACK TO a", 'ROLLBACK TO SAVEPOINT "a"', ("undo", "a")),
        ("END", "COMMIT", ("commit",)),
        ("ABORT", "ROLLBACK", ("rollback",)),
        ("SHOW querywarden.context", 'SHOW "querywarden.context"', None),
    ],
)  # fmt: skip
def test_what_goes_up(sql: str, sent: str, change: tuple[str, ...] | None) -> None:
    decision = ask(sql)
    assert isinstance(decision, Allow)
    assert decision.text.decode() == sent
    (plan,) = decision.statements
    assert plan.change == (None if change is None else SessionChange(*change))  # type: ignore[arg-type]
    assert decision.named is (change is not None and change[0] in ("set", "reset"))


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SET querywarden.other = 'a'", reasons.SETTING_NOT_ALLOWED),
        ("SHOW querywarden.other", reasons.SETTING_NOT_ALLOWED),
        ("SET querywarden.reason FROM CURRENT", reasons.SETTING_NOT_ALLOWED),
        ("SET querywarden.reason = 'a', 'b'", reasons.VALIDATION_ERROR),
        ("SET querywarden.reason = 12", reasons.VALIDATION_ERROR),
        (f"SET querywarden.reason = '{'x' * 501}'", reasons.VALIDATION_ERROR),
        ("SET querywarden.reason = 'a\nb'", reasons.VALIDATION_ERROR),
        ("SET querywarden.reason = E'a\\x1b[2J'", reasons.VALIDATION_ERROR),
        (f"SET querywarden.context = '{'x' * 5000}'", reasons.VALIDATION_ERROR),
        ("SET querywarden.capability = 'huge'", reasons.CAPABILITY_REQUIRED),
        # not by functions, whatever they are called by
        ("SELECT set_config('querywarden.reason', 'a', false)", reasons.SETTING_NOT_ALLOWED),
        ("SELECT set_config('QueryWarden.Context', $1, true)", reasons.FUNCTION_NOT_ALLOWED),
        ("SELECT current_setting('querywarden.context')", reasons.SETTING_NOT_ALLOWED),
        ("ALTER ROLE ann SET querywarden.capability = 'browse'", reasons.STATEMENT_NOT_ALLOWED),
        # what follows would be decided before it
        ("SET querywarden.capability = 'browse'; SELECT x FROM s", reasons.UNSUPPORTED_SYNTAX),
        ("BEGIN; SET LOCAL querywarden.reason = 'a'; COMMIT", reasons.UNSUPPORTED_SYNTAX),
    ],
)
def test_what_is_refused(sql: str, reason: reasons.Reason) -> None:
    assert refused(sql).reason is reason


@pytest.mark.parametrize("login", ["ann", "eve"])
@pytest.mark.parametrize(
    "sql",
    [
        f"SET querywarden.context = '{TOKEN}'",
        f'SET querywarden.context = "{TOKEN}"',
        f"SET QUERYWARDEN.CONTEXT = '{TOKEN}'; DROP TABLE s",
        f'DROP TABLE s; SET querywarden . "context" = "{TOKEN}"',
    ],
)
def test_a_context_is_nowhere_but_in_the_session(login: str, sql: str) -> None:
    """Not in the text, the record, the refusal: also where rules are only observed."""
    decision = decide(sql.encode(), subject(login), SNAPSHOT)
    assert TOKEN not in repr(decision)
    if isinstance(decision, Allow):
        assert decision.text.decode() == f"SET \"querywarden.context\" TO '{FINGERPRINT}'"
    else:
        assert isinstance(decision, Deny)


@pytest.mark.parametrize(
    "output",
    [
        f"SET \"querywarden.context\" TO '{TOKEN}'",
        "SET \"querywarden.context\" TO 'sha256:0000000000000000'",
        f"SET \"querywarden.reason\" TO '{FINGERPRINT}'",
        f"SET LOCAL \"querywarden.context\" TO '{FINGERPRINT}'",
        f"SET \"querywarden.context\" TO '{FINGERPRINT}', ''",
        'RESET "querywarden.context"',
    ],
)
def test_the_proof_knows_the_fingerprint_and_nothing_else(output: str) -> None:
    statement = begun(f"SET querywarden.context = '{TOKEN}'")
    statement.utility, statement.output = True, output.encode()
    with pytest.raises(Refusal):
        prove(statement)


def test_other_settings_go_up_as_they_are() -> None:
    for sql in ("SET timezone = 'UTC'", f"SET querywarden.reason = '{TOKEN}'"):
        raw = grammar.parse(sql.encode())[0]
        assert as_sent(raw.kind, raw.node) is raw.node
