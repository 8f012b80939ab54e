"""Random UPDATEs and DELETEs."""

from __future__ import annotations

import datetime as dt

from tests.oracle.scopes import Scope, Source
from tests.oracle.tables import TYPES, Column
from tests.oracle.writes.inserts import Inserts
from tests.oracle.writes.tables import LINKED, READABLE, Target
from tests.oracle.writes.texts import either

_MOST = {
    "orders": 90, "order_items": 90, "order_tags": 90, "tags": 16, "places": 20, "events": 100,
    "events_2026": 100, "users": 50, "kinds": 60, "notes": 50, "documents": 50, "accounts": 24,
    "products": 25, '"Order Log"': 30, "sales.targets": 24,
}  # fmt: skip


class Changes(Inserts):
    """UPDATE and DELETE. `hard`: rows that are marked as deleted may really be."""

    hard = False
    soft = False  # a row was marked where the client deletes
    _row = 1

    def update(self, target: Target | None = None, *, always: bool = False) -> str:
        """One UPDATE. `always`: with RETURNING."""
        target = target or self.target(update=True)
        columns = self._assigned(target)
        masked = any(column in target.masked for column in columns)
        name, alias = self.named(target, "_w" if masked else "")
        name = self._only(target, name, alias)
        one_each, sources, link, source_sql = self._beside(target, alias)
        scope = self.within_target(target, alias, sources)
        values = scope if one_each else self.within_target(target, alias)
        words = f"UPDATE {name} SET {self._assignments(target, alias, columns, values)}"
        tail, self.returned = self.returning(
            target, alias, sources if one_each else (), stars=not masked and one_each,
            both=not masked, always=always,
        )  # fmt: skip
        source_sql = f"{self.gap()}FROM {source_sql}" if source_sql else ""
        return f"{words}{source_sql}{self._where(target, alias, scope, link)}{tail}"

    def delete(self, target: Target | None = None, *, always: bool = False) -> str:
        """One DELETE."""
        target = target or self.target()
        soft = bool(target.soft) and not self.hard
        name, alias = self.named(target)
        name = self._only(target, name, alias)
        one_each, sources, link, source_sql = self._beside(target, alias)
        scope = self.within_target(target, alias, sources)
        tail, self.returned = self.returning(
            target, alias, sources if one_each else (), stars=one_each, both=not soft,
            always=always, without=target.soft if soft else "",
        )  # fmt: skip
        where = self._where(target, alias, scope, link)
        if not soft:
            using = f"{self.gap()}USING {source_sql}" if source_sql else ""
            return f"DELETE FROM {name}{using}{where}{tail}"
        self.soft = True
        other = f"{target.name}_d AS {alias}"
        marked = either(f"DELETE FROM {name}", f"UPDATE {other} SET {target.soft} = now()")
        using = either(" USING ", " FROM ") + source_sql if source_sql else ""
        return f"{marked}{using}{where}{tail}"

    def _only(self, target: Target, name: str, alias: str) -> str:
        """ONLY says nothing before a view: the reference has one for it."""
        if target.name != "documents" or not self.chance(0.3):
            return name
        return either(f"ONLY {name}", f"documents_only AS {alias}")

    def _assigned(self, target: Target) -> list[str]:
        many = self.r.choices((1, 2, 3), (60, 28, 12))[0]
        columns = self.r.sample(target.update, min(many, len(target.update)))
        if self.chance(0.03):
            columns.append(self.pick((*target.forbidden, *target.key, target.tenant or "id")))
        return list(dict.fromkeys(columns))

    def _assignments(self, target: Target, alias: str, columns: list[str], scope: Scope) -> str:
        parts: list[str] = []
        left = list(columns)
        if len(columns) > 1 and self.chance(0.35) and not any(c in target.masked for c in columns):
            pair, left = left[:2], left[2:]
            parts.append(self._pair(target, pair, scope))
        parts += [self._assignment(target, alias, column, scope) for column in left]
        return ", ".join(parts)

    def _pair(self, target: Target, pair: list[str], scope: Scope) -> str:
        """(a, b) = ..."""
        listed = f"({', '.join(pair)})"
        if self.fuel > 0 and self.chance(0.5):
            self.fuel -= 1
            kinds = [target.column(c).kind for c in pair]
            made = self.from_clause(Scope(outer=scope), 0)
            inner = self.within(scope, made.sources)
            values = ", ".join(f"{self.value(k, inner, 1)}::{TYPES[k]}" for k in kinds)
            where = self.where(inner)
            order = ", ".join(inner.keys)
            tail = f"FROM {made.sql} WHERE {where} ORDER BY {order} LIMIT 1"
            return f"{listed} = (SELECT {values} {tail})"
        word = self.pick(("", "ROW"))
        values = ", ".join(self.given(target, column, scope, typed=True) for column in pair)
        return f"{listed} = {word}({values})"

    def _assignment(self, target: Target, alias: str, column: str, scope: Scope) -> str:
        found = [c for c in target.table.columns if c.name == column]
        kind = found[0].kind if found else "int"
        if column in target.masked:
            value = self.given(target, column, scope, typed=True)
            kept = (
                f"CASE WHEN ({value}) IS NOT DISTINCT FROM {alias}.{column}"
                f" THEN {alias}.{column}_w ELSE {value} END"
            )
            return f"{either(column, f'{column}_w')} = {either(value, kept)}"
        shape = self.r.random()
        if shape < 0.04:
            return f"{column} = DEFAULT"
        if kind in ("ints", "texts") and shape < 0.35:
            place = self.pick(("[1]", "[2]", "[1:2]", "[3]"))
            value = self.value(kind if ":" in place else kind[:-1], scope, 1)
            return f"{column}{place} = {value}::{TYPES[kind if ':' in place else kind[:-1]]}"
        if kind == "json" and shape < 0.3:
            place = self.pick(("['n']", "['deep']['x']", "['fresh']", "[0]"))
            return f"{column}{place} = to_jsonb({self.value('int', scope, 1)})"
        if shape < 0.5 and scope.near(kind):
            return f"{column} = {self.value(kind, scope, 2)}"
        return f"{column} = {self.given(target, column, scope) if found else '1'}"

    def _beside(self, target: Target, alias: str) -> tuple[bool, list[Source], str, str]:
        """(at most one row each, sources, what ties them to the target, FROM as SQL)."""
        if self.fuel <= 0 or not self.chance(0.25):
            return True, [], "", ""
        key = target.key[0]
        if len(target.key) == 1 and target.column(key).kind == "int" and self.chance(0.35):
            return self._listed(target, alias)
        parents = [
            (ours, theirs) for (table, ours), (other, theirs) in LINKED
            if table == target.name and theirs == "id" and ours not in target.masked
            for theirs in [other]
        ]  # fmt: skip
        if parents and self.chance(0.6):
            ours, other = self.pick(parents)
            parent = next(t for t in READABLE if t.name == other)
            made = self.table(parent, Scope(), {alias})
            self.fuel -= 1
            return True, made.sources, f"{made.sources[0].alias}.id = {alias}.{ours}", made.sql
        made = self.from_clause(Scope(), 1)
        if any(source.alias == alias for source in made.sources):
            return True, [], "", ""
        return False, made.sources, "", made.sql

    def _listed(self, target: Target, alias: str) -> tuple[bool, list[Source], str, str]:
        """FROM (VALUES ...): one row for each of some keys."""
        name, key = self.fresh("v"), target.key[0]
        keys = self.r.sample(range(1, 60), self.r.randint(1, 4))
        kind = self.pick(("int", "text", "date"))
        rows = ", ".join(f"({key}, {self.constant(kind)})" for key in keys)
        source = Source(name, (Column("k", "int"), Column("x", kind)), ("k",))
        return True, [source], f"{alias}.{key} = {name}.k", f"(VALUES {rows}) AS {name}(k, x)"

    def _where(self, target: Target, alias: str, scope: Scope, link: str) -> str:
        shape = self.weighted({"key": 40, "both": 15, "any": 40, "nothing": 3})
        if self.keyed and self.chance(0.85):
            shape = self.pick(("key", "key", "both"))
        parts = [link] if link else []
        if shape in ("key", "both") and target.table.primary:
            parts += self._by_key(target, alias)
        if shape in ("both", "any"):
            parts.append(f"({self.where(scope)})" if parts else self.where(scope))
        if not parts:
            return ""
        return f"{self.gap()}WHERE {' AND '.join(parts)}"

    def _by_key(self, target: Target, alias: str) -> list[str]:
        parts = []
        self._row = self.r.randint(1, _MOST.get(target.name, 42))
        for column in target.key:
            name = f"{alias}.{column}"
            kind = target.column(column).kind
            shape = self.r.random()
            if shape < 0.6:
                value = self._written(kind, self._existing(target, column, self._row), False)
                parts.append(f"{name} = {value}" if self.chance(0.85) else f"{value} = {name}")
            elif shape < 0.85 or kind != "int":
                values = ", ".join(
                    self._written(kind, self._existing(target, column), False)
                    for _ in range(self.r.randint(1, 5))
                )
                parts.append(f"{name} IN ({values})")
            else:
                text = ",".join(self._existing(target, column) for _ in range(self.r.randint(0, 6)))
                if self.parametrised:
                    self.parameters.append(("bigints", f"{{{text}}}"))
                    parts.append(f"{name} = ANY (${len(self.parameters)})")
                else:
                    parts.append(f"{name} = ANY ('{{{text}}}')")
        return parts

    def _existing(self, target: Target, column: str, row: int = 0) -> str:
        """A value of a key column that a row, of whomever, probably has."""
        row = row or self.r.randint(1, _MOST.get(target.name, 42))
        match target.column(column).kind:
            case "date":
                return str(dt.date(2024, 11, 1) + dt.timedelta(days=6 * row))
            case "uuid":
                return f"{row * 0x1111111111111111:032x}"
            case _ if column in ("line", "tag_id"):
                return str(self.r.randint(1, 3))
            case _:
                return str(row % 60 if target.name.startswith("events") else row)
