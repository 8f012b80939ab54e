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
>> SELECT (SELECT g."regclass" FROM (SELECT pg_catalog.to_regclass(($1)::pg_catalog.text)::pg_catalog.oid) g("regclass") WHERE g."regclass" < 16384 OR g."regclass" = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))::regclass::pg_catalog.text
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

--# what a name finds is guarded as a whole
SELECT to_regtype($1), to_regclass('t') = 5
>> SELECT (SELECT g."to_regtype" FROM (SELECT (pg_catalog.to_regtype($1))::pg_catalog.oid) g("to_regtype") WHERE g."to_regtype" < 16384 OR g."to_regtype" = ANY ('{16500,16502}'::pg_catalog.oid[])), (SELECT g."to_regclass" FROM (SELECT (pg_catalog.to_regclass('t'))::pg_catalog.oid) g("to_regclass") WHERE g."to_regclass" < 16384 OR g."to_regclass" = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[])) = 5
>> LIMIT 101


--# names of types in arrays
SELECT COALESCE(oid::regtype[], oid::regtype[])::text[] FROM pg_class
>> SELECT COALESCE((SELECT pg_catalog.array_agg(CASE WHEN e.v < 16384 OR e.v = ANY ('{16500,16502}'::pg_catalog.oid[]) THEN e.v END ORDER BY e.n) AS "oid" FROM pg_catalog.unnest((oid)::pg_catalog.oid[]) WITH ORDINALITY e(v, n))::regtype[]::pg_catalog.text[], (SELECT pg_catalog.array_agg(CASE WHEN e.v < 16384 OR e.v = ANY ('{16500,16502}'::pg_catalog.oid[]) THEN e.v END ORDER BY e.n) AS "oid" FROM pg_catalog.unnest((oid)::pg_catalog.oid[]) WITH ORDINALITY e(v, n))::regtype[]::pg_catalog.text[])::text[] FROM (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))) AS "pg_class"
>> LIMIT 10001

--# a name put together of parts
SELECT (a || '.' || a)::regclass FROM t
>> SELECT (SELECT g."regclass" FROM (SELECT pg_catalog.to_regclass(((a || '.' || a))::pg_catalog.text)::pg_catalog.oid) g("regclass") WHERE g."regclass" < 16384 OR g."regclass" = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))::regclass::pg_catalog.text FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t"
>> LIMIT 101

--# an element of an array, a type by a computed name, types as SQL writes them
SELECT a[1]::regtype, ('in' || 't4')::regtype, 'numeric(5,2)'::regtype, 'mood'::regtype FROM (SELECT '{16501}'::text) AS q(a)
>> SELECT (SELECT g."a" FROM (SELECT (a[1])::pg_catalog.oid) g("a") WHERE g."a" < 16384 OR g."a" = ANY ('{16500,16502}'::pg_catalog.oid[]))::regtype::pg_catalog.text, (SELECT g."regtype" FROM (SELECT pg_catalog.to_regtype((('in' || 't4'))::pg_catalog.text)::pg_catalog.oid) g("regtype") WHERE g."regtype" < 16384 OR g."regtype" = ANY ('{16500,16502}'::pg_catalog.oid[]))::regtype::pg_catalog.text, 'numeric(5,2)'::regtype::pg_catalog.text AS "regtype", 'mood'::regtype::pg_catalog.text AS "regtype" FROM (SELECT '{16501}'::text) AS q(a)
>> LIMIT 101
