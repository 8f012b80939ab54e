--# one SELECT may be many forms
SELECT DISTINCT ON (id) id, CASE WHEN id > 1 THEN 'a' ELSE 'b' END, ARRAY[1, 2], ROW(1, 2), x COLLATE "C" FROM s WINDOW w AS (ORDER BY id)
>> SELECT DISTINCT ON (id) id, CASE WHEN id > 1 THEN 'a' ELSE 'b' END, ARRAY[1, 2], ROW(1, 2), x COLLATE "C" FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WINDOW w AS (ORDER BY id)
>> LIMIT 101

--# unknown functions
SELECT peek(1)
!! FUNCTION_NOT_FOUND function peek(...) does not exist 

--# of a function of the database and of nothing the answer is the same
SELECT public.peek(1)
!! FUNCTION_NOT_FOUND function public.peek(...) does not exist 

--# of other databases
SELECT year(now())
!! FUNCTION_NOT_FOUND function year(...) does not exist 

--# functions that wait
SELECT pg_catalog.pg_sleep(1)
!! FUNCTION_NOT_ALLOWED function pg_catalog.pg_sleep is not allowed 

--# functions that write
SELECT nextval('s_id_seq')
!! WRITE_DISABLED function nextval writes: this login may only read

--# functions that run text
SELECT * FROM query_to_xml('SELECT 1', true, false, '')
!! FUNCTION_NOT_ALLOWED function query_to_xml is not allowed 

--# functions that print the rewritten text
SELECT current_query()
!! FUNCTION_NOT_ALLOWED function current_query is not allowed 

--# functions of another schema
SELECT public.lower('x')
!! FUNCTION_NOT_FOUND function public.lower(...) does not exist 

--# a built-in function the database overloads
SELECT upper('x')
>> SELECT pg_catalog.upper('x')
>> LIMIT 101

--# may be called by its full name
SELECT pg_catalog.upper('x')
>> SELECT pg_catalog.upper('x')
>> LIMIT 101

--# a function called as an attribute of a row
SELECT s.peek FROM s
!! FUNCTION_NOT_ALLOWED function peek is not allowed 

--# the same in brackets
SELECT (s).peek FROM s
!! FUNCTION_NOT_ALLOWED attribute peek is not allowed: it is no known column and may call a function 

--# operators the database defines
SELECT 1 === 1
!! OPERATOR_NOT_ALLOWED operator === is not allowed: the database defines its own 

--# operators of other schemas
SELECT 1 OPERATOR(public.+) 1
!! OPERATOR_NOT_ALLOWED operator public.+ is not allowed 

--# built-in operators by their full name
SELECT 1 OPERATOR(pg_catalog.+) 1
>> SELECT 1 OPERATOR(pg_catalog.+) 1
>> LIMIT 101

--# settings that may be read
SELECT current_setting('TimeZone')
>> SELECT pg_catalog.current_setting('TimeZone')
>> LIMIT 101

--# settings that may not
SELECT current_setting('app.tenant')
!! SETTING_NOT_ALLOWED setting "app.tenant" may not be shown here 

--# settings that may be changed
SELECT set_config('TimeZone', $1, false)
>> SELECT pg_catalog.set_config('TimeZone', $1, false)
>> LIMIT 101

--# settings that may not be changed
SELECT set_config('role', 'postgres', false)
!! SETTING_NOT_ALLOWED setting "role" may not be changed here 

--# results as long as an argument says
SELECT repeat('x', 100000000)
!! FUNCTION_NOT_ALLOWED function repeat is allowed only with a length up to 99999 

--# SELECT INTO
SELECT 1 INTO x
!! WRITE_DISABLED SELECT INTO creates a table, which is not allowed 

--# writes inside WITH
WITH d AS (DELETE FROM s RETURNING *) SELECT * FROM d
!! WRITE_DISABLED DELETE is not allowed: this login may only read 

--# writes
INSERT INTO s VALUES (1, 'x')
!! WRITE_DISABLED INSERT is not allowed: this login may only read 

--# writes
UPDATE s SET x = 'y'
!! WRITE_DISABLED UPDATE is not allowed: this login may only read 

--# writes
DELETE FROM s
!! WRITE_DISABLED DELETE is not allowed: this login may only read 

--# writes
MERGE INTO s USING s AS o ON false WHEN MATCHED THEN DELETE
!! WRITE_DISABLED MERGE is not allowed: this login may only read 

--# everything else
DROP TABLE s
!! STATEMENT_NOT_ALLOWED this kind of statement is not allowed: Drop 

--# everything else
DO $$ BEGIN END $$
!! STATEMENT_NOT_ALLOWED this kind of statement is not allowed: Do 

--# several statements are decided together: one refusal refuses all
SELECT 1; DROP TABLE s
!! STATEMENT_NOT_ALLOWED this kind of statement is not allowed: Drop 

--# several statements
SELECT 1; SELECT 2 -- two
>> SELECT 1
>> LIMIT 101
>> ;SELECT 2 -- two
>> LIMIT 101

--# no statement at all
-- nothing
>> 

--# not SQL
SELEKT 1
!! SYNTAX_ERROR syntax error at or near "SELEKT" 

--# a value's attribute may be a function's name
SELECT (1).pg_sleep
!! FUNCTION_NOT_ALLOWED attribute pg_sleep is not allowed: it is no known column and may call a function 

--# so may a function's in FROM
SELECT g.peek FROM generate_series(1, 2) g
!! FUNCTION_NOT_ALLOWED attribute peek is not allowed: it is no known column and may call a function 

--# columns it declares are columns
SELECT g.peek FROM jsonb_to_recordset('[]') AS g(peek text)
>> SELECT g.peek FROM pg_catalog.jsonb_to_recordset('[]') AS g(peek text)
>> LIMIT 101

--# and types' names are casts
SELECT (1).regclass
!! FUNCTION_NOT_ALLOWED attribute regclass is not allowed: it is no known column and may call a function 

--# look-up types only where they can be guarded
SELECT * FROM jsonb_to_record('{}') AS r(a regclass)
!! TYPE_NOT_ALLOWED type regclass may be used only in casts 

--# a literal that goes on behind a comment
SELECT 'a' -- b
'c'
>> SELECT 'a'     
>> 'c'
>> LIMIT 101

--# a cast could make another value of a literal
SELECT set_config('statement_timeout', '01000'::char(1), false)
!! FUNCTION_NOT_ALLOWED function set_config is not allowed 

--# a length that is no constant is measured when it runs
SELECT repeat('x', '1'::int8::int4)
>> SELECT pg_catalog.repeat('x',( '1'::int8::int4
>> )::pg_catalog.int4::pg_catalog.numeric(5,0)::pg_catalog.int4)
>> LIMIT 101

--# what a privilege is asked of is what the subject sees
SELECT has_table_privilege('t', 'SELECT')
>> SELECT pg_catalog.has_table_privilege((SELECT g."oid" FROM (SELECT ('t')::pg_catalog.text) g("oid") WHERE CASE WHEN g."oid" !~ '[.]' OR g."oid" ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?"(?:information_schema|pg_catalog|public)"\s*[.]' OR pg_catalog.lower(g."oid") ~ '^\s*(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\s*[.]\s*)?(?:information_schema|pg_catalog|public)\s*[.]' THEN pg_catalog.to_regclass(g."oid")::pg_catalog.oid < 16384 OR pg_catalog.to_regclass(g."oid")::pg_catalog.oid = ANY ('{20001,20002,20003,20004,20005,20101}'::pg_catalog.oid[]) ELSE false END), 'SELECT')
>> LIMIT 101

--# and only of oneself
SELECT has_table_privilege('postgres', 't', 'SELECT')
!! FUNCTION_NOT_ALLOWED function has_table_privilege is supported for your own privileges only

--# literals of types are checked for types one sees
SELECT pg_input_is_valid('1', 'numeric(5,2)[]'), pg_input_is_valid('x', 'mood')
>> SELECT pg_catalog.pg_input_is_valid('1', 'numeric(5,2)[]'), pg_catalog.pg_input_is_valid('x', 'mood')
>> LIMIT 101

--# and not for look-up types, hidden ones or computed ones
SELECT pg_input_is_valid('t', 'regclass')
!! TYPE_NOT_ALLOWED type regclass may be used only in casts

--#
SELECT pg_input_is_valid('t', 'rank')
!! TYPE_NOT_ALLOWED type "rank" does not exist or is not visible

--#
SELECT pg_input_is_valid('t', a) FROM t
!! FUNCTION_NOT_ALLOWED function pg_input_is_valid is allowed only with a constant type

--# functions in FROM have columns of their own
SELECT m.message, a.grantee FROM pg_input_error_info('x', 'int4') m, aclexplode(NULL) AS a
>> SELECT m.message, a.grantee FROM pg_catalog.pg_input_error_info('x', 'int4') m, pg_catalog.aclexplode(NULL) AS a
>> LIMIT 101

--# partitions are none of the subject's business
SELECT p.relid FROM pg_partition_tree('t') AS p
>> SELECT p.relid FROM (SELECT NULL::pg_catalog.oid AS relid, NULL::pg_catalog.oid AS parentrelid, NULL::pg_catalog.bool AS isleaf, NULL::pg_catalog.int4 AS level WHERE false) AS p
>> LIMIT 101

--# a value that decides is judged
SELECT set_config('statement_timeout', '500', false)
>> SELECT pg_catalog.set_config('statement_timeout', '500', false)
>> LIMIT 101

--# and no parameter
SELECT set_config('statement_timeout', $1, false)
!! FUNCTION_NOT_ALLOWED function set_config is not allowed 


--# the array of a look-up type by its own name
SELECT '{20007}'::_regclass
!! TYPE_NOT_ALLOWED type "_regclass" does not exist or is not visible 

--# and of a type that is refused
SELECT '{c}'::pg_catalog._refcursor
!! TYPE_NOT_ALLOWED type "pg_catalog._refcursor" does not exist or is not visible 

--# others are as before
SELECT '{1}'::_int4
>> SELECT '{1}'::_int4
>> LIMIT 101

--# text search configurations where a function wants one
SELECT to_tsvector('english'::regconfig, a) FROM t
>> SELECT pg_catalog.to_tsvector('english'::regconfig, a) FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t"
>> LIMIT 101

--# anywhere else they are numbers, for they print names of what has that number
SELECT COALESCE('16390', 'english'::regconfig)
>> SELECT COALESCE('16390', 'english'::regconfig::pg_catalog.oid)
>> LIMIT 101

--# a kind of expression nobody thought of
SELECT xmlelement(name a, id) FROM s
!! UNSUPPORTED_SYNTAX this kind of expression is not supported: XmlExpr 
