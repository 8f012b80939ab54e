"""Permissions to write, as the rules file states them."""

from __future__ import annotations

import pytest

from policies.rules_writes import span_seconds


@pytest.mark.parametrize(
    ("span", "seconds"), [("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86_400)]
)
def test_a_span_is_read_as_seconds(span: str, seconds: int) -> None:
    assert span_seconds(span) == seconds


def test_a_span_needs_its_unit() -> None:
    with pytest.raises(ValueError, match="not a duration"):
        span_seconds("15")
