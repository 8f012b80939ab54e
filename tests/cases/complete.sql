--# columns that depend on a grouped primary key are named too
SELECT t.id, t.a, count(*) FROM t GROUP BY t.id
>> SELECT t.id, t.a, pg_catalog.count(*) FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" GROUP BY "t"."a", t.id
>> LIMIT 101

--# also through joins, stars and sorting
SELECT t.*, max(s.id) FROM t LEFT JOIN s USING (id) GROUP BY t.id ORDER BY t.n
>> SELECT t.*, pg_catalog.max(s.id) FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" LEFT JOIN (SELECT r."id", r."x" FROM "public"."s" r) AS "s" USING (id) GROUP BY "t"."a", "t"."mail", "t"."mood", "t"."n", "t"."org", t.id ORDER BY t.n
>> LIMIT 101

--# an unqualified key of the only relation
SELECT a FROM t GROUP BY id HAVING n > 1
>> SELECT a FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) AS "t" GROUP BY "t"."a", "t"."n", id HAVING n > 1
>> LIMIT 101

--# nothing depends on what is no key
SELECT a, count(*) FROM t GROUP BY a
>> SELECT a, pg_catalog.count(*) FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" GROUP BY a
>> LIMIT 101

--# a key may be someone else's when it is not qualified
SELECT t.a FROM t, s GROUP BY id
>> SELECT t.a FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t", (SELECT r."id", r."x" FROM "public"."s" r) AS "s" GROUP BY id
>> LIMIT 101

--# nor on a renamed one
SELECT x.id FROM t AS x (id) GROUP BY x.id
>> SELECT x.id FROM (SELECT COALESCE(r."id", r."id") AS "id", COALESCE(r."org", r."org") AS "org", COALESCE(r."a", r."a") AS "a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", COALESCE(r."mood", r."mood") AS "mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) AS x (id) GROUP BY x.id
>> LIMIT 101

--# grouping sets stay as they are
SELECT t.id, t.a FROM t GROUP BY ROLLUP (t.id)
>> SELECT t.id, t.a FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" GROUP BY ROLLUP (t.id)
>> LIMIT 101

--# what aggregates are computed from needs no group, what windows are does
SELECT t.id, max(t.a), sum(t.n) FILTER (WHERE t.n > 1), max(t.mood) OVER () FROM t GROUP BY t.id
>> SELECT t.id, pg_catalog.max(t.a), pg_catalog.sum(t.n) FILTER (WHERE t.n > 1), pg_catalog.max(t.mood) OVER () FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" GROUP BY "t"."mood", t.id
>> LIMIT 101

--# nor does a subquery's aggregate of both its columns and ours spare them
SELECT t.id, (SELECT max(s.id + t.n) FROM s) FROM t GROUP BY t.id
>> SELECT t.id, (SELECT pg_catalog.max(s.id + t.n) FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s") FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" GROUP BY "t"."n", t.id
>> LIMIT 101
