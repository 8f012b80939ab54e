"""The frame reader: same frames however the bytes are split, bounded holding, limits first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.frames import (
    BIND_HEAD,
    LARGE,
    MORE,
    SMALL,
    UPSTREAM_RULES,
    FrameReader,
    client_rules,
    skip,
)

CLIENT = client_rules(1000)


def frame(tag: str, body: bytes) -> bytes:
    return tag.encode() + (len(body) + 4).to_bytes(4, "big") + body


def read(reader: FrameReader, chunks: Iterable[bytes]) -> list[tuple[str, bytes]]:
    """Whole frames, pieces joined."""
    found: list[tuple[str, bytes]] = []
    for chunk in chunks:
        buffer, frames = reader.feed(chunk)
        for tag, start, stop, count in frames:
            piece = buffer[start:stop]
            if tag == MORE:
                found[-1] = (found[-1][0], found[-1][1] + piece)
                continue
            for _ in range(count or 1):
                end = skip(piece, 0, 1) if count else len(piece)
                found.append((chr(tag), piece[:end]))
                piece = piece[end:]
            assert not piece
    return found


BODIES = st.binary(max_size=40)
CLIENT_FRAMES = st.lists(
    st.tuples(st.sampled_from("QPBDECSHFXdcf"), BODIES).map(lambda pair: frame(*pair)), max_size=8
)
UPSTREAM_FRAMES = st.lists(
    st.tuples(st.sampled_from("DDDDCTZ12dEN"), BODIES).map(lambda pair: frame(*pair)), max_size=12
)


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


@given(CLIENT_FRAMES, st.lists(st.integers(0, 500)))
def test_split_client_bytes_give_the_same_frames(frames: list[bytes], cuts: list[int]) -> None:
    expected = [(chr(each[0]), each) for each in frames]
    assert read(FrameReader(CLIENT), split(b"".join(frames), cuts)) == expected


@given(UPSTREAM_FRAMES, st.lists(st.integers(0, 700)))
def test_split_upstream_bytes_give_the_same_frames(frames: list[bytes], cuts: list[int]) -> None:
    expected = [(chr(each[0]), each) for each in frames]
    reader = FrameReader(UPSTREAM_RULES)
    assert read(reader, split(b"".join(frames), cuts)) == expected
    assert reader.clear


def test_one_byte_at_a_time() -> None:
    frames = [frame("Q", b"SELECT 1\0"), frame("S", b""), frame("B", b"p" * 300)]
    single = [bytes([byte]) for byte in b"".join(frames)]
    assert read(FrameReader(CLIENT), single) == [(chr(each[0]), each) for each in frames]


def test_runs_of_rows_are_one_frame() -> None:
    reader = FrameReader(UPSTREAM_RULES)
    data = frame("D", b"1") * 3 + frame("C", b"x") + frame("D", b"2")
    _, frames = reader.feed(data)
    assert [(chr(tag), count) for tag, _, _, count in frames] == [("D", 3), ("C", 1), ("D", 1)]


def test_a_row_is_handed_on_as_it_comes() -> None:
    reader = FrameReader(UPSTREAM_RULES)
    row = frame("D", bytes(1_000_000))
    buffer, frames = reader.feed(row[:100])
    assert (frames, len(buffer)) == ([(ord("D"), 0, 100, 0)], 100)
    assert reader.feed(row[100:5000])[1] == [(MORE, 0, 4900, 0)]
    assert reader.feed(row[5000:] + frame("C", b""))[1] == [
        (MORE, 0, len(row) - 5000, 1),
        (ord("C"), len(row) - 5000, len(row) - 4995, 1),
    ]


def test_a_bind_is_held_only_as_far_as_its_head() -> None:
    reader = FrameReader(CLIENT)
    bind = frame("B", bytes(3 * BIND_HEAD))
    assert reader.feed(bind[:BIND_HEAD])[1] == []
    _, frames = reader.feed(bind[BIND_HEAD : 2 * BIND_HEAD])
    assert frames == [(ord("B"), 0, 2 * BIND_HEAD, 0)]
    assert reader.feed(bind[2 * BIND_HEAD :])[1][0][0] == MORE


def test_a_long_text_comes_in_pieces() -> None:
    reader = FrameReader(CLIENT)
    query = frame("Q", bytes(10_000))
    assert reader.feed(query[:2500])[1] == [(ord("Q"), 0, 2500, 0)]


@pytest.mark.parametrize("length", [-1, 0, 3, LARGE + 1, 2**31 - 1, -(2**31)])
def test_impossible_lengths(length: int) -> None:
    reader = FrameReader(CLIENT)
    reader.feed(frame("S", b"") + b"Q" + length.to_bytes(4, "big", signed=True))
    assert reader.error is not None and reader.error.tag is None
    assert reader.feed(frame("S", b"")) == (b"", [])


def test_small_messages_have_a_small_limit() -> None:
    reader = FrameReader(CLIENT)
    reader.feed(b"E" + (SMALL + 1).to_bytes(4, "big"))
    assert reader.error is not None


@pytest.mark.parametrize("tag", [0, 1, ord("Z"), ord("p"), 255])
def test_unknown_tags(tag: int) -> None:
    reader = FrameReader(CLIENT)
    _, frames = reader.feed(frame("S", b"") + bytes([tag, 0, 0, 0, 4]))
    assert [chr(each[0]) for each in frames] == ["S"]
    assert reader.error is not None and reader.error.tag == tag


def test_a_frame_before_an_error_in_the_same_read_is_kept() -> None:
    reader = FrameReader(UPSTREAM_RULES)
    _, frames = reader.feed(frame("D", b"") + b"D\xff\xff\xff\xff")
    assert len(frames) == 1 and reader.error is not None
