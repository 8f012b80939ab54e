"""Who asks: what the server verified at log-in, and the signed context of whom it acts for; never
anything a client can write by itself, which can only narrow it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Subject:
    """One verified caller; hashable, so decisions can be cached by it.

    `attributes` are the rules file's extra key/value pairs, sorted by key; predicates read them as
    `subject.<key>` beside `subject.login`, `subject.tenant` and `subject.user_id`. `capability`:
    what its session has chosen to act under, "" for nothing; `bound`: its signed context says so,
    and no comment chooses another. `absent`: it acts for others and nobody has said for whom.
    """

    login: str
    tenant: Value = None
    user_id: Value = None
    roles: tuple[str, ...] = ()
    attributes: tuple[tuple[str, Value], ...] = ()
    capability: str = ""
    bound: bool = False
    absent: bool = False

    def value(self, name: str) -> Value:
        """The value behind `subject.<name>`. Raises KeyError for a name it does not have."""
        if name in ("login", "tenant", "user_id"):
            found: Value = getattr(self, name)
            return found
        return dict(self.attributes)[name]


@dataclass(frozen=True, slots=True)
class Assumed:
    """For whom a login acts, as a verified context says. `expires`: epoch seconds."""

    tenant: Value
    user_id: Value
    expires: float
    capability: str = ""
    attributes: tuple[tuple[str, Value], ...] = field(default=())


def acting(login: Subject, assumed: Assumed | None, capability: str) -> Subject:
    """Who a session is with this context and the capability it has SET. A capability the context
    names is the only one; another beside it is the name of nothing."""
    subject, bound = login, ""
    if assumed is not None:
        bound = assumed.capability
        subject = replace(
            login,
            tenant=assumed.tenant,
            user_id=assumed.user_id,
            attributes=tuple(
                sorted({**dict(login.attributes), **dict(assumed.attributes)}.items())
            ),
            absent=False,
        )
    if bound and capability not in ("", bound):
        capability = f"{bound}, {capability}"
    chosen = capability or bound
    return replace(subject, capability=chosen, bound=bool(bound)) if chosen else subject
