"""proxy/metrics.py: what is counted, and that no label can be made to grow by a client."""

from __future__ import annotations

import time
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from policies.decision import Facts, PolicyEffect
from policies.subject import Subject
from proxy.metrics import METRICS, OPERATIONS, PREFIX, Metrics
from proxy.oplog.operation import Operation, Origin

ORIGIN = Origin("s", Subject("agent", roles=("support",)), "shop", "psql", "127.0.0.1:1", "scram")
FACTS = Facts(
    operation="select",
    entities=("users",),
    effects=(
        PolicyEffect("users.tenant", "scope", "users"),
        PolicyEffect("users.columns.email", "mask", "users", "email"),
        PolicyEffect("users.columns.name", "hash", "users", "name"),
    ),
)
LABELS = {
    "decision": "rewrite",
    "operation": "select",
    "entity": "users",
    "role": "support",
    "reason": "none",
}


def operation(**changes: object) -> Operation:
    made = Operation(ORIGIN, FACTS, "rewrite", "v1", 1.7e9, decide_seconds=0.0004)
    made.row_count, made.bytes = 10, 700
    made.upstream_seconds, made.total_seconds = 0.02, 0.0203
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def metrics() -> Metrics:
    made = Metrics()
    made.known(["users", "orders"], ["support"])
    return made


def value(m: Metrics, name: str, /, **labels: str) -> float | None:
    return m.registry.get_sample_value(PREFIX + name, labels)


def test_a_statement_counts_everywhere() -> None:
    m = metrics()
    m.record(operation())
    m.record(operation(cache="hit", truncated=True))
    assert value(m, "statements_total", **LABELS) == 2
    assert value(m, "rows_total") == 20
    assert value(m, "result_bytes_total") == 1400
    assert value(m, "rows_truncated_total") == 1
    assert value(m, "columns_masked_total") == 4
    assert value(m, "cache_total", result="hit") == 1
    assert value(m, "cache_total", result="miss") == 1
    assert value(m, "decision_seconds_count") == 2
    assert value(m, "decision_seconds_bucket", le="0.0005") == 2
    assert value(m, "decision_seconds_bucket", le="0.0001") == 0
    assert value(m, "upstream_seconds_sum") == 0.04
    overhead = value(m, "overhead_seconds_sum")
    assert overhead is not None
    assert abs(overhead - 0.0006) < 1e-9


def test_rows_written_are_counted_by_operation() -> None:
    m = metrics()
    facts = replace(FACTS, operation="update")
    m.record(operation(facts=facts, affected_rows=3))
    m.record(operation(facts=facts, affected_rows=2, decision="allow"))
    m.record(operation(facts=facts, affected_rows=None, decision="hold", code="QW"))
    m.record(operation(facts=replace(FACTS, operation="odd"), affected_rows=1))
    assert value(m, "affected_rows_total", operation="update") == 5
    assert value(m, "affected_rows_total", operation="other") == 1
    labels = {**LABELS, "operation": "update", "decision": "hold", "reason": "other"}
    assert value(m, "statements_total", **labels) == 1


def test_a_refusal_is_no_upstream_time_and_no_rows() -> None:
    m = metrics()
    m.record(
        operation(
            decision="deny", outcome="refused", code="TYPE_NOT_ALLOWED", sqlstate="42501",
            upstream_seconds=0.0, row_count=0,
        )
    )  # fmt: skip
    labels = {**LABELS, "decision": "deny", "reason": "TYPE_NOT_ALLOWED"}
    assert value(m, "statements_total", **labels) == 1
    assert value(m, "errors_total", source="proxy", sqlstate_class="42") == 1
    assert value(m, "upstream_seconds_count") == 0
    assert value(m, "columns_masked_total") == 0


def test_errors_of_the_upstream_are_told_apart() -> None:
    m = metrics()
    m.record(operation(outcome="failed", sqlstate="22012"))
    m.record(operation(outcome="failed", sqlstate="ZZ999"))
    assert value(m, "errors_total", source="upstream", sqlstate_class="22") == 1
    assert value(m, "errors_total", source="upstream", sqlstate_class="other") == 1


def test_modes_that_do_not_enforce_are_loud() -> None:
    m = metrics()
    facts = replace(FACTS, observed="deny", observed_reason="TYPE_NOT_ALLOWED")
    m.record(operation(mode="observe", facts=facts))
    m.record(operation(mode="bypass"))
    m.unenforced_roles({"bypass": 2})
    assert value(m, "unenforced_statements_total", mode="observe") == 1
    assert value(m, "unenforced_statements_total", mode="bypass") == 1
    assert value(m, "observed_total", decision="deny", reason="TYPE_NOT_ALLOWED") == 1
    assert value(m, "unenforced_roles", mode="bypass") == 2
    assert value(m, "unenforced_roles", mode="observe") == 0


def test_nothing_a_client_sends_makes_a_new_series() -> None:
    m = metrics()
    m.record(operation())

    def series() -> int:
        families = text_string_to_metric_families(m.render().decode())
        return sum(len(family.samples) for family in families)

    m.record(
        operation(
            decision="odd-0", facts=Facts(operation="op-0", entities=("e-0",)), code="C0",
            sqlstate="Y0000", mode="observe",
            origin=replace(ORIGIN, subject=Subject("login-0", roles=("r-0",))),
        )
    )  # fmt: skip
    before = series()
    for n in range(1, 200):
        facts = Facts(operation=f"op-{n}", entities=(f"e-{n}",), observed="", observed_reason="")
        origin = replace(ORIGIN, subject=Subject(f"login-{n}", roles=(f"r-{n}",)))
        m.record(
            operation(
                decision=f"odd-{n}", facts=facts, code=f"C{n}", sqlstate=f"Y{n:04}", mode="observe",
                origin=origin,
            )
        )  # fmt: skip
    assert series() == before
    labels = dict.fromkeys(("decision", "operation", "entity", "role", "reason"), "other")
    assert value(m, "statements_total", **labels) == 200


def test_gauges_and_counters_of_the_server() -> None:
    m = metrics()
    m.client_opened()
    m.client_opened()
    m.client_closed()
    m.upstream_opened()
    m.policy_info("aaa")
    m.policy_info("bbb")
    m.approvals({"waiting": 3})
    m.approvals({"waiting": 2, "granted": 1})
    m.rules_reloaded("refused")
    m.catalog_refreshed("unchanged")
    m.count_records("jsonl", "written", 5)
    assert value(m, "clients") == 1
    assert value(m, "upstreams", state="active") == 1
    assert value(m, "approvals", state="waiting") == 2
    assert value(m, "approvals", state="granted") == 1
    assert value(m, "policy_info", version="bbb") == 1
    assert value(m, "policy_info", version="aaa") is None
    assert value(m, "rules_reload_total", result="refused") == 1
    assert value(m, "catalog_refresh_total", result="unchanged") == 1
    assert value(m, "records_total", sink="jsonl", result="written") == 5


def test_every_family_is_rendered_in_text_format() -> None:
    text = metrics().render().decode()
    kinds = {family.name: family for family in text_string_to_metric_families(text)}
    for name in METRICS:
        assert PREFIX + name.removesuffix("_total") in kinds, name
    assert "process_resident_memory_bytes" in text
    assert 'querywarden_decision_seconds_bucket{le="+Inf"} 0.0' in text


def test_counting_is_cheap() -> None:
    m = metrics()
    one = operation()
    m.record(one)
    before = time.perf_counter()
    for _ in range(20_000):
        m.record(one)
    assert (time.perf_counter() - before) / 20_000 < 20e-6  # about 1.5 µs; the bound is for slow CI


def test_operations_are_lower_case_words() -> None:
    assert all(name.isalpha() and name.islower() for name in OPERATIONS)
