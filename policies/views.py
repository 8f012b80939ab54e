"""(entity, subject) -> policy view: the SELECT that stands where the statement named a relation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from policies import grammar, syscat
from policies.catalog import Catalog, Column, Relation
from policies.decision import PolicyEffect
from policies.functions import LOOKUP_TYPES
from policies.grammar import Node
from policies.masks import MaskError, digest, mask
from policies.reasons import MODEL_NOT_ALLOWED, TENANT_SCOPE_REQUIRED, Refusal
from policies.routines import Calls
from policies.rules import RuleSet
from policies.rules_models import Entity
from policies.sight import Sight, sight
from policies.sql import identifier, literal
from policies.subject import Subject

# Keeps PostgreSQL from moving a condition of the statement to below the scopes (measured: an
# unfenced derived table is flattened; DISTINCT, UNION ALL and NOT MATERIALIZED do not fence).
FENCE = " OFFSET 0"
INNER = "r"  # what the relation is called inside its policy view
_MOST_TREES = 50  # kept of each view; fences come in many forms


@dataclass(frozen=True, slots=True)
class Fence:
    """How a policy view is fenced. `opaque`: columns the planner must take for expressions;
    `conditions`: SQL copied into it; `lateral`: whether that names earlier relations."""

    opaque: frozenset[str] = frozenset()
    conditions: tuple[str, ...] = ()
    lateral: bool = False


class EntityError(ValueError):
    """A rule does not fit the catalog. The entity stays closed; `field` says which rule."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


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
                         if sql == _own(c))  # fmt: skip

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
        self.lockers = rules.lockers(subject.roles)  # capabilities that may lock
        self.joins = rules.joins
        granted = rules.callable(subject.roles)
        self.calls = Calls(rules, catalog, granted, locks=bool(self.lockers))
        self.explainers, self.analyzers = rules.explainers(subject.roles)
        self._catalog = catalog
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
                self._by_table[table] = Refusal(
                    MODEL_NOT_ALLOWED,
                    f'the rules for "{name}" do not fit the database, so it is closed',
                    "ask whoever keeps the rules to run: querywarden check",
                    table=name,
                )
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
        if isinstance(found, Refusal):
            raise found.with_traceback(None)
        return found

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
) -> PolicyView:
    """The policy view of one entity. Raises EntityError, Refusal."""
    if relation is None:
        raise EntityError(f"entities.{name}.table", "no such table in the database")
    columns, expressions, effects = _columns(name, rules, relation, hash_key)
    conditions = _conditions(name, rules.entities[name], relation, subject, leakproof)
    for rule, _ in conditions:
        effects.append(PolicyEffect(f"entities.{name}.{rule}", "scope", name))
    return PolicyView(
        name=name,
        relation=relation,
        columns=tuple(columns),
        expressions=tuple(expressions),
        conditions=tuple(condition for _, condition in conditions),
        effects=tuple(effects),
        capabilities=capabilities,
        fixed=_fixed(rules.entities[name], subject),
    )


def _columns(
    name: str, rules: RuleSet, relation: Relation, hash_key: bytes
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
        source = _own(column.name)
        where = f"entities.{name}.columns.{column.name}"
        try:
            if rule.kind == "deny":
                effects.append(PolicyEffect(rule.rule or where, "hide", name, column.name))
                continue
            if rule.kind == "show":
                expressions.append(_shown(column))
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


def _own(column: str) -> str:
    return f"{INNER}.{identifier(column)}"


def _opaque(column: str) -> str:
    """A column as an expression: the planner runs conditions on the most common values of a plain
    one, whosever they are."""
    return f"COALESCE({_own(column)}, {_own(column)}) AS {identifier(column)}"


def _shown(column: Column) -> str:
    """A column as it is; look-up types as the OIDs they are, for a literal that met one would
    print the name of any object."""
    if column.type in LOOKUP_TYPES:
        return f"{_own(column.name)}::pg_catalog.oid AS {identifier(column.name)}"
    return _own(column.name)


def _fixed(entity: Entity, subject: Subject) -> tuple[str, ...]:
    """Columns the scopes compare with one value."""
    owner = entity.owner
    owned = owner.column if owner is not None and owner.holds_for(subject.roles) else None
    return tuple(column for column in (entity.tenant, owned) if column is not None)


def _conditions(
    name: str,
    entity: Entity,
    relation: Relation,
    subject: Subject,
    leakproof: frozenset[tuple[str, str, str]],
) -> list[tuple[str, str]]:
    """(rule, SQL) of every scope: tenant, owner, soft delete, rows."""

    def own(rule: str, column: str) -> str:
        if relation.column(column) is None:
            raise EntityError(f"entities.{name}.{rule}", f'no column "{column}" in the table')
        return _own(column)

    conditions: list[tuple[str, str]] = []
    if entity.tenant is not None:
        column = own("tenant", entity.tenant)
        if subject.tenant is None:
            raise Refusal(
                TENANT_SCOPE_REQUIRED,
                f'"{name}" belongs to tenants and your login has none',
                "ask whoever keeps the rules to give the login a tenant",
                table=name,
                rule=f"entities.{name}.tenant",
            )
        conditions.append(("tenant", f"{column} = {literal(subject.tenant)}"))
    if entity.owner is not None and entity.owner.holds_for(subject.roles):
        column = own("owner.column", entity.owner.column)
        owner = _subject_value(subject, entity.owner.attribute)
        conditions.append(("owner", f"{column} = {owner}"))
    if entity.soft_delete is not None:
        conditions.append(("soft_delete", f"{own('soft_delete', entity.soft_delete)} IS NULL"))
    if entity.rows is not None:
        predicate, harmless = _predicate(name, entity.rows, relation, subject, leakproof)
        if conditions and not harmless:
            # On rows of others it could raise an error, which would tell of them.
            before = " AND ".join(condition for _, condition in conditions)
            predicate = f"CASE WHEN {before} THEN {predicate} ELSE false END"
        conditions.append(("rows", predicate))
    return conditions


def _subject_value(subject: Subject, attribute: str) -> str:
    """A value of the subject as a literal; NULL, which equals nothing, when it has none."""
    try:
        value = subject.value(attribute)
    except KeyError:
        value = None
    return "NULL" if value is None else literal(value)


_REFERENCE = re.compile(rb"subject\s*\.\s*(\w+)")
# What a predicate may be made of: it must not read other relations or aggregate.
_HARMLESS_NODES = frozenset("A_Const A_Expr BoolExpr ColumnRef List NullTest String".split())
_HARMLESS_OPERATORS = frozenset({(sign,) for sign in ("=", "<>", "<", "<=", ">", ">=")})
_REFUSED_NODES = frozenset({"SubLink", "ParamRef", "SelectStmt", "GroupingFunc", "SetToDefault"})


def _predicate(
    name: str,
    text: str,
    relation: Relation,
    subject: Subject,
    leakproof: frozenset[tuple[str, str, str]],
) -> tuple[str, bool]:
    """`rows:` with `subject.x` replaced by literals, and whether it can raise no error.

    Raises EntityError.
    """
    where = f"entities.{name}.rows"
    try:
        tree = grammar.parse_expression(text)
    except (grammar.GrammarError, grammar.TooDeep) as error:
        raise EntityError(where, f"not an SQL condition: {error}") from error
    data = text.encode()
    prefix = len(b"SELECT (")
    edits: list[tuple[int, int, str]] = []
    harmless = True
    for key, value in grammar.walk({"root": tree}):
        if key in _REFUSED_NODES:
            raise EntityError(where, "may use only the entity's own columns and subject.*")
        if key[0].isupper() and key not in _HARMLESS_NODES:
            harmless = False
        if key == "A_Expr" and grammar.names(value["name"]) not in _HARMLESS_OPERATORS:
            harmless = False
        if key != "ColumnRef":
            continue
        parts = grammar.names(value["fields"])
        if parts[0] == "subject" and len(parts) == 2:
            start = value.get("location", 0) - prefix
            found = _REFERENCE.match(data, start)
            if found is None:
                raise EntityError(where, "write subject values plainly: subject.name")
            edits.append((start, found.end(), _subject_value(subject, parts[1])))
        elif len(parts) != 1 or relation.column(parts[0]) is None:
            raise EntityError(where, f'no column "{".".join(parts)}" in the table')
        else:
            start = value.get("location", 0) - prefix
            edits.append((start, start, f"{INNER}."))
            column = relation.column(parts[0])
            kind = column.type.replace("character varying", "text") if column else ""
            harmless = harmless and ("=", kind, kind) in leakproof
    for start, end, value in sorted(edits, reverse=True):
        data = data[:start] + value.encode() + data[end:]
    return f"({data.decode()}\n)", harmless


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
