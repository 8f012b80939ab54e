"""What pg_catalog looks like to a subject, and the list of all system relations there are.

System catalogs have policy views like any entity: rows about objects the subject may not see do
not exist, and columns that tell volumes, hold statistics or name other roles are constants. A
system relation that is not listed does not exist for a client.
"""

from __future__ import annotations

from policies.infoschema import INFORMATION_SCHEMA
from policies.settings import KNOWN_SETTINGS
from policies.sight import OWN_ROLE, Sight, only
from policies.sysview import (
    SystemView,
    blank,
    everything,
    flag,
    flag_named,
    if_seen,
    listed,
    named,
    nothing,
    number,
    only_named,
    owned,
    seen,
    system,
)

SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})
# Columns every table has besides its own, as they are shown where a statement names them.
HIDDEN_COLUMNS = {"tableoid": "r.tableoid", "xmin": "'0'::pg_catalog.xid"}

_NO_XID = "'0'::pg_catalog.xid"
_NO_OID = "'0'::pg_catalog.oid"
_OWN_NAME = "CURRENT_USER"


def _attributes(s: Sight) -> str:
    own = f"(attnum > 0 AND {s.pair('attrelid', 'attnum')})"
    inner = only("attrelid", s.indexes | s.sequences | s.composites)
    return f"(attrelid < 16384 OR {inner} OR {own})"


def _descriptions(s: Sight) -> str:
    """Comments on what is seen; of other objects only the system's own."""
    wholes = {
        "pg_class": s.classes,
        "pg_type": s.types,
        "pg_constraint": s.constraints,
        "pg_namespace": s.schemas,
        "pg_proc": s.functions,
    }
    found = " OR ".join(
        f"(classoid = 'pg_catalog.{name}'::pg_catalog.regclass AND {only('objoid', oids)})"
        for name, oids in wholes.items()
        if oids
    )
    column = (
        "classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objsubid > 0 "
        f"AND {s.pair('objoid', 'objsubid')}"
    )
    whole = f" OR (objsubid = 0 AND ({found}))" if found else ""
    return f"(objoid < 16384{whole} OR ({column}))"


def _owned_sequences(s: Sight) -> str:
    """Which column a sequence belongs to is all that is shown of what depends on what."""
    return (
        "(classid = 'pg_catalog.pg_class'::pg_catalog.regclass "
        "AND refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objsubid = 0 "
        f"AND deptype IN ('a', 'i') AND {only('objid', s.sequences)} "
        f"AND {s.pair('refobjid', 'refobjsubid')})"
    )


def _family(s: Sight) -> str:
    return f"({only('inhrelid', s.relations)} AND {only('inhparent', s.relations)})"


def _own_backend(*kept: str, **constants: str) -> SystemView:
    return SystemView(
        lambda _: "pid = pg_catalog.pg_backend_pid()", constants or None, frozenset(kept)
    )


def _activity(*kept: str, key: str = "relid") -> SystemView:
    """Who did how much is not told: rows without figures."""
    oids = (lambda s: s.indexes) if key == "indexrelid" else (lambda s: s.relations)
    return SystemView(listed(key, oids), None, frozenset((key, *kept)))


def _system_only(*names: str, key: str = "oid", owner: str = "") -> dict[str, SystemView]:
    constants = owned(owner) if owner else {}
    return {name: SystemView(system(key), constants) for name in names}


_OWN_ROLE_ONLY = SystemView(
    lambda _: "rolname = CURRENT_USER",
    {"rolconfig": blank("rolconfig"), "rolvaliduntil": blank("rolvaliduntil")},
)
_PLPGSQL = SystemView(lambda _: "name = 'plpgsql'", {"comment": blank("comment")})

# Manual, chapters "System Catalogs", "System Views" and "The Cumulative Statistics System".
_PG_CATALOG: dict[str, SystemView] = {
    "pg_class": SystemView(
        listed("oid", lambda s: s.classes),
        {
            **owned("relowner"),
            "reltuples": "(-1)::pg_catalog.float4",
            "relpages": "0::pg_catalog.int4",
            "relallvisible": "0::pg_catalog.int4",
            "relallfrozen": "0::pg_catalog.int4",
            "relnatts": "0::pg_catalog.int2",
            "relchecks": number("relchecks", "oid", "int2", lambda s: s.checks),
            "relhasindex": flag("relhasindex", "oid", lambda s: s.indexed),
            "relhastriggers": flag("relhastriggers", "oid", lambda s: s.referring),
            "relhassubclass": flag("relhassubclass", "oid", lambda s: s.inherited),
            "relispartition": flag("relispartition", "oid", lambda s: s.children),
            **dict.fromkeys(("relhasrules", "relrowsecurity", "relforcerowsecurity"), "false"),
            **dict.fromkeys(
                ("relfilenode", "reltoastrelid", "reltablespace", "reloftype", "relrewrite"),
                _NO_OID,
            ),
            **dict.fromkeys(("relfrozenxid", "relminmxid"), _NO_XID),
            **{name: blank(name) for name in ("relacl", "reloptions", "relpartbound")},
            "relreplident": "'d'::pg_catalog.\"char\"",
        },
    ),
    "pg_namespace": SystemView(
        listed("oid", lambda s: s.schemas), {**owned("nspowner"), "nspacl": blank("nspacl")}
    ),
    "pg_attribute": SystemView(
        _attributes,
        {
            **{
                name: blank(name)
                for name in (
                    "attacl", "attoptions", "attfdwoptions", "attmissingval", "attstattarget"
                )
            },
            "atthasmissing": "false",
            "attislocal": "true",
            "attinhcount": "0::pg_catalog.int2",
        },
    ),
    "pg_attrdef": SystemView(seen("oid", lambda s: s.defaults)),
    "pg_type": SystemView(
        listed("oid", lambda s: s.types),
        {
            **owned("typowner"),
            "typacl": blank("typacl"),
            "typdefault": if_seen("typdefault", "oid", lambda s: s.type_defaults),
            "typdefaultbin": if_seen("typdefaultbin", "oid", lambda s: s.type_defaults),
        },
    ),
    "pg_enum": SystemView(seen("enumtypid", lambda s: s.types)),
    "pg_range": SystemView(listed("rngtypid", lambda s: s.types)),
    "pg_constraint": SystemView(
        listed("oid", lambda s: s.constraints),
        {"conparentid": _NO_OID, "coninhcount": "0::pg_catalog.int2", "conislocal": "true"},
    ),
    "pg_index": SystemView(
        listed("indexrelid", lambda s: s.indexes),
        dict.fromkeys(("indcheckxmin", "indisclustered", "indisreplident"), "false"),
    ),
    "pg_inherits": SystemView(_family, {"inhseqno": "1"}),
    "pg_partitioned_table": SystemView(
        seen("partrelid", lambda s: s.partitioned),
        {
            "partdefid": lambda s: (
                f"CASE WHEN {only('r.partdefid', s.relations)} THEN r.partdefid ELSE {_NO_OID} END"
            )
        },
    ),
    "pg_sequence": SystemView(seen("seqrelid", lambda s: s.sequences)),
    "pg_description": SystemView(_descriptions),
    "pg_depend": SystemView(_owned_sequences),
    "pg_proc": SystemView(
        listed("oid", lambda s: s.functions),
        {
            **owned("proowner"),
            "proacl": blank("proacl"),
            **{
                name: if_seen(name, "oid", lambda _: frozenset())
                for name in ("prosrc", "probin", "prosqlbody", "proargdefaults", "proconfig")
            },
        },
    ),
    **_system_only("pg_am", "pg_amop", "pg_amproc", "pg_cast", "pg_ts_parser", "pg_ts_template"),
    **_system_only("pg_transform"),
    **_system_only("pg_aggregate", key="aggfnoid::pg_catalog.oid"),
    **_system_only("pg_collation", owner="collowner"),
    **_system_only("pg_conversion", owner="conowner"),
    **_system_only("pg_opclass", owner="opcowner"),
    **_system_only("pg_operator", owner="oprowner"),
    **_system_only("pg_opfamily", owner="opfowner"),
    **_system_only("pg_ts_config", owner="cfgowner"),
    **_system_only("pg_ts_dict", owner="dictowner"),
    **_system_only("pg_extension", owner="extowner"),
    **_system_only("pg_ts_config_map", key="mapcfg"),
    "pg_language": SystemView(system("oid"), {**owned("lanowner"), "lanacl": blank("lanacl")}),
    "pg_tablespace": SystemView(
        system("oid"),
        {**owned("spcowner"), "spcacl": blank("spcacl"), "spcoptions": blank("spcoptions")},
    ),
    "pg_database": SystemView(
        lambda _: "datname = pg_catalog.current_database()",
        {
            **owned("datdba"),
            **dict.fromkeys(("datfrozenxid", "datminmxid"), _NO_XID),
            "dattablespace": _NO_OID,
            "dathasloginevt": "false",
            "datacl": blank("datacl"),
        },
    ),
    # Everybody may read all of it but how to connect.
    "pg_subscription": SystemView(nothing, {"subconninfo": "NULL::pg_catalog.text"}),
    "pg_roles": _OWN_ROLE_ONLY,
    "pg_user": SystemView(
        lambda _: "usename = CURRENT_USER",
        {"useconfig": blank("useconfig"), "valuntil": blank("valuntil")},
    ),
    "pg_settings": SystemView(
        lambda _: f"pg_catalog.lower(name) IN ({KNOWN_SETTINGS})",
        {
            name: blank(name)
            for name in ("source", "boot_val", "reset_val", "sourcefile", "sourceline")
        },
    ),
    "pg_tables": SystemView(
        named("schemaname tablename", lambda s: s.relation_names),
        {
            "tableowner": _OWN_NAME,
            "tablespace": blank("tablespace"),
            "hasindexes": flag_named(
                "hasindexes", "schemaname tablename", lambda s: s.indexed_names
            ),
            **dict.fromkeys(("hasrules", "hastriggers", "rowsecurity"), "false"),
        },
    ),
    "pg_indexes": SystemView(
        named("schemaname indexname", lambda s: s.index_names),
        {"tablespace": blank("tablespace")},
    ),
    "pg_views": SystemView(
        only_named("schemaname viewname", lambda s: s.relation_names),
        {"viewowner": _OWN_NAME, "definition": blank("definition")},
    ),
    "pg_matviews": SystemView(
        only_named("schemaname matviewname", lambda s: s.relation_names),
        {
            "matviewowner": _OWN_NAME,
            "tablespace": blank("tablespace"),
            "hasindexes": flag_named(
                "hasindexes", "schemaname matviewname", lambda s: s.indexed_names
            ),
            "definition": blank("definition"),
        },
    ),
    "pg_sequences": SystemView(
        only_named("schemaname sequencename", lambda s: s.sequence_names),
        {"sequenceowner": _OWN_NAME, "last_value": blank("last_value")},
    ),
    "pg_available_extensions": _PLPGSQL,
    "pg_available_extension_versions": _PLPGSQL,
    "pg_timezone_names": SystemView(everything),
    "pg_timezone_abbrevs": SystemView(everything),
    "pg_stat_activity": _own_backend(
        "datid", "datname", "pid", "usename", "application_name", "backend_start", "xact_start",
        "state_change", "state", "backend_type", usesysid=OWN_ROLE,
    ),
    "pg_stat_ssl": _own_backend("pid", "ssl", "version", "cipher", "bits"),
    "pg_stat_gssapi": _own_backend("pid", "gss_authenticated", "encrypted"),
    "pg_stat_database": SystemView(
        lambda _: "datname = pg_catalog.current_database()", None, frozenset({"datid", "datname"})
    ),
    **{
        f"pg_{kind}_{whose}_tables": _activity("schemaname", "relname")
        for kind in ("stat", "statio", "stat_xact")
        for whose in ("all", "user", "sys")
    },
    **{
        f"pg_{kind}_{whose}_indexes": _activity(
            "relid", "schemaname", "relname", "indexrelname", key="indexrelid"
        )
        for kind in ("stat", "statio")
        for whose in ("all", "user", "sys")
    },
    **{
        name: SystemView(nothing)
        for name in (
            "pg_auth_members pg_db_role_setting pg_default_acl pg_event_trigger "
            "pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_group pg_init_privs "
            "pg_largeobject_metadata pg_parameter_acl pg_policies pg_policy pg_publication "
            "pg_publication_namespace pg_publication_rel pg_publication_tables pg_rewrite pg_rules "
            "pg_seclabel pg_seclabels pg_shdepend pg_shdescription pg_shseclabel "
            "pg_stat_user_functions pg_statistic_ext pg_subscription_rel "
            "pg_trigger pg_user_mappings"
        ).split()
    },
}  # fmt: skip

SYSTEM_VIEWS: dict[tuple[str, str], SystemView] = {
    **{("pg_catalog", name): view for name, view in _PG_CATALOG.items()},
    **{("information_schema", name): view for name, view in INFORMATION_SCHEMA.items()},
}
