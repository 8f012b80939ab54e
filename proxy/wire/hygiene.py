"""Removes from an upstream's replies what would show more than the result itself.

Knows the layout of three messages; knows nothing of policies. An error keeps severity, SQLSTATE,
message and hint: DETAIL and context can carry values of rows the client may not see ("Failing row
contains ..."), and its position is one in a text the client did not write. The one source routine
that drivers look for stays. A RowDescription keeps no table OIDs or column numbers: they are of the
tables behind the policy views.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final

from proxy.wire.codecs import FIELDS
from proxy.wire.messages import frame

_KEPT: Final = frozenset("SVCMH")
# asyncpg and the JDBC driver know a stale plan by the routine that found it, and prepare again.
STALE_PLAN_ROUTINE: Final = b"RevalidateCachedQuery"
_COUNT: Final = Struct("!H").unpack_from
_ORIGIN: Final = bytes(6)  # table OID and column number
_AFTER_NAME: Final = 18
_CACHED_BYTES: Final = 2048

Fields = dict[str, bytes]


def read_fields(body: bytes) -> Fields:
    """The fields of an ErrorResponse's or NoticeResponse's body. Raises Malformed."""
    return dict(FIELDS.read(body, 0)[0])


def clean_fields(tag: bytes, fields: Fields, hint: str | None = None, place: int = 0) -> bytes:
    """The frame rebuilt with only what may be told; `hint` is added when it has none, `place` is
    the position in the client's own text."""
    kept = tuple(
        (key, value)
        for key, value in fields.items()
        if key in _KEPT or (key == "R" and value == STALE_PLAN_ROUTINE)
    )
    if hint and "H" not in fields:
        kept = (*kept, ("H", hint.encode()))
    if place:
        kept = (*kept, ("P", b"%d" % place))
    return frame(tag, FIELDS.write(kept))


def clean_columns(whole: bytes) -> bytes:
    """A RowDescription frame without origins. Raises IndexError or ValueError when malformed."""
    if len(whole) <= _CACHED_BYTES:
        return _clean_columns_cached(whole)
    return _clean_columns(whole)


def _clean_columns(whole: bytes) -> bytes:
    cleaned = bytearray(whole)
    position = 7
    for _ in range(_COUNT(whole, 5)[0]):
        position = whole.index(0, position) + 1
        cleaned[position : position + 6] = _ORIGIN
        position += _AFTER_NAME
    if position != len(whole):
        raise ValueError("malformed RowDescription")
    return whole if cleaned == whole else bytes(cleaned)


# One statement's description is the same each time it runs.
_clean_columns_cached = lru_cache(maxsize=1024)(_clean_columns)
