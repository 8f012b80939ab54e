"""SCRAM-SHA-256 as PostgreSQL speaks it, both halves, no I/O (RFC 5802, RFC 7677, manual 54.3.1).

Knows passwords, verifiers and the three messages; knows nothing of users or sockets. It differs
from a plain RFC library where PostgreSQL does: the user name inside the exchange is ignored (libpq
leaves it empty), a password SASLprep refuses is used as it is, any iteration count is accepted.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import stringprep
import unicodedata
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import Final

MECHANISM: Final = b"SCRAM-SHA-256"
ITERATIONS: Final = 4096
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 18
# A hostile upstream must not make us hash for ever.
_MAX_ITERATIONS: Final = 10_000_000

_CLIENT_FIRST: Final = re.compile(
    rb"([ny]),,(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)", re.DOTALL
)
_CLIENT_FINAL: Final = re.compile(rb"(c=([^,]*),r=([^,]*)(?:,.*)?),p=([^,]*)", re.DOTALL)
_SERVER_FIRST: Final = re.compile(rb"r=([^,]+),s=([^,]+),i=([0-9]{1,9})(?:,.*)?", re.DOTALL)
_VERIFIER: Final = re.compile(r"SCRAM-SHA-256\$([0-9]{1,9}):([^$]+)\$([^:]+):(.+)")


class ScramError(Exception):
    """The exchange cannot succeed. Never says why the proof was wrong."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a server keeps instead of a password."""

    iterations: int
    salt: bytes = field(repr=False)
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def __str__(self) -> str:
        """PostgreSQL's own text form (pg_authid.rolpassword)."""
        salt, stored, server = map(_text, (self.salt, self.stored_key, self.server_key))
        return f"SCRAM-SHA-256${self.iterations}:{salt}${stored}:{server}"


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()


def _raw(text: str | bytes) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise ScramError("invalid base64") from error


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def parse_verifier(text: str) -> Verifier:
    """From `SCRAM-SHA-256$iterations:salt$stored key:server key`. Raises ScramError."""
    match = _VERIFIER.fullmatch(text)
    if match is None:
        raise ScramError("not a SCRAM-SHA-256 verifier")
    iterations, salt, stored, server = match.groups()
    verifier = Verifier(int(iterations), _raw(salt), _raw(stored), _raw(server))
    if not verifier.iterations or len(verifier.stored_key) != 32 or len(verifier.server_key) != 32:
        raise ScramError("not a SCRAM-SHA-256 verifier")
    return verifier


def make_verifier(password: str, salt: bytes | None = None) -> Verifier:
    """A verifier of the password, with a fresh salt when none is given."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    salted = _salted(password, salt, ITERATIONS)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return Verifier(ITERATIONS, salt, stored, _hmac(salted, b"Server Key"))


def mock_verifier(login: str, key: bytes, iterations: int = ITERATIONS) -> Verifier:
    """A verifier no password fits, the same each time for one login (RFC 5802, section 9)."""
    salt = _hmac(key, login.encode(errors="surrogateescape"))[:_SALT_BYTES]
    return Verifier(iterations, salt, secrets.token_bytes(32), secrets.token_bytes(32))


def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", _prepared(password), salt, iterations)


def _prepared(password: str) -> bytes:
    try:
        return saslprep(password).encode()
    except ValueError:
        return password.encode(errors="surrogateescape")


_PROHIBITED: Final = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """RFC 4013. Raises ValueError for text it prohibits."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in text
        if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not prepared:
        raise ValueError("nothing left after SASLprep")
    if any(check(char) for char in prepared for check in _PROHIBITED):
        raise ValueError("prohibited character")
    if any(map(stringprep.in_table_d1, prepared)):
        ends = stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])
        if not ends or any(map(stringprep.in_table_d2, prepared)):
            raise ValueError("mixed writing directions")
    return prepared


class ScramServer:
    """The server's half of one exchange: `first`, then `final`. Both raise ScramError."""

    __slots__ = ("_bare", "_first", "_flag", "_nonce", "_verifier")

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._bare = b""
        self._first = b""
        self._flag = b""
        self._nonce = b""

    def first(self, client_first: bytes) -> bytes:
        """The server's first message, in answer to the client's."""
        match = _CLIENT_FIRST.fullmatch(client_first)
        if match is None:
            raise ScramError("malformed SCRAM message")
        self._flag, self._bare, nonce = match.groups()
        self._nonce = nonce + b64encode(secrets.token_bytes(_NONCE_BYTES))
        salt = b64encode(self._verifier.salt)
        self._first = b"r=%b,s=%b,i=%d" % (self._nonce, salt, self._verifier.iterations)
        return self._first

    def final(self, client_final: bytes) -> bytes:
        """The server's last message; ScramError when the password was wrong."""
        match = _CLIENT_FINAL.fullmatch(client_final)
        if match is None:
            raise ScramError("malformed SCRAM message")
        without_proof, binding, nonce, proof = match.groups()
        if _raw(binding) != self._flag + b",," or nonce != self._nonce:
            raise ScramError("malformed SCRAM message")
        signed = b",".join((self._bare, self._first, without_proof))
        signature = _hmac(self._verifier.stored_key, signed)
        claimed = _raw(proof)
        if len(claimed) != len(signature):
            raise ScramError("malformed SCRAM message")
        key = hashlib.sha256(_xor(claimed, signature)).digest()
        if not hmac.compare_digest(key, self._verifier.stored_key):
            raise ScramError("password authentication failed")
        return b"v=" + b64encode(_hmac(self._verifier.server_key, signed))


class ScramClient:
    """The client's half of one exchange: `first`, `final`, `check`."""

    __slots__ = ("_bare", "_nonce", "_password", "_signature")

    def __init__(self, password: str, user: bytes = b"", nonce: bytes = b"") -> None:
        self._password = password
        self._nonce = nonce or b64encode(secrets.token_bytes(_NONCE_BYTES))
        self._bare = b"n=%b,r=%b" % (user, self._nonce)
        self._signature = b""

    def first(self) -> bytes:
        return b"n,," + self._bare

    def final(self, server_first: bytes) -> bytes:
        """The proof. Raises ScramError when the server's message makes no sense."""
        match = _SERVER_FIRST.fullmatch(server_first)
        if match is None:
            raise ScramError("malformed SCRAM message")
        nonce, salt, iterations = match[1], _raw(match[2]), int(match[3])
        if not nonce.startswith(self._nonce) or not 1 <= iterations <= _MAX_ITERATIONS:
            raise ScramError("malformed SCRAM message")
        salted = _salted(self._password, salt, iterations)
        key = _hmac(salted, b"Client Key")
        without_proof = b"c=biws,r=" + nonce
        signed = b",".join((self._bare, server_first, without_proof))
        proof = _xor(key, _hmac(hashlib.sha256(key).digest(), signed))
        self._signature = _hmac(_hmac(salted, b"Server Key"), signed)
        return without_proof + b",p=" + b64encode(proof)

    def check(self, server_final: bytes) -> None:
        """Whether the server knows the password too. Raises ScramError."""
        expected = b"v=" + b64encode(self._signature)
        if not self._signature or not hmac.compare_digest(server_final, expected):
            raise ScramError("the server's signature is wrong")


def md5_password(user: str, password: str, salt: bytes) -> str:
    """The answer to AuthenticationMD5Password (manual 54.2.1)."""
    inner = hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()
    return "md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest()
