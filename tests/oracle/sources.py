"""Random FROM clauses: tables, subqueries, joins of every kind, functions, VALUES, LATERAL."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.oracle.conditions import Conditions
from tests.oracle.scopes import Scope, Source, atoms
from tests.oracle.tables import LINKS, TABLES, Column, Table

_ONLY = {"documents": "documents_only"}


@dataclass(slots=True)
class From:
    """A FROM item as SQL and what it shows; `last`: a comma in it, so a join after it would see
    only the part behind the comma."""

    sql: str
    sources: list[Source]
    last: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A query as SQL; `columns` of its result, nameless when nothing can refer to them; `order`:
    places of the columns its rows are ordered by, None when they are not."""

    sql: str
    columns: tuple[Column, ...]
    order: tuple[int, ...] | None = None


class Sources(Conditions):
    """What can stand in FROM."""

    tables: Sequence[Table] = TABLES
    links: Sequence[tuple[tuple[str, str], tuple[str, str]]] = LINKS

    @abstractmethod
    def query(self, scope: Scope, depth: int, kinds: tuple[str, ...] = ()) -> Query:
        """A query with those kinds of columns, any when none are said."""

    def from_clause(self, scope: Scope, depth: int) -> From:
        """One to three items and joins. `scope`: what is around, and the WITH queries."""
        taken: set[str] = set()
        made = self._item(scope, depth, taken)
        more = self.r.choices((0, 1, 2), (50, 38, 12))[0]
        for _ in range(more):
            if self.fuel > 0 and not made.last:
                made = self._joined(made, scope, depth, taken)
        return made

    def within(self, scope: Scope, sources: list[Source], may_fail: bool = False) -> Scope:
        """The scope of a SELECT from these sources."""
        return Scope(
            tuple(atoms(sources, self)), tuple(sources), scope, scope.ctes, may_fail=may_fail
        )

    def _item(self, scope: Scope, depth: int, taken: set[str], lateral: bool = False) -> From:
        weights = {"table": 70.0, "values": 4, "series": 4, "unnest": 3}
        if scope.ctes:
            weights["cte"] = 45
        if depth > 0 and self.fuel > 1:
            weights |= {"derived": 14, "join": 7}
        made: From = getattr(self, f"_from_{self.weighted(weights)}")(scope, depth, taken)
        return made

    def _from_table(self, scope: Scope, depth: int, taken: set[str]) -> From:
        self.fuel -= 1
        table = self.pick(self.tables)
        return self.table(table, scope, taken)

    def table(self, table: Table, scope: Scope, taken: set[str]) -> From:
        """A table, bare or under an alias."""
        written = full = table.name if "." in table.name else f"public.{table.name}"
        if full != table.name and table.name not in scope.ctes and self.chance(0.8):
            written = table.name
        bare = table.name.rpartition(".")[2]
        if table.name in _ONLY and self.chance(0.25):
            written = f"ONLY {table.name}"
        elif bare not in taken and self.chance(0.25):
            taken.add(bare)
            source = Source(bare, table.columns, table.key, table.primary, full)
            return From(written, [source])
        alias = self.fresh()
        if self.chance(0.04):
            named = [self.fresh("k") for _ in table.columns]
            columns = tuple(replace(c, name=n) for c, n in zip(table.columns, named, strict=True))
            key = tuple(n for c, n in zip(table.columns, named, strict=True) if c.name in table.key)
            sql = f"{written} AS {alias}({', '.join(named)})"
            return From(sql, [Source(alias, columns, key)])
        word = " AS " if written.startswith("ONLY") or self.chance(0.5) else " "
        return From(
            f"{written}{word}{alias}", [Source(alias, table.columns, table.key, table.primary)]
        )

    def _from_cte(self, scope: Scope, depth: int, taken: set[str]) -> From:
        name = self.pick(list(scope.ctes))
        columns = scope.ctes[name]
        alias = self.fresh()
        return From(f"{name} AS {alias}", [Source(alias, columns, tuple(c.name for c in columns))])

    def _from_values(self, scope: Scope, depth: int, taken: set[str]) -> From:
        alias, kinds = self.fresh("v"), [self.pick(("int", "text", "date")) for _ in range(2)]
        rows = ", ".join(
            "(" + ", ".join(self.constant(k) for k in kinds) + ")"
            for _ in range(self.r.randint(1, 3))
        )
        columns = tuple(Column(f"{'ab'[i]}", kind) for i, kind in enumerate(kinds))
        return From(f"(VALUES {rows}) AS {alias}(a, b)", [Source(alias, columns, ("a", "b"))])

    def _from_series(self, scope: Scope, depth: int, taken: set[str]) -> From:
        alias = self.fresh("g")
        sql = f"generate_series(1, {self.r.randint(1, 8)})"
        columns: tuple[Column, ...] = (Column("x", "int"),)
        if self.chance(0.3):
            columns += (Column("n", "int"),)
            return From(f"{sql} WITH ORDINALITY AS {alias}(x, n)", [Source(alias, columns, ("n",))])
        return From(f"{sql} AS {alias}(x)", [Source(alias, columns, ("x",))])

    def _from_unnest(self, scope: Scope, depth: int, taken: set[str]) -> From:
        alias = self.fresh("n")
        array, kind = self.pick((("ints", "int"), ("texts", "text")))
        columns = (Column("x", kind), Column("place", "int"))
        data = self.value(array, scope, 0)
        return From(
            f"unnest({data}) WITH ORDINALITY AS {alias}(x, place)",
            [Source(alias, columns, ("place",))],
        )

    def _from_derived(self, scope: Scope, depth: int, taken: set[str]) -> From:
        inner = self.query(replace(scope, atoms=(), sources=()), depth - 1)
        return From(*self._derived(inner))

    def _derived(self, inner: Query) -> tuple[str, list[Source]]:
        alias = self.fresh("d")
        names = [c.name for c in inner.columns]
        if all(names) and len(set(names)) == len(names) and self.chance(0.7):
            columns, listed = inner.columns, ""
        else:
            columns = tuple(replace(c, name=f"e{i}") for i, c in enumerate(inner.columns))
            listed = f"({', '.join(c.name for c in columns)})"
        source = Source(alias, columns, tuple(c.name for c in columns))
        return f"({inner.sql}) {self.pick(('', 'AS '))}{alias}{listed}", [source]

    def _from_join(self, scope: Scope, depth: int, taken: set[str]) -> From:
        """A join in parentheses, with an alias of its own or without."""
        left = self._from_table(scope, 0, taken)
        made = self._joined(left, scope, 0, taken, plain=True)
        if self.chance(0.5):
            return From(f"({made.sql})", made.sources)
        alias = self.fresh("j")
        every = [c for s in made.sources for c in s.columns]
        columns = tuple(replace(c, name=f"j{i}") for i, c in enumerate(every))
        listed = ", ".join(c.name for c in columns)
        key = tuple(c.name for c in columns)
        return From(f"({made.sql}) AS {alias}({listed})", [Source(alias, columns, key)])

    def _joined(
        self, left: From, scope: Scope, depth: int, taken: set[str], plain: bool = False
    ) -> From:
        kinds = {"JOIN": 38.0, "LEFT JOIN": 28, "RIGHT JOIN": 7, "FULL JOIN": 7, "CROSS JOIN": 4}
        if not plain:
            kinds |= {",": 8, "lateral": 10, "using": 9}
        kind = self.weighted(kinds)
        if kind == "lateral" and depth > 0:
            return self._lateral(left, scope, depth)
        if kind == "lateral":
            kind = "JOIN"
        linked = self._linked(left, scope, taken) if self.chance(0.6) else None
        right = linked or self._item(scope, 0 if plain else depth - 1, taken)
        sources = left.sources + right.sources
        gap = self.gap()
        if kind == ",":
            return From(f"{left.sql}, {right.sql}", sources, last=True)
        if kind == "CROSS JOIN":
            return From(f"{left.sql} CROSS JOIN {right.sql}", sources)
        if kind == "using":
            shared = self._shared(left, right)
            kind = self.pick(("JOIN", "LEFT JOIN", "FULL JOIN", "INNER JOIN", "RIGHT OUTER JOIN"))
            if shared:
                if self.chance(0.3) and len(left.sources) == len(right.sources) == 1:
                    return From(f"{left.sql} NATURAL {kind} {right.sql}", sources)
                using = ", ".join(self.r.sample(shared, self.r.randint(1, min(2, len(shared)))))
                named = ""
                if self.chance(0.2):
                    merged = [c for c in right.sources[0].columns if c.name in using.split(", ")]
                    sources = [*sources, Source(self.fresh("u"), tuple(merged), ())]
                    named = f" AS {sources[-1].alias}"
                return From(f"{left.sql}{gap}{kind} {right.sql} USING ({using}){named}", sources)
        return From(
            f"{left.sql}{gap}{kind} {right.sql} ON {self._on(left, right, scope, kind)}", sources
        )

    def _linked(self, left: From, scope: Scope, taken: set[str]) -> From | None:
        """A table that the left side refers to or that refers to it."""
        names = {c.name for s in left.sources for c in s.columns}
        found = [a[0] for a, b in self.links if b[1] in names] + [
            b[0] for a, b in self.links if a[1] in names
        ]
        if not found or self.fuel <= 0:
            return None
        self.fuel -= 1
        wanted = self.pick(found)
        return self.table(next(t for t in self.tables if t.name == wanted), scope, taken)

    def _shared(self, left: From, right: From) -> list[str]:
        """Columns of both sides that USING can name: of one kind, once on each side."""
        one = [c for s in left.sources for c in s.columns]
        other = [c for s in right.sources for c in s.columns]
        return [
            c.name for c in one
            if c.name and [x.name for x in one].count(c.name) == 1
            and [(x.name, x.kind) for x in other].count((c.name, c.kind)) == 1
        ]  # fmt: skip

    def _on(self, left: From, right: From, scope: Scope, kind: str) -> str:
        pairs = [
            (f"{a.alias}.{x.name}", f"{b.alias}.{y.name}")
            for a in left.sources for x in a.named()
            for b in right.sources for y in b.named() if x.kind == y.kind
        ]  # fmt: skip
        known = {(a[1], b[1]) for a, b in self.links} | {(b[1], a[1]) for a, b in self.links}
        likely = [p for p in pairs if (p[0].split(".")[-1], p[1].split(".")[-1]) in known]
        if not pairs:
            return "true" if kind != "FULL JOIN" else "1 = 1"
        one, other = self.pick(likely if likely and self.chance(0.85) else pairs)
        equal = f"{one} = {other}" if self.chance(0.7) else f"{other} = {one}"
        if kind == "FULL JOIN":
            return equal
        both = self.within(scope, left.sources + right.sources)
        if self.chance(0.25):
            return f"{equal} AND {self.condition(both, 1)}"
        return self.condition(both, 1) if self.chance(0.06) else equal

    def _lateral(self, left: From, scope: Scope, depth: int) -> From:
        around = self.within(scope, left.sources)
        shape = self.r.random()
        if shape < 0.3:
            right = self._from_unnest(around, depth, set())
            word = self.pick((", ", " CROSS JOIN ", ", LATERAL "))
            return From(f"{left.sql}{word}{right.sql}", left.sources + right.sources, last=True)
        sql, sources = self._derived(self.query(around, depth - 1))
        if shape < 0.6:
            sql = f"{left.sql} LEFT JOIN LATERAL {sql} ON true"
        else:
            sql = f"{left.sql}{self.pick((' CROSS JOIN LATERAL ', ', LATERAL '))}{sql}"
        return From(sql, left.sources + sources, last=True)
