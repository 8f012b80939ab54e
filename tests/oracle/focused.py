"""Statements like those applications send: a few linked tables, many conditions, a page of rows.

The rest of the grammar is wide; this is dense where a policy view meets the conditions around it:
outer joins with conditions on the side that may be missing, anti joins, comparisons that leak
beside those that do not, one parameter in several places and of several types, order and limit.
"""

from __future__ import annotations

from tests.oracle.grammar import Grammar
from tests.oracle.scopes import Scope
from tests.oracle.sources import From, Query
from tests.oracle.targets import WHOLE_ROWS

_WEIGHTS = {
    "compare": 34, "key": 18, "missing": 9, "null": 5, "in": 9, "between": 6, "like": 9,
    "distinct": 4, "relying": 10, "bool": 4, "json": 4, "array": 4, "not": 4, "both": 6,
    "rows": 2, "subquery": 5,
}  # fmt: skip
_RELATED = {"num": "int", "time": "date", "text": "status"}  # a value of the second is of the first


class Focused(Grammar):
    """One SELECT over tables that refer to one another."""

    def query(
        self, scope: Scope, depth: int, kinds: tuple[str, ...] = (), *, top: bool = False
    ) -> Query:
        """A page of rows, or groups of them."""
        if not top:
            return self.select(scope, 0, kinds)
        self.fuel += 3
        made = self.from_clause(scope, 0)
        inner = self.within(scope, made.sources)
        tail = f"FROM {made.sql}{self.gap()}WHERE {self.where(inner)}"
        if self.chance(0.25):
            return self.grouped(inner, tail, kinds)
        if self.chance(0.4):
            return self.ungrouped(inner, tail, kinds, top=True)
        targets = self.pick(("*", f"{self.pick(made.sources).alias}.*", ", ".join(inner.keys)))
        order = ", ".join([self._sorted_by(inner), *inner.keys])
        page = self.limit().replace("WITH TIES", "ONLY")
        return Query(f"SELECT {targets} {tail} ORDER BY {order}{page}", (), (WHOLE_ROWS,))

    def from_clause(self, scope: Scope, depth: int) -> From:
        """Tables joined along their references; now and then a subquery between them."""
        taken: set[str] = set()
        made = self._from_table(scope, 0, taken)
        for _ in range(self.r.choices((0, 1, 2, 3), (25, 40, 25, 10))[0]):
            if self.fuel > 0 and not made.last:
                made = self._joined(made, scope, 0 if self.chance(0.8) else 1, taken)
        return made

    def where(self, scope: Scope) -> str:
        """Two to five conditions, most of them joined by AND."""
        parts = [self.condition(scope, 1) for _ in range(self.r.randint(2, 5))]
        return self.pick((" AND ", " AND ", " AND ", " AND ", " OR ")).join(parts)

    def condition(self, scope: Scope, depth: int) -> str:
        """One condition, safe to join with AND and OR."""
        weights = _WEIGHTS if depth > 0 else {**_WEIGHTS, "not": 0, "both": 0, "subquery": 0}
        made: str = getattr(self, f"_if_{self.weighted(weights)}")(scope, depth)
        return made

    def _if_missing(self, scope: Scope, depth: int) -> str:
        """Whether a row of an outer join found no partner: NULL where a key would be."""
        sources = [s for s in scope.sources if s.primary] or list(scope.sources)
        if not sources:
            return self._if_compare(scope, depth)
        source = sources[-1] if self.chance(0.7) else self.pick(sources)
        return f"{source.alias}.{self.pick(source.key)} IS {self.pick(('', '', 'NOT '))}NULL"

    def _if_key(self, scope: Scope, depth: int) -> str:
        """The one row of a key."""
        sources = [s for s in scope.sources if s.primary]
        if not sources:
            return self._if_compare(scope, depth)
        source = self.pick(sources)
        kinds = {column.name: column.kind for column in source.columns}
        return " AND ".join(
            f"{source.alias}.{name} = {self.constant(kinds[name], plain=True)}"
            for name in source.key
        )

    def parameter(self, kind: str) -> str:
        """A parameter, sometimes one whose type another place has told."""
        related = [
            at for at, (its, _) in enumerate(self.parameters, 1) if its == _RELATED.get(kind)
        ]
        if related and self.chance(0.4):
            return f"${self.pick(related)}"
        return super().parameter(kind)
