"""Applications of node ORMs: relations, aggregates, pages, filters, raw SQL, transactions.

Each reads as two tenants at a time and must see what PostgreSQL itself gives for each of them. The
packages are installed once and kept in pytest's cache folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proxy.testing import RunningProxy
from tests.drivers.conftest import HERE, plain_environment
from tests.drivers.market import TENANTS, expected, leaks

NODE = HERE / "node"
ORMS = ("drizzle", "typeorm", "prisma")


def project(request: pytest.FixtureRequest, orm: str) -> Path:
    """A folder with the ORM and our application of it."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    wanted = (NODE / orm / "package.json").read_text()
    folder: Path = request.config.cache.mkdir(f"node-{orm}")
    done = folder / "installed.json"
    if not done.exists() or done.read_text() != wanted:
        shutil.copy(NODE / orm / "package.json", folder)
        install(folder)
        done.write_text(wanted)
    for file in (*NODE.glob("*.mjs"), *(NODE / orm).iterdir()):
        shutil.copy(file, folder)
    return folder


def install(folder: Path) -> None:
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock")
    done = subprocess.run(
        ["npm", "install", *options], cwd=folder, capture_output=True, text=True, timeout=400,
        check=False,
    )  # fmt: skip
    if any(sign in done.stderr for sign in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")):
        pytest.skip("the packages are not here and no registry of packages can be reached")
    assert done.returncode == 0, done.stderr


def run(folder: Path, *command: str, **variables: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**plain_environment(), **variables}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    return done.stdout


@pytest.mark.parametrize("orm", ORMS)
def test_an_application_sees_its_tenant(
    orm: str, market: tuple[RunningProxy, str], request: pytest.FixtureRequest
) -> None:
    proxy, owner = market
    folder = project(request, orm)
    if orm == "prisma":
        prisma(folder, "generate")
    logins = {f"{login.upper()}_DSN": proxy.dsn(login) for login in TENANTS}
    seen: dict[str, Any] = json.loads(run(folder, "node", "run.mjs", **logins))
    for login in TENANTS:
        wanted = expected(owner, login)
        assert {key: seen[login].get(key, "missing") for key in wanted} == wanted
        assert leaks(json.dumps(seen[login]), login) == []


def prisma(folder: Path, *command: str, **variables: str) -> str:
    """Run Prisma's command line. No engine is fetched: what is used of them it brings along in
    WebAssembly, and what stands in the places of the others is never run."""
    nothing = os.path.realpath("/bin/true")
    engines = {"PRISMA_SCHEMA_ENGINE_BINARY": nothing, "PRISMA_QUERY_ENGINE_LIBRARY": nothing}
    quiet = {"CHECKPOINT_DISABLE": "1", "PRISMA_HIDE_UPDATE_MESSAGE": "1"}
    program = ("node", "node_modules/prisma/build/index.js")
    return run(folder, *program, *command, **engines, **quiet, **variables)


def test_prisma_pulls_what_the_login_sees(
    market: tuple[RunningProxy, str], request: pytest.FixtureRequest
) -> None:
    proxy, owner = market
    folder = project(request, "prisma")
    source = 'datasource db {\n  provider = "postgresql"\n  url = env("PULL_DSN")\n}\n'
    (folder / "pulled.prisma").write_text(source)
    pulled = {
        url: prisma(folder, "db", "pull", "--print", PRISMA_SCHEMA="pulled.prisma", PULL_DSN=url)
        for url in (owner, proxy.dsn("acme"))
    }
    whole, seen = ([line.split() for line in text.splitlines()] for text in pulled.values())
    assert ["model", "customers", "{"] in seen
    hidden = [line for line in whole if line and line not in seen]
    assert hidden == [["ssn", "String"], ["model", "vault", "{"], ["value", "String"]]
    assert [line for line in seen if line not in whole] == []
