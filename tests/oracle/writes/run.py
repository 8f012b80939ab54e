"""Run many writes against both sides and tell what became of them.

A worker has databases and a proxy of its own: writes of two would wait for one another's rows.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from proxy.testing import PostgresServer
from tests.oracle.writes.exchange import Both, Outcome, Way, way_of, with_first
from tests.oracle.writes.statements import LOGINS, statement
from tests.oracle.writes.texts import Written
from tests.oracle.writes.verdicts import Tally, judge, summed
from tests.oracle.writes.world import Pair, Wrong, pair

WORKERS = 2
_TOGETHER = 120
_FIRSTS = 1_000_000  # where the numbers of writes before others begin


@dataclass(frozen=True, slots=True)
class Finding:
    """A write worth a look."""

    statement: Written
    way: Way
    words: str

    def __str__(self) -> str:
        return f"{self.statement}\n  {self.way}\n  => {self.words}"


@dataclass(slots=True)
class Report:
    """Everything of one run."""

    name: str
    tally: Tally = field(default_factory=Tally)
    differences: list[Finding] = field(default_factory=list)
    refusals: list[Finding] = field(default_factory=list)
    failures: list[Finding] = field(default_factory=list)
    expected: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}: {self.tally.total} in {self.seconds:.0f} s: {self.tally}"


class Judge:
    """Puts numbered writes of a seed to one pair of databases."""

    def __init__(self, made: Pair, report: Report) -> None:
        self._report = report
        self._both = {login: Both(made, login) for login in LOGINS}
        first = self._both[LOGINS[0]]
        self.baseline = first.proxy.baseline()
        if first.reference.baseline() != self.baseline:
            raise AssertionError("the databases are not the same to begin with")

    def put(self, seed: int, numbers: Sequence[int]) -> None:
        """Run these and note what became of them."""
        made = [(statement(seed, number), number) for number in numbers]
        for login, both in self._both.items():
            mine = [(each, _way(seed, number, each)) for each, number in made
                    if each.login == login]  # fmt: skip
            for (written, way), found in zip(mine, both.ask(mine), strict=True):
                self._note(written, way, *found)

    def _note(self, written: Written, way: Way, proxy: Outcome, reference: Outcome) -> None:
        report, tally = self._report, self._report.tally
        before = tally.by_design.total()
        words = judge(written, proxy, reference, self.baseline, way.alone, tally)
        other = reference.answer
        ending = f"{other.sqlstate} {other.message}" if other.sqlstate else f"{reference.tags}"
        said = f"{proxy.answer.sqlstate} {proxy.answer.message}, reference {ending}"
        if words:
            report.differences.append(Finding(written, way, words))
        elif proxy.answer.refusal:
            report.refusals.append(Finding(written, way, f"{proxy.answer.refusal} {said}"))
        elif tally.by_design.total() > before:
            report.expected.append(Finding(written, way, said))
        elif proxy.answer.sqlstate:
            report.failures.append(Finding(written, way, said))

    def close(self) -> None:
        """Close the connections."""
        for both in self._both.values():
            both.close()


def _way(seed: int, number: int, written: Written) -> Way:
    """How it is sent; the write before it is one of the same login that needs no values."""
    way = way_of(number, written)
    if with_first(number, way, written) == way:
        return way
    others = (statement(seed, other) for other in itertools.count(_FIRSTS + 10 * number))
    plain = ("insert", "update", "delete", "merge")
    return with_first(number, way, next(
        each for each in others
        if each.login == written.login and not each.parameters and each.shape in plain
    ))  # fmt: skip


def run(
    server: PostgresServer,
    seed: int,
    count: int,
    start: int = 0,
    say: Callable[[str], None] = lambda _: None,
    workers: int = WORKERS,
    wrong: Wrong | None = None,
) -> Report:
    """Put that many writes of a seed to databases of its rows."""
    numbers = [range(at, min(at + _TOGETHER, start + count))
               for at in range(start, start + count, _TOGETHER)]  # fmt: skip
    reports = [Report("writes") for _ in range(workers)]
    lock, begun = threading.Lock(), time.monotonic()
    trouble: list[BaseException] = []

    def whole() -> Report:
        found = Report("writes", summed([r.tally for r in reports]))
        for each in reports:
            found.differences += each.differences
            found.refusals += each.refusals
            found.failures += each.failures
            found.expected += each.expected
        found.seconds = time.monotonic() - begun
        return found

    def work(at: int, made: Pair) -> None:
        try:
            judge = Judge(made, reports[at])
            try:
                while not trouble:
                    with lock:
                        if not numbers:
                            return
                        mine = numbers.pop(0)
                    judge.put(seed, mine)
                    with lock:
                        if len(numbers) % 20 == 0:
                            say(str(whole()))
            finally:
                judge.close()
        except BaseException as error:
            trouble.append(error)
            raise

    with ExitStack() as stack:
        pairs = [stack.enter_context(pair(server, seed, f"writes{n}", wrong))
                 for n in range(workers)]  # fmt: skip
        begun = time.monotonic()
        threads = [threading.Thread(target=work, args=each) for each in enumerate(pairs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if trouble:
        raise trouble[0]
    return whole()
