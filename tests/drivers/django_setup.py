"""Django as the tests use it: imported before any model is made."""

from __future__ import annotations

from typing import Any, Protocol

import django
from django.conf import settings

settings.configure(
    USE_TZ=True,
    TIME_ZONE="UTC",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["tests.drivers"],
)
django.setup()


class Login(Protocol):
    """Who connects where."""

    user: str
    password: str
    port: int


def described(name: str, login: Login, bound: bool = False) -> dict[str, Any]:
    """An entry of DATABASES. `bound`: the server binds the values, not the client."""
    return {
        "ENGINE": "django.db.backends.postgresql", "NAME": name, "USER": login.user,
        "PASSWORD": login.password, "HOST": "127.0.0.1", "PORT": login.port,
        "OPTIONS": {"server_side_binding": bound},
    }  # fmt: skip
