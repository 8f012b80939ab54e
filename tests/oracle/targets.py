"""Random SELECT lists and what follows WHERE: groups, aggregates, windows, order, limits."""

from __future__ import annotations

from dataclasses import replace

from tests.oracle.expressions import COMMON
from tests.oracle.scopes import Atom, Scope
from tests.oracle.sources import Query, Sources
from tests.oracle.tables import TYPES, Column

WHOLE_ROWS = -1  # in an order: no place but all columns


class Targets(Sources):
    """What is selected from a FROM clause."""

    def limit(self) -> str:
        """LIMIT and OFFSET in one of their spellings; comes after a total order."""
        count = str(self.r.randint(0, 12))
        shape = self.r.randint(0, 9)
        if shape < 3:
            return f" LIMIT {count}"
        if shape == 3:
            return f"{self.gap()}LIMIT {count} OFFSET {self.r.randint(0, 4)}"
        if shape == 4:
            return f" OFFSET {self.r.randint(0, 4)} ROWS FETCH NEXT {count} ROWS ONLY"
        if shape == 5:
            return f" FETCH FIRST {count} ROWS WITH TIES"
        if shape == 6 and self.parametrised:
            self.parameters.append(("limit", count))
            number = len(self.parameters)
            return self.pick((f" LIMIT ${number}", f" FETCH FIRST ${number} ROWS ONLY"))
        if shape == 7:
            return self.pick((" LIMIT ALL", " OFFSET 2", " LIMIT NULL", f" LIMIT 1 + {count}",
                              f" OFFSET 1 FETCH NEXT (2 + {count}) ROWS ONLY"))  # fmt: skip
        return ""

    def by_place(self, columns: tuple[Column, ...]) -> tuple[tuple[int, ...], str]:
        """An order by every column of the result, in which only equal rows tie."""
        places = list(range(len(columns)))
        self.r.shuffle(places)
        words = ("", "", " ASC", " DESC", " DESC NULLS LAST", " NULLS FIRST")
        return tuple(places), ", ".join(f"{at + 1}{self.pick(words)}" for at in places)

    def aggregate(self, kind: str, scope: Scope) -> str:
        """An aggregate of a kind over the rows of a scope."""
        scope = replace(scope, outer=None)  # of columns around alone it would belong out there
        only = f" FILTER (WHERE {self.condition(scope, 1)})" if self.chance(0.12) else ""
        one = self.value(kind, scope, 1)
        match kind:
            case "int":
                whole = self.pick(
                    ("count(*)", f"count({self.leaf(self.pick(COMMON), scope)})",
                     f"count(DISTINCT {one})", f"max({one})", f"min({one})", "sum")
                )  # fmt: skip
                if whole == "sum":
                    return f"(sum({one}){only})::bigint"
                return f"{whole}{only}"
            case "num":
                if self.chance(0.4):
                    return f"round(avg({one}){only}, 2)"
                return f"{self.pick(('sum', 'min', 'max'))}({one}){only}"
            case "text":
                if self.chance(0.4):
                    return f"string_agg({one}, ',' ORDER BY {one}){only}"
                return f"{self.pick(('min', 'max'))}({one}){only}"
            case "bool":
                return f"{self.pick(('bool_and', 'bool_or', 'every'))}({one}){only}"
            case "json":
                value = self.leaf(self.pick(COMMON), scope)
                return f"jsonb_agg({value} ORDER BY {value}){only}"
            case "ints" | "texts":
                value = self.value(kind[:-1], scope, 1)
                order = self.pick((f" ORDER BY {value}", f" ORDER BY {value} DESC"))
                return f"array_agg({value}::{TYPES[kind[:-1]]}{order}){only}"
            case "uuid":
                return f"(array_agg({one} ORDER BY {one}){only})[1]"
            case _:
                return f"{self.pick(('min', 'max'))}({one}){only}"

    def grouped(self, scope: Scope, tail: str, kinds: tuple[str, ...]) -> Query:
        """SELECT with aggregates: of everything, or by columns, places, keys, grouping sets."""
        wanted = kinds or tuple(self.pick(COMMON) for _ in range(self.r.randint(1, 3)))
        plain = [a for a in scope.atoms if a.alias]
        if not plain or self.chance(0.25):
            targets = [self.aggregate(kind, scope) for kind in wanted]
            one = replace(scope, grouped=True)
            return self._finish(targets, wanted, tail + self._having(scope), one, "")
        keyed = [s for s in scope.sources if s.primary]
        if keyed and self.chance(0.25):
            source = self.pick(keyed)
            by = [f"{source.alias}.{name}" for name in source.key]
            known = [a for a in plain if a.alias == source.alias]
        else:
            known = [self.pick(plain) for _ in range(self.r.randint(1, 2))]
            if not kinds and self.chance(0.3):
                known.append(self._grouped_expression(scope))
            by = [a.sql for a in known]
        inner = replace(scope, atoms=tuple(known), grouped=True, may_fail=False)
        targets = [
            self.value(kind, inner, 1) if known_kind and self.chance(0.6) else
            self.aggregate(kind, scope)
            for kind in wanted for known_kind in [bool(inner.near(kind))]
        ]  # fmt: skip
        if not kinds:
            targets += [a.sql for a in known[:2]]
            wanted += tuple(a.kind for a in known[:2])
        group = f"{self.gap()}GROUP BY {self._grouping(by)}{self._having(scope)}"
        return self._finish(targets, wanted, tail + group, inner, "")

    def _grouped_expression(self, scope: Scope) -> Atom:
        atom = self.atom("text", scope)
        if atom is None or not atom.alias:
            return Atom("'all'::text", "text")
        return Atom(f"lower({atom.sql})", "text")

    def _grouping(self, by: list[str]) -> str:
        by = list(dict.fromkeys(by))
        every = ", ".join(by)
        shape = self.r.random()
        if shape < 0.7 or len(by) < 2:
            return every
        if shape < 0.8:
            return f"ROLLUP ({every})"
        if shape < 0.9:
            return f"CUBE ({every})"
        return f"GROUPING SETS (({every}), ({by[0]}), ())"

    def _having(self, scope: Scope) -> str:
        if not self.chance(0.25):
            return ""
        kind = self.pick(("int", "num", "date"))
        sign = self.pick((">", "<", ">=", "<>"))
        return f" HAVING {self.aggregate(kind, scope)} {sign} {self.constant(kind)}"

    def ungrouped(self, scope: Scope, tail: str, kinds: tuple[str, ...], *, top: bool) -> Query:
        """SELECT of values, stars, whole rows and windows."""
        if top and not kinds and self.chance(0.3):
            return self._starred(scope, tail)
        wanted = kinds or tuple(self.pick(COMMON) for _ in range(self.r.randint(1, 4)))
        targets, window = [], ""
        for kind in wanted:
            if kind in ("int", "text", "num") and self.chance(0.09):
                target, window = self._windowed(kind, scope, window)
                targets.append(target)
            else:
                targets.append(self.value(kind, scope, 2))
        if top and not kinds and self.chance(0.06):
            targets.append(self.pick(scope.sources).alias)
            wanted += ("row",)
        return self._finish(targets, wanted, tail + window, scope, self._distinct())

    def _sorted_by(self, scope: Scope) -> str:
        """Something to order by; a plain constant would be taken for a place."""
        kind = self._kind(scope)
        atom = self.atom(kind, scope)
        if atom is None:
            return scope.keys[0]
        if kind == "text" and self.chance(0.3):
            return f"lower({atom.sql})"
        return f"coalesce({atom.sql}, {self.constant(kind)})" if self.chance(0.2) else atom.sql

    def _distinct(self) -> str:
        return self.r.choices(("", "DISTINCT ", "on"), (88, 8, 4))[0]

    def _starred(self, scope: Scope, tail: str) -> Query:
        """Stars: all columns, those of one source, doubled ones."""
        source = self.pick(scope.sources)
        star = self.pick(("*", f"{source.alias}.*", f"{source.alias}.*, 1 AS one", "*, *"))
        order = ""
        if self.chance(0.4):
            first = [self._sorted_by(scope)] if self.chance(0.5) else []
            limit = self.limit().replace("WITH TIES", "ONLY")
            order = f"{self.gap()}ORDER BY {', '.join([*first, *scope.keys])}{limit}"
        return Query(f"SELECT {star} {tail}{order}", (), (WHOLE_ROWS,) if order else None)

    def _windowed(self, kind: str, scope: Scope, window: str) -> tuple[str, str]:
        part = f"PARTITION BY {self.leaf(self.pick(COMMON), scope)} " if self.chance(0.6) else ""
        order = ", ".join([self._sorted_by(scope), *scope.keys])
        over = f"({part}ORDER BY {order})"
        if not window and self.chance(0.3):
            window, over = f" WINDOW w AS {over}", "w"
        one = self.value(kind, scope, 1)
        calls = [f"lag({one})", f"lead({one}, 2)", f"first_value({one})", f"max({one})"]
        if kind == "int":
            calls = [*calls, "row_number()", "rank()", "dense_rank()", "ntile(3)", "count(*)"]
            return f"({self.pick(calls)} OVER {over})::bigint", window
        return f"{self.pick(calls)} OVER {over}".replace("('", "(text '"), window

    def _finish(
        self, targets: list[str], kinds: tuple[str, ...], tail: str, scope: Scope, distinct: str
    ) -> Query:
        """Name the columns, order and limit the rows."""
        written, columns = [], []
        for at, (target, kind) in enumerate(zip(targets, kinds, strict=True)):
            shape = self.r.random()
            name = f"c{at}" if shape < 0.5 else (f'"C {at}"' if shape < 0.55 else "")
            trait = next((a.trait for a in scope.atoms if a.sql == target), "")
            written.append(f"{target}{self.pick((' AS ', ' AS ', ' ')) + name if name else ''}")
            columns.append(Column(name, kind, trait if not scope.grouped else ""))
        listed = ", ".join(written)
        result = tuple(columns)
        if distinct == "on":
            on = self._sorted_by(scope)
            order = ", ".join([on, *scope.keys])
            return Query(f"SELECT DISTINCT ON ({on}) {listed} {tail} ORDER BY {order}", result)
        sql = f"SELECT {distinct}{listed}{self.gap()}{tail}"
        shape = self.r.random()
        if shape < 0.55 or "row" in kinds:
            return Query(sql, result)
        if shape < 0.75 and not distinct and not scope.grouped:
            order = ", ".join([self._sorted_by(scope), *scope.keys])
            limit = self.limit().replace("WITH TIES", "ONLY")
            return Query(f"{sql} ORDER BY {order}{limit}", result, tuple(range(len(result))))
        places, order = self.by_place(result)
        return Query(f"{sql}{self.gap()}ORDER BY {order}{self.limit()}", result, places)
