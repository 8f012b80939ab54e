"""Applications of node ORMs that write, as two tenants.

Each runs through the proxy and straight, and must be answered alike and leave the same rows.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.drivers.test_node_orms import ORMS, prisma, project, run
from tests.drivers.tracker import Tracker

FORBIDDEN = {
    "foreign": "42501",
    "among_own": "42501",
    "moved": "42501",
    "parent": "23503",
    "shared": "25006",
    "many": "54000",
    "no_key": "54000",
    "no_reason": "QW002",
    "reason": 2,
}


@pytest.mark.parametrize("orm", ORMS)
def test_both_tenants_write_what_is_theirs(
    orm: str, tracker: Tracker, request: pytest.FixtureRequest
) -> None:
    folder = project(request, orm)
    if orm == "prisma":
        prisma(folder, "generate", PRISMA_SCHEMA="tracker.prisma")
    tracker.renew()
    desks = [
        {"name": desk.user, "url": desk.dsn(), "own": desk.number}
        for tenant in tracker.through
        for desk in (tracker.straight[tenant], tracker.through[tenant])
    ]
    through = tracker.through["acme"]
    answers: tuple[dict[str, Any], dict[str, Any]] = json.loads(
        run(folder, "node", "write.mjs", DESKS=json.dumps(desks), FORBIDDEN=through.dsn())
    )
    for tenant, desk in tracker.through.items():
        expected, found = (answers[0][d.user] for d in (tracker.straight[tenant], desk))
        assert {step: found.get(step, "missing") for step in expected} == expected
        states = [tracker.state(name, tenant) for name in tracker.owners]
        assert states[0] == states[1]
        assert desk.leaked() == []
    assert answers[1] == FORBIDDEN
