--# parameters next to each other
SELECT id FROM s WHERE id IN ($1,$2)
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE id IN ($1,$2)
>> LIMIT 101

--# dollar quotes hide nothing
SELECT $$ ; SELECT * FROM hidden $$, $q$ ' $q$ FROM s
>> SELECT $$ ; SELECT * FROM hidden $$, $q$ ' $q$ FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# escapes hide nothing
SELECT E'a\'; SELECT * FROM hidden --' FROM s
>> SELECT E'a\'; SELECT * FROM hidden --' FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# letters outside ASCII
SELECT id AS größe, 'ä' FROM s WHERE x = 'ü' AND id = 1
>> SELECT id AS größe, 'ä' FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE x = 'ü' AND id = 1
>> LIMIT 101

--# comments stay
SELECT /* capability='browse' */ id FROM s -- the end
>> SELECT /* capability='browse' */ id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" -- the end
>> LIMIT 101

--# operators sqlglot does not know
SELECT '1'::text FROM s WHERE id = 1 AND x ~<=~ 'a' AND @ -5 = 5
>> SELECT '1'::text FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE id = 1 AND x ~<=~ 'a' AND @ -5 = 5
>> LIMIT 101

--# numbers in other notations
SELECT 0x1F, 1_000, 1e3 FROM s
>> SELECT 0x1F, 1_000, 1e3 FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# empty array brackets
SELECT id FROM s WHERE id = ANY($1::int4[])
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE id = ANY($1::int4[])
>> LIMIT 101

--# functions sqlglot would check
SELECT date_part('year', now()), round(1.5, 1), substr('abc', 2), mod(5, 2) FROM s
>> SELECT pg_catalog.date_part('year', pg_catalog.now()), pg_catalog.round(1.5, 1), pg_catalog.substr('abc', 2), pg_catalog.mod(5, 2) FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# quoted names
SELECT "s"."id" FROM "public"."s" AS "S"
>> SELECT "s"."id" FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "S"
>> LIMIT 101

--# literals with their type in front
SELECT interval '1' day, double precision '1.5', date '2024-01-01', timestamp with time zone '2024-01-01' FROM s
>> SELECT interval '1' day, double precision '1.5', date '2024-01-01', timestamp with time zone '2024-01-01' FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# ORDER BY with an operator, an alias of USING, the star of inheriting tables
SELECT * FROM s * JOIN gone USING (id) AS j ORDER BY x USING >, j.id USING <
>> SELECT * FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" JOIN (SELECT r."id", r."died" FROM "public"."gone" r WHERE r."died" IS NULL) AS "gone" USING (id) AS j ORDER BY x USING >, j.id USING <
>> LIMIT 101

--# SEARCH and CYCLE
WITH RECURSIVE g(id) AS (SELECT id FROM s UNION ALL SELECT s.id FROM s, g WHERE s.id = g.id) SEARCH DEPTH FIRST BY id SET seq CYCLE id SET c TO true DEFAULT false USING path SELECT * FROM g
>> WITH RECURSIVE g(id) AS (SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" UNION ALL SELECT s.id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s", g WHERE s.id = g.id) SEARCH DEPTH FIRST BY id SET seq CYCLE id SET c TO true DEFAULT false USING path SELECT * FROM g
>> LIMIT 101

--# SQL/JSON
SELECT JSON_OBJECT('a': x, 'b' VALUE id ABSENT ON NULL RETURNING jsonb), JSON_ARRAYAGG(id ORDER BY id RETURNING jsonb), JSON_VALUE(x::jsonb, '$.a' RETURNING int4 DEFAULT 1 ON EMPTY ERROR ON ERROR) FROM s
>> SELECT JSON_OBJECT('a': x, 'b' VALUE id ABSENT ON NULL RETURNING jsonb), JSON_ARRAYAGG(id ORDER BY id RETURNING jsonb), JSON_VALUE(x::jsonb, '$.a' RETURNING int4 DEFAULT 1 ON EMPTY ERROR ON ERROR) FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# a query inside JSON_ARRAY
SELECT JSON_ARRAY(SELECT id FROM s RETURNING jsonb)
>> SELECT JSON_ARRAY(SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" RETURNING jsonb)
>> LIMIT 101

--# literals with their type in front, words about text
SELECT numeric '1', pg_catalog.text 'a', x IS NFC NORMALIZED, x LIKE 'a' ESCAPE 'b', substring(x SIMILAR 'a' ESCAPE '#') FROM s
>> SELECT numeric '1', pg_catalog.text 'a', x IS NFC NORMALIZED, x LIKE 'a' ESCAPE 'b', substring(x SIMILAR 'a' ESCAPE '#') FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# WITH before VALUES
WITH a AS (SELECT id FROM s) /* , */ VALUES (1, (SELECT max(id) FROM a)), (2, $1)
>> WITH a AS (SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s") /* , */ VALUES (1, (SELECT pg_catalog.max(id) FROM a)), (2, $1)
>> LIMIT 101

--# and in brackets
WITH a AS (SELECT id FROM s) (VALUES (1))
>> WITH a AS (SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s") (VALUES (1))
>> LIMIT 101

--# a column and an alias named value, in brackets
SELECT (v.value), (SELECT x value FROM s WHERE x ~ $1 LIMIT 1) FROM s AS v (id, value) WHERE (value = $1)
>> SELECT (v.value), (SELECT x value FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE x ~ $1 LIMIT 1) FROM (SELECT r."id", r."x" FROM "public"."s" r) AS v (id, value) WHERE (value = $1)
>> LIMIT 101

--# a recursive query whose first arm gives all columns
WITH RECURSIVE q AS (SELECT * FROM s WHERE id = 1 UNION ALL SELECT s.* FROM s, q WHERE s.id = q.id) SELECT * FROM q
>> WITH RECURSIVE q AS (SELECT * FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE id = 1 UNION ALL SELECT s.* FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s", q WHERE s.id = q.id) SELECT * FROM q
>> LIMIT 101
