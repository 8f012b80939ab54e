"""What the names in a tree mean at one place, for `undo`: WITH queries and items of FROM lists.

As independent of the rewriter as `undo` itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

Message = Any  # protobuf messages: their field names are data here
Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at a place: WITH queries, and for each SELECT around it, innermost first,
    the names its FROM list gives, with the schema written there ("" for anything but a table)."""

    ctes: Names = frozenset()
    levels: tuple[Mapping[str, str], ...] = ()
    around: Message | None = None  # the innermost of these, or the statement that writes

    def inside(self, select: Message) -> Scope:
        """Within a SELECT, its WITH clause seen already."""
        levels = (dict(given(select.from_clause)), *self.levels)
        return replace(self, levels=levels, around=select)

    def writing(self, statement: Message) -> Scope:
        """Within an INSERT, UPDATE or DELETE: the names of FROM or USING, and its target's own."""
        clauses = (getattr(statement, name, []) for name in ("from_clause", "using_clause"))
        names = {name: schema for clause in clauses for name, schema in given(clause)}
        if statement.DESCRIPTOR.name == "MergeStmt":
            names |= dict(given([statement.source_relation]))
        target = statement.relation
        filtered = statement if hasattr(statement, "where_clause") else None
        names[target.alias.aliasname or target.relname] = (
            "" if target.alias.aliasname else target.schemaname
        )
        return replace(self, levels=(names, *self.levels), around=filtered)

    def owner(self, name: str) -> str | None:
        """The schema written where the nearest FROM item of that name stands."""
        return next((level[name] for level in self.levels if name in level), None)


def column(reference: Message, scope: Scope | None = None) -> tuple[str, ...]:
    """s.t.c as written; with a scope as t.c when the nearest t is the table s.t. A star is ""."""
    names = words(reference.fields)
    if scope is not None and len(names) == 3 and scope.owner(names[1]) == names[0]:
        return names[1:]
    return names


def words(parts: Iterable[Message]) -> tuple[str, ...]:
    """The strings of a name list."""
    return tuple(part.string.sval for part in parts)


def given(sources: Iterable[Message]) -> Iterator[tuple[str, str]]:
    """(name, schema or "") of each item of a FROM list."""
    for source in sources:
        kind = source.WhichOneof("node")
        item: Message = getattr(source, kind)
        if kind == "join_expr":
            if item.alias.aliasname:
                yield item.alias.aliasname, ""
            else:
                yield from given((item.larg, item.rarg))
        elif kind == "range_table_sample":
            yield from given((item.relation,))
        elif item.alias.aliasname:
            yield item.alias.aliasname, ""
        elif kind == "range_var":
            yield item.relname, item.schemaname


def with_names(clause: Message) -> Names:
    """What the queries of a WITH clause are called."""
    return frozenset(cte.common_table_expr.ctename for cte in clause.ctes)
