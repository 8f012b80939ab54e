"""Every attack under every combination of server, table size and planner settings: `make worlds`.

    python -m tests.attacks.all_worlds [--only WORDS] [--server NAME]

Each combination is a run of this folder's tests with its worlds made accordingly (worlds.Setup);
last, on every server, the leaky statements under every plan. Prints a line when each ends, and a
table. The exit status is 1 when anything failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from proxy.embedded import BINARIES_VARIABLE
from tests.attacks.worlds import SETUP_VARIABLE

HERE = Path(__file__).parent
INSTALLED = Path("/usr/lib/postgresql")
SIZES = ("small", "large")
SCANS = ("enable_seqscan=on", "enable_seqscan=off")
CACHES = ("plan_cache_mode=force_custom_plan", "plan_cache_mode=force_generic_plan")
# These say something of the parser or the harness, which no planner setting changes.
LEFT_OUT = ("test_shapes.py", "test_harness.py", "test_f_leak.py")
MOST_SECONDS = 1800
_COUNTS = re.compile(r"canaries (\d+), differences between the worlds (\d+)")
_ATTACKS = re.compile(r"^(\d+) attacks, each", re.MULTILINE)
_ENDED = re.compile(r"^.*\b(?:passed|failed|error)\b.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """What one run gave."""

    name: str
    good: bool
    attacks: str
    canaries: str
    differences: str
    ended: str

    def line(self) -> str:
        """One line of the table."""
        mark = "ok" if self.good else "FAILED"
        return (
            f"{self.name:<66}{self.attacks:>8}{self.canaries:>10}{self.differences:>13}  {mark:<7}"
            f"{self.ended}"
        )


def servers() -> dict[str, str]:
    """Name -> bin directory ("" for the one tests use anyway)."""
    found = {"default": ""}
    for directory in sorted(INSTALLED.glob("*/bin")):
        if (directory / "initdb").exists() and (directory / "postgres").exists():
            found[directory.parent.name] = str(directory)
    return found


def run(name: str, arguments: list[str], environment: dict[str, str]) -> Row:
    """Run pytest and read its summary."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    try:
        done = subprocess.run(
            command, env={**os.environ, **environment}, cwd=HERE.parents[1], text=True,
            capture_output=True, timeout=MOST_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Row(name, False, "", "", "", f"no end after {MOST_SECONDS} s")
    if done.returncode != 0:
        print(done.stdout[-6000:], done.stderr[-2000:], flush=True)
    counts, attacks = _COUNTS.search(done.stdout), _ATTACKS.search(done.stdout)
    canaries, differences = counts.groups() if counts else ("", "")
    ended = (_ENDED.findall(done.stdout) or ["no summary"])[-1].strip("= ")
    number = attacks[1] if attacks else ""
    return Row(name, done.returncode == 0, number, canaries, differences, ended)


def combinations(server: str, binaries: str, only: str) -> Iterator[Row]:
    """Every run of one server whose name has all words of `only`."""
    environment = {BINARIES_VARIABLE: binaries} if binaries else {}
    for words in product(SIZES, SCANS, CACHES):
        setup = " ".join(words)
        name = f"{server} {setup}"
        if all(word in name for word in only.split()):
            arguments = [str(HERE), *(f"--ignore={HERE / file}" for file in LEFT_OUT)]
            yield run(name, arguments, {**environment, SETUP_VARIABLE: setup})
    name = f"{server} f_leak all plans"
    if all(word in name for word in only.split()):
        plans = {"QUERYWARDEN_ALL_PLANS": "1"}
        yield run(name, [str(HERE / "test_f_leak.py")], {**environment, **plans})


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__, prog="make worlds")
    parser.add_argument("--only", default="", help="words a combination's name must have")
    parser.add_argument("--server", choices=servers(), help="only this server")
    given = parser.parse_args()
    rows: list[Row] = []
    started = time.monotonic()
    for server, binaries in servers().items():
        if given.server in (None, server):
            for row in combinations(server, binaries, given.only):
                print(f"{time.monotonic() - started:6.0f} s  {row.line()}", flush=True)
                rows.append(row)
    print(f"\n{'combination':<66}{'attacks':>8}{'canaries':>10}{'differences':>13}")
    for row in rows:
        print(row.line())
    return 0 if rows and all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
