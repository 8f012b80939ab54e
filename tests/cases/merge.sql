--# each action is an INSERT, UPDATE or DELETE as wes
MERGE INTO pairs p USING tags t ON p.a = t.id AND p.b = 1 WHEN MATCHED AND t.x = 'old' THEN DELETE WHEN MATCHED THEN UPDATE SET x = t.x WHEN NOT MATCHED THEN INSERT (a, b, x) VALUES (t.id, 1, t.x)
>> MERGE INTO "public"."pairs" p USING (SELECT r."id", r."x", r."n" FROM "public"."tags" r) t ON "p"."org" = '1' AND ( p.a = t.id AND p.b = 1
>> ) WHEN MATCHED AND t.x = 'old' THEN DELETE WHEN MATCHED THEN UPDATE SET x = t.x WHEN NOT MATCHED THEN INSERT (a, b, x, "org") VALUES (t.id, 1, t.x, CAST('1' AS integer))

--# a leaky condition waits behind the scopes as wes
MERGE INTO public.pairs p USING (SELECT 1 AS n) s ON p.a = s.n AND p.b = 2 AND p.x LIKE 'a%' WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES (s.n, 2)
>> MERGE INTO "public"."pairs" p USING (SELECT 1 AS n) s ON "p"."org" = '1' AND "p"."b" = 2 AND CASE WHEN "p"."org" = '1' THEN ( p.a = s.n AND p.b = 2 AND p.x LIKE 'a%'
>> ) ELSE false END WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT ("a", "b", "org") VALUES (s.n, 2, CAST('1' AS integer))

--# the tenant as wes
MERGE INTO pairs p USING (VALUES (1, 2, $1)) s (a, b, org) ON p.a = s.a AND p.b = s.b WHEN MATCHED THEN UPDATE SET org = $2 WHEN NOT MATCHED THEN INSERT (a, b, org) VALUES (s.a, s.b, s.org)
>> MERGE INTO "public"."pairs" p USING (VALUES (1, 2, $1)) s (a, b, org) ON "p"."org" = '1' AND CASE WHEN "p"."org" = '1' THEN ( p.a = s.a AND p.b = s.b
>> ) ELSE false END WHEN MATCHED THEN UPDATE SET org = CASE WHEN ($2
>> ) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END WHEN NOT MATCHED THEN INSERT (a, b, org) VALUES (s.a, s.b, CASE WHEN (s.org) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END)

--# another's as wes
MERGE INTO pairs p USING tags t ON p.a = t.id AND p.b = 1 WHEN NOT MATCHED THEN INSERT (a, b, org) VALUES (1, 2, 3)
!! FIELD_NOT_ALLOWED column "org" of "pairs" can hold your own tenant only

--# nothing but defaults as wes
MERGE INTO pairs USING tags t ON pairs.a = t.id AND pairs.b = 1 WHEN NOT MATCHED THEN INSERT DEFAULT VALUES
>> MERGE INTO "public"."pairs" USING (SELECT r."id", r."x", r."n" FROM "public"."tags" r) t ON "pairs"."org" = '1' AND ( pairs.a = t.id AND pairs.b = 1
>> ) WHEN NOT MATCHED THEN INSERT ("org") VALUES (CAST('1' AS integer))

--# CASE has a WHEN of its own as wes
MERGE INTO tags USING pairs p ON tags.id = CASE WHEN p.a > 1 THEN 1 ELSE 2 END WHEN MATCHED AND CASE WHEN p.a > 2 THEN true END THEN UPDATE SET x = CASE WHEN p.b > 1 THEN 'a' END WHEN NOT MATCHED BY TARGET THEN INSERT (x) VALUES (CASE WHEN p.a > 1 THEN 'b' END)
>> MERGE INTO "public"."tags" USING (SELECT COALESCE(r."a", r."a") AS "a", r."b", r."org", r."x", r."y" FROM "public"."pairs" r WHERE r."org" = '1' OFFSET 0) p ON tags.id = CASE WHEN p.a > 1 THEN 1 ELSE 2 END WHEN MATCHED AND CASE WHEN p.a > 2 THEN true END THEN UPDATE SET x = CASE WHEN p.b > 1 THEN 'a' END WHEN NOT MATCHED BY TARGET THEN INSERT (x) VALUES (CASE WHEN p.a > 1 THEN 'b' END)

--# rows of others are no rows without a match as wes
MERGE INTO tags USING pairs p ON tags.id = p.a WHEN NOT MATCHED BY SOURCE THEN DELETE
!! UNSUPPORTED_SYNTAX WHEN NOT MATCHED BY SOURCE is not supported: it acts on all rows there are

--# rows are matched by their key as wes
MERGE INTO pairs USING tags t ON pairs.a = t.id WHEN MATCHED THEN UPDATE SET x = 'a'
!! QUERY_TOO_BROAD rows of "pairs" must be matched by their key here

--# with something that is not their own as wes
MERGE INTO pairs USING tags t ON pairs.a = pairs.a AND pairs.b = pairs.b WHEN MATCHED THEN UPDATE SET x = 'a'
!! QUERY_TOO_BROAD rows of "pairs" must be matched by their key here

--# hidden columns of the target as wes
MERGE INTO jobs USING tags t ON jobs.id = t.id AND jobs.secret = t.x WHEN MATCHED THEN UPDATE SET title = 'a'
!! COLUMN_NOT_FOUND column "secret" does not exist

--# masked ones in a condition as wes
MERGE INTO jobs USING tags t ON jobs.id = t.id WHEN MATCHED AND mail = 'x' THEN UPDATE SET title = 'a'
!! FIELD_NOT_ALLOWED column "mail" of "jobs" is masked, and a write cannot read it

--# and in what is inserted as wes
MERGE INTO jobs USING tags t ON jobs.id = t.id WHEN NOT MATCHED THEN INSERT (title) VALUES (secret)
!! COLUMN_NOT_FOUND column "secret" does not exist

--# rows that must be looked at and marked at once as wes
MERGE INTO jobs USING tags t ON jobs.id = t.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (title) VALUES ('x')
!! UNSUPPORTED_SYNTAX rows written to "jobs" are checked, which MERGE cannot do here

--# columns that may not be written as wes
MERGE INTO tags USING pairs p ON tags.id = p.a WHEN MATCHED THEN UPDATE SET n = 1
!! FIELD_NOT_ALLOWED column "n" of "tags" cannot be written

--# nor those nobody sees as wes
MERGE INTO jobs USING tags t ON jobs.id = t.id WHEN NOT MATCHED THEN INSERT (secret) VALUES ('x')
!! COLUMN_NOT_FOUND column "secret" of relation "jobs" does not exist

--# rows come back masked as wes
MERGE INTO jobs j USING tags t ON j.id = t.id WHEN NOT MATCHED THEN INSERT (id, title, state) VALUES (t.id, t.x, 'new') RETURNING merge_action(), j.title, j.mail
>> MERGE INTO "public"."jobs" j USING (SELECT r."id", r."x", r."n" FROM "public"."tags" r) t ON "j"."org" = '1' AND "j"."died" IS NULL AND ("j".state <> 'draft'
>> ) AND ( j.id = t.id
>> ) WHEN NOT MATCHED THEN INSERT (id, title, state, "org") VALUES (t.id, t.x, 'new', CAST('1' AS integer)) RETURNING CASE WHEN (CASE WHEN ("j"."org" = '1' AND "j"."died" IS NULL AND ("j".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END) IS NULL THEN (merge_action()
>> ) END AS "merge_action", j.title, (CASE WHEN "j"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("j"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("j"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("j"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("j"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("j"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text AS "mail"

--# with WITH as wes
WITH s AS (SELECT id FROM tags) MERGE INTO pairs USING s ON pairs.a = s.id AND pairs.b = 1 WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.id, DEFAULT)
>> WITH s AS (SELECT id FROM (SELECT r."id", r."x", r."n" FROM "public"."tags" r) AS "tags") MERGE INTO "public"."pairs" USING s ON "pairs"."org" = '1' AND ( pairs.a = s.id AND pairs.b = 1
>> ) WHEN NOT MATCHED THEN INSERT (a, b, "org") VALUES (s.id, DEFAULT, CAST('1' AS integer))

--# without a capability that says so as zoe
/* capability='sweep' */ MERGE INTO jobs USING tags t ON jobs.id = t.id WHEN MATCHED THEN DELETE
!! WRITE_DISABLED MERGE on "jobs" is not allowed: capability sweep does not permit it
