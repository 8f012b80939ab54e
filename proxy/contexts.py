"""Signed contexts: for whom a login acts, in a JSON Web Token that an application has signed.

    {"aud": "querywarden", "tenant": 7, "sub": "42", "exp": 1767225600, "jti": "5f3c..."}

and if it likes "login" (the only one that may show it), "capability" and "attributes".
Each key has one algorithm of its own, so a token cannot choose how it is checked. A token belongs
to the session that shows it first, until it expires. No message holds anything of a token. Knows
tokens and time; knows nothing of statements.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from policies.comments import CONTEXT, LONGEST
from policies.reasons import AUTHENTICATION_REQUIRED, Refusal
from policies.subject import Assumed, Value

AUDIENCE: Final = "querywarden"
SHORTEST_SECRET: Final = 32  # characters: as many bytes as the digest has (RFC 7518, 3.2)
LEAST_RSA_BITS: Final = 2048
MOST_KNOWN: Final = 100_000  # tokens that have not expired
_PURGE_SECONDS: Final = 60.0
_SKEW: Final = 5  # seconds by which the clock of who signs may be ahead

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_OWN_NAMES: Final = frozenset({"login", "tenant", "user_id", "roles"})
_MOST_ATTRIBUTES: Final = 20
_LONGEST_VALUE: Final = 200
# Of the header; what else there may be changes what is signed or by which key.
_HEADER: Final = frozenset({"alg", "typ", "kid"})


class KeyProblem(ValueError):
    """A key that cannot be used."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a token is checked with, and the only way it may be."""

    algorithm: str
    key: Any = field(repr=False)


def secret_key(secret: bytes) -> Key:
    """A key both sides have: HS256. Raises KeyProblem."""
    if len(secret) < SHORTEST_SECRET:
        raise KeyProblem(f"the key must have at least {SHORTEST_SECRET} characters")
    if b"-----BEGIN" in secret:
        raise KeyProblem("this is a public or private key, not a secret")
    return Key("HS256", secret)


def public_key(pem: bytes) -> Key:
    """A public key in PEM form; what kind it is says the algorithm. Raises KeyProblem."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyProblem("not a public key in PEM form") from error
    match key:
        case RSAPublicKey() if key.key_size >= LEAST_RSA_BITS:
            return Key("RS256", key)
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return Key("ES256", key)
        case Ed25519PublicKey():
            return Key("EdDSA", key)
        case _:
            kinds = f"RSA of {LEAST_RSA_BITS} bits or more, EC on P-256, or Ed25519"
            raise KeyProblem(f"must be a key for {kinds}")


class Contexts:
    """Checks tokens. `most_seconds`: how long one may hold."""

    def __init__(
        self,
        keys: Sequence[Key] = (),
        most_seconds: int = 3600,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = {key.algorithm: key.key for key in keys}
        self._most_seconds = most_seconds
        self._now = now
        self._known: dict[bytes, tuple[str, Assumed]] = {}  # digest of a token: session, whom
        self._owners: dict[str, tuple[str, float]] = {}  # jti: session, when it expires
        self._purged = now()

    def show(self, token: str, login: str, session: str) -> Assumed:
        """For whom this session of a login acts that shows this token. Raises Refusal."""
        now = self._now()
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        found = self._known.get(digest)
        if found is None:
            claims = self._verified(token)
            if claims.get("login", login) != login:
                raise _refusal("the signed context is for another login")
            assumed = self._assumed(claims, now)
            self._take(str(claims["jti"]), session, assumed.expires, now)
            self._known[digest] = session, assumed
            return assumed
        owner, assumed = found
        if owner != session:
            raise _replayed()
        if assumed.expires <= now:
            raise _expired()
        return assumed

    def _verified(self, token: str) -> Mapping[str, Any]:
        """The claims of a token somebody with a key has signed. Raises Refusal."""
        if not self._keys:
            raise _refusal("no key for signed contexts is configured", "ask whoever runs the proxy")
        if len(token) > LONGEST[CONTEXT]:
            raise _refusal("the signed context is too long")
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm not in self._keys or not header.keys() <= _HEADER:
                raise _refusal("the signed context is not signed the way this proxy demands")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys[algorithm],
                algorithms=[algorithm],
                audience=AUDIENCE,
                leeway=_SKEW,
                options={"require": ["exp", "jti", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise _expired() from error
        except jwt.InvalidAudienceError as error:
            raise _refusal(
                f'the signed context is for somebody else: aud must be "{AUDIENCE}"'
            ) from (error)
        except jwt.ImmatureSignatureError as error:
            raise _refusal("the signed context does not hold yet") from error
        except jwt.MissingRequiredClaimError as error:
            raise _refusal("the signed context must have the claims exp, jti and aud") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise _refusal("the signed context cannot be verified") from error
        return claims

    def _assumed(self, claims: Mapping[str, Any], now: float) -> Assumed:
        """What the claims say. Raises Refusal."""
        expires = float(int(claims["exp"]))
        if expires <= now:
            raise _expired()
        since = min(now, float(int(claims.get("iat", now))))
        if expires - since > self._most_seconds:
            raise _refusal(
                f"the signed context holds longer than {self._most_seconds} seconds",
                "let exp be nearer",
            )
        jti, capability = claims["jti"], claims.get("capability", "")
        attributes = claims.get("attributes", {})
        if not _text(jti) or not (capability == "" or _text(capability)):
            raise _unfit("jti and capability must be short texts")
        if not isinstance(attributes, dict) or len(attributes) > _MOST_ATTRIBUTES:
            raise _unfit("attributes must be an object")
        for name, value in attributes.items():
            if not _NAME.match(name) or name in _OWN_NAMES or not _value(value):
                raise _unfit("attributes are names with texts, whole numbers, true or false")
        for name in ("tenant", "sub"):
            if name in claims and not (_value(claims[name]) and type(claims[name]) is not bool):
                raise _unfit("tenant and sub must be texts or whole numbers")
        return Assumed(
            tenant=claims.get("tenant"),
            user_id=claims.get("sub"),
            expires=expires,
            capability=capability,
            attributes=tuple(sorted(attributes.items())),
        )

    def _take(self, jti: str, session: str, expires: float, now: float) -> None:
        """The token is this session's from now on. Raises Refusal when it is another's."""
        if now - self._purged > _PURGE_SECONDS or len(self._owners) >= MOST_KNOWN:
            self._purge(now)
        owner, until = self._owners.get(jti, (session, 0.0))
        if owner != session:
            raise _replayed()
        if len(self._owners) >= MOST_KNOWN:
            raise _refusal("too many signed contexts hold at this time", "try again later")
        self._owners[jti] = session, max(until, expires)

    def _purge(self, now: float) -> None:
        self._purged = now
        self._owners = {jti: kept for jti, kept in self._owners.items() if kept[1] > now}
        self._known = {d: known for d, known in self._known.items() if known[1].expires > now}


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_VALUE and value.isprintable()


def _value(value: Value | object) -> bool:
    """Whether it may be a value of a subject: what it becomes in SQL is a literal."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return _text(value)


def _refusal(message: str, hint: str = "") -> Refusal:
    return Refusal(AUTHENTICATION_REQUIRED, message, hint or "sign a new one")


def _expired() -> Refusal:
    return _refusal("the signed context has expired")


def _replayed() -> Refusal:
    return _refusal("the signed context belongs to another session", "sign one for each connection")


def _unfit(message: str) -> Refusal:
    return _refusal(f"the signed context does not fit: {message}")
