--# PREPARE: types and query
PREPARE p (int, text) AS SELECT x FROM s WHERE id = $1 AND x = $2
>> PREPARE "p" (int, text) AS SELECT x FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE id = $1 AND x = $2
>> LIMIT 101

--# in parentheses
prepare "A b" as (select id from s)
>> PREPARE "A b" AS (select id from (SELECT r."id", r."x" FROM "public"."s" r) AS "s")
>> LIMIT 101

--# a comment that ends the text
PREPARE p AS SELECT id FROM s LIMIT 1 -- x
>> PREPARE "p" AS SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 1 -- x

--# a name is cut where PostgreSQL cuts it
PREPARE aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234567890 AS SELECT 1 LIMIT 1
>> PREPARE "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123" AS SELECT 1 LIMIT 1

--# a visible type of the database
PREPARE p (mood, public.mood, numeric(3, 2), int[], _int4) AS SELECT 1 LIMIT 1
>> PREPARE "p" (mood, public.mood, numeric(3, 2), int[], _int4) AS SELECT 1 LIMIT 1

--# a hidden one
PREPARE p (rank) AS SELECT $1 LIMIT 1
!! TYPE_NOT_ALLOWED type "rank" does not exist or is not visible 

--# a row type
PREPARE p (t) AS SELECT $1 LIMIT 1
!! TYPE_NOT_ALLOWED type "t" does not exist or is not visible 

--# a look-up type
PREPARE p (regclass) AS SELECT $1 LIMIT 1
!! TYPE_NOT_ALLOWED type regclass may be used only in casts 

--# its array
PREPARE p (_regclass) AS SELECT $1 LIMIT 1
!! TYPE_NOT_ALLOWED type "_regclass" does not exist or is not visible 

--# a type modifier that is more than a number
PREPARE p (numeric((SELECT 1))) AS SELECT $1 LIMIT 1
!! UNSUPPORTED_SYNTAX the modifier of a type must be a constant 

--# the query is decided like any other
PREPARE p AS SELECT * FROM hidden
!! RELATION_NOT_ALLOWED relation "hidden" does not exist or is not visible to you 

--# writing
PREPARE p AS DELETE FROM s
!! WRITE_DISABLED DELETE is not allowed: this login may only read 

--# EXECUTE
EXECUTE p
>> EXECUTE "p"

--# arguments: constants, parameters and casts of these
execute p (1, -5, 'it''s', NULL, true, $1, $2::int, DATE '2020-01-01', '{1,2}'::int[], CAST(1.5 AS numeric(3, 1)))
>> EXECUTE "p" (1, -5, 'it''s', NULL, true, $1, $2::int, DATE '2020-01-01', '{1,2}'::int[], CAST(1.5 AS numeric(3, 1)))

--# nothing that reads
EXECUTE p((SELECT x FROM s LIMIT 1))
!! UNSUPPORTED_SYNTAX arguments of EXECUTE can only be constants, parameters and casts of these 

--# nothing that calls
EXECUTE p(lower('X'))
!! UNSUPPORTED_SYNTAX arguments of EXECUTE can only be constants, parameters and casts of these 

--# an array is written as text
EXECUTE p(ARRAY[1, 2])
!! UNSUPPORTED_SYNTAX arguments of EXECUTE can only be constants, parameters and casts of these 

--# no name is looked up
EXECUTE p('hidden'::regclass)
!! TYPE_NOT_ALLOWED type regclass may be used only in casts 

--# nor a hidden type
EXECUTE p('x'::rank)
!! TYPE_NOT_ALLOWED type "rank" does not exist or is not visible 

--# a modifier with a query in it
EXECUTE p('x'::varchar((SELECT 1)))
!! SYNTAX_ERROR syntax error at or near "(" 

--# a result that would be kept
CREATE TABLE x AS EXECUTE p
!! STATEMENT_NOT_ALLOWED this kind of statement is not allowed: CreateTableAs 

--# DEALLOCATE
DEALLOCATE PREPARE p
>> DEALLOCATE "p"

--# DECLARE: at most as many rows as one statement may give
DECLARE c CURSOR FOR SELECT id FROM s
>> DECLARE "c" CURSOR FOR SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 100

--# options keep their meaning
declare "C d" binary insensitive scroll cursor with hold for select id from s limit 5
>> DECLARE "C d" BINARY INSENSITIVE SCROLL CURSOR WITH HOLD FOR select id from (SELECT r."id", r."x" FROM "public"."s" r) AS "s" limit 5

--# others
DECLARE c ASENSITIVE NO SCROLL CURSOR WITHOUT HOLD FOR VALUES (1)
>> DECLARE "c" ASENSITIVE NO SCROLL CURSOR FOR VALUES (1)
>> LIMIT 100

--# own limits
DECLARE c CURSOR FOR SELECT id FROM s LIMIT 100
>> DECLARE "c" CURSOR FOR SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 100

--# own limits, too many
DECLARE c CURSOR FOR SELECT id FROM s LIMIT 101
>> DECLARE "c" CURSOR FOR SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 100

--# own limit as a parameter
DECLARE c CURSOR FOR SELECT id FROM s LIMIT $1
>> DECLARE "c" CURSOR FOR SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT LEAST(($1
>> )::pg_catalog.int8, 100)

--# ties
DECLARE c CURSOR FOR SELECT id FROM s ORDER BY id FETCH FIRST 2 ROWS WITH TIES
>> DECLARE "c" CURSOR FOR SELECT * FROM (SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" ORDER BY id FETCH FIRST 2 ROWS WITH TIES
>> ) AS querywarden LIMIT 100

--# the cap of the role as bob
DECLARE c CURSOR FOR SELECT id FROM s
>> DECLARE "c" CURSOR FOR SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 5

--# scopes
DECLARE c CURSOR FOR SELECT t.id FROM t LIMIT 1
>> DECLARE "c" CURSOR FOR SELECT t.id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" LIMIT 1

--# what is hidden
DECLARE c CURSOR FOR SELECT * FROM hidden
!! RELATION_NOT_ALLOWED relation "hidden" does not exist or is not visible to you 

--# rows are locked only with a permission
DECLARE c CURSOR FOR SELECT id FROM s FOR UPDATE
!! WRITE_DISABLED "s" may not be locked: this login may only read it 

--# FETCH in every form
FETCH c; FETCH NEXT FROM c; FETCH PRIOR IN c; FETCH FIRST c; FETCH LAST c; FETCH ABSOLUTE -2 c; FETCH RELATIVE 0 c
>> FETCH FORWARD 1 FROM "c"
>> ;FETCH FORWARD 1 FROM "c"
>> ;FETCH BACKWARD 1 FROM "c"
>> ;FETCH ABSOLUTE 1 FROM "c"
>> ;FETCH ABSOLUTE -1 FROM "c"
>> ;FETCH ABSOLUTE -2 FROM "c"
>> ;FETCH RELATIVE 0 FROM "c"

--# and more
FETCH 5 c; FETCH -5 c; FETCH ALL c; FETCH FORWARD c; FETCH FORWARD 3 c; FETCH FORWARD ALL c; FETCH BACKWARD c
>> FETCH FORWARD 5 FROM "c"
>> ;FETCH FORWARD -5 FROM "c"
>> ;FETCH FORWARD ALL FROM "c"
>> ;FETCH FORWARD 1 FROM "c"
>> ;FETCH FORWARD 3 FROM "c"
>> ;FETCH FORWARD ALL FROM "c"
>> ;FETCH BACKWARD 1 FROM "c"

--# backward
FETCH BACKWARD 3 FROM c; FETCH BACKWARD ALL c; FETCH 0 c; FETCH BACKWARD -1 c
>> FETCH BACKWARD 3 FROM "c"
>> ;FETCH BACKWARD ALL FROM "c"
>> ;FETCH FORWARD 0 FROM "c"
>> ;FETCH BACKWARD -1 FROM "c"

--# MOVE
MOVE ALL FROM "C d"; MOVE c
>> MOVE FORWARD ALL FROM "C d"
>> ;MOVE FORWARD 1 FROM "c"

--# CLOSE
CLOSE c; CLOSE ALL
>> CLOSE "c"
>> ;CLOSE ALL
