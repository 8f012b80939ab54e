"""policies/moments.py: what counts as a constant may neither fail nor depend on a row."""

from __future__ import annotations

import psycopg
import pytest

from policies import grammar
from policies.moments import moment
from proxy.testing import PostgresServer

MOMENTS = [
    ("now()", "timestamp with time zone"),
    ("pg_catalog.now()", "timestamp with time zone"),
    ("CURRENT_DATE - 30", "date"),
    ("CURRENT_DATE + 99999", "date"),
    ("now()::date", "date"),
    ("CURRENT_DATE - interval '1 month'", "timestamp without time zone"),
    ("now() - interval '7 days'", "timestamp with time zone"),
    ("now() - interval '999 years 9999 months 9999 weeks'", "timestamp with time zone"),
    ("now() + '999 years 9999 months 9999 weeks'::interval", "timestamp with time zone"),
    ("date_trunc('month', now() - interval '1 year')", "timestamp with time zone"),
    ("(localtimestamp + interval '2 hours')::timestamptz", "timestamp with time zone"),
    ("date_trunc('week', CURRENT_TIMESTAMP)::date", "date"),
]
OTHERS = [
    "x", "$1", "5", "'2020-01-01'::date", "now() - x", "now() - $1", "clock_timestamp()",
    "now() - interval '9999 years'", "now() - interval '1 year' - interval '1 year'",
    "date_trunc('year', now() - interval '1 year') - interval '1 year'",
    "now() - interval '1 day' * 3", "now() - interval '-1 day'", "now() - interval 'P1Y'",
    "CURRENT_DATE - 100000", "CURRENT_DATE - x", "now() - now()", "-now()", "interval '1 day'",
    "date_trunc(x, now())", "date_trunc('nonsense', now())", "date_trunc('day', x)", "now(1)",
    "public.now()", "now()::text", "now()::timestamptz(3)", "LOCALTIMESTAMP(3)", "CURRENT_USER",
    "now() - interval '1 day ' ", "now() - interval '1' day", "age(now())",
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), MOMENTS)
def test_a_moment_has_the_type_and_value_of_the_expression(
    text: str, kind: str, postgres: PostgresServer
) -> None:
    found = moment(grammar.parse_expression(text))
    assert found is not None and found[0] == kind
    with psycopg.connect(postgres.dsn("postgres")) as connection:
        query = f"SELECT {text} = {found[1]}, pg_typeof({text})::text, pg_typeof({found[1]})::text"
        assert connection.execute(query.encode()).fetchone() == (True, kind, kind)


@pytest.mark.parametrize("text", OTHERS)
def test_anything_else_is_none(text: str) -> None:
    assert moment(grammar.parse_expression(text)) is None
