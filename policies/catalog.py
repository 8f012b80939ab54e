"""What exists in the upstream database, frozen. Built by `proxy.introspect`; read by every step.

A new Catalog that equals the old one changes nothing, so all parts compare by value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

# OIDs below this belong to the system (PostgreSQL source, access/transam.h FirstNormalObjectId).
FIRST_NORMAL_OID = 16384


@dataclass(frozen=True, slots=True)
class Column:
    """A live column. `type` is format_type() without modifiers, e.g. `integer`, `text`,
    `character varying`, `timestamp with time zone`, `public.user_tier`, `integer[]`."""

    name: str
    number: int  # attnum
    type: str
    type_oid: int
    not_null: bool = False
    typmod: int = -1
    generated: bool = False  # GENERATED ALWAYS AS (...), stored or virtual
    identity: bool = False  # GENERATED ... AS IDENTITY


# What a definition names besides columns of its own relation: (kind, OID, attnum or 0). Kinds:
# relation, type, function, other. Objects of the system and of extensions are left out.
Needs = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Index:
    """`columns`: every attnum it depends on, expression and predicate included (pg_depend)."""

    oid: int
    name: str
    columns: tuple[int, ...]
    unique: bool = False
    leading: str = ""  # name of the first plain key column, "" for an expression
    keys: tuple[str, ...] = ()  # names of the key columns in order, up to the first expression
    needs: Needs = ()
    plain: bool = False  # keys are all columns, of all rows, and it holds after each statement


@dataclass(frozen=True, slots=True)
class Constraint:
    """`columns`: every attnum of its own relation it depends on. `references`: relation OID of a
    foreign key's target (0 otherwise), `referenced` its attnums there, `referencing` those of its
    own relation that go with them, in the same order. `follows`: rows of its own relation change
    with those they refer to, on "delete", on "update"."""

    oid: int
    name: str
    kind: str  # pg_constraint.contype: p u f c x n t
    columns: tuple[int, ...]
    references: int = 0
    referenced: tuple[int, ...] = ()
    referencing: tuple[int, ...] = ()
    needs: Needs = ()
    at_once: bool = True  # each statement is held to it: it is enforced, and not only at COMMIT
    follows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger somebody wrote that fires. `before_row`: it may change a row before it is written,
    or leave it out."""

    name: str
    before_row: bool


@dataclass(frozen=True, slots=True)
class Default:
    """A column's default, or how it is generated. `columns`: attnums its expression reads."""

    oid: int
    number: int
    columns: tuple[int, ...] = ()
    needs: Needs = ()


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence; `relation` and `number` say which column owns it (0: none does)."""

    oid: int
    schema: str
    name: str
    relation: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view, materialised view, partitioned or foreign table, of user or system schemas.

    `barrier`: a view with the option security_barrier. `reads`: (relation OID, attnum) of what a
    view of a user schema is made of, 0 for a whole row.
    """

    oid: int
    schema: str
    name: str
    kind: str  # pg_class.relkind: r p v m f
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    row_estimate: float = -1.0  # pg_class.reltuples
    indexes: tuple[Index, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    barrier: bool = False
    triggers: tuple[Trigger, ...] = ()  # its own, not those of its partitions
    rewritten: bool = False  # a table with rules (CREATE RULE), which change statements
    reads: tuple[tuple[int, int], ...] = ()
    defaults: tuple[Default, ...] = ()
    parents: tuple[int, ...] = ()  # OIDs of relations it inherits from or is a partition of
    partition_columns: tuple[int, ...] = ()  # attnums of its partition key
    partition_needs: Needs = ()

    @property
    def open_view(self) -> bool:
        """Whether conditions on it may run on rows its own WHERE takes away."""
        return self.kind == "v" and not self.barrier

    def column(self, name: str) -> Column | None:
        """The live column of that name, or None."""
        for column in self.columns:
            if column.name == name:
                return column
        return None


@dataclass(frozen=True, slots=True)
class UserType:
    """A type outside pg_catalog and information_schema. `parts`: OIDs of the types it is made of
    (a domain's base, an array's element, a range's subtype)."""

    oid: int
    schema: str
    name: str
    kind: str  # pg_type.typtype: b c d e p r m
    relation: int = 0  # pg_class OID when it is a relation's row type
    parts: tuple[int, ...] = ()
    needs: Needs = ()  # of a domain's default
    constraints: tuple[Constraint, ...] = ()  # of a domain


@dataclass(frozen=True, slots=True)
class Routine:
    """A function, aggregate or procedure outside pg_catalog and information_schema.

    `kind`: pg_proc.prokind, f a w p. `volatility`: i s v. `types`: of its arguments, its result
    and the result's columns, as in Column.type. `columns`: names it has in FROM besides its own.
    `inlined`: a set-returning SQL function that PostgreSQL may take apart in FROM.
    """

    schema: str
    name: str
    kind: str
    volatility: str
    definer: bool = False
    language: str = "sql"
    inlined: bool = False
    types: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    oid: int = 0


@dataclass(frozen=True)
class Catalog:
    """The upstream database as of one moment.

    `search_path`: schemas an unqualified name is looked for in, in order, pg_catalog left out.
    `leakproof`: (operator name, left type, right type) with pg_proc.proleakproof, types as in
    Column.type. `user_functions`: names of functions outside pg_catalog and information_schema
    that come with no extension; `functions`: names of all functions; `record_functions`: those
    of them callable as `row.name` (one argument of a row or any type).
    `system_functions`: names of the functions PostgreSQL itself brings, the same in every database;
    `routines`: all others themselves.
    `user_operators`: operator names defined outside pg_catalog and by no extension.
    `builtin_types`: names of types in pg_catalog, row types left out.
    """

    server_version: int  # e.g. 180000
    database: str
    search_path: tuple[str, ...]
    relations: tuple[Relation, ...]
    types: tuple[UserType, ...] = ()
    builtin_types: frozenset[str] = frozenset()
    leakproof: frozenset[tuple[str, str, str]] = frozenset()
    functions: frozenset[str] = frozenset()
    user_functions: frozenset[str] = frozenset()
    routines: tuple[Routine, ...] = ()
    record_functions: frozenset[str] = frozenset()
    system_functions: frozenset[str] = frozenset()
    user_operators: frozenset[str] = frozenset()
    role: str = ""
    role_is_superuser: bool = False
    schemas: tuple[tuple[int, str], ...] = field(default=())  # (oid, name) of user schemas
    sequences: tuple[Sequence, ...] = ()

    @cached_property
    def inherited(self) -> frozenset[int]:
        """OIDs of relations that others inherit from or are partitions of."""
        return frozenset(parent for relation in self.relations for parent in relation.parents)

    @cached_property
    def by_oid(self) -> dict[int, Relation]:
        """Relations by their OID."""
        return {relation.oid: relation for relation in self.relations}

    @cached_property
    def referring(self) -> dict[int, tuple[tuple[Relation, Constraint], ...]]:
        """Foreign keys by the OID of what they refer to, with their relations; what partitions have
        from their table is the table's."""
        found: dict[int, list[tuple[Relation, Constraint]]] = {}
        for relation in self.relations:
            parents = [self.by_oid[oid] for oid in relation.parents if oid in self.by_oid]
            theirs = {one.references for parent in parents for one in parent.constraints}
            for constraint in relation.constraints:
                if constraint.kind == "f" and constraint.references not in theirs:
                    found.setdefault(constraint.references, []).append((relation, constraint))
        return {oid: tuple(keys) for oid, keys in found.items()}

    @cached_property
    def by_name(self) -> dict[tuple[str, str], Relation]:
        """(schema, name) -> relation."""
        return {(r.schema, r.name): r for r in self.relations}

    @cached_property
    def routine_names(self) -> dict[tuple[str, str], tuple[Routine, ...]]:
        """(schema, name) -> all functions of that name."""
        found: dict[tuple[str, str], tuple[Routine, ...]] = {}
        for routine in self.routines:
            key = (routine.schema, routine.name)
            found[key] = (*found.get(key, ()), routine)
        return found

    def find(self, schema: str, name: str) -> Relation | None:
        """The relation PostgreSQL would take for this name; `schema` "" means the search path."""
        if schema:
            return self.by_name.get((schema, name))
        for candidate in ("pg_catalog", *self.search_path):
            found = self.by_name.get((candidate, name))
            if found is not None:
                return found
        return None
