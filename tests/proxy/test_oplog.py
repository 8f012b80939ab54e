"""proxy/oplog: what a record holds, that no change goes unseen, that none is lost unsaid."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from policies.decision import Facts, PolicyEffect
from policies.subject import Subject
from proxy.oplog import chain
from proxy.oplog.encode import LONGEST_TEMPLATE, Encoder, new_id
from proxy.oplog.jsonl import JsonlSink
from proxy.oplog.operation import Operation, Origin
from proxy.oplog.recorder import Recorder

ORIGIN = Origin(
    session_id="s1",
    subject=Subject("agent", tenant=7, roles=("support",)),
    database="shop",
    application_name="psql",
    client_address="127.0.0.1:5000",
    auth_method="scram-sha-256",
)
FACTS = Facts(
    operation="select",
    capability="browse",
    entities=("users", "orders"),
    fields_read=("users.email",),
    affected_fields=("users.name",),
    fingerprint="00000000000000ab",
    sql_template="SELECT email FROM users WHERE id = $1",
    rewritten_template="SELECT email FROM (SELECT ...) AS users WHERE id = $1",
    effects=(
        PolicyEffect("users.tenant", "scope", "users"),
        PolicyEffect("users.columns.email", "mask", "users", "email"),
    ),
)


def operation(number: int = 0) -> Operation:
    return Operation(
        origin=ORIGIN,
        facts=FACTS,
        decision="rewrite",
        policy_version="abc123abc123",
        started=1_700_000_000.25 + number,
        row_count=number,
        affected_rows=number,
        bytes=120,
        decide_seconds=0.0012,
        upstream_seconds=0.01,
        total_seconds=0.0125,
        cache="hit",
    )


def wait_for(condition: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


class TestEncode:
    def test_every_field(self) -> None:
        record = json.loads(Encoder("host-1").encode(operation(3)))
        assert len(record.pop("id")) == 36
        assert record == {
            "timestamp": "2023-11-14T22:13:23.250000Z",
            "instance": "host-1",
            "session_id": "s1",
            "policy_version": "abc123abc123",
            "mode": "enforce",
            "principal": {
                "user": "agent",
                "user_id": None,
                "tenant": 7,
                "roles": ["support"],
                "auth_method": "scram-sha-256",
            },
            "database": "shop",
            "application_name": "psql",
            "client_address": "127.0.0.1:5000",
            "capability": "browse",
            "operation": "select",
            "entity": "users",
            "entities": ["users", "orders"],
            "fields_read": ["users.email"],
            "affected_fields": ["users.name"],
            "fingerprint": "00000000000000ab",
            "complexity_score": 0,
            "sql_template": FACTS.sql_template,
            "rewritten_template": FACTS.rewritten_template,
            "policy_decisions": [
                {"rule": "users.tenant", "effect": "scope", "entity": "users", "column": ""},
                {
                    "rule": "users.columns.email",
                    "effect": "mask",
                    "entity": "users",
                    "column": "email",
                },
            ],
            "decision": "rewrite",
            "outcome": "ok",
            "row_count": 3,
            "affected_rows": 3,
            "bytes": 120,
            "truncated": False,
            "duration_ms": 12.5,
            "timings": {"decide": 1.2, "upstream": 10.0, "total": 12.5},
            "cache": "hit",
            "reason": "",
            "approval_id": "",
            "invariants_checked": [],
            "error": None,
        }

    def test_refusal_observation_and_loss_are_said(self) -> None:
        refused = operation()
        refused.decision, refused.outcome = "deny", "refused"
        refused.sqlstate, refused.code, refused.hint = "42501", "TYPE_NOT_ALLOWED", "use id"
        refused.facts = replace(FACTS, observed="deny", observed_reason="TYPE_NOT_ALLOWED")
        record = json.loads(Encoder("host-1").encode(refused, lost=4))
        assert record["error"] == {
            "sqlstate": "42501",
            "code": "TYPE_NOT_ALLOWED",
            "hint": "use id",
        }
        assert record["observed"] == {"decision": "deny", "reason": "TYPE_NOT_ALLOWED"}
        assert record["lost"] == 4

    def test_text_that_is_no_text_still_gives_a_record(self) -> None:
        odd = operation()
        subject = Subject("agent", tenant=2**70)
        odd.origin = replace(ORIGIN, application_name="bad\udcff" + "x" * 1000, subject=subject)
        odd.facts = replace(FACTS, sql_template="y" * (LONGEST_TEMPLATE + 1))
        record = json.loads(Encoder("host-1").encode(odd))
        assert record["application_name"].startswith("bad?xx")
        assert len(record["application_name"]) == 256
        assert record["principal"]["tenant"] == str(2**70)
        assert record["sql_template"].endswith("...[cut]")

    def test_remembered_parts_are_never_those_of_another_operation(self) -> None:
        encoder = Encoder("host-1")
        for number in range(10_000):
            one = operation(number)
            one.facts = Facts(operation=f"op{number}")
            one.origin = replace(ORIGIN, session_id=str(number))
            record = json.loads(encoder.encode(one))
            assert (record["operation"], record["session_id"]) == (f"op{number}", str(number))

    def test_ids_sort_by_time_and_differ(self) -> None:
        early, late = [new_id(1000.0) for _ in range(100)], [new_id(1000.00001) for _ in range(100)]
        assert max(early) < min(late)
        assert len(set(early + late)) == 200
        assert all(one[14] == "7" and one[19] in "89ab" for one in early)


class TestChain:
    def write(self, path: Path, count: int) -> None:
        text, _ = chain.seal_all([b'{"n":%d}' % n for n in range(count)], chain.GENESIS)
        path.write_bytes(text)

    def test_a_line_can_be_checked_with_standard_tools(self) -> None:
        line, digest = chain.seal(b'{"n":1}', chain.GENESIS)
        record = json.loads(line)
        assert record == {"n": 1, "prev_hash": "0" * 64, "hash": digest}
        without = line.rstrip().replace(b',"hash":"%b"' % digest.encode(), b"")
        assert hashlib.sha256(without).hexdigest() == digest

    def test_an_untouched_file_holds(self, tmp_path: Path) -> None:
        path = tmp_path / "records"
        self.write(path, 5)
        verdict = chain.verify([path])
        assert verdict.broken is None
        assert (verdict.lines, verdict.first) == (5, chain.GENESIS)
        assert verdict.last == lines(path)[-1]["hash"]

    @pytest.mark.parametrize(
        ("change", "line"),
        [
            (lambda ls: [ls[0], ls[1].replace(b'"n":1', b'"n":7'), *ls[2:]], 2),
            (lambda ls: [ls[0], *ls[2:]], 2),
            (lambda ls: [ls[0], ls[2], ls[1], *ls[3:]], 2),
            (lambda ls: [*ls[:3], b'{"n":9}\n', *ls[3:]], 4),
            (lambda ls: [*ls[:4], ls[4][:-10]], 5),
            (lambda ls: [*ls, ls[4]], 6),
            (lambda ls: [*ls, b"\n"], 6),
        ],
        ids=["changed", "removed", "swapped", "inserted", "cut", "repeated", "blank"],
    )
    def test_the_first_broken_line_is_named(
        self, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], line: int
    ) -> None:
        path = tmp_path / "records"
        self.write(path, 5)
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
        broken = chain.verify([path]).broken
        assert broken is not None
        assert (broken.path, broken.line) == (str(path), line)

    def test_every_single_changed_byte_is_found(self, tmp_path: Path) -> None:
        path = tmp_path / "records"
        self.write(path, 2)
        good = path.read_bytes()
        for place in range(len(good)):
            bad = bytearray(good)
            bad[place] ^= 1
            path.write_bytes(bytes(bad))
            assert chain.verify([path]).broken is not None, place


class TestJsonl:
    def test_the_chain_goes_on_over_restarts(self, tmp_path: Path) -> None:
        path = tmp_path / "records"
        for n in range(3):
            sink = JsonlSink(str(path))
            sink.write([b'{"n":%d}' % n] * 2)
            sink.close()
        verdict = chain.verify([path])
        assert (verdict.lines, verdict.broken) == (6, None)
        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_long_last_line_is_found_again(self, tmp_path: Path) -> None:
        path = tmp_path / "records"
        for _ in range(2):
            sink = JsonlSink(str(path))
            sink.write([b'{"text":"%b"}' % (b"x" * 200_000)])
            sink.close()
        assert chain.verify([path]).broken is None

    def test_a_line_cut_by_a_crash_is_removed_and_said(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "records"
        sink = JsonlSink(str(path))
        sink.write([b'{"n":1}'])
        sink.close()
        with path.open("ab") as file:
            file.write(b'{"n":2,"prev_')
        sink = JsonlSink(str(path))
        sink.write([b'{"n":3}'])
        sink.close()
        assert [line["n"] for line in lines(path)] == [1, 3]
        assert chain.verify([path]).broken is None
        assert "bytes=13" in caplog.text

    def test_rotation_and_outside_moves_keep_one_chain(self, tmp_path: Path) -> None:
        path = tmp_path / "records"
        sink = JsonlSink(str(path), rotate_bytes=1000)
        for n in range(20):
            sink.write([b'{"n":%d}' % n])
        rotated = sorted(tmp_path.glob("records.*"))
        assert len(rotated) >= 2
        moved = tmp_path / "records.zzz"
        sink.write([b'{"n":20}'])
        path.rename(moved)  # as logrotate does
        sink.write([b'{"n":21}'])
        sink.close()
        verdict = chain.verify([*rotated, moved, path])
        assert (verdict.lines, verdict.broken, verdict.first) == (22, None, chain.GENESIS)

    def test_a_rotated_file_alone_holds_too(self, tmp_path: Path) -> None:
        path = tmp_path / "records"
        sink = JsonlSink(str(path))
        sink.write([b'{"n":1}'])
        path.rename(tmp_path / "old")
        sink.write([b'{"n":2}'])
        sink.close()
        verdict = chain.verify([path])
        assert verdict.broken is None
        assert verdict.first == chain.verify([tmp_path / "old"]).last

    def test_two_writers_of_one_file_are_refused(self, tmp_path: Path) -> None:
        first, second = JsonlSink(str(tmp_path / "r")), JsonlSink(str(tmp_path / "r"))
        first.open()
        with pytest.raises(BlockingIOError, match="another process writes this file"):
            second.open()
        first.close()
        second.open()
        second.close()

    def test_standard_output(self, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        sink = JsonlSink("-")
        sink.write([b'{"n":1}', b'{"n":2}'])
        sink.close()
        out = capfdbinary.readouterr().out.splitlines()
        first, second = (json.loads(line) for line in out)
        assert first["prev_hash"] == chain.GENESIS
        assert second["prev_hash"] == first["hash"]


class BrokenSink:
    """A sink that fails on demand and keeps what it is given."""

    name = "broken"

    def __init__(self) -> None:
        self.failing = True
        self.kept: list[bytes] = []
        self.gate = threading.Event()
        self.gate.set()

    def open(self) -> None:
        if self.failing:
            raise OSError(28, "No space left on device")

    def write(self, records: Sequence[bytes]) -> None:
        self.gate.wait(5)
        self.open()
        self.kept.extend(records)

    def close(self) -> None:
        self.gate.set()


class TestRecorder:
    def test_records_arrive_in_order_and_sealed(self, tmp_path: Path) -> None:
        path = tmp_path / "records"
        counts: Counter[str] = Counter()
        recorder = Recorder(
            JsonlSink(str(path)), "h", count=lambda result, n: counts.update({result: n})
        )
        recorder.start()
        for number in range(1500):
            recorder.record(operation(number))
        recorder.close()
        assert [line["row_count"] for line in lines(path)] == list(range(1500))
        assert chain.verify([path]).broken is None
        assert counts == {"written": 1500}

    def test_a_full_queue_drops_counts_and_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        sink = BrokenSink()
        sink.failing = False
        sink.gate.clear()
        counts: Counter[str] = Counter()
        recorder = Recorder(
            sink, "h", queue_length=10, count=lambda result, n: counts.update({result: n})
        )
        for number in range(25):
            recorder.record(operation(number))
        recorder.start()
        sink.gate.set()
        wait_for(lambda: counts["written"] == 10)
        recorder.record(operation(99))
        recorder.close()
        assert counts == {"written": 11, "dropped": 15}
        assert [json.loads(r).get("lost", 0) for r in sink.kept] == [15] + [0] * 10
        assert caplog.text.count("queue is full") == 1

    def test_a_sink_that_fails_is_tried_again_and_nothing_is_lost(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("proxy.oplog.recorder.RETRY_SECONDS", 0.02)
        sink = BrokenSink()
        recorder = Recorder(sink, "h")
        recorder.start()
        for number in range(20):
            recorder.record(operation(number))
        time.sleep(0.3)
        assert recorder.problem == "broken: No space left on device"
        assert [r.levelno for r in caplog.records] == [logging.ERROR]  # once, not once a try
        sink.failing = False
        wait_for(lambda: not recorder.problem)
        recorder.close()
        assert [json.loads(r)["row_count"] for r in sink.kept] == list(range(20))

    def test_a_sink_heals_without_traffic(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("proxy.oplog.recorder.RETRY_SECONDS", 0.02)
        recorder = Recorder(JsonlSink(str(tmp_path / "later" / "records")), "h")
        recorder.start()
        assert "No such file or directory" in recorder.problem
        (tmp_path / "later").mkdir()
        wait_for(lambda: not recorder.problem)
        recorder.close()

    def test_what_a_dead_sink_leaves_is_counted_at_the_end(self) -> None:
        counts: Counter[str] = Counter()
        recorder = Recorder(BrokenSink(), "h", count=lambda result, n: counts.update({result: n}))
        recorder.start()
        recorder.record(operation())
        recorder.close()
        assert counts == {"failed": 1}

    def test_one_record_that_cannot_be_encoded_does_not_stop_the_rest(self) -> None:
        sink = BrokenSink()
        sink.failing = False
        counts: Counter[str] = Counter()
        recorder = Recorder(sink, "h", count=lambda result, n: counts.update({result: n}))
        odd = operation(1)
        odd.started = float("nan")
        recorder.start()
        recorder.record(odd)
        recorder.record(operation(2))
        recorder.close()
        assert counts == {"written": 1, "failed": 1}
        assert json.loads(sink.kept[0])["row_count"] == 2

    def test_close_gives_up_in_time(self) -> None:
        sink = BrokenSink()
        sink.failing = False
        sink.gate.clear()
        recorder = Recorder(sink, "h")
        recorder.start()
        recorder.record(operation())
        time.sleep(0.1)
        before = time.monotonic()
        recorder.close(0.2)
        assert time.monotonic() - before < 1.0
        sink.gate.set()


@pytest.mark.parametrize("truncated", [False, True])
def test_the_short_way_of_encoding_says_the_same(truncated: bool) -> None:
    """A read that went well is written from a kept form; `%` in its words must not matter."""
    done = replace(
        operation(),
        policy_version='100%d "bytes":0',
        truncated=truncated,
        row_count=3,
        bytes=12,
        affected_rows=None,
        sqlstate="",
        code="",
        total_seconds=0.0125,
        decide_seconds=0.00025,
        upstream_seconds=0.012,
    )
    encoder = Encoder("here")
    short = json.loads(encoder.encode(done))
    long = json.loads(encoder.encode(replace(done, affected_rows=0)))
    assert short["affected_rows"] is None and long["affected_rows"] == 0
    same = short.keys() - {"id", "affected_rows"}
    assert {name: short[name] for name in same} == {name: long[name] for name in same}
    assert short["duration_ms"] == 12.5 and short["row_count"] == 3
