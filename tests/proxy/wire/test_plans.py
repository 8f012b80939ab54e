"""What is shown of a plan is made of known parts only."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.wire.messages import DataRow
from proxy.wire.plans import HeldPlan, redacted


@dataclass(frozen=True)
class Names:
    json: bool = False
    relations: frozenset[tuple[str, str]] = frozenset({("public", "users"), ("S x", 'T"y')})
    indexes: frozenset[str] = frozenset({"users_pkey"})
    aliases: frozenset[str] = frozenset({"u", "r", "users", "w", 'A"b'})
    other: dict[str, str] = field(default_factory=dict, compare=False)


TEXT, JSON = Names(), Names(json=True)


def shown(*lines: str | None, names: Names = TEXT) -> list[str]:
    rows = b"".join(DataRow((None if x is None else x.encode(),)).encode() for x in lines)
    return [DataRow.decode(frame[5:]).values[0].decode() for frame in redacted(rows, names)]


COST, ACTUAL = (
    "  (cost=0.15..8.17 rows=1 width=36)",
    " (actual time=0.010..0.011 rows=1.00 loops=1)",
)
STAY = [
    "Limit  (cost=0.00..1.12 rows=2 width=164)",
    f"  ->  Seq Scan on public.users r{COST}{ACTUAL}",
    f"  ->  Seq Scan on users r_12{COST} (actual rows=5 loops=1)",
    f"        ->  Parallel Seq Scan on users u{COST} (never executed)",
    "Index Scan Backward using users_pkey on users r",
    "Index Only Scan using users_pkey on users",
    "  ->  Bitmap Index Scan on users_pkey  (cost=0.00..4.20 rows=7 width=0)",
    '  ->  Seq Scan on "S x"."T""y" "A""b"',
    'Values Scan on "*VALUES*"',
    'Subquery Scan on "*SELECT* 2"',
    "Subquery Scan on unnamed_subquery_1",
    "CTE Scan on w u_1",
    "WorkTable Scan on w",
    "Hash Right Semi Join", "Nested Loop Left Join", "Merge Full Join", "Hash Join", "Nested Loop",
    "Finalize GroupAggregate", "Partial HashAggregate", "MixedAggregate", "WindowAgg",
    "HashSetOp Except All", "Gather Merge", "Merge Append", "Recursive Union", "ProjectSet",
    "    Sort Method: top-N heapsort  Memory: 25kB",
    "    Sort Method: external merge  Disk: 1024kB",
    "  Buckets: 1024  Batches: 1  Memory Usage: 9kB",
    "  Buckets: 2048 (originally 1024)  Batches: 4 (originally 1)  Memory Usage: 9kB",
    "  Batches: 1  Memory Usage: 24kB",
    "  Planned Partitions: 4  Batches: 5  Memory Usage: 24kB  Disk Usage: 99kB",
    "  Workers Planned: 2", "  Workers Launched: 1", "  Single Copy: true", "  Disabled: true",
    "  InitPlan 1 (returns $0)", "  SubPlan 12", "  InitPlan 2 (returns $1,$2)", "  CTE w",
    "Planning Time: 0.386 ms", "Execution Time: 12.075 ms",
]  # fmt: skip


@pytest.mark.parametrize("line", STAY)
def test_a_known_line_stays_as_it_is(line: str) -> None:
    assert shown(line) == [line]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("Index Scan using users_ssn_idx on users u", "Index Scan on users u"),
        ("  ->  Seq Scan on events_p1 r_1", "  ->  Seq Scan on r_1"),
        ("Seq Scan on secrets", "Seq Scan"),
        ("Seq Scan on private.users r", "Seq Scan on r"),
        ("Seq Scan on users hidden_alias", "Seq Scan on users"),
        (f"Function Scan on public.user_ssn u{COST}", f"Function Scan on u{COST}"),
        ("Function Scan on user_ssn", "Function Scan"),
        ("CTE Scan on hidden", "CTE Scan"),
        ("  CTE hidden", "  CTE"),
        (f"Bitmap Index Scan on users_ssn_idx{COST}{ACTUAL}", f"Bitmap Index Scan{COST}"),
        (f"  ->  BitmapAnd{COST}{ACTUAL}", f"  ->  BitmapAnd{COST}"),
        (
            f"Bitmap Heap Scan on users r{COST}{ACTUAL}",
            f"Bitmap Heap Scan on users r{COST}{ACTUAL}",
        ),
    ],
)
def test_names_of_hidden_things_are_left_out(line: str, left: str) -> None:
    assert shown(line) == [left]


GO = [
    "  Filter: (tenant_id = 1)", "  Index Cond: (id = 5)", "  Recheck Cond: (a = 'x'::text)",
    "  Hash Cond: (a.id = b.id)", "  Merge Cond: (a.id = b.id)", "  Join Filter: (a.id <> 7)",
    "  Output: id, encode(sha256('\\x36'::bytea), 'hex')", "  Sort Key: (lower(a))",
    "  Presorted Key: a", "  Group Key: 'x'", "  Cache Key: 1", "  Cache Mode: logical",
    "  One-Time Filter: (1 = 2)", "  Rows Removed by Filter: 4", "  Heap Fetches: 0",
    "  Rows Removed by Index Recheck: 3", "  Heap Blocks: exact=11", "  Buffers: shared hit=4",
    "  Function Call: generate_series(1, 10)", "  Order By: (a <-> 'x')", "  TID Cond: (ctid = 1)",
    "  Hits: 1  Misses: 2  Evictions: 0  Overflows: 0  Memory Usage: 1kB", "  WAL: records=1",
    "  I/O Timings: shared read=0.1", "Query Identifier: -42", "JIT:", "  Functions: 4",
    "Settings: work_mem = '1MB'", "Planning:", "  Subplans Removed: 4", "  Index Searches: 2",
    "  Worker 0:  actual time=0.1..0.2 rows=4 loops=1", "  Remote SQL: SELECT ssn FROM users",
    "  Conflict Filter: x", "  Storage: Memory  Maximum Storage: 17kB", "Trigger x: time=1 calls=1",
    "  Window: w1 AS (PARTITION BY 'x')", "Custom Scan (Secret) on users", "Insert on users",
    "  Schema: pg_temp_1", "", " ", "Seq Scan on users r Filter", "Seq Scan  on users",
    "Seq Scan on users (cost=0.15..8.17 rows=1 width=36)", "Limit  (cost=secret..1 rows=1 width=1)",
    "Limit\n  Filter: x", "Secret Scan on users", "secret", "SubPlan 1 (returns $0) x", "CTE w x",
    "  Sort Method: secret  Memory: 25kB", "Execution Time: secret ms", "InitPlan secret",
]  # fmt: skip


@pytest.mark.parametrize("line", GO)
def test_everything_else_goes(line: str) -> None:
    assert shown(line) == []


@given(
    st.sampled_from(STAY),
    st.integers(0, 100),
    st.sampled_from(["ssn", "'x'", "\n4711", "=", "ö", "Filter: ", "hidden_", "; ", "NULL"]),
)
@example("Seq Scan on users", 17, "\nFilter: 4711")
def test_nothing_strange_comes_through(line: str, place: int, strange: str) -> None:
    place = min(place, len(line))
    assert strange not in "".join(shown(line[:place] + strange + line[place:])).replace(line, "")


def test_rows_that_are_no_text_of_one_column_go() -> None:
    broken = DataRow((b"\xff\xfe",)).encode()
    two = DataRow((b"Limit", b"Limit")).encode()
    none = DataRow((None,)).encode()
    assert redacted(broken + two + none, TEXT) == []
    assert shown("Limit", None, "Sort") == ["Limit", "Sort"]


NODE = {
    "Node Type": "Index Scan", "Parent Relationship": "Outer", "Parallel Aware": False,
    "Async Capable": False, "Scan Direction": "Forward", "Index Name": "users_pkey",
    "Relation Name": "users", "Schema": "public", "Alias": "r", "Startup Cost": 0.15,
    "Total Cost": 8.17, "Plan Rows": 1, "Plan Width": 36, "Actual Rows": 1.0, "Actual Loops": 1,
    "Inner Unique": True, "Join Type": "Right Semi", "Sort Method": "quicksort",
    "Sort Space Used": 25, "Sort Space Type": "Memory", "Strategy": "Hashed", "Command": "Except",
    "Partial Mode": "Finalize", "Subplan Name": "InitPlan 1 (returns $0)", "CTE Name": "w",
}  # fmt: skip
HIDDEN = {
    "Filter": "tenant_id = 1", "Index Cond": "id = 5", "Output": ["id", "'x'"],
    "Rows Removed by Filter": 4, "Heap Fetches": 3, "Exact Heap Blocks": 2, "Function Name": "f",
    "Shared Hit Blocks": 4, "Sort Key": ["lower(a)"], "Group Key": ["x"], "Cache Hits": 3,
    "Workers": [{"Worker Number": 0, "Actual Rows": 3}], "Remote SQL": "SELECT", "WAL Records": 1,
    "Disabled Nodes": "4", "Anything": 1, "Subplans Removed": 2, "Index Searches": 1,
    "Function Call": "user_ssn(11)", "Grouping Sets": [{"Group Keys": [["ssn"]]}], "Window": "w1",
}  # fmt: skip


def document(**around: Any) -> list[Any]:
    (text,) = shown(json.dumps([around]), names=JSON)
    found: list[Any] = json.loads(text)
    return found


def test_known_keys_stay_and_others_go() -> None:
    plan = {**NODE, **HIDDEN, "Plans": [{**HIDDEN, **NODE}, "no node"]}
    expected = {"Plan": {**NODE, "Plans": [NODE]}, "Planning Time": 0.1, "Execution Time": 2.5}
    found = document(
        Plan=plan, Planning={"Shared Hit Blocks": 1}, **{"Planning Time": 0.1},
        Triggers=[{"Trigger Name": "secret"}], Settings={"work_mem": "1MB"}, JIT={"Functions": 1},
        **{"Execution Time": 2.5, "Query Identifier": 42},
    )  # fmt: skip
    assert found == [expected]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Node Type", "Secret Scan"), ("Relation Name", "secrets"), ("Schema", "private"),
        ("Index Name", "users_ssn_idx"), ("Alias", "hidden"), ("CTE Name", "hidden"),
        ("Subplan Name", "CTE hidden"), ("Subplan Name", "x"), ("Strategy", "secret"),
        ("Plan Rows", "tenant_id = 1"), ("Plan Rows", True), ("Parallel Aware", "x"),
        ("Actual Rows", [1]), ("Sort Method", "x"), ("Plans", {"Filter": "x"}), ("Plan", "x"),
    ],
)  # fmt: skip
def test_a_strange_value_goes_though_its_key_is_known(key: str, value: Any) -> None:
    (found,) = document(Plan={**NODE, key: value})
    assert key not in found["Plan"]


def test_counts_of_index_entries_go() -> None:
    (found,) = document(Plan={**NODE, "Node Type": "Bitmap Index Scan"})
    assert not [key for key in found["Plan"] if key.startswith("Actual")]
    assert found["Plan"]["Plan Rows"] == 1


@pytest.mark.parametrize("text", ["", "no json", "{", "[" * 100_000, '{"a": 1}', "[1, [2]]", "7"])
def test_what_is_no_plan_is_empty(text: str) -> None:
    assert shown(text, names=JSON) == ["[]"]


def test_a_plan_in_pieces_and_one_that_is_too_long() -> None:
    raw = DataRow((b"Limit",)).encode() + DataRow((b"  Filter: x",)).encode()
    held = HeldPlan(TEXT)
    for byte in raw:
        held.add(bytes([byte]))
    assert held.redacted() == [DataRow((b"Limit",)).encode()]
    long = HeldPlan(TEXT)
    for _ in range(9):
        long.add(raw + bytes(1024 * 1024))
    assert long.redacted() == []
