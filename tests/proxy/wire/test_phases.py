"""The table of legal messages."""

from __future__ import annotations

import pytest

from proxy.wire.frames import client_rules
from proxy.wire.phases import CLIENT_TAGS, LEGAL, Phase, Verdict


def tags(phase: Phase, verdict: Verdict) -> set[str]:
    return {chr(tag) for tag, given in LEGAL[phase].items() if given is verdict}


def test_every_phase_judges_every_tag() -> None:
    assert set(LEGAL) == set(Phase)
    assert all(set(row) == set(CLIENT_TAGS) for row in LEGAL.values())


def test_the_reader_lets_through_exactly_these_tags() -> None:
    known = {tag for tag, rule in enumerate(client_rules(1000)) if rule is not None}
    assert known == set(CLIENT_TAGS)


@pytest.mark.parametrize(
    ("phase", "act", "ignore", "end"),
    [
        (Phase.READY, "QPBDECSHFX", "dcf", ""),
        (Phase.COPY_IN, "dcfX", "HS", "QPBDECF"),
        (Phase.SKIPPING, "SX", "QPBDECHFdcf", ""),
    ],
)
def test_the_table(phase: Phase, act: str, ignore: str, end: str) -> None:
    assert tags(phase, Verdict.ACT) == set(act)
    assert tags(phase, Verdict.IGNORE) == set(ignore)
    assert tags(phase, Verdict.END_COPY) == set(end)
