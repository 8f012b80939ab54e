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
    assert [(c.login, c.allowed, c.reason, c.line) for c in cases] == [
        ("ann", True, "", 5),
        ("ann", False, "WRITE_DISABLED", 9),
        ("ann", False, "", 11),
    ]
    assert [failure(case, SNAPSHOT) for case in cases] == ["", "", ""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- as: ann\n-- expect: deny\nSELECT 1;", "allowed, though"),
        ("-- as: ann\n-- expect: allow\nDELETE FROM s;", "refused: WRITE_DISABLED"),
        ("-- as: ann\n-- expect: deny TOO_LARGE\nDELETE FROM s;", "refused: WRITE_DISABLED"),
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
     "-- as: a\n-- expect: deny NOPE\nSELECT 1;", "-- as: a\n-- expect: allow\nSELECT 1"],
)  # fmt: skip
def test_a_case_that_cannot_be_read_says_why(text: str) -> None:
    with pytest.raises(ExpectationError, match=r"line \d"):
        list(read(text))
