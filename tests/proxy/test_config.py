"""proxy/config.py: flags over environment over defaults; errors that name flag and variable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.config import (
    Address,
    ConfigError,
    Settings,
    flag,
    load_settings,
    shipped_rules,
    variable,
)

NEEDED = {
    "rules": "rules.yaml",
    "upstream": "postgresql://u:hunter2@db/shop",
    "auth_file": "userlist.txt",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("QUERYWARDEN_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)


def test_defaults() -> None:
    settings = load_settings(NEEDED)
    assert settings.listen == Address("127.0.0.1", 6432)
    assert settings.admin == ("127.0.0.1", 6433)
    assert settings.records == "-"
    assert settings.catalog_refresh == 60.0
    assert settings.key() == b""


def test_every_setting_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "RULES": "r.yaml", "UPSTREAM": "postgres://h/d", "AUTH_FILE": "a.txt", "LISTEN": ":7000",
        "ADMIN": "[::1]:7001", "RECORDS": "/tmp/r", "RECORDS_MAX_BYTES": "5000",
        "CATALOG_REFRESH": "5", "DRAIN_SECONDS": "1.5", "MAX_CLIENTS": "9",
        "MAX_STATEMENT_BYTES": "2048", "LOG_LEVEL": "debug", "HASH_KEY": "k" * 32,
        "HASH_KEY_FILE": "key.txt", "CONTEXT_KEY": "c" * 32, "CONTEXT_KEY_FILE": "key.txt",
        "CONTEXT_PUBLIC_KEY_FILE": "key.pem", "CONTEXT_SECONDS": "60",
        "APPROVALS": "postgresql://h/a", "APPROVAL_WAIT": "30",
        "APPROVAL_HOOK": "https://h/ask", "APPROVAL_HOOK_SECONDS": "2",
        "APPROVAL_HOOK_KEY": "s" * 32,
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"QUERYWARDEN_{name}", value)
    settings = load_settings({})
    assert {name.upper() for name in Settings.model_fields} == set(values)
    assert settings.listen == Address("0.0.0.0", 7000)
    assert settings.admin == Address("::1", 7001)
    assert str(settings.admin) == "[::1]:7001"
    assert settings.rules == Path("r.yaml")
    assert (settings.max_clients, settings.drain_seconds) == (9, 1.5)
    assert settings.key() == b"k" * 32


def test_flags_win_and_database_url_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://from/env")
    without = {name: value for name, value in NEEDED.items() if name != "upstream"}
    assert load_settings(without).upstream.get_secret_value() == "postgresql://from/env"
    monkeypatch.setenv("QUERYWARDEN_UPSTREAM", "postgresql://from/named")
    assert load_settings(without).upstream.get_secret_value() == "postgresql://from/named"
    given = {**NEEDED, "records": None}
    assert load_settings(given).upstream.get_secret_value() == NEEDED["upstream"]


def test_missing_settings_are_named_with_flag_and_variable() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({})
    assert str(caught.value).splitlines() == [
        "--rules is needed: give the flag or set QUERYWARDEN_RULES",
        "--upstream is needed: give the flag or set QUERYWARDEN_UPSTREAM",
        "--auth-file is needed: give the flag or set QUERYWARDEN_AUTH_FILE",
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("listen", "nowhere", "--listen (QUERYWARDEN_LISTEN): must be HOST:PORT"),
        ("listen", "::1:70", "--listen (QUERYWARDEN_LISTEN): must be HOST:PORT"),
        ("listen", "h:99999", "--listen (QUERYWARDEN_LISTEN): must be HOST:PORT"),
        (
            "upstream",
            "host=db password=hunter2",
            "--upstream (QUERYWARDEN_UPSTREAM): must be a URL",
        ),
        ("max_clients", "many", "--max-clients (QUERYWARDEN_MAX_CLIENTS): must be a whole number"),
        ("max_clients", "0", "--max-clients (QUERYWARDEN_MAX_CLIENTS): input should be greater"),
        ("catalog_refresh", "soon", "--catalog-refresh (QUERYWARDEN_CATALOG_REFRESH): must be a"),
        ("hash_key", "hunter2", "QUERYWARDEN_HASH_KEY: value should have at least 16"),
        ("approval_hook_key", "hunter2", "QUERYWARDEN_APPROVAL_HOOK_KEY: value should have at"),
        ("approvals", "hunter2", "--approvals (QUERYWARDEN_APPROVALS): must be a URL"),
        ("approval_wait", "601", "--approval-wait (QUERYWARDEN_APPROVAL_WAIT): input should be"),
        (
            "approval_hook",
            "http://hunter2.example/",
            "--approval-hook (QUERYWARDEN_APPROVAL_HOOK): must be https://host/path; http://",
        ),
        ("approval_hook", "https://", "--approval-hook (QUERYWARDEN_APPROVAL_HOOK): must be https"),
        ("approval_hook", "https://h:x/", "--approval-hook (QUERYWARDEN_APPROVAL_HOOK): must be"),
        ("log_level", "loud", "--log-level (QUERYWARDEN_LOG_LEVEL): string should match"),
    ],
)
def test_wrong_settings_say_what_they_must_be(name: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({**NEEDED, name: value})
    assert str(caught.value).startswith(expected)
    assert "hunter2" not in str(caught.value)


def test_secrets_are_not_printed() -> None:
    secret = {"hash_key": "hunter2-hunter2-hunter2", "approvals": "postgresql://u:hunter2@h/a"}
    settings = load_settings({**NEEDED, **secret, "approval_hook": "http://localhost:1/hunter2"})
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_the_key_can_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s" * 20 + "\n")
    assert load_settings({**NEEDED, "hash_key_file": file}).key() == b"s" * 20
    file.write_text("short\n")
    with pytest.raises(ConfigError, match="QUERYWARDEN_HASH_KEY_FILE: the key must have at least"):
        load_settings({**NEEDED, "hash_key_file": file}).key()
    with pytest.raises(ConfigError, match="no such file"):
        load_settings({**NEEDED, "hash_key_file": tmp_path / "none"}).key()


def test_names() -> None:
    assert (flag("auth_file"), variable("auth_file")) == ("--auth-file", "QUERYWARDEN_AUTH_FILE")


def test_shipped_rules_are_there() -> None:
    assert (shipped_rules() / "demo.yaml").is_file()
    assert (shipped_rules() / "reference.yaml").is_file()


# Keys of signed contexts.


def test_keys_of_signed_contexts(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 32 + "\n")
    (tmp_path / "key.pem").write_bytes(
        Ed25519PrivateKey.generate().public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
    )  # fmt: skip
    assert load_settings(NEEDED).context_keys() == ()
    settings = load_settings(
        {
            **NEEDED,
            "context_key_file": tmp_path / "secret",
            "context_public_key_file": tmp_path / "key.pem",
        }
    )
    assert [key.algorithm for key in settings.context_keys()] == ["HS256", "EdDSA"]
    assert settings.context_keys()[0].key == b"s" * 32


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"context_key": "short"}, "QUERYWARDEN_CONTEXT_KEY: the key must have at least 32"),
        ({"context_key_file": "gone"}, "QUERYWARDEN_CONTEXT_KEY_FILE: cannot read gone"),
        ({"context_public_key_file": __file__}, "QUERYWARDEN_CONTEXT_PUBLIC_KEY_FILE: not a"),
    ],
)
def test_keys_that_cannot_be_used(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_settings({**NEEDED, **given}).context_keys()
