"""The usual round trip, recognised whole: a statement prepared and run, run again, or a Query.

A shortcut and nothing else: it changes nothing until it has seen the complete shape, and whatever
does not fit it goes the long way through `requests` and `replies`, which give the same result (the
tests cut the same bytes to compare). It exists because this shape is most of what an application
sends and the work per message is what a proxy adds.
"""

from __future__ import annotations

from struct import error as TooShort
from time import perf_counter, time
from typing import Final

from policies.decision import Allow, Decision
from proxy.net.session import Session
from proxy.net.standing import check_parse
from proxy.net.statement import Statement
from proxy.wire import hygiene
from proxy.wire.frames import HEADER, HEADER_SIZE, run
from proxy.wire.ledger import QUERY, ROUND, Arrival
from proxy.wire.messages import BindComplete, Describe, Execute, ParseComplete, Sync
from proxy.wire.names import NAME_BYTES
from proxy.wire.phases import Phase

_QUERY: Final = ord("Q")
_PARSE: Final = ord("P")
_BIND: Final = ord("B")
_DESCRIBE: Final = ord("D")
_BODY: Final = HEADER_SIZE

# What follows a Bind of the unnamed portal in drivers built on libpq, and in the others.
_RUN: Final = Execute().encode() + Sync().encode()
_DESCRIBE_AND_RUN: Final = Describe(b"P").encode() + _RUN
_TAILS: Final = (_DESCRIBE_AND_RUN, _RUN)

# What the ledger calls them: without and with a Parse, without and with a Describe.
_PARTS: Final = ((b"", b"D"), (b"P", b"PD"))

_BOUND: Final = BindComplete().encode()
_PARSED_AND_BOUND: Final = ParseComplete().encode() + _BOUND
_COLUMNS: Final = ord("T")
_ROW: Final = ord("D")
_COMPLETE: Final = ord("C")
# Rows only: a tag that counts changes is read on the long way.
_SELECT: Final = b"SELECT "
_READY: Final = b"Z\0\0\0\5"
_READY_SIZE: Final = 6
_LEAST: Final = 4  # a frame's length counts itself; one that points backwards would never end
_IDLE: Final = ord("I")


# A decision made for a Parse or Query that then did not fit: the long way need not make it again.
# (decision, seconds, whether it was cached)
Decided = tuple[Decision, float, bool]


def send(session: Session, data: bytes, longest: int) -> tuple[int, Decided | None]:
    """Acts on the rounds (or the Query) `data` begins with and sends them; says where they end. The
    Decided is of the Parse or Query that stands there. `longest`: the limit of those two."""
    ledger = session.ledger
    # Rounds stand only at the head of the ledger, so `Ledger.unroll` finds them all.
    if ledger.phase is not Phase.READY or (ledger.owed and ledger.owed[-1][0] != ROUND):
        return 0, None
    if session.metered or session.unsettled:
        return 0, None
    if data[0] == _QUERY:
        return _send_query(session, data, longest)
    upstream = session.upstream
    position, end, sent = 0, len(data), 0
    arrival: Arrival | None = None
    decided: Decided | None = None
    while end - position > _BODY:
        bind = position
        tag, length = HEADER(data, bind)
        stop = bind + 1 + length
        if tag == _PARSE and _LEAST <= length < longest and stop + _BODY < end:
            bind = stop
            tag, length = HEADER(data, bind)
            stop = bind + 1 + length
        # The unnamed portal: the first name is empty.
        if tag != _BIND or length < _LEAST or data[bind + _BODY]:
            break
        if not data.startswith(_TAILS, stop):
            break
        last = data.find(0, bind + _BODY + 1, stop)
        name = data[bind + _BODY + 1 : last]
        if last < 0 or len(name) > NAME_BYTES:
            break
        if arrival is None:
            arrival = (time(), perf_counter())
        if bind == position:
            statement = session.names.statements.get(name)
            if statement is None or not statement.settled or statement.special:
                break
            if statement.snapshot is not session.snapshot:
                break
        else:
            parse = _read_parse(data, position + _BODY, bind, name)
            if parse is None:
                break
            text, types = parse
            decided = session.decide(text)
            statement = _prepared(session, text, types, decided)
            if statement is None:
                break
            decided = None
            if position > sent:
                upstream.forward(data, sent, position)
            upstream.parse(name, statement.allow, types)
            session.names.parse_sent(name, statement, ledger.group)
            sent = bind
        described = data[stop] == _DESCRIBE
        parts = _PARTS[bind != position][described]
        session.names.portals[b""] = (statement, ledger.group)
        ledger.owed.append((ROUND, parts, statement, arrival, name))
        ledger.group += 1
        position = stop + (len(_DESCRIBE_AND_RUN) if described else len(_RUN))
    if sent == 0 and position == end:
        upstream.pass_on(data)
    elif position:
        upstream.forward(data, sent, position)
        upstream.flush()
    return position, decided


def _send_query(session: Session, data: bytes, longest: int) -> tuple[int, Decided | None]:
    """The same when `data` is one Query and nothing else."""
    if not _BODY < len(data) <= longest or HEADER(data)[1] + 1 != len(data) or data[-1]:
        return 0, None
    text = data[_BODY:-1]
    arrival = time(), perf_counter()
    decided = allow, seconds, cached = session.decide(text)
    if not isinstance(allow, Allow):
        return 0, decided
    statement = Statement(text, allow, session.snapshot, seconds, cached)
    if statement.special:
        return 0, decided
    session.names.query_sent()
    session.ledger.sync_sent((QUERY, b"", statement, arrival, b""))
    session.upstream.query(allow)
    session.upstream.flush()
    return len(data), None


def _read_parse(data: bytes, start: int, stop: int, name: bytes) -> tuple[bytes, bytes] | None:
    """Text and parameter types in a well-formed Parse's body, when it prepares `name`."""
    if not data.startswith(name + b"\0", start):
        return None
    start += len(name) + 1
    end = data.find(0, start, stop)
    types = data[end + 1 : stop]
    if end < 0 or len(types) != 2 + 4 * int.from_bytes(types[:2], "big"):
        return None
    return data[start:end], types


def _prepared(session: Session, text: bytes, types: bytes, decided: Decided) -> Statement | None:
    decision, seconds, cached = decided
    if not isinstance(decision, Allow) or not decision.statements:
        return None
    if check_parse(session, decision, text, types) is not decision:
        return None
    statement = Statement(text, decision, session.snapshot, seconds, cached, types=types)
    return None if statement.special else statement


def receive(session: Session, data: bytes) -> int:
    """Passes on the answers `data` begins with, when they are whole and nothing in them is out of
    the ordinary; returns where they end."""
    owed = session.ledger.owed
    position, end = 0, len(data)
    now = perf_counter()
    out: list[bytes] = []
    kept = 0
    while owed and position < end:
        kind, parts, statement, arrival, name = owed[0]
        if statement is None or (plan := statement.plan) is None or plan.forget is not None:
            break
        if statement.special:
            break
        if kind == ROUND:
            confirmed = _PARSED_AND_BOUND if b"P" in parts else _BOUND
            if not data.startswith(confirmed, position):
                break
            columns = position + len(confirmed)
            described = b"D" in parts
        elif kind == QUERY and len(statement.allow.statements) == 1:
            columns, described = position, True
        else:
            break
        shape = _result(data, columns, end, described)
        if shape is None:
            break
        rows, complete, ready, count = shape
        if statement.cap is not None and count > statement.cap:
            break
        if complete - rows > statement.most_bytes:
            break
        if described and session.enforcing:
            whole = data[columns:rows]
            cleaned = hygiene.clean_columns(whole)
            if cleaned is not whole:
                out += (data[kept:columns], cleaned)
                kept = rows
        owed.popleft()
        if kind == QUERY:
            session.names.query_settled()
        elif b"P" in parts:
            session.names.parse_settled(name, statement)
        session.ended(statement, plan, arrival, now, rows=count, size=complete - rows)
        session.status = data[ready + _BODY]
        if session.writes.open:
            session.writes.ready(session.status == _IDLE)
        if session.status == _IDLE and not owed:
            session.names.transaction_ended()
        position = ready + _READY_SIZE
    if out:
        out.append(data[kept:position])
        session.client.write(b"".join(out))
    elif position:
        session.client.write(data if position == end else data[:position])
    return position


def _result(data: bytes, at: int, end: int, described: bool) -> tuple[int, int, int, int] | None:
    """Where rows, CommandComplete and ReadyForQuery stand and how many rows there are; None unless
    all of it is there and nothing else."""
    try:
        tag, length = HEADER(data, at)
        if described:
            if tag != _COLUMNS:
                return None
            at += 1 + length
            tag, length = HEADER(data, at)
        complete, count = at, 0
        if tag == _ROW:
            complete, count = run(data, _ROW, at + 1 + length, end)
            tag, length = HEADER(data, complete)
    except TooShort:
        return None
    ready = complete + 1 + length
    if (
        tag != _COMPLETE
        or not data.startswith(_SELECT, complete + _BODY)
        or not data.startswith(_READY, ready)
        or end - ready < _READY_SIZE
    ):
        return None
    return at, complete, ready, count
