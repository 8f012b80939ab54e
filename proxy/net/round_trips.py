"""The usual round trip, recognised whole: a prepared statement run once, a Query of one statement.

A shortcut and nothing else: it changes nothing until it has seen the complete shape, and whatever
does not fit it goes the long way through `requests` and `replies`, which give the same result (the
tests split the same bytes to compare). It exists because this shape is most of what an application
sends and the work per message is what a proxy adds.
"""

from __future__ import annotations

from struct import error as TooShort
from time import perf_counter, time
from typing import Final

from proxy.net.session import Session
from proxy.wire import hygiene
from proxy.wire.frames import HEADER, run
from proxy.wire.ledger import QUERY, ROUND
from proxy.wire.messages import BindComplete, Describe, Execute, Sync
from proxy.wire.names import NAME_BYTES
from proxy.wire.phases import Phase

_BIND: Final = ord("B")
_DESCRIBE: Final = ord("D")
_BODY: Final = 5

# What follows a Bind of the unnamed portal in drivers built on libpq, and in the others.
_RUN: Final = Execute().encode() + Sync().encode()
_DESCRIBE_AND_RUN: Final = Describe(b"P").encode() + _RUN
_TAILS: Final = (_DESCRIBE_AND_RUN, _RUN)

_BOUND: Final = BindComplete().encode()
_COLUMNS: Final = ord("T")
_ROW: Final = ord("D")
_COMPLETE: Final = ord("C")
# Rows only: a tag that counts changes is read on the long way.
_SELECT: Final = b"SELECT "
_READY: Final = b"Z\0\0\0\5"
_READY_SIZE: Final = 6
_IDLE: Final = ord("I")


def send(session: Session, data: bytes) -> int:
    """Acts on the rounds `data` begins with and returns where they end. Forwards nothing."""
    ledger = session.ledger
    owed = ledger.owed
    # Rounds stand only at the head of the ledger, so `Ledger.unroll` finds them all.
    if ledger.phase is not Phase.READY or (owed and owed[-1][0] != ROUND):
        return 0
    names = session.names
    snapshot = session.snapshot
    position, end = 0, len(data)
    arrival = None
    while end - position > _BODY:
        tag, length = HEADER(data, position)
        stop = position + 1 + length
        # The unnamed portal: the first name is empty.
        if tag != _BIND or data[position + _BODY] or not data.startswith(_TAILS, stop):
            break
        last = data.find(0, position + _BODY + 1, stop)
        name = data[position + _BODY + 1 : last]
        statement = names.statements.get(name)
        if (
            statement is None
            or last < 0
            or len(name) > NAME_BYTES
            or not statement.settled
            or statement.snapshot is not snapshot
            or statement.may_copy
        ):
            break
        if arrival is None:
            arrival = (time(), perf_counter())
        described = data[stop] == _DESCRIBE
        names.portals[b""] = (statement, ledger.group)
        owed.append((ROUND, b"D" if described else b"", statement, arrival, b""))
        ledger.group += 1
        position = stop + (len(_DESCRIBE_AND_RUN) if described else len(_RUN))
    return position


def receive(session: Session, data: bytes) -> int:
    """Passes on the answers `data` begins with, when they are whole and nothing in them is out of
    the ordinary; returns where they end."""
    owed = session.ledger.owed
    position, end = 0, len(data)
    now = perf_counter()
    out: list[bytes] = []
    kept = 0
    while owed and position < end:
        entry = owed[0]
        statement = entry[2]
        if statement is None or (plan := statement.plan) is None or plan.forget is not None:
            break
        if entry[0] == ROUND:
            if not data.startswith(_BOUND, position):
                break
            rows_at = position + _BODY
            described = entry[1]
        elif entry[0] == QUERY and len(statement.allow.statements) == 1:
            rows_at = position
            described = b"D"
        else:
            break
        columns_at = rows_at
        try:
            tag, length = HEADER(data, rows_at)
            if described:
                if tag != _COLUMNS:
                    break
                rows_at += 1 + length
                tag, length = HEADER(data, rows_at)
            count, stop = 0, rows_at
            if tag == _ROW:
                stop, count = run(data, _ROW, rows_at + 1 + length, end)
                tag, length = HEADER(data, stop)
        except TooShort:
            break
        ready = stop + 1 + length
        if (
            tag != _COMPLETE
            or not data.startswith(_SELECT, stop + _BODY)
            or not data.startswith(_READY, ready)
            or end - ready < _READY_SIZE
            or (statement.cap is not None and count > statement.cap)
        ):
            break
        if described and session.enforcing:
            whole = data[columns_at:rows_at]
            cleaned = hygiene.clean_columns(whole)
            if cleaned is not whole:
                out += (data[kept:columns_at], cleaned)
                kept = rows_at
        owed.popleft()
        session.ended(statement, plan, entry[3], now, rows=count, size=stop - rows_at)
        if entry[0] == QUERY:
            session.names.query_settled()
        status = data[ready + _BODY]
        session.status = status
        if status == _IDLE and not owed:
            session.names.transaction_ended()
        position = ready + _READY_SIZE
    if out:
        out.append(data[kept:position])
        session.client.write(b"".join(out))
    elif position:
        session.client.write(data if position == end else data[:position])
    return position
