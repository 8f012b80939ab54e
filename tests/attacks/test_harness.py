"""The harness can fail: without the proxy it reports leaks, differences and changes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import yaml

from tests.attacks.all_worlds import CACHES, SCANS, SIZES, Row, servers
from tests.attacks.catalogue import (
    HERE,
    Attack,
    attacks,
    binary_numeric,
    conversations,
    leaks,
    statements,
    writes,
)
from tests.attacks.conftest import Worlds
from tests.attacks.verdict import Tally, difference, leaked
from tests.attacks.wire_client import rows
from tests.attacks.worlds import FORMS, Setup, World

# What takes long, or a great deal of memory, when nothing stops it.
SLOW = {"TC-011", "RC-015", "RC-017", "RC-018", "FN-067", "FN-023", "FN-027"}


def test_without_the_proxy_it_goes_red(
    bare_worlds: Worlds, both: ThreadPoolExecutor, tally: Tally
) -> None:
    leaking, differing = set(), set()
    before = [world.digest() for world in bare_worlds]
    left_out = SLOW | {attack.id for attack in writes()}  # test_writing.py has its own
    for attack in attacks():
        if attack.id in left_out or len(statements(attack.sql)) > 1:
            continue
        for form in FORMS:
            send = partial(World.send, attack=attack, form=form, first="BEGIN")
            first, second = both.map(send, bare_worlds)
            if leaked(attack, first):
                leaking.add(attack.id)
            if difference(attack, first, second):
                differing.add(attack.id)
    tally.bare_leaks, tally.bare_differences = len(leaking), len(differing)
    assert len(leaking) >= 100
    assert len(differing) >= 170
    assert [world.digest() for world in bare_worlds] != before  # transactions do not hold sequences


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE orders SET note = 'x' WHERE id = 201",
        "INSERT INTO products VALUES (9, 'x', 1)",
        "CREATE TABLE extra (id int)",
        "SELECT nextval('order_seq')",
        "CREATE ROLE extra",
        "GRANT SELECT ON secrets TO PUBLIC",
        "SELECT lo_from_bytea(0, 'x')",
    ],
)
def test_the_digest_notices(change: str, bare_worlds: Worlds) -> None:
    world = bare_worlds[0]
    before = world.digest()
    assert _changed_by(world, change) != before
    assert world.digest() == before or change.startswith("SELECT")


def _changed_by(world: World, change: str) -> str:
    """The digest inside a transaction that makes the change and is rolled back."""
    inspector = world.inspector
    inspector.query("BEGIN")
    answer = inspector.query(change)
    assert any(message.tag == b"C" for message in answer), answer
    changed = world.digest()
    inspector.query("ROLLBACK")
    return changed


def test_a_closed_connection_is_trouble(bare_worlds: Worlds) -> None:
    suicide = Attack("X", "x", "SELECT pg_terminate_backend(pg_backend_pid())", "reject")
    assert bare_worlds[0].send(suicide, "simple").trouble == "the connection was closed"


def test_every_entry_is_sent_or_held() -> None:
    """An entry of the catalogue is a text or a conversation; conversations have a test each."""
    written = yaml.safe_load((HERE / "attacks.yaml").read_text())
    texts = {entry["id"] for entry in written if entry.get("sql") is not None}
    assert texts <= {attack.id for attack in attacks()}
    assert texts.isdisjoint(conversations())
    assert {entry["id"] for entry in written} == texts | set(conversations())


def test_every_installed_server_and_setup_is_in_the_matrix() -> None:
    assert "default" in servers()
    assert Row("x", False, "1", "0", "0", "").line().split() == ["x", "1", "0", "0", "FAILED"]
    given = Setup.parse(" ".join((SIZES[1], SCANS[1], CACHES[1])))
    assert given.large
    assert dict(given.settings) == {
        "enable_seqscan": "off",
        "plan_cache_mode": "force_generic_plan",
    }
    assert not Setup.parse(SIZES[0]).large


def test_own_values_are_no_leak() -> None:
    assert not leaks(b"alice@t1.example", "SELECT 'alice@t1.example'")
    assert leaks(b"alice@t1.example", "SELECT email FROM users")


def test_binary_numbers_are_recognised(bare_worlds: Worlds) -> None:
    attack = Attack("X", "x", "SELECT balance FROM users WHERE id = 1", "masked")
    transcript = bare_worlds[0].send(attack, "extended binary")
    assert rows(transcript.messages) == [[binary_numeric("1001.01")]]
    assert "balance_t1_binary" in leaked(attack, transcript)
