"""Random typed expressions: every value is one of a kind, and fails on no row the subject sees.

What would not be the same for the same rows is left out: sums of floats, values that are equal but
do not look so (1.0 and 1.00: numerics all have two places), the clock.
"""

from __future__ import annotations

from abc import abstractmethod

from tests.oracle.scopes import Atom, Dice, Scope, literal
from tests.oracle.tables import TYPES

KINDS = tuple(TYPES)
COMMON = ("int", "int", "int", "text", "text", "text", "num", "bool", "date", "time", "status")


class Expressions(Dice):
    """Values by kind. Conditions and subqueries come from those who build on this."""

    @abstractmethod
    def condition(self, scope: Scope, depth: int) -> str:
        """A condition."""

    @abstractmethod
    def scalar(self, scope: Scope, kind: str) -> str:
        """A subquery of one value, in parentheses."""

    @abstractmethod
    def listing(self, scope: Scope, kind: str) -> str:
        """A subquery of one column, without parentheses, its rows in a total order."""

    def value(self, kind: str, scope: Scope, depth: int = 2) -> str:
        """An expression of a kind."""
        if depth <= 0 or self.chance(0.45):
            return self.leaf(kind, scope)
        if kind == "int" and self.chance(0.12):
            relying = self._relying(scope)
            if relying:
                return relying
        if self.fuel > 0 and self.chance(0.05):
            return self.scalar(scope, kind)
        if self.chance(0.15):
            return self._any_kind(kind, scope, depth - 1)
        return self._made(kind, scope, depth - 1)

    def leaf(self, kind: str, scope: Scope) -> str:
        """A column, a literal or a parameter."""
        atom = self.atom(kind, scope)
        if atom is not None and self.chance(0.85):
            return atom.sql
        return self.constant(kind)

    def atom(self, kind: str, scope: Scope) -> Atom | None:
        """Something named of a kind; None when there is nothing."""
        near, far = scope.near(kind), scope.far(kind)
        if far and (not near or self.chance(0.3)):
            return self.pick(far)
        return self.pick(near) if near else None

    def constant(self, kind: str, *, plain: bool = False) -> str:
        """A literal or a parameter. `plain`: one beside a column, whose type PostgreSQL finds."""
        if self.parametrised and self.chance(0.6):
            written = self.parameter(kind)
            return written if plain and self.chance(0.7) else f"{written}::{TYPES[kind]}"
        if self.chance(0.04):
            return f"NULL::{TYPES[kind]}"
        text = self.text_of(kind)
        if plain and kind not in ("int", "num", "bool") and self.chance(0.7):
            return literal("text", text)
        if kind == "text" and "\\" in text:
            return "E'" + text.replace("\\", "\\\\") + "'"
        return literal(kind, text)

    def _relying(self, scope: Scope) -> str:
        """What fails on any row the subject must not see; empty when no column is of that sort."""
        found = [a for a in scope.atoms if a.trait]
        if not found:
            return ""
        atom = self.pick(found)
        match atom.trait:
            case "digits":
                return f"{atom.sql}::integer"
            case "positive":
                return f"(60 / {atom.sql})"
            case _:
                return f"({atom.sql} ->> 'n')::integer"

    def _any_kind(self, kind: str, scope: Scope, depth: int) -> str:
        """Forms that every kind has."""
        one, other = (self.value(kind, scope, depth) for _ in range(2))
        match self.r.randint(0, 5):
            case 0:
                return f"coalesce({one}, {other})"
            case 1:
                return f"nullif({one}, {other})"
            case 2:
                test = self.condition(scope, depth)
                return f"CASE WHEN {test} THEN {one} ELSE {other} END"
            case 3:
                tested = self.value("int", scope, 0)
                return f"CASE {tested} WHEN 1 THEN {one} WHEN 2 THEN {other} END"
            case 4 if kind not in ("json", "bool"):
                return f"{self.pick(('greatest', 'least'))}({one}, {other})"
            case _:
                return f"({one})"

    def _made(self, kind: str, scope: Scope, depth: int) -> str:
        made = getattr(self, f"_{kind}", None)
        return made(scope, depth) if made else self.leaf(kind, scope)

    def _int(self, scope: Scope, depth: int) -> str:
        def v(kind: str) -> str:
            return self.value(kind, scope, depth)

        small = self.pick((2, 3, 7, 10))
        match self.r.randint(0, 13):
            case 0:
                return f"({v('int')} + {self.text_of('int')})"
            case 1:
                return f"({self.leaf('int', scope)} - {self.leaf('int', scope)})"
            case 2:
                return f"({self.leaf('int', scope)} * {small})"
            case 3:
                return f"length({v('text')})"
            case 4:
                return f"abs({v('int')})"
            case 5:
                return f"({self.leaf('int', scope)} % {small})"
            case 6:
                return f"({v('date')} - DATE '2025-01-01')"
            case 7:
                return f"extract({self.pick(('year', 'month', 'dow'))} FROM {v('date')})::int"
            case 8:
                return f"cardinality({v(self.pick(('ints', 'texts')))})"
            case 9:
                return f"position('e' in {v('text')})"
            case 10:
                return f"CAST({v('bool')} AS integer)"
            case 11:
                return f"({self.value('ints', scope, 0)})[{self.pick((1, 2))}]"
            case 12:
                data = self.value("json", scope, 0)
                return (
                    f"CASE WHEN jsonb_typeof({data}) = 'array' THEN jsonb_array_length({data}) "
                    "ELSE -1 END"
                )
            case _:
                return f"({self.leaf('int', scope)} / {small})"

    def _num(self, scope: Scope, depth: int) -> str:
        one = self.value("num", scope, depth)
        match self.r.randint(0, 4):
            case 0:
                return f"({one} + {self.value('num', scope, depth)})"
            case 1:
                return f"round({one} * {self.leaf('num', scope)}, 2)"
            case 2:
                return f"round({one} / 3, 2)"
            case 3:
                return f"round({self.leaf('int', scope)}::numeric, 2)"
            case _:
                return f"(- {one})"

    def _text(self, scope: Scope, depth: int) -> str:
        one = self.value("text", scope, depth)
        match self.r.randint(0, 13):
            case 0:
                return f"lower({one})"
            case 1:
                return f"({one} || {self.value('text', scope, depth)})"
            case 2:
                return f"substring({one} from 1 for {self.pick((1, 2, 3))})"
            case 3:
                return f"{self.value('int', scope, depth)}::text"
            case 4:
                return f"to_char({self.value('date', scope, depth)}, 'YYYY-MM')"
            case 5:
                return f"{self.value('status', scope, 0)}::text"
            case 6:
                return f"concat({one}, '/', {self.value('int', scope, 0)})"
            case 7:
                return f"({self.value('json', scope, 0)} ->> {self.key()})"
            case 8:
                return f"array_to_string({self.value('texts', scope, depth)}, ',', '-')"
            case 9:
                return f"replace({one}, 'e', 'E')"
            case 10:
                return f"trim({one})"
            case 11:
                return f"split_part({one}, ' ', {self.pick((1, 2))})"
            case 12:
                return f"{self.leaf('num', scope)}::text"
            case _:
                return f"upper({one})"

    def key(self) -> str:
        """A key of the JSON the rows hold."""
        return self.pick(("'n'", "'color'", "'deep'", "'list'", "'none'"))

    def _bool(self, scope: Scope, depth: int) -> str:
        return f"({self.condition(scope, depth)})"

    def _date(self, scope: Scope, depth: int) -> str:
        match self.r.randint(0, 3):
            case 0:
                return f"({self.value('date', scope, depth)} + {self.pick((1, 7, 30))})"
            case 1:
                return f"{self.value('time', scope, depth)}::date"
            case 2:
                return f"date_trunc('month', {self.leaf('date', scope)})::date"
            case _:
                return f"({self.leaf('date', scope)} - interval '1 month')::date"

    def _time(self, scope: Scope, depth: int) -> str:
        match self.r.randint(0, 2):
            case 0:
                return f"({self.value('time', scope, depth)} + interval '1 day 2 hours')"
            case 1:
                return f"date_trunc('{self.pick(('day', 'year'))}', {self.leaf('time', scope)})"
            case _:
                return f"{self.value('date', scope, depth)}::timestamptz"

    def _json(self, scope: Scope, depth: int) -> str:
        match self.r.randint(0, 4):
            case 0:
                return f"jsonb_build_object('a', {self.value('int', scope, depth)})"
            case 1:
                return f"({self.leaf('json', scope)} -> {self.key()})"
            case 2:
                return f"to_jsonb({self.leaf(self.pick(COMMON), scope)})"
            case 3 if scope.sources and not scope.grouped:
                return f"to_jsonb({self.pick(scope.sources).alias})"
            case _:
                return f"({self.leaf('json', scope)} #> '{{deep,x}}')"

    def _ints(self, scope: Scope, depth: int) -> str:
        match self.r.randint(0, 3):
            case 0:
                one, other = (self.value("int", scope, depth) for _ in range(2))
                return f"ARRAY[{one}, {other}]::integer[]"
            case 1 if self.fuel > 0:
                return f"ARRAY({self.listing(scope, 'int')})::integer[]"
            case 2:
                return f"({self.leaf('ints', scope)})[1:2]"
            case _:
                return f"({self.leaf('ints', scope)} || {self.text_of('int')})"

    def _texts(self, scope: Scope, depth: int) -> str:
        match self.r.randint(0, 3):
            case 0:
                return f"ARRAY[{self.value('text', scope, depth)}, 'z']::text[]"
            case 1:
                return f"string_to_array({self.value('text', scope, depth)}, ' ')"
            case 2 if self.fuel > 0:
                return f"ARRAY({self.listing(scope, 'text')})::text[]"
            case _:
                return f"array_append({self.leaf('texts', scope)}, 'y')"

    def _uuid(self, scope: Scope, depth: int) -> str:
        return self.leaf("uuid", scope)

    def _status(self, scope: Scope, depth: int) -> str:
        return self.leaf("status", scope)
