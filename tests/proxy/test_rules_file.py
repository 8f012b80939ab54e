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
