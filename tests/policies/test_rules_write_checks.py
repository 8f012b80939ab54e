"""policies/rules_write_checks.py, policies/rules_names.py: permissions to write that do not agree
with the rest of the file."""

from __future__ import annotations

import pytest

from policies.rules import RulesError, parse

ENTITIES = """\
version: 1
entities:
  orders:
    tenant: tenant_id
    owner: {column: user_id, equals: subject.user_id, for: [clerk]}
    soft_delete: deleted_at
    key: id
    columns: {secret: deny}
    invariants:
      fresh: {holds: "created > now()"}
      paid: {constraint: orders_paid_check}
  notes: {shared: true, invariants: {short: {holds: "length(text) < 9"}}}
  hidden: {visible: false}
"""


def said(text: str) -> list[str]:
    with pytest.raises(RulesError) as caught:
        parse(text, "r.yaml")
    return [str(problem).partition(": ")[2] for problem in caught.value.problems]


def permitting(fields: str) -> str:
    return f"{ENTITIES}capabilities:\n  c: {{{fields}}}\n"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # entities
        (
            "insert: {order: {columns: [a]}}",
            "capabilities.c.insert.order: there is no entity `order`; did you mean `orders`?",
        ),
        (
            "delete: {hidden: {}}",
            "capabilities.c.delete.hidden: entity `hidden` is hidden; remove it here,"
            " or remove `visible: false` there",
        ),
        # columns
        (
            "update: {orders: {columns: [note, tenant_id]}}",
            "capabilities.c.update.orders.columns[1]: `tenant_id` is the entity's `tenant`:"
            " a row never changes tenants; remove it",
        ),
        (
            "update: {orders: {columns: [user_id]}}",
            "capabilities.c.update.orders.columns[0]: `user_id` is the entity's `owner`:"
            " a row keeps its owner; remove it",
        ),
        (
            "update: {orders: {columns: [deleted_at]}}",
            "capabilities.c.update.orders.columns[0]: `deleted_at` is the entity's `soft_delete`:"
            " permit `delete` instead; remove it",
        ),
        (
            "update: {orders: {columns: [id]}}",
            "capabilities.c.update.orders.columns[0]: `id` is the entity's `key`:"
            " a row keeps its key; remove it",
        ),
        (
            "insert: {orders: {columns: [secret]}}",
            "capabilities.c.insert.orders.columns[0]: `secret` is denied in the entity; remove it",
        ),
        (
            "insert: {orders: {columns: [a, b, a]}}",
            "capabilities.c.insert.orders.columns[2]: `a` is listed twice; remove one of them",
        ),
        # invariants
        (
            "update: {orders: {columns: [a]}}, invariants: [fesh]",
            "capabilities.c.invariants[0]: no entity that is written here has an invariant"
            " `fesh`; did you mean `fresh`?",
        ),
        (
            "update: {orders: {columns: [a]}}, invariants: [fresh, short]",
            "capabilities.c.invariants[1]: no entity that is written here has an invariant"
            " `short`; use one of: fresh, paid",
        ),
        (
            "delete: {hidden: {}, orders: {}}, invariants: [paid, paid]",
            "capabilities.c.invariants[1]: `paid` is listed twice; remove one of them",
        ),
        # terms
        *(
            (
                f"select: [orders], {term}",
                f"capabilities.c.{term.partition(':')[0]}: is about writes, and nothing is"
                " written; add `insert`, `update` or `delete`, or remove it",
            )
            for term in (
                "merge: true", "copy: true", "reason: optional", "images: true",
                "invariants: [fresh]",
            )
        ),
        (
            "delete: {orders: {}}, copy: true",
            "capabilities.c.copy: copies into nothing;"
            " add `insert: {<entity>: {columns: [...]}}`",
        ),
        (
            "insert: {notes: {columns: [text]}}, copy: true, approval: {by: [lead], gate: auto}",
            "capabilities.c.copy: excludes `approval`: nobody can look at rows that are still to"
            " come; make it two capabilities",
        ),
        (
            "delete: {notes: {}}, approval: {by: [boss]}",
            "capabilities.c.approval.by[0]: there is no role `boss`; use one of: clerk, lead",
        ),
        # statements
        (
            'statement: {sql: "SELECT 1; SELECT 2"}',
            "capabilities.c.statement.sql: is not one SQL statement: expected one statement,"
            " found 2",
        ),
        (
            'statement: {sql: "SELEC 1"}',
            "capabilities.c.statement.sql: is not one SQL statement: syntax error at or near"
            ' "SELEC"',
        ),
        (
            'statement: {sql: "DROP TABLE orders"}',
            "capabilities.c.statement.sql: must be a SELECT, INSERT, UPDATE, DELETE or MERGE",
        ),
        (
            'statement: {sql: "SELECT $1 + $3", parameters: {a: int, b: int}}',
            "capabilities.c.statement.sql: uses $3, which `parameters` does not list;"
            " list name and type of each, in order",
        ),
        (
            'statement: {sql: "SELECT $1 + $3", parameters: {a: int, b: int}}',
            "capabilities.c.statement.parameters.b: is $2, which the statement does not use;"
            " use it, or remove it here",
        ),
        (
            'statement: {sql: "SELECT $1", parameters: {a: "int + 1"}}',
            "capabilities.c.statement.parameters.a: is not a type; write one as PostgreSQL does:"
            " text, integer ...",
        ),
        (
            'statement: {sql: "SELECT $1", parameters: {a: "int) OR (true"}}',
            "capabilities.c.statement.parameters.a: is not a type; write one as PostgreSQL does:"
            " text, integer ...",
        ),
    ],
)  # fmt: skip
def test_a_capability_that_does_not_agree(fields: str, expected: str) -> None:
    roles = "roles: {clerk: {}, lead: {}}\n"
    assert expected in said(permitting(fields) + roles)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("key: tenant_id", "entities.u.key: is the tenant alone, which names all rows of one"),
        ("key: [id, id]", "entities.u.key[1]: `id` is listed twice; remove one of them"),
        ("key: [id, gone]", "entities.u.key[1]: `gone` is the entity's `soft_delete`"),
        ("key: email", "entities.u.key: `email` is not shown as it is, so no row can be named"),
        ("key: [id, ssn]", "entities.u.key[1]: `ssn` is not shown as it is"),
        (
            "invariants: {i: {}}",
            "entities.u.invariants.i: does not say what enforces it; write `holds:",
        ),
        (
            "invariants: {i: {holds: a, constraint: b}}",
            "entities.u.invariants.i: has `holds` and `constraint`; keep one of the two",
        ),
    ],
)
def test_an_entity_that_does_not_agree(fields: str, expected: str) -> None:
    whole = "tenant: tenant_id, soft_delete: gone, columns: {email: {mask: email}, ssn: deny}"
    found = said(f"version: 1\nentities: {{u: {{{whole}, {fields}}}}}\n")
    assert len(found) == 1 and found[0].startswith(expected)


def test_what_agrees_passes() -> None:
    rules = parse(
        permitting(
            "insert: {orders: {columns: [tenant_id, user_id, deleted_at, id, note]}},"
            " update: {orders: {columns: [note]}, notes: {columns: [text]}},"
            " delete: {orders: {}}, merge: true, copy: true, reason: optional, images: true,"
            " invariants: [fresh, paid, short],"
            ' statement: {sql: "UPDATE orders SET note = $1 WHERE id = $2",'
            " parameters: {note: character varying(9), id: int}}"
        )
        + "roles: {clerk: {can: [c]}, lead: {}}\n",
        "r.yaml",
    )
    assert rules.warnings() == ()


@pytest.mark.parametrize("field", ["insert: {orders: {columns: [a]}}", "delete: {orders: {}}"])
def test_who_only_writes_needs_its_scopes_values_too(field: str) -> None:
    roles = "roles: {clerk: {can: [c]}}\nsubjects: [{login: ann, roles: [clerk]}]\n"
    found = said(permitting(f"select: [orders], {field}") + roles)
    assert [one.partition(":")[0] for one in found] == ["subjects[0].tenant", "subjects[0].user_id"]


@pytest.mark.parametrize(
    ("roles", "readable"),
    [("[w]", False), ("[w, x]", False), ("[w, r]", True), ("[b]", True)],
)
def test_who_writes_reads(roles: str, readable: bool) -> None:
    text = (
        ENTITIES
        + "capabilities: {c: {delete: {notes: {}}}, d: {select: [notes]}, e: {select: [orders]}}\n"
        + "roles: {clerk: {}, w: {can: [c]}, r: {can: [d]}, x: {can: [e]},"
        + " b: {can: [c], mode: bypass}}\n"
        + f"subjects: [{{login: ann, tenant: 1, user_id: 1, roles: {roles}}}]\n"
    )
    if readable:
        parse(text, "r.yaml")
        return
    assert said(text) == [
        "subjects[0].roles: may write `notes` (capability c) and not read it;"
        " add it to `select` of c, or of another capability it has"
    ]


@pytest.mark.parametrize(
    ("subjects", "stuck"),
    [
        ("{login: ann, roles: [r]}", "ann"),
        ("{login: ann, roles: [r, lead]}", "ann"),
        ("{login: ann, roles: [r, lead]}, {login: bob, roles: [r, lead]}", ""),
        ("{login: ann, roles: [r]}, {login: bob, roles: [r, lead]}", "bob"),
        ("{login: ann, roles: [r]}, {login: bob, roles: [lead]}", ""),
        ("{login: bob, roles: [lead]}", ""),
        ("{login: ann, tenant: 1, roles: [r]}, {login: bob, tenant: 2, roles: [lead]}", "ann"),
        ("{login: ann, tenant: 1, roles: [r]}, {login: bob, tenant: 1, roles: [lead]}", ""),
        ("{login: ann, tenant: 1, roles: [r]}, {login: bob, roles: [lead]}", ""),
        (
            "{login: ann, tenant: 1, user_id: 5, roles: [r]},"
            " {login: bob, tenant: 1, user_id: 5, roles: [lead]}",
            "ann",
        ),
        ("{login: app, assume: signed, roles: [r]}, {login: bob, tenant: 1, roles: [lead]}", ""),
    ],
)
def test_consent_that_nobody_can_give_is_warned_of(subjects: str, stuck: str) -> None:
    rules = parse(
        permitting("select: [notes], delete: {notes: {}}, approval: {by: [lead]}")
        + f"roles: {{clerk: {{}}, r: {{can: [c]}}, lead: {{}}}}\nsubjects: [{subjects}]\n",
        "r.yaml",
    )
    warnings = rules.warnings()
    assert len(warnings) == bool(stuck)
    if stuck:
        assert warnings[0].endswith(f"(logins that ask: {stuck})")


def test_other_gates_need_no_login_that_agrees() -> None:
    rules = parse(
        permitting("select: [notes], delete: {notes: {}}, approval: {by: [clerk], gate: callback}")
        + "roles: {clerk: {}, r: {can: [c]}}\nsubjects: [{login: ann, roles: [r]}]\n",
        "r.yaml",
    )
    assert rules.warnings() == ()
