"""policies/rules_checks.py: fields that are right alone and wrong together."""

from __future__ import annotations

import pytest

from policies.rules import RulesError, parse
from policies.rules_errors import Problem


def problems(text: str) -> list[Problem]:
    with pytest.raises(RulesError) as caught:
        parse(text, "r.yaml")
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("entities: {u: {}}", "entities.u", "`tenant: <column>`"),
        ("entities: {u: {}}", "entities.u", "`shared: true`"),
        ("profile: internal\nentities: {u: {}}", "entities.u", "profile internal"),
        ("entities: {u: {tenant: a, shared: true}}", "entities.u.shared", "excludes `tenant`"),
        (
            "entities: {u: {tenant: a, soft_delete: a}}",
            "entities.u.soft_delete",
            "same column as `tenant`",
        ),
        (
            "entities: {u: {tenant: a, owner: {column: a, equals: subject.login}}}",
            "entities.u.owner.column",
            "same column as `tenant`",
        ),
        (
            "entities: {u: {shared: true, owner: {column: a, equals: subject.login, for: [x]}}}",
            "entities.u.owner.for[0]",
            "there is no role `x`",
        ),
        ('entities: {u: {shared: true, columns: {"*": show}}}', "entities.u.columns.*", "remove"),
        (
            "entities: {u: {shared: true, joins: [w.id]}}",
            "entities.u.joins[0]",
            "there is no entity `w`",
        ),
        ("entities: {u: {shared: true, joins: [w]}}", "entities.u.joins[0]", "users.id"),
        ("entities: {u: {shared: true, joins: [u.a, u.a]}}", "entities.u.joins[1]", "twice"),
        (
            "capabilities: {c: {lock: true}}",
            "capabilities.c.lock",
            "locks nothing",
        ),
        (
            "functions: {f: {}}\ncapabilities: {c: {call: [g]}}",
            "capabilities.c.call[0]",
            "there is no function `g`",
        ),
        ("functions: {F: {}}", "functions.F", "add `function: public.f`"),
        ("functions: {f: {}, g: {function: public.f}}", "functions.g", "already function `f`"),
        ("functions: {f: {function: pg_catalog.lo_get}}", "functions.f.function", "system"),
        ("entities: {U: {shared: true}}", "entities.U", "add `table: public.u`"),
        (
            "entities: {u: {shared: true}, w: {shared: true, table: public.u}}",
            "entities.w.table",
            "already entity `u`",
        ),
        (
            "entities: {u: {visible: false}}\ncapabilities: {c: {select: [u]}}",
            "capabilities.c.select[0]",
            "is hidden",
        ),
        (
            "entities: {users: {shared: true}}\ncapabilities: {c: {select: [usrs]}}",
            "capabilities.c.select[0]",
            "did you mean `users`?",
        ),
        ("roles: {r: {can: [x]}}", "roles.r.can[0]", "define the capability first"),
        (
            "roles: {r: {}}\nsubjects: [{login: a, tenant: 1, assume: signed, roles: [r]}]",
            "subjects[0].assume",
            "excludes `tenant`",
        ),
        ("subjects: [{login: a, roles: [x]}]", "subjects[0].roles[0]", "there is no role `x`"),
        (
            "roles: {r: {}}\nsubjects: [{login: a, roles: [r]}, {login: a, roles: [r]}]",
            "subjects[1].login",
            "already taken",
        ),
        (
            "roles: {r: {}}\nsubjects: [{login: a, roles: [r, r]}]",
            "subjects[0].roles[1]",
            "listed twice",
        ),
    ],
)
def test_fields_that_do_not_agree(text: str, field: str, said: str) -> None:
    (found,) = problems(f"version: 1\n{text}\n")
    assert found.field == field and said in str(found) and found.line > 1


REACH = """\
version: 1
entities:
  u: {{tenant: t}}
  v: {{shared: true, owner: {{column: o, equals: subject.team, for: [own]}}}}
capabilities: {{tu: {{select: [u]}}, sv: {{select: [v]}}}}
roles:
  sees_u: {{can: [tu]}}
  own: {{can: [sv]}}
  other: {{can: [sv]}}
  admin: {{can: [tu, sv], mode: bypass}}
  trial: {{can: [tu], mode: observe}}
subjects:
  - {{login: a, {}}}
"""


@pytest.mark.parametrize(
    ("subject", "field"),
    [
        ("roles: [sees_u]", "subjects[0].tenant"),
        ("roles: [trial]", "subjects[0].tenant"),
        ("roles: [sees_u, admin]", "subjects[0].tenant"),
        ("roles: [sees_u], tenant: 1", ""),
        ("roles: [sees_u], tenant: 0", ""),
        ("roles: [admin]", ""),
        ("roles: [other]", ""),
        ("roles: [own]", "subjects[0].team"),
        ("roles: [own, other]", "subjects[0].team"),
        ("roles: [own], attributes: {team: 5}", ""),
    ],
)
def test_subjects_have_the_values_their_entities_compare_with(subject: str, field: str) -> None:
    text = REACH.format(subject)
    if field:
        (found,) = problems(text)
        assert found.field == field and found.line == 13
    else:
        assert parse(text, "r.yaml").subject("a") is not None
