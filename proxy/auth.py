"""Credentials: which login has which SCRAM verifier, read from a userlist file.

The file is in PgBouncer's form, one `"login" "password or SCRAM verifier"` a line, a double quote
inside written twice. Knows files and verifiers; knows nothing of rules or sockets: what a login
may do is the rules file's business, and a login needs both.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from proxy.wire.scram import (
    ITERATIONS,
    ScramError,
    ScramServer,
    Verifier,
    make_verifier,
    mock_verifier,
    parse_verifier,
)

__all__ = ["ScramServer", "Userlist", "UserlistError", "Verifier", "passwd_line"]

_LINE: Final = re.compile(r'\s*"((?:[^"]|"")*)"\s+"((?:[^"]|"")*)"\s*')
_MD5: Final = re.compile(r"md5[0-9a-f]{32}")


class UserlistError(ValueError):
    """A userlist cannot be used; the text names file and line and never a password."""


class Userlist:
    """Logins and their verifiers, as of the last good reading."""

    def __init__(self, verifiers: Mapping[str, Verifier], path: Path | None = None) -> None:
        self._path = path
        self._mock_key = secrets.token_bytes(32)
        self._take(verifiers)

    @classmethod
    def load(cls, path: Path) -> Userlist:
        """Raises UserlistError."""
        return cls(_read(path), path)

    def reload(self) -> None:
        """Read the file again; on UserlistError the entries stay as they are."""
        if self._path is not None:
            self._take(_read(self._path))

    def _take(self, verifiers: Mapping[str, Verifier]) -> None:
        self._verifiers = dict(verifiers)
        common = Counter(verifier.iterations for verifier in verifiers.values()).most_common(1)
        self._mock_iterations = common[0][0] if common else ITERATIONS

    def __len__(self) -> int:
        return len(self._verifiers)

    def __contains__(self, login: object) -> bool:
        return login in self._verifiers

    def verifier(self, login: str) -> Verifier | None:
        """None for a login the file does not have."""
        return self._verifiers.get(login)

    def mock_verifier(self, login: str) -> Verifier:
        """What an unknown login is asked to prove: looks and costs as for a known one."""
        return mock_verifier(login, self._mock_key, self._mock_iterations)


def passwd_line(login: str, password: str) -> str:
    """A userlist line with a fresh verifier of the password. Raises UserlistError."""
    if not login or not password or any(char in login + password for char in "\0\r\n"):
        raise UserlistError("login and password must be one line each and not empty")
    return f"{_quoted(login)} {_quoted(str(make_verifier(password)))}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _read(path: Path) -> dict[str, Verifier]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserlistError(f"{path}: cannot be read: {reason}") from error
    verifiers: dict[str, Verifier] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith((";", "#")):
            continue
        place = f"{path}:{number}"
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserlistError(f'{place}: expected "login" "password or SCRAM verifier"')
        login, secret = (part.replace('""', '"') for part in match.groups())
        if not login or login in verifiers:
            problem = f'login "{login}" stands twice' if login else "the login is empty"
            raise UserlistError(f"{place}: {problem}")
        verifiers[login] = _verifier(secret, place)
    return verifiers


def _verifier(secret: str, place: str) -> Verifier:
    if not secret:
        raise UserlistError(f"{place}: the password is empty")
    if _MD5.fullmatch(secret):
        raise UserlistError(
            f"{place}: an md5 hash cannot serve SCRAM-SHA-256; "
            "write the password or a line from `querywarden passwd`"
        )
    if not secret.startswith("SCRAM-SHA-256$"):
        return make_verifier(secret)
    try:
        return parse_verifier(secret)
    except ScramError as error:
        raise UserlistError(f"{place}: malformed SCRAM-SHA-256 verifier") from error
