"""The laws of the house, checked on the source itself; ARCHITECTURE.md says why each holds."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from policies.reasons import REASONS
from policies.rules import json_schema
from proxy.commands.main import COMMANDS
from proxy.config import NO_FLAG, Settings, flag, variable
from proxy.metrics import METRICS, PREFIX

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("policies", "proxy")
LONGEST_FILE = 450

# policies and proxy/wire compute and nothing else: no clock, no file, no socket, no thread.
PURE = frozenset(
    "__future__ abc base64 binascii bisect collections copy dataclasses decimal difflib enum "
    "fnmatch functools hashlib heapq hmac itertools json keyword math operator re secrets string "
    "stringprep struct textwrap types typing unicodedata".split()
)
POLICIES_USE = frozenset({"orjson", "postgast", "pydantic", "pydantic_core", "sqlglot", "yaml"})
IMPURE_BUILTINS = frozenset({"open", "input", "print", "breakpoint", "exec", "eval"})

VAGUE_NAMES = frozenset({"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"})

# What talks to a person at a terminal; everything else is server code and only logs.
TALKS = ("proxy/commands/", "proxy/demo")


def sources(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


@functools.cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), name_of(file))


def imports(file: Path) -> Iterator[str]:
    """Dotted names of everything a file imports, `from a import b` as both a and a.b."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(file)}: a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(file: Path) -> Iterator[tuple[str, int]]:
    """(name, line) of every call: `f()` is f, `a.b.f()` is a.b.f."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def parametrize(files: Iterable[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("file", files, ids=name_of)


def test_a_file_imports_only_downward() -> None:
    run = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", run, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@parametrize(sources("policies", "proxy/wire"))
def test_the_pure_parts_are_pure(file: Path) -> None:
    allowed = PURE | ({"policies"} | POLICIES_USE if "policies" in file.parts else {"proxy"})
    assert {name.split(".")[0] for name in imports(file)} <= allowed
    assert not [call for call in calls(file) if call[0] in IMPURE_BUILTINS]


def test_only_the_pipeline_makes_an_allow() -> None:
    """And so only what went through it can reach an upstream."""
    made = {
        name_of(file)
        for file in sources(*PACKAGES)
        for name, _ in calls(file)
        if name.split(".")[-1] == "Allow"
    }
    assert made == {"policies/pipeline.py"}


def test_the_way_upstream_takes_an_allow_and_no_text() -> None:
    """The other type it takes is a closed list of the proxy's own statements."""
    (door,) = (
        node
        for node in ast.walk(tree(ROOT / "proxy" / "net" / "upstream.py"))
        if isinstance(node, ast.ClassDef) and node.name == "Upstream"
    )
    taken = {
        ast.unparse(argument.annotation)
        for method in door.body
        if isinstance(method, ast.FunctionDef) and method.name in ("query", "parse", "step")
        for argument in method.args.args
        if argument.annotation is not None and argument.arg == "statement"
    }
    assert taken == {"Allow | OwnStatement", "Allow"}
    every = {ast.unparse(node.annotation) for node in ast.walk(door)
             if isinstance(node, ast.arg) and node.annotation is not None}  # fmt: skip
    assert "str" not in every


@parametrize(sources(*PACKAGES))
def test_server_code_logs_and_never_prints(file: Path) -> None:
    if name_of(file).startswith(TALKS):
        pytest.skip("talks to a person")
    bad = re.compile(r"print|pprint\..*|traceback\.(print_|format_).*|.*\.exception|breakpoint")
    assert not [call for call in calls(file) if bad.fullmatch(call[0])]


@parametrize(sources(*PACKAGES))
def test_no_exception_is_swallowed_in_silence(file: Path) -> None:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: a bare except"
            silent = all(isinstance(statement, ast.Pass) for statement in node.body)
            assert not silent, f"line {node.lineno}: pass"


@parametrize(sources(*PACKAGES, "tests", "benchmarks"))
def test_a_file_says_what_it_is_and_stays_readable(file: Path) -> None:
    text = file.read_text()
    if text.strip():
        assert ast.get_docstring(tree(file)), "no module docstring"
    assert text.count("\n") <= LONGEST_FILE
    assert file.stem not in VAGUE_NAMES


@functools.cache
def under_test() -> frozenset[str]:
    """Modules that tests import, source paths they name (`proxy/app.py`), steps with cases."""
    found = {f"policies.steps.{file.stem}" for file in (ROOT / "tests" / "cases").glob("*.sql")}
    for file in sources("tests"):
        found.update(imports(file))
        named = re.findall(r"\b((?:proxy|policies)/[\w/]+)\.py", file.read_text())
        found.update(path.replace("/", ".") for path in named)
    return frozenset(found)


@parametrize([file for file in sources(*PACKAGES) if file.name != "__init__.py"])
def test_every_source_file_has_a_test(file: Path) -> None:
    assert name_of(file).removesuffix(".py").replace("/", ".") in under_test()


@functools.cache
def docs() -> str:
    return "\n".join((ROOT / name).read_text() for name in ("README.md", "ARCHITECTURE.md"))


def undocumented(words: Iterable[str], text: str) -> list[str]:
    return [word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)]


def test_every_command_is_in_the_docs() -> None:
    names = []
    for name, command in COMMANDS.items():
        inner = [f"{name} {sub}" for sub in command if sub] if isinstance(command, dict) else [name]
        names += [f"querywarden {one}" for one in inner]
    assert undocumented(names, docs()) == []


def test_every_setting_is_in_the_docs() -> None:
    wanted = [variable(name) for name in Settings.model_fields]
    wanted += [flag(name) for name in Settings.model_fields if name not in NO_FLAG]
    assert undocumented(wanted, docs()) == []


def test_every_metric_is_in_the_docs() -> None:
    assert undocumented((PREFIX + name for name in METRICS), docs()) == []


def test_every_reason_is_in_the_docs() -> None:
    assert undocumented(REASONS, docs()) == []


def test_every_rule_field_is_in_the_reference() -> None:
    reference = (ROOT / "rules" / "reference.yaml").read_text()
    schema = json_schema()
    fields = {name for part in (schema, *schema["$defs"].values()) for name in part["properties"]}
    assert undocumented(sorted(fields), reference) == []


def test_files_the_packaging_needs() -> None:
    license_text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in license_text
    assert "END OF TERMS AND CONDITIONS" in license_text
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[\w.-]+==[\w.]+", line), line
    assert "sqlglot==30.30.0" in (ROOT / "constraints.txt").read_text()


def test_the_image_is_small_and_unprivileged() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    stages = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert len(stages) == 2
    assert all(stage.endswith("-slim") for stage in stages)
    last = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER 10001:10001" in last
    assert any(line.startswith("HEALTHCHECK ") for line in last)
    assert any("/healthz" in line for line in last)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY ") and "--from" not in line
              for word in line.split()[1:-1]}  # fmt: skip
    assert {f"!{name}" for name in copied} <= set(ignored)
    variables = set(re.findall(r"QUERYWARDEN_\w+", "\n".join(last)))
    assert variables <= {variable(name) for name in Settings.model_fields}
