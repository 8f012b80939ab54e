"""(entity, subject) -> policy view: the SELECT that stands where the statement named a relation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from policies import grammar, syscat
from policies.catalog import Catalog, Column, Relation
from policies.decision import PolicyEffect
from policies.functions import LOOKUP_TYPES
from policies.grammar import Node
from policies.masks import MaskError, digest, mask
from policies.reasons import MODEL_NOT_ALLOWED, Refusal
from policies.routines import Calls
from policies.rules import RuleSet
from policies.rules_models import Capability, Entity
from policies.scopes import INNER, EntityError, conditions, nobody, own, predicate
from policies.sight import Sight, sight
from policies.sql import identifier
from policies.subject import Subject

# Keeps PostgreSQL from moving a condition of the statement to below the scopes (measured: an
# unfenced derived table is flattened; DISTINCT, UNION ALL and NOT MATERIALIZED do not fence).
FENCE = " OFFSET 0"
_MOST_TREES = 50  # kept of each view; fences come in many forms


@dataclass(frozen=True, slots=True)
class Fence:
    """How a policy view is fenced. `opaque`: columns the planner must take for expressions;
    `conditions`: SQL copied into it; `lateral`: whether that names earlier relations."""

    opaque: frozenset[str] = frozenset()
    conditions: tuple[str, ...] = ()
    lateral: bool = False


def closed(name: str) -> Refusal:
    """The refusal of an entity whose rules name what is not there."""
    return Refusal(
        MODEL_NOT_ALLOWED,
        f'the rules for "{name}" do not fit the database, so it is closed',
        "ask whoever keeps the rules to run: querywarden check",
        table=name,
    )


@dataclass(frozen=True)
class PolicyView:
    """What one subject may see of one relation. `columns`: visible names, in table order, and
    `expressions` what each stands for; `scoped`: whether rows are taken away; `fixed`: columns
    that have one value in all its rows."""

    name: str
    relation: Relation
    columns: tuple[str, ...]
    expressions: tuple[str, ...]
    conditions: tuple[str, ...]
    effects: tuple[PolicyEffect, ...] = ()
    capabilities: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    source: str = ""  # SQL of rows that stand for the relation's own
    inner: str = INNER  # what its expressions and conditions call the relation
    _trees: dict[tuple[Fence | None, bool], Node] = field(default_factory=dict, compare=False)

    @property
    def whole(self) -> bool:
        """Whether it shows every row and column as they are."""
        own = not (self.conditions or self.effects or self.source)
        return own and bool(self.capabilities)

    @property
    def scoped(self) -> bool:
        """Whether some rows are not visible: those the scopes take away, or a view of the database
        (or a source in its place) whose own conditions may run after those of the statement."""
        own = self.relation.open_view and self.relation.schema not in syscat.SYSTEM_SCHEMAS
        return bool(self.conditions or self.source) or own

    @cached_property
    def plain(self) -> frozenset[str]:
        """Columns that are the relation's own, unchanged."""
        return frozenset(c for c, sql in zip(self.columns, self.expressions, strict=True)
                         if sql == own(c, self.inner))  # fmt: skip

    @cached_property
    def shown(self) -> dict[str, str]:
        """What each visible column stands for, without the name it goes by."""
        return {
            column: expression.removesuffix(f" AS {identifier(column)}")
            for column, expression in zip(self.columns, self.expressions, strict=True)
        }

    def text(self, *, fence: Fence | None, only: bool) -> str:
        """The view as a SELECT. `only`: without the rows of inheriting tables.

        Columns are qualified: a bare name that the table has lost since would be looked for in
        the client's own query around it.
        """
        source = f"{identifier(self.relation.schema)}.{identifier(self.relation.name)}"
        if self.source:
            source, only = f"({self.source})", False
        expressions, conditions, end = self.expressions, self.conditions, ""
        if fence is not None:
            expressions = tuple(
                _opaque(column) if column in fence.opaque else expression
                for column, expression in zip(self.columns, expressions, strict=True)
            )
            conditions += fence.conditions
            end = FENCE
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return (
            f"SELECT {', '.join(expressions)} FROM {'ONLY ' if only else ''}{source} "
            f"{INNER}{where}{end}"
        )

    def tree(self, *, fence: Fence | None, only: bool) -> Node:
        """PostgreSQL's tree of that text: the node of its SelectStmt."""
        found = self._trees.get((fence, only))
        if found is None:
            _, found = grammar.parse_one(self.text(fence=fence, only=only))
            if fence is None or (not fence.conditions and len(self._trees) < _MOST_TREES):
                self._trees[fence, only] = found
        return found


class Views:
    """Everything one subject may see under one pair of rules and catalog."""

    def __init__(
        self, rules: RuleSet, catalog: Catalog, subject: Subject, hash_key: bytes = b""
    ) -> None:
        self.granted = rules.granted(subject.roles)  # capabilities that may be chosen
        self.statements = rules.statements(subject.roles)  # those that are one statement
        self.changes = rules.changes(subject.roles)  # whether any of them writes or locks
        self.lockers = rules.lockers(subject.roles)  # capabilities that may lock
        self.joins = rules.joins
        granted = rules.callable(subject.roles)
        self.calls = Calls(rules, catalog, granted, locks=bool(self.lockers))
        self.explainers, self.analyzers = rules.explainers(subject.roles)
        self._absent = subject.absent
        if subject.absent:
            # What there is it may know, as a client that looks for types must: rows it gets none.
            subject = replace(subject, tenant="", user_id="")
        self._catalog = catalog
        self._rules, self._subject, self._hash_key = rules, subject, hash_key
        self._called: dict[tuple[str, str], PolicyView] = {}
        self._by_table: dict[tuple[str, str], PolicyView | Refusal] = {}
        self._system: dict[tuple[tuple[str, str], frozenset[str]], PolicyView] = {}
        selectable = rules.selectable(subject.roles)
        for table, name in rules.entity_tables().items():
            if name not in selectable:
                continue
            relation = catalog.by_name.get(table)
            try:
                self._by_table[table] = _compile(
                    name,
                    rules,
                    relation,
                    subject,
                    hash_key,
                    selectable[name],
                    catalog.leakproof,
                )
            except EntityError:
                self._by_table[table] = closed(name)
            except Refusal as refusal:
                self._by_table[table] = refusal

    def find(self, relation: Relation, hidden: frozenset[str] = frozenset()) -> PolicyView | None:
        """The policy view of a relation; None when it does not exist for the subject.

        `hidden`: columns every table has that the statement names, for system tables to show.
        Raises Refusal when a rule closes it: no tenant, or a rule that does not fit.
        """
        key = (relation.schema, relation.name)
        if relation.schema in syscat.SYSTEM_SCHEMAS:
            return self._system_view(relation, key, hidden if relation.kind == "r" else frozenset())
        found = self._by_table.get(key)
        if self._absent and found is not None:
            raise nobody()
        if isinstance(found, Refusal):
            raise found.with_traceback(None)
        return found

    def called(self, view: PolicyView, inner: str) -> PolicyView:
        """The same view with its relation called `inner`, as SQL writes it."""
        found = self._called.get((view.name, inner))
        if found is None:
            if len(self._called) >= _MOST_TREES:
                self._called.clear()
            found = self._called[view.name, inner] = _compile(
                view.name,
                self._rules,
                view.relation,
                self._subject,
                self._hash_key,
                view.capabilities,
                self._catalog.leakproof,
                inner,
            )
        return found

    def condition(self, view: PolicyView, rule: str, text: str, inner: str) -> str:
        """A predicate of the rules over a view's relation, which is called `inner`. Raises Refusal
        when it does not fit."""
        known = self._catalog.leakproof
        try:
            return predicate(rule, text, view.relation, self._subject, known, inner)[0]
        except EntityError:
            raise closed(view.name) from None

    def entity(self, view: PolicyView) -> Entity | None:
        """What the rules say of a view's relation; None for a system table."""
        return self._rules.entities.get(view.name)

    def listed(self, relation: Relation) -> Entity | None:
        """What the rules say of a relation, seen by the subject or not; None for one they do not
        list."""
        return self._rules.entity_of(relation.schema, relation.name)

    def capability(self, name: str) -> Capability:
        """A capability the subject has."""
        return self._rules.capabilities[name]

    @cached_property
    def writers(self) -> dict[str, Capability]:
        """The subject's capabilities that permit writing."""
        return self._rules.writers(self._subject.roles)

    @property
    def names(self) -> list[str]:
        """Names of the visible entities, sorted."""
        return sorted(view.name for view in self)

    def __iter__(self) -> Iterator[PolicyView]:
        return (view for view in self._by_table.values() if isinstance(view, PolicyView))

    @cached_property
    def sight(self) -> Sight:
        """The catalog objects the subject may see."""
        visible = ((view.relation, frozenset(view.columns)) for view in self)
        return sight(visible, self._catalog, self.calls.oids)

    @cached_property
    def words(self) -> frozenset[str]:
        """Names of the relations, columns, constraints and indexes the subject may see."""
        seen = self.sight
        return frozenset(
            names[-1]
            for known in (
                seen.relation_names, seen.column_names, seen.constraint_names, seen.index_names
            )
            for names in known
        )  # fmt: skip

    def _system_view(
        self, relation: Relation, key: tuple[str, str], hidden: frozenset[str]
    ) -> PolicyView | None:
        known = syscat.SYSTEM_VIEWS.get(key)
        if known is None:
            return None
        view = self._system.get((key, hidden))
        if view is None:
            constants = {
                c.name: made
                for c in relation.columns
                if (made := known.column(c.name, self.sight)) is not None
            }
            constants |= {name: syscat.HIDDEN_COLUMNS[name] for name in sorted(hidden)}
            # Pseudo-types (anyarray) cannot pass through a derived table.
            columns = [
                c for c in relation.columns if c.name in constants or not c.type.startswith("any")
            ]
            columns += [Column(name, 0, "", 0) for name in sorted(hidden)]
            rows = known.rows(self.sight)
            view = PolicyView(
                name=".".join(key),
                relation=relation,
                columns=tuple(c.name for c in columns),
                expressions=tuple(
                    f"{constants[c.name]} AS {identifier(c.name)}"
                    if c.name in constants
                    else _shown(c)
                    for c in columns
                ),
                conditions=() if rows == "true" else (rows,),
                source=known.source(self.sight) if known.source is not None else "",
            )
            self._system[key, hidden] = view
        return view


def _compile(
    name: str,
    rules: RuleSet,
    relation: Relation | None,
    subject: Subject,
    hash_key: bytes,
    capabilities: tuple[str, ...],
    leakproof: frozenset[tuple[str, str, str]],
    inner: str = INNER,
) -> PolicyView:
    """The policy view of one entity. Raises EntityError, Refusal."""
    if relation is None:
        raise EntityError(f"entities.{name}.table", "no such table in the database")
    columns, expressions, effects = _columns(name, rules, relation, hash_key, inner)
    scopes = conditions(name, rules.entities[name], relation, subject, leakproof, inner)
    for rule, _ in scopes:
        effects.append(PolicyEffect(f"entities.{name}.{rule}", "scope", name))
    return PolicyView(
        name=name,
        relation=relation,
        columns=tuple(columns),
        expressions=tuple(expressions),
        conditions=tuple(condition for _, condition in scopes),
        effects=tuple(effects),
        capabilities=capabilities,
        fixed=_fixed(rules.entities[name], subject),
        inner=inner,
    )


def _columns(
    name: str, rules: RuleSet, relation: Relation, hash_key: bytes, inner: str
) -> tuple[list[str], list[str], list[PolicyEffect]]:
    """Visible columns, their SQL, and what was done to the others."""
    shown: list[str] = []
    expressions: list[str] = []
    effects: list[PolicyEffect] = []
    for listed in rules.entities[name].columns:
        if not any(sign in listed for sign in "*?[") and relation.column(listed) is None:
            raise EntityError(f"entities.{name}.columns.{listed}", "no such column in the table")
    for column in relation.columns:
        rule = rules.column_rule(name, column.name)
        quoted = identifier(column.name)
        source = own(column.name, inner)
        where = f"entities.{name}.columns.{column.name}"
        try:
            if rule.kind == "deny":
                effects.append(PolicyEffect(rule.rule or where, "hide", name, column.name))
                continue
            if rule.kind == "show":
                expressions.append(_shown(column, inner))
            elif rule.kind == "mask" and rule.mask is not None:
                expressions.append(f"{mask(source, column.type, rule.mask)} AS {quoted}")
                effects.append(PolicyEffect(rule.rule or where, "mask", name, column.name))
            elif rule.kind == "hash":
                made = digest(source, column.type, rule.key, hash_key)
                expressions.append(f"{made} AS {quoted}")
                effects.append(PolicyEffect(rule.rule or where, "hash", name, column.name))
            else:
                raise EntityError(where, f"unknown column rule {rule.kind}")
        except MaskError as error:
            raise EntityError(where, str(error)) from error
        shown.append(column.name)
    return shown, expressions, effects


def _opaque(column: str) -> str:
    """A column as an expression: the planner runs conditions on the most common values of a plain
    one, whosever they are."""
    return f"COALESCE({own(column)}, {own(column)}) AS {identifier(column)}"


def _shown(column: Column, inner: str = INNER) -> str:
    """A column as it is; look-up types as the OIDs they are, for a literal that met one would
    print the name of any object."""
    if column.type in LOOKUP_TYPES:
        return f"{own(column.name, inner)}::pg_catalog.oid AS {identifier(column.name)}"
    return own(column.name, inner)


def _fixed(entity: Entity, subject: Subject) -> tuple[str, ...]:
    """Columns the scopes compare with one value."""
    owner = entity.owner
    owned = owner.column if owner is not None and owner.holds_for(subject.roles) else None
    return tuple(column for column in (entity.tenant, owned) if column is not None)


def problems(rules: RuleSet, catalog: Catalog) -> list[tuple[str, str]]:
    """(rule, message) for every visible entity that does not fit the catalog."""
    found = []
    for table, name in rules.entity_tables().items():
        # A subject that satisfies every rule, so that only the catalog can be at fault.
        subject = Subject(login="check", tenant="0", user_id="0")
        try:
            _compile(
                name, rules, catalog.by_name.get(table), subject, b"check", (), catalog.leakproof
            )
        except EntityError as error:
            found.append((error.field, str(error)))
    return found
