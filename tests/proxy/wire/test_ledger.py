"""What is owed: the law of errors, and rounds that become what they are made of."""

from __future__ import annotations

import pytest

from proxy.wire import ledger
from proxy.wire.ledger import Entry, Ledger, OutOfStep
from proxy.wire.names import Named
from proxy.wire.phases import Phase

WHEN = (0.0, 0.0)


def entry(kind: int, name: bytes = b"", last: bytes = b"") -> Entry[Named]:
    return kind, name, None, WHEN, last


def owing(*kinds: int) -> Ledger[Named]:
    owed: Ledger[Named] = Ledger()
    for kind in kinds:
        if kind in (ledger.SYNC, ledger.QUERY, ledger.REFUSED_QUERY):
            owed.sync_sent(entry(kind))
        else:
            owed.owed.append(entry(kind))
    return owed


def kinds(owed: Ledger[Named]) -> list[int]:
    return [each[0] for each in owed.owed]


def test_an_extended_error_drops_up_to_the_sync() -> None:
    owed = owing(ledger.PARSE, ledger.BIND, ledger.QUERY, ledger.SYNC, ledger.QUERY)
    head, dropped = owed.failed()
    assert head == entry(ledger.PARSE)
    assert [each[0] for each in dropped] == [ledger.BIND, ledger.QUERY]
    assert kinds(owed) == [ledger.SYNC, ledger.QUERY] and owed.phase is Phase.READY


def test_without_a_sync_the_upstream_goes_on_skipping() -> None:
    owed = owing(ledger.BIND, ledger.EXECUTE)
    owed.failed()
    before = owed.phase
    assert kinds(owed) == [] and before is Phase.SKIPPING
    owed.sync_sent(entry(ledger.SYNC))
    assert kinds(owed) == [ledger.SYNC] and owed.phase is Phase.READY


@pytest.mark.parametrize("kind", [ledger.QUERY, ledger.REFUSED_QUERY, ledger.SYNC])
def test_an_error_in_what_ends_with_ready_drops_nothing(kind: int) -> None:
    owed = owing(kind, ledger.PARSE)
    assert owed.failed() == (entry(kind), [])
    assert kinds(owed) == [kind, ledger.PARSE]


def test_an_error_nobody_asked_for() -> None:
    assert owing().failed() == (None, [])


def test_an_error_ends_a_copy() -> None:
    owed = owing(ledger.QUERY)
    owed.phase = Phase.COPY_IN
    owed.failed()
    assert owed.phase is Phase.READY


def test_the_head_must_be_what_is_answered() -> None:
    owed = owing(ledger.PARSE, ledger.BIND)
    with pytest.raises(OutOfStep):
        owed.take(ledger.BIND)
    assert owed.take(ledger.PARSE) == entry(ledger.PARSE)
    with pytest.raises(OutOfStep):
        owing().take(ledger.PARSE)


def test_groups_end_with_syncs_and_queries() -> None:
    assert owing(ledger.PARSE, ledger.BIND).group == 0
    assert owing(ledger.SYNC, ledger.QUERY, ledger.PARSE).group == 2


def test_rounds_unroll_in_order() -> None:
    owed = owing()
    for parts in (b"", b"D", b"P", b"PD"):
        owed.owed.append(entry(ledger.ROUND, parts, b"s"))
    owed.owed.append(entry(ledger.QUERY))
    owed.unroll()
    run = [ledger.EXECUTE, ledger.SYNC]
    assert kinds(owed) == [
        ledger.BIND, *run,
        ledger.BIND, ledger.DESCRIBE_PORTAL, *run,
        ledger.PARSE, ledger.BIND, *run,
        ledger.PARSE, ledger.BIND, ledger.DESCRIBE_PORTAL, *run,
        ledger.QUERY,
    ]  # fmt: skip
    assert {each[1] for each in owed.owed if each[0] == ledger.PARSE} == {b"s"}
