"""Rules files on disk: one, several, a folder, none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from policies.rules import RulesError
from proxy.rules_file import load


def test_a_folder_is_one_set_of_rules(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("subjects: [{login: b, roles: [r]}]\nroles: {q: {}}\n")
    (tmp_path / "a.yaml").write_text(
        "version: 1\nroles: {r: {}}\nsubjects: [{login: a, roles: [r]}]\n", encoding="utf-8-sig"
    )
    (tmp_path / "readme.md").write_text("not rules")
    rules = load([tmp_path])
    assert [subject.login for subject in rules.subjects] == ["a", "b"]
    assert set(rules.roles) == {"r", "q"}
    assert load([tmp_path / "a.yaml", tmp_path]).text_hash == rules.text_hash


def test_a_name_said_twice_names_both_places(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("version: 1\nprofile: dev\nentities:\n  users: {}\nsubjects: []\n")
    second.write_text("version: 1\nprofile: prod\n\nentities:\n  users: {}\n  x: {tenant: 5}\n")
    with pytest.raises(RulesError) as caught:
        load([tmp_path])
    said = [str(problem) for problem in caught.value.problems]
    assert said == [
        f"{second}:2:1: profile: is said twice: also in {first}:2:1; remove one of them",
        f"{second}:5:3: entities.users: is said twice: also in {first}:4:3; remove one of them",
        f"{second}:6:15: entities.x.tenant: must be text; put it in quotes",
    ]


def test_a_place_in_a_joined_list_is_that_of_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "version: 1\nroles: {r: {}}\nsubjects: [{login: a, roles: [r]}]"
    )
    (tmp_path / "b.yaml").write_text(
        "\n\nsubjects:\n  - {login: b, roles: [r]}\n  - {login: a, roles: [r]}"
    )
    with pytest.raises(RulesError) as caught:
        load([tmp_path])
    (found,) = caught.value.problems
    assert (found.file, found.line, found.column) == (str(tmp_path / "b.yaml"), 5, 13)
    assert found.message.endswith(f"another subject: {tmp_path / 'a.yaml'}:3:20")


LAYERS = {
    "10-base.yaml": "version: 1\nprofile: dev\ndefaults: {deny_columns: ['*hidden*']}\n",
    "20-tables.yaml": "entities: {users: {tenant: org}, orders: {tenant: org}}\n",
    "30-shop.yaml": "profile: dev\nentities: {goods: {shared: true, table: shop.goods}}\n"
    "functions: {total: {function: shop.total}}\n"
    "capabilities: {buy: {select: [goods, orders], call: [total]}}\n",
    "40-people.yaml": "capabilities: {look: {select: [users]}}\n"
    "roles: {clerk: {can: [look, buy]}}\nsubjects: [{login: a, tenant: 1, roles: [clerk]}]\n",
}


def _layers(folder: Path, **changed: str) -> Path:
    for name, text in LAYERS.items():
        (folder / name).write_text(text)
    for name, text in changed.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_every_part_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    rules = load([_layers(tmp_path)])
    assert set(rules.selectable(("clerk",))) == {"users", "goods", "orders"}
    assert rules.callable(("clerk",)) == {"total": ("buy",)}
    assert rules.column_rule("users", "a_hidden_one").kind == "deny"
    assert rules.profile == "dev" and rules.subject("a") is not None


@pytest.mark.parametrize(
    ("text", "said", "first"),
    [
        ("roles: {clerk: {}}", "roles.clerk: is said twice", "40-people.yaml:2:9"),
        ("capabilities: {buy: {}}", "capabilities.buy: is said twice", "30-shop.yaml:4:16"),
        ("functions: {total: {}}", "functions.total: is said twice", "30-shop.yaml:3:13"),
        ("functions: {t: {function: shop.total}}", "function `total`", "30-shop.yaml:3:13"),
        ("entities: {u: {shared: true, table: public.users}}", "`users`", "20-tables.yaml:1:12"),
        ("subjects: [{login: a, tenant: 2, roles: [clerk]}]", "taken", "40-people.yaml:3:20"),
        ("defaults: {deny_columns: []}", "defaults: is said twice", "10-base.yaml:3:1"),
        ("profile: prod", "profile: is said twice", "10-base.yaml:2:1"),
        ("version: 2", "version: is said twice", "10-base.yaml:1:1"),
    ],
)
def test_what_two_files_say_names_both_places(
    tmp_path: Path, text: str, said: str, first: str
) -> None:
    with pytest.raises(RulesError) as caught:
        load([_layers(tmp_path, **{"50-more": text})])
    (found,) = (p for p in caught.value.problems if Path(p.file).name == "50-more.yaml")
    assert said in str(found) and f"{tmp_path}/{first}" in str(found)


def test_what_is_nowhere_is_missed(tmp_path: Path) -> None:
    _layers(tmp_path)
    (tmp_path / "10-base.yaml").unlink()
    with pytest.raises(RulesError, match="version"):
        load([tmp_path])


def test_broken_files_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text("b: {")
    with pytest.raises(RulesError) as caught:
        load([tmp_path])
    assert [Path(p.file).name for p in caught.value.problems] == ["a.yaml", "b.yaml"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: None, "no such file or directory"),
        (lambda p: p.mkdir(), "holds no *.yaml file"),
        (lambda p: p.write_bytes(b"version: 1 # \xff"), "is not UTF-8 text"),
        (lambda p: (p.mkdir(), (p / "x.yml").write_text("")), "rename it to .yaml"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, make: Any, said: str) -> None:
    path = tmp_path / "rules"
    make(path)
    with pytest.raises(RulesError) as caught:
        load([path])
    (found,) = caught.value.problems
    assert said in str(found) and str(path) in found.file and found.line == 0


def test_no_file_at_all() -> None:
    with pytest.raises(RulesError, match="no file was given"):
        load([])
