"""What is wrong with a rules file: one `Problem` per mistake, in plain words, with its place.

Translates pydantic's error types, so that its own wording never reaches the user. Knows no field
of the file; the models say what exists.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic_core import ErrorDetails, PydanticCustomError

Location = tuple[str | int, ...]

# Names that announce a credential. Their values are never echoed, and never belong in this file.
_SECRET_NAME = re.compile(
    r"(^|[_-])(password|passwd|pwd|passphrase|secret|credential|verifier|scram|private_?key"
    r"|api_?key)s?([_-]|$)|(^|[_-])token$",
    re.IGNORECASE,
)
CREDENTIALS_GO_ELSEWHERE = "credentials never go into the rules file"
PUT_CREDENTIALS_THERE = "remove it; passwords and SCRAM verifiers live in the file of --auth-file"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `line` and `column` count from 1; both are 0 when the file could not be read.

    `field` is the dotted path, e.g. `entities.users.columns.email` or `subjects[0].roles[1]`.
    """

    file: str
    line: int
    column: int
    field: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        field = f"{self.field}: " if self.field else ""
        suggestion = f"; {self.suggestion}" if self.suggestion else ""
        return f"{place}: {field}{self.message}{suggestion}"


class RulesError(Exception):
    """The rules were refused as a whole; `problems` holds every mistake found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(
            sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line, p.column))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake at a location of the data; it becomes a Problem once the place is looked up.

    `at_key`: the mistake is the field's name, not its value. `first`: what it repeats.
    """

    location: Location
    message: str
    suggestion: str = ""
    at_key: bool = False
    first: Location = ()


def invalid(message: str, suggestion: str = "", at: Location = ()) -> PydanticCustomError:
    """The error a validator raises; `at` is the way down from the validated field."""
    return PydanticCustomError(
        "rule", "{message}", {"message": message, "suggestion": suggestion, "at": at}
    )


def dotted(location: Location) -> str:
    """`("subjects", 0, "roles")` -> `subjects[0].roles`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def closest(word: str, choices: Iterable[str]) -> str:
    """The choice most like `word`, or "" when none is near."""
    near = difflib.get_close_matches(word.lower(), list(choices), n=1, cutoff=0.6)
    return near[0] if near else ""


def did_you_mean(word: str, choices: Sequence[str]) -> str:
    """A suggestion: the closest choice, else all of them when they are few, else nothing."""
    near = closest(word, choices)
    if near:
        return f"did you mean `{near}`?"
    return f"use one of: {', '.join(choices)}" if 0 < len(choices) <= 12 else ""


def looks_secret(name: str) -> bool:
    """Whether a field of that name would hold a credential."""
    return _SECRET_NAME.search(name) is not None


def shown(value: object) -> str:
    """A short, safe rendering of a value the user wrote."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"`{text}`" if len(text) <= 40 and text.isprintable() else "the value"


_PLAIN = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "tuple_type": "must be a list",
    "dict_type": "must be a set of names, each with its value",
    "model_type": "must be a set of fields",
    "too_short": "must not be empty",
}
_HINTS = {
    "string_type": "put it in quotes",
    "bool_type": "write true or false, without quotes",
    "int_type": "write digits only, without quotes or a unit",
    "tuple_type": "write [first, second] or one `- item` per line",
    "dict_type": "write `name: value` lines below it, or {} for none",
    "model_type": "write its fields as `field: value` lines below it, or {} for none",
}


def translate(error: ErrorDetails) -> Finding:
    """One pydantic error in plain words. Unknown fields are the caller's (they need the models)."""
    location = error["loc"]
    kind = error["type"]
    context = error.get("ctx", {})
    value = error["input"]
    if kind == "rule":
        return Finding((*location, *context["at"]), context["message"], context["suggestion"])
    if kind == "missing":
        field = str(location[-1])
        example = "1" if field == "version" else "..."
        return Finding(location, "is missing", f"add a line `{field}: {example}`")
    if kind == "literal_error":
        choices = [word.strip("'") for word in re.split(r", | or ", context["expected"])]
        allowed = ", ".join(choices)
        message = f"{shown(value)} is not allowed here"
        near = closest(str(value), choices)
        hint = f"did you mean `{near}`? Allowed: {allowed}" if near else f"allowed: {allowed}"
        return Finding(location, message, hint)
    if kind in ("greater_than_equal", "less_than_equal"):
        edge = "at least" if kind == "greater_than_equal" else "at most"
        limit = context["ge" if kind == "greater_than_equal" else "le"]
        return Finding(location, f"must be {edge} {limit:,}")
    message = _PLAIN.get(kind, "is not valid here")
    suggestion = _HINTS.get(kind, "")
    if kind == "string_type" and isinstance(value, (dict, tuple)):
        suggestion = "write one name, not a list or a set of fields"
    return Finding(location, message, suggestion)
