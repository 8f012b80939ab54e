"""What information_schema looks like to a subject.

Its views know objects by name, so rows are chosen by name. Where names do not say whose a row is
(constraints of two tables may be called the same), the rows are made anew from pg_catalog.
"""

from __future__ import annotations

from policies.sight import Sight, only
from policies.sysview import (
    SystemView,
    blank,
    everything,
    in_schemas,
    named,
    named_rows,
    nothing,
    only_named,
    unless_named,
)

_NAME = "::information_schema.sql_identifier"
_TEXT = "::information_schema.character_data"
_YES_NO = "::information_schema.yes_or_no"
_DATABASE = f"pg_catalog.current_database(){_NAME}"
_OWN_NAME = f"CURRENT_USER{_NAME}"
_COLUMN = "table_schema table_name column_name"

_HERE = "FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace"
_CONSTRAINT = (
    f"{_DATABASE} AS constraint_catalog, n.nspname{_NAME} AS constraint_schema, "
    f"k.conname{_NAME} AS constraint_name"
)


def _constraints(s: Sight) -> str:
    return only("k.oid", s.constraints)


def _referential(s: Sight) -> str:
    rule = (
        "(CASE k.{} WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' "
        f"WHEN 'r' THEN 'RESTRICT' WHEN 'a' THEN 'NO ACTION' END){_TEXT}"
    )
    return (
        f"SELECT {_CONSTRAINT}, "
        f"CASE WHEN u.oid IS NOT NULL THEN {_DATABASE} END AS unique_constraint_catalog, "
        f"m.nspname{_NAME} AS unique_constraint_schema, "
        f"u.conname{_NAME} AS unique_constraint_name, "
        "(CASE k.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' "
        f"WHEN 's' THEN 'NONE' END){_TEXT} AS match_option, "
        f"{rule.format('confupdtype')} AS update_rule, "
        f"{rule.format('confdeltype')} AS delete_rule {_HERE} "
        "LEFT JOIN pg_catalog.pg_constraint u ON u.conindid = k.conindid "
        "AND u.conrelid = k.confrelid AND u.contype IN ('p', 'u') "
        f"AND {only('u.oid', s.constraints)} "
        "LEFT JOIN pg_catalog.pg_namespace m ON m.oid = u.connamespace "
        f"WHERE k.contype = 'f' AND {_constraints(s)}"
    )


def _checks(s: Sight) -> str:
    clause = "pg_catalog.pg_get_expr(k.conbin, k.conrelid)"
    missing = (
        "(SELECT pg_catalog.format('%s IS NOT NULL', a.attname) FROM pg_catalog.pg_attribute a "
        "WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1])"
    )
    return (
        f"SELECT {_CONSTRAINT}, "
        f"(CASE k.contype WHEN 'c' THEN {clause} ELSE {missing} END){_TEXT} AS check_clause "
        f"{_HERE} WHERE k.contype IN ('c', 'n') AND {_constraints(s)}"
    )


def _table_constraints(s: Sight) -> str:
    """Of PostgreSQL's own view a role that may only read has no row."""
    kind = (
        "(CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' "
        f"WHEN 'f' THEN 'FOREIGN KEY' ELSE 'CHECK' END){_TEXT}"
    )
    flags = ", ".join(
        f"(CASE WHEN k.{column} THEN 'YES' ELSE 'NO' END){_YES_NO} AS {name}"
        for column, name in (
            ("condeferrable", "is_deferrable"),
            ("condeferred", "initially_deferred"),
        )
    )
    return (
        f"SELECT {_CONSTRAINT}, {_DATABASE} AS table_catalog, t.nspname{_NAME} AS table_schema, "
        f"c.relname{_NAME} AS table_name, {kind} AS constraint_type, {flags}, "
        f"'YES'{_YES_NO} AS enforced, "
        f"(CASE WHEN k.contype = 'u' THEN 'YES' END){_YES_NO} AS nulls_distinct {_HERE} "
        "JOIN pg_catalog.pg_class c ON c.oid = k.conrelid "
        "JOIN pg_catalog.pg_namespace t ON t.oid = c.relnamespace "
        f"WHERE k.contype IN ('c', 'f', 'n', 'p', 'u') AND {_constraints(s)}"
    )


def _used(s: Sight, *, columns: bool) -> str:
    """Columns, or tables, a constraint names: those a foreign key refers to, else its own."""
    target = "(CASE k.contype WHEN 'f' THEN k.confrelid ELSE k.conrelid END)"
    keys = "(CASE k.contype WHEN 'f' THEN k.confkey ELSE k.conkey END)"
    column = f"a.attname{_NAME} AS column_name, " if columns else ""
    join = (
        f"JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY ({keys}) "
        if columns
        else ""
    )
    kinds = "'c', 'f', 'n', 'p', 'u'" if columns else "'f', 'p', 'u'"
    return (
        f"SELECT {_DATABASE} AS table_catalog, t.nspname{_NAME} AS table_schema, "
        f"c.relname{_NAME} AS table_name, {column}{_CONSTRAINT} {_HERE} "
        f"JOIN pg_catalog.pg_class c ON c.oid = {target} "
        f"JOIN pg_catalog.pg_namespace t ON t.oid = c.relnamespace {join}"
        f"WHERE k.contype IN ({kinds}) AND {_constraints(s)}"
    )


def _grants(s: Sight, *, columns: bool) -> str:
    """What a subject may do with what it sees: read it."""
    seen = s.pair("a.attrelid", "a.attnum")
    column = f"a.attname{_NAME} AS column_name, " if columns else ""
    join = f"JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND {seen} " if columns else ""
    hierarchy = "" if columns else f", 'YES'{_YES_NO} AS with_hierarchy"
    return (
        f"SELECT {_OWN_NAME} AS grantor, {_OWN_NAME} AS grantee, {_DATABASE} AS table_catalog, "
        f"n.nspname{_NAME} AS table_schema, c.relname{_NAME} AS table_name, {column}"
        f"'SELECT'{_TEXT} AS privilege_type, 'NO'{_YES_NO} AS is_grantable{hierarchy} "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        f"{join}WHERE {only('c.oid', s.relations)}"
    )


def _arrays(s: Sight) -> str:
    """Elements of arrays that are columns of what is seen; their number names them."""
    listing = {(schema, table, "TABLE", n) for schema, table, n in s.column_numbers}
    own = named_rows("object_schema object_name object_type collection_type_identifier", listing)
    return f"({in_schemas('object_schema')} OR {own})"


def _schemata(s: Sight) -> str:
    own = named_rows("schema_name", {("public",), *((n,) for n, _ in s.relation_names)})
    return f"({in_schemas('schema_name')} OR {own})"


def _routines(s: Sight) -> str:
    """A routine's specific name ends with its OID."""
    oid = "pg_catalog.substring(specific_name::pg_catalog.text, '[0-9]+$')::pg_catalog.int8"
    return f"({oid} < 16384 OR {only(f'{oid}::pg_catalog.oid', s.functions)})"


_SOURCES = {
    "table_constraints": SystemView(everything, source=_table_constraints),
    "referential_constraints": SystemView(everything, source=_referential),
    "check_constraints": SystemView(everything, source=_checks),
    "constraint_column_usage": SystemView(everything, source=lambda s: _used(s, columns=True)),
    "constraint_table_usage": SystemView(everything, source=lambda s: _used(s, columns=False)),
    **dict.fromkeys(
        ("table_privileges", "role_table_grants"),
        SystemView(everything, source=lambda s: _grants(s, columns=False)),
    ),
    **dict.fromkeys(
        ("column_privileges", "role_column_grants"),
        SystemView(everything, source=lambda s: _grants(s, columns=True)),
    ),
}

# Manual, chapter "The Information Schema".
INFORMATION_SCHEMA: dict[str, SystemView] = {
    **_SOURCES,
    "tables": SystemView(named("table_schema table_name", lambda s: s.relation_names)),
    "views": SystemView(
        only_named("table_schema table_name", lambda s: s.relation_names),
        {"view_definition": blank("view_definition")},
    ),
    "columns": SystemView(
        named(_COLUMN, lambda s: s.column_names),
        {
            name: unless_named(name, _COLUMN, lambda s: s.default_names)
            for name in ("column_default", "generation_expression")
        },
    ),
    "column_domain_usage": SystemView(named(_COLUMN, lambda s: s.column_names)),
    "column_udt_usage": SystemView(named(_COLUMN, lambda s: s.column_names)),
    "column_column_usage": SystemView(
        lambda s: (
            f"({named_rows(_COLUMN, s.column_names)} AND "
            f"{named_rows('table_schema table_name dependent_column', s.column_names)})"
        )
    ),
    "schemata": SystemView(_schemata, {"schema_owner": _OWN_NAME}),
    "key_column_usage": SystemView(
        only_named("table_schema table_name constraint_name", lambda s: s.constraint_names)
    ),
    "sequences": SystemView(
        only_named("sequence_schema sequence_name", lambda s: s.sequence_names)
    ),
    "domains": SystemView(
        named("domain_schema domain_name", lambda s: s.type_names),
        {
            "domain_default": unless_named(
                "domain_default", "domain_schema domain_name", lambda s: s.type_default_names
            )
        },
    ),
    "domain_constraints": SystemView(
        named(
            "domain_schema domain_name constraint_name", lambda s: s.domain_constraint_names
        )
    ),
    "user_defined_types": SystemView(
        only_named("user_defined_type_schema user_defined_type_name", lambda s: s.type_names)
    ),
    "attributes": SystemView(only_named("udt_schema udt_name", lambda s: s.type_names)),
    "element_types": SystemView(_arrays),
    "routines": SystemView(
        _routines,
        {"routine_definition": f"CASE WHEN {in_schemas('r.routine_schema')} "
                               "THEN r.routine_definition END"},
    ),
    "parameters": SystemView(_routines, {"parameter_default": blank("parameter_default")}),
    "enabled_roles": SystemView(lambda _: "role_name = CURRENT_USER"),
    "character_sets": SystemView(
        everything,
        {name: blank(name) for name in ("default_collate_schema", "default_collate_name")},
    ),
    "collations": SystemView(lambda _: in_schemas("collation_schema")),
    "collation_character_set_applicability": SystemView(
        lambda _: in_schemas("collation_schema")
    ),
    **dict.fromkeys(
        (
            "information_schema_catalog_name sql_features sql_implementation_info "
            "sql_parts sql_sizing"
        ).split(),
        SystemView(everything),
    ),
    **dict.fromkeys(
        (
            "administrable_role_authorizations applicable_roles check_constraint_routine_usage "
            "column_options data_type_privileges domain_udt_usage foreign_data_wrapper_options "
            "foreign_data_wrappers foreign_server_options foreign_servers foreign_table_options "
            "foreign_tables role_routine_grants role_udt_grants role_usage_grants "
            "routine_column_usage routine_privileges routine_routine_usage "
            "routine_sequence_usage routine_table_usage transforms triggered_update_columns "
            "triggers udt_privileges usage_privileges user_mapping_options user_mappings "
            "view_column_usage view_routine_usage view_table_usage"
        ).split(),
        SystemView(nothing),
    ),
}  # fmt: skip
