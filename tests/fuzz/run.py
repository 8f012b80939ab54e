"""Random inputs against the engine, a running proxy and the rules reader: `make fuzz`.

    python -m tests.fuzz.run [--seed 1] [--seconds 60] [--only PART] [--keep]

Each part runs that long. The same seed and count give the same inputs. Prints progress, then every
finding with what it takes to see it again. `--keep` adds, for every outcome not seen before, the
shortest input to the corpus that `make test` replays. The exit status is 1 when there are findings.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from policies.decision import Allow
from policies.pipeline import Snapshot
from policies.rules import parse
from proxy.introspect import read_catalog
from proxy.testing import RunningProxy
from tests.attacks.catalogue import Attack, attacks, writes
from tests.attacks.conftest import RULES, UPSTREAM_ROLE, USERS, WRITERS, WRITING_RULES
from tests.attacks.worlds import DATABASE, FORMS, Door, World, two_servers
from tests.attacks.writing_bench import BROAD, BY_KEY, WAYS, Bench
from tests.fuzz import rules, wire
from tests.fuzz.checks import (
    UNSTABLE,
    Judge,
    Log,
    read_rules,
    still_there,
    talk,
    worlds_differ,
)
from tests.fuzz.statements import Mutator

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
ROOT = HERE.parents[1]
RULES_FILES = ("rules/demo.yaml", "rules/reference.yaml", "tests/attacks/rules.yaml")
SENT = 0.3  # the share of allowed statements that both worlds are asked
_LITERAL = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|\d+|\S*[^\x00-\x7f]\S*")


@dataclass(slots=True)
class Report:
    """What one part saw: how often each outcome came, and what was wrong."""

    part: str
    seconds: float
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[str, str]] = field(default_factory=list)  # (input, what)
    shortest: dict[str, str] = field(default_factory=dict)  # outcome -> JSON of its input
    _started: float = field(default_factory=time.monotonic)
    _told: float = field(default_factory=time.monotonic)

    def note(self, outcome: str, given: object) -> None:
        """Count one input."""
        self.outcomes[outcome] += 1
        text = json.dumps(given)
        if len(text) < len(self.shortest.get(outcome, "x" * 3000)):
            self.shortest[outcome] = text
        now = time.monotonic()
        if now - self._told > 10:
            self._told = now
            print(f"  {self}", flush=True)

    def wrong(self, given: object, what: str) -> None:
        """Remember a finding and say it at once."""
        self.findings.append((repr(given), what))
        print(f"  FINDING {what}\n    {given!r}"[:3000], flush=True)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() - self._started > self.seconds

    def __str__(self) -> str:
        seen = Counter[str]()
        for outcome, count in self.outcomes.items():
            seen[outcome.partition(":")[0]] += count
        counts = ", ".join(f"{name} {count}" for name, count in seen.most_common(8))
        return (
            f"{self.part}: {self.outcomes.total()} inputs, {len(self.outcomes)} kinds of outcome"
            f" ({counts}); findings {len(self.findings)}"
        )


def known_statements() -> list[str]:
    """What statements are made of: attacks, cases, the corpus."""
    texts = [attack.sql for attack in attacks()]
    for file in sorted((ROOT / "tests" / "cases").glob("*.sql")):
        blocks = re.split(r"^--#", file.read_text(), flags=re.MULTILINE)[1:]
        lines = [block.splitlines()[1:] for block in blocks]
        texts += ["\n".join(x for x in some if x[:2] not in (">>", "!!")).strip() for some in lines]
    return [text for text in [*texts, *kept("statements")] if text]


def kept(name: str) -> list[str]:
    """The corpus of one part."""
    path = CORPUS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def judge(dsn: str, rules: str = RULES, login: str = "agent_t1") -> Judge:
    """Decides as the proxy before that database does."""
    catalog = asyncio.run(read_catalog(dsn))
    known = parse(rules, "rules.yaml")
    subject = known.subject(login)
    assert subject is not None
    return Judge(Snapshot(known, catalog, b"k" * 32, "fuzz"), subject)


def fuzz_statements(decides: Judge, worlds: Sequence[World], random: Random, to: Report) -> None:
    """Decide statements; send a share of those that are allowed to both worlds."""
    mutator = Mutator(known_statements(), random)
    while not to.over:
        text = mutator.next()
        data = text.encode("utf-8", "surrogatepass")
        problem, decision = decides.decided(data)
        if problem:
            to.wrong(text, problem)
        if isinstance(decision, Allow):
            kinds = "+".join(plan.facts.operation for plan in decision.statements)
            to.note(f"allowed: {kinds[:40]}", text)
            if random.random() < SENT and decision.statements:
                found, unstable = worlds_differ(text, worlds, random.choice(FORMS))
                to.outcomes["sent" if not unstable else "sent, not comparable"] += 1
                if found:
                    to.wrong(text, found)
        elif decision is not None:
            said = _LITERAL.sub("_", decision.message)[:60]
            to.note(f"refused: {decision.reason.code} {said}", text)


def fuzz_writes(decides: Judge, bench: Bench, random: Random, to: Report) -> None:
    """Decide statements that may write; send those that are allowed as logins that may."""
    mutator = Mutator([attack.sql for attack in writes()] * 3 + known_statements(), random)
    while not to.over:
        text = mutator.next()
        problem, decision = decides.decided(text.encode("utf-8", "surrogatepass"))
        if problem:
            to.wrong(text, problem)
        if not isinstance(decision, Allow):
            if decision is not None:
                to.note(f"refused: {decision.reason.code}", text)
            continue
        written = any(plan.write is not None for plan in decision.statements)
        to.note("writes" if written else "reads", text)
        if not written:
            continue
        try:
            attack = Attack("fuzz", "fuzz", text, "reject")
            found = bench.attack(attack, random.choice((BY_KEY, BROAD)), random.choice(WAYS))[0]
        except UnicodeEncodeError:
            continue
        unstable = UNSTABLE.search(text)
        for line in found:
            names = "hidden_name came back" in line  # the client's own, in many spellings
            if not names and not (unstable and "the worlds differ" in line):
                to.wrong(text, line)


def fuzz_wire(door: Door, proxy: RunningProxy, random: Random, to: Report) -> None:
    """Hold wrong conversations; after each a fresh client is served."""
    log = Log(proxy)
    while not to.over:
        logged_in = random.random() < 0.75
        data = b"".join(wire.mutated(wire.frames(random), random))
        pieces = wire.split(data if logged_in else wire.greeting(random), random)
        given = [logged_in, [piece.hex() for piece in pieces]]
        problem = talk(door, pieces, logged_in=logged_in) or still_there(door) or log.fault()
        to.note(f"{'logged in' if logged_in else 'greeting'}: {len(pieces)} pieces", given)
        if problem:
            to.wrong(given, problem)
            if proxy.http("/healthz")[0] != 200:
                return


def fuzz_rules(random: Random, to: Report) -> None:
    """Read wrong rules files."""
    known = [(ROOT / file).read_text() for file in RULES_FILES]
    while not to.over:
        text = rules.mutated(random.choice(known), random)
        problem, outcome = read_rules(text)
        to.note(_LITERAL.sub("_", outcome)[:60], text)
        if problem:
            to.wrong(text, problem)


@contextmanager
def running() -> Iterator[tuple[Judge, tuple[World, World], Door, RunningProxy]]:
    """Both worlds with proxies, and what decides as they do."""
    with ExitStack() as stack:
        servers = stack.enter_context(two_servers())
        proxies, worlds = [], []
        for name, server in zip("AB", servers, strict=True):
            upstream = server.dsn(DATABASE, UPSTREAM_ROLE)
            proxy = RunningProxy(rules=RULES, users=USERS, upstream=upstream)
            proxies.append(stack.enter_context(proxy))
            door = Door("127.0.0.1", proxy.port, "agent_t1", USERS["agent_t1"])
            worlds.append(World(name, server, door))
            stack.callback(worlds[-1].close)
        yield (
            judge(servers[0].dsn(DATABASE, UPSTREAM_ROLE)),
            (worlds[0], worlds[1]),
            worlds[0].door,
            proxies[0],
        )


@contextmanager
def writing() -> Iterator[tuple[Judge, Bench]]:
    """Both worlds for logins that write, and what decides as their proxies do."""
    with ExitStack() as stack:
        servers = stack.enter_context(two_servers(writing=True))
        upstreams = [server.dsn(DATABASE, UPSTREAM_ROLE) for server in servers]
        proxies = [
            stack.enter_context(RunningProxy(rules=WRITING_RULES, users=WRITERS, upstream=upstream))
            for upstream in upstreams
        ]
        doors = {}
        for login, password in WRITERS.items():
            first, second = (
                World(name, server, Door("127.0.0.1", proxy.port, login, password))
                for name, server, proxy in zip("AB", servers, proxies, strict=True)
            )
            doors[login] = (first, second)
            stack.callback(first.close)
            stack.callback(second.close)
        pool = stack.enter_context(ThreadPoolExecutor(2))
        yield judge(upstreams[0], WRITING_RULES, BROAD), Bench(doors, pool)


def keep(report: Report) -> None:
    """Add the shortest input of each new outcome to the corpus."""
    path = CORPUS / f"{report.part}.jsonl"
    lines = set(path.read_text().splitlines()) if path.exists() else set()
    lines.update(report.shortest.values())
    path.write_text("".join(f"{line}\n" for line in sorted(lines, key=lambda x: (len(x), x))))


def main() -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, prog="make fuzz")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each part")
    parser.add_argument("--only", choices=("statements", "writes", "wire", "rules"))
    parser.add_argument("--keep", action="store_true", help="add to the corpus")
    given = parser.parse_args()
    reports: list[Report] = []

    def part(name: str, fuzz: Callable[[Random, Report], None]) -> None:
        if given.only in (None, name):
            report = Report(name, given.seconds)
            fuzz(Random(f"{given.seed} {name}"), report)
            reports.append(report)

    part("rules", fuzz_rules)
    if given.only in (None, "writes"):
        with writing() as (writer, bench):
            part("writes", lambda random, to: fuzz_writes(writer, bench, random, to))
    if given.only not in ("rules", "writes"):
        with running() as (decides, worlds, door, proxy):
            part("wire", lambda random, to: fuzz_wire(door, proxy, random, to))
            part("statements", lambda random, to: fuzz_statements(decides, worlds, random, to))
    print(f"\nseed {given.seed}")
    for report in reports:
        print(report)
        if given.keep:
            keep(report)
    return 1 if any(report.findings for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
