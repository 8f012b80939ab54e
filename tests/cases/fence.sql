--# only the relation a leaky condition names is fenced
SELECT t.id FROM t JOIN own ON own.who = t.id WHERE t.a LIKE 'x%'
>> SELECT t.id FROM (SELECT r."id", r."org", COALESCE(r."a", r."a") AS "a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) AS "t" JOIN (SELECT r."org", r."who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7') AS "own" ON own.who = t.id WHERE t.a LIKE 'x%'
>> LIMIT 101

--# leakproof conditions with constants are copied inside, where an index can serve them
SELECT * FROM t WHERE id = 5 AND a LIKE 'x%'
>> SELECT * FROM (SELECT r."id", r."org", COALESCE(r."a", r."a") AS "a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1' AND r."id" = 5 OFFSET 0) AS "t" WHERE id = 5 AND a LIKE 'x%'
>> LIMIT 101

--# as they are: lists, ranges, arrays, casts, from either side
SELECT * FROM t WHERE id IN (1, -2) AND 5 < t.id AND id BETWEEN 1 AND 9 AND id = ANY ('{1,2}'::int4[]) AND a = 'it''s' AND n > 1
>> SELECT * FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' AND r."id" IN (1, (-2)) AND r."id" > 5 AND r."id" BETWEEN 1 AND 9 AND r."id" = ANY ('{1,2}'::"int4"[]) AND r."a" = 'it''s' OFFSET 0) AS "t" WHERE id IN (1, -2) AND 5 < t.id AND id BETWEEN 1 AND 9 AND id = ANY ('{1,2}'::int4[]) AND a = 'it''s' AND n > 1
>> LIMIT 101

--# a parameter that stands once
SELECT * FROM t WHERE id = $1 AND n > $2
>> SELECT * FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' AND r."id" = $1 OFFSET 0) AS "t" WHERE id = $1 AND n > $2
>> LIMIT 101

--# a parameter that stands twice is not copied, as a copy could give it another type
SELECT $1::text FROM t WHERE id = $1::int4 AND n > 1
>> SELECT $1::text FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) AS "t" WHERE id = $1::int4 AND n > 1
>> LIMIT 101

--# what an outer join makes up fails the condition outside anyway
SELECT * FROM s LEFT JOIN t ON t.a LIKE s.x WHERE t.id = 5
>> SELECT * FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LEFT JOIN (SELECT r."id", r."org", COALESCE(r."a", r."a") AS "a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1' AND r."id" = 5 OFFSET 0) AS "t" ON t.a LIKE s.x WHERE t.id = 5
>> LIMIT 101

--# in ON it may go into the right side only
SELECT * FROM t u LEFT JOIN t v ON v.id = 1 AND u.id = 2 AND u.n = v.n
>> SELECT * FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) u LEFT JOIN (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' AND r."id" = 1 OFFSET 0) v ON v.id = 1 AND u.id = 2 AND u.n = v.n
>> LIMIT 101

--# a condition that holds for the row of NULLs stays outside
SELECT * FROM s LEFT JOIN t ON t.a LIKE s.x WHERE t.id IS NULL AND t.id IS DISTINCT FROM 3
>> SELECT * FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LEFT JOIN (SELECT r."id", r."org", COALESCE(r."a", r."a") AS "a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) AS "t" ON t.a LIKE s.x WHERE t.id IS NULL AND t.id IS DISTINCT FROM 3
>> LIMIT 101

--# a row found by its key leads to the next
SELECT v.id FROM t u JOIN t v ON v.id = u.org WHERE u.id = 5 AND v.n > 1
>> SELECT v.id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') u JOIN LATERAL (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' AND r."id" = "u"."org" OFFSET 0) v ON v.id = u.org WHERE u.id = 5 AND v.n > 1
>> LIMIT 101

--# without such a row there is nothing to follow
SELECT v.id FROM t u JOIN t v ON v.id = u.org WHERE v.n > 1
>> SELECT v.id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') u JOIN (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) v ON v.id = u.org WHERE v.n > 1
>> LIMIT 101

--# nothing looks to the right, or across a full join
SELECT v.id FROM t v JOIN t u ON v.id = u.org WHERE u.id = 5 AND v.n > 1
>> SELECT v.id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) v JOIN (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') u ON v.id = u.org WHERE u.id = 5 AND v.n > 1
>> LIMIT 101

--# nothing looks across a full join
SELECT v.id FROM t u FULL JOIN t v ON v.id = u.org WHERE u.id = 5 AND v.n > 1
>> SELECT v.id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') u FULL JOIN (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) v ON v.id = u.org WHERE u.id = 5 AND v.n > 1
>> LIMIT 101

--# a condition on what comes out of an inner result touches everything
SELECT * FROM (SELECT a FROM t) q WHERE q.a LIKE 'x%'
>> SELECT * FROM (SELECT a FROM (SELECT COALESCE(r."id", r."id") AS "id", COALESCE(r."org", r."org") AS "org", COALESCE(r."a", r."a") AS "a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", COALESCE(r."mood", r."mood") AS "mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) AS "t") q WHERE q.a LIKE 'x%'
>> LIMIT 101

--# a computed column of an inner result matters only where it is used
SELECT q.id FROM (SELECT id, lower(a) AS l FROM t) q WHERE q.id = 5
>> SELECT q.id FROM (SELECT id, pg_catalog.lower(a) AS l FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t") q WHERE q.id = 5
>> LIMIT 101

--# a window is computed from what the scopes have left
SELECT * FROM (SELECT id, row_number() OVER (ORDER BY n) AS place FROM t) q WHERE place <= 3
>> SELECT * FROM (SELECT id, pg_catalog.row_number() OVER (ORDER BY n) AS place FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t") q WHERE place <= 3
>> LIMIT 101

--# a subquery that may fail touches what is around it
SELECT own.who FROM own WHERE own.who IN (SELECT t.id FROM t WHERE 1 / t.n > 0)
>> SELECT own.who FROM (SELECT r."org", COALESCE(r."who", r."who") AS "who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7' OFFSET 0) AS "own" WHERE own.who IN (SELECT t.id FROM (SELECT COALESCE(r."id", r."id") AS "id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) AS "t" WHERE 1 / t.n > 0)
>> LIMIT 101

--# an equality makes columns one
SELECT 1 FROM t u JOIN t v ON u.n = v.n JOIN own ON own.who = u.id
>> SELECT 1 FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) u JOIN (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) v ON u.n = v.n JOIN (SELECT r."org", r."who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7') AS "own" ON own.who = u.id
>> LIMIT 101

--# a moment that says nothing of any row is a constant
SELECT * FROM gone WHERE died > now()::date - 7 AND id > CURRENT_DATE - id
>> SELECT * FROM (SELECT COALESCE(r."id", r."id") AS "id", r."died" FROM "public"."gone" r WHERE r."died" IS NULL AND r."died" > ((pg_catalog.now())::pg_catalog.date - 7) OFFSET 0) AS "gone" WHERE died > pg_catalog.now()::date - 7 AND id > CURRENT_DATE - id
>> LIMIT 101
