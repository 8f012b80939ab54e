"""The user's expectations: read as written, and able to fail."""

from __future__ import annotations

import pytest

from policies.expectations import ExpectationError, failure, read
from tests.policies.lab import SNAPSHOT

TEXT = """
-- what ann may do
-- as: ann
-- expect: allow
SELECT id
  FROM t;

-- expect: deny WRITE_DISABLED
DELETE FROM t;
-- expect: deny
SELECT * FROM hidden;
"""


def test_cases_are_read_with_their_headers() -> None:
    cases = list(read(TEXT))
    assert [(c.login, c.answer, c.reason, c.line) for c in cases] == [
        ("ann", "allow", "", 5),
        ("ann", "deny", "WRITE_DISABLED", 9),
        ("ann", "deny", "", 11),
    ]
    assert [failure(case, SNAPSHOT) for case in cases] == ["", "", ""]


SILENT = "UPDATE t SET a = 'x' WHERE id = 1;"
HELD = f"/* reason='because' */ {SILENT}"


def test_a_write_says_why_and_may_be_held() -> None:
    text = f"-- as: wes\n-- expect: hold\n{HELD}\n-- expect: deny REASON_REQUIRED\n{SILENT}\n"
    assert [failure(case, SNAPSHOT) for case in read(text)] == ["", ""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- as: ann\n-- expect: deny\nSELECT 1;", "allowed, not deny"),
        ("-- as: ann\n-- expect: allow\nDELETE FROM s;", "refused: WRITE_DISABLED"),
        ("-- as: ann\n-- expect: deny TOO_LARGE\nDELETE FROM s;", "refused: WRITE_DISABLED"),
        ("-- as: ann\n-- expect: hold\nSELECT 1;", "allowed, not hold"),
        (f"-- as: wes\n-- expect: allow\n{HELD}", "held until somebody consents, not allow"),
        (f"-- as: wes\n-- expect: deny\n{HELD}", "held until somebody consents, not deny"),
        (f"-- as: wes\n-- expect: hold\n{SILENT}", "refused: REASON_REQUIRED"),
        (f"-- as: wes\n-- expect: deny TOO_LARGE\n{SILENT}", "refused: REASON_REQUIRED"),
        ("-- as: nobody\n-- expect: allow\nSELECT 1;", "no login nobody"),
        ("-- as: eve\n-- expect: allow\nSELECT 1;", "mode observe"),
    ],
)
def test_a_case_can_fail(text: str, said: str) -> None:
    (case,) = read(text)
    assert said in failure(case, SNAPSHOT)


@pytest.mark.parametrize(
    "text",
    ["SELECT 1;", "-- as: a\nSELECT 1;", "-- as: a\n-- expect: maybe\nSELECT 1;",
     "-- as: a\n-- expect: allow TOO_LARGE\nSELECT 1;",
     "-- as: a\n-- expect: deny NOPE\nSELECT 1;", "-- as: a\n-- expect: allow\nSELECT 1"],
)  # fmt: skip
def test_a_case_that_cannot_be_read_says_why(text: str) -> None:
    with pytest.raises(ExpectationError, match=r"line \d"):
        list(read(text))
