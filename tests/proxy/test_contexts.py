"""Signed contexts: whose signature counts, what is in one, and whose it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from policies.reasons import AUTHENTICATION_REQUIRED, Refusal
from policies.subject import Assumed
from proxy import contexts
from proxy.contexts import Contexts, KeyProblem, public_key, secret_key

SECRET = b"0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What everybody takes for the time; a test may move it."""
    time = [NOW]

    class Moment(jwt.api_jwt.datetime):  # type: ignore[misc,name-defined]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls.fromtimestamp(time[0], tz)

    monkeypatch.setattr(jwt.api_jwt, "datetime", Moment)
    return time


@pytest.fixture
def known(clock: list[float]) -> Contexts:
    return Contexts([secret_key(SECRET)], 3600, lambda: clock[0])


def claims(**other: Any) -> dict[str, Any]:
    found = {"aud": "querywarden", "exp": NOW + 600, "jti": "n1", "tenant": 7, "sub": "42"}
    return {name: value for name, value in {**found, **other}.items() if value is not None}


def signed(key: Any = SECRET, algorithm: str = "HS256", **other: Any) -> str:
    return jwt.encode(claims(**other), key, algorithm=algorithm)


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], key: bytes = SECRET, payload: Any = None) -> str:
    """A token with an HMAC, whatever its header says."""
    text = f"{part(header)}.{part(claims() if payload is None else payload)}"
    return f"{text}.{part(hmac.digest(key, text.encode(), hashlib.sha256))}"


def refused(known: Contexts, token: str, session: str = "s") -> str:
    with pytest.raises(Refusal) as caught:
        known.show(token, "crm", session)
    refusal = caught.value
    assert refusal.reason is AUTHENTICATION_REQUIRED
    for piece in token.split("."):
        assert len(piece) < 4 or piece not in refusal.message + refusal.hint
    return refusal.message


def test_what_a_context_says(known: Contexts) -> None:
    token = signed(capability="browse", attributes={"region": "eu", "level": 3, "vip": True})
    assert known.show(token, "crm", "s") == Assumed(
        7, "42", NOW + 600, "browse", (("level", 3), ("region", "eu"), ("vip", True))
    )


def test_it_may_be_for_several_and_name_nobody(known: Contexts) -> None:
    token = signed(aud=["other", "querywarden"], tenant=None, sub=None)
    assert known.show(token, "crm", "s") == Assumed(None, None, NOW + 600)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"exp": NOW}, "expired"),
        ({"exp": NOW - 3}, "expired"),  # no leeway here
        ({"exp": NOW - 60}, "expired"),
        ({"exp": NOW + 3601}, "holds longer than 3600 seconds"),
        ({"exp": NOW + 600, "iat": NOW - 3100}, "holds longer"),
        ({"nbf": NOW + 60}, "does not hold yet"),
        ({"iat": NOW + 60}, "does not hold yet"),
        ({"aud": "elsewhere"}, "for somebody else"),
        ({"aud": None}, "must have the claims"),
        ({"exp": None}, "must have the claims"),
        ({"jti": None}, "must have the claims"),
        ({"jti": ""}, "jti"),
        ({"jti": "x" * 300}, "jti"),
        ({"jti": 5}, "cannot be verified"),
        ({"sub": 42}, "cannot be verified"),
        ({"exp": "soon"}, "cannot be verified"),
        ({"tenant": True}, "tenant and sub"),
        ({"tenant": [1]}, "tenant and sub"),
        ({"tenant": "a\0b"}, "tenant and sub"),
        ({"tenant": "\ud800"}, "tenant and sub"),
        ({"tenant": 2**63}, "tenant and sub"),
        ({"tenant": 1.5}, "tenant and sub"),
        ({"capability": ["a"]}, "capability"),
        ({"attributes": ["a"]}, "attributes"),
        ({"attributes": {"login": "root"}}, "attributes"),
        ({"attributes": {"tenant": 2}}, "attributes"),
        ({"attributes": {"a b": 1}}, "attributes"),
        ({"attributes": {"a": None}}, "attributes"),
        ({"attributes": {f"a{n}": 1 for n in range(21)}}, "attributes"),
    ],
)
def test_what_does_not_fit(known: Contexts, other: dict[str, Any], message: str) -> None:
    assert message in refused(known, signed(**other))


def test_a_context_holds_until_it_expires(known: Contexts, clock: list[float]) -> None:
    token = signed()
    for moment in (0, 300, 599):
        clock[0] = NOW + moment
        assert known.show(token, "crm", "s").tenant == 7
    for moment in (600, 601, 4000):
        clock[0] = NOW + moment
        assert "expired" in refused(known, token)


# Signatures.


@pytest.mark.parametrize(
    "token",
    [
        signed(key=b"f" * 32),
        signed()[:-2],
        signed() + "x",
        signed().rsplit(".", 1)[0] + ".",
        signed().rsplit(".", 1)[0],
        ".".join([signed().split(".")[0], part(claims(tenant=8)), signed().split(".")[2]]),
        f"{part({'alg': 'none'})}.{part(claims())}.",
        f"{part({'alg': 'None', 'typ': 'JWT'})}.{part(claims())}.",
        by_hand({"alg": "none"}),
        by_hand({"alg": "HS256 "}),
        by_hand({"alg": "hs256"}),
        by_hand({"alg": ["HS256"]}),
        by_hand({}),
        by_hand({"alg": "HS256"}, key=b""),
        by_hand({"alg": "HS256", "crit": ["x"], "x": 1}),
        by_hand({"alg": "HS256", "b64": False}),
        by_hand({"alg": "HS256", "jwk": {"kty": "oct", "k": part(SECRET)}}),
        by_hand({"alg": "HS256"}, payload=[1]),
        by_hand({"alg": "HS256"}, payload=b'{"exp":1e400,"aud":"querywarden","jti":"a"}'),
        by_hand({"alg": "HS256"}, payload=b"[" * 2000),
        f"{part(b'[' * 2800)}.e30.e30",
        signed(algorithm="HS384", key=SECRET * 2),
        "",
        "a",
        "a.b.c",
        "....",
        "\N{SNOWMAN}.\N{SNOWMAN}.\N{SNOWMAN}",
        "x" * 5000,
    ],
)
def test_what_nobody_with_the_key_has_signed(known: Contexts, token: str) -> None:
    assert "signed context" in refused(known, token)


def pem(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return found


RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (P256, "ES256"), (ED, "EdDSA")])
def test_public_keys(clock: list[float], key: Any, algorithm: str) -> None:
    known = Contexts([public_key(pem(key))], 3600, lambda: clock[0])
    assert known.show(signed(key, algorithm), "crm", "s").tenant == 7
    refused(known, signed())
    # the public key taken for a secret
    refused(known, by_hand({"alg": "HS256"}, key=pem(key)))
    refused(known, by_hand({"alg": algorithm}, key=pem(key)))
    other = {"RS256": P256, "ES256": ED, "EdDSA": RSA}[algorithm]
    refused(known, signed(other, {"RS256": "ES256", "ES256": "EdDSA", "EdDSA": "RS256"}[algorithm]))
    both = Contexts([public_key(pem(key)), secret_key(SECRET)], 3600, lambda: clock[0])
    assert both.show(signed(key, algorithm), "crm", "s") == both.show(signed(), "crm", "s")
    refused(both, by_hand({"alg": "HS256"}, key=pem(key)))


@pytest.mark.parametrize(
    ("make", "content"),
    [
        (secret_key, b"short"),
        (secret_key, pem(P256)),
        (public_key, b""),
        (public_key, SECRET),
        (public_key, pem(rsa.generate_private_key(65537, 1024))),
        (public_key, pem(ec.generate_private_key(ec.SECP384R1()))),
        (public_key, P256.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())),
    ],
)  # fmt: skip
def test_keys_that_cannot_be_used(make: Callable[[bytes], object], content: bytes) -> None:
    with pytest.raises(KeyProblem) as caught:
        make(content)
    assert content == b"" or content.decode() not in str(caught.value)


def test_a_key_is_in_no_repr() -> None:
    assert SECRET.decode() not in repr(secret_key(SECRET))


def test_without_a_key_there_is_no_context() -> None:
    assert "no key" in refused(Contexts(), signed())


# Whose it is.


def test_a_context_belongs_to_the_session_that_shows_it_first(
    known: Contexts, clock: list[float]
) -> None:
    token = signed()
    known.show(token, "crm", "s")
    assert known.show(token, "crm", "s").tenant == 7
    assert "another session" in refused(known, token, "thief")
    # another token of the same number is the same context
    assert "another session" in refused(known, signed(exp=NOW + 500), "thief")
    assert known.show(signed(exp=NOW + 700), "crm", "s").tenant == 7
    clock[0] = NOW + 650
    known.show(signed(jti="n2", exp=NOW + 800), "crm", "t")
    assert "another session" in refused(known, signed(exp=NOW + 1000), "thief")
    clock[0] = NOW + 701
    known.show(signed(jti="n3", exp=NOW + 800), "crm", "t")


def test_a_context_may_be_for_one_login(known: Contexts) -> None:
    for login in ("other", "", 5, None):
        with pytest.raises(Refusal, match="another login"):
            known.show(by_hand({"alg": "HS256"}, payload={**claims(), "login": login}), "crm", "t")
    assert known.show(signed(login="crm"), "crm", "s").tenant == 7


def test_a_refused_context_takes_no_number(known: Contexts) -> None:
    refused(known, signed(tenant=[1]), "thief")
    refused(known, by_hand({"alg": "none"}), "thief")
    assert known.show(signed(), "crm", "s").tenant == 7


def test_how_many_are_remembered_is_bounded(
    known: Contexts, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contexts, "MOST_KNOWN", 3)
    for number in range(3):
        known.show(signed(jti=f"n{number}", exp=NOW + 100 + number), "crm", "s")
    assert "too many" in refused(known, signed(jti="n9"))
    assert known.show(signed(jti="n2", exp=NOW + 102), "crm", "s").tenant == 7
    clock[0] = NOW + 101
    known.show(signed(jti="n9"), "crm", "s")
    assert len(known._owners) == 2 and len(known._known) == 2
