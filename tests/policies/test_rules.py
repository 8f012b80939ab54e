"""What the rules answer: subjects, capabilities, modes, budgets, columns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policies.rules import Budget, RulesError, RuleSet, parse, parse_all
from policies.rules_budget import PROFILES, milliseconds
from policies.rules_columns import ColumnRule, Mask, parse_column_rule, written_column_rule
from policies.rules_models import split_table
from policies.subject import Subject

SMALL = """\
version: 1
profile: dev
entities:
  users: {tenant: tenant_id, owner: {column: id, equals: subject.user_id, for: [customer]}}
  orders: {tenant: tenant_id, table: shop.orders}
  products: {}
  hidden: {visible: false}
capabilities:
  people: {select: [users]}
  shop: {select: [orders, products]}
  all: {select: [users, orders, products]}
roles:
  support: {can: [people, shop]}
  auditor: {can: [all], budget: {rows: 5000}}
  watcher: {can: [shop], mode: observe, budget: {time: 1m, rows: 200}}
  migrator: {mode: bypass}
  customer: {can: [people]}
subjects:
  - {login: ann, tenant: 1, roles: [support, auditor], attributes: {z: 1, region: emea}}
  - {login: wim, tenant: "2", roles: [watcher]}
  - {login: mig, roles: [migrator]}
  - {login: cus, tenant: 1, user_id: 7, roles: [customer]}
"""


def entity(fields: str, profile: str = "prod") -> str:
    return f"version: 1\nprofile: {profile}\nentities:\n  users: {{shared: true, {fields}}}\n"


@pytest.fixture(scope="module")
def small() -> RuleSet:
    return parse(SMALL, "small.yaml")


def test_a_login_becomes_a_subject(small: RuleSet) -> None:
    assert small.subject("ann") == Subject(
        "ann", 1, None, ("support", "auditor"), (("region", "emea"), ("z", 1))
    )
    assert small.subject("wim") == Subject("wim", "2", None, ("watcher",))
    assert small.subject("Ann") is None


def test_selectable_lists_capabilities_in_role_order(small: RuleSet) -> None:
    assert small.selectable(["support", "auditor"]) == {
        "users": ("people", "all"),
        "orders": ("shop", "all"),
        "products": ("shop", "all"),
    }
    assert small.selectable(["auditor", "support"])["users"] == ("all", "people")
    assert small.selectable(["migrator"]) == small.selectable([]) == small.selectable(["x"]) == {}


@pytest.mark.parametrize(
    ("roles", "mode"),
    [
        ([], "enforce"),
        (["nobody"], "enforce"),
        (["migrator", "nobody"], "enforce"),
        (["migrator"], "bypass"),
        (["migrator", "watcher"], "observe"),
        (["watcher", "migrator", "support"], "enforce"),
    ],
)
def test_the_strictest_mode_wins(small: RuleSet, roles: list[str], mode: str) -> None:
    assert small.mode(roles) == mode


def test_the_largest_stated_budget_wins_else_the_profile(small: RuleSet) -> None:
    starting = Budget(
        1000, 10_000, 100, 3, 500, None, affected=100, reason_required=False, role="support"
    )
    assert small.budget(["support"]) == starting
    watcher = small.budget(["watcher"])
    assert (watcher.rows, watcher.time_ms) == (200, 60_000)  # below the profile's, but stated
    every = small.budget(["watcher", "support", "auditor"])
    assert (every.rows, every.time_ms, every.joins) == (5000, 60_000, 3)
    assert every.rule("rows") == "roles.auditor.budget.rows"
    assert every.rule("joins") == "roles.watcher.budget.joins"


def test_every_limit_of_a_role_holds() -> None:
    role = "columns: 7, joins: 0, complexity: 50, indexed_from: 500"
    rules = parse(f"version: 1\nroles: {{a: {{budget: {{{role}}}}}, b: {{}}}}", "r")
    budget = rules.budget(["b", "a"])
    assert (budget.columns, budget.joins, budget.complexity, budget.indexed_from) == (7, 0, 50, 500)


@pytest.mark.parametrize(
    ("profile", "limits", "tenant", "sensitive", "affected", "reason"),
    [
        ("prod", (100, 2000, 40, 1, 100, 10_000), True, "deny", 1, True),
        ("internal", (500, 5000, 80, 2, 200, 10_000), True, "mask", 1, True),
        ("dev", (1000, 10_000, 100, 3, 500, None), False, "mask", 100, False),
    ],
)
def test_profiles(
    profile: Any, limits: Any, tenant: bool, sensitive: str, affected: int, reason: bool
) -> None:
    values = PROFILES[profile]
    assert (values.tenant_required, values.sensitive) == (tenant, sensitive)
    budget = parse(f"version: 1\nprofile: {profile}", "r").budget([])
    assert budget == Budget(*limits, affected=affected, reason_required=reason)


def test_the_largest_limits_of_rows_written_win() -> None:
    stated = "a: {budget: {writes: {per_transaction: 5, per_session: 50}}}"
    more = "b: {budget: {writes: {per_transaction: 9}}}"
    rules = parse(f"version: 1\nroles: {{{stated}, {more}, c: {{}}}}", "r")
    budget = rules.budget(["a", "b", "c"])
    assert (budget.written_per_transaction, budget.written_per_session) == (9, 50)
    assert budget.rule("writes.per_transaction") == "roles.b.budget.writes.per_transaction"
    assert rules.budget(["c"]).written_per_session is None


def test_a_key_is_one_column_or_several() -> None:
    rules = parse(
        "version: 1\nprofile: dev\nentities: {a: {key: id}, b: {key: [id, n]}, c: {}}", "r"
    )
    assert [rules.entities[name].key for name in "abc"] == [("id",), ("id", "n"), None]


def test_tables_of_entities(small: RuleSet) -> None:
    assert small.entity_tables() == {
        ("public", "users"): "users",
        ("shop", "orders"): "orders",
        ("public", "products"): "products",
    }


def test_the_owner_rule_holds_for_whoever_has_one_of_its_roles(small: RuleSet) -> None:
    owner = small.entities["users"].owner
    assert owner is not None and owner.attribute == "user_id"
    assert owner.holds_for(("support", "customer"))
    assert not owner.holds_for(("support",))


COLUMNS = """
      id: show
      ssn: deny
      email: {mask: email}
      "*_key": {hash: keys}
      "api*": show
      "i*": {mask: "null"}
      "in*": deny
"""


@pytest.mark.parametrize(
    ("profile", "column", "expected"),
    [
        ("prod", "id", ColumnRule("show", rule="entities.users.columns.id")),
        ("prod", "ssn", ColumnRule("deny", rule="entities.users.columns.ssn")),
        ("prod", "email", ColumnRule("mask", Mask("email"), rule="entities.users.columns.email")),
        ("prod", "name", ColumnRule("show")),
        # a listed glob stands before the defaults, and a strict glob before an open one
        ("prod", "api_secret", ColumnRule("show", rule="entities.users.columns.api*")),
        ("prod", "api_key", ColumnRule("hash", key="keys", rule="entities.users.columns.*_key")),
        ("prod", "iban", ColumnRule("mask", Mask("null"), rule="entities.users.columns.i*")),
        ("prod", "income", ColumnRule("deny", rule="entities.users.columns.in*")),
        ("prod", "INCOME", ColumnRule("deny", rule="entities.users.columns.in*")),
        # defaults: deny in every profile, masks denied in prod
        ("prod", "password_hash", ColumnRule("deny", rule="defaults.deny_columns")),
        ("dev", "Old_PassWord", ColumnRule("deny", rule="defaults.deny_columns")),
        ("prod", "phone", ColumnRule("deny", rule="defaults.mask_columns.phone")),
        (
            "internal",
            "Phone",
            ColumnRule("mask", Mask("partial"), rule="defaults.mask_columns.phone"),
        ),
        (
            "dev",
            "dob",
            ColumnRule("mask", Mask("truncate", "year"), rule="defaults.mask_columns.dob"),
        ),
    ],
)
def test_column_rules(profile: str, column: str, expected: ColumnRule) -> None:
    head = f"version: 1\nprofile: {profile}\nentities:\n  users:\n    shared: true\n    columns:"
    assert parse(head + COLUMNS, "r.yaml").column_rule("users", column) == expected


def test_defaults_replace_the_built_in_lists() -> None:
    rules = parse(
        "version: 1\nprofile: dev\nentities: {users: {}}\n"
        'defaults: {deny_columns: ["x*"], mask_columns: {"mail*": {last: 2}}}',
        "r.yaml",
    )
    assert rules.column_rule("users", "password").kind == "show"
    assert rules.column_rule("users", "x1").kind == "deny"
    assert rules.column_rule("users", "mail_2").mask == Mask("last", 2)
    with pytest.raises(KeyError):
        rules.column_rule("nothing", "x")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("show", ColumnRule("show")),
        ("deny", ColumnRule("deny")),
        ("{hash: names}", ColumnRule("hash", key="names")),
        ('{mask: "null"}', ColumnRule("mask", Mask("null"))),
        ("{mask: 'email'}", ColumnRule("mask", Mask("email"))),
        ("{mask: partial}", ColumnRule("mask", Mask("partial"))),
        ("{mask: {first: 1}}", ColumnRule("mask", Mask("first", 1))),
        ("{mask: {last: 64}}", ColumnRule("mask", Mask("last", 64))),
        ("{mask: {constant: ''}}", ColumnRule("mask", Mask("constant", ""))),
        ("{mask: {constant: true}}", ColumnRule("mask", Mask("constant", True))),
        ("{mask: {constant: -1.50}}", ColumnRule("mask", Mask("constant", Decimal("-1.50")))),
        ("{mask: {constant: 2024-01-01}}", ColumnRule("mask", Mask("constant", "2024-01-01"))),
        ("{mask: {truncate: quarter}}", ColumnRule("mask", Mask("truncate", "quarter"))),
        ("{mask: {truncate: 0.5}}", ColumnRule("mask", Mask("truncate", Decimal("0.5")))),
    ],
)
def test_every_column_rule_reads_and_writes(written: str, expected: ColumnRule) -> None:
    rules = parse(entity(f"columns: {{a: {written}}}"), "r.yaml")
    assert rules.entities["users"].columns["a"] == expected
    assert parse_column_rule(written_column_rule(expected)) == expected


def test_warnings_are_loud_about_roles_that_do_not_enforce(small: RuleSet) -> None:
    watcher, migrator = small.warnings()
    assert "role watcher is in mode observe" in watcher and "wim" in watcher
    assert "role migrator is in mode bypass" in migrator and "mig" in migrator
    assert parse("version: 1", "r").warnings() == ()


def test_the_hash_names_the_text(small: RuleSet) -> None:
    assert len(small.text_hash) == 12
    assert parse(SMALL, "other name").text_hash == small.text_hash
    assert parse(SMALL + "#", "small.yaml").text_hash != small.text_hash
    both = [("a", "version: 1\n"), ("b", "profile: dev\n")]
    moved = [("a", "version: 1\nprofile"), ("b", ": dev\n")]
    assert parse_all(both).text_hash not in (small.text_hash, parse("version: 1\n", "a").text_hash)
    with pytest.raises(RulesError):
        parse_all(moved)


def test_rules_are_frozen(small: RuleSet) -> None:
    with pytest.raises(Exception, match="frozen"):
        small.profile = "prod"  # type: ignore[misc]
    with pytest.raises(Exception, match="frozen"):
        small.entities["users"].tenant = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("public.users", ("public", "users")),
        ('public."Order Items"', ("public", "Order Items")),
        ('"a.b"."c""d"', ("a.b", 'c"d')),
        ("größe.maße", ("größe", "maße")),
    ],
)
def test_tables_are_split_as_in_sql(text: str, expected: tuple[str, str]) -> None:
    assert split_table(text) == expected


def test_durations() -> None:
    assert [milliseconds(text) for text in ("100ms", "2s", "10m")] == [100, 2000, 600_000]
