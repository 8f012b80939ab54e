"""Names in a rules file that must be those of something, and stand in a list once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policies.rules_errors import Finding, Location, did_you_mean


def known(
    at: Location, names: Sequence[str], what: str, choices: tuple[str, ...]
) -> Iterator[Finding]:
    """Findings for the names (empty ones aside) that are not among the choices."""
    for index, name in enumerate(names):
        if name and name not in choices:
            hint = did_you_mean(name, choices) or f"define the {what} first"
            yield Finding((*at, index), f"there is no {what} `{name}`", hint)


def repeated(at: Location, names: Sequence[str]) -> Iterator[Finding]:
    """Findings for the names that stand there before."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Finding((*at, index), f"`{name}` is listed twice", "remove one of them")
