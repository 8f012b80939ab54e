"""Random INSERTs: VALUES, SELECT, defaults, and what happens on a conflict."""

from __future__ import annotations

from tests.oracle.scopes import Scope, Source
from tests.oracle.tables import Column
from tests.oracle.writes.tables import Target
from tests.oracle.writes.texts import either
from tests.oracle.writes.values import FOREIGN_TENANTS, FOREIGN_USERS, TENANT, USER, Values


class Inserts(Values):
    """INSERT in all its forms."""

    returned: tuple[Column, ...] = ()  # columns of the RETURNING last made, when they have names

    def insert(self, target: Target | None = None, *, always: bool = False) -> str:
        """One INSERT. `always`: with RETURNING."""
        target = target or self.target()
        shape = self.weighted({"values": 52, "select": 25, "bare": 8, "defaults": 3, "plain": 12})
        if shape == "defaults":
            name, alias = self.named(target)
            tail, self.returned = self.returning(target, alias, always=always)
            return f"INSERT INTO {name}{self.gap()}DEFAULT VALUES{tail}"
        if shape == "bare":
            return self._without_list(target, always)
        conflict = self.chance(0.35)
        columns = self._columns(target, masked=not conflict)
        masked = any(column in target.masked for column in columns)
        name, alias = self.named(target, "_w" if masked else "")
        listed = ", ".join(either(c, f"{c}_w") if c in target.masked else c for c in columns)
        source = (
            self._from_query(target, columns)
            if shape == "select"
            else self._rows_given(target, columns)
        )
        override = ""
        if target.made and target.made in columns and self.chance(0.4):
            override = self.pick(("OVERRIDING SYSTEM VALUE ", "OVERRIDING USER VALUE "))
        on = self._on_conflict(target, alias, columns) if conflict else ""
        tail, self.returned = self.returning(
            target, alias, stars=not masked, both=bool(on) and not masked, always=always
        )
        return f"INSERT INTO {name} ({listed}) {override}{source}{on}{tail}"

    def _columns(self, target: Target, *, masked: bool) -> list[str]:
        """Which columns are given values, in any order; now and then one that must not be."""
        optional = [c for c in target.insert if c not in target.needed and c != target.made]
        if not masked:
            optional = [c for c in optional if c not in target.masked]
        chosen = self.r.sample(optional, self.r.randint(0, min(5, len(optional))))
        chosen += target.needed
        if target.made and self.chance(0.2):
            chosen.append(target.made)
        if target.tenant and self.chance(0.4):
            chosen.append(target.tenant)
        if target.owner and self.chance(0.4):
            chosen.append(target.owner)
        if target.forbidden and self.chance(0.02):
            chosen.append(self.pick(target.forbidden))
        if target.soft and self.chance(0.02) and not any(c in target.masked for c in chosen):
            chosen.append(target.soft)
        if not chosen:
            chosen = [target.insert[0]]
        chosen = list(dict.fromkeys(chosen))
        self.r.shuffle(chosen)
        return chosen

    def _rows_given(self, target: Target, columns: list[str]) -> str:
        rows = []
        for _ in range(self.r.choices((1, 2, 3, 5), (55, 25, 12, 8))[0]):
            values = [self._one(target, column) for column in columns]
            rows.append(f"({', '.join(values)})")
        return f"VALUES {(',' + self.gap()).join(rows)}"

    def _one(self, target: Target, column: str) -> str:
        if column == target.tenant:
            return self.force(TENANT, FOREIGN_TENANTS)
        if column == target.owner:
            return self.force(USER, FOREIGN_USERS)
        if column in target.insert and column not in target.needed and self.chance(0.06):
            return "DEFAULT"
        return self.given(target, column, Scope())

    def _without_list(self, target: Target, always: bool) -> str:
        """INSERT INTO t VALUES (...): the columns as they come, or the first of them. The view of
        the reference has those that take masked values last, so there they are named."""
        columns = [c.name for c in target.table.columns]
        if self.chance(0.15):
            columns = columns[: self.r.randint(2, len(columns))]
        masked = any(column in target.masked and column in target.insert for column in columns)
        name, alias = self.named(target, "_w" if masked else "")
        source = self._rows_given(target, columns)
        tail, self.returned = self.returning(target, alias, stars=not masked, always=always)
        listed = ", ".join(f"{c}_w" if c in target.masked else c for c in columns)
        return f"INSERT INTO {name} {either('', f'({listed}) ') if masked else ''}{source}{tail}"

    def _from_query(self, target: Target, columns: list[str]) -> str:
        """Rows of a query; keys are numbered, those the database makes come in a total order."""
        kinds = {c: target.column(c).kind for c in columns}
        keyed = [c for c in columns if c in target.key and c != target.made]
        forced = [c for c in columns if c in (target.tenant, target.owner)]
        plain = [c for c in columns if c not in keyed and c not in forced]
        self.fuel += 2
        made = self.query(Scope(), 1, tuple(kinds[c] for c in plain) or ("int",))
        names = [f"q{at}" for at in range(max(1, len(plain)))]
        alias = self.fresh("s")
        order = ", ".join(f"{alias}.{name}" for name in names)
        parts = []
        for column in columns:
            if column in forced:
                parts.append(self._forced(target, column))
            elif column in keyed:
                parts.append(self._numbered(target, column, order, first=column == keyed[0]))
            else:
                parts.append(f"{alias}.{names[plain.index(column)]}")
        where = ""
        if self.chance(0.3):
            shown = [Column(name, kinds[c]) for name, c in zip(names, plain, strict=False)]
            source = Source(alias, tuple(shown), tuple(names))
            where = f" WHERE {self.where(self.within(Scope(), [source]))}"
        limit = f" LIMIT {self.r.randint(0, 12)}" if self.chance(0.5) else ""
        return (
            f"SELECT {', '.join(parts)} FROM ({made.sql}) AS {alias}({', '.join(names)}){where}"
            f" ORDER BY {order}{limit}"
        )

    def _forced(self, target: Target, column: str) -> str:
        if column == target.tenant:
            return self.force(TENANT, FOREIGN_TENANTS, select=True)
        return self.force(USER, FOREIGN_USERS, select=True)

    def _numbered(self, target: Target, column: str, order: str, *, first: bool) -> str:
        number = f"row_number() OVER (ORDER BY {order})"
        match target.column(column).kind:
            case "date":
                return "DATE '2026-02-03'"
            case "uuid":
                return self.constant("uuid")
            case _ if not first:
                return f"(1 + {number} % 3)::int"
            case _:
                start = self.pick((300, 300, 300, 30))
                return f"{number} + {start if column != 'ticket_id' else 0}"

    def _on_conflict(self, target: Target, alias: str, columns: list[str]) -> str:
        """ON CONFLICT. The reference is told not to touch rows one does not see: its policies would
        say so with an error."""
        bare = target.name.rpartition(".")[2].strip('"')
        arbiters = [(f"{bare}_pkey", target.key)] if target.table.primary else []
        name, by = self.pick([*arbiters, *target.unique] or [("", ())])
        if not by or (not self.chance(0.65) and self.chance(0.4)):
            return " ON CONFLICT DO NOTHING"
        listed = f"({', '.join(by)})"
        if self.chance(0.15):
            written = name if name.isidentifier() and name.islower() else f'"{name}"'
            listed = either(f"ON CONSTRAINT {written}", listed)
        if not target.update or self.chance(0.25):
            return f" ON CONFLICT {listed} DO NOTHING"
        assignable = [c for c in target.update if c not in target.masked and c != target.soft]
        excluded = Source(
            "excluded", tuple(target.column(c) for c in columns if c not in target.masked), ()
        )
        scope = self.within_target(target, alias, [excluded])
        parts = []
        for column in self.r.sample(assignable, self.r.randint(1, min(3, len(assignable)))):
            shape = self.r.random()
            if shape < 0.5:
                value = f"excluded.{column}"
            elif shape < 0.55:
                value = "DEFAULT"
            else:
                value = self.given(target, column, scope)
            parts.append(f"{column} = {value}")
        if self.chance(0.02):
            parts.append(f"{target.key[0]} = excluded.{target.key[0]}")
        visible = target.visible.format(t=alias)
        if self.chance(0.35):
            where = self.condition(scope, 1)
            tail = either(
                f" WHERE {where}", f" WHERE CASE WHEN {visible} THEN ({where}) ELSE false END"
            )
        else:
            tail = either("", f" WHERE {visible}")
        return f" ON CONFLICT {listed} DO UPDATE SET {', '.join(parts)}{tail}"
