"""SQL functions and types a statement may use, by name. What is not listed is refused.

Allowed: functions of pg_catalog that compute from their arguments alone. Guarded: functions that
look an object up by OID; their argument is wrapped so that objects the subject may not see give
NULL. Everything else (files, settings, sleeps, signals, locks, large objects, queries from text,
`current_query`, which prints the rewritten text) is
absent on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.settings import KNOWN_SETTINGS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


AGGREGATES = _words("""
    any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp
    cume_dist dense_rank every first_value json_agg json_object_agg jsonb_agg jsonb_object_agg
    json_agg_strict jsonb_agg_strict json_object_agg_strict json_object_agg_unique
    json_object_agg_unique_strict jsonb_object_agg_strict jsonb_object_agg_unique
    jsonb_object_agg_unique_strict lag last_value lead max min mode nth_value ntile percent_rank
    percentile_cont percentile_disc range_agg range_intersect_agg rank regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy row_number stddev
    stddev_pop stddev_samp string_agg sum var_pop var_samp variance
""")

# Built-in types without an equality (manual, chapters 8.8, 8.13 and 8.14).
INCOMPARABLE = _words("box circle json jsonpath line lseg path point polygon xml")

_MATHS = _words("""
    abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd
    cosh cot cotd degrees div erf erfc exp factorial floor gamma gcd lcm lgamma ln log log10
    float4send float8send hashint4 hashint8 hashint4extended hashint8extended
    min_scale mod pi power pow radians random random_normal round scale sign sin sind sinh sqrt tan
    tand tanh trim_scale trunc width_bucket numeric_inc bit_count isfinite
""")

_TEXT = _words("""
    ascii bit_length btrim char_length character_length chr concat concat_ws convert_from convert_to
    decode encode format initcap is_normalized left length like_escape lower lpad ltrim md5
    normalize octet_length overlay parse_ident position quote_ident quote_literal quote_nullable
    regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
    regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse right rpad
    rtrim sha224 sha256 sha384 sha512 split_part starts_with string_to_array string_to_table strpos
    substr substring to_ascii to_bin to_hex to_oct translate unicode_assigned unistr upper casefold
    similar_escape similar_to_escape notlike text_pattern_lt textcat unicode_version
    get_bit get_byte set_bit set_byte hashtext hashtextextended crc32 crc32c
""")

_TIME = _words("""
    age clock_timestamp date date_add date_bin date_part date_subtract date_trunc extract
    justify_days justify_hours justify_interval make_date make_interval make_time make_timestamp
    make_timestamptz now overlaps statement_timestamp timeofday timezone to_char to_date to_number
    to_timestamp transaction_timestamp time timestamp timestamptz interval
""")

_ARRAYS = _words("""
    array_append array_cat array_dims array_length array_lower array_ndims array_position
    array_positions array_prepend array_remove array_replace array_reverse array_sample
    array_shuffle array_sort array_to_string array_upper cardinality generate_series
    generate_subscripts trim_array unnest
    isempty lower_inc lower_inf multirange range_merge upper_inc upper_inf
    int4range int8range numrange tsrange tstzrange daterange
    int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange
""")

_JSON = _words("""
    array_to_json json json_array_elements json_array_elements_text json_array_length
    json_build_array json_build_object json_each json_each_text json_extract_path
    json_extract_path_text json_object json_object_keys json_scalar json_serialize
    json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_array_elements
    jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object
    jsonb_contained jsonb_contains jsonb_concat jsonb_delete jsonb_delete_path jsonb_each
    jsonb_each_text jsonb_exists jsonb_exists_all jsonb_exists_any jsonb_extract_path
    jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists
    jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query
    jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first
    jsonb_path_query_first_tz jsonb_path_query_tz jsonb_pretty jsonb_set jsonb_set_lax
    jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof row_to_json to_json to_jsonb
""")

_SEARCH = _words("""
    array_to_tsvector json_to_tsvector jsonb_to_tsvector numnode phraseto_tsquery plainto_tsquery
    querytree setweight strip to_tsquery to_tsvector ts_delete ts_filter ts_headline ts_rank
    ts_rank_cd tsvector_to_array websearch_to_tsquery
""")

_OTHER = _words("""
    coalesce current_database current_schema current_schemas gen_random_uuid uuidv4 uuidv7
    uuid_extract_timestamp uuid_extract_version num_nonnulls num_nulls nullif greatest least
    pg_backend_pid pg_client_encoding pg_column_size pg_encoding_to_char pg_char_to_encoding
    getdatabaseencoding pg_is_in_recovery pg_is_wal_replay_paused pg_is_other_temp_schema
    pg_encoding_max_length pg_get_keywords
    pg_my_temp_schema pg_options_to_table pg_size_pretty pg_size_bytes pg_typeof
    pg_collation_for pg_column_compression pg_lsn pg_trigger_depth cash_words
    enum_first enum_last enum_range
    pg_advisory_unlock_all version aclexplode record_out textin hash_record
    family host hostmask masklen netmask network abbrev broadcast inet_merge inet_same_family
    set_masklen area box center circle diagonal diameter height isclosed isopen line lseg npoints
    path pclose point polygon popen radius slope width bpchar name text varchar bool int2 int4
    int8 float4 float8 numeric oid
""")

ALLOWED = AGGREGATES | _MATHS | _TEXT | _TIME | _ARRAYS | _JSON | _SEARCH | _OTHER

# Allowed for constant arguments, which must be settings a client may read or change anyway.
SETTING_READERS = frozenset({"current_setting"})
SETTING_WRITERS = frozenset({"set_config"})


@dataclass(frozen=True, slots=True)
class Guard:
    """Which argument of a function is looked up, and what kind of object it is.

    `companion`: the argument that says which part of the object is meant; where it is no plain
    operand the kind is `otherwise`.
    """

    argument: int
    kind: str  # see policies.sight
    companion: int = -1
    otherwise: str = ""


GUARDED: dict[str, Guard] = {
    "acldefault": Guard(1, "role"),
    "col_description": Guard(0, "column", companion=1, otherwise="system"),
    "format_type": Guard(0, "type"),
    "pg_get_constraintdef": Guard(0, "constraint"),
    "pg_get_expr": Guard(1, "expression", companion=0, otherwise="system"),
    "pg_get_partkeydef": Guard(0, "partitioned"),
    "pg_get_serial_sequence": Guard(0, "serial", companion=1, otherwise="no_text"),
    "pg_get_userbyid": Guard(0, "role"),
    "pg_sequence_parameters": Guard(0, "sequence"),
    "pg_type_is_visible": Guard(0, "type"),
    "to_regclass": Guard(0, "relation_name"),
    "to_regtype": Guard(0, "type_name"),
    **{
        name: Guard(0, "relation")
        for name in (
            "pg_table_is_visible pg_get_indexdef pg_index_column_has_property pg_index_has_property"
        ).split()
    },
    **{
        name: Guard(0, "function")
        for name in (
            "pg_function_is_visible pg_get_function_identity_arguments pg_get_function_result"
        ).split()
    },
    **{
        name: Guard(0, "system")
        for name in (
            "pg_operator_is_visible pg_opclass_is_visible pg_opfamily_is_visible "
            "pg_collation_is_visible pg_conversion_is_visible pg_ts_config_is_visible "
            "pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible "
            "pg_get_function_arguments pg_get_function_arg_default pg_get_function_sqlbody "
            "pg_get_functiondef pg_indexam_has_property ts_token_type"
        ).split()
    },
    **{
        name: Guard(0, "nothing")
        for name in (
            "pg_statistics_obj_is_visible pg_get_ruledef pg_get_triggerdef pg_get_viewdef "
            "pg_get_statisticsobjdef pg_get_statisticsobjdef_columns pg_partition_ancestors "
            "pg_partition_tree pg_relation_is_publishable pg_table_size pg_relation_size "
            "pg_total_relation_size pg_indexes_size pg_database_size pg_tablespace_size "
            "pg_tablespace_location pg_sequence_last_value pg_stat_get_numscans "
            "pg_stat_get_live_tuples pg_stat_get_dead_tuples shobj_description"
        ).split()
    },
    "pg_describe_object": Guard(1, "nothing"),
    "obj_description": Guard(0, "system"),  # by what its second argument says
}
# obj_description's second argument -> guard kind.
COMMENTED = {
    "pg_class": "relation",
    "pg_type": "type",
    "pg_constraint": "constraint",
    "pg_namespace": "schema",
    "pg_proc": "function",
}
# has_x_privilege -> guard kinds for objects given by OID and by name ("": by OID only).
PRIVILEGES = {
    "has_any_column_privilege": ("relation", "relation_name"),
    "has_database_privilege": ("database", "database_name"),
    "has_function_privilege": ("function", ""),
    "has_language_privilege": ("system", ""),
    "has_schema_privilege": ("schema", "schema_name"),
    "has_sequence_privilege": ("sequence", "sequence_name"),
    "has_table_privilege": ("relation", "relation_name"),
    "has_tablespace_privilege": ("system", ""),
    "has_type_privilege": ("type", ""),
    "pg_has_role": ("role", "role_name"),
}
# Functions of other schemas.
ELSEWHERE = frozenset({("information_schema", "_pg_expandarray")})

# Casts that look an object up by name or OID: type -> guard kind for operands read from a row.
LOOKUP_TYPES: dict[str, str] = {
    "regclass": "relation",
    "regtype": "type",
    "regproc": "system",
    "regprocedure": "system",
    "regoper": "system",
    "regoperator": "system",
    "regcollation": "system",
    "regnamespace": "schema",
    "regconfig": "configuration",
    "regdictionary": "system",
}
# Text search configurations PostgreSQL comes with; pg_catalog is searched first, so a bare name is
# the system's own.
CONFIGURATIONS = _words("""
    simple arabic armenian basque catalan danish dutch english estonian finnish french german greek
    hindi hungarian indonesian irish italian lithuanian nepali norwegian polish portuguese romanian
    russian serbian spanish swedish tamil turkish yiddish
""")
# Functions that take one of them as an argument.
CONFIGURED = _words("""
    to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_headline
    json_to_tsvector jsonb_to_tsvector
""")

# Functions whose result is of a look-up type.
LOOKUP_RESULTS = _words("pg_typeof pg_partition_ancestors pg_partition_tree to_regclass to_regtype")

# Functions in FROM -> what a subject has of them, without and with ordinality.
_NO_TREE = (
    "SELECT NULL::pg_catalog.oid AS relid, NULL::pg_catalog.oid AS parentrelid, "
    "NULL::pg_catalog.bool AS isleaf, NULL::pg_catalog.int4 AS level"
)
_SETTINGS_SEEN = (
    "SELECT s.name, s.setting, s.unit, s.category, s.short_desc, s.extra_desc, s.context, "
    "s.vartype, s.min_val, s.max_val, s.enumvals FROM pg_catalog.pg_settings s "
    f"WHERE pg_catalog.lower(s.name) IN ({KNOWN_SETTINGS})"
)
_EXTENSIONS_SEEN = (
    "SELECT e.name, e.default_version, e.comment FROM pg_catalog.pg_available_extensions e "
    "WHERE e.name = 'plpgsql'"
)
EMPTY_SOURCES: dict[str, tuple[str, str]] = {
    "pg_partition_ancestors": (
        "SELECT NULL::pg_catalog.oid AS relid WHERE false",
        "SELECT NULL::pg_catalog.oid AS relid, NULL::pg_catalog.int8 AS ordinality WHERE false",
    ),
    "pg_partition_tree": (
        f"{_NO_TREE} WHERE false",
        f"{_NO_TREE}, NULL::pg_catalog.int8 AS ordinality WHERE false",
    ),
    "pg_available_extensions": (
        _EXTENSIONS_SEEN,
        f"SELECT q.*, pg_catalog.row_number() OVER () AS ordinality FROM ({_EXTENSIONS_SEEN}) q",
    ),
    "pg_show_all_settings": (
        _SETTINGS_SEEN,
        f"SELECT q.*, pg_catalog.row_number() OVER () AS ordinality FROM ({_SETTINGS_SEEN}) q",
    ),
}
# Of these, functions that may stand in FROM only.
SOURCES_ONLY = frozenset({"pg_show_all_settings", "pg_available_extensions"})

# Methods of TABLESAMPLE, as they are written.
SAMPLING = frozenset({("bernoulli",), ("system",)})

# Columns of functions in FROM, which a statement may name without declaring them.
SOURCE_COLUMNS: dict[str, frozenset[str]] = {
    "aclexplode": _words("grantor grantee privilege_type is_grantable"),
    "pg_get_keywords": _words("word catcode barelabel catdesc baredesc"),
    "pg_partition_ancestors": _words("relid"),
    "pg_available_extensions": _words("name default_version comment"),
    "pg_show_all_settings": _words("name setting unit category short_desc context vartype"),
    "pg_input_error_info": _words("message detail hint sql_error_code"),
    "pg_options_to_table": _words("option_name option_value"),
    "pg_partition_tree": _words("relid parentrelid isleaf level"),
    "ts_token_type": _words("tokid alias description"),
}

# Functions that read a literal as a type named by their second argument.
TYPE_READERS = frozenset({"pg_input_is_valid", "pg_input_error_info"})

# Functions that write, as PostgreSQL's own read-only transactions see it.
WRITERS = _words("""
    lo_creat lo_create lo_from_bytea lo_import lo_put lo_truncate lo_truncate64 lo_unlink lowrite
    nextval pg_notify setval
""")

# Types of pg_catalog no statement of a client needs to name.
REFUSED_TYPES = _words("""
    regrole aclitem _aclitem cstring internal language_handler trigger event_trigger fdw_handler
    index_am_handler table_am_handler tsm_handler pg_ddl_command refcursor xid8 txid_snapshot
    pg_snapshot
""")

# Functions whose result is as long as an argument says, and which argument that is. A constant is
# judged at once; anything else is measured when it runs: numeric(5,0) refuses 100,000 and more.
SIZED: dict[str, int] = {"repeat": 1, "lpad": 1, "rpad": 1}
LONGEST = 99_999  # characters
MEASURE = ("(", "\n)::pg_catalog.int4::pg_catalog.numeric(5,0)::pg_catalog.int4")
