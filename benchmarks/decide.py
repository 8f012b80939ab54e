"""How long a decision takes the first time, and what is decided.

    python -m benchmarks.decide --repeat 3

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

from rich.table import Table

from benchmarks import corpora, stage
from benchmarks.fidelity import HASH_KEY, empty_catalog
from policies.catalog import Catalog
from policies.decision import Allow
from policies.pipeline import Snapshot, decide
from proxy.embedded import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds per decision of a corpus, and how many were allowed or refused for what."""

    corpus: str
    decisions: int
    p50: float
    p95: float
    worst: float
    first: float
    outcomes: Counter[str]
    slowest: str


def measure(
    corpus: str, system: Catalog, repeat: int, directory: Path = corpora.DIRECTORY
) -> Timing:
    """Decide every SELECT of a corpus `repeat` times; each statement counts with its median."""
    texts = corpora.selects(corpus, directory)
    rules, catalog = corpora.permissive(texts, system)
    snapshot = Snapshot(rules, catalog, HASH_KEY, "decide")
    started = time.perf_counter()
    decide(texts[0].encode(), corpora.SUBJECT, snapshot)  # what the snapshot compiles once
    first = time.perf_counter() - started
    outcomes: Counter[str] = Counter()
    taken = []
    gc.collect()
    gc.freeze()  # as the server does after start
    for text in texts:
        data = text.encode()
        times = []
        for _ in range(repeat):
            started = time.perf_counter()
            decision = decide(data, corpora.SUBJECT, snapshot)
            times.append(time.perf_counter() - started)
        outcomes["allowed" if isinstance(decision, Allow) else decision.reason.code] += 1
        taken.append((sorted(times)[repeat // 2] * 1000, text))
    gc.unfreeze()
    taken.sort()
    return Timing(
        corpus=corpus,
        decisions=len(taken),
        p50=taken[len(taken) // 2][0],
        p95=taken[int(len(taken) * 0.95)][0],
        worst=taken[-1][0],
        first=first * 1000,
        outcomes=outcomes,
        slowest=taken[-1][1],
    )


def _table(timings: Sequence[Timing]) -> Table:
    table = Table("corpus", title="Cold decisions, ms", title_justify="left")
    for heading in ("SELECTs", "p50", "p95", "max", "first of a snapshot"):
        table.add_column(heading, justify="right")
    table.add_column("outcomes")
    for t in timings:
        shares = ", ".join(f"{code} {n / t.decisions:.1%}" for code, n in t.outcomes.most_common())
        cells = (f"{t.decisions:,}", f"{t.p50:.2f}", f"{t.p95:.2f}", f"{t.worst:.2f}")
        table.add_row(t.corpus, *cells, f"{t.first:.1f}", shares)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decide", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", default=["orm"], help="corpora; default: orm")
    parser.add_argument("--corpora", type=Path, default=corpora.DIRECTORY)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--slowest", action="store_true", help="print the slowest statement")
    chosen = parser.parse_args(arguments)
    names = [name for name in chosen.names if corpora.available(name, chosen.corpora)]
    if not names:
        print(f"decide: skipped, no corpora in {chosen.corpora} (--corpora DIR)")
        return 0
    with EmbeddedPostgres() as server:
        system = empty_catalog(server)
    timings = [measure(name, system, chosen.repeat, chosen.corpora) for name in names]
    console = stage.console()
    console.print(_table(timings))
    if chosen.slowest:
        console.print(*(t.slowest for t in timings), sep="\n", markup=False)
    console.print(stage.machine(), style="dim", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
