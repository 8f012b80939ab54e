--# a plan of the rewritten text as dan
EXPLAIN SELECT id FROM t WHERE n > 1
>> EXPLAIN SELECT id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) AS "t" WHERE n > 1
>> LIMIT 101

--# the options, as they were written as tim
EXPLAIN (ANALYZE, VERBOSE on, COSTS 0, TIMING 'off', FORMAT JSON) SELECT id FROM t
>> EXPLAIN (ANALYZE, VERBOSE 'on', COSTS 0, TIMING 'off', FORMAT 'json') SELECT id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t"
>> LIMIT 101

--# the old spelling as tim
explain analyze verbose (SELECT 1)
>> EXPLAIN (ANALYZE, VERBOSE) (SELECT 1)
>> LIMIT 101

--# a generic plan as dan
EXPLAIN (GENERIC_PLAN) SELECT x FROM s WHERE id = $1 LIMIT $2
>> EXPLAIN (GENERIC_PLAN) SELECT x FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE id = $1 LIMIT LEAST(($2
>> )::pg_catalog.int8, 101)

--# no capability for it
EXPLAIN SELECT 1
!! STATEMENT_NOT_ALLOWED EXPLAIN is not allowed: no capability of yours says `explain: true` for it 

--# no capability for running it as dan
EXPLAIN ANALYZE SELECT 1
!! STATEMENT_NOT_ALLOWED EXPLAIN ANALYZE is not allowed: no capability of yours says `analyze: true` for it 

--# analyze does not hold for what is switched off as dan
EXPLAIN (ANALYZE false, BUFFERS false) SELECT 1
>> EXPLAIN (ANALYZE 'false', BUFFERS 'false') SELECT 1
>> LIMIT 101

--# a capability for other entities as dan
EXPLAIN SELECT 1 FROM own
!! STATEMENT_NOT_ALLOWED EXPLAIN of "own" is not allowed: no capability of yours says `explain: true` for it 

--# a capability for one of two as tim
EXPLAIN ANALYZE SELECT 1 FROM t JOIN s ON t.id = s.id
!! STATEMENT_NOT_ALLOWED EXPLAIN ANALYZE of "s" is not allowed: no capability of yours says `analyze: true` for it 

--# a view of the database as dan
EXPLAIN SELECT n FROM sums
>> EXPLAIN SELECT n FROM (SELECT r."org", r."n" FROM "public"."sums" r WHERE r."org" = '1') AS "sums"
>> LIMIT 101

--# rows of a view are not counted as tim
EXPLAIN ANALYZE SELECT n FROM sums
!! STATEMENT_NOT_ALLOWED EXPLAIN ANALYZE is not available for the view "sums": it would count rows before the rules take them away 

--# a hidden table as dan
EXPLAIN SELECT 1 FROM hidden
!! RELATION_NOT_ALLOWED relation "hidden" does not exist or is not visible to you 

--# yaml as dan
EXPLAIN (FORMAT yaml) SELECT 1
!! VALIDATION_ERROR the format of EXPLAIN must be text or json here 

--# settings are hidden as dan
EXPLAIN (SETTINGS) SELECT 1
!! UNSUPPORTED_SYNTAX EXPLAIN has no option settings here 

--# sizes of rows as dan
EXPLAIN (SERIALIZE text) SELECT 1
!! UNSUPPORTED_SYNTAX EXPLAIN has no option serialize here 

--# which of the two as tim
EXPLAIN (ANALYZE OFF, ANALYZE ON) SELECT 1
!! VALIDATION_ERROR EXPLAIN has the option analyze more than once 

--# not true and not false as tim
EXPLAIN (ANALYZE maybe) SELECT 1
!! VALIDATION_ERROR the option analyze of EXPLAIN must be true or false 

--# a write as tim
EXPLAIN ANALYZE DELETE FROM t
!! STATEMENT_NOT_ALLOWED EXPLAIN of this kind of statement is not allowed: Delete 

--# a prepared statement as tim
EXPLAIN EXECUTE p
!! STATEMENT_NOT_ALLOWED EXPLAIN of this kind of statement is not allowed: Execute 

--# a cursor as tim
EXPLAIN DECLARE c CURSOR FOR SELECT 1
!! STATEMENT_NOT_ALLOWED EXPLAIN of this kind of statement is not allowed: DeclareCursor 

--# a new table as tim
EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1
!! STATEMENT_NOT_ALLOWED EXPLAIN of this kind of statement is not allowed: CreateTableAs 

--# another new table as tim
EXPLAIN ANALYZE SELECT 1 INTO x
!! WRITE_DISABLED SELECT INTO creates a table, which is not allowed 

--# a refreshed one as tim
EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW x
!! STATEMENT_NOT_ALLOWED EXPLAIN of this kind of statement is not allowed: RefreshMatView 

--# forwarded as written as eve
EXPLAIN (SETTINGS) SELECT secret FROM t
>> EXPLAIN (SETTINGS) SELECT secret FROM t
