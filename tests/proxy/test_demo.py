"""The demo as a newcomer meets it: one command, and everything gone afterwards.

Its parts: proxy/demo.py, proxy/demo_data.py, proxy/demo_tour.py, proxy/demo_cards.py.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from rich.console import Console

from proxy import demo_data
from proxy.demo_tour import ACME, BOLT, Places, Tour
from proxy.embedded import EmbeddedPostgres, free_port

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from proxy.commands.main import main; sys.exit(main())",
    "demo",
]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A TMPDIR of its own that the server's account may enter, to see what is left in it."""
    directory = Path(tempfile.mkdtemp(prefix="qw-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary), "COLUMNS": "120", "PYTHONPATH": str(ROOT)}


def start(temporary: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], env=environment(temporary), cwd=temporary, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    deadline = time.monotonic() + PATIENCE
    for line in process.stdout:
        seen += line
        if text in line or time.monotonic() > deadline:
            return seen
    raise AssertionError(f"the demo ended before {text!r}:\n{seen}")


def test_the_tour_runs_once_and_leaves_nothing(temporary: Path) -> None:
    started = time.monotonic()
    process = start(temporary, "--once", "--port", str(free_port()))
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert time.monotonic() - started < 30
    assert re.search(r"all \d+ checks held", output)
    assert "not so" not in output and "Traceback" not in output
    assert f"postgresql://{ACME}:demo@127.0.0.1:" in output
    for said in (
        "WHERE",
        "not there",
        "hint",
        "capped",
        "querywarden_statements_total",
        "UPDATE",
        "querywarden approvals grant",
        "sent again  UPDATE 1",
        "status refunded",
    ):
        assert said in output, said
    assert os.listdir(temporary) == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
async def test_it_stays_up_until_told_to_stop(temporary: Path, sent: signal.Signals) -> None:
    port = free_port()
    process = start(temporary, "--port", str(port))
    output = read_until(process, "Ctrl-C stops everything")
    url = f"postgresql://{ACME}:demo@127.0.0.1:{port}/shop"
    assert output.count(url) == 2
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(DISTINCT tenant_id) FROM orders") == 1
    process.send_signal(sent)  # with a client still there
    output, _ = process.communicate(timeout=PATIENCE)
    connection.terminate()
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert os.listdir(temporary) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_interrupted_while_starting(temporary: Path) -> None:
    process = start(temporary, "--once", "--port", str(free_port()))
    read_until(process, "querywarden demo")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert os.listdir(temporary) == []


def test_a_port_in_use_is_replaced_and_said(temporary: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(temporary, "--once", "--port", str(port))
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert re.search(rf"port {port} is in use, taking \d+ instead", output)


async def test_the_tour_notices_a_database_that_is_not_protected() -> None:
    """Straight to PostgreSQL, without the proxy: the tour must not be satisfied."""
    with EmbeddedPostgres() as postgres:
        dsn = postgres.create_database(demo_data.DATABASE, demo_data.SHOP)
        places = Places(
            dsn={ACME: dsn, BOLT: dsn},
            direct=dsn,
            approvals=dsn,
            metrics=f"http://127.0.0.1:{free_port()}/metrics",
            records=postgres.directory / "none",
            rewrite=lambda _, statement: statement,
        )
        tour = Tour(Console(file=io.StringIO()), places)
        assert await tour.walk() is False
    failures = "\n".join(tour.failures)
    for what in (
        f"{ACME} sees exactly its own rows",
        f"{BOLT} sees exactly its own rows",
        "only tenant 1's users",
        "ssn is hidden",
        "is refused",
        "the result is capped",
        "a notice says so",
        "a refund without a reason is refused",
        "a refund is held",
        "nothing is written before somebody agrees",
        "a consent is good for one run",
        "the refund has its record",
        "every statement has its record",
        "statements are counted",
    ):
        assert what in failures, what


async def test_the_sample_is_the_same_every_time() -> None:
    sums = []
    with EmbeddedPostgres() as postgres:
        for name in ("shop", "shop_again"):
            script = demo_data.SHOP
            if sums:  # the role is there already
                script = script.replace(demo_data.ROLE, "")
            connection = await asyncpg.connect(postgres.create_database(name, script))
            sums.append(
                await connection.fetchrow(
                    "SELECT (SELECT sum(hashtext(u::text)) FROM users u) AS users,"
                    " (SELECT sum(hashtext(o::text)) FROM orders o) AS orders,"
                    " (SELECT sum(hashtext(i::text)) FROM order_items i) AS items,"
                    " (SELECT count(*) FROM users) + (SELECT count(*) FROM orders)"
                    " + (SELECT count(*) FROM order_items) AS rows"
                )
            )
            await connection.close()
    assert sums[0] == sums[1]
    assert sums[0]["rows"] > 60_000
