"""The market: a database of two tenants for applications of ORMs, and what each should see of it.

`expected` asks PostgreSQL itself, as owner, for one tenant's rows; an application asks the proxy
without ever naming a tenant. Both must come to the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg

HERE = Path(__file__).parent
CANARIES = {"acme": ("bolt-canary", "hidden-canary"), "bolt": ("acme-canary", "hidden-canary")}
TENANTS = {"acme": 1, "bolt": 2}

_LIVING = """
WITH customers AS (SELECT * FROM public.customers WHERE tenant_id = :tenant AND deleted_at IS NULL),
orders AS (SELECT * FROM public.orders WHERE tenant_id = :tenant),
order_items AS (SELECT * FROM public.order_items WHERE tenant_id = :tenant)
"""
# The same for everybody: a row of the other tenant, a hidden column, a hidden table, a write, and
# whether the connection works after each.
ALWAYS = {
    "foreign": None,
    "hidden_column": "42703",
    "hidden_table": "42501",
    "write": "25006",
    "after": True,
}


def expected(owner: str, login: str) -> dict[str, Any]:
    """What an application logged in as `login` should report. `owner`: DSN of the owner."""
    found: dict[str, Any] = {}
    with psycopg.connect(owner) as connection:
        for block in (HERE / "expected.sql").read_text().split("\n\n-- ")[1:]:
            name, query = block.split("\n", 1)
            text = (_LIVING + query).replace(":tenant", str(TENANTS[login]))
            (value,) = connection.execute(text.encode()).fetchone() or (None,)
            found[name] = json.loads(json.dumps(value))
    return found | ALWAYS


def leaks(output: str, login: str) -> list[str]:
    """What an application printed and must never have seen."""
    return [canary for canary in CANARIES[login] if canary in output]
