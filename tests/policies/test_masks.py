"""Masks on a real PostgreSQL: right for ordinary values, silent for every other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.masks import MASKS, MaskError, digest, mask
from policies.rules_columns import Mask
from proxy.testing import PostgresServer

_CHECKED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40)


@pytest.fixture(scope="module")
def run(postgres: PostgresServer) -> Any:
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:

        def apply(sql: str, type_name: str, value: object) -> Any:
            """The mask's value and whether its type is the column's."""
            row = connection.execute(
                f"SELECT {sql}, pg_typeof({sql}) = '{type_name}'::regtype "  # type: ignore[arg-type]
                f"FROM (SELECT %s::{type_name} AS c) t",
                [value],
            ).fetchone()
            assert row is not None and row[1], "a mask keeps the column's type"
            return row[0]

        yield apply


@pytest.mark.parametrize(
    ("rule", "type_name", "value", "masked"),
    [
        (Mask("email"), "text", "alice@example.com", "a***@example.com"),
        (Mask("email"), "text", "a@example.com", "***@example.com"),
        (Mask("email"), "text", "no address", "***"),
        (Mask("email"), "text", "a@b@c.org", "***@c.org"),
        (Mask("email"), "text", None, None),
        (Mask("partial"), "text", "Alice", "A***e"),
        (Mask("partial"), "text", "Al", "***"),
        (Mask("first", 2), "text", "Alice", "Al***"),
        (Mask("first", 2), "text", "Ali", "***"),
        (Mask("last", 4), "text", "555-123-4567", "***4567"),
        (Mask("last", 4), "text", "1234567", "***"),
        (Mask("null"), "integer", 5, None),
        (Mask("constant", 9), "integer", 5, 9),
        (Mask("constant", "it's"), "text", "x", "it's"),
        (Mask("truncate", 100), "integer", 1234, 1200),
        (Mask("truncate", 100), "integer", -1, -100),
        (Mask("truncate", 1000), "integer", -(2**31), -(2**31)),
        (Mask("truncate", Decimal("0.5")), "numeric", Decimal("1.7"), Decimal("1.5")),
        (Mask("truncate", 10), "numeric", Decimal("NaN"), None),
    ],
)  # fmt: skip
def test_kinds(run: Any, rule: Mask, type_name: str, value: object, masked: object) -> None:
    assert run(mask('"c"', type_name, rule), type_name, value) == masked


def test_truncate_dates(run: Any) -> None:
    sql = mask('"c"', "date", Mask("truncate", "year"))
    assert str(run(sql, "date", "1990-05-17")) == "1990-01-01"
    assert run(sql, "date", "infinity") is None
    assert run(sql, "date", "5874897-12-31") is None


def test_truncate_does_not_depend_on_the_session_time_zone(postgres: PostgresServer) -> None:
    """A client that may shift TimeZone must not learn more than the unit."""
    kind = "timestamp with time zone"
    sql = mask('"c"', kind, Mask("truncate", "day"))
    with psycopg.connect(postgres.dsn("postgres")) as connection:
        seen = set()
        for zone in ("UTC", "Pacific/Kiritimati", "Etc/GMT+12"):
            connection.execute("SELECT set_config('TimeZone', %s, false)", [zone])
            row = connection.execute(
                f"SELECT extract(epoch FROM {sql}) "  # type: ignore[arg-type]
                "FROM (SELECT '2024-01-01 05:00+00'::timestamptz AS c) t"
            ).fetchone()
            assert row is not None
            seen.add(row[0])
    assert len(seen) == 1


@_CHECKED
@given(value=TEXT)
def test_text_masks_never_raise_and_never_show_the_middle(run: Any, value: str) -> None:
    for rule in (Mask("email"), Mask("partial"), Mask("first", 3), Mask("last", 3)):
        masked = run(mask('"c"', "text", rule), "text", value)
        assert "***" in masked
        bare = value.startswith("@")  # a domain alone hides nothing
        assert bare or value not in masked or len(value) <= 3 or set(value) <= set("*@")


@_CHECKED
@given(value=st.integers(-(2**63), 2**63 - 1), bucket=st.integers(1, 10**15))
def test_buckets_of_whole_numbers_never_raise(run: Any, value: int, bucket: int) -> None:
    masked = run(mask('"c"', "bigint", Mask("truncate", bucket)), "bigint", value)
    assert masked <= value and (value - masked < bucket or masked == -(2**63))


@_CHECKED
@given(value=st.one_of(st.decimals(-(10**30), 10**30, places=3), st.just(Decimal("NaN"))))
def test_buckets_of_numerics_never_raise(run: Any, value: Decimal) -> None:
    rule = Mask("truncate", Decimal("0.000001"))
    run(mask('"c"', "numeric", rule), "numeric", str(value))


@_CHECKED
@given(one=TEXT, other=TEXT)
def test_digests_keep_equality_and_nothing_else(run: Any, one: str, other: str) -> None:
    sql = digest('"c"', "text", "names", b"secret")
    first, second = run(sql, "text", one), run(sql, "text", other)
    assert (first == second) == (one == other)
    assert len(first) == 64 and (len(one) < 3 or one not in first)


def test_digest_is_hmac_and_depends_on_the_key(run: Any) -> None:
    import hashlib
    import hmac

    key = hmac.new(b"secret", b"querywarden column key: names", hashlib.sha256).digest()
    expected = hmac.new(key, b"Alice", hashlib.sha256).hexdigest()
    assert run(digest('"c"', "text", "names", b"secret"), "text", "Alice") == expected
    assert digest('"c"', "text", "names", b"other") != digest('"c"', "text", "names", b"secret")
    uuid = "6b1f3c52-5a0a-4c3e-9d55-0e3c3a0f8a11"
    assert str(run(digest('"c"', "uuid", "ids", b"secret"), "uuid", uuid)) != uuid


@pytest.mark.parametrize(
    ("rule", "type_name"),
    [
        (Mask("email"), "integer"),
        (Mask("partial"), "jsonb"),
        (Mask("truncate", "year"), "text"),
        (Mask("truncate", 10), "date"),
        (Mask("truncate", True), "integer"),
        (Mask("first", 0), "text"),
    ],
)
def test_a_mask_that_cannot_keep_the_type_is_an_error(rule: Mask, type_name: str) -> None:
    with pytest.raises(MaskError):
        mask('"c"', type_name, rule)


def test_digest_needs_a_key_and_a_fitting_type() -> None:
    with pytest.raises(MaskError):
        digest('"c"', "text", "names", b"")
    with pytest.raises(MaskError):
        digest('"c"', "jsonb", "names", b"secret")


def test_every_kind_of_the_rules_file_has_a_function() -> None:
    from typing import get_args

    from policies.rules_columns import MaskKind

    assert set(MASKS) == set(get_args(MaskKind))
