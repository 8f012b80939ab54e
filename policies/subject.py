"""Who asks. Fixed by what the server verified at log-in, never by anything inside a statement."""

from __future__ import annotations

from dataclasses import dataclass

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Subject:
    """One verified caller; hashable, so decisions can be cached by it.

    `attributes` are the rules file's extra key/value pairs, sorted by key; predicates read them as
    `subject.<key>` beside `subject.login`, `subject.tenant` and `subject.user_id`. `capability`:
    what its session has chosen to act under, "" for nothing.
    """

    login: str
    tenant: Value = None
    user_id: Value = None
    roles: tuple[str, ...] = ()
    attributes: tuple[tuple[str, Value], ...] = ()
    capability: str = ""

    def value(self, name: str) -> Value:
        """The value behind `subject.<name>`. Raises KeyError for a name it does not have."""
        if name in ("login", "tenant", "user_id"):
            found: Value = getattr(self, name)
            return found
        return dict(self.attributes)[name]
