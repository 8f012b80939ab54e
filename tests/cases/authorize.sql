--# a lock reaches through the policy view; nothing but the view changes
--# as kim
SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
>> SELECT id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" ORDER BY id FOR UPDATE SKIP LOCKED
>> LIMIT 101

--# of one of several
--# as kim
SELECT x.id FROM t x, s FOR NO KEY UPDATE OF x NOWAIT LIMIT 5
>> SELECT x.id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') x, (SELECT r."id", r."x" FROM "public"."s" r) AS "s" FOR NO KEY UPDATE OF x NOWAIT LIMIT 5

--# each of them must be permitted
--# as kim
SELECT t.id FROM t, s FOR KEY SHARE
!! WRITE_DISABLED "s" may not be locked: this login may only read it 

--# in a subquery, a WITH query and a derived table
--# as kim
WITH a AS (SELECT who FROM own FOR SHARE) SELECT a.who FROM a, (SELECT n FROM t FOR UPDATE) d
>> WITH a AS (SELECT who FROM (SELECT r."org", r."who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7') AS "own" FOR SHARE) SELECT a.who FROM a, (SELECT n FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" FOR UPDATE) d
>> LIMIT 101

--# through a derived table
--# as kim
SELECT x.id FROM (SELECT s.id FROM s JOIN t ON true) x FOR UPDATE
!! WRITE_DISABLED "s" may not be locked: this login may only read it 

--# only tables: what a view is made of would be locked before its rows are taken away
--# as kim
SELECT n FROM sums FOR SHARE
!! UNSUPPORTED_SYNTAX "sums" is not a table, and only tables can be locked here 

--# reading it is something else
--# as kim
SELECT n FROM sums
>> SELECT n FROM (SELECT r."org", r."n" FROM "public"."sums" r WHERE r."org" = '1') AS "sums"
>> LIMIT 101

--# WITH queries are not locked
--# as kim
WITH s AS (SELECT 1) SELECT * FROM s, own FOR UPDATE
>> WITH s AS (SELECT 1) SELECT * FROM s, (SELECT r."org", r."who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7') AS "own" FOR UPDATE
>> LIMIT 101

--# an alias after OF is no relation, even when a hidden one is called so
--# as kim
SELECT hidden.who FROM own AS hidden FOR UPDATE OF hidden
>> SELECT hidden.who FROM (SELECT r."org", r."who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7') AS hidden FOR UPDATE OF hidden
>> LIMIT 101

--# nor does it make one visible
--# as kim
SELECT who FROM own FOR UPDATE OF hidden
!! UNSUPPORTED_SYNTAX "hidden" after OF is no table of this FROM 

--# or of a schema
--# as kim
SELECT who FROM own FOR UPDATE OF public.own
!! UNSUPPORTED_SYNTAX "own" after OF is no table of this FROM 

--# inside a condition it fences: it must not run for foreign rows
--# as kim
SELECT who FROM own o WHERE EXISTS (SELECT FROM own WHERE own.who = o.who FOR SHARE)
>> SELECT who FROM (SELECT r."org", COALESCE(r."who", r."who") AS "who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7' OFFSET 0) o WHERE EXISTS (SELECT FROM (SELECT r."org", COALESCE(r."who", r."who") AS "who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7' OFFSET 0) AS "own" WHERE own.who = o.who FOR SHARE)
>> LIMIT 101

--# who may only read may not lock
SELECT id FROM t FOR UPDATE
!! WRITE_DISABLED "t" may not be locked: this login may only read it 

--# nor the catalog
--# as kim
SELECT relname FROM pg_class FOR KEY SHARE
!! WRITE_DISABLED "pg_catalog.pg_class" may not be locked: this login may only read it 

--# a lock wants a transaction that may write
--# as kim
BEGIN READ WRITE
>> BEGIN READ WRITE

--# which nobody else gets
BEGIN READ WRITE
!! WRITE_DISABLED READ WRITE is not allowed: this login may only read 

--# and it writes nothing
--# as kim
UPDATE t SET a = 'x'
!! WRITE_DISABLED UPDATE is not allowed: this login may only read
