"""COPY data going out: rows are counted, and what is beyond the cap is left out."""

from __future__ import annotations

import pytest

from proxy.wire.copies import CopiedRows
from proxy.wire.frames import UPSTREAM_RULES, FrameReader
from proxy.wire.messages import CopyData

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = CopyData(b"\xff\xff").encode()


def frames(count: int, *, header: bool = False, binary: bool = False) -> list[bytes]:
    """What PostgreSQL sends for that many rows."""
    rows = [b"\0\1\0\0\0\4" + b"%4d" % n if binary else b"%d\tx\n" % n for n in range(count)]
    if binary:
        rows = [SIGNATURE + row if n == 0 else row for n, row in enumerate(rows)]
        last = TRAILER if rows else CopyData(SIGNATURE + b"\xff\xff").encode()
        return [*(CopyData(row).encode() for row in rows), last]
    return [CopyData(row).encode() for row in ([b"id\tx\n"] if header else []) + rows]


def passed(sent: bytes, size: int, copied: CopiedRows) -> bytes:
    """What is passed on of `sent`, read in pieces of `size` bytes."""
    reader, kept = FrameReader(UPSTREAM_RULES), b""
    for begin in range(0, len(sent), size):
        buffer, found = reader.feed(sent[begin : begin + size])
        for tag, start, stop, count in found:
            first, last, instead = stop, stop, b""
            if tag:
                first, last, instead = copied.take(buffer, start, stop, count)
            elif copied.dropping:
                first, last = start, stop
            kept += buffer[start:first] + instead + buffer[last:stop]
    return kept


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 11, 1000])
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize(("header", "binary"), [(False, False), (True, False), (False, True)])
def test_no_more_rows_than_the_cap(rows: int, header: bool, binary: bool, size: int) -> None:
    copied = CopiedRows(3, None, header=header, binary=binary)
    sent = frames(rows, header=header, binary=binary)
    expected = sent[: 3 + header]
    if binary and rows:
        expected = [*sent[: min(rows, 3)], TRAILER]
    assert passed(b"".join(sent), size, copied) == b"".join(expected)
    assert copied.left_out == max(0, rows - 3)
    if rows >= 3 or not binary:
        assert copied.rows == min(rows, 3)


@pytest.mark.parametrize("size", [1, 9, 1000])
def test_without_a_cap_everything_passes(size: int) -> None:
    copied = CopiedRows(None, None, header=True, binary=False)
    sent = b"".join(frames(50, header=True))
    assert passed(sent, size, copied) == sent
    assert (copied.rows, copied.left_out, copied.dropping) == (50, 0, False)


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 1000])
@pytest.mark.parametrize("most", [0, 1, 5, 15, 30, 31, 33, 40, 46, 62, 77, 100])
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 9])
@pytest.mark.parametrize(("header", "binary"), [(False, False), (True, False), (False, True)])
def test_no_more_bytes_than_the_limit(
    rows: int, header: bool, binary: bool, most: int, size: int
) -> None:
    copied = CopiedRows(5, most, header=header, binary=binary)
    sent = frames(rows, header=header, binary=binary)
    begin, end = sent[:header], [TRAILER] if binary and rows else []
    fitting = sent[header : rows + header][:5]
    while sum(map(len, fitting)) > most:
        fitting.pop()
    if binary and rows and not fitting:
        begin = [CopyData(SIGNATURE).encode()]
    elif binary and not rows:
        end = sent
    assert passed(b"".join(sent), size, copied) == b"".join([*begin, *fitting, *end])
    assert copied.left_out == rows - len(fitting)
