"""Takes the last column out of a result, and asks for one more: frames in, frames out.

An upstream may be asked for a column its client does not know of. Knows the layout of Bind,
RowDescription and DataRow (manual, 54.7); knows nothing of what the column is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from proxy.wire.codecs import Malformed
from proxy.wire.frames import HEADER, HEADER_SIZE
from proxy.wire.messages import Bind, DataRow, RowDescription


def frames_in(run: bytes) -> Iterator[bytes]:
    """Each whole frame of bytes that begin with one; what is left of the last one is dropped."""
    position, end = 0, len(run)
    while end - position >= HEADER_SIZE:
        stop = position + 1 + HEADER(run, position)[1]
        if stop > end:
            return
        yield run[position:stop]
        position = stop


def description_without(whole: bytes) -> bytes:
    """A RowDescription frame without its last column. Raises Malformed."""
    columns = RowDescription.decode(whole[HEADER_SIZE:]).columns
    return RowDescription(columns[:-1]).encode()


def row_without(whole: bytes) -> tuple[bytes, bytes]:
    """A DataRow frame without its last column, and that one's value (b"" for NULL). Raises
    Malformed."""
    body = whole[HEADER_SIZE:]
    values = DataRow.decode(body).values
    if not values:
        raise Malformed("insufficient data left in message")
    return DataRow(values[:-1]).encode(), values[-1] or b""


def bind_with_one_more(whole: bytes) -> bytes:
    """A Bind frame whose formats fit a result with one column more, which is text. One format for
    all columns stays that: JSON as text has the same bytes in both."""
    try:
        bind = Bind.decode(whole[HEADER_SIZE:])
    except Malformed:
        return whole  # the upstream says what is wrong with it
    if len(bind.result_formats) < 2:
        return whole
    return replace(bind, result_formats=(*bind.result_formats, 0)).encode()


def bind_without_formats(whole: bytes) -> bytes:
    """A Bind frame of a statement without a result, whose formats PostgreSQL does not look at."""
    try:
        bind = Bind.decode(whole[HEADER_SIZE:])
    except Malformed:
        return whole
    return replace(bind, result_formats=()).encode() if bind.result_formats else whole
