"""make oracle: thousands of statements, each through the proxy and on what the subject may see.

    python -m tests.oracle --seed 7 --count 20000
    python -m tests.oracle --seed 7 --start 120 --count 1 --show 1     # one statement again
    python -m tests.oracle --count 0 --writes 0 --corpora ../shared/corpora    # captured ones only
    python -m tests.oracle --count 0 --writes 1 --start 120            # one write again

Generated writes first, then generated reads, then captured ones, each group of them on tables
derived from it; those are no part of the project, and left out where they are not. Exit status 1
when any statement answered or wrote differently.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks import corpora
from proxy.testing import PostgresServer, postgres_server
from tests.oracle.application import design
from tests.oracle.captured import CORPORA, Application, groups
from tests.oracle.run import Report, generated, run
from tests.oracle.world import world
from tests.oracle.writes import run as writes

SMALLER = 3  # differences of each report that are made smaller


def main() -> int:
    """Parse the arguments, run, print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of rows and statements (1)")
    parser.add_argument("--count", type=int, default=20_000, help="generated reads (20000)")
    parser.add_argument("--writes", type=int, default=12_000, help="generated writes (12000)")
    parser.add_argument("--start", type=int, default=0, help="number of the first one (0)")
    parser.add_argument("--show", type=int, default=5, help="examples of each outcome (5)")
    parser.add_argument("--corpora", type=Path, default=corpora.DIRECTORY, help="captured ones")
    arguments = parser.parse_args()
    reports, different = [], 0
    with postgres_server() as server:
        if arguments.writes:
            different = _writes(server, arguments)
        for report in _reports(server, arguments):
            for title, findings in (
                ("refused", report.refusals),
                ("failed on both sides", report.failures),
                ("not comparable", report.doubtful),
                ("DIFFERENT", report.differences),
            ):
                _show(title, findings, arguments.show)
            _say(str(report))
            reports.append(report)
    whole = Report("all")
    for report in reports:
        whole.tally.add(report.tally)
        whole.seconds += report.seconds
    _say(str(whole))
    return 1 if whole.tally.different or different else 0


def _writes(server: PostgresServer, arguments: argparse.Namespace) -> int:
    """Put the writes; how many did otherwise than they should."""
    report = writes.run(server, arguments.seed, arguments.writes, arguments.start, _say)
    for title, findings in (
        ("refused", report.refusals),
        ("failed on both sides", report.failures),
        ("different by design", report.expected),
        ("DIFFERENT", report.differences),
    ):
        _show(title, findings, arguments.show)
    _say(str(report))
    return report.tally.different


def _reports(server: PostgresServer, arguments: argparse.Namespace) -> Iterator[Report]:
    seed = arguments.seed
    if arguments.count:
        with world(server, design(seed)) as made:
            statements = generated(seed, arguments.count, arguments.start)
            yield run("generated", made, statements, _say, smaller=SMALLER)
    if arguments.start or not all(corpora.available(n, arguments.corpora) for n in CORPORA):
        return
    for group in groups(arguments.corpora):
        application = Application(group, server)
        with world(server, application.design(seed)) as made:
            # one at a time: some of them lock rows, or take what is not locked
            texts = application.statements(seed)
            yield run(group.name, made, texts, _say, workers=1, smaller=SMALLER, captured=True)


def _show(title: str, findings: Iterable[object], most: int) -> None:
    for finding in list(findings)[:most]:
        _say(f"\n[{title}] {finding}")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
