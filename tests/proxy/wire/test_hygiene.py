"""What is removed from errors, notices and row descriptions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.codecs import Column
from proxy.wire.hygiene import clean_columns, clean_fields, read_fields
from proxy.wire.messages import ErrorResponse, RowDescription

EVERY_FIELD = "SVCMDHPpqWstcdnFLR"


def test_only_severity_state_message_and_hint_stay() -> None:
    error = ErrorResponse(tuple((key, key.encode()) for key in EVERY_FIELD))
    cleaned = ErrorResponse.decode(clean_fields(b"E", read_fields(error.encode()[5:]))[5:])
    assert [key for key, _ in cleaned.fields] == ["S", "V", "C", "M", "H"]


def test_the_routine_drivers_look_for_stays() -> None:
    for routine, kept in ((b"RevalidateCachedQuery", True), (b"ExecConstraints", False)):
        assert ("R" in read_fields(clean_fields(b"E", {"C": b"0A000", "R": routine})[5:])) is kept


def test_a_hint_is_added_only_when_there_is_none() -> None:
    without = clean_fields(b"E", {"C": b"42703"}, "columns: a, b")
    assert read_fields(without[5:])["H"] == b"columns: a, b"
    with_one = clean_fields(b"E", {"C": b"42703", "H": b"theirs"}, "columns: a, b")
    assert read_fields(with_one[5:])["H"] == b"theirs"


COLUMNS = st.builds(
    Column,
    st.binary(max_size=10).map(lambda raw: raw.replace(b"\0", b".")),
    st.integers(0, 2**32 - 1),
    st.integers(0, 1600),
    st.integers(0, 2**32 - 1),
)


@given(st.lists(COLUMNS, max_size=8))
def test_origins_are_zero_and_nothing_else_changes(columns: list[Column]) -> None:
    cleaned = RowDescription.decode(clean_columns(RowDescription(tuple(columns)).encode())[5:])
    expected = tuple(Column(c.name, 0, 0, c.type, c.size, c.modifier, c.format) for c in columns)
    assert cleaned.columns == expected


def test_a_long_description_is_cleaned_too() -> None:
    columns = tuple(Column(b"column%d" % i, 16400, i) for i in range(500))
    cleaned = RowDescription.decode(clean_columns(RowDescription(columns).encode())[5:])
    assert {(column.table, column.number) for column in cleaned.columns} == {(0, 0)}


def test_nothing_to_clean_is_the_same_object() -> None:
    raw = RowDescription((Column(b"a"),)).encode()
    assert clean_columns(raw) is raw


@pytest.mark.parametrize("raw", [b"T\0\0\0\6\0\1", b"T\0\0\0\x08\0\1a\0", b"T\0\0\0\x07\0\0x"])
def test_a_malformed_description_is_not_passed(raw: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        clean_columns(raw)
