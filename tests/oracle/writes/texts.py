"""A statement as two texts: what the client sends and how the reference is asked.

They are the same but for what `either` marks: where the reference needs other words, because a
policy of PostgreSQL refuses what the proxy fills in, replaces or does another way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.oracle.grammar import Parameter, Statement
from tests.oracle.statements import renumbered

_MARKED = re.compile("\x01([^\x01]*?)\x02([^\x01]*?)\x03")


@dataclass(frozen=True, slots=True)
class Written:
    """One statement. `verb`: of the tag the client must see when the reference has another;
    `shape`: for the counts; `data`: what follows a COPY."""

    name: str
    login: str
    shape: str
    sql: str
    reference: str
    parameters: tuple[Parameter, ...] = ()
    verb: str = ""
    data: bytes = b""

    def __str__(self) -> str:
        values = "".join(
            f"\n  ${at} = {value!r} ({kind})" for at, (kind, value) in enumerate(self.parameters, 1)
        )
        values += f"\n  data: {self.data!r}" if self.data else ""
        other = f"\n  reference: {self.reference}" if self.reference != self.sql else ""
        return f"-- {self.name} as {self.login}\n{self.sql}{values}{other}"


def either(client: str, reference: str) -> str:
    """Words that the reference says differently."""
    return f"\x01{client}\x02{reference}\x03"


def written(
    name: str, login: str, shape: str, text: str, parameters: list[Parameter], verb: str
) -> Written:
    """Both texts of a marked one, the parameters closed up."""
    closed, used = renumbered(text, parameters)
    sql, reference = _MARKED.sub(r"\1", closed), _MARKED.sub(r"\2", closed)
    return Written(name, login, shape, sql, Statement("", reference).reference, used, verb)
