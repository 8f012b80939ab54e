"""Random statements over the whole of SELECT.

A grammar of SELECT written down as code: every form is built from forms that are valid where they
stand, so PostgreSQL accepts nearly all of it. Each statement has one right answer: a limit comes
with an order in which no two different rows tie, and windows and lists are ordered likewise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tests.oracle.expressions import COMMON, KINDS
from tests.oracle.scopes import Scope
from tests.oracle.sources import Query, Sources
from tests.oracle.tables import TYPES, Column
from tests.oracle.targets import Targets

Parameter = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and what to know when its answers are compared.

    `reference`: how the reference is asked, where a text cannot be the same. `parameters`: (kind,
    value in text format), None for NULL. `order`: places of the columns the rows are ordered by."""

    name: str
    sql: str
    parameters: tuple[Parameter, ...] = ()
    order: tuple[int, ...] | None = None

    @property
    def reference(self) -> str:
        """ONLY says nothing before a view, so there a view of its own stands for it."""
        return re.sub(r"ONLY (public\.)?documents\b", "documents_only", self.sql)


class Grammar(Targets, Sources):
    """Whole queries."""

    def query(
        self, scope: Scope, depth: int, kinds: tuple[str, ...] = (), *, top: bool = False
    ) -> Query:
        """A query with those kinds of columns, any when none are said."""
        shape = self.weighted(
            {"select": 80, "set": 9, "with": 12 if top else 5, "values": 2, "table": 2}
        )
        if shape == "table" and not kinds:
            return self._table(scope)
        if shape == "values":
            return self._values(scope, kinds or (self.pick(COMMON), "int"))
        if shape == "with" and depth > 0:
            return self._with(scope, depth, kinds, top)
        if shape == "set" and depth > 0 and self.fuel > 1:
            return self._set(scope, depth, kinds)
        return self.select(scope, depth, kinds, top=top)

    def _table(self, scope: Scope) -> Query:
        table = self.pick(self.tables)
        self.fuel -= 1
        name = table.name if "." in table.name else f"public.{table.name}"
        return Query(f"{self.pick(('TABLE', 'SELECT * FROM'))} {name}", table.columns)

    def _values(self, scope: Scope, kinds: tuple[str, ...]) -> Query:
        rows = [
            "(" + ", ".join(self.constant(k) for k in kinds) + ")"
            for _ in range(self.r.randint(1, 3))
        ]
        columns = tuple(Column(f"column{i + 1}", k) for i, k in enumerate(kinds))
        return Query(f"VALUES {', '.join(rows)}", columns)

    def _set(self, scope: Scope, depth: int, kinds: tuple[str, ...]) -> Query:
        kinds = kinds or tuple(self.pick(COMMON) for _ in range(self.r.randint(1, 3)))
        arms = [self.select(scope, depth - 1, kinds) for _ in range(self.r.choice((2, 2, 3)))]
        written = [f"({arm.sql})" for arm in arms]
        sql = written[0]
        for arm in written[1:]:
            word = self.pick(
                ("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL")
            )
            sql = f"{sql}{self.gap()}{word} {arm}"
        columns = arms[0].columns
        if self.chance(0.4):
            places, order = self.by_place(columns)
            return Query(f"{sql} ORDER BY {order}{self.limit()}", columns, places)
        return Query(sql, columns)

    def _with(self, scope: Scope, depth: int, kinds: tuple[str, ...], top: bool) -> Query:
        written: list[tuple[str, str]] = []
        ctes = dict(scope.ctes)
        recursive = self.chance(0.25)
        for _ in range(self.r.choice((1, 1, 2))):
            shadow = self.chance(0.15)
            name = self.pick(("tags", "users", "orders")) if shadow else self.fresh("c")
            if any(name == other for other, _ in written):
                continue
            if recursive and self.chance(0.8):
                made = self._recursion(name)
            else:
                inner = Scope(ctes=dict(ctes))
                made = self.query(inner, depth - 1)
            columns = tuple(
                Column(f"{'xyzuvw'[i % 6]}{i}", c.kind, c.trait) for i, c in enumerate(made.columns)
            )
            word = self.pick(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
            named = f"{name}({', '.join(c.name for c in columns)})"
            written.append((name, f"{named} AS {word}({made.sql})"))
            ctes[name] = columns
        body = self.query(replace(scope, ctes=ctes), depth - 1, kinds, top=top)
        texts = f",{self.gap()}".join(text for _, text in written)
        head = f"WITH {'RECURSIVE ' if recursive else ''}{texts}{self.gap()}"
        if body.sql.startswith("WITH"):
            alias = self.fresh("w")
            return Query(f"{head}SELECT {alias}.* FROM ({body.sql}) AS {alias}", body.columns)
        return Query(f"{head}{body.sql}", body.columns, body.order)

    def _recursion(self, name: str) -> Query:
        self.fuel -= 1
        word = self.pick(("UNION", "UNION ALL"))
        if self.chance(0.4):
            sql = f"SELECT 1, 1 {word} SELECT r.x0 + 1, r.y1 * 2 FROM {name} AS r WHERE r.x0 < 6"
            return Query(sql, (Column("", "int"), Column("", "int")))
        first = self.pick(("m.manager_id IS NULL", "m.id < 20"))
        sql = (
            f"SELECT m.id, 1 FROM public.users m WHERE {first} {word} SELECT u.id, r.y1 + 1"
            f" FROM public.users u JOIN {name} r ON u.manager_id = r.x0 WHERE r.y1 < 4"
        )
        return Query(sql, (Column("", "int"), Column("", "int")))

    def scalar(self, scope: Scope, kind: str) -> str:
        """A subquery of one value, in parentheses."""
        made = self.from_clause(replace(scope, atoms=(), sources=(), outer=scope), 0)
        inner = self.within(scope, made.sources)
        where = f" WHERE {self.where(inner)}" if self.chance(0.7) else ""
        if self.chance(0.5):
            value = self.aggregate(kind, inner)
            return f"(SELECT {value} FROM {made.sql}{where})"
        order = ", ".join(inner.keys)
        return (
            f"(SELECT {self.value(kind, inner, 1)} FROM {made.sql}{where} ORDER BY {order} LIMIT 1)"
        )

    def listing(self, scope: Scope, kind: str) -> str:
        """A subquery of one column, its rows in a total order."""
        made = self.from_clause(replace(scope, atoms=(), sources=(), outer=scope), 0)
        inner = self.within(scope, made.sources)
        where = f" WHERE {self.where(inner)}" if self.chance(0.8) else ""
        value = self.value(kind, inner, 1)
        return (
            f"SELECT {value}::{TYPES[kind]} FROM {made.sql}{where} ORDER BY {', '.join(inner.keys)}"
        )

    def exists(self, scope: Scope) -> str:
        """A subquery whose columns do not matter, in parentheses."""
        made = self.from_clause(replace(scope, atoms=(), sources=(), outer=scope), 0)
        inner = self.within(scope, made.sources)
        return f"(SELECT {self.pick(('1', '*', 'NULL'))} FROM {made.sql} WHERE {self.where(inner)})"

    def select(
        self, scope: Scope, depth: int, kinds: tuple[str, ...] = (), *, top: bool = False
    ) -> Query:
        """One SELECT."""
        if self.chance(0.02):
            return self._constants(scope, kinds)
        around = scope
        made = self.from_clause(around, depth)
        alone = top and len(made.sources) == 1 and bool(made.sources[0].primary)
        inner = self.within(around, made.sources, may_fail=alone)
        where = f"{self.gap()}WHERE {self.where(inner)}" if self.chance(0.7) else ""
        tail = f"FROM {made.sql}{where}"
        if self.chance(0.24):
            return self.grouped(inner, tail, kinds)
        plain = self.ungrouped(inner, tail, kinds, top=top)
        lockable = top and all(source.primary for source in made.sources)
        if lockable and not re.search("DISTINCT|OVER", plain.sql) and self.chance(0.04):
            one = self.pick(made.sources).alias
            lock = self.pick((" FOR SHARE", f" FOR KEY SHARE OF {one}", f" FOR SHARE OF {one}"))
            return replace(plain, sql=plain.sql + lock)
        return plain

    def _constants(self, scope: Scope, kinds: tuple[str, ...]) -> Query:
        kinds = kinds or (self.pick(KINDS), "int")
        values = ", ".join(self.value(k, replace(scope, atoms=()), 1) for k in kinds)
        return Query(f"SELECT {values}", tuple(Column("", k) for k in kinds))
