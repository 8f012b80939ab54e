--# the tenant is filled in as wes
INSERT INTO jobs (title, state) VALUES ('x', 'new')
>> INSERT INTO "public"."jobs" (title, state, "org") VALUES ('x', 'new', CAST('1' AS integer))
>> RETURNING CASE WHEN ("jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END

--# into each row as wes
INSERT INTO pairs (a, b) VALUES (1, 2), (3, $1)
>> INSERT INTO "public"."pairs" (a, b, "org") VALUES (1, 2, CAST('1' AS integer)), (3, $1, CAST('1' AS integer))

--# the subject's own stays as wes
INSERT INTO pairs (a, b, org) VALUES (1, 2, 1), (1, 3, '1'), (1, 4, DEFAULT)
>> INSERT INTO "public"."pairs" (a, b, org) VALUES (1, 2, 1), (1, 3, '1'), (1, 4, CAST('1' AS integer))

--# another's is refused as wes
INSERT INTO pairs (a, b, org) VALUES (1, 2, 2)
!! FIELD_NOT_ALLOWED column "org" of "pairs" can hold your own tenant only

--# and none as wes
INSERT INTO pairs (a, b, org) VALUES (1, 2, NULL)
!! FIELD_NOT_ALLOWED column "org" of "pairs" can hold your own tenant only

--# a parameter is compared when it runs as wes
INSERT INTO pairs (a, org, b) VALUES ($1, $2, 3), ($3, $4::int4, 5)
>> INSERT INTO "public"."pairs" (a, org, b) VALUES ($1, CASE WHEN ($2) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END, 3), ($3, CASE WHEN ($4::int4) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END, 5)

--# so is what cannot be told as wes
INSERT INTO pairs (a, org, b) VALUES (1, 1.0, 3), (1, '1'::int4, 3)
>> INSERT INTO "public"."pairs" (a, org, b) VALUES (1, CASE WHEN (1.0) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END, 3), (1, CASE WHEN ('1'::int4) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END, 3)

--# so is anything computed as wes
INSERT INTO pairs (a, org, b) VALUES (1, (SELECT max(n) FROM tags), lower('A')::int4)
>> INSERT INTO "public"."pairs" (a, org, b) VALUES (1, CASE WHEN ((SELECT pg_catalog.max(n) FROM (SELECT r."id", r."x", r."n" FROM "public"."tags" r) AS "tags")) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END, pg_catalog.lower('A')::int4)

--# without a list: the visible columns as wes
INSERT INTO pairs VALUES (1, 2)
>> INSERT INTO "public"."pairs" ("a", "b", "org") VALUES (1, 2, CAST('1' AS integer))

--# the tenant at its place as wes
INSERT INTO pairs VALUES (1, 2, 1, 'x')
>> INSERT INTO "public"."pairs" ("a", "b", "org", "x") VALUES (1, 2, 1, 'x')

--# as many as there are values as wes
INSERT INTO jobs VALUES (1, 1, 7, 'x')
!! FIELD_NOT_ALLOWED column "who" of "jobs" cannot be written

--# an alias comes first as wes
INSERT INTO public.pairs AS p VALUES (1, 2)
>> INSERT INTO "public"."pairs" AS p ("a", "b", "org") VALUES (1, 2, CAST('1' AS integer))

--# owners too as una
INSERT INTO jobs (title, state) VALUES ('x', 'new')
>> INSERT INTO "public"."jobs" (title, state, "org", "who") VALUES ('x', 'new', CAST('1' AS integer), CAST('7' AS integer))
>> RETURNING CASE WHEN ("jobs"."org" = '1' AND "jobs"."who" = '7' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END

--# another owner as una
INSERT INTO jobs (title, who, state) VALUES ('x', 8, 'new')
!! FIELD_NOT_ALLOWED column "who" of "jobs" can hold your own owner only

--# of a role that is not limited to its own rows as wes
INSERT INTO jobs (title, who) VALUES ('x', 8)
!! FIELD_NOT_ALLOWED column "who" of "jobs" cannot be written

--# nothing but defaults as wes
INSERT INTO pairs DEFAULT VALUES
>> INSERT INTO "public"."pairs" ("org") VALUES (CAST('1' AS integer))

--# of a shared table as wes
INSERT INTO tags DEFAULT VALUES
>> INSERT INTO "public"."tags" DEFAULT VALUES

--# DEFAULT is as good as leaving out as wes
INSERT INTO jobs (id, parts, title, state) VALUES (DEFAULT, DEFAULT, 'x', 'new'), (DEFAULT, DEFAULT, 'y', 'new')
>> INSERT INTO "public"."jobs" (id, parts, title, state, "org") VALUES (DEFAULT, DEFAULT, 'x', 'new', CAST('1' AS integer)), (DEFAULT, DEFAULT, 'y', 'new', CAST('1' AS integer))
>> RETURNING CASE WHEN ("jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END

--# in every row as wes
INSERT INTO jobs (parts, title) VALUES (DEFAULT, 'x'), ('{}', 'y')
!! FIELD_NOT_ALLOWED column "parts" of "jobs" cannot be written

--# a hidden column does not exist as wes
INSERT INTO jobs (secret, title) VALUES ('a', 'x')
!! COLUMN_NOT_FOUND column "secret" of relation "jobs" does not exist

--# also when it gets DEFAULT as wes
INSERT INTO jobs (secret, title) VALUES (DEFAULT, 'x')
!! COLUMN_NOT_FOUND column "secret" of relation "jobs" does not exist

--# neither does one there is not as wes
INSERT INTO jobs (nothing, title) VALUES ('a', 'x')
!! COLUMN_NOT_FOUND column "nothing" of relation "jobs" does not exist

--# part of a column as wes
INSERT INTO jobs (parts['a']) VALUES ('1')
!! UNSUPPORTED_SYNTAX this spelling is not supported: its parts cannot be told apart with certainty

--# more rows than may be written as wes
INSERT INTO jobs (title) VALUES ('a'), ('b'), ('c'), ('d')
!! MAX_AFFECTED_ROWS_EXCEEDED the statement would write 4 rows of "jobs", at most 3 are allowed

--# from a query as wes
INSERT INTO pairs (a, b, x) SELECT id, 2, title FROM jobs WHERE state = 'new'
>> INSERT INTO "public"."pairs" (a, b, x, "org") SELECT id, 2, title, CAST('1' AS integer) FROM (SELECT r."id", r."org", r."who", r."title", (CASE WHEN r."mail" IS NULL THEN NULL WHEN pg_catalog.strpos(r."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left(r."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part(r."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos(r."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part(r."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text AS "mail", r."state", r."price", r."t_id", r."tag_id", r."parts", r."died", r."hidden_id" FROM "public"."jobs" r WHERE r."org" = '1' AND r."died" IS NULL AND (r.state <> 'draft'
>> )) AS "jobs" WHERE state = 'new'

--# its tenant is the subject's as wes
INSERT INTO pairs (a, org, b) SELECT id, org, 2 AS two FROM jobs
>> INSERT INTO "public"."pairs" (a, org, b) SELECT id, CASE WHEN (org) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END, 2 AS two FROM (SELECT r."id", r."org", r."who", r."title", (CASE WHEN r."mail" IS NULL THEN NULL WHEN pg_catalog.strpos(r."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left(r."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part(r."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos(r."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part(r."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text AS "mail", r."state", r."price", r."t_id", r."tag_id", r."parts", r."died", r."hidden_id" FROM "public"."jobs" r WHERE r."org" = '1' AND r."died" IS NULL AND (r.state <> 'draft'
>> )) AS "jobs"

--# computed values too as wes
INSERT INTO pairs (a, org, b) SELECT id, org + 1 AS other, 2 FROM jobs ORDER BY other
>> INSERT INTO "public"."pairs" (a, org, b) SELECT id, CASE WHEN (org + 1) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END AS other, 2 FROM (SELECT r."id", r."org", r."who", r."title", (CASE WHEN r."mail" IS NULL THEN NULL WHEN pg_catalog.strpos(r."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left(r."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part(r."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos(r."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part(r."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text AS "mail", r."state", r."price", r."t_id", r."tag_id", r."parts", r."died", r."hidden_id" FROM "public"."jobs" r WHERE r."org" = '1' AND r."died" IS NULL AND (r.state <> 'draft'
>> )) AS "jobs" ORDER BY other

--# each arm of it as wes
INSERT INTO pairs (a, b) SELECT 1, 2 UNION ALL (VALUES (3, 4)) UNION ALL SELECT 5, 6 LIMIT 3
>> INSERT INTO "public"."pairs" (a, b, "org") SELECT 1, 2, CAST('1' AS integer) UNION ALL (VALUES (3, 4, CAST('1' AS integer))) UNION ALL SELECT 5, 6, CAST('1' AS integer) LIMIT 3

--# behind a star as wes
INSERT INTO pairs (a, b) SELECT * FROM (VALUES (1, 2)) v
>> INSERT INTO "public"."pairs" (a, b, "org") SELECT *, CAST('1' AS integer) FROM (VALUES (1, 2)) v

--# but not before the tenant as wes
INSERT INTO pairs (a, b, org) SELECT * FROM (VALUES (1, 2, 3)) v
!! UNSUPPORTED_SYNTAX it cannot be told which value * gives to org

--# a star without a list as wes
INSERT INTO pairs SELECT * FROM pairs
!! UNSUPPORTED_SYNTAX it cannot be told which columns this INSERT gives values to

--# TABLE as wes
INSERT INTO tags (x, n) TABLE pairs
>> INSERT INTO "public"."tags" (x, n) SELECT * FROM (SELECT r."a", r."b", r."org", r."x", r."y" FROM "public"."pairs" r WHERE r."org" = '1') AS "pairs"

--# TABLE for tenants as wes
INSERT INTO pairs (a, b) TABLE pairs
!! UNSUPPORTED_SYNTAX it cannot be told which value * gives to org

--# with WITH as wes
WITH q AS (SELECT id FROM tags) INSERT INTO pairs (a, b) WITH r AS (SELECT 2 AS n) SELECT q.id, r.n FROM q, r
>> WITH q AS (SELECT id FROM (SELECT r."id", r."x", r."n" FROM "public"."tags" r) AS "tags") INSERT INTO "public"."pairs" (a, b, "org") WITH r AS (SELECT 2 AS n) SELECT q.id, r.n, CAST('1' AS integer) FROM q, r

--# overriding as wes
INSERT INTO jobs (id, title, state) OVERRIDING SYSTEM VALUE VALUES (5, 'x', 'new')
>> INSERT INTO "public"."jobs" (id, title, state, "org") OVERRIDING SYSTEM VALUE VALUES (5, 'x', 'new', CAST('1' AS integer))
>> RETURNING CASE WHEN ("jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END

--# RETURNING shows masks as wes
INSERT INTO pairs (a, b) VALUES (1, 2) RETURNING a, org
>> INSERT INTO "public"."pairs" (a, b, "org") VALUES (1, 2, CAST('1' AS integer)) RETURNING a, org

--# into a table nobody may insert into as wes
INSERT INTO s (x) VALUES ('x')
!! WRITE_DISABLED INSERT on "s" is not allowed: your login may not

--# upsert as wes
INSERT INTO tags (x, n) VALUES ('a', 1) ON CONFLICT (id) DO UPDATE SET x = excluded.x WHERE tags.n > 1
>> INSERT INTO "public"."tags" (x, n) VALUES ('a', 1) ON CONFLICT (id) DO UPDATE SET x = excluded.x WHERE tags.n > 1

--# within the tenant as wes
INSERT INTO pairs (a, b) VALUES (1, 2) ON CONFLICT (a, b) DO UPDATE SET x = excluded.x, a = excluded.a WHERE pairs.x <> 'b' RETURNING a
>> INSERT INTO "public"."pairs" (a, b, "org") VALUES (1, 2, CAST('1' AS integer)) ON CONFLICT (a, b) DO UPDATE SET x = excluded.x, a = CASE WHEN (excluded.a
>> ) IS NOT DISTINCT FROM "pairs"."a" THEN "pairs"."a" ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END WHERE "pairs"."org" = '1' AND CASE WHEN "pairs"."org" = '1' THEN ( pairs.x <> 'b'
>> ) ELSE false END RETURNING a

--# without a condition as wes
INSERT INTO pairs (a, b, org) VALUES (1, 2, $1) ON CONFLICT (org) DO UPDATE SET org = excluded.org, (x) = ROW('a')
>> INSERT INTO "public"."pairs" (a, b, org) VALUES (1, 2, CASE WHEN ($1) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END) ON CONFLICT (org) DO UPDATE SET org = CASE WHEN (excluded.org
>> ) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END, (x) = ROW('a')
>> WHERE "pairs"."org" = '1'

--# doing nothing as wes
INSERT INTO pairs (a, b) VALUES (1, 2) ON CONFLICT DO NOTHING
>> INSERT INTO "public"."pairs" (a, b, "org") VALUES (1, 2, CAST('1' AS integer)) ON CONFLICT DO NOTHING

--# a masked column keeps what its mask shows as wes
INSERT INTO jobs (title, mail, state) VALUES ('a', $1, 'new') ON CONFLICT (title) DO UPDATE SET mail = excluded.mail, price = jobs.price + 1
>> INSERT INTO "public"."jobs" (title, mail, state, "org") VALUES ('a', $1, 'new', CAST('1' AS integer)) ON CONFLICT (title) DO UPDATE SET mail = CASE WHEN (excluded.mail
>> ) IS NOT DISTINCT FROM (CASE WHEN "jobs"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("jobs"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text THEN "jobs"."mail" ELSE (excluded.mail
>> ) END, price = jobs.price + 1
>> WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )
>> RETURNING CASE WHEN ("jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END

--# the key stays as wes
INSERT INTO jobs (id, title) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET id = 5
!! FIELD_NOT_ALLOWED column "id" of "jobs" cannot be written: it is the key

--# a hidden column as arbiter as wes
INSERT INTO jobs (title) VALUES ('a') ON CONFLICT (secret) DO NOTHING
!! COLUMN_NOT_FOUND column "secret" of relation "jobs" does not exist

--# an expression as wes
INSERT INTO jobs (title) VALUES ('a') ON CONFLICT (lower(title)) DO NOTHING
!! UNSUPPORTED_SYNTAX ON CONFLICT takes names of columns here, and nothing else

--# a constraint by its name as wes
INSERT INTO jobs (title) VALUES ('a') ON CONFLICT ON CONSTRAINT jobs_title_key DO NOTHING
>> INSERT INTO "public"."jobs" (title, "org") VALUES ('a', CAST('1' AS integer)) ON CONFLICT ON CONSTRAINT jobs_title_key DO NOTHING
>> RETURNING CASE WHEN ("jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END

--# which must be seen as wes
INSERT INTO jobs (title) VALUES ('a') ON CONFLICT ON CONSTRAINT other DO NOTHING
!! FIELD_NOT_ALLOWED constraint "other" for table "jobs" does not exist or is not visible to you

--# hidden columns of the row that was to be as wes
INSERT INTO jobs (title) VALUES ('a') ON CONFLICT (id) DO UPDATE SET title = excluded.secret
!! COLUMN_NOT_FOUND column "secret" of relation "jobs" does not exist

--# the whole of it as wes
INSERT INTO jobs (title) VALUES ('a') ON CONFLICT (id) DO UPDATE SET title = excluded::text
!! FIELD_NOT_ALLOWED whole rows of "excluded" cannot be read: not all of it may be seen

--# masked columns in the condition as wes
INSERT INTO jobs (title) VALUES ('a') ON CONFLICT (id) DO UPDATE SET title = 'b' WHERE jobs.mail = 'x'
!! FIELD_NOT_ALLOWED column "mail" of "jobs" is masked, and a write cannot read it

--# a column that may not be updated as wes
INSERT INTO tags (x, n) VALUES ('a', 1) ON CONFLICT (id) DO UPDATE SET n = 2
!! FIELD_NOT_ALLOWED column "n" of "tags" cannot be written

--# inside WITH as wes
WITH q AS (INSERT INTO pairs (a, b) VALUES (1, 2) RETURNING a) SELECT * FROM q
>> WITH q AS (INSERT INTO "public"."pairs" (a, b, "org") VALUES (1, 2, CAST('1' AS integer)) RETURNING a) SELECT * FROM q
>> LIMIT 101

--# arrays as columns get names, and the tenant is compared as wes
INSERT INTO pairs (a, org, b) SELECT * FROM UNNEST($1::int4[], ($2)::int4[], $3::int4[])
>> INSERT INTO "public"."pairs" (a, org, b) SELECT querywarden."1", CASE WHEN (querywarden."2") = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END, querywarden."3" FROM UNNEST($1::int4[], ($2)::int4[], $3::int4[]) AS querywarden("1", "2", "3")

--# of which each must be plain as wes
INSERT INTO pairs (a, org) SELECT * FROM unnest($1, $2::int4[])
!! UNSUPPORTED_SYNTAX it cannot be told which value * gives to org

--# a single row may be many as wes
WITH q AS (INSERT INTO pairs (a, b) VALUES (1, generate_series(1, 9)) RETURNING a) SELECT * FROM q
!! UNSUPPORTED_SYNTAX nobody can tell how many rows of "pairs" are written inside WITH here

--# a query whose rows are limited by a number as wes
WITH q AS (INSERT INTO pairs (a, b) SELECT n, 1 FROM tags LIMIT 2 RETURNING a) SELECT * FROM q
>> WITH q AS (INSERT INTO "public"."pairs" (a, b, "org") SELECT n, 1, CAST('1' AS integer) FROM (SELECT r."id", r."x", r."n" FROM "public"."tags" r) AS "tags" LIMIT 2 RETURNING a) SELECT * FROM q
>> LIMIT 101

--# a result that gives no column as wes
INSERT INTO jobs (title) VALUES ('q') RETURNING (SELECT FROM tags LIMIT 1)
!! UNSUPPORTED_SYNTAX rows written to "jobs" are checked, and no result here can carry that
