"""pgbench -S in its three protocols: it reads the catalogs, then as many rows as it can."""

from __future__ import annotations

import re
import subprocess

import pytest

from proxy.testing import PostgresServer
from tests.drivers.conftest import plain_environment


@pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
@pytest.mark.parametrize("pipeline", [False, True], ids=["", "pipeline"])
def test_select_only(protocol: str, pipeline: bool, postgres: PostgresServer, dsn: str) -> None:
    if pipeline and protocol == "simple":
        pytest.skip("pipelines need the extended protocol")
    command = [str(postgres.psql.with_name("pgbench")), "-n", "-c", "4", "-t", "50", "-M", protocol]
    script = None
    if pipeline:
        select = "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
        script = "\\startpipeline\n\\set aid random(1, 100000)\n" + select * 5 + "\\endpipeline\n"
        command += ["-f", "/dev/stdin"]
    else:
        command += ["-S"]
    done = subprocess.run(
        [*command, dsn], input=script, env=plain_environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"actually processed: 200/200", done.stdout)
    assert "number of failed transactions: 0 " in done.stdout
