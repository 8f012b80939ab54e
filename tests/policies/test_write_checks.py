"""policies/write_checks.py: permissions to write that do not fit the database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.catalog import Catalog, Column, Constraint, Default, Index, Relation, Trigger
from policies.check import findings
from policies.decision import Allow, Decision, Deny
from policies.pipeline import Snapshot
from policies.reasons import MODEL_NOT_ALLOWED, UNSUPPORTED_SYNTAX
from policies.rules import RuleSet, parse
from policies.writes.keys import is_unique
from tests.policies.lab import CATALOG, SNAPSHOT, ask

ORDERS = Relation(
    oid=20000,
    schema="public",
    name="orders",
    kind="r",
    columns=(
        Column("id", 1, "integer", 23, not_null=True, identity=True),
        Column("tenant_id", 2, "integer", 23, not_null=True),
        Column("number", 3, "text", 25, not_null=True),
        Column("status", 4, "text", 25, not_null=True),
        Column("email", 5, "text", 25),
        Column("password", 6, "text", 25),
        Column("total", 7, "integer", 23, generated=True),
        Column("deleted_at", 8, "timestamp with time zone", 1184),
        Column("made_at", 9, "date", 1082, not_null=True),
    ),
    primary_key=("id",),
    indexes=(
        Index(1, "orders_pkey", (1,), True, "id", ("id",), plain=True),
        Index(2, "per_tenant", (2, 3), True, "tenant_id", ("tenant_id", "number"), plain=True),
        Index(3, "by_status", (4,), False, "status", ("status",), plain=True),
        Index(4, "one_made", (9, 8), True, "made_at", ("made_at",)),
    ),
    constraints=(
        Constraint(11, "orders_pkey", "p", (1,)),
        Constraint(12, "status_known", "c", (4,)),
        Constraint(13, "later", "f", (2,), at_once=False),
        Constraint(14, "orders_id_not_null", "n", (1,)),
    ),
    defaults=(Default(21, 9),),
)


def rules(entity: str = "", capability: str = "") -> RuleSet:
    return parse(
        f"""\
version: 1
profile: dev
entities:
  orders: {{tenant: tenant_id, {entity}}}
capabilities:
  c: {{{capability}}}
""",
        "r.yaml",
    )


def catalog(*more: Relation, **changes: Any) -> Catalog:
    return Catalog(180000, "shop", ("public",), (replace(ORDERS, **changes), *more))


def said(rules: RuleSet, catalog: Catalog, *, error: bool) -> list[str]:
    return [str(one) for one in findings(rules, catalog) if one.error is error]


UPDATE = "update: {orders: {columns: [status]}}"


@pytest.mark.parametrize(
    ("entity", "capability", "expected"),
    [
        # columns
        (
            "",
            "insert: {orders: {columns: [staus]}}",
            'capabilities.c.insert.orders.columns[0]: no column "staus" in the table',
        ),
        (
            "",
            "update: {orders: {columns: [total]}}",
            'capabilities.c.update.orders.columns[0]: "total" is generated, so nobody can write it;'
            " remove it",
        ),
        (
            "",
            "insert: {orders: {columns: [password]}}",
            'capabilities.c.insert.orders.columns[0]: "password" is denied by'
            " defaults.deny_columns; remove it, or list it in the entity",
        ),
        (
            "",
            "update: {orders: {columns: [id]}}",
            'capabilities.c.update.orders.columns[0]: "id" is part of the primary key: a row keeps'
            " its key; remove it",
        ),
        # keys
        ("key: nr", "", 'entities.orders.key: no column "nr" in the table'),
        (
            "key: [id, email]",
            "",
            'entities.orders.key: "email" is not shown as it is, so no row can be named by it;'
            " show the column, or choose another key",
        ),
        (
            "key: status",
            "",
            "entities.orders.key: nothing makes (status) unique, so it may name several rows;"
            " create a unique index without a condition, or choose another key",
        ),
        (
            "key: made_at",
            "",
            "entities.orders.key: nothing makes (made_at) unique, so it may name several rows;"
            " create a unique index without a condition, or choose another key",
        ),
        (
            "columns: {id: {mask: {truncate: 10}}}",
            f"{UPDATE}, delete: {{orders: {{key: false}}}}",
            'capabilities.c.update.orders: "id" of the primary key is not shown as it is;'
            " add `key: [<columns>]` to the entity, or say `key: false` here",
        ),
        # rows that are marked as deleted
        (
            "soft_delete: status",
            "delete: {orders: {}}",
            'capabilities.c.delete.orders: DELETE sets "status" to the time, and it is text;'
            " make it a timestamptz, timestamp or date, or permit `hard: true`",
        ),
        # invariants
        (
            "invariants: {i: {constraint: status_know}}",
            "",
            'entities.orders.invariants.i.constraint: no constraint "status_know" on the table;'
            " there are: orders_pkey, status_known",
        ),
        (
            "invariants: {i: {holds: 'totl > 0 AND subject.tenant > 0'}}",
            "",
            'entities.orders.invariants.i.holds: no column "totl" in the table',
        ),
        (
            "invariants: {i: {holds: 'id IN (SELECT 1)'}}",
            "",
            "entities.orders.invariants.i.holds: may use only the entity's own columns and"
            " subject.*",
        ),
        (
            "invariants: {i: {constraint: later}}",
            "",
            'entities.orders.invariants.i.constraint: "later" is not enforced when a statement'
            " ends; make it enforced, and not INITIALLY DEFERRED",
        ),
        (
            "invariants: {i: {constraint: orders_id_not_null}}",
            "",
            'entities.orders.invariants.i.constraint: "orders_id_not_null" says only that a column'
            " is not NULL; use `holds`",
        ),
    ],
)
def test_what_does_not_fit_is_a_problem(entity: str, capability: str, expected: str) -> None:
    assert said(rules(entity, capability), catalog(), error=True) == [expected]


@pytest.mark.parametrize(
    ("entity", "capability"),
    [
        ("", f"{UPDATE}, delete: {{orders: {{}}}}, insert: {{orders: {{columns: [id, number]}}}}"),
        ("key: number", UPDATE),  # in its tenant
        ("key: [id, made_at]", UPDATE),
        ("key: [tenant_id, number]", UPDATE),
        ("soft_delete: deleted_at", "delete: {orders: {}}"),
        ("soft_delete: made_at", "delete: {orders: {}}"),
        ("soft_delete: status", "delete: {orders: {hard: true}}"),
        (
            "columns: {id: {mask: {truncate: 10}}}",
            "update: {orders: {columns: [status], key: false}}",
        ),
        ("key: number", "update: {orders: {columns: [email]}}"),
        ("invariants: {i: {constraint: status_known}, j: {constraint: orders_pkey}}", ""),
        ("invariants: {i: {holds: 'status <> subject.login OR password IS NULL'}}", ""),
    ],
)
def test_what_fits_is_none(entity: str, capability: str) -> None:
    assert said(rules(entity, capability), catalog(), error=True) == []


@pytest.mark.parametrize("kind", ["v", "m", "f"])
def test_only_tables_are_written(kind: str) -> None:
    assert said(rules("", UPDATE), catalog(kind=kind), error=True) == [
        'capabilities.c: "orders" is not a table, and only tables can be written'
    ]


def test_tables_with_rules_are_not_written() -> None:
    (found,) = said(rules("", UPDATE), catalog(rewritten=True), error=True)
    assert found.endswith("which turn a write into others; make them triggers")
    assert said(rules("", ""), catalog(rewritten=True), error=True) == []


def test_what_points_at_no_entity_is_not_written() -> None:
    others = replace(ORDERS, oid=20005, name="others")
    points = Constraint(15, "points", "f", (4,), 20005, (1,))
    (found,) = said(rules("", UPDATE), catalog(others, constraints=(points,)), error=True)
    assert found == (
        'capabilities.c.update.orders.columns[0]: "status" points at rows of others, which is no'
        " entity; add it to the entities, or remove the column here"
    )
    own = replace(points, references=20000)
    assert said(rules("", UPDATE), catalog(constraints=(own,)), error=True) == []
    elsewhere = "update: {orders: {columns: [email]}}"
    assert said(rules("", elsewhere), catalog(others, constraints=(points,)), error=True) == []


def test_without_a_key_no_row_can_be_named() -> None:
    keyless = catalog(primary_key=(), indexes=())
    assert said(rules("", f"{UPDATE}, delete: {{orders: {{}}}}"), keyless, error=True) == [
        f'capabilities.c.{verb}.orders: "orders" has no primary key, so no row can be'
        " named; add `key: [<columns>]` to the entity, or say `key: false` here"
        for verb in ("update", "delete")
    ]


def test_a_key_does_not_reach_tables_that_inherit() -> None:
    child = replace(ORDERS, oid=20001, name="child", parents=(20000,))
    entity = rules("key: number").entities["orders"]
    assert is_unique(("number",), entity, ORDERS, catalog())
    assert not is_unique(("number",), entity, ORDERS, catalog(child))
    parted = replace(ORDERS, kind="p")
    assert is_unique(("number",), entity, parted, Catalog(1, "", (), (parted, child)))
    (found,) = said(rules("key: number"), catalog(child), error=True)
    assert "nothing makes (number) unique" in found


def test_a_key_of_a_shared_entity_is_unique_by_itself() -> None:
    shared = parse("version: 1\nentities: {orders: {shared: true, key: number}}", "r")
    assert not is_unique(("number",), shared.entities["orders"], ORDERS, catalog())
    assert is_unique(("id",), shared.entities["orders"], ORDERS, catalog())


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        (
            "insert: {orders: {columns: [id, number, status]}}",
            'capabilities.c.insert.orders.columns[0]: "orders_pkey" makes id unique in all tenants'
            " together: a value that is refused tells that another has it; put tenant_id into it",
        ),
        (
            "update: {orders: {columns: [status, deleted_at]}}",
            'capabilities.c.update.orders.columns[1]: "one_made" makes deleted_at unique in all'
            " tenants together: a value that is refused tells that another has it;"
            " put tenant_id into it",
        ),
        (
            "insert: {orders: {columns: [number]}}",
            "capabilities.c.insert.orders.columns: every row needs status, which may not be given:"
            " every INSERT fails unless a trigger fills in",
        ),
    ],
)
def test_what_may_do_more_than_meant_is_a_warning(capability: str, expected: str) -> None:
    assert said(rules("", capability), catalog(), error=False) == [expected]


def test_exclusions_collide_too_unless_the_tenant_is_in_them() -> None:
    apart = Constraint(15, "apart", "x", (4,))
    with_tenant = Constraint(16, "apart_here", "x", (2, 4))
    found = said(rules("", UPDATE), catalog(constraints=(apart, with_tenant)), error=False)
    assert [one for one in found if '"apart"' in one] == found != []


def test_what_all_share_cannot_collide() -> None:
    shared = parse(
        "version: 1\nentities: {orders: {shared: true}}\n"
        "capabilities: {c: {insert: {orders: {columns: [id, tenant_id, number, status]}}}}",
        "r",
    )
    assert said(shared, catalog(), error=False) == []


def test_triggers_of_a_table_and_of_its_partitions_are_a_warning() -> None:
    child = replace(ORDERS, oid=20001, name="child", parents=(20000,),
                    triggers=(Trigger("t_child", False),))  # fmt: skip
    parted = catalog(child, kind="p", triggers=(Trigger("t_own", True),))
    (found,) = said(rules("", UPDATE), parted, error=False)
    assert found.startswith("entities.orders: writes to it fire t_own, t_child: what a trigger")
    assert said(rules("", "select: [orders]"), parted, error=False) == []


@pytest.mark.parametrize("follows, capability, warned", [
    (("delete",), "delete: {orders: {hard: true}}", "delete"),
    (("delete",), "delete: {orders: {}}", ""),  # which marks the row
    (("update",), "delete: {orders: {hard: true}}", ""),
    (("delete", "update"), "update: {orders: {columns: [number]}}", "update"),
    (("delete", "update"), "update: {orders: {columns: [status]}}", ""),
    ((), "delete: {orders: {hard: true}}", ""),
])  # fmt: skip
def test_rows_that_go_with_those_they_refer_to_are_a_warning(
    follows: tuple[str, ...], capability: str, warned: str
) -> None:
    refers = Constraint(9, "of_order", "f", (2,), 20000, (3,), (2,), follows=follows)
    lines = Relation(20005, "public", "lines", "r", ORDERS.columns, constraints=(refers,))
    found = said(rules("soft_delete: deleted_at", capability), catalog(lines), error=False)
    assert [line.split(":")[0] for line in found if "of_order" in line] == (
        [f"capabilities.c.{warned}.orders"] if warned else []
    )


def with_statement(sql: str) -> RuleSet:
    return parse(
        f"""\
version: 1
entities: {{orders: {{tenant: tenant_id}}}}
capabilities:
  see: {{select: [orders]}}
  set-status:
    update: {{orders: {{columns: [status]}}}}
    statement: {{sql: "{sql}", parameters: {{state: text, id: int}}}}
roles: {{clerk: {{can: [see, set-status]}}}}
subjects: [{{login: ann, tenant: 1, roles: [clerk]}}]
""",
        "r",
    )


def test_a_statement_of_the_rules_that_would_be_refused_is_a_problem() -> None:
    there = replace(catalog(), builtin_types=frozenset({"int4", "text"}))
    good = with_statement("UPDATE orders SET status = $1 WHERE id = $2")
    assert said(good, there, error=True) == []
    other = with_statement("UPDATE orders SET number = $1 WHERE id = $2")
    (found,) = said(other, there, error=True)
    assert found.startswith(
        'capabilities.set-status.statement.sql: refused when ann calls it: column "number" of'
    )
    broad = with_statement("UPDATE orders SET status = $1 WHERE total > $2")
    (found,) = said(broad, there, error=True)
    assert "must be named by their key" in found


# What does not fit is not relied on when statements run either.


def decided(sql: str, login: str = "zoe", table: str = "jobs", **changes: Any) -> Decision:
    """The answer in the lab when a table is another."""
    relations = tuple(
        replace(one, **changes) if one.name == table else one for one in CATALOG.relations
    )
    catalog = replace(CATALOG, relations=relations)
    return ask(sql, login, Snapshot(SNAPSHOT.rules, catalog, b"k" * 32, "v1"))


JOBS = CATALOG.by_name["public", "jobs"]
PAIRS = CATALOG.by_name["public", "pairs"]
DELETE = "/* capability='sweep' */ DELETE FROM jobs WHERE id = 1"


def test_a_constraint_that_is_not_there_closes_what_relies_on_it() -> None:
    assert isinstance(decided(DELETE), Allow)
    for constraints in ((), (Constraint(20422, "jobs_title_key", "u", (2, 4), at_once=False),)):
        answer = decided(DELETE, constraints=constraints)
        assert isinstance(answer, Deny) and answer.reason is MODEL_NOT_ALLOWED


def test_a_condition_that_does_not_fit_closes_what_relies_on_it() -> None:
    without = tuple(column for column in JOBS.columns if column.name != "price")
    answer = decided(DELETE, columns=without)
    assert isinstance(answer, Deny) and answer.reason is MODEL_NOT_ALLOWED and not answer.fault


def test_a_table_with_rules_is_not_written() -> None:
    answer = decided(DELETE, rewritten=True)
    assert isinstance(answer, Deny) and answer.reason is UNSUPPORTED_SYNTAX
    assert isinstance(decided("SELECT id FROM jobs", rewritten=True), Allow)


def test_rows_named_by_what_is_not_unique_are_counted_when_it_runs() -> None:
    update = "UPDATE pairs SET x = 'a' WHERE (a, b) = (1, 2)"
    bounds = []
    for indexes in (PAIRS.indexes, (), tuple(replace(one, plain=False) for one in PAIRS.indexes)):
        answer = decided(update, "wes", "pairs", indexes=indexes)
        assert isinstance(answer, Allow) and answer.statements[0].write is not None
        bounds.append(answer.statements[0].write.bound)
    assert bounds == [1, None, None]
