"""Prometheus metrics: counted here from finished Operations, read by the admin address.

`record` runs on the event loop for every statement, so counting is a dictionary look-up and a few
additions; prometheus_client's families are made only when somebody scrapes. No label grows with
traffic: each takes its values from a closed set or from the rules, and everything else is `other`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from policies.reasons import REASONS
from proxy.oplog.operation import Operation

PREFIX = "querywarden_"
OTHER = "other"
NONE = "none"

# Every family: name without prefix -> (what it counts, its labels). The order is that of /metrics.
METRICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "statements_total": (
        "Statements by what was decided",
        ("decision", "operation", "entity", "role", "reason"),
    ),
    "observed_total": (
        "Statements of observe roles by what enforcement would have decided",
        ("decision", "reason"),
    ),
    "unenforced_statements_total": ("Statements that ran as written, by mode", ("mode",)),
    "errors_total": (
        "Statements that ended in an error, by who raised it and SQLSTATE class",
        ("source", "sqlstate_class"),
    ),
    "rows_total": ("Rows sent to clients", ()),
    "result_bytes_total": ("Bytes of results sent to clients", ()),
    "affected_rows_total": (
        "Rows inserted, updated and deleted, also by transactions that were undone later",
        ("operation",),
    ),
    "rows_truncated_total": ("Results cut at the cap of a role", ()),
    "columns_masked_total": ("Masked or hashed columns in statements that ran", ()),
    "cache_total": ("Decisions found in the cache or made anew", ("result",)),
    "decision_seconds": ("Time to decide a statement, cache look-ups included", ()),
    "upstream_seconds": ("Time a statement waited for the upstream", ()),
    "overhead_seconds": ("Time of a statement that was not the upstream's", ()),
    "clients": ("Clients connected", ()),
    "upstreams": ("Upstream connections", ("state",)),
    "approvals": ("Requests for consent by what became of them", ("state",)),
    "records_total": ("Operation records by sink and result", ("sink", "result")),
    "policy_info": ("The version of the rules in force", ("version",)),
    "unenforced_roles": ("Roles the rules do not enforce, by mode", ("mode",)),
    "rules_reload_total": ("Attempts to load the rules by result", ("result",)),
    "catalog_refresh_total": ("Attempts to read the upstream catalog by result", ("result",)),
}

DECISIONS = frozenset({"allow", "rewrite", "hold", "deny"})
OPERATIONS = frozenset(
    "select values begin commit rollback savepoint release set reset show discard explain prepare "
    "execute deallocate declare fetch move close copy insert update delete merge truncate listen "
    "notify unlisten lock call do create alter drop grant revoke vacuum analyze utility "
    "connect empty".split()
)
UNENFORCED = ("observe", "bypass")
MASKING = frozenset({"mask", "hash"})

# Classes of SQLSTATE (PostgreSQL manual, appendix A) and ours.
SQLSTATE_CLASSES = frozenset(
    "01 02 03 08 09 0A 0B 0F 0L 0P 0Z 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F 40 42 "
    "44 53 54 55 57 58 72 F0 HV P0 XX QW".split()
)

_DECISION_BOUNDS = (0.00001, 0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5)
_UPSTREAM_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_OVERHEAD_BOUNDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)


class _Histogram:
    """Counts per bucket and a sum; `observe` is two additions."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts, as the exposition format wants them."""
        total = 0
        pairs = []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            pairs.append((bound, float(total)))
        return pairs


class Metrics(Collector):
    """All metrics of one proxy. Everything runs on the event loop except `count_records`."""

    def __init__(self) -> None:
        self._entities: dict[str, str] = {}
        self._roles: dict[str, str] = {}
        self._statements: dict[tuple[str, ...], int] = {}
        self._counts: dict[str, Counter[tuple[str, ...]]] = {
            name: Counter() for name in METRICS if name != "statements_total"
        }
        self._rows = self._bytes = self._truncated = self._masked = 0
        self._cache = {"hit": 0, "miss": 0}
        self._decision = _Histogram(_DECISION_BOUNDS)
        self._upstream = _Histogram(_UPSTREAM_BOUNDS)
        self._overhead = _Histogram(_OVERHEAD_BOUNDS)
        self._clients = self._upstreams = 0
        self._approvals: dict[str, int] = {}
        self._version = NONE
        self._unenforced: dict[str, int] = {}
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def record(self, operation: Operation) -> None:
        """Count one finished operation. Never blocks, never raises."""
        facts = operation.facts
        roles = operation.origin.subject.roles
        decision, reason = operation.decision, operation.code
        key = (
            decision if decision in DECISIONS else OTHER,
            facts.operation if facts.operation in OPERATIONS else OTHER,
            self._entities.get(facts.entities[0], OTHER) if facts.entities else NONE,
            self._roles.get(roles[0], OTHER) if roles else NONE,
            (reason if reason in REASONS else OTHER) if reason else NONE,
        )
        self._statements[key] = self._statements.get(key, 0) + 1
        if operation.decide_seconds:  # a connection turned away was not decided by the engine
            self._cache["hit" if operation.cache == "hit" else "miss"] += 1
            self._decision.observe(operation.decide_seconds)
        self._overhead.observe(operation.total_seconds - operation.upstream_seconds)
        if operation.upstream_seconds:
            self._upstream.observe(operation.upstream_seconds)
            self._rows += operation.row_count
            self._bytes += operation.bytes
            self._truncated += operation.truncated
            for effect in facts.effects:
                if effect.effect in MASKING:
                    self._masked += 1
        if operation.affected_rows:
            self._counts["affected_rows_total"][(key[1],)] += operation.affected_rows
        if operation.sqlstate:
            self._count_error(operation)
        if operation.mode != "enforce":
            self._count_unenforced(operation)

    def _count_error(self, operation: Operation) -> None:
        source = "proxy" if operation.code in REASONS else "upstream"
        kind = operation.sqlstate[:2]
        self._counts["errors_total"][source, kind if kind in SQLSTATE_CLASSES else OTHER] += 1

    def _count_unenforced(self, operation: Operation) -> None:
        self._counts["unenforced_statements_total"][(operation.mode,)] += 1
        observed, reason = operation.facts.observed, operation.facts.observed_reason
        if observed:
            self._counts["observed_total"][
                observed if observed in DECISIONS else OTHER,
                (reason if reason in REASONS else OTHER) if reason else NONE,
            ] += 1

    def known(self, entities: Iterable[str], roles: Iterable[str]) -> None:
        """The names labels may take, from the rules in force; replaces the earlier ones."""
        self._entities = {name: name for name in entities}
        self._roles = {name: name for name in roles}

    def policy_info(self, version: str) -> None:
        """The rules in force."""
        self._version = version

    def unenforced_roles(self, modes: Mapping[str, int]) -> None:
        """How many roles are in observe and bypass mode."""
        self._unenforced = dict(modes)

    def approvals(self, states: Mapping[str, int]) -> None:
        """How many requests for consent are in each state; the states are a closed set of ours."""
        self._approvals = dict(states)

    def rules_reloaded(self, result: str) -> None:
        """`result`: ok, unchanged or refused."""
        self._counts["rules_reload_total"][(result,)] += 1

    def catalog_refreshed(self, result: str) -> None:
        """`result`: ok, unchanged or failed."""
        self._counts["catalog_refresh_total"][(result,)] += 1

    def count_records(self, sink: str, result: str, records: int) -> None:
        """`result`: written, dropped or failed. Called from the recorder's one thread."""
        self._counts["records_total"][sink, result] += records

    def client_opened(self) -> None:
        """A client connected."""
        self._clients += 1

    def client_closed(self) -> None:
        """A client has gone."""
        self._clients -= 1

    def upstream_opened(self) -> None:
        """An upstream connection was made for a client."""
        self._upstreams += 1

    def upstream_closed(self) -> None:
        """An upstream connection has gone."""
        self._upstreams -= 1

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """The families of METRICS, in its order (prometheus_client's Collector interface)."""
        values = self._values()
        for name, (text, labels) in METRICS.items():
            value = values[name]
            if isinstance(value, _Histogram):
                yield HistogramMetricFamily(
                    PREFIX + name, text, buckets=value.buckets(), sum_value=value.sum
                )
                continue
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(PREFIX + name, text, labels=labels)
            for label_values, number in value.items():
                family.add_metric(label_values, number)
            yield family

    def _values(self) -> dict[str, _Histogram | dict[tuple[str, ...], int]]:
        # copied: the recorder's thread counts while we read
        values: dict[str, _Histogram | dict[tuple[str, ...], int]] = {
            name: dict(counter) for name, counter in self._counts.items()
        }
        values |= {
            "statements_total": dict(self._statements),
            "rows_total": {(): self._rows},
            "result_bytes_total": {(): self._bytes},
            "rows_truncated_total": {(): self._truncated},
            "columns_masked_total": {(): self._masked},
            "cache_total": {(result,): count for result, count in self._cache.items()},
            "decision_seconds": self._decision,
            "upstream_seconds": self._upstream,
            "overhead_seconds": self._overhead,
            "clients": {(): self._clients},
            "upstreams": {("active",): self._upstreams},
            "approvals": {(state,): count for state, count in self._approvals.items()},
            "policy_info": {(self._version,): 1},
            "unenforced_roles": {(mode,): self._unenforced.get(mode, 0) for mode in UNENFORCED},
        }
        return values
