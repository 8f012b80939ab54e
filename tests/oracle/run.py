"""Run many statements against a world and tell what became of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from tests.oracle.answers import Answer, Tally, judge
from tests.oracle.exchange import Form, Sides, form_of
from tests.oracle.grammar import Statement
from tests.oracle.shrink import shrink
from tests.oracle.statements import renumbered, statement
from tests.oracle.turned import undetermined
from tests.oracle.world import World

WORKERS = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement worth a look: what it is, how it was sent, what happened."""

    statement: Statement
    form: Form
    words: str

    def __str__(self) -> str:
        values = "".join(
            f"\n  ${at} = {value!r} ({kind})"
            for at, (kind, value) in enumerate(self.statement.parameters, 1)
        )
        return (
            f"-- {self.statement.name} {self.form}\n{self.statement.sql}{values}\n  => {self.words}"
        )


@dataclass(slots=True)
class Report:
    """Everything of one run."""

    name: str
    tally: Tally = field(default_factory=Tally)
    differences: list[Finding] = field(default_factory=list)
    refusals: list[Finding] = field(default_factory=list)
    failures: list[Finding] = field(default_factory=list)
    doubtful: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        t = self.tally

        def by(counter: dict[str, int]) -> str:
            inner = ", ".join(f"{n} {name}" for name, n in sorted(counter.items()))
            return f"{sum(counter.values())}{f' ({inner})' if inner else ''}"

        return (
            f"{self.name}: {t.total} statements in {self.seconds:.0f} s: equal {t.equal} ({t.rows}"
            f" rows), refused {by(t.refused)}, both failed {by(t.both_failed)}, not comparable"
            f" {by(t.not_comparable)}, different {t.different}"
        )


def generated(seed: int, count: int, start: int = 0) -> Iterator[tuple[int, Statement]]:
    """Statements of the grammar with their numbers."""
    return ((number, statement(seed, number)) for number in range(start, start + count))


def run(
    name: str,
    world: World,
    statements: Iterable[tuple[int, Statement]],
    say: Callable[[str], None] = lambda _: None,
    workers: int = WORKERS,
    smaller: int = 0,
    captured: bool = False,
) -> Report:
    """Put every statement to the world; a few connections at a time. `smaller`: how many of the
    differences are made smaller and said; `captured`: statements may leave open what they return.
    """
    report = Report(name)
    source, lock, begun = iter(statements), threading.Lock(), time.monotonic()
    trouble: list[BaseException] = []

    def work() -> None:
        sides = Sides(world)
        try:
            while not trouble:
                with lock:
                    item = next(source, None)
                if item is None:
                    return
                form = form_of(*item)
                answers = sides.ask(item[1], form)
                with lock:
                    _note(report, item[1], form, answers)
                    if report.tally.total % 2000 == 0:
                        report.seconds = time.monotonic() - begun
                        say(str(report))
        except BaseException as error:
            trouble.append(error)
            raise
        finally:
            sides.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report.seconds = time.monotonic() - begun
    if trouble:
        raise trouble[0]
    if captured:
        _excuse(report, world)
    for finding in report.differences[:smaller]:
        say(f"smaller: {_smaller(world, finding)}")
    return report


def _excuse(report: Report, world: World) -> None:
    """Take out differences of statements to which the reference has more than one answer."""
    for finding in list(report.differences):
        if undetermined(world.owner, finding.statement, finding.form):
            report.differences.remove(finding)
            report.doubtful.append(finding)
            report.tally.different -= 1
            report.tally.not_comparable["not determined by the rows"] += 1


def _smaller(world: World, finding: Finding) -> Finding:
    """The least statement that still differs; the same one when its order is what differs."""
    sides = Sides(world)
    words = ""

    def caught(text: str) -> bool:
        nonlocal words
        sql, parameters = renumbered(text, finding.statement.parameters)
        answers = sides.ask(
            replace(finding.statement, sql=sql, parameters=parameters), finding.form
        )
        found = judge(answers[0], answers[1], answers[2], None, Tally(), sql)
        words = found or words
        return bool(found)

    if not caught(finding.statement.sql):
        return finding
    sql, parameters = renumbered(
        shrink(finding.statement.sql, caught), finding.statement.parameters
    )
    sides.close()
    return Finding(replace(finding.statement, sql=sql, parameters=parameters), finding.form, words)


def _note(report: Report, statement: Statement, form: Form, answers: list[Answer]) -> None:
    proxy, views, tables = answers
    tally = report.tally
    before = tally.not_comparable.total(), tally.both_failed.total()
    words = judge(proxy, views, tables, statement.order, tally, statement.sql)
    if words:
        report.differences.append(Finding(statement, form, words))
    elif proxy.refusal:
        report.refusals.append(Finding(statement, form, f"{proxy.refusal}: {proxy.message}"))
    elif tally.not_comparable.total() > before[0]:
        words = f"views {_ending(views)}, tables {_ending(tables)}"
        report.doubtful.append(Finding(statement, form, words))
    elif tally.both_failed.total() > before[1]:
        report.failures.append(Finding(statement, form, f"{tables.sqlstate} {tables.message}"))


def _ending(answer: Answer) -> str:
    return f"{answer.sqlstate} {answer.message}" if answer.sqlstate else f"{len(answer.rows)} rows"
