"""proxy/oplog/images.py: each half of an image as PostgreSQL wrote it, and never too much."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.oplog.images import MOST_BYTES, MOST_ROWS, Images

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.none() | st.dictionaries(st.text(), VALUES, max_size=4)


def kept(text: bytes) -> tuple[list[bytes], list[bytes], bool]:
    images = Images()
    images.add(text)
    return images.before, images.after, images.truncated


def test_numbers_are_kept_to_the_last_digit() -> None:
    before, after, truncated = kept(
        b'{"before" : {"n":0.10000000000000000001}, "after" : {"n":1e400}}'
    )
    assert (before, after, truncated) == (
        [b'{"n":0.10000000000000000001}'],
        [b'{"n":1e400}'],
        False,
    )


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (b'{"after": {"a": 2}, "before": {"a": 1}}', b'{"a": 1}', b'{"a": 2}'),
        (b'{"before": {"a": 1}}', b'{"a": 1}', b"null"),
        (b'{"after": {"a": 1}}', b"null", b'{"a": 1}'),
        (b'{"after": {}, "before": null}', b"null", b"{}"),
        (b'{"after": {"b": "}:\\""}, "before": {":": ":"}}', b'{":": ":"}', b'{"b": "}:\\""}'),
    ],
)
def test_the_halves_come_in_any_order_or_alone(text: bytes, before: bytes, after: bytes) -> None:
    assert kept(text) == ([before], [after], False)


@given(before=ROWS, after=ROWS, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_any_two_rows_come_apart_where_they_meet(
    before: object, after: object, indent: int | None, ascii_only: bool
) -> None:
    whole = {"before": before, "after": after}
    text = json.dumps(whole, indent=indent, ensure_ascii=ascii_only)
    first, second, truncated = kept(text.encode("utf-8", "surrogatepass"))
    if truncated:  # a lone surrogate is no UTF-8
        assert (first, second) == ([], [])
        return
    assert [json.loads(half) for half in (*first, *second)] == [before, after]
    assert b"\n" not in first[0] + second[0]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"null",
        b'{"before":{},"after":1}',
        b'{"before":[],"after":{}}',
        b'{"before":{},"after":{},"more":1}',
        b'{"before":{},"after":{}}x',
        b'{"before":{"a":NaN},"after":{}}',
        b'{"before":{"a":"\xff"},"after":{}}',
        b'{"before":{},"after":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
    ],
)
def test_what_is_no_image_is_left_out_and_said(text: bytes) -> None:
    assert kept(text) == ([], [], True)


def test_so_many_rows_and_no_more() -> None:
    images = Images()
    for _ in range(MOST_ROWS):
        images.add(b'{"before":null,"after":{}}')
    assert (len(images.before), images.truncated) == (MOST_ROWS, False)
    images.add(b'{"before":null,"after":{}}')
    assert (len(images.after), images.truncated) == (MOST_ROWS, True)


def test_so_many_bytes_and_no_more() -> None:
    images = Images()
    images.add(b'{"before":null,"after":{"a":"%b"}}' % (b"x" * MOST_BYTES))
    images.add(b'{"before":null,"after":{}}')  # nothing behind a gap
    assert (images.before, images.truncated) == ([], True)
