"""How long a decision takes the first time, and what is decided.

    python -m benchmarks.decide --repeat 5

Every SELECT captured from ORMs is decided with no cache in front, under rules that let the subject
read every relation named. A text seen before costs one dictionary look-up instead; that is part of
`benchmarks.overhead`.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks import corpora, stage
from benchmarks.fidelity import HASH_KEY, empty_catalog
from policies.catalog import Catalog
from policies.decision import Allow
from policies.pipeline import Snapshot, decide
from proxy.embedded import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds per decision of some statements, and what was decided how often."""

    statements: str
    decisions: int
    p50: float
    p95: float
    worst: float
    outcomes: Counter[str]
    slowest: str


@dataclass(frozen=True, slots=True)
class _Decided:
    text: str
    milliseconds: float
    outcome: str
    own: bool


def measure(
    corpus: str, system: Catalog, repeat: int, directory: Path = corpora.DIRECTORY
) -> list[Timing]:
    """Decide every SELECT of a corpus `repeat` times; each statement counts with its median.

    All of them, then those on the application's own tables and those on system tables alone.
    """
    texts = corpora.selects(corpus, directory)
    rules, catalog = corpora.permissive(texts, system)
    snapshot = Snapshot(rules, catalog, HASH_KEY, "decide")
    decide(b"SELECT 1", corpora.SUBJECT, snapshot)  # compiles the policy views, once per snapshot
    gc.collect()
    gc.freeze()  # as the server does after start
    done = [_timed(text, snapshot, system, repeat) for text in texts]
    gc.unfreeze()
    parts = {
        corpus: done,
        f"{corpus}: own tables": [one for one in done if one.own],
        f"{corpus}: system tables": [one for one in done if not one.own],
    }
    return [_timing(name, part) for name, part in parts.items() if part]


def _timed(text: str, snapshot: Snapshot, system: Catalog, repeat: int) -> _Decided:
    data = text.encode()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        decision = decide(data, corpora.SUBJECT, snapshot)
        times.append(time.perf_counter() - started)
    outcome = "allowed" if isinstance(decision, Allow) else decision.reason.code
    own = corpora.reads_own_tables(text, system)
    return _Decided(text, median(times) * 1000, outcome, own)


def _timing(name: str, done: Sequence[_Decided]) -> Timing:
    ordered = sorted(done, key=lambda one: one.milliseconds)
    return Timing(
        statements=name,
        decisions=len(ordered),
        p50=ordered[len(ordered) // 2].milliseconds,
        p95=ordered[int(len(ordered) * 0.95)].milliseconds,
        worst=ordered[-1].milliseconds,
        outcomes=Counter(one.outcome for one in done),
        slowest=ordered[-1].text,
    )


def _table(timings: Sequence[Timing]) -> Table:
    table = stage.table(
        "Cold decisions, ms", "statements", figures=("SELECTs", "p50", "p95", "max")
    )
    table.add_column("outcomes")
    for t in timings:
        shares = (f"{n / t.decisions:.1%} {code}" for code, n in t.outcomes.most_common(3))
        cells = (f"{t.decisions:,}", f"{t.p50:.2f}", f"{t.p95:.2f}", f"{t.worst:.2f}")
        table.add_row(t.statements, *cells, ", ".join(shares))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decide", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", default=["orm"], help="corpora; default: orm")
    parser.add_argument("--corpora", type=Path, default=corpora.DIRECTORY)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--slowest", action="store_true", help="print the slowest statement")
    chosen = parser.parse_args(arguments)
    names = [name for name in chosen.names if corpora.available(name, chosen.corpora)]
    if not names:
        print(f"decide: skipped, no corpora in {chosen.corpora} (--corpora DIR)")
        return 0
    with EmbeddedPostgres() as server:
        system = empty_catalog(server)
    timings = [t for n in names for t in measure(n, system, chosen.repeat, chosen.corpora)]
    console = stage.console()
    console.print(_table(timings))
    if chosen.slowest:
        console.print(*(t.slowest for t in timings), sep="\n", markup=False)
    console.print(stage.machine(), style="dim", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
