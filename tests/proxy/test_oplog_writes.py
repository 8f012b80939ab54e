"""proxy/oplog/encode.py and proxy/oplog/operation.py: what a record says of a write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.decision import Facts
from policies.subject import Subject
from proxy.oplog.encode import Encoder
from proxy.oplog.operation import InvariantChecked, Operation, Origin

ORIGIN = Origin("s1", Subject("agent", tenant=7), "shop", "psql", "127.0.0.1:5000", "scram-sha-256")
FACTS = Facts(operation="update", entities=("orders",), affected_fields=("orders.status",))


def operation(**fields: Any) -> Operation:
    made = Operation(ORIGIN, FACTS, "rewrite", "abc123abc123", 1_700_000_000.25)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def encoded(**fields: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(Encoder("host-1").encode(operation(**fields)))
    return record


def test_who_agreed_and_what_was_looked_at() -> None:
    checked = [InvariantChecked("in_30_days", "statement", "held")]
    record = encoded(affected_rows=1, approval_id="a-1", invariants_checked=checked)
    assert record["affected_fields"] == ["orders.status"]
    assert record["approval_id"] == "a-1"
    assert record["invariants_checked"] == [
        {"name": "in_30_days", "enforced_by": "statement", "result": "held"}
    ]
    assert not {"before", "after", "images_truncated"} & set(record)


def test_a_long_reason_is_cut() -> None:
    record = encoded(reason="ticket 7 " * 1000)
    assert record["reason"].startswith("ticket 7 ticket") and len(record["reason"]) < 1100


def test_images_are_kept_to_the_last_digit() -> None:
    one = operation(before=[b'{"price":0.10000000000000000001}'], after=[b'{"price":1}'])
    line = Encoder("host-1").encode(one)
    assert b'"before":[{"price":0.10000000000000000001}],"after":[{"price":1}]' in line
    assert json.loads(line)["images_truncated"] is False


def test_images_stand_in_a_record_that_has_odd_text() -> None:
    record = encoded(reason="bad\udcff", before=[b'{"id":1}'], images_truncated=True)
    assert (record["reason"], record["before"], record["after"]) == ("bad?", [{"id": 1}], [])
    assert record["images_truncated"] is True


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("affected_rows", 1),
        ("reason", "because"),
        ("approval_id", "a-1"),
        ("invariants_checked", (InvariantChecked("i", "constraint", "unknown"),)),
        ("before", []),
        ("after", []),
    ],
)
def test_nothing_of_one_operation_is_said_of_the_next(field: str, value: object) -> None:
    encoder = Encoder("host-1")
    plain, special = operation(), operation(**{field: value})
    said = [json.loads(encoder.encode(one)) for one in (plain, special, plain)]
    for record in said:
        del record["id"]
    assert said[0] == said[2] != said[1]
