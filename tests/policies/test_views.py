"""Policy views: what rules and catalog together make of one relation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import check
from policies.rules import parse
from policies.scopes import EntityError
from policies.views import Fence, Views, problems
from tests.policies.lab import CATALOG, RULES, SNAPSHOT, subject

HEAD = "version: 1\nprofile: dev\nentities:\n"
TAIL = """
capabilities: {c: {select: [t]}}
roles: {r: {can: [c]}}
subjects: [{login: a, tenant: 1, roles: [r]}]
"""


def _view_text(entity: str) -> str:
    rules = parse(f"{HEAD}  t: {entity}{TAIL}", "x.yaml")
    who = rules.subject("a")
    assert who is not None
    found = CATALOG.find("", "t")
    assert found is not None
    view = Views(rules, CATALOG, who, b"key").find(found)
    assert view is not None
    return view.text(fence=None, only=False)


def test_an_opaque_column_is_an_expression_of_its_own_name() -> None:
    """The planner would try conditions on the common values of a plain one while it plans."""
    relation = CATALOG.find("", "t")
    assert relation is not None
    view = SNAPSHOT.views(subject()).find(relation)
    assert view is not None
    assert view.plain == {"id", "org", "a", "n", "mood"}  # a mask is an expression anyway
    text = view.text(fence=Fence(opaque=frozenset({"a"})), only=False)
    assert 'r."id"' in text and text.endswith("OFFSET 0")
    assert 'COALESCE(r."a", r."a") AS "a"' in text


def test_a_predicate_is_closed_off_even_when_it_holds_an_or() -> None:
    text = _view_text('{tenant: org, rows: "id = 1 OR true -- x"}')
    assert text.endswith("""WHERE r."org" = '1' AND (r.id = 1 OR true -- x\n)""")


@pytest.mark.parametrize("predicate", ["1 / id = 1", "n > 1", "a LIKE 'x%'", "length(a) > 1"])
def test_a_predicate_that_may_raise_never_sees_rows_of_others(predicate: str) -> None:
    text = _view_text(f'{{tenant: org, rows: "{predicate}"}}')
    assert """WHERE r."org" = '1' AND CASE WHEN r."org" = '1' THEN (""" in text
    assert text.endswith("\n) ELSE false END")


@pytest.mark.parametrize(
    ("entity", "place", "message"),
    [
        ("{tenant: nope}", "entities.t.tenant", "no column"),
        ("{tenant: org, soft_delete: nope}", "entities.t.soft_delete", "no column"),
        ("{tenant: org, columns: {nope: deny}}", "entities.t.columns.nope", "no such column"),
        ("{tenant: org, columns: {id: {mask: email}}}", "entities.t.columns.id", "text column"),
        ('{tenant: org, rows: "nope = 1"}', "entities.t.rows", "no column"),
        ('{tenant: org, rows: "id = 1) OR (id = 2"}', "entities.t.rows", "not an SQL condition"),
        ('{tenant: org, rows: "id = 1; DROP TABLE t"}', "entities.t.rows", "not an SQL condition"),
        ('{tenant: org, rows: "id IN (SELECT 1)"}', "entities.t.rows", "may use only"),
        ('{tenant: org, rows: "id = $1"}', "entities.t.rows", "may use only"),
        ("{tenant: org, table: public.nope}", "entities.t.table", "no such table"),
    ],
)
def test_rules_that_do_not_fit_are_named_and_close_the_entity(
    entity: str, place: str, message: str
) -> None:
    rules = parse(f"{HEAD}  t: {entity}{TAIL}", "x.yaml")
    ((found, said),) = problems(rules, CATALOG)
    assert found == place and message in said
    findings = check.findings(rules, CATALOG)
    assert any(f.error and f.field == place for f in findings)


def test_check_warns_of_a_superuser_and_a_missing_index() -> None:
    large = replace(
        CATALOG,
        role="postgres",
        role_is_superuser=True,
        relations=tuple(
            replace(r, row_estimate=1e6) if r.name == "t" else r for r in CATALOG.relations
        ),
    )
    said = [str(f) for f in check.findings(parse(RULES, "lab.yaml"), large) if not f.error]
    assert any("superuser" in line for line in said)
    assert any('no index starts with "org"' in line for line in said)


def test_check_warns_of_views_that_go_around_the_rules_of_what_they_read() -> None:
    said = {(f.field, f.message) for f in check.findings(SNAPSHOT.rules, CATALOG) if not f.error}
    shared = {
        field for field, message in said if "rows of every tenant: it is a view of t" in message
    }
    assert shared == {"entities.board", "entities.walled"}  # walled through board
    hidden = {field for field, message in said if "t.secret" in message}
    assert hidden == shared
    fenced = {field for field, message in said if "without security_barrier" in message}
    assert fenced == {"entities.board", "entities.sums"}


def test_check_names_columns_to_join_through_that_do_not_exist() -> None:
    rules = parse(RULES.replace("joins: [s.id,", "joins: [s.gone,"), "lab.yaml")
    said = {f.field: f.message for f in check.findings(rules, CATALOG) if f.error}
    assert said["entities.lines.joins"] == 'no column "gone" in "s"'


def test_a_view_of_the_database_is_scoped_by_its_own_conditions() -> None:
    views = {view.name: view for view in SNAPSHOT.views(subject("kim"))}
    assert views["board"].scoped and not views["board"].conditions
    assert not views["walled"].scoped and not views["s"].scoped
    assert views["walled"].whole and not views["t"].whole and not views["veiled"].whole


def test_catalog_objects_seen_follow_the_columns_seen() -> None:
    sight = SNAPSHOT.views(subject()).sight
    assert 20101 in sight.indexes  # on id
    assert 20102 not in sight.indexes  # on a denied column
    assert 20202 not in sight.constraints  # mentions a denied column
    assert (20001, 5) not in sight.columns
    assert 16500 in sight.types and 16501 not in sight.types


def test_an_error_in_an_entity_is_an_entity_error() -> None:
    error = EntityError("entities.t.rows", "why")
    assert (error.field, str(error)) == ("entities.t.rows", "why")
