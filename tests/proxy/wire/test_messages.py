"""Every message: its bytes as the manual gives them, a round trip, and bodies that are wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire import codecs, messages
from proxy.wire.codecs import PAIRS, Codec, Column, Malformed
from proxy.wire.messages import Message

TEXT = st.binary(max_size=20).map(lambda raw: raw.replace(b"\0", b"."))
NOT_EMPTY = TEXT.filter(bool)
VALUE = st.none() | st.binary(max_size=20)
INT16 = st.integers(-(2**15), 2**15 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
OID = st.integers(0, 2**32 - 1)


def many(each: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(each, max_size=5).map(tuple)


STRATEGIES: dict[int, st.SearchStrategy[Any]] = {
    id(codecs.INT16): INT16,
    id(codecs.INT32): INT32,
    id(codecs.OID): OID,
    id(codecs.BYTE): st.binary(min_size=1, max_size=1),
    id(codecs.STRING): TEXT,
    id(codecs.REST): st.binary(max_size=30),
    id(codecs.VALUE): VALUE,
    id(codecs.VALUES): many(VALUE),
    id(codecs.FORMATS): many(INT16),
    id(codecs.TYPES): many(OID),
    id(codecs.COUNTED_STRINGS): many(TEXT),
    id(codecs.FIELDS): many(st.tuples(st.sampled_from("SVCMDHPpqWstcdnFLR"), TEXT)),
    id(codecs.COLUMNS): many(st.builds(Column, TEXT, OID, INT16, OID, INT16, INT32, INT16)),
}
KINDS = sorted(
    {*messages.FROM_CLIENT.values(), *messages.FROM_UPSTREAM.values(), messages.SaslInitial},
    key=lambda kind: kind.__name__,
)


def built(kind: type[Message]) -> st.SearchStrategy[Message]:
    return st.builds(kind, *(STRATEGIES[id(codec)] for codec in kind.LAYOUT))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_round_trip(kind: type[Message]) -> None:
    @given(built(kind))
    def holds(message: Message) -> None:
        raw = message.encode()
        assert raw[:1] == kind.TAG
        assert int.from_bytes(raw[1:5], "big") == len(raw) - 1
        assert kind.decode(raw[5:]) == message

    holds()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_shortened_body_is_malformed_or_another_message(kind: type[Message]) -> None:
    @given(built(kind), st.data())
    def holds(message: Message, data: st.DataObject) -> None:
        body = message.encode()[5:]
        cut = body[: data.draw(st.integers(0, max(len(body) - 1, 0)))]
        try:
            assert kind.decode(cut).encode()[5:] == cut
        except Malformed:
            assert body

    holds()


@pytest.mark.parametrize("codec", [codecs.STRINGS, PAIRS])
def test_lists_that_end_with_a_zero(codec: Codec[Any]) -> None:
    with pytest.raises(Malformed):
        codec.read(b"a\0b\0", 0)


EXAMPLES = [
    (messages.Query(b"SELECT 1"), b"Q\0\0\0\rSELECT 1\0"),
    (messages.Parse(b"s", b"SELECT $1", (23,)), b"P\0\0\0\x16s\0SELECT $1\0\0\1\0\0\0\x17"),
    (
        messages.Bind(b"", b"s", (1,), (b"\0\0\0\7", None), (0,)),
        b"B\0\0\0\x1d\0s\0\0\1\0\1\0\2\0\0\0\4\0\0\0\7\xff\xff\xff\xff\0\1\0\0",
    ),
    (messages.Describe(b"P"), b"D\0\0\0\6P\0"),
    (messages.Execute(b"", 5), b"E\0\0\0\x09\0\0\0\0\5"),
    (messages.Close(b"S", b"s"), b"C\0\0\0\7Ss\0"),
    (messages.Sync(), b"S\0\0\0\4"),
    (messages.Authentication(10, b"SCRAM-SHA-256\0\0"), b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0"),
    (messages.BackendKeyData(7, b"abcd"), b"K\0\0\0\x0c\0\0\0\7abcd"),
    (messages.ReadyForQuery(b"T"), b"Z\0\0\0\5T"),
    (messages.DataRow((b"1", None)), b"D\0\0\0\x0f\0\2\0\0\0\x011\xff\xff\xff\xff"),
    (messages.ErrorResponse((("C", b"42501"),)), b"E\0\0\0\x0cC42501\0\0"),
    (messages.NegotiateProtocolVersion(196608, (b"_pq_.x",)),
     b"v\0\0\0\x13\0\3\0\0\0\0\0\1_pq_.x\0"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "raw"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_bytes_of_the_manual(message: Message, raw: bytes) -> None:
    assert message.encode() == raw


def test_left_over_bytes_are_malformed() -> None:
    with pytest.raises(Malformed, match="invalid message format"):
        messages.Query.decode(b"SELECT 1\0x")


def test_the_first_packet() -> None:
    raw = messages.startup({"user": "u"})
    assert raw == b"\0\0\0\x10\0\3\0\0user\0u\0\0"
    assert messages.startup_parameters(raw[8:]) == ((b"user", b"u"),)
    for body in (b"", b"user\0", b"user\0u\0", b"user\0u\0\0x"):
        with pytest.raises(Malformed):
            messages.startup_parameters(body)
    assert messages.cancel_request(7, b"abcd") == b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\7abcd"
