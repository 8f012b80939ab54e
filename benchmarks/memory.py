"""Resident memory of an idle client: the proxy's RSS with nobody, with some, with many connected.

    python -m benchmarks.memory --connections 500 1000

Every client logs in, runs one statement and then stays. In session mode each holds an upstream
connection too, so the figure is for the pair. PgBouncer is measured the same way when installed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from benchmarks import stage

_AT_ONCE = 16  # log-ins under way: a thundering herd would measure buffers of the herd
_STATEMENT = "SELECT abalance FROM pgbench_accounts WHERE aid = 1"


@dataclass(frozen=True, slots=True)
class Reading:
    """RSS of the process in kB with that many idle clients."""

    way: str
    clients: int
    rss_kb: int


def measure(connections: Sequence[int]) -> list[Reading]:
    """RSS with 1 client (warm), then with each of `connections`, for every way in."""
    _raise_file_limit()
    readings = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(stage.postgres(1, connections=max(connections) * 2 + 50))
        ways = []
        if stage.PGBOUNCER.exists():
            ways.append(stack.enter_context(stage.pgbouncer(server)))
        ways.append(stack.enter_context(stage.querywarden(server)))
        for way in ways:
            readings += asyncio.run(_fill(way, connections))
    return readings


async def _fill(way: stage.Address, connections: Sequence[int]) -> list[Reading]:
    held: list[asyncpg.Connection] = []
    gate = asyncio.Semaphore(_AT_ONCE)
    readings = []

    async def connect() -> None:
        async with gate:
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=way.port,
                user=way.user,
                password=way.password,
                database=stage.DATABASE,
                ssl=False,
                timeout=60,
            )
            held.append(connection)
            await connection.fetchval(_STATEMENT)

    try:
        for wanted in (1, *sorted(connections)):
            await asyncio.gather(*(connect() for _ in range(wanted - len(held))))
            await asyncio.sleep(1)
            readings.append(Reading(way.name, wanted, _rss_kb(way.pid)))
    finally:
        for connection in held:
            connection.terminate()
    return readings


def _rss_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} has no VmRSS")


def _raise_file_limit() -> None:
    """A client is two sockets in the proxy and one here; children inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def per_client_kb(readings: Sequence[Reading]) -> dict[tuple[str, int], float]:
    """Growth since the first client, divided by the clients that came after it."""
    first = {r.way: r for r in readings if r.clients == 1}
    return {
        (r.way, r.clients): (r.rss_kb - first[r.way].rss_kb) / (r.clients - 1)
        for r in readings
        if r.clients > 1
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 unless something could not run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--connections", type=int, nargs="+", default=[500, 1000])
    chosen = parser.parse_args(arguments)
    try:
        readings = measure(chosen.connections)
    except (RuntimeError, OSError, asyncpg.PostgresError) as error:
        print(f"memory: {error}", file=sys.stderr)
        return 1
    each = per_client_kb(readings)
    figures = ("clients", "RSS MB", "kB per client")
    table = stage.table("Memory of idle clients", "process", figures=figures)
    for r in readings:
        figure = each.get((r.way, r.clients))
        cells = (f"{r.clients:,}", f"{r.rss_kb / 1024:.1f}", f"{figure:.1f}" if figure else "")
        table.add_row(r.way, *cells)
    console = stage.console()
    console.print(table)
    console.print(stage.machine(), style="dim", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
