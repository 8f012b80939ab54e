"""Process settings: where to listen, what is upstream, where rules, logins and records are.

Every setting is a command-line flag and an environment variable (QUERYWARDEN_ and its name in
capitals); flags win. What is permitted is not here but in the rules file. Secrets are SecretStr
and appear in no message.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from policies.steps.admit import MAX_BYTES
from proxy.contexts import Key, KeyProblem, public_key, secret_key

PREFIX = "QUERYWARDEN_"
NO_FLAG = frozenset({"hash_key", "context_key", "approval_hook_key"})  # secrets: flags can be seen
SHORTEST_KEY = 16  # characters; below that a digest of a small set of values can be guessed

_MESSAGES = {
    "missing": "is needed",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number of seconds",
}


class ConfigError(Exception):
    """A setting is missing or wrong; one line per setting, each with the way out."""


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: object) -> object:
    """`host:port`, `[::1]:port` or `:port` (every interface) -> Address. Raises ValueError."""
    if not isinstance(text, str):
        return text
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be HOST:PORT, as in 127.0.0.1:6432 or [::1]:6432")
    return Address(host or "0.0.0.0", int(port))


def _parse_dsn(text: object) -> object:
    if isinstance(text, str) and not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("must be a URL: postgresql://user:password@host:port/database")
    return text


def _parse_url(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    here = host in ("localhost", "127.0.0.1", "::1")
    if not host or port == 0 or (parts.scheme != "https" and not (parts.scheme == "http" and here)):
        raise ValueError("must be https://host/path; http:// only to this machine itself")
    return text


Listen = Annotated[Address, NoDecode, BeforeValidator(parse_address)]
Dsn = Annotated[SecretStr, BeforeValidator(_parse_dsn)]
Url = Annotated[SecretStr, BeforeValidator(_parse_url)]


class Settings(BaseSettings):
    """The settings of one proxy process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    rules: Path = Field(description="Rules file, or a folder of *.yaml files.")
    upstream: Dsn = Field(
        description="The PostgreSQL server: postgresql://user:password@host:port/database.",
        validation_alias=AliasChoices(f"{PREFIX}UPSTREAM", "DATABASE_URL"),
    )
    auth_file: Path = Field(
        description='Logins, one per line: "login" "password or SCRAM verifier".'
    )
    listen: Listen = Field(
        default=Address("127.0.0.1", 6432), description="Where clients connect: HOST:PORT."
    )
    admin: Listen = Field(
        default=Address("127.0.0.1", 6433),
        description="HTTP address of /metrics, /healthz and /readyz: HOST:PORT.",
    )
    approvals: Dsn | None = Field(
        default=None,
        description="Where requests for approval are kept; not with the login of --upstream.",
    )
    approval_wait: float = Field(
        default=0.0, ge=0.0, le=600.0,
        description="Seconds a statement itself waits for its approval before it is held.",
    )  # fmt: skip
    approval_hook: Url | None = Field(
        default=None,
        description="Web service that answers for `gate: callback`: https://host/path.",
    )
    approval_hook_seconds: float = Field(
        default=5.0, ge=0.1, le=60.0, description="How long its answer may take."
    )
    approval_hook_key: SecretStr | None = Field(
        default=None,
        min_length=SHORTEST_KEY,
        description="Key that signs what is sent to it. No flag: it is secret.",
    )
    records: str = Field(
        default="-", description="Operation records: a file, or - for standard output."
    )
    records_max_bytes: int = Field(
        default=0, ge=0, description="Move the records file aside at this size; 0: never."
    )
    catalog_refresh: float = Field(
        default=60.0, ge=1.0, description="Seconds between two readings of the upstream catalog."
    )
    drain_seconds: float = Field(
        default=30.0, ge=0.0, description="On SIGTERM, how long open transactions may go on."
    )
    max_clients: int = Field(default=1000, ge=1, description="Clients connected at a time.")
    max_statement_bytes: int = Field(
        default=MAX_BYTES, ge=1024, le=MAX_BYTES, description="Longest statement a client may send."
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least level logged."
    )
    hash_key: SecretStr | None = Field(
        default=None,
        min_length=SHORTEST_KEY,
        description="Key of hashed columns; needed when the rules hash any. No flag: it is secret.",
    )
    hash_key_file: Path | None = Field(
        default=None, description="A file that holds the key, instead of the variable."
    )
    context_key: SecretStr | None = Field(
        default=None,
        description="Key of signed contexts, 32 characters or more (HS256). No flag: it is secret.",
    )
    context_key_file: Path | None = Field(
        default=None, description="A file that holds it, instead of the variable."
    )
    context_public_key_file: Path | None = Field(
        default=None,
        description="Public key of signed contexts in PEM form: RSA, EC on P-256 or Ed25519.",
    )
    context_seconds: int = Field(
        default=3600, ge=1, le=86_400, description="How long a signed context may hold at most."
    )

    def key(self) -> bytes:
        """The key of hashed columns, b"" when there is none. Raises ConfigError."""
        if self.hash_key is not None:
            return self.hash_key.get_secret_value().encode()
        if self.hash_key_file is None:
            return b""
        key = _content("hash_key_file", self.hash_key_file)
        if len(key) < SHORTEST_KEY:
            raise ConfigError(
                f"{variable('hash_key_file')}: the key must have at least {SHORTEST_KEY} characters"
            )
        return key

    def context_keys(self) -> tuple[Key, ...]:
        """What signed contexts are checked with; none: nobody may show one. Raises ConfigError."""
        found = []
        try:
            name = "context_key"
            if self.context_key is not None:
                found.append(secret_key(self.context_key.get_secret_value().encode()))
            elif self.context_key_file is not None:
                name = "context_key_file"
                found.append(secret_key(_content(name, self.context_key_file)))
            if self.context_public_key_file is not None:
                name = "context_public_key_file"
                found.append(public_key(_content(name, self.context_public_key_file)))
        except KeyProblem as problem:
            raise ConfigError(f"{variable(name)}: {problem}") from None
        return tuple(found)


def load_settings(given: Mapping[str, Any]) -> Settings:
    """Settings from the environment and, above it, what is `given` (None: not given).

    Raises ConfigError naming flag and variable of every wrong or missing setting.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise ConfigError("\n".join(_line(problem) for problem in error.errors())) from None


def flag(name: str) -> str:
    """`auth_file` -> `--auth-file`."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """`auth_file` -> `QUERYWARDEN_AUTH_FILE`."""
    return PREFIX + name.upper()


def shipped_rules() -> Path:
    """The folder of the rules that come with the program: demo.yaml, reference.yaml.

    Inside the package when installed from a wheel, beside it in a checkout.
    """
    package = Path(str(importlib.resources.files("proxy")))
    inside = package / "_rules"
    return inside if inside.is_dir() else package.parent / "rules"


def _line(problem: Mapping[str, Any]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    # an alias is reported in place of the field it stands for
    name = "upstream" if name in (f"{PREFIX}UPSTREAM", "DATABASE_URL") else name
    kind = problem["type"]
    if kind == "value_error":
        message = str(problem["ctx"]["error"])
    else:
        message = _MESSAGES.get(kind) or problem["msg"][0].lower() + problem["msg"][1:]
    if kind == "missing":
        return f"{flag(name)} {message}: give the flag or set {variable(name)}"
    where = variable(name) if name in NO_FLAG else f"{flag(name)} ({variable(name)})"
    return f"{where}: {message}"


def _content(name: str, file: Path) -> bytes:
    """What is in the file a setting names, without blanks around it. Raises ConfigError."""
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{variable(name)}: cannot read {file}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
