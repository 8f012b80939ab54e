"""Where the upstream is and how to log in there, read from a DSN.

Knows libpq's two forms of connection strings; knows nothing of sockets. What this version cannot
do (TLS, several hosts) is an error here, not a surprise later.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

_SCHEMES: Final = ("postgres://", "postgresql://")
_PAIR: Final = re.compile(
    r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?:\s+|$)", re.DOTALL
)
_NO_TLS: Final = "TLS to the upstream is not available in this version"
_PLAIN: Final = {"disable", "allow", "prefer"}

# Options that need nothing from us, or only say who connects: the proxy says that itself.
_IGNORED: Final = frozenset({
    "application_name", "fallback_application_name", "connect_timeout", "keepalives",
    "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
    "sslcompression", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslsni", "gssencmode",
    "krbsrvname",
})  # fmt: skip
_ONLY: Final[dict[str, frozenset[str]]] = {
    "sslmode": frozenset(_PLAIN),
    "channel_binding": frozenset({"disable", "prefer"}),
    "target_session_attrs": frozenset({"any"}),
    "client_encoding": frozenset({"utf8", "utf-8", "auto"}),
    "sslnegotiation": frozenset({"postgres"}),
}


class AddressError(ValueError):
    """The DSN cannot be used; the text says why and never shows the password."""


@dataclass(frozen=True, slots=True)
class UpstreamAddress:
    """One PostgreSQL server, database and login. `host` beginning with "/": a socket folder."""

    host: str
    port: int
    user: str
    database: str
    password: str = field(default="", repr=False)
    options: str = ""

    @classmethod
    def parse(cls, dsn: str) -> UpstreamAddress:
        """From `postgresql://user:password@host:port/database?option=value` or libpq's key=value
        form. Raises AddressError."""
        text = dsn.strip()
        parts = _url(text) if text.startswith(_SCHEMES) else _pairs(text)
        _refuse_unavailable(parts)
        user = parts.get("user") or getpass.getuser()
        return cls(
            host=parts.get("host") or parts.get("hostaddr") or "localhost",
            port=_port(parts.get("port") or "5432"),
            user=user,
            database=parts.get("dbname") or user,
            password=parts.get("password", ""),
            options=parts.get("options", ""),
        )

    @property
    def socket_path(self) -> str | None:
        """The Unix socket's path, or None for TCP."""
        return f"{self.host}/.s.PGSQL.{self.port}" if self.host.startswith("/") else None

    def __str__(self) -> str:
        """For messages: everything but the password."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


_KEYWORDS: Final = frozenset({"host", "hostaddr", "port", "user", "password", "dbname", "options"})


def _refuse_unavailable(parts: Mapping[str, str]) -> None:
    for key, value in parts.items():
        if key == "sslmode" and value not in _PLAIN:
            raise AddressError(f"sslmode={value}: {_NO_TLS}; use sslmode=prefer or disable")
        if key in _ONLY and value.lower() not in _ONLY[key]:
            raise AddressError(f"{key}={value} is not available in this version")
        if key not in _KEYWORDS and key not in _IGNORED and key not in _ONLY:
            raise AddressError(f'unknown connection option "{key}"')
    if "," in parts.get("host", "") + parts.get("port", ""):
        raise AddressError("several upstream hosts are not available in this version")
    if "\0" in "".join(parts.values()):
        raise AddressError("a connection option holds a NUL")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise AddressError(f'invalid port "{text}"')
    return int(text)


def _url(dsn: str) -> dict[str, str]:
    rest = dsn.split("://", 1)[1].split("#", 1)[0]
    rest, _, query = rest.partition("?")
    authority, _, database = rest.partition("/")
    login, at, place = authority.rpartition("@")
    parts: dict[str, str] = {}
    if at:
        user, colon, password = login.partition(":")
        parts["user"] = unquote(user)
        if colon:
            parts["password"] = unquote(password)
    if place.startswith("["):
        host, closed, port = place[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise AddressError("malformed IPv6 address in the connection URL")
        parts["host"], parts["port"] = host, port[1:]
    else:
        host, _, port = place.partition(":")
        parts["host"], parts["port"] = unquote(host), port
    parts["dbname"] = unquote(database)
    try:
        options = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise AddressError("malformed option in the connection URL") from error
    renamed = {"database": "dbname", "ssl": "sslmode"}
    given = {renamed.get(key, key): value for key, value in options}
    return {key: value for key, value in parts.items() if value} | given


def _pairs(dsn: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    position = 0
    while position < len(dsn):
        match = _PAIR.match(dsn, position)
        if match is None or match.end() == position:
            raise AddressError('expected "key=value" pairs or a postgresql:// URL')
        key, value = match.groups()
        if value.startswith("'"):
            value = value[1:-1]
        parts[key] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        position = match.end()
    return {key: value for key, value in parts.items() if value}
