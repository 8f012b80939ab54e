--# a WITH query hides a table of its name
WITH t AS (SELECT 1 AS id) SELECT * FROM t
>> WITH t AS (SELECT 1 AS id) SELECT * FROM t
>> LIMIT 101

--# but not a schema-qualified one
WITH s AS (SELECT 1 AS id) SELECT * FROM public.s
>> WITH s AS (SELECT 1 AS id) SELECT * FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# inside its own definition the name is still the table
WITH s AS (SELECT * FROM s) SELECT * FROM s
>> WITH s AS (SELECT * FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s") SELECT * FROM s
>> LIMIT 101

--# unless the clause is recursive
WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s) SELECT * FROM s
>> WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s) SELECT * FROM s
>> LIMIT 101

--# a later WITH query does not hide an earlier mention
WITH a AS (SELECT * FROM s), s AS (SELECT 1) SELECT * FROM a, s
>> WITH a AS (SELECT * FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"), s AS (SELECT 1) SELECT * FROM a, s
>> LIMIT 101

--# an inner WITH ends with its query
SELECT * FROM (WITH s AS (SELECT 1 AS id) SELECT * FROM s) q, s
>> SELECT * FROM (WITH s AS (SELECT 1 AS id) SELECT * FROM s) q, (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# what is hidden and what does not exist answer alike
SELECT * FROM hidden
!! RELATION_NOT_ALLOWED relation "hidden" does not exist or is not visible to you 

--# nonexistent
SELECT * FROM nowhere
!! RELATION_NOT_ALLOWED relation "nowhere" does not exist or is not visible to you 

--# not in this role's capability as bob
SELECT * FROM t
!! RELATION_NOT_ALLOWED relation "t" does not exist or is not visible to you 

--# the database may be named, when it is this one
SELECT id FROM lab.public.s
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# another database
SELECT id FROM other.public.s
!! RELATION_NOT_ALLOWED relation "public.s" does not exist or is not visible to you 

--# system catalogs have policy views
SELECT relname FROM pg_class c WHERE c.relname = 't'
>> SELECT relname FROM (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))) c WHERE c.relname = 't'
>> LIMIT 10001

--# statistics do not exist
SELECT * FROM pg_statistic
!! RELATION_NOT_ALLOWED relation "pg_statistic" does not exist or is not visible to you 

--# a look-up by OID answers only for what is seen
SELECT format_type(c.oid, NULL) FROM pg_class c
>> SELECT pg_catalog.format_type((SELECT g."oid" FROM (SELECT (c.oid)::pg_catalog.oid) g("oid") WHERE g."oid" < 16384 OR g."oid" = ANY ('{16500,16502}'::pg_catalog.oid[])), NULL) FROM (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))) c
>> LIMIT 10001

--# a look-up that is never answered
SELECT pg_get_viewdef(c.oid) FROM pg_class c
>> SELECT pg_catalog.pg_get_viewdef((SELECT g."oid" FROM (SELECT (c.oid)::pg_catalog.oid) g("oid") WHERE false)) FROM (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))) c
>> LIMIT 10001

--# a cast that prints names is guarded, and the result column keeps its name
SELECT c.oid::regclass FROM pg_class c
>> SELECT (SELECT g."oid" FROM (SELECT (c.oid)::pg_catalog.oid) g("oid") WHERE g."oid" < 16384 OR g."oid" = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))::regclass::pg_catalog.text FROM (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))) c
>> LIMIT 10001

--# by name through a parameter
SELECT $1::regclass
>> SELECT (SELECT g."regclass" FROM (SELECT ($1)::pg_catalog.text) g("regclass") WHERE CASE WHEN g."regclass" !~ '[.]' OR g."regclass" ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?"(?:information_schema|pg_catalog|public)"\s*[.]' OR pg_catalog.lower(g."regclass") ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?(?:information_schema|pg_catalog|public)\s*[.]' THEN pg_catalog.to_regclass(g."regclass")::pg_catalog.oid < 16384 OR pg_catalog.to_regclass(g."regclass")::pg_catalog.oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]) ELSE false END)::regclass::pg_catalog.text
>> LIMIT 101

--# by name, at once
SELECT 't'::regclass, '"t"'::regclass, 'public.s'::regclass
>> SELECT 't'::regclass::pg_catalog.text AS "regclass", '"t"'::regclass::pg_catalog.text AS "regclass", 'public.s'::regclass::pg_catalog.text AS "regclass"
>> LIMIT 101

--# by name, hidden
SELECT 'hidden'::regclass
!! RELATION_NOT_ALLOWED relation "hidden" does not exist or is not visible to you 

--# by OID, hidden
SELECT '20007'::regclass
!! RELATION_NOT_ALLOWED relation "20007" does not exist or is not visible to you 

--# schema names
SELECT 'private'::regnamespace
!! TYPE_NOT_ALLOWED "private" does not exist or is not visible to you 

--# types by name
SELECT 'int4'::regtype
>> SELECT 'int4'::regtype::pg_catalog.text AS "regtype"
>> LIMIT 101

--# row types do not exist
SELECT NULL::t
!! TYPE_NOT_ALLOWED type "t" does not exist or is not visible 

--# a type of a visible column
SELECT 'ok'::mood
>> SELECT 'ok'::mood
>> LIMIT 101

--# a type no visible column has
SELECT 'ok'::rank
!! TYPE_NOT_ALLOWED type "rank" does not exist or is not visible 

--# a look-up value meets nothing: it becomes an OID
SELECT COALESCE('20007', 's'::regclass)
>> SELECT COALESCE('20007', 's'::regclass::pg_catalog.oid)
>> LIMIT 101

--# or text, when it is only shown
SELECT 's'::regclass AS name, CAST(oid AS regclass) FROM pg_class
>> SELECT 's'::regclass::pg_catalog.text AS name, CAST((SELECT g."oid" FROM (SELECT (oid )::pg_catalog.oid) g("oid") WHERE g."oid" < 16384 OR g."oid" = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))AS regclass)::pg_catalog.text FROM (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))) AS "pg_class"
>> LIMIT 10001

--# or what the statement says
SELECT 's'::regclass::text || 'x'
>> SELECT 's'::regclass::text || 'x'
>> LIMIT 101

--# types of values
SELECT pg_typeof(1), CASE WHEN pg_typeof(1) = 'int4'::regtype THEN 1 END
>> SELECT pg_catalog.pg_typeof(1)::pg_catalog.text, CASE WHEN pg_catalog.pg_typeof(1)::pg_catalog.oid = 'int4'::regtype::pg_catalog.oid THEN 1 END
>> LIMIT 101

--# functions in FROM that find nothing
SELECT relid FROM pg_partition_ancestors('20001') WITH ORDINALITY AS a(relid, depth)
>> SELECT relid FROM (SELECT NULL::pg_catalog.oid AS relid, NULL::pg_catalog.int8 AS ordinality WHERE false) AS a(relid, depth)
>> LIMIT 101

--# without a name
SELECT relid FROM pg_catalog.pg_partition_ancestors('20001')
>> SELECT relid FROM (SELECT NULL::pg_catalog.oid AS relid WHERE false) AS "pg_partition_ancestors"
>> LIMIT 101

--# a name is looked up only when what it finds is seen
SELECT to_regtype($1), to_regclass('t') = 5
>> SELECT pg_catalog.to_regtype((SELECT g."oid" FROM (SELECT ($1)::pg_catalog.text) g("oid") WHERE CASE WHEN g."oid" !~ '[.]' OR g."oid" ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?"(?:information_schema|pg_catalog|public)"\s*[.]' OR pg_catalog.lower(g."oid") ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?(?:information_schema|pg_catalog|public)\s*[.]' THEN pg_catalog.to_regtype(g."oid")::pg_catalog.oid < 16384 OR pg_catalog.to_regtype(g."oid")::pg_catalog.oid = ANY ('{16500,16502}'::pg_catalog.oid[]) ELSE false END))::pg_catalog.text, pg_catalog.to_regclass((SELECT g."oid" FROM (SELECT ('t')::pg_catalog.text) g("oid") WHERE CASE WHEN g."oid" !~ '[.]' OR g."oid" ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?"(?:information_schema|pg_catalog|public)"\s*[.]' OR pg_catalog.lower(g."oid") ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?(?:information_schema|pg_catalog|public)\s*[.]' THEN pg_catalog.to_regclass(g."oid")::pg_catalog.oid < 16384 OR pg_catalog.to_regclass(g."oid")::pg_catalog.oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]) ELSE false END))::pg_catalog.oid = 5
>> LIMIT 101

--# names of types in arrays
SELECT COALESCE(oid::regtype[], oid::regtype[])::text[] FROM pg_class
>> SELECT COALESCE((SELECT pg_catalog.array_agg(CASE WHEN e.v < 16384 OR e.v = ANY ('{16500,16502}'::pg_catalog.oid[]) THEN e.v END ORDER BY e.n) AS "oid" FROM pg_catalog.unnest((oid)::pg_catalog.oid[]) WITH ORDINALITY e(v, n))::regtype[]::pg_catalog.text[], (SELECT pg_catalog.array_agg(CASE WHEN e.v < 16384 OR e.v = ANY ('{16500,16502}'::pg_catalog.oid[]) THEN e.v END ORDER BY e.n) AS "oid" FROM pg_catalog.unnest((oid)::pg_catalog.oid[]) WITH ORDINALITY e(v, n))::regtype[]::pg_catalog.text[])::text[] FROM (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))) AS "pg_class"
>> LIMIT 10001

--# a name put together of parts
SELECT (a || '.' || a)::regclass FROM t
>> SELECT (SELECT g."regclass" FROM (SELECT ((a || '.' || a))::pg_catalog.text) g("regclass") WHERE CASE WHEN g."regclass" !~ '[.]' OR g."regclass" ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?"(?:information_schema|pg_catalog|public)"\s*[.]' OR pg_catalog.lower(g."regclass") ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?(?:information_schema|pg_catalog|public)\s*[.]' THEN pg_catalog.to_regclass(g."regclass")::pg_catalog.oid < 16384 OR pg_catalog.to_regclass(g."regclass")::pg_catalog.oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]) ELSE false END)::regclass::pg_catalog.text FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t"
>> LIMIT 101

--# an element of an array, a type by a computed name, types as SQL writes them
SELECT a[1]::regtype, ('in' || 't4')::regtype, 'numeric(5,2)'::regtype, 'mood'::regtype FROM (SELECT '{16501}'::text) AS q(a)
>> SELECT (SELECT g."a" FROM (SELECT (a[1])::pg_catalog.oid) g("a") WHERE g."a" < 16384 OR g."a" = ANY ('{16500,16502}'::pg_catalog.oid[]))::regtype::pg_catalog.text, (SELECT g."regtype" FROM (SELECT (('in' || 't4'))::pg_catalog.text) g("regtype") WHERE CASE WHEN g."regtype" !~ '[.]' OR g."regtype" ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?"(?:information_schema|pg_catalog|public)"\s*[.]' OR pg_catalog.lower(g."regtype") ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?(?:information_schema|pg_catalog|public)\s*[.]' THEN pg_catalog.to_regtype(g."regtype")::pg_catalog.oid < 16384 OR pg_catalog.to_regtype(g."regtype")::pg_catalog.oid = ANY ('{16500,16502}'::pg_catalog.oid[]) ELSE false END)::regtype::pg_catalog.text, 'numeric(5,2)'::regtype::pg_catalog.text AS "regtype", 'mood'::regtype::pg_catalog.text AS "regtype" FROM (SELECT '{16501}'::text) AS q(a)
>> LIMIT 101

--# a comment on a column: the column must be seen
SELECT col_description(c.oid, n.n) FROM pg_class c, generate_series(1, 3) AS n(n)
>> SELECT pg_catalog.col_description((SELECT g."oid" FROM (SELECT (c.oid)::pg_catalog.oid) g("oid") WHERE g."oid" < 16384 OR ((g."oid"::pg_catalog.int8 << 16) | ("n"."n")::pg_catalog.int8) = ANY ('{1310785537,1310785538,1310785539,1310785540,1310785542,1310785543,1310851073,1310851074,1310916609,1310916610,1310982145,1310982146,1311047681,1311047682}'::pg_catalog.int8[])), n.n) FROM (SELECT COALESCE(r."oid", r."oid") AS "oid", COALESCE(r."relname", r."relname") AS "relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[])) OFFSET 0) c, pg_catalog.generate_series(1, 3) AS n(n)
>> LIMIT 10001

--# ... and when what is meant cannot be repeated, the system's own are left
SELECT col_description(20001, 1 + 1)
>> SELECT pg_catalog.col_description((SELECT g."oid" FROM (SELECT (20001)::pg_catalog.oid) g("oid") WHERE g."oid" < 16384), 1 + 1)
>> LIMIT 101

--# an expression is printed with columns that are seen
SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
>> SELECT pg_catalog.pg_get_expr(d.adbin,(SELECT g."oid" FROM (SELECT ( d.adrelid)::pg_catalog.oid) g("oid") WHERE g."oid" < 16384 OR (g."oid" = ANY ('{20001,20002,20003,20004,20005}'::pg_catalog.oid[]) AND NOT EXISTS (SELECT FROM pg_catalog.regexp_matches(("d"."adbin")::pg_catalog.text, ':varattno(?:syn)? (-?[0-9]+)', 'g') querywarden(querywarden_n) WHERE querywarden.querywarden_n[1]::pg_catalog.int8 > 0 AND NOT ((g."oid"::pg_catalog.int8 << 16) | querywarden.querywarden_n[1]::pg_catalog.int8::pg_catalog.int8) = ANY ('{1310785537,1310785538,1310785539,1310785540,1310785542,1310785543,1310851073,1310851074,1310916609,1310916610,1310982145,1310982146,1311047681,1311047682}'::pg_catalog.int8[]))))) FROM (SELECT r."oid", r."adrelid", r."adnum" FROM "pg_catalog"."pg_attrdef" r WHERE oid = ANY ('{}'::pg_catalog.oid[])) d
>> LIMIT 10001

--# privileges on what is seen
SELECT has_schema_privilege('public', 'USAGE'), has_function_privilege(1, 'EXECUTE')
>> SELECT pg_catalog.has_schema_privilege((SELECT g."oid" FROM (SELECT ('public')::pg_catalog.text) g("oid") WHERE g."oid" IN ('information_schema','pg_catalog','public')), 'USAGE'), pg_catalog.has_function_privilege((SELECT g."oid" FROM (SELECT (1)::pg_catalog.oid) g("oid") WHERE g."oid" < 16384 OR g."oid" = ANY ('{}'::pg_catalog.oid[])), 'EXECUTE')
>> LIMIT 101

--# the proxy's own role is the only one
SELECT pg_get_userbyid(10), pg_has_role('postgres', 'MEMBER')
>> SELECT pg_catalog.pg_get_userbyid((SELECT g."oid" FROM (SELECT (10)::pg_catalog.oid) g("oid") WHERE g."oid" = (SELECT pg_catalog.quote_ident(CURRENT_USER)::pg_catalog.regrole::pg_catalog.oid))), pg_catalog.pg_has_role((SELECT g."oid" FROM (SELECT ('postgres')::pg_catalog.text) g("oid") WHERE g."oid" = CURRENT_USER), 'MEMBER')
>> LIMIT 101

--# settings that may be shown, as a function
SELECT name FROM pg_show_all_settings() AS s
>> SELECT name FROM (SELECT s.name, s.setting, s.unit, s.category, s.short_desc, s.extra_desc, s.context, s.vartype, s.min_val, s.max_val, s.enumvals FROM pg_catalog.pg_settings s WHERE pg_catalog.lower(s.name) IN ('application_name','block_size','bytea_output','client_encoding','client_min_messages','datestyle','default_table_access_method','default_text_search_config','default_transaction_isolation','default_transaction_read_only','extra_float_digits','geqo','idle_in_transaction_session_timeout','in_hot_standby','integer_datetimes','intervalstyle','is_superuser','jit','lc_collate','lc_ctype','lc_messages','lc_monetary','lc_numeric','lc_time','lock_timeout','max_identifier_length','max_index_keys','plan_cache_mode','search_path','server_encoding','server_version','server_version_num','session_authorization','ssl','standard_conforming_strings','statement_timeout','synchronous_commit','timezone','transaction_deferrable','transaction_isolation','transaction_read_only')) AS s
>> LIMIT 101

--# that function elsewhere
SELECT pg_show_all_settings()
!! FUNCTION_NOT_ALLOWED function pg_show_all_settings belongs in FROM

--# a column every table has, of a system table
SELECT tableoid FROM pg_class c WHERE c.xmin = '0'
>> SELECT tableoid FROM (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples", r.tableoid AS "tableoid", '0'::pg_catalog.xid AS "xmin" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))) c WHERE c.xmin = '0'
>> LIMIT 10001

--# beside *
SELECT tableoid, c.* FROM pg_class c
!! UNSUPPORTED_SYNTAX tableoid beside * is not supported

--# elements of an array with their numbers, as JDBC asks for them
SELECT (information_schema._pg_expandarray('{4,5}'::int2[])).n
>> SELECT (information_schema._pg_expandarray('{4,5}'::int2[])).n
>> LIMIT 101

--# nothing else of information_schema
SELECT information_schema._pg_index_position(1, 1::int2)
!! FUNCTION_NOT_ALLOWED function information_schema._pg_index_position is not allowed

--# arrays of look-up types are not made of rows
SELECT x::regclass[] FROM s
!! TYPE_NOT_ALLOWED arrays of regclass are not supported here
