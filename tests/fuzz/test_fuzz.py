"""The corpus of interesting inputs, and a few seconds of new ones from one seed.

`make fuzz` runs as long as it is told to, and asks two worlds about what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from policies.decision import Allow
from proxy.testing import PostgresServer, RunningProxy
from tests.attacks.catalogue import HERE as ATTACKS
from tests.attacks.catalogue import writes
from tests.attacks.conftest import RULES, USERS, WRITING_RULES
from tests.attacks.worlds import DATABASE, Door
from tests.conftest import StartProxy
from tests.fuzz import rules, wire
from tests.fuzz.checks import Judge, Log, read_rules, still_there, talk
from tests.fuzz.run import ROOT, RULES_FILES, judge, kept, known_statements
from tests.fuzz.statements import Mutator, pieces


@pytest.fixture(scope="module")
def upstream(postgres: PostgresServer) -> Iterator[str]:
    """World A in a database of its own."""
    postgres.create_database(DATABASE, ATTACKS / "world_a.sql")
    yield postgres.dsn(DATABASE)
    postgres.drop_database(DATABASE)


@pytest.fixture(scope="module")
def decides(upstream: str) -> Judge:
    """Decides as a proxy before it does."""
    return judge(upstream)


@pytest.fixture(scope="module")
def proxy(upstream: str, start_proxy: StartProxy) -> RunningProxy:
    """A proxy before it."""
    return start_proxy(rules=RULES, users=USERS, upstream=upstream)


def test_kept_statements(decides: Judge) -> None:
    texts = kept("statements")
    assert len(texts) > 100
    problems = [decides.decided(text.encode("utf-8", "surrogatepass"))[0] for text in texts]
    assert not [*filter(None, problems)]


def test_new_statements(decides: Judge) -> None:
    mutator = Mutator(known_statements(), Random("make test"))
    found = []
    for _ in range(1500):
        text = mutator.next()
        problem, _ = decides.decided(text.encode("utf-8", "surrogatepass"))
        if problem:
            found.append((text, problem))
    assert not found


def test_new_writes(upstream: str, postgres: PostgresServer) -> None:
    assert upstream  # world_writes.sql names the database of world_a.sql
    scripts = [ATTACKS / f"{name}.sql" for name in ("world_a", "world_writes")]
    postgres.create_database("fuzz_writes", *scripts)
    decides = judge(postgres.dsn("fuzz_writes"), WRITING_RULES, "agent_w2")
    postgres.drop_database("fuzz_writes")
    mutator = Mutator([attack.sql for attack in writes()], Random("make test"))
    found, written = [], 0
    for _ in range(1000):
        text = mutator.next()
        problem, decision = decides.decided(text.encode("utf-8", "surrogatepass"))
        if problem:
            found.append((text, problem))
        if isinstance(decision, Allow):
            written += any(plan.write is not None for plan in decision.statements)
    assert not found
    assert written > 50


@pytest.mark.parametrize("source", ["kept", "new"])
def test_conversations(source: str, proxy: RunningProxy) -> None:
    door = Door("127.0.0.1", proxy.port, "agent_t1", USERS["agent_t1"])
    log, random = Log(proxy), Random("make test")
    said = [
        (logged_in, [bytes.fromhex(piece) for piece in parts]) for logged_in, parts in kept("wire")
    ]
    assert len(said) > 10
    if source == "new":
        said = [
            (True, wire.split(b"".join(wire.mutated(wire.frames(random), random)), random))
            for _ in range(60)
        ] + [(False, wire.split(wire.greeting(random), random)) for _ in range(20)]
    for logged_in, parts in said:
        problem = talk(door, parts, logged_in=logged_in) or still_there(door) or log.fault()
        assert not problem, [part.hex() for part in parts]


@pytest.mark.parametrize("source", ["kept", "new"])
def test_rules_files(source: str) -> None:
    texts, random = kept("rules"), Random("make test")
    assert len(texts) > 30
    if source == "new":
        known = [(ROOT / file).read_text() for file in RULES_FILES]
        texts = [rules.mutated(random.choice(known), random) for _ in range(60)]
    problems = [(text, read_rules(text)[0]) for text in texts]
    assert not [found for found in problems if found[1]]


def test_the_checks_see_what_is_wrong(decides: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, decision = decides.decided(b"SELECT id FROM users")
    assert not problem and decision is not None
    monkeypatch.setattr("tests.fuzz.checks.SCOPES", {"users": "id"})
    assert decides.decided(b"SELECT id FROM users")[0].startswith("changed")
    monkeypatch.setattr("tests.fuzz.checks.SLOWEST", 0.0)
    assert "took" in decides.decided(b"SELECT id FROM users")[0]
    monkeypatch.setattr("tests.fuzz.checks.parse", lambda text, name: 1 / 0)
    assert "ZeroDivisionError" in read_rules("version: 1")[0]


def test_pieces_are_the_whole() -> None:
    for text in ("SELECT  a /* x */ FROM t -- y", "'open", "\u00e4 = 'b'"):
        assert "".join(pieces(text)) == text
    assert Path(ROOT / "tests" / "fuzz" / "corpus").is_dir()
