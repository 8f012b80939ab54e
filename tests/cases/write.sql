--# leakproof conditions need no CASE as wes
UPDATE jobs SET title = 'x' WHERE id = 5
>> UPDATE "public"."jobs" SET title = 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 5
>> )

--# a leaky condition waits behind the scopes, a key stands before it too as wes
UPDATE jobs SET title = 'x' WHERE id = 5 AND title LIKE '%a'
>> UPDATE "public"."jobs" SET title = 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND "jobs"."id" = 5 AND CASE WHEN "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) THEN ( id = 5 AND title LIKE '%a'
>> ) ELSE false END

--# no condition of one's own as wes
UPDATE tags SET x = 'a'
>> UPDATE "public"."tags" SET x = 'a'

--# named by a key, how many rows only running shows as wes
UPDATE jobs SET title = 'x' WHERE id = ANY($1)
>> UPDATE "public"."jobs" SET title = 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = ANY($1)
>> )

--# a row that may leave the view is looked at, without results of one's own as wes
UPDATE jobs SET state = 'x' WHERE id = 1
>> UPDATE "public"."jobs" SET state = 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1
>> )
>> RETURNING CASE WHEN ("jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END

--# the same around the first result as wes
UPDATE jobs j SET state = $1 WHERE j.id = $2 RETURNING j.id, state AS s
>> UPDATE "public"."jobs" j SET state = $1 WHERE "j"."org" = '1' AND "j"."died" IS NULL AND ("j".state <> 'draft'
>> ) AND ( j.id = $2
>> ) RETURNING CASE WHEN (CASE WHEN ("j"."org" = '1' AND "j"."died" IS NULL AND ("j".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END) IS NULL THEN (j.id
>> ) END AS "id", state AS s

--# a reference must be to a row one sees as wes
UPDATE jobs SET t_id = 4 WHERE id = 1
>> UPDATE "public"."jobs" SET t_id = 4 WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1
>> )
>> RETURNING CASE WHEN ("jobs"."t_id" IS NULL OR EXISTS (SELECT 1 FROM "public"."t" AS "querywarden_referenced" WHERE "querywarden_referenced"."org" = '1' AND "querywarden_referenced"."id" = "jobs"."t_id")) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END

--# a reference to what all see as wes
UPDATE jobs SET tag_id = 4 WHERE id = 1
>> UPDATE "public"."jobs" SET tag_id = 4 WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1
>> )

--# one's own tenant may be assigned, which changes nothing as wes
UPDATE jobs SET org = $1, title = 'a' WHERE id = 1
>> UPDATE "public"."jobs" SET org = CASE WHEN ($1
>> ) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END, title = 'a' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1
>> )

--# a masked column keeps its value when it gets what the mask shows as wes
UPDATE jobs SET mail = $1 WHERE id = 1
>> UPDATE "public"."jobs" SET mail = CASE WHEN ($1
>> ) IS NOT DISTINCT FROM (CASE WHEN "jobs"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("jobs"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text THEN "jobs"."mail" ELSE ($1
>> ) END WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1
>> )

--# and gets plain values only as wes
UPDATE jobs SET mail = lower('x') WHERE id = 1
!! FIELD_NOT_ALLOWED column "mail" of "jobs" is masked, and gets plain values only

--# a hidden column is not there as wes
UPDATE jobs SET secret = 'x' WHERE id = 1
!! COLUMN_NOT_FOUND column "secret" of relation "jobs" does not exist

--# as one that does not exist as wes
UPDATE jobs SET nix = 'x' WHERE id = 1
!! COLUMN_NOT_FOUND column "nix" of relation "jobs" does not exist

--# the key stays as wes
UPDATE jobs SET id = 2 WHERE id = 1
!! FIELD_NOT_ALLOWED column "id" of "jobs" cannot be written

--# a column the rules do not name as wes
UPDATE jobs SET died = NULL WHERE id = 1
!! FIELD_NOT_ALLOWED column "died" of "jobs" cannot be written

--# a masked column cannot be copied as wes
UPDATE jobs SET title = mail WHERE id = 1
!! FIELD_NOT_ALLOWED column "mail" of "jobs" is masked, and a write cannot read it

--# nor a hidden one, which a subquery would find around it as wes
UPDATE jobs SET title = (SELECT secret FROM t) WHERE id = 1
!! COLUMN_NOT_FOUND column "secret" does not exist

--# nor a whole row as wes
UPDATE jobs SET title = jobs::text WHERE id = 1
!! FIELD_NOT_ALLOWED whole rows of "jobs" cannot be read in a write: not all of it may be seen

--# nor where rows lie as wes
UPDATE jobs SET title = 'x' WHERE id = 1 AND ctid = '(0,1)'
!! COLUMN_NOT_FOUND column "ctid" does not exist

--# rows must be named by their key as wes
UPDATE jobs SET title = 'x' WHERE id = id
!! QUERY_TOO_BROAD rows of "jobs" must be named by their key here, with values

--# with values as wes
UPDATE jobs SET title = 'x' WHERE id IN (SELECT id FROM t)
!! QUERY_TOO_BROAD rows of "jobs" must be named by their key here, with values

--# no more than the rules permit as wes
UPDATE jobs SET title = 'x' WHERE id IN (1, 2, 3)
!! MAX_AFFECTED_ROWS_EXCEEDED the statement would write 3 rows of "jobs", at most 2 are allowed

--# either of two keys as wes
UPDATE jobs SET title = 'x' WHERE id = 1 OR id = 2
>> UPDATE "public"."jobs" SET title = 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1 OR id = 2
>> )

--# a row of columns, each a tree of its own in the grammar as wes
UPDATE jobs SET (title, price) = (SELECT a, n FROM t WHERE t.id = 1) WHERE id = 1
>> UPDATE "public"."jobs" SET (title, price) = (SELECT a, n FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" WHERE t.id = 1) WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1
>> )

--# the tenant is not among them as wes
UPDATE jobs SET (title, org) = ('a', 1) WHERE id = 1
!! FIELD_NOT_ALLOWED column "org" of "jobs" can hold your own tenant only

--# a part of a column as wes
UPDATE jobs SET parts['a'] = '1' WHERE id = 1
>> UPDATE "public"."jobs" SET parts['a'] = '1' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1
>> )

--# other relations are policy views, stars are spread as wes
UPDATE jobs SET title = 'x' FROM t WHERE jobs.t_id = t.id AND jobs.id = 1 AND t.a LIKE '%x' RETURNING *
>> UPDATE "public"."jobs" SET title = 'x' FROM (SELECT r."id", r."org", COALESCE(r."a", r."a") AS "a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) AS "t" WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( jobs.t_id = t.id AND jobs.id = 1 AND t.a LIKE '%x'
>> ) RETURNING "jobs"."id", "jobs"."org", "jobs"."who", "jobs"."title", (CASE WHEN "jobs"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("jobs"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text AS "mail", "jobs"."state", "jobs"."price", "jobs"."t_id", "jobs"."tag_id", "jobs"."parts", "jobs"."died", "jobs"."hidden_id", "t".*

--# whole rows as they are written, where all else stays what it is as wes
UPDATE pairs SET x = 'a', y = $2, org = $3 WHERE a = 1 AND b = 2
>> UPDATE "public"."pairs" SET x = 'a', y = CASE WHEN ($2
>> ) IS NOT DISTINCT FROM "pairs"."y" THEN "pairs"."y" ELSE CAST(CAST(CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) AS pg_catalog.text) AS text) END, org = CASE WHEN ($3
>> ) = CAST('1' AS integer) THEN CAST('1' AS integer) ELSE CAST(pg_catalog.concat('querywarden:1') AS pg_catalog.int4) END WHERE "pairs"."org" = '1' AND ( a = 1 AND b = 2
>> )

--# rows of keys as wes
UPDATE pairs SET x = 'a' WHERE (a, b) IN ((1, 2), (3, 4))
>> UPDATE "public"."pairs" SET x = 'a' WHERE "pairs"."org" = '1' AND CASE WHEN "pairs"."org" = '1' THEN ( (a, b) IN ((1, 2), (3, 4))
>> ) ELSE false END

--# a DELETE marks rows as wes
DELETE FROM jobs AS j USING t WHERE j.id = 1 AND t.id = j.t_id RETURNING j.id, died
>> UPDATE "public"."jobs" AS j SET "died" = CURRENT_TIMESTAMP FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" WHERE "j"."org" = '1' AND "j"."died" IS NULL AND ("j".state <> 'draft'
>> ) AND ( j.id = 1 AND t.id = j.t_id
>> ) RETURNING j.id, NULL::date AS "died"

--# or removes them as wes
DELETE FROM pairs WHERE a = 1 AND b = 2 RETURNING *
>> DELETE FROM "public"."pairs" WHERE "pairs"."org" = '1' AND ( a = 1 AND b = 2
>> ) RETURNING "pairs"."a", "pairs"."b", "pairs"."org", "pairs"."x", "pairs"."y"

--# inside WITH, with the cap of what is read as wes
WITH d AS (DELETE FROM pairs WHERE a = 1 AND b = 2 RETURNING *) SELECT * FROM d
>> WITH d AS (DELETE FROM "public"."pairs" WHERE "pairs"."org" = '1' AND ( a = 1 AND b = 2
>> ) RETURNING "pairs"."a", "pairs"."b", "pairs"."org", "pairs"."x", "pairs"."y") SELECT * FROM d
>> LIMIT 101

--# what a writing statement reads besides is locked by a capability only as wes
WITH d AS (DELETE FROM pairs WHERE a = 1 AND b = 2) SELECT x FROM tags FOR UPDATE
!! WRITE_DISABLED "tags" may not be locked: this login may only read it

--# also in a condition of the write as wes
DELETE FROM pairs WHERE a = 1 AND b = 2 AND x IN (SELECT n FROM tags FOR SHARE)
!! WRITE_DISABLED "tags" may not be locked: this login may only read it

--# inside WITH rows must be countable as wes
WITH d AS (DELETE FROM tags WHERE n > 5 RETURNING *) SELECT * FROM d
!! UNSUPPORTED_SYNTAX nobody can tell how many rows of "tags" are written inside WITH here

--# images of the row before and after as wes
UPDATE t SET a = 'x' WHERE id = 1 RETURNING id
>> UPDATE "public"."t" SET a = 'x' WHERE "t"."org" = '1' AND ( id = 1
>> ) RETURNING id, pg_catalog.jsonb_build_object('before', pg_catalog.jsonb_build_object('id', "old"."id", 'org', "old"."org", 'a', "old"."a", 'mail', NULL::text, 'n', "old"."n", 'mood', "old"."mood"), 'after', pg_catalog.jsonb_build_object('id', "t"."id", 'org', "t"."org", 'a', "t"."a", 'mail', NULL::text, 'n', "t"."n", 'mood', "t"."mood"))::pg_catalog.text

--# what a row was and is, as it is shown as wes
UPDATE jobs SET title = 'x' WHERE id = 1 RETURNING old.mail, new.mail AS m, old
>> UPDATE "public"."jobs" SET title = 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1
>> ) RETURNING (CASE WHEN "old"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("old"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("old"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("old"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("old"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("old"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text AS "mail", (CASE WHEN "new"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("new"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("new"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("new"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("new"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("new"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text AS m, CASE WHEN "old"."tableoid" IS NOT NULL THEN (SELECT "old" FROM (SELECT "old"."id", "old"."org", "old"."who", "old"."title", (CASE WHEN "old"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("old"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("old"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("old"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("old"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("old"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text AS "mail", "old"."state", "old"."price", "old"."t_id", "old"."tag_id", "old"."parts", "old"."died", "old"."hidden_id") AS "old") END AS "old"

--# under other names as wes
UPDATE jobs SET title = 'x' WHERE id = 1 RETURNING WITH (OLD AS o) o.id, lower(o.mail)
>> UPDATE "public"."jobs" SET title = 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1
>> ) RETURNING WITH (OLD AS o) o.id, pg_catalog.lower((CASE WHEN "o"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("o"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("o"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("o"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("o"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("o"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text)

--# a masked column in a subquery of RETURNING might be another's as wes
UPDATE jobs SET title = 'x' WHERE id = 1 RETURNING (SELECT mail FROM t)
!! FIELD_NOT_ALLOWED column "mail" of "jobs" is masked, and a write cannot read it

--# the owner is as the tenant as una
UPDATE jobs SET title = 'x', who = $1 WHERE id = 5
>> UPDATE "public"."jobs" SET title = 'x', who = CASE WHEN ($1
>> ) = CAST('7' AS integer) THEN CAST('7' AS integer) ELSE CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END WHERE "jobs"."org" = '1' AND "jobs"."who" = '7' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 5
>> )

--# several capabilities permit it as zoe
DELETE FROM jobs WHERE id = 5
!! CAPABILITY_REQUIRED several of your capabilities permit this

--# one is chosen, and its invariants hold as zoe
/* capability='sweep' */ DELETE FROM jobs WHERE title LIKE 'x%'
>> DELETE FROM "public"."jobs" WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND CASE WHEN "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) THEN ( title LIKE 'x%'
>> ) ELSE false END
>> RETURNING CASE WHEN (("jobs".price < 100
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END

--# no capability permits it as wes
UPDATE s SET x = 1
!! WRITE_DISABLED UPDATE on "s" is not allowed: your login may not

--# a login that may only read as ann
DELETE FROM t WHERE id = 1
!! WRITE_DISABLED DELETE is not allowed: this login may only read

--# what is not visible is not there as wes
DELETE FROM hidden WHERE id = 1
!! RELATION_NOT_ALLOWED relation "hidden" does not exist or is not visible to you

--# a column keeps the name that a cast of a masked one gives it as wes
UPDATE jobs SET title = 'x' WHERE id = 5 RETURNING mail::varchar, lower(mail)::text
>> UPDATE "public"."jobs" SET title = 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 5
>> ) RETURNING (CASE WHEN "jobs"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("jobs"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text::varchar AS "mail", pg_catalog.lower((CASE WHEN "jobs"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("jobs"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text)::text

--# a result without a name of its own carries the check as wes
UPDATE jobs SET state = 'x' WHERE id = 1 RETURNING id + 1
>> UPDATE "public"."jobs" SET state = 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 1
>> ) RETURNING CASE WHEN (CASE WHEN ("jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END) IS NULL THEN (id + 1
>> ) END AS "?column?"

--# what is beside the target loses its schema too as wes
DELETE FROM jobs USING public.tags WHERE tags.id = jobs.tag_id AND jobs.id = 3 RETURNING public.tags.x
>> UPDATE "public"."jobs" SET "died" = CURRENT_TIMESTAMP FROM (SELECT r."id", r."x", r."n" FROM "public"."tags" r) AS "tags" WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( tags.id = jobs.tag_id AND jobs.id = 3
>> ) RETURNING tags.x

--# so does the target, whose masked columns are masked however they are named as wes
UPDATE public.jobs SET title = public.jobs.title || 'x' WHERE public.jobs.id = 5 RETURNING public.jobs.id, public.jobs.mail
>> UPDATE "public"."jobs" SET title = jobs.title || 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( jobs.id = 5
>> ) RETURNING jobs.id, (CASE WHEN "jobs"."mail" IS NULL THEN NULL WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left("jobs"."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos("jobs"."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part("jobs"."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text AS "mail"

--# but not where another source has its name as wes
UPDATE public.jobs SET title = 'x' WHERE id = 5 AND EXISTS (SELECT 1 FROM tags jobs WHERE public.jobs.id = 1)
>> UPDATE "public"."jobs" SET title = 'x' WHERE "jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> ) AND ( id = 5 AND EXISTS (SELECT 1 FROM (SELECT r."id", r."x", r."n" FROM "public"."tags" r) jobs WHERE public.jobs.id = 1)
>> )

--# a query that is inserted sees nothing of the target as wes
INSERT INTO public.jobs (title, price) SELECT public.jobs.title, public.jobs.price FROM public.jobs RETURNING public.jobs.id
>> INSERT INTO "public"."jobs" (title, price, "org") SELECT jobs.title, jobs.price, CAST('1' AS integer) FROM (SELECT r."id", r."org", r."who", r."title", (CASE WHEN r."mail" IS NULL THEN NULL WHEN pg_catalog.strpos(r."mail"::pg_catalog.text, '@') > 2 THEN pg_catalog.left(r."mail"::pg_catalog.text, 1) || '***@' || pg_catalog.split_part(r."mail"::pg_catalog.text, '@', -1) WHEN pg_catalog.strpos(r."mail"::pg_catalog.text, '@') > 0 THEN '***@' || pg_catalog.split_part(r."mail"::pg_catalog.text, '@', -1) ELSE '***' END)::text AS "mail", r."state", r."price", r."t_id", r."tag_id", r."parts", r."died", r."hidden_id" FROM "public"."jobs" r WHERE r."org" = '1' AND r."died" IS NULL AND (r.state <> 'draft'
>> )) AS "jobs" RETURNING CASE WHEN (CASE WHEN ("jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) END) IS NULL THEN (jobs.id
>> ) END AS "id"

--# names that policy may use in a statement are not the client's as wes
UPDATE jobs querywarden_referenced SET t_id = 5 WHERE id = 1
!! UNSUPPORTED_SYNTAX a table that is written cannot be called "querywarden_referenced" here

--# what is recorded as the row before is the row before as wes
UPDATE t SET a = 'x' FROM t AS old WHERE t.id = 1 AND old.id = 2
!! UNSUPPORTED_SYNTAX rows written to "t" are recorded as they were, as "old": nothing else can be called so

--# a query inside another does not write as wes
SELECT * FROM (WITH a AS (DELETE FROM tags WHERE id = 1) SELECT 1) q
!! UNSUPPORTED_SYNTAX WITH clause containing a data-modifying statement must be at the top level
