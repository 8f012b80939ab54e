"""Names a place in a statement may use, and the dice everything is thrown with."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.oracle.tables import TYPES, Column

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """Something in FROM: its alias as SQL writes it, its columns, those that tell its rows apart.

    `table`: the name a column may be qualified with in full (public.users.id), else empty.
    """

    alias: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    primary: bool = False
    table: str = ""

    def named(self) -> list[Column]:
        """Columns that can be referred to."""
        names = [c.name for c in self.columns]
        return [c for c in self.columns if c.name and names.count(c.name) == 1]


@dataclass(frozen=True, slots=True)
class Atom:
    """Something that can stand in an expression: a column reference, or what is grouped by.

    `alias`: the source it is a plain column of, else empty."""

    sql: str
    kind: str
    trait: str = ""
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions of one SELECT may name. `ctes`: WITH queries by name."""

    atoms: tuple[Atom, ...] = ()
    sources: tuple[Source, ...] = ()
    outer: Scope | None = None
    ctes: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    may_fail: bool = False
    grouped: bool = False

    def near(self, kind: str) -> list[Atom]:
        """Atoms of this SELECT of a kind."""
        return [a for a in self.atoms if a.kind == kind]

    def far(self, kind: str) -> list[Atom]:
        """Plain columns of the SELECTs around, without those hidden by names of this one."""
        hidden: set[str] = {s.alias for s in self.sources}
        found: list[Atom] = []
        scope = self.outer
        while scope is not None:
            found += [a for a in scope.near(kind) if a.alias and a.alias not in hidden]
            hidden |= {s.alias for s in scope.sources}
            scope = scope.outer
        return found

    @property
    def keys(self) -> list[str]:
        """Columns that together tell the rows of this FROM apart."""
        return [f"{s.alias}.{name}" for s in self.sources for name in s.key]


class Dice:
    """Random choices of one statement, its parameters and its fresh names."""

    def __init__(self, seed: str, parametrised: bool) -> None:
        self.r = random.Random(seed)
        self.parametrised = parametrised
        self.parameters: list[tuple[str, str | None]] = []
        self.fuel = self.r.choice((2, 3, 4, 4, 5, 6, 8))  # relations the statement may still read
        self._names = 0

    def chance(self, share: float) -> bool:
        """True for that share of all throws."""
        return self.r.random() < share

    def pick(self, values: Sequence[T]) -> T:
        """One of them."""
        return self.r.choice(values)

    def weighted(self, choices: Mapping[str, float]) -> str:
        """One of the names, as often as its weight says."""
        return self.r.choices(list(choices), list(choices.values()))[0]

    def fresh(self, prefix: str = "t") -> str:
        """An alias not used before, now and then one that needs quotes or comes in capitals."""
        self._names += 1
        shape = self.r.random()
        if shape < 0.05:
            return f'"{prefix.upper()} {self._names}"'
        if shape < 0.08:
            return f'"select{self._names}"'
        return f"{prefix}{self._names}"

    def gap(self) -> str:
        """White space between clauses, sometimes a comment that looks like more."""
        return self.r.choices(
            (" ", "\n", " /* ' -- ; */ ", "\n-- it's; FROM x\n", "\t"), (80, 12, 3, 2, 3)
        )[0]

    def parameter(self, kind: str) -> str:
        """A parameter of a kind: a new one, or one already there."""
        same = [at for at, (its, _) in enumerate(self.parameters) if its == kind]
        if same and self.chance(0.35):
            return f"${self.pick(same) + 1}"
        value = None if self.chance(0.05) else self.text_of(kind)
        self.parameters.append((kind, value))
        return f"${len(self.parameters)}"

    def text_of(self, kind: str) -> str:
        """A value of a kind in PostgreSQL's text format."""
        match kind:
            case "int":
                return str(self.pick((0, 1, 1, 2, 3, 5, 7, 12, 30, 41)))
            case "num":
                return self.pick(("0.00", "1.00", "2.50", "12.25", "50.00", "-1.25"))
            case "bool":
                return self.pick(("t", "f"))
            case "date":
                return self.pick(("2025-01-01", "2025-07-04", "2026-01-01", "2026-02-28"))
            case "time":
                return self.pick(("2025-03-01 07:30:00+00", "2026-01-01 00:00:00+00"))
            case "uuid":
                return f"{self.r.randint(1, 30) * 0x1111111111111111:032x}"
            case "json":
                return self.pick(('{"n": 3}', '{"color": "red"}', "[1]", "{}", '{"on": true}'))
            case "ints":
                return self.pick(("{1,2,3}", "{}", "{5}", "{0,NULL,7}"))
            case "texts":
                return self.pick(("{red,green}", "{}", "{blue,NULL}", '{"it\'s"}'))
            case "status":
                return self.pick(("new", "paid", "shipped"))
            case _:
                return self.pick(
                    ("red", "green", "blue", "a_b", "", "it's", "Ünal", "x\\y", "tools", "click")
                )


def literal(kind: str, text: str) -> str:
    """A value as an SQL literal of its kind."""
    quoted = "'" + text.replace("'", "''") + "'"
    match kind:
        case "int" | "num":
            return text if not text.startswith("-") else f"({text})"
        case "bool":
            return "true" if text == "t" else "false"
        case "text":
            return quoted
        case "date":
            return f"DATE {quoted}"
        case _:
            return f"{quoted}::{TYPES[kind]}"


def atoms(sources: Sequence[Source], dice: Dice) -> Iterator[Atom]:
    """References to every column of the sources, some in full, some bare."""
    names = [c.name for s in sources for c in s.columns]
    for source in sources:
        for column in source.named():
            sql = f"{source.alias}.{column.name}"
            alias = source.alias
            if source.table and dice.chance(0.1):
                sql = f"{source.table}.{column.name}"
            elif names.count(column.name) == 1 and dice.chance(0.25):
                sql, alias = column.name, ""
            yield Atom(sql, column.kind, column.trait, alias)
