"""make oracle: thousands of statements, each through the proxy and on what the subject may see.

    python -m tests.oracle --seed 7 --count 20000
    python -m tests.oracle --seed 7 --start 120 --count 1 --show 1     # one statement again

Exit status 1 when any statement answered differently.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from proxy.testing import postgres_server
from tests.oracle.application import design
from tests.oracle.run import Finding, Report, generated, run
from tests.oracle.world import world


def main() -> int:
    """Parse the arguments, run, print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of rows and statements (1)")
    parser.add_argument("--count", type=int, default=20_000, help="generated statements (20000)")
    parser.add_argument("--start", type=int, default=0, help="number of the first one (0)")
    parser.add_argument("--show", type=int, default=5, help="examples of each outcome (5)")
    arguments = parser.parse_args()
    with postgres_server() as server, world(server, design(arguments.seed)) as made:
        statements = generated(arguments.seed, arguments.count, arguments.start)
        report = run("generated", made, statements, _say)
    return _finish(report, arguments.show)


def _finish(report: Report, most: int) -> int:
    _show("refused", report.refusals, most)
    _show("failed on both sides", report.failures, most)
    _show("not comparable", report.doubtful, most)
    _show("DIFFERENT", report.differences, max(most, 20))
    _say(str(report))
    return 1 if report.tally.different else 0


def _show(title: str, findings: Iterable[Finding], most: int) -> None:
    for finding in list(findings)[:most]:
        _say(f"\n[{title}] {finding}")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
