"""SCRAM-SHA-256: RFC 7677's example, both halves against each other, PostgreSQL's peculiarities."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.scram import (
    ScramClient,
    ScramError,
    ScramServer,
    make_verifier,
    md5_password,
    mock_verifier,
    parse_verifier,
    saslprep,
)

RFC_SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")


def exchange(client: ScramClient, server: ScramServer) -> None:
    client.check(server.final(client.final(server.first(client.first()))))


def test_rfc_7677_example() -> None:
    client = ScramClient("pencil", b"user", b"rOprNGfwEbeRWgbNEkqO")
    server_first = (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    assert client.final(server_first).endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_the_halves_agree_on_any_password(password: str) -> None:
    exchange(ScramClient(password), ScramServer(make_verifier(password)))


def test_a_wrong_password() -> None:
    with pytest.raises(ScramError, match="password authentication failed"):
        exchange(ScramClient("wrong"), ScramServer(make_verifier("right")))


def test_no_password_fits_a_mock() -> None:
    key = b"k" * 32
    assert mock_verifier("a", key).salt == mock_verifier("a", key).salt
    assert mock_verifier("a", key).salt != mock_verifier("b", key).salt
    with pytest.raises(ScramError):
        exchange(ScramClient(""), ScramServer(mock_verifier("a", key)))


def test_a_server_that_does_not_know_the_password() -> None:
    client, server = ScramClient("pw"), ScramServer(make_verifier("pw"))
    client.final(server.first(client.first()))
    with pytest.raises(ScramError):
        client.check(b"v=" + b64encode(bytes(32)))


def test_the_check_cannot_be_skipped() -> None:
    with pytest.raises(ScramError):
        ScramClient("pw").check(b"v=")


FIRSTS = [
    b"", b"n,,", b"n,,n=,r=", b"p=tls-server-end-point,,n=,r=abc", b"n,a=other,n=,r=abc",
    b"x,,n=,r=abc", b"n,,r=abc,n=", b"n,,n=,r=a\x80b", b"\xff\xfe", b"n,,m=x,n=,r=abc",
]  # fmt: skip


@pytest.mark.parametrize("first", FIRSTS)
def test_malformed_first_messages(first: bytes) -> None:
    with pytest.raises(ScramError):
        ScramServer(make_verifier("pw")).first(first)


def test_a_client_that_could_bind_the_channel_is_accepted() -> None:
    """libpq sends `y` when it could bind but was not offered to."""
    server = ScramServer(make_verifier("pw"))
    assert server.first(b"y,,n=,r=abc").startswith(b"r=abc")


@pytest.mark.parametrize(
    "final",
    [b"", b"c=biws", b"c=biws,r=other,p=AAAA", b"c=eSws,r=%b,p=AAAA", b"c=biws,r=%b,p=AAAA",
     b"c=biws,r=%b,p=!!", b"c=!,r=%b,p=AAAA"],
)  # fmt: skip
def test_malformed_final_messages(final: bytes) -> None:
    server = ScramServer(make_verifier("pw"))
    nonce = server.first(b"n,,n=,r=abc").split(b",")[0][2:]
    with pytest.raises(ScramError):
        server.final(final.replace(b"%b", nonce))


@pytest.mark.parametrize(
    "first",
    [b"", b"r=x,s=AAAA,i=4096", b"r=%b,s=AAAA", b"r=%b,s=!,i=1", b"r=%b,s=AAAA,i=0",
     b"r=%b,s=AAAA,i=99999999"],
)  # fmt: skip
def test_malformed_server_first(first: bytes) -> None:
    client = ScramClient("pw", nonce=b"abc")
    with pytest.raises(ScramError):
        client.final(first.replace(b"%b", b"abcmore"))


def test_verifier_text_is_postgresqls() -> None:
    verifier = make_verifier("pencil", RFC_SALT)
    assert str(verifier) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    assert parse_verifier(str(verifier)) == verifier
    assert "pencil" not in repr(verifier) and "WG5d" not in repr(verifier)


@pytest.mark.parametrize(
    "text",
    ["", "pw", "SCRAM-SHA-256$4096:x$y:z", "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
     "SCRAM-SHA-1$4096:AAAA$AAAA:AAAA"],
)  # fmt: skip
def test_broken_verifiers(text: str) -> None:
    with pytest.raises(ScramError):
        parse_verifier(text)


@pytest.mark.parametrize(
    ("text", "prepared"),
    [("I\u00adX", "IX"), ("user", "user"), ("\u00aa", "a"), ("\u2168", "IX"), ("a\u00a0b", "a b")],
)
def test_saslprep_examples_of_rfc_4013(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize("text", ["\u0007", "\u06271", ""])
def test_saslprep_refusals(text: str) -> None:
    with pytest.raises(ValueError, match=r"character|directions|nothing"):
        saslprep(text)


def test_md5() -> None:
    """Computed with md5sum(1)."""
    assert md5_password("u", "p", b"salt") == "md5c827f95590aef08f2d04ac5e8d94d9c3"
