"""complete: what cannot be named in GROUP BY is refused with what to write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.catalog import Column
from policies.decision import Allow, Deny
from policies.pipeline import Snapshot
from tests.policies.lab import CATALOG, SNAPSHOT, ask

_PLAIN = CATALOG.find("public", "t")
assert _PLAIN is not None
_TABLE = replace(_PLAIN, columns=(*_PLAIN.columns, Column("doc", 8, "json", 114)))
_RELATIONS = tuple(_TABLE if r.oid == _TABLE.oid else r for r in CATALOG.relations)


def snapshot(version: int = 180000) -> Snapshot:
    catalog = replace(CATALOG, relations=_RELATIONS, server_version=version)
    return Snapshot(SNAPSHOT.rules, catalog, b"k" * 32, "v2")


@pytest.mark.parametrize("column", ["t.doc", "t.*", "(t.doc ->> 'a')"])
def test_a_column_without_equality_is_refused_with_a_way_out(column: str) -> None:
    refused = ask(f"SELECT t.id, {column}, count(*) FROM t GROUP BY t.id", snapshot=snapshot())
    assert isinstance(refused, Deny)
    assert refused.reason.code == "UNSUPPORTED_SYNTAX"
    assert refused.message == (
        "t.doc cannot be left out of GROUP BY here: its type json has no equality"
    )
    assert refused.hint == "write any_value(t.doc)"


def test_the_way_out_leads_out() -> None:
    for written in ("any_value(t.doc)", "(array_agg(t.doc))[1]", "json_agg(t.doc)"):
        sql = f"SELECT t.id, {written} FROM t GROUP BY t.id"
        assert isinstance(ask(sql, snapshot=snapshot()), Allow), sql


def test_older_servers_have_no_any_value() -> None:
    refused = ask("SELECT t.doc FROM t GROUP BY t.id", snapshot=snapshot(150000))
    assert isinstance(refused, Deny)
    assert refused.hint == "write (array_agg(t.doc))[1]"
