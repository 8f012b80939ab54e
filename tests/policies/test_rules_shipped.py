"""The rules files and the schema that are shipped say what the models say."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from policies.rules import json_schema
from policies.rules_models import (
    _LEVELS,
    Defaults,
    RulesFile,
    fields_at,
)
from policies.rules_text import read_yaml
from proxy.rules_file import load

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules"
SHIPPED = [RULES / "demo.yaml", RULES / "reference.yaml", ROOT / "tests/attacks/rules.yaml"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_rules_load(path: Path) -> None:
    assert load([path]).subjects


def test_the_schema_is_current() -> None:
    assert json.loads((RULES / "rules.schema.json").read_text()) == json_schema()


def test_the_schema_describes_every_field() -> None:
    schema = json_schema()
    models = [schema, *schema["$defs"].values()]
    for model in models:
        assert model["additionalProperties"] is False and model["description"]
        for name, field in model["properties"].items():
            assert "description" in field, f"{model['title']}.{name}"


def test_the_reference_shows_every_field_and_no_other() -> None:
    places = read_yaml((RULES / "reference.yaml").read_text(), "reference.yaml").places
    shown: defaultdict[int, set[str]] = defaultdict(set)
    for location in places:
        for index, (pattern, _, _) in enumerate(_LEVELS):
            parent = location[:-1]
            if len(parent) == len(pattern) and all(
                want in (None, part) or (want is int and isinstance(part, int))
                for want, part in zip(pattern, parent, strict=True)
            ):
                shown[index].add(str(location[-1]))
    for index, (_, model, _) in enumerate(_LEVELS):
        names = {field.alias or name for name, field in model.model_fields.items()}
        assert shown[index] == names, model.__name__


def test_every_model_of_the_file_is_a_level() -> None:
    models = {model.__name__ for _, model, _ in _LEVELS}
    assert models == set(json_schema()["$defs"]) | {RulesFile.__name__}
    for _, model, later in _LEVELS:
        assert not later & set(model.model_fields)
    assert fields_at(("roles", "r", "can", 0)) == ((), frozenset())


def test_the_reference_states_the_defaults() -> None:
    rules = load([RULES / "reference.yaml"])
    assert rules.defaults == Defaults()
    assert rules.profile == RulesFile(version=1).profile
    role = rules.roles["salesperson"]
    assert role.mode == "enforce"
    starting = rules.budget([])
    budget = rules.budget(["salesperson"])
    shown = replace(budget, role="", stated_by=(), bytes=None, rate=(), cost=None, scan_rows=None)
    shown = replace(shown, written_per_transaction=None, written_per_session=None)
    assert shown == starting
    kinds = {rule.mask.kind for rule in rules.entities["customers"].columns.values() if rule.mask}
    assert kinds == {"null", "email", "partial", "first", "last", "constant", "truncate"}


def test_the_demo_rules_show_what_the_tour_promises() -> None:
    rules = load([RULES / "demo.yaml"])
    agent, bolt = rules.subject("agent_acme"), rules.subject("agent_bolt")
    assert agent is not None and bolt is not None and (agent.tenant, bolt.tenant) == (1, 2)
    kinds = {
        column: rules.column_rule("users", column).kind
        for column in ("id", "ssn", "password_hash", "email", "full_name", "phone", "birth_date")
    }
    assert kinds == {
        "id": "show",
        "ssn": "deny",
        "password_hash": "deny",
        "email": "mask",
        "full_name": "hash",
        "phone": "mask",
        "birth_date": "mask",
    }
    assert "secrets" not in rules.entity_tables().values()
    assert "users" not in rules.selectable(["analyst"])
    assert rules.mode(["crm_admin"]) == "observe"


def test_cases_name_logins_of_the_demo() -> None:
    rules = load([RULES / "demo.yaml"])
    for path in sorted((RULES / "cases").glob("*.sql")):
        text = path.read_text()
        logins = [
            line.removeprefix("-- as: ") for line in text.splitlines() if line[:7] == "-- as: "
        ]
        assert logins and all(rules.subject(login) for login in logins), path
        assert text.count("-- expect: ") == len(logins) == text.count(";\n"), path
