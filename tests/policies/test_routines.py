"""policies/routines.py: what a name means, what closes a function, what check says of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import check
from policies.catalog import Catalog
from policies.reasons import Refusal
from policies.routines import Calls
from tests.policies.lab import CATALOG, SNAPSHOT, subject


def calls(catalog: Catalog = CATALOG, *, locks: bool = False) -> Calls:
    granted = {name: ("sums",) for name in SNAPSHOT.rules.functions}
    return Calls(SNAPSHOT.rules, catalog, granted, locks)


def test_names_are_found_as_postgresql_would() -> None:
    found = calls().find(("total",))
    assert found is not None and (found.schema, found.function) == ("public", "total")
    assert calls().find(("public", "total")) == found
    other = calls().find(("private", "total"))
    assert other is not None and other.name == "fine"
    for unknown in (("fine",), ("later", "twin"), ("unlisted",), ("a", "public", "total")):
        assert calls().find(unknown) is None


def test_a_bare_name_of_the_system_is_the_systems() -> None:
    path = replace(CATALOG, search_path=("private",))
    assert calls(path).find(("max",)) is None  # also an allowed aggregate, which does not fence
    own = replace(path, system_functions=frozenset())
    assert calls(own).find(("max",)) is None
    assert calls(own).find(("private", "max")) is not None


def test_a_bare_name_must_be_of_one_schema() -> None:
    both = calls(replace(CATALOG, search_path=("public", "later")))
    with pytest.raises(Refusal, match="several schemas"):
        both.find(("twin",))
    assert both.find(("public", "twin")) is not None
    assert both.find(("total",)) is not None


@pytest.mark.parametrize(("name", "locks"), [("wild", False), ("named", False), ("lost", False)])
def test_what_does_not_fit_is_closed(name: str, locks: bool) -> None:
    with pytest.raises(Refusal, match="closed"):
        calls(locks=locks).find((name,))


def test_volatile_ones_want_a_word_and_sessions_that_cannot_write() -> None:
    assert calls().find(("vouched",)) is not None
    with pytest.raises(Refusal, match="may lock rows"):
        calls(locks=True).find(("vouched",))


def test_columns_are_those_every_overload_gives() -> None:
    rows = [r for r in CATALOG.routines if r.name == "rows_of"]
    more = replace(CATALOG, routines=(*CATALOG.routines, replace(rows[0], columns=("id", "x"))))
    found = calls(more).find(("rows_of",))
    assert found is not None and found.columns == {"id"}


def test_check_names_what_is_closed_and_warns_of_the_rest() -> None:
    found = check.findings(SNAPSHOT.rules, CATALOG)
    closed = {f.field for f in found if f.error and f.field.startswith("functions.")}
    assert closed == {"functions.wild", "functions.named", "functions.lost"}
    loud = [f for f in found if not f.error and f.field == "functions.vouched"]
    assert "EVERY tenant" in loud[0].message
    warned = {f.field for f in found if not f.error and "not policy views" in f.message}
    assert "functions.total" in warned and "functions.fine" not in warned  # C: an extension's


def test_a_subject_calls_what_its_capabilities_name() -> None:
    views = SNAPSHOT.views(subject("bob"))
    assert views.calls.names == ["public.vouched"]
    assert SNAPSHOT.views(subject("ann")).calls.names == []
