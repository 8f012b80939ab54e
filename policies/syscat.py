"""What pg_catalog and information_schema look like to a subject.

System catalogs have policy views like any entity: rows about objects the subject may not see do
not exist, and columns that tell volumes or hold statistics are constants. A system relation that
is not listed here does not exist for a client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from policies.catalog import FIRST_NORMAL_OID, Catalog, Relation
from policies.settings import READABLE, SETTINGS
from policies.sql import array, identifier, literal

SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})
# Rows are looked for by OID; everything below belongs to the system and is the same everywhere.
_SYSTEM = f"< {FIRST_NORMAL_OID}"


@dataclass(frozen=True, slots=True)
class Sight:
    """The objects one subject may see. `whole`: relations none of whose columns are hidden;
    `columns`: (relation OID, attnum)."""

    relations: frozenset[int] = frozenset()
    whole: frozenset[int] = frozenset()
    columns: frozenset[tuple[int, int]] = frozenset()
    indexes: frozenset[int] = frozenset()
    constraints: frozenset[int] = frozenset()
    types: frozenset[int] = frozenset()
    schemas: frozenset[int] = frozenset()
    relation_names: frozenset[tuple[str, str]] = frozenset()
    column_names: frozenset[tuple[str, str, str]] = frozenset()
    index_names: frozenset[tuple[str, str]] = frozenset()
    constraint_names: frozenset[tuple[str, str, str]] = frozenset()

    def guard(self, kind: str, argument: str, name: str = "oid") -> str:
        """SQL that is the OID `argument` when the subject may see that object, else NULL.

        `kind` as in `policies.functions.Guard`; `argument` is SQL and appears exactly once.
        `name`: what PostgreSQL would call the operand in a result, so that it still does.
        """
        oid = f"g.{identifier(name)}"
        operand = f"({argument})::pg_catalog.oid"
        match kind:
            case "relation" | "relation_name":
                seen = _or_listed(oid, self.relations | self.indexes)
            case "whole_relation":
                seen = _or_listed(oid, self.whole)
            case "constraint":
                seen = _or_listed(oid, self.constraints)
            case "type" | "type_name":
                seen = _or_listed(oid, self.types)
            case "schema":
                seen = _or_listed(oid, self.schemas)
            case "system":
                seen = f"{oid} {_SYSTEM}"
            case "nothing":
                seen = "false"
            case "setting":
                known = _settings()
                return (
                    f"(SELECT g.name FROM (SELECT ({argument})::pg_catalog.text) g(name) "
                    f"WHERE pg_catalog.lower(g.name) IN ({known}))"
                )
            case "type_array":
                listed = _or_listed("e.v", self.types)
                return (
                    f"(SELECT pg_catalog.array_agg(CASE WHEN {listed} THEN e.v END ORDER BY e.n) "
                    f"AS {identifier(name)} FROM pg_catalog.unnest(({argument})::pg_catalog.oid[]) "
                    "WITH ORDINALITY e(v, n))"
                )
            case "database_key" | "schema_key" | "relation_key":
                return self._key(kind, argument)
            case "no_text":
                return f"(SELECT NULL::pg_catalog.text WHERE ({argument}) IS NULL)"
            case _:
                raise ValueError(f"unknown guard {kind}")
        if kind.endswith("_name"):  # to_regclass: NULL, not an error, for what is not there
            find = "to_regclass" if kind == "relation_name" else "to_regtype"
            operand = f"pg_catalog.{find}(({argument})::pg_catalog.text)::pg_catalog.oid"
        source = f"(SELECT {operand}) g({identifier(name)})"
        return f"(SELECT {oid} FROM {source} WHERE {seen})"

    def _key(self, kind: str, argument: str) -> str:
        """The OID of the visible object whose name or OID `argument` is."""
        match kind:
            case "database_key":
                source, named = "pg_database", "k.datname::pg_catalog.text = g.v"
                seen = "k.datname = pg_catalog.current_database()"
            case "schema_key":
                source, named = "pg_namespace", "k.nspname::pg_catalog.text = g.v"
                seen = _or_listed("k.oid", self.schemas)
            case _:
                source = "pg_class"
                named = "k.oid = pg_catalog.to_regclass(g.v)::pg_catalog.oid"
                seen = _or_listed("k.oid", self.relations | self.indexes)
        return (
            f"(SELECT k.oid FROM (SELECT ({argument})::pg_catalog.text) g(v), "
            f"pg_catalog.{source} k WHERE ({named} OR k.oid::pg_catalog.text = g.v) "
            f"AND ({seen}) LIMIT 1)"
        )


def sight(visible: Iterable[tuple[Relation, frozenset[str]]], catalog: Catalog) -> Sight:
    """What a subject sees who may see these relations, each with these columns."""
    shown = [(relation, columns) for relation, columns in visible]
    numbers = {
        relation.oid: frozenset(c.number for c in relation.columns if c.name in columns)
        for relation, columns in shown
    }
    indexes, constraints, constraint_names, index_names = set(), set(), set(), set()
    for relation, _ in shown:
        own = numbers[relation.oid]
        for index in relation.indexes:
            if own.issuperset(index.columns):
                indexes.add(index.oid)
                index_names.add((relation.schema, index.name))
        for constraint in relation.constraints:
            target = numbers.get(constraint.references, frozenset())
            if own.issuperset(constraint.columns) and (
                not constraint.references or target.issuperset(constraint.referenced)
            ):
                constraints.add(constraint.oid)
                constraint_names.add((relation.schema, relation.name, constraint.name))
    relations = frozenset(numbers)
    return Sight(
        relations=relations,
        whole=frozenset(r.oid for r, cols in shown if len(cols) == len(r.columns)),
        columns=frozenset((oid, n) for oid, columns in numbers.items() for n in columns),
        indexes=frozenset(indexes),
        constraints=frozenset(constraints),
        types=_types(shown, relations, catalog),
        schemas=frozenset(
            oid
            for oid, name in catalog.schemas
            if name == "public" or any(r.schema == name for r, _ in shown)
        ),
        relation_names=frozenset((r.schema, r.name) for r, _ in shown),
        column_names=frozenset((r.schema, r.name, c) for r, cols in shown for c in cols),
        index_names=frozenset(index_names),
        constraint_names=frozenset(constraint_names),
    )


def _types(
    shown: list[tuple[Relation, frozenset[str]]], relations: frozenset[int], catalog: Catalog
) -> frozenset[int]:
    """User types of visible columns and what those are made of, and visible relations' rows."""
    by_oid = {t.oid: t for t in catalog.types}
    pending = [c.type_oid for r, cols in shown for c in r.columns if c.name in cols]
    pending += [t.oid for t in catalog.types if t.relation in relations]
    found: set[int] = set()
    while pending:
        known = by_oid.get(pending.pop())
        if known is not None and known.oid not in found:
            found.add(known.oid)
            pending += known.parts
    # An array type is named by its element, so both are seen or neither.
    found |= {t.oid for t in catalog.types if t.name.startswith("_") and found & set(t.parts)}
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class SystemView:
    """One system relation's policy view: a row predicate and columns replaced by constants."""

    rows: Callable[[Sight], str]
    constants: tuple[tuple[str, str], ...] = ()


def _settings() -> str:
    """Names of the settings anybody may see, as a list of literals."""
    return ",".join(map(literal, sorted(READABLE | SETTINGS.keys())))


def _everything(_: Sight) -> str:
    return "true"


def _nothing(_: Sight) -> str:
    return "false"


def _system(column: str) -> Callable[[Sight], str]:
    return lambda _: f"{column} {_SYSTEM}"


def _or_listed(column: str, oids: frozenset[int]) -> str:
    return f"{column} {_SYSTEM} OR {_only(column, oids)}"


def _listed(column: str, oids: Callable[[Sight], frozenset[int]]) -> Callable[[Sight], str]:
    return lambda s: f"({_or_listed(column, oids(s))})"


def _only(column: str, oids: frozenset[int]) -> str:
    return f"{column} = ANY ({array(oids, 'pg_catalog.oid')})"


def _pair(relation: str, number: str, s: Sight) -> str:
    """(OID, attnum) packed into one bigint, so that a list of pairs is one constant."""
    packed = array(((oid << 16) | n for oid, n in s.columns), "pg_catalog.int8")
    return f"(({relation}::pg_catalog.int8 << 16) | {number}::pg_catalog.int8) = ANY ({packed})"


def _rows(columns: str, listed: Iterable[tuple[str, ...]]) -> str:
    """A row-wise IN over names; `columns` are cast to text, as names are of several types."""
    values = ",".join("(" + ",".join(map(literal, row)) + ")" for row in sorted(listed))
    if not values:
        return "false"
    left = ", ".join(f"{column}::pg_catalog.text" for column in columns.split())
    return f"({left}) IN ({values})"


def _attributes(s: Sight) -> str:
    own = f"(attnum > 0 AND {_pair('attrelid', 'attnum', s)})"
    return f"(attrelid {_SYSTEM} OR {_only('attrelid', s.indexes)} OR {own})"


def _descriptions(s: Sight) -> str:
    """Comments on visible relations and columns; of other objects only the system's own."""
    on_class = "classoid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    whole = f"objsubid = 0 AND {_only('objoid', s.relations | s.indexes)}"
    return (
        f"(objoid {_SYSTEM} OR ({on_class} AND (({whole}) "
        f"OR (objsubid > 0 AND {_pair('objoid', 'objsubid', s)}))))"
    )


def _in_schemas(column: str) -> str:
    return f"{column}::pg_catalog.text IN ('pg_catalog', 'information_schema')"


def _named(columns: str, listed: Callable[[Sight], Iterable[tuple[str, ...]]]) -> SystemView:
    schema = columns.split()[0]
    return SystemView(lambda s: f"({_in_schemas(schema)} OR {_rows(columns, listed(s))})")


def _constraint_rows(s: Sight) -> str:
    return _rows("table_schema table_name constraint_name", s.constraint_names)


def _constraint_in_schema(s: Sight) -> str:
    named = {(schema, name) for schema, _, name in s.constraint_names}
    return _rows("constraint_schema constraint_name", named)


_NO_XID = "'0'::pg_catalog.xid"
_NO_ACL = "NULL::pg_catalog.aclitem[]"

# Manual, chapter "System Catalogs". What is missing here is refused.
_PG_CATALOG: dict[str, SystemView] = {
    "pg_class": SystemView(
        _listed("oid", lambda s: s.relations | s.indexes),
        (
            ("reltuples", "(-1)::pg_catalog.float4"),
            ("relpages", "0::pg_catalog.int4"),
            ("relallvisible", "0::pg_catalog.int4"),
            ("relallfrozen", "0::pg_catalog.int4"),
            ("relfilenode", "0::pg_catalog.oid"),
            ("relnatts", "0::pg_catalog.int2"),
            ("reltoastrelid", "0::pg_catalog.oid"),
            ("relfrozenxid", _NO_XID),
            ("relminmxid", _NO_XID),
            ("relacl", _NO_ACL),
        ),
    ),
    "pg_namespace": SystemView(_listed("oid", lambda s: s.schemas), (("nspacl", _NO_ACL),)),
    "pg_attribute": SystemView(_attributes, (("attacl", _NO_ACL),)),
    "pg_attrdef": SystemView(lambda s: _pair("adrelid", "adnum", s)),
    "pg_type": SystemView(_listed("oid", lambda s: s.types), (("typacl", _NO_ACL),)),
    "pg_enum": SystemView(lambda s: _only("enumtypid", s.types)),
    "pg_range": SystemView(_listed("rngtypid", lambda s: s.types)),
    "pg_constraint": SystemView(_listed("oid", lambda s: s.constraints)),
    "pg_index": SystemView(_listed("indexrelid", lambda s: s.indexes)),
    "pg_inherits": SystemView(
        lambda s: f"({_only('inhrelid', s.relations)} AND {_only('inhparent', s.relations)})"
    ),
    "pg_description": SystemView(_descriptions),
    "pg_am": SystemView(_system("oid")),
    "pg_amop": SystemView(_system("oid")),
    "pg_amproc": SystemView(_system("oid")),
    "pg_cast": SystemView(_system("oid")),
    "pg_collation": SystemView(_system("oid")),
    "pg_conversion": SystemView(_system("oid")),
    "pg_language": SystemView(_system("oid"), (("lanacl", _NO_ACL),)),
    "pg_opclass": SystemView(_system("oid")),
    "pg_operator": SystemView(_system("oid")),
    "pg_opfamily": SystemView(_system("oid")),
    "pg_proc": SystemView(_system("oid"), (("proacl", _NO_ACL),)),
    "pg_tablespace": SystemView(_system("oid"), (("spcacl", _NO_ACL),)),
    "pg_ts_config": SystemView(_system("oid")),
    "pg_ts_config_map": SystemView(_system("mapcfg")),
    "pg_ts_dict": SystemView(_system("oid")),
    "pg_ts_parser": SystemView(_system("oid")),
    "pg_ts_template": SystemView(_system("oid")),
    "pg_database": SystemView(
        lambda _: "datname = pg_catalog.current_database()",
        (("datfrozenxid", _NO_XID), ("datminmxid", _NO_XID), ("datacl", _NO_ACL)),
    ),
    "pg_roles": SystemView(
        lambda _: "rolname = CURRENT_USER", (("rolconfig", "NULL::pg_catalog.text[]"),)
    ),
    "pg_settings": SystemView(
        lambda _: f"pg_catalog.lower(name) IN ({_settings()})",
        (("sourcefile", "NULL::pg_catalog.text"), ("sourceline", "NULL::pg_catalog.int4")),
    ),
    "pg_timezone_names": SystemView(_everything),
    "pg_timezone_abbrevs": SystemView(_everything),
    "pg_tables": _named("schemaname tablename", lambda s: s.relation_names),
    "pg_indexes": _named("schemaname indexname", lambda s: s.index_names),
    "pg_views": SystemView(
        lambda s: _rows("schemaname viewname", s.relation_names),
        (("definition", "NULL::pg_catalog.text"),),
    ),
    "pg_matviews": SystemView(
        lambda s: _rows("schemaname matviewname", s.relation_names),
        (("definition", "NULL::pg_catalog.text"),),
    ),
    **{
        name: SystemView(_nothing)
        for name in (
            "pg_auth_members pg_default_acl pg_depend pg_event_trigger pg_extension "
            "pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_partitioned_table "
            "pg_policy pg_publication pg_publication_namespace pg_publication_rel pg_rewrite "
            "pg_sequence pg_shdescription pg_statistic_ext pg_trigger pg_db_role_setting "
            "pg_init_privs pg_largeobject_metadata pg_parameter_acl pg_seclabels "
            "pg_statio_all_tables pg_statio_user_tables pg_subscription pg_transform "
            "pg_user_mappings"
        ).split()
    },
}

_INFORMATION_SCHEMA: dict[str, SystemView] = {
    "tables": _named("table_schema table_name", lambda s: s.relation_names),
    "views": SystemView(
        lambda s: _rows("table_schema table_name", s.relation_names),
        (("view_definition", "NULL::pg_catalog.text"),),
    ),
    "columns": _named("table_schema table_name column_name", lambda s: s.column_names),
    "schemata": SystemView(
        lambda s: (
            f"({_in_schemas('schema_name')} OR "
            + _rows("schema_name", {("public",), *((n,) for n, _ in s.relation_names)})
            + ")"
        )
    ),
    "table_constraints": SystemView(_constraint_rows),
    "key_column_usage": SystemView(_constraint_rows),
    "constraint_column_usage": SystemView(
        lambda s: (
            f"({_constraint_in_schema(s)} AND "
            f"{_rows('table_schema table_name column_name', s.column_names)})"
        )
    ),
    "referential_constraints": SystemView(_constraint_in_schema),
    "information_schema_catalog_name": SystemView(_everything),
}

SYSTEM_VIEWS: dict[tuple[str, str], SystemView] = {
    **{("pg_catalog", name): view for name, view in _PG_CATALOG.items()},
    **{("information_schema", name): view for name, view in _INFORMATION_SCHEMA.items()},
}
