"""Through the proxy a client sees what it would see without it, whatever it sends and however the
bytes are cut: any mix of simple and extended messages, refusals, errors, several Syncs in flight.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from struct import Struct

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from policies import reasons
from policies.decision import Allow, Decision, Write
from policies.subject import Subject
from proxy.wire.messages import (
    FROM_CLIENT,
    Bind,
    Close,
    Describe,
    Execute,
    Flush,
    Message,
    Parse,
    Query,
    Sync,
)
from tests.proxy.conversation import Conversation, TableEngine, deny
from tests.proxy.model_server import ModelServer

REFUSED = b"querywarden refused this statement"
TEXTS = [
    b"rows 0", b"rows 1", b"rows 3", b"rows 250", b"fail", b"bad", b"deny", b"begin", b"commit",
    b"rollback", b"",
]  # fmt: skip
WRITES = [b"write 2", b"give 0", b"give 1", b"give 3"]
QUERIES = [
    *TEXTS, *WRITES, b"rows 2; rows 1", b"rows 1; fail; rows 2", b"begin; rows 1", b"deny; rows 1",
    b"give 2; rows 1", b"rows 1; write 1; fail; give 1", b"begin; give 1; commit; write 1",
    b"give 1; begin; fail", b"commit; write 2; rows 2",
]  # fmt: skip
TYPES = st.sampled_from([(), (23,), (23, 25)])
NAMES = st.sampled_from([b"", b"s", b"t"])

MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.sampled_from(QUERIES).map(Query),
    st.builds(Parse, NAMES, st.sampled_from([*TEXTS, *WRITES]), TYPES),
    st.builds(Bind, NAMES, NAMES),
    st.builds(Describe, st.sampled_from([b"S", b"P"]), NAMES),
    st.builds(Execute, NAMES, st.sampled_from([0, 1, 2])),
    st.builds(Close, st.sampled_from([b"S", b"P"]), NAMES),
    st.just(Sync()),
    st.just(Flush()),
)
BINDS = st.sampled_from(
    [
        lambda name: [Bind(b"", name), Execute(), Sync()],
        lambda name: [Bind(b"", name), Describe(b"P"), Execute(), Sync()],
    ]
)
# What drivers send: the shapes that the shortcut knows are in here.
UNITS: st.SearchStrategy[list[Message]] = st.one_of(
    MESSAGES.map(lambda message: [message]),
    st.builds(
        lambda name, text, types, bind: [Parse(name, text, types), *bind(name)],
        NAMES,
        st.sampled_from([*TEXTS, *WRITES]),
        TYPES,
        BINDS,
    ),
    st.builds(lambda name, bind: bind(name), NAMES, BINDS),
)


def cut(raw: bytes, places: Iterable[int]) -> list[bytes]:
    edges = sorted({place % (len(raw) + 1) for place in places} | {0, len(raw)})
    return [raw[a:b] for a, b in pairwise(edges)]


def with_proxy(
    turns: list[bytes],
    delays: list[int],
    cuts: list[int],
    engine: TableEngine,
    server: ModelServer | None = None,
) -> tuple[bytes, Conversation, list[bytes]]:
    """What the client hears. `delays`: how many of the upstream's answers lag behind."""
    talk, server = Conversation(engine), server or ModelServer()
    heard, texts = b"", []
    answers: list[bytes] = []

    def deliver(leave: int) -> None:
        while True:
            said, talk.server.wire.written = talk.server.wire.written, b""
            texts.append(said)
            answer = server.hear(said)
            answers.extend(cut(answer, cuts))
            if len(answers) <= leave:
                return
            assert talk.server.protocol is not None
            talk.server.protocol.data_received(answers.pop(0))

    for index, turn in enumerate(turns):
        assert talk.client.protocol is not None
        talk.client.protocol.data_received(turn)
        deliver(delays[index % len(delays)] if delays else 0)
    deliver(0)
    heard, talk.client.wire.written = talk.client.wire.written, b""
    return heard, talk, texts


def decoded(raw: bytes) -> list[tuple[bytes, bytes]]:
    """(tag, body) with errors reduced to their SQLSTATE."""
    found = []
    while raw:
        stop = 1 + int.from_bytes(raw[1:5], "big")
        body = raw[5:stop]
        if raw[:1] == b"E":
            body = next(part[1:] for part in body.split(b"\0") if part.startswith(b"C"))
        found.append((raw[:1], body))
        raw = raw[stop:]
    return found


def texts_of(raw: bytes) -> list[bytes]:
    """The statement texts in what an upstream heard."""
    found = []
    while raw:
        stop = 1 + int.from_bytes(raw[1:5], "big")
        if raw[:1] in (Query.TAG, Parse.TAG):
            message = FROM_CLIENT[raw[:1]].decode(raw[5:stop])
            assert isinstance(message, Query | Parse)
            found.append(message.text)
        assert raw[:1] != b"F"
        raw = raw[stop:]
    return found


WRITE = Write(None, 100, "")
HELD = frozenset(text for text in WRITES if text != b"give 1") | {b"write 1", b"give 2"}


class Rewriting(TableEngine):
    """Allows nothing as it is; most writes are held until they are counted."""

    def __init__(self) -> None:
        super().__init__(dict(DENIALS))

    def decide(self, subject: Subject, text: bytes) -> tuple[Decision, bool]:
        if b"\0" in text:
            return deny(reasons.INVALID_TEXT), False
        decision, cached = super().decide(subject, text)
        if isinstance(decision, Allow):
            plans = tuple(
                replace(p, sql=b"allowed " + p.sql, write=WRITE if p.sql in HELD else None)
                for p in decision.statements
            )
            joined = b"; ".join(each.sql for each in plans)
            decision = replace(decision, statements=plans, text=joined)
        return decision, cached


DENIALS = {text: deny(reasons.RELATION_NOT_ALLOWED) for text in (b"deny", b"deny; rows 1")}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(UNITS, max_size=12),
    st.lists(st.integers(0, 2000), max_size=6),
    st.lists(st.integers(0, 4), max_size=4),
    st.lists(st.integers(0, 300), max_size=4),
)
@example([[Parse(b"s", b"rows 1"), Sync()], [Bind(b"", b"s"), Execute(), Sync()] * 3], [], [], [])
@example([[Parse(b"s", b"bad")], [Query(b"rows 1")], [Sync()], [Query(b"rows 1")]], [], [3], [7])
def test_the_client_sees_what_it_would_see_without_the_proxy(
    units: list[list[Message]], places: list[int], delays: list[int], cuts: list[int]
) -> None:
    units = [*units, [Sync()]]
    whole = b"".join(message.encode() for unit in units for message in unit)
    turns = cut(whole, places)
    direct = ModelServer().hear(whole)
    heard, talk, said = with_proxy(turns, delays, cuts, Rewriting())
    assert decoded(heard) == decoded(direct)
    assert not talk.session.ledger.owed and not talk.session.waiting
    # The law: nothing reaches the upstream but what the engine allowed and our own statement.
    texts = {text for raw in said for text in texts_of(raw)}
    assert not {text for text in texts - {REFUSED, b""} if not text.startswith(b"allowed ")}


_INT32 = Struct("!i")
ANY_FRAME = st.builds(
    lambda tag, body, lie: bytes([tag]) + _INT32.pack(len(body) + 4 + lie) + body,
    st.sampled_from(b"QQPPBDECSHFXdcf!"),
    st.binary(max_size=60) | st.sampled_from([b"rows 1\0", b"s\0rows 1\0\0\0", b"\0s" + bytes(7)]),
    st.sampled_from([0, 0, 0, 0, 1, -5, 2000]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ANY_FRAME, max_size=10), st.lists(st.integers(0, 700), max_size=5))
def test_whatever_a_client_sends_no_text_of_its_goes_up(
    frames: list[bytes], places: list[int]
) -> None:
    talk = Conversation(Rewriting())
    for turn in cut(b"".join(frames), places):
        if not talk.ended:
            assert talk.client.protocol is not None
            talk.client.protocol.data_received(turn)
    texts = set(texts_of(talk.server.wire.written))
    assert not {text for text in texts - {REFUSED, b""} if not text.startswith(b"allowed ")}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(UNITS, max_size=4), st.binary(max_size=200), st.lists(ANY_FRAME, max_size=5))
def test_whatever_an_upstream_sends_only_the_session_ends(
    units: list[list[Message]], said: bytes, frames: list[bytes]
) -> None:
    talk = Conversation(Rewriting())
    for unit in units:
        talk.client >> unit
    for turn in (b"".join(frames), said):
        assert talk.server.protocol is not None
        talk.server.protocol.data_received(turn)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(UNITS, max_size=10),
    st.lists(st.integers(0, 2000), max_size=6),
    st.lists(st.integers(0, 4), max_size=4),
    st.lists(st.integers(0, 300), max_size=4),
)
def test_records_do_not_depend_on_how_bytes_are_cut(
    units: list[list[Message]], places: list[int], delays: list[int], cuts: list[int]
) -> None:
    units = [*units, [Sync()]]
    turns = [b"".join(message.encode() for message in unit) for unit in units]
    _, plain, _ = with_proxy(turns, [], [], Rewriting())
    _, chopped, _ = with_proxy(cut(b"".join(turns), places), delays, cuts, Rewriting())

    def records(talk: Conversation) -> list[tuple[object, ...]]:
        return sorted(
            (o.facts.operation, o.outcome, o.sqlstate, o.row_count, o.bytes)
            for o in talk.operations
            # Refused before it was known that the upstream would skip it, or not looked at at all;
            # a name that is gone is refused by whoever knows first.
            if o.outcome != "refused" and o.sqlstate not in ("26000", "34000")
        )

    assert records(plain) == records(chopped)
