"""What a statement writes to: the entity, under the name the statement gives it, and what of it the
subject may read there.

A target cannot be a derived table, so unlike a relation that is read it stays the table itself: its
masked and denied columns are in reach, and everything that could name them is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from policies import grammar
from policies.catalog import Column, Relation
from policies.decision import Check
from policies.grammar import Node
from policies.masks import cast_name
from policies.reasons import (
    COLUMN_NOT_FOUND,
    FIELD_NOT_ALLOWED,
    UNSUPPORTED_SYNTAX,
    Refusal,
)
from policies.rules_models import Entity
from policies.rules_writes import DeleteRule, InsertRule, UpdateRule
from policies.sql import identifier, literal
from policies.statement import Site, Statement
from policies.views import PolicyView
from policies.visible import no_relation, visible
from policies.writes.keys import is_unique
from policies.writes.shape import VERBS
from policies.writes.spans import Region, region

# Columns every table has; they tell where rows lie and when others wrote.
SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
# What policy puts into a statement may name tables so, beside the target.
OWN_NAMES = "querywarden_"


@dataclass(frozen=True, slots=True)
class Demand:
    """What a capability must permit: a verb on the entity, and columns it gives values to."""

    verb: str  # insert, update, delete, merge, copy
    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class Target:
    """One writing statement, the outermost or one of a WITH clause. `view`: the policy view of its
    entity, with the table called as the statement calls it."""

    kind: str
    node: Node
    site: Site
    outermost: bool
    statement: Statement
    relation: Relation
    entity: Entity
    view: PolicyView
    alias: str
    capability: str = ""
    insert: InsertRule | None = None
    update: UpdateRule | None = None
    delete: DeleteRule | None = None
    bound: int | None = None
    written: dict[str, None] = field(default_factory=dict)  # columns, in the order they are named
    _region: Region | None = None

    @property
    def name(self) -> str:
        """The entity's name."""
        return self.view.name

    @property
    def region(self) -> Region:
        """Its tokens."""
        if self._region is None:
            self._region = region(self.statement, self.site.place)
        return self._region

    @property
    def masked(self) -> frozenset[str]:
        """Visible columns that do not show what they hold."""
        return frozenset(self.view.columns) - self.view.plain

    @property
    def concealed(self) -> bool:
        """Whether a whole row holds more than the subject may see."""
        return len(self.view.plain) < len(self.relation.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name one row; () when nothing does."""
        return self.entity.key or self.relation.primary_key

    @property
    def has_children(self) -> bool:
        """Whether its rows are also those of other tables: partitions, or tables that inherit."""
        return self.relation.oid in self.statement.catalog.inherited

    @property
    def key_is_unique(self) -> bool:
        """Whether the database lets no two of the rows in sight have the same key."""
        return is_unique(self.key, self.entity, self.relation, self.statement.catalog)

    @property
    def keeps_rows(self) -> bool:
        """Whether deleting marks rows in place of removing them."""
        hard = self.delete is not None and self.delete.hard
        return self.entity.soft_delete is not None and not hard

    @property
    def marks(self) -> bool:
        """Whether it is a DELETE that marks rows in place of removing them."""
        return self.kind == "DeleteStmt" and self.keeps_rows

    @property
    def removes(self) -> bool:
        """Whether it may take rows away for good."""
        return self.delete is not None and not self.keeps_rows

    @property
    def returned(self) -> PolicyView:
        """What RETURNING shows of it: a row that is only marked comes back as it was."""
        if not self.marks:
            return self.view
        column = self.column(self.entity.soft_delete or "")
        mark = f"NULL::{cast_name(column.type)} AS {identifier(column.name)}"
        expressions = zip(self.view.columns, self.view.expressions, strict=True)
        shown = tuple(mark if name == column.name else sql for name, sql in expressions)
        return replace(self.view, expressions=shown)

    @property
    def forced(self) -> dict[str, str]:
        """Columns whose value is the subject's, and that value as a literal."""
        subject, found = self.statement.subject, {}
        if self.entity.tenant is not None and subject.tenant is not None:
            found[self.entity.tenant] = literal(subject.tenant)
        owner = self.entity.owner
        if owner is not None and owner.holds_for(subject.roles):
            try:
                value = subject.value(owner.attribute)
            except KeyError:
                value = None
            if value is None:
                raise Refusal(
                    FIELD_NOT_ALLOWED,
                    f'"{self.name}" belongs to users and your login is none',
                    "ask whoever keeps the rules to give the login a user_id",
                    table=self.name,
                    rule=f"entities.{self.name}.owner",
                )
            found[owner.column] = literal(value)
        return found

    @property
    def scope(self) -> str:
        """The condition every row the subject may touch meets; "" when it may touch all."""
        return " AND ".join(self.view.conditions)

    def own(self, column: str) -> str:
        """A column of the target as SQL."""
        return f"{self.view.inner}.{identifier(column)}"

    def column(self, name: str) -> Column:
        """A visible column. Raises the same Refusal for a hidden one and one there is not."""
        found = self.relation.column(name)
        if found is None or name not in self.view.columns:
            raise self.no_column(name)
        return found

    def no_column(self, name: str) -> Refusal:
        return Refusal(
            COLUMN_NOT_FOUND,
            f'column "{name}" of relation "{self.relation.name}" does not exist',
            f"{self.name} has: {', '.join(self.view.columns)}",
            table=self.name,
        )

    def check(self, check: Check) -> int:
        """The number of a check of the statement; made when it is new."""
        checks = self.statement.checks
        if check not in checks:
            checks.append(check)
        return checks.index(check)

    def forced_check(self, column: str) -> int:
        """The check that a column with the subject's value gets no other."""
        return self.check(as_check(moved(self, column)))


def as_check(refusal: Refusal) -> Check:
    """The check of which a refusal is what the client gets."""
    return Check(
        refusal.reason.sqlstate,
        refusal.reason.code,
        refusal.message,
        refusal.hint,
        table=refusal.table,
        column=refusal.column,
        rule=refusal.rule,
    )


def moved(target: Target, column: str) -> Refusal:
    """The refusal of a row that would be another tenant's or another user's."""
    what = "tenant" if column == target.entity.tenant else "owner"
    return Refusal(
        FIELD_NOT_ALLOWED,
        f'column "{column}" of "{target.name}" can hold your own {what} only',
        f"give {column} your own in each row"
        if target.kind == "CopyStmt"
        else f"leave {column} out: it is filled in",
        table=target.name,
        column=column,
        rule=f"entities.{target.name}.{what}",
    )


def target_of(kind: str, node: Node, site: Site, outermost: bool, statement: Statement) -> Target:
    """The target of a writing statement. Raises Refusal when the subject does not see it."""
    relation = node["relation"]
    view = visible(relation, statement)
    found, entity = view.relation, statement.views.entity(view)
    if entity is None:  # a system table
        raise no_relation(view.name if "schemaname" in relation else found.name, statement)
    if found.kind not in ("r", "p"):
        verb = VERBS.get(kind, "COPY")
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f'"{view.name}" is not a table, and {verb} works on tables only here',
            "write to the tables behind it",
            table=view.name,
        )
    if found.rewritten:
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f'"{view.name}" has rules of the database, which turn a write into others',
            "ask whoever keeps the rules to run: querywarden check",
            table=view.name,
        )
    alias = grammar.alias(relation)
    if alias.startswith(OWN_NAMES):
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f'a table that is written cannot be called "{alias}" here',
            f"give it a name that does not begin with {OWN_NAMES}",
            table=view.name,
        )
    return Target(
        kind=kind,
        node=node,
        site=site,
        outermost=outermost,
        statement=statement,
        relation=found,
        entity=entity,
        view=statement.views.called(view, identifier(alias)),
        alias=alias,
    )


def references(parts: Any) -> Iterator[Node]:
    """Every ColumnRef in what may look at the target."""
    return (value for key, value in grammar.walk({"parts": parts}) if key == "ColumnRef")


def check_readable(target: Target, parts: Any, also: frozenset[str] = frozenset()) -> None:
    """Refuse what could read a column of the target that does not show what it holds.

    A subquery's own relations have views without such columns, so a bare name in it would be found
    in the target around it: names are judged wherever they stand. `also`: aliases that mean the
    target too (old, new).
    """
    for reference in references(parts):
        fields = reference["fields"]
        names, star = grammar.names(fields), "A_Star" in fields[-1]
        own = {target.alias, *also}
        if star:
            if names[-1:] and names[-1] in own and target.concealed:
                raise _whole(target, names[-1])
        elif len(names) == 1 and names[0] in own and not _is_column(target, names[0]):
            if target.concealed:
                raise _whole(target, names[0])
        elif len(names) == 1 or names[-2] in own:
            check_column(target, names[-1])


def check_column(target: Target, name: str) -> None:
    """Refuse a name that may mean a column the target does not show as it is."""
    if name in target.masked:
        raise Refusal(
            FIELD_NOT_ALLOWED,
            f'column "{name}" of "{target.name}" is masked, and a write cannot read it',
            "read it in a SELECT of its own and send the value",
            table=target.name,
            column=name,
        )
    hidden = target.relation.column(name) is not None and name not in target.view.columns
    if hidden or name in SYSTEM_COLUMNS:
        raise Refusal(
            COLUMN_NOT_FOUND,
            f'column "{name}" does not exist',
            f"{target.name} has: {', '.join(target.view.columns)}",
            table=target.name,
        )


def _is_column(target: Target, name: str) -> bool:
    return name in target.view.plain


def _whole(target: Target, name: str) -> Refusal:
    return Refusal(
        FIELD_NOT_ALLOWED,
        f'whole rows of "{name}" cannot be read in a write: not all of it may be seen',
        "name the columns",
        table=target.name,
    )
