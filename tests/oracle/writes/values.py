"""Random values for columns that are written, and the tenants and owners beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.oracle.grammar import Grammar
from tests.oracle.scopes import Scope, Source, literal
from tests.oracle.tables import TYPES, Column
from tests.oracle.writes.tables import LINKED, READABLE, TARGETS, Target
from tests.oracle.writes.texts import either

# Values on which a policy, a trigger or a mask turns.
_TELLING = {
    ("orders", "status"): ("cancelled", "paid"),
    ("memos", "state"): ("locked", "open", "done"),
    ("memos", "stars"): ("41", "30", "2"),
    ("tickets", "title"): ("steal", "shut", " pad ", "plain"),
    ("kinds", "medium"): ("950", "899"),
    ("events_2026", "kind"): ("click", "buy"),
    ("users", "email"): ("u***@example.com", "***", "x***@y.example", "new@c.example"),
    ("users", "phone"): ("***0100", "***", "***0123", "+1 555 0199"),
    ("users", "birth_date"): ("2025-01-01", "2024-01-01", "1990-05-05"),
    ("tickets", "contact"): ("c***@example.com", "***", "new@c.example"),
    ("accounts", "level"): ("9", "3", "12"),
    ("places", "slug"): ("red", "green", "p15", "fresh"),
    ("accounts", "code"): ("red", "green", "a15", "fresh"),
}
_OFTEN = {"users": 0.7, "tickets": 0.3, "memos": 0.25, "orders": 0.12, "places": 0.4}
TENANT, FOREIGN_TENANTS, USER, FOREIGN_USERS = "2", ("3", "1", "0"), "12", ("5", "13")


class Values(Grammar):
    """What stands in VALUES and after SET."""

    tables = READABLE
    links = LINKED

    keyed = False  # rows must be named by their key

    def target(self, *, update: bool = False) -> Target:
        """A table to write to."""
        found = [t for t in TARGETS if t.update or not update]
        return self.pick([t for t in found if t.table.primary or not self.keyed])

    def named(self, target: Target, suffix: str = "") -> tuple[str, str]:
        """(as the statement names it, what its columns are qualified with). `suffix`: of the
        view the reference has in its place."""
        bare = target.name.rpartition(".")[2]
        written = target.name
        if "." not in written and self.chance(0.15):
            written = f"public.{written}"
        other = f"{target.name}{suffix}" if suffix else written
        if self.chance(0.5):
            alias = self.fresh()
            return f"{either(written, other) if suffix else written} AS {alias}", alias
        if suffix:
            return either(written, f"{other} AS {bare}"), bare
        return written, bare

    def seen(self, target: Target, alias: str, *, masked: bool = False) -> Source:
        """The target as a source; masked columns cannot be read where they are written."""
        columns = [c for c in target.table.columns if masked or c.name not in target.masked]
        return Source(alias, tuple(columns), target.key, target.table.primary)

    def given(self, target: Target, column: str, scope: Scope, *, typed: bool = False) -> str:
        """A value for a column. `typed`: where nothing tells a literal what it is."""
        kind = target.column(column).kind
        text = self._telling(target, column)
        if text is not None:
            return self._written(kind, text, typed)
        shape = self.r.random()
        if shape < 0.03 and column not in target.needed:
            return f"NULL::{TYPES[kind]}" if typed else "NULL"
        if shape < (0.3 if scope.atoms else 0.1):
            return self.value(kind, scope, 2)
        return self.constant(kind, plain=not typed)

    def _telling(self, target: Target, column: str) -> str | None:
        """A value that may refer to something, name a row or meet a rule."""
        kind = target.column(column).kind
        if column in target.key and (target.name, column) not in _TELLING:
            return self.key_value(target, column)
        if any(column == name for name, _ in target.references):
            if self.chance(0.1):
                return None
            many = self.r.randint(1, 26 if kind == "uuid" else 44)
            return f"{many * 0x1111111111111111:032x}" if kind == "uuid" else str(many)
        values = _TELLING.get((target.name, column))
        if values and self.chance(_OFTEN.get(target.name, 0.15)):
            return self.pick(values)
        return None

    def key_value(self, target: Target, column: str) -> str:
        """A key column's: mostly one that is free."""
        match target.column(column).kind:
            case "date":
                return self.pick(("2026-03-01", "2026-12-31", "2026-05-05", "2025-02-02"))
            case "uuid":
                return f"{self.r.randint(1, 60) * 0x1111111111111111:032x}"
            case _ if column in ("line", "tag_id"):
                return str(self.r.randint(1, 9))
            case _ if column == "ticket_id":
                return str(self.r.randint(1, 42))
            case _:
                return str(self.r.randint(200, 260) if self.chance(0.8) else self.r.randint(1, 60))

    def _written(self, kind: str, text: str, typed: bool) -> str:
        if self.parametrised and self.chance(0.5):
            self.parameters.append((kind, text))
            number = f"${len(self.parameters)}"
            return f"{number}::{TYPES[kind]}" if typed else number
        return literal(kind if typed or kind in ("int", "num", "bool") else "text", text)

    def force(self, right: str, wrong: Sequence[str], *, select: bool = False) -> str:
        """The tenant or owner as a client may give it, right or wrong."""
        wrong_one = self.pick(wrong)
        shape = self.weighted(
            {"own": 40, "foreign": 6, "text": 6, "cast": 6, "parameter": 20, "default": 7,
             "expression": 8, "subquery": 3, "null": 1}
        )  # fmt: skip
        if shape == "parameter" and self.parametrised:
            value = right if self.chance(0.75) else self.pick((*wrong, None))
            # of a kind that no other place takes its parameters from
            self.parameters.append(("owner", value))
            return f"${len(self.parameters)}" + ("::bigint" if select else "")
        match shape:
            case "foreign":
                return wrong_one
            case "text" if not select:
                return f"'{right}'"
            case "cast":
                return self.pick((f"'{right}'::bigint", f"CAST({right} AS int)", f"({right})"))
            case "default" if not select:
                return "DEFAULT"
            case "expression":
                return self.pick((f"{right} + 0", f"abs(-{right})", f"abs({wrong_one})"))
            case "subquery" if self.fuel > 0:
                last = self.pick((right, right, wrong_one))
                return f"(SELECT max(x) FROM generate_series(1, {last}) AS x)"
            case "null":
                return "NULL"
            case _:
                return right

    def within_target(self, target: Target, alias: str, more: Sequence[Source] = ()) -> Scope:
        """What SET and WHERE may name."""
        return self.within(Scope(), [self.seen(target, alias), *more])

    def returning(
        self,
        target: Target,
        alias: str,
        more: Sequence[Source] = (),
        *,
        stars: bool = True,
        both: bool = False,
        always: bool = False,
        without: str = "",
    ) -> tuple[str, tuple[Column, ...]]:
        """RETURNING, or nothing; its columns when they are named. `stars`: all columns may come;
        `both`: the rows before and after too; `without`: a column whose value is not told."""
        if not always and self.chance(0.4):
            return "", ()
        seen = self.seen(target, alias, masked=True)
        seen = replace(seen, columns=tuple(c for c in seen.columns if c.name != without))
        sources = [seen, *more]
        shape = self.r.random()
        if stars and not without and not always and shape < 0.3:
            made = self.pick(("*", "*", f"{alias}.*", alias, f"{alias}.*, 1 AS one", "*, *"))
            return f" RETURNING {made}", ()
        if both and not always and shape < 0.45:
            one, other = (self.pick(seen.columns).name for _ in range(2))
            words = self.pick(
                (f"old.{one} AS was, new.{one} AS became, new.{other}", "old, new", "new.*, old.*")
            )
            head = ""
            if self.chance(0.25):
                head, words = "WITH (OLD AS o, NEW AS n) ", words.replace("old.", "o.")
                words = words.replace("new.", "n.").replace("old, new", "o, n")
            return f" RETURNING {head}{words}", ()
        # grouped: whole rows are not told
        scope = replace(self.within(Scope(), sources), grouped=not stars)
        columns = [self.pick(seen.columns) for _ in range(self.r.randint(1, 3))]
        parts, named = [], []
        for at, column in enumerate(columns):
            plain = always or self.chance(0.6)
            made = f"{alias}.{column.name}" if plain else self.value(column.kind, scope, 1)
            parts.append(f"{made} AS c{at}" if always or self.chance(0.5) else made)
            named.append(Column(f"c{at}", column.kind, column.trait if plain else ""))
        return f"{self.gap()}RETURNING {', '.join(parts)}", tuple(named)
