"""Random conditions: comparisons PostgreSQL calls leakproof and many that it does not."""

from __future__ import annotations

from abc import abstractmethod

from tests.oracle.expressions import COMMON, Expressions
from tests.oracle.scopes import Scope

_SIGNS = ("=", "=", "=", "<>", "<", "<=", ">", ">=", "!=")
_PATTERNS = ("'%e%'", "'r%'", "'a\\_b'", "'%'", "'_ed'", "'%l'")
_REGEXES = ("'^[a-g]'", "'e.?d'", "'(red|blue)'", "'\\d'")


class Conditions(Expressions):
    """Conditions over the atoms of a scope."""

    @abstractmethod
    def exists(self, scope: Scope) -> str:
        """A subquery whose columns do not matter, in parentheses."""

    def where(self, scope: Scope) -> str:
        """What stands after WHERE: a few conditions, joined mostly by AND."""
        parts = [self.condition(scope, 2) for _ in range(self.r.choices((1, 2, 3), (5, 4, 2))[0])]
        if scope.may_fail and self.chance(0.04):
            # May divide by zero on a row of the subject's own: then both sides must say so.
            parts.append(f"10 / ({self.leaf('int', scope)} - {self.text_of('int')}) < 5")
        return self.pick((" AND ", " AND ", " AND ", " OR ")).join(f"{p}" for p in parts)

    def condition(self, scope: Scope, depth: int) -> str:
        """One condition, safe to join with AND and OR."""
        shape = self.weighted(
            {
                "compare": 30, "null": 8, "in": 8, "between": 5, "like": 8, "regex": 3, "not": 4,
                "both": 6, "subquery": 8, "array": 5, "json": 5, "distinct": 3, "bool": 4,
                "rows": 3, "relying": 6, "constant": 1,
            }
        )  # fmt: skip
        if depth <= 0 and shape in ("not", "both", "subquery"):
            shape = "compare"
        made: str = getattr(self, f"_if_{shape}")(scope, depth)
        return made

    def _kind(self, scope: Scope, kinds: tuple[str, ...] = COMMON) -> str:
        present = [k for k in kinds if scope.near(k)]
        return self.pick(present or kinds)

    def _if_compare(self, scope: Scope, depth: int) -> str:
        kind = self._kind(scope, (*COMMON, "uuid"))
        sign = self.pick(_SIGNS)
        atom = self.atom(kind, scope)
        if atom is None:
            return f"{self.value(kind, scope, depth)} {sign} {self.value(kind, scope, depth)}"
        match self.r.randint(0, 5):
            case 0 | 1 | 2:
                return f"{atom.sql} {sign} {self.constant(kind, plain=True)}"
            case 3:
                return f"{self.constant(kind, plain=True)} {sign} {atom.sql}"
            case 4:
                return f"{atom.sql} {sign} {self.leaf(kind, scope)}"
            case _:
                return f"{self.value(kind, scope, depth)} {sign} {self.value(kind, scope, depth)}"

    def _if_null(self, scope: Scope, depth: int) -> str:
        kind = self._kind(scope)
        return f"{self.value(kind, scope, depth - 1)} IS {self.pick(('', '', 'NOT '))}NULL"

    def _if_in(self, scope: Scope, depth: int) -> str:
        kind = self._kind(scope, ("int", "text", "status", "date", "num"))
        items = ", ".join(self.constant(kind, plain=True) for _ in range(self.r.randint(1, 4)))
        negated = "NOT " if self.chance(0.25) else ""
        return f"{self.leaf(kind, scope)} {negated}IN ({items})"

    def _if_between(self, scope: Scope, depth: int) -> str:
        kind = self._kind(scope, ("int", "num", "date", "time", "text"))
        word = self.pick(("BETWEEN", "BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC"))
        low, high = (self.constant(kind, plain=True) for _ in range(2))
        return f"{self.leaf(kind, scope)} {word} {low} AND {high}"

    def _if_like(self, scope: Scope, depth: int) -> str:
        word = self.pick(("LIKE", "LIKE", "ILIKE", "NOT LIKE", "SIMILAR TO"))
        return f"{self.value('text', scope, depth - 1)} {word} {self.pick(_PATTERNS)}"

    def _if_regex(self, scope: Scope, depth: int) -> str:
        sign = self.pick(("~", "~*", "!~"))
        return f"{self.value('text', scope, depth - 1)} {sign} {self.pick(_REGEXES)}"

    def _if_not(self, scope: Scope, depth: int) -> str:
        return f"NOT ({self.condition(scope, depth - 1)})"

    def _if_both(self, scope: Scope, depth: int) -> str:
        word = self.pick((" AND ", " OR "))
        return f"({self.condition(scope, depth - 1)}{word}{self.condition(scope, depth - 1)})"

    def _if_subquery(self, scope: Scope, depth: int) -> str:
        if self.fuel <= 0:
            return self._if_compare(scope, depth)
        kind = self._kind(scope, ("int", "int", "text", "status"))
        match self.r.randint(0, 5):
            case 0 | 1:
                return f"{self.pick(('', 'NOT '))}EXISTS {self.exists(scope)}"
            case 2:
                left = self.leaf(kind, scope)
                return f"{left} {self.pick(('', 'NOT '))}IN ({self.listing(scope, kind)})"
            case 3:
                sign, word = self.pick(_SIGNS), self.pick(("ANY", "ALL", "SOME"))
                return f"{self.leaf(kind, scope)} {sign} {word} ({self.listing(scope, kind)})"
            case _:
                return f"{self.leaf(kind, scope)} {self.pick(_SIGNS)} {self.scalar(scope, kind)}"

    def _if_array(self, scope: Scope, depth: int) -> str:
        element, array = self.pick((("int", "ints"), ("text", "texts")))
        match self.r.randint(0, 4):
            case 0 | 1:
                sign = self.pick(("=", "<>", ">"))
                word = self.pick(("ANY", "ANY", "ALL"))
                return f"{self.leaf(element, scope)} {sign} {word} ({self.value(array, scope, 0)})"
            case 2:
                items = self.constant(array, plain=True)
                return f"{self.leaf(element, scope)} = ANY ({items})"
            case _:
                sign = self.pick(("&&", "@>", "<@"))
                return f"{self.value(array, scope, 1)} {sign} {self.value(array, scope, 0)}"

    def _if_json(self, scope: Scope, depth: int) -> str:
        data = self.leaf("json", scope)
        match self.r.randint(0, 4):
            case 0:
                return f"{data} @> {self.constant('json', plain=True)}"
            case 1:
                return f"{data} ? {self.key()}"
            case 2:
                return f"{data} ->> {self.key()} = {self.constant('text', plain=True)}"
            case 3:
                return f"{data} ?| ARRAY['n', 'on']"
            case _:
                return f"{data} {self.pick(('=', '<>'))} {self.constant('json', plain=True)}"

    def _if_distinct(self, scope: Scope, depth: int) -> str:
        kind = self._kind(scope)
        word = self.pick(("IS DISTINCT FROM", "IS NOT DISTINCT FROM"))
        return f"{self.leaf(kind, scope)} {word} {self.constant(kind, plain=True)}"

    def _if_bool(self, scope: Scope, depth: int) -> str:
        data = self.leaf("bool", scope)
        return data + self.pick(("", "", " IS TRUE", " IS NOT FALSE", " IS UNKNOWN"))

    def _if_rows(self, scope: Scope, depth: int) -> str:
        first, second = self._kind(scope), self._kind(scope)
        sign = self.pick(("=", "<", ">=", "<>"))
        left = f"({self.leaf(first, scope)}, {self.leaf(second, scope)})"
        right = f"({self.constant(first)}, {self.constant(second)})"
        if self.chance(0.3):
            return f"{left} IN ({right}, ({self.constant(first)}, {self.constant(second)}))"
        return f"{left} {sign} {right}"

    def _if_relying(self, scope: Scope, depth: int) -> str:
        made = self._relying(scope)
        return f"{made or self.leaf('int', scope)} {self.pick(_SIGNS)} {self.text_of('int')}"

    def _if_constant(self, scope: Scope, depth: int) -> str:
        return self.pick(("true", "1 = 1", "NOT false", "2 > 3"))
