"""A column more than the client knows of, asked for and taken out again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.codecs import Column, Malformed
from proxy.wire.last_column import (
    bind_with_one_more,
    bind_without_formats,
    description_without,
    frames_in,
    row_without,
)
from proxy.wire.messages import Bind, DataRow, RowDescription

VALUES = st.lists(st.none() | st.binary(max_size=20), min_size=1, max_size=8)


@given(VALUES)
def test_a_row_loses_its_last_value(values: list[bytes | None]) -> None:
    row, last = row_without(DataRow(tuple(values)).encode())
    assert row == DataRow(tuple(values[:-1])).encode() and last == (values[-1] or b"")


def test_a_row_without_columns_is_no_such_row() -> None:
    with pytest.raises(Malformed):
        row_without(DataRow().encode())


def test_a_description_loses_its_last_column() -> None:
    columns = Column(b"a"), Column(b"b", format=1), Column(b"ours")
    whole = RowDescription(columns).encode()
    assert description_without(whole) == RowDescription(columns[:2]).encode()


@given(st.lists(st.binary(max_size=30).map(lambda value: DataRow((value,)).encode())), st.data())
def test_frames_are_found_whole(frames: list[bytes], data: st.DataObject) -> None:
    run = b"".join(frames)
    assert list(frames_in(run)) == frames
    cut = data.draw(st.integers(0, len(run)))
    found = list(frames_in(run[:cut]))
    assert found == frames[: len(found)] and len(b"".join(found)) <= cut


@pytest.mark.parametrize("given_, wanted", [
    ((), ()), ((0,), (0,)), ((1,), (1,)), ((1, 1), (1, 1, 0)), ((0, 1, 0), (0, 1, 0, 0)),
])  # fmt: skip
def test_formats_of_a_bind(given_: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    bind = Bind(b"p", b"s", (1,), (b"x", None), given_)
    changed = bind_with_one_more(bind.encode())
    assert changed == Bind(b"p", b"s", (1,), (b"x", None), wanted).encode()
    assert bind_without_formats(bind.encode()) == Bind(b"p", b"s", (1,), (b"x", None)).encode()


@given(st.binary(max_size=40))
def test_what_is_no_bind_goes_up_as_it_is(body: bytes) -> None:
    whole = b"B" + (len(body) + 4).to_bytes(4, "big") + body
    for change in (bind_with_one_more, bind_without_formats):
        try:
            Bind.decode(body)
        except Malformed:
            assert change(whole) == whole
