"""A wrong field: where it is, what is said, and which way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.rules import RulesError, parse
from policies.rules_errors import Problem, looks_secret

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules"


def problems(text: str) -> list[Problem]:
    with pytest.raises(RulesError) as caught:
        parse(text, "r.yaml")
    return list(caught.value.problems)


def entity(fields: str, profile: str = "prod") -> str:
    return f"version: 1\nprofile: {profile}\nentities:\n  users: {{shared: true, {fields}}}\n"


@pytest.mark.parametrize(
    ("line", "place", "field", "said"),
    [
        # fields
        ("profil: prod", (2, 1), "profil", "unknown field; did you mean `profile`?"),
        ("password: hunter2", (2, 1), "password", "credentials never go into the rules file"),
        ("entities: {u: {key: 1}}", (2, 21), "entities.u.key", "must be a list"),
        ("entities: {u: {tenent: a}}", (2, 16), "entities.u.tenent", "did you mean `tenant`?"),
        ("capabilities: {c: {listen: {}}}", (2, 20), "capabilities.c.listen", "not available"),
        (
            "capabilities: {c: {update: {u: {columns: [a], kye: false}}}}",
            (2, 47),
            "capabilities.c.update.u.kye",
            "did you mean `key`?",
        ),
        (
            "capabilities: {c: {update: {u: {columns: [a], rows: 1001}}}}",
            (2, 53),
            "capabilities.c.update.u.rows",
            "at most 1,000",
        ),
        (
            "capabilities: {c: {approval: {by: [r], ttl: 15}}}",
            (2, 45),
            "capabilities.c.approval.ttl",
            "as 30s, 15m or 1h",
        ),
        (
            "capabilities: {c: {approval: {by: [r], ttl: 31d}}}",
            (2, 45),
            "capabilities.c.approval.ttl",
            "between 1s and 30d",
        ),
        ("roles: {r: {budget: {costs: 1}}}", (2, 22), "roles.r.budget.costs", "mean `cost`?"),
        ("roles: {r: {budget: {cost: 0}}}", (2, 28), "roles.r.budget.cost", "at least 1"),
        (
            "roles: {r: {budget: {rate: {per_day: 1}}}}",
            (2, 29),
            "roles.r.budget.rate.per_day",
            "unknown field",
        ),
        ("roles: {r: {budget: {joins: -1}}}", (2, 29), "roles.r.budget.joins", "at least 0"),
        ("subjects: [{jwt: {}}]", (2, 13), "subjects[0].jwt", "not available in this version"),
        # types
        ("entities: []", (2, 1), "entities", "must be a set of names"),
        ("entities: {u: 3}", (2, 15), "entities.u", "must be a set of fields"),
        ("entities: {u: {tenant: 5}}", (2, 24), "entities.u.tenant", "must be text"),
        ("entities: {u: {tenant: [a]}}", (2, 16), "entities.u.tenant", "write one name"),
        ("entities: {u: {shared: yes}}", (2, 24), "entities.u.shared", "must be true or false"),
        ("capabilities: {c: {select: users}}", (2, 28), "capabilities.c.select", "must be a list"),
        ("roles: {r: {mode: enforced}}", (2, 19), "roles.r.mode", "did you mean `enforce`?"),
        ("profile: staging", (2, 10), "profile", "allowed: prod, internal, dev"),
        ("roles: {r: {budget: {rows: 0}}}", (2, 28), "roles.r.budget.rows", "at least 1"),
        (
            "roles: {r: {budget: {rows: 1000001}}}",
            (2, 28),
            "roles.r.budget.rows",
            "at most 1,000,000",
        ),
        ("roles: {r: {budget: {rows: '9'}}}", (2, 28), "roles.r.budget.rows", "a whole number"),
        ("roles: {r: {budget: {time: 2}}}", (2, 28), "roles.r.budget.time", "as 500ms, 2s or 1m"),
        ("roles: {r: {budget: {time: 99ms}}}", (2, 28), "roles.r.budget.time", "between 100ms"),
        ("roles: {r: {budget: {time: 11m}}}", (2, 28), "roles.r.budget.time", "and 10m"),
        (
            'capabilities: {c: {statement: {sql: "SELECT 1\\0; DROP"}}}',
            (2, 37),
            "capabilities.c.statement.sql",
            "must not be empty",
        ),
        (
            "entities: {u: {shared: true, invariants: {i: {holds: ' '}}}}",
            (2, 54),
            "entities.u.invariants.i.holds",
            "must not be empty",
        ),
        # names
        ("roles: {'a b': {}}", (2, 9), "roles.a b", "is not a name"),
        ("entities: {u: {table: users}}", (2, 23), "entities.u.table", "write public.users"),
        ("entities: {u: {table: public.U}}", (2, 23), "entities.u.table", "'\"U\"'"),
        ("entities: {u: {table: pg_catalog.x}}", (2, 23), "entities.u.table", "system catalog"),
        ("entities: {u: {table: querywarden.x}}", (2, 23), "entities.u.table", "proxy's own"),
        ("functions: {f: {function: '\"querywarden\".x'}}", (2, 27), "functions.f.function", "own"),
        ("entities: {u: {tenant: 'a*'}}", (2, 24), "entities.u.tenant", "not a glob"),
        ("entities: {u: {rows: ' '}}", (2, 22), "entities.u.rows", "must not be empty"),
        (
            "entities: {u: {owner: {column: a, equals: user_id}}}",
            (2, 43),
            "entities.u.owner.equals",
            "write subject.user_id",
        ),
        ("entities: {u: {owner: {column: a}}}", (2, 16), "entities.u.owner.equals", "is missing"),
        # subjects
        ("subjects: [{login: a}]", (2, 12), "subjects[0].roles", "is missing"),
        ("subjects: [{login: a, roles: []}]", (2, 23), "subjects[0].roles", "must not be empty"),
        (
            "subjects: [{login: a, roles: [r], tenant: 1.5}]",
            (2, 43),
            "subjects[0].tenant",
            "put it in quotes",
        ),
        (
            "subjects: [{login: a, roles: [r], tenant: 99999999999999999999}]",
            (2, 43),
            "subjects[0].tenant",
            "64-bit",
        ),
        (
            "subjects: [{login: a, roles: [r], attributes: {api_key: k}}]",
            (2, 48),
            "subjects[0].attributes.api_key",
            "credentials never",
        ),
        (
            "subjects: [{login: a, roles: [r], attributes: {tenant: k}}]",
            (2, 48),
            "subjects[0].attributes.tenant",
            "one level up",
        ),
        # globs
        ('defaults: {deny_columns: ["[a"]}', (2, 27), "defaults.deny_columns[0]", "not closed"),
        ('defaults: {deny_columns: [""]}', (2, 27), "defaults.deny_columns[0]", "not be empty"),
        (
            "defaults: {mask_columns: {a: deny}}",
            (2, 30),
            "defaults.mask_columns.a",
            "is not a mask",
        ),
    ],
)
def test_a_wrong_field(line: str, place: tuple[int, int], field: str, said: str) -> None:
    found = problems(f"version: 1\n{line}\n")
    assert [(p.line, p.column, p.field) for p in found] == [(*place, field)], found
    assert said in str(found[0])
    assert "hunter2" not in str(found[0])


@pytest.mark.parametrize(
    ("rule", "field", "said"),
    [
        ("denny", "", "did you mean `deny`?"),
        ("email", "", "write {mask: email}"),
        ('"null"', "", 'write {mask: "null"}'),
        ("{last: 4}", ".last", "write {mask: {last: ...}}"),
        ("[deny]", "", "write deny, show, {mask: ...} or {hash: key name}"),
        ("{mask: email, hash: a}", "", "must be a column rule"),
        ("{mask: email, shape: deny}", ".shape", "not available in this version"),
        ("{mask: null}", ".mask", '"null" in quotes'),
        ("{mask: emial}", ".mask", "did you mean `email`?"),
        ("{mask: deny}", ".mask", "write `deny` without mask"),
        ("{mask: last}", ".mask", "write {last: ...}"),
        ("{mask: {lst: 4}}", ".mask.lst", "did you mean `last`?"),
        ("{mask: {email: 4}}", ".mask.email", "takes no value"),
        ("{mask: {last: '4'}}", ".mask.last", "from 1 to 64"),
        ("{mask: {first: true}}", ".mask.first", "from 1 to 64"),
        ("{mask: {first: 0}}", ".mask.first", "from 1 to 64"),
        ("{mask: {first: 1, last: 1}}", ".mask", "must be one mask"),
        ("{mask: {constant: [1]}}", ".mask.constant", "a single value"),
        ("{mask: {truncate: years}}", ".mask.truncate", "did you mean `year`?"),
        ("{mask: {truncate: -1}}", ".mask.truncate", "above 0"),
        ("{mask: {truncate: true}}", ".mask.truncate", "above 0"),
        ("{hash: 'a b'}", ".hash", "name of a hash key"),
        ("{hash: 5}", ".hash", "name of a hash key"),
    ],
)
def test_a_wrong_column_rule(rule: str, field: str, said: str) -> None:
    (found,) = problems(entity(f"columns: {{a: {rule}}}"))
    assert found.field == f"entities.users.columns.a{field}"
    assert found.line == 4 and said in str(found)


def test_all_problems_at_once_in_file_order() -> None:
    found = problems(
        "version: 1\nentities:\n  users:\n    tenent: a\n    columns: {a: denny}\n  users: {}\n"
        "roles: {r: {mode: on}}\nprofil: x\n"
    )
    assert [p.line for p in found] == [4, 5, 6, 7, 8]
    assert str(found[0]) == (
        "r.yaml:4:5: entities.users.tenent: unknown field; did you mean `tenant`?"
    )


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("db_password", True),
        ("PASSWORD_HASH", True),
        ("api_keys", True),
        ("scram", True),
        ("token", True),
        ("token_limit", False),
        ("secretary", False),
        ("keyboard", False),
    ],
)
def test_names_that_announce_a_credential(name: str, secret: bool) -> None:
    assert looks_secret(name) is secret


LINES = (RULES / "reference.yaml").read_text().splitlines()


@settings(max_examples=150, deadline=None)
@given(
    line=st.integers(0, len(LINES) - 1),
    text=st.one_of(
        st.text(max_size=20), st.sampled_from(["", "x", "  : ", "- {", "[]: 1", "a: {}"])
    ),
    at=st.integers(0, 40),
)
def test_any_text_is_rules_or_a_rules_error(line: int, text: str, at: int) -> None:
    changed = LINES[line][:at] + text + LINES[line][at + len(text) // 2 :]
    try:
        parse("\n".join([*LINES[:line], changed, *LINES[line + 1 :]]), "r.yaml")
    except RulesError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.message and "Input should" not in str(problem)
            assert "is not valid here" not in problem.message
            assert problem.line >= 1 and problem.column >= 1
