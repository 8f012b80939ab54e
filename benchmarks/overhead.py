"""What a statement costs through the proxy: `pgbench -S` straight, by PgBouncer, by querywarden.

    python -m benchmarks.overhead --rounds 5 --seconds 4 --clients 8

Every way in is measured in every round and rounds alternate their order, so that a busy machine
hurts all alike; the table shows medians over the rounds and ratios of those medians. `CPU µs` is
what the process in the middle used per statement, all its threads; it says most on a machine that
does other things too. PgBouncer (session mode) takes part when it is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks import stage

PROTOCOLS = ("prepared", "simple", "extended")
_TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_LATENCY = re.compile(r"^latency average = ([\d.]+) ms", re.MULTILINE)
_COUNT = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Run:
    """One pgbench run: transactions per second, mean milliseconds of each, and microseconds of
    processor time each cost in the process in the middle (0 for none)."""

    way: str
    protocol: str
    tps: float
    latency_ms: float
    cpu_us: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of one protocol through one way, and its share of the other ways' throughput."""

    protocol: str
    way: str
    tps: float
    latency_ms: float
    cpu_us: float
    of_direct: float
    of_pgbouncer: float | None


def measure(
    protocols: Sequence[str], rounds: int, seconds: int, clients: int, threads: int, scale: int
) -> list[Result]:
    """Run it all; raises RuntimeError when a pgbench run had an error."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(stage.postgres(scale, connections=4 * clients + 50))
        ways = [stage.Address("direct", server.port, stage.APP)]
        if stage.PGBOUNCER.exists():
            ways.append(stack.enter_context(stage.pgbouncer(server)))
        ways.append(stack.enter_context(stage.querywarden(server)))
        script = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "select.sql"
        script.write_text(stage.SELECT_ONLY)
        options = [f"-T{seconds}", f"-c{clients}", f"-j{threads}", "-f", str(script)]
        program = server.binaries / "pgbench"
        runs = []
        for way in ways:
            _pgbench(program, way, "prepared", [*options, "-T1"])
        for number in range(rounds):
            order = ways if number % 2 == 0 else ways[::-1]
            runs += [_pgbench(program, way, p, options) for p in protocols for way in order]
    return summary(runs)


def _pgbench(program: Path, way: stage.Address, protocol: str, options: Sequence[str]) -> Run:
    command = [str(program), "-n", "-M", protocol, *options]
    before = stage.cpu_seconds(way.pid)
    done = subprocess.run(
        command, env=way.environment(), capture_output=True, text=True, check=False
    )
    used = stage.cpu_seconds(way.pid) - before
    tps, latency = _TPS.search(done.stdout), _LATENCY.search(done.stdout)
    failed, count = _FAILED.search(done.stdout), _COUNT.search(done.stdout)
    wrong = done.returncode or (failed and failed[1] != "0")
    if wrong or not tps or not latency or not count:
        raise RuntimeError(f"pgbench through {way.name}: {(done.stderr or done.stdout).strip()}")
    cpu = used * 1e6 / max(1, int(count[1]))
    return Run(way.name, protocol, float(tps[1]), float(latency[1]), cpu)


def summary(runs: Sequence[Run]) -> list[Result]:
    """Medians per protocol and way, and their ratios."""
    found = []
    for protocol in dict.fromkeys(run.protocol for run in runs):
        of_protocol = [run for run in runs if run.protocol == protocol]
        tps = {
            way: median(run.tps for run in of_protocol if run.way == way)
            for way in dict.fromkeys(run.way for run in of_protocol)
        }
        for way, value in tps.items():
            latency = median(run.latency_ms for run in of_protocol if run.way == way)
            cpu = median(run.cpu_us for run in of_protocol if run.way == way)
            bouncer = tps.get("pgbouncer")
            ratio = value / bouncer if bouncer else None
            found.append(Result(protocol, way, value, latency, cpu, value / tps["direct"], ratio))
    return found


def _table(results: Sequence[Result], title: str) -> Table:
    figures = ("tps", "mean ms", "CPU µs", "of direct", "of PgBouncer")
    table = stage.table(title, "protocol", "through", figures=figures)
    last = ""
    for r in results:
        ratio = "-" if r.of_pgbouncer is None else f"{r.of_pgbouncer:.2f}"
        cpu = f"{r.cpu_us:.0f}" if r.cpu_us else "-"
        cells = (f"{r.tps:,.0f}", f"{r.latency_ms:.3f}", cpu, f"{r.of_direct:.2f}", ratio)
        table.add_row("" if r.protocol == last else r.protocol, r.way, *cells)
        last = r.protocol
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 unless a run failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each run")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2, help="of pgbench")
    parser.add_argument("--scale", type=int, default=5, help="branches, that is tenants")
    parser.add_argument("--protocols", nargs="+", choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_argument("--json", type=Path, help="also write the medians there")
    chosen = parser.parse_args(arguments)
    try:
        results = measure(
            chosen.protocols,
            chosen.rounds,
            chosen.seconds,
            chosen.clients,
            chosen.threads,
            chosen.scale,
        )
    except RuntimeError as error:
        print(f"overhead: {error}", file=sys.stderr)
        return 1
    console = stage.console()
    what = f"pgbench -S, {chosen.clients} clients, {chosen.rounds} rounds of {chosen.seconds} s"
    console.print(_table(results, f"Overhead: {what}, medians"))
    console.print(stage.machine(), style="dim", soft_wrap=True)
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
