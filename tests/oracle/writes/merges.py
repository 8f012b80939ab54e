"""Random MERGEs, and statements that write in their WITH queries."""

from __future__ import annotations

from tests.oracle.scopes import Scope, Source
from tests.oracle.tables import Column
from tests.oracle.writes.changes import Changes
from tests.oracle.writes.tables import TARGETS, Target
from tests.oracle.writes.texts import either
from tests.oracle.writes.values import FOREIGN_TENANTS, FOREIGN_USERS, TENANT, USER


class Merges(Changes):
    """MERGE and data-modifying WITH."""

    def merge(self) -> str:
        """One MERGE: rows of a list or of a query, matched by key."""
        target = self.pick([t for t in TARGETS if len(t.key) == 1 and t.update])
        key = target.key[0]
        kind = target.column(key).kind
        suffix = "_d" if target.soft and not self.hard else ""
        deletes = self.chance(0.4) and kind == "int"
        written, alias = self.named(target, suffix if deletes else "")
        inserts = self.chance(0.6) and not (deletes and suffix)
        # the rows come in no order, so which of them gets which key is open
        source, name = self._source(target, kind, single=inserts and target.made == key)
        scope = self.within_target(target, alias, [source])
        on = f"{alias}.{key} = {name}.k"
        if self.chance(0.25):
            on += f" AND {self.condition(self.within_target(target, alias), 1)}"
        clauses = []
        for _ in range(self.r.choice((1, 1, 2))):
            test = f" AND {self.condition(scope, 1)}" if self.chance(0.4) else ""
            clauses.append(f"WHEN MATCHED{test} THEN {self._matched(target, scope, deletes)}")
            if not test:
                break
        if inserts:
            clauses.append(self._unmatched(target, source))
        if self.chance(0.15):
            test = f" AND {self.condition(self.within_target(target, alias), 1)}"
            action = self._matched(target, self.within_target(target, alias), deletes)
            clauses.append(f"WHEN NOT MATCHED BY SOURCE{test} THEN {action}")
        without = target.soft if deletes else ""
        tail, self.returned = self.returning(
            target, alias, [source], stars=not without, without=without
        )
        if tail and self.chance(0.3) and not suffix:
            tail = tail.replace("RETURNING ", "RETURNING merge_action(), ", 1)
        listed = self.gap().join(clauses)
        return f"MERGE INTO {written} USING {self._using} ON {on} {listed}{tail}"

    _using = ""

    def _source(self, target: Target, kind: str, *, single: bool) -> tuple[Source, str]:
        """FROM of a MERGE: no two rows with one key, or a single row."""
        name = self.fresh("m")
        one, other = self.pick(("text", "int")), "int"
        columns = (Column("k", kind), Column("x", one), Column("n", other))
        if kind == "int" and not single and self.chance(0.4):
            self.fuel += 1
            inner = self.query(Scope(), 0, (one, other))
            self._using = (
                f"(SELECT row_number() OVER (ORDER BY q.x, q.n) + {self.pick((0, 0, 10, 55))}, q.x,"
                f" q.n FROM ({inner.sql}) AS q(x, n)) AS {name}(k, x, n)"
            )
        else:
            keys = self.r.sample(range(1, 70), 1 if single else self.r.randint(1, 6))
            values = [
                f"'{k * 0x1111111111111111:032x}'::uuid" if kind == "uuid" else str(k) for k in keys
            ]
            rows = ", ".join(f"({k}, {self.constant(one)}, {self.constant(other)})" for k in values)
            self._using = f"(VALUES {rows}) AS {name}(k, x, n)"
        return Source(name, columns, ("k",)), name

    def _matched(self, target: Target, scope: Scope, deletes: bool) -> str:
        if deletes and self.chance(0.6):
            if target.soft and not self.hard:
                self.soft = True
                return either("DELETE", f"UPDATE SET {target.soft} = now()")
            return "DELETE"
        if self.chance(0.1) or (deletes and target.soft and not self.hard):
            return "DO NOTHING"
        free = [c for c in target.update if c not in target.masked and c != target.soft]
        columns = self.r.sample(free, self.r.randint(1, min(2, len(free))))
        if self.chance(0.02):
            columns.append(self.pick((target.tenant or "id", target.key[0])))
        return "UPDATE SET " + ", ".join(
            f"{c} = {self.given(target, c, scope) if c in target.update else '1'}" for c in columns
        )

    def _unmatched(self, target: Target, source: Source) -> str:
        free = [c for c in target.insert if c not in target.masked and c not in target.key]
        columns = [c for c in free if c in target.needed]
        more = [c for c in free if c not in target.needed]
        columns += self.r.sample(more, self.r.randint(0, min(2, len(more))))
        scope = self.within(Scope(), [source])
        values = [self.given(target, c, scope) for c in columns]
        if target.made != target.key[0]:
            columns.insert(0, target.key[0])
            values.insert(0, f"{source.alias}.k{self.pick(('', ' + 200', ' + 200'))}")
        if target.tenant and self.chance(0.4):
            columns.append(target.tenant)
            values.append(self.force(TENANT, FOREIGN_TENANTS))
        if target.owner and self.chance(0.3):
            columns.append(target.owner)
            values.append(self.force(USER, FOREIGN_USERS))
        if not columns:
            return "WHEN NOT MATCHED THEN DO NOTHING"
        test = f" AND {self.condition(scope, 1)}" if self.chance(0.3) else ""
        listed = ", ".join(columns)
        return f"WHEN NOT MATCHED{test} THEN INSERT ({listed}) VALUES ({', '.join(values)})"

    def with_writes(self) -> str:
        """WITH queries that write, read by a SELECT or a write of another table."""
        self.keyed = self.keyed or self.chance(0.7)  # how many rows it writes is to be told before
        first = self.target(update=True)
        name = self.fresh("w")
        inner = self._any(first, always=True)
        columns = self.returned
        if not columns:
            return inner
        ctes = {name: columns}
        head = f"WITH {name} AS ({inner})"
        others = [t for t in TARGETS if t.table.primary and not _related(t, first)]
        if self.chance(0.3):
            second, other = self.pick(others), self.fresh("w")
            head += f", {other} AS ({self._any(second, always=True)})"
            if self.returned:
                ctes[other] = self.returned
        if self.chance(0.6):
            parts = [f"(SELECT count(*) FROM {each}) AS n{at}" for at, each in enumerate(ctes)]
            made = self.pick((f"SELECT * FROM {name}", f"SELECT {', '.join(parts)}"))
            return f"{head} {made}"
        third = self.pick([t for t in others if t.update and t.name not in head])
        alias, soft = self.fresh(), self.soft
        scope = self.within_target(third, alias)
        column = next(c for c in third.update if c not in third.masked and c != third.soft)
        tail, self.returned = self.returning(third, alias)
        self.soft = soft
        return (
            f"{head} UPDATE {third.name} AS {alias} SET {column} = "
            f"{self.given(third, column, Scope())} WHERE EXISTS (SELECT FROM {name}) AND"
            f" {self.condition(scope, 1)}{tail}"
        )

    def _any(self, target: Target, *, always: bool) -> str:
        shape = self.weighted({"insert": 3, "update": 4, "delete": 3})
        if shape == "insert":
            return self.insert(target, always=always)
        if shape == "update" and target.update:
            return self.update(target, always=always)
        return self.delete(target, always=always)


_TIED = ({"tickets", "ticket_lines", "memos", "accounts"}, {"events", "events_2026"})


def _related(one: Target, other: Target) -> bool:
    """Whether a write of one may change rows of the other by itself."""
    names = {one.name, other.name}
    return one == other or any(names <= tied for tied in _TIED)
