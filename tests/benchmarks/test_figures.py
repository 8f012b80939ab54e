"""How raw readings become the figures in the tables."""

from __future__ import annotations

import pytest

from benchmarks.memory import Reading, per_client_kb
from benchmarks.overhead import Run, summary


def test_medians_and_ratios_are_per_protocol() -> None:
    runs = [
        Run("direct", "simple", 100.0, 1.0),
        Run("pgbouncer", "simple", 50.0, 2.0),
        Run("querywarden", "simple", 30.0, 3.0, 20.0),
        Run("direct", "simple", 300.0, 1.0),
        Run("pgbouncer", "simple", 60.0, 2.0),
        Run("querywarden", "simple", 50.0, 5.0, 40.0),
        Run("direct", "prepared", 10.0, 1.0),
        Run("querywarden", "prepared", 5.0, 1.0),
    ]
    found = {(r.protocol, r.way): r for r in summary(runs)}
    ours = found["simple", "querywarden"]
    assert (ours.tps, ours.latency_ms, ours.cpu_us) == (40.0, 4.0, 30.0)
    assert ours.of_direct == pytest.approx(0.2)
    assert ours.of_pgbouncer == pytest.approx(40 / 55)
    assert found["prepared", "querywarden"].of_pgbouncer is None
    assert found["prepared", "querywarden"].of_direct == pytest.approx(0.5)


def test_memory_is_growth_since_the_first_client() -> None:
    readings = [
        Reading("querywarden", 1, 50_000),
        Reading("querywarden", 101, 52_000),
        Reading("pgbouncer", 1, 8_000),
        Reading("pgbouncer", 101, 8_200),
    ]
    assert per_client_kb(readings) == {("querywarden", 101): 20.0, ("pgbouncer", 101): 2.0}
