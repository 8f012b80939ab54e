"""node-postgres: its client and its pool, simple and extended protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.drivers.conftest import HERE, plain_environment

PACKAGE = "pg@8.16.3"


@pytest.fixture(scope="session")
def project(request: pytest.FixtureRequest) -> Path:
    """A folder with node-postgres in it, kept between runs."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    folder: Path = request.config.cache.mkdir(PACKAGE)
    if not (folder / "node_modules" / "pg" / "package.json").exists():
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE],
            cwd=folder, check=True, capture_output=True, timeout=300,
        )  # fmt: skip
    shutil.copy(HERE / "client.mjs", folder)
    return folder


def test_node_postgres(project: Path, dsn: str) -> None:
    done = subprocess.run(
        ["node", "client.mjs"], cwd=project, env={**plain_environment(), "PROXY_DSN": dsn},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert [(user["id"], user["email"], user["tier"]) for user in seen["users"]] == [
        (1, "a***@acme.example", "paid"),
        (2, "a***@acme.example", "free"),
    ]
    assert seen["users"][0]["tags"] == ["a", "b"]
    assert seen["users"][0]["balance"] is None
    assert seen["foreign"] == []
    assert seen["prepared"] == [[101, 102], [102]]
    assert "ssn" not in seen["fields"]
    assert "email" in seen["fields"]
    assert seen["refused"]["hint"]
    assert len(seen["refused"]["code"]) == 5
    assert seen["transaction"] == 2
    assert seen["several"] == [{"a": 1}, {"b": 2}]
    assert seen["pool"] == [2] * 12
