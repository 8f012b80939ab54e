--# one row more than allowed is asked for
SELECT id FROM s
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# the role's own budget as bob
SELECT id FROM s
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 6

--# an own limit within the cap stays
SELECT id FROM s LIMIT 100
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 100

--# one above it is cut
SELECT id FROM s LIMIT 101
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 101

--# a computed one as well
SELECT id FROM s LIMIT 10 * 20 OFFSET 5
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT LEAST((10 * 20
>> )::pg_catalog.int8, 101) OFFSET 5

--# a parameter keeps its type
SELECT id FROM s LIMIT $1 OFFSET $2
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT LEAST(($1
>> )::pg_catalog.int8, 101) OFFSET $2

--# no limit, spelled out
SELECT id FROM s LIMIT ALL
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 101

--# NULL is no limit
SELECT id FROM s LIMIT NULL
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 101

--# a negative one is left for PostgreSQL to refuse
SELECT id FROM s LIMIT -1
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT LEAST((-1
>> )::pg_catalog.int8, 101)

--# text and fractions are numbers to PostgreSQL
SELECT id FROM s LIMIT '1e3'::float8
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT LEAST(('1e3'::float8
>> )::pg_catalog.int8, 101)

--# FETCH
SELECT id FROM s FETCH FIRST 5 ROWS ONLY
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" FETCH FIRST 5 ROWS ONLY

--# FETCH, too many, behind OFFSET
SELECT id FROM s OFFSET 1 ROWS FETCH NEXT 100000 ROWS ONLY
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" OFFSET 1 ROWS LIMIT 101

--# FETCH of a computed number
SELECT id FROM s FETCH FIRST (1 + 1) ROWS ONLY
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" FETCH FIRST (LEAST(((1 + 1)
>> )::pg_catalog.int8, 101)) ROWS ONLY

--# FETCH of a parameter, which needs brackets now, and the word ONLY where it says nothing
SELECT id FROM s OFFSET 1 ROW FETCH NEXT $1 /* ONLY */ ROW ONLY
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" OFFSET 1 ROW FETCH NEXT (LEAST(($1
>> )::pg_catalog.int8, 101)) /* ONLY */ ROW ONLY

--# FETCH of a number too large for a plain one
SELECT id FROM s FETCH FIRST 3000000000 ROWS ONLY
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" FETCH FIRST (LEAST((3000000000
>> )::pg_catalog.int8, 101)) ROWS ONLY

--# a lock comes after LIMIT and OFFSET
--# as kim
SELECT id FROM t OFFSET (SELECT 1 OFFSET 0) ROWS FOR SHARE
>> SELECT id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" LIMIT 101 OFFSET (SELECT 1 OFFSET 0) ROWS FOR SHARE

--# WITH TIES may return more than it says
SELECT id FROM s ORDER BY id FETCH FIRST 1 ROWS WITH TIES
>> SELECT * FROM (SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" ORDER BY id FETCH FIRST 1 ROWS WITH TIES
>> ) AS querywarden LIMIT 101

--# set operations are limited as a whole
SELECT id FROM s UNION ALL (SELECT id FROM s LIMIT 1)
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" UNION ALL (SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 1)
>> LIMIT 101

--# VALUES
VALUES (1), (2)
>> VALUES (1), (2)
>> LIMIT 101

--# the limit inside brackets is the statement's own
(SELECT id FROM s LIMIT 500)
>> (SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 101)

--# a limit of a subquery is not
SELECT * FROM (SELECT id FROM s LIMIT 500) q
>> SELECT * FROM (SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 500) q
>> LIMIT 101

--# a limit in a limit
SELECT id FROM s LIMIT (SELECT 7 LIMIT 1)
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT LEAST(((SELECT 7 LIMIT 1)
>> )::pg_catalog.int8, 101)

--# a comment at the end swallows nothing
SELECT id FROM s -- LIMIT 5
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" -- LIMIT 5
>> LIMIT 101

--# catalogs are read in full by drivers
SELECT oid FROM pg_class
>> SELECT oid FROM (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]))) AS "pg_class"
>> LIMIT 10001

