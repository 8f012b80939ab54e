--# a function the rules name is written with its schema
--# as kim
SELECT total(id), public.total(1), private.total(2) FROM s
>> SELECT "public".total(id), public.total(1), private.total(2) FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# it counts as leaking
--# as kim
SELECT who FROM own WHERE total(who) > 1
>> SELECT who FROM (SELECT r."org", COALESCE(r."who", r."who") AS "who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7' OFFSET 0) AS "own" WHERE "public".total(who) > 1
>> LIMIT 101

--# an aggregate by name only
--# as kim
SELECT who FROM own GROUP BY who HAVING private.max(who) > 1
>> SELECT who FROM (SELECT r."org", COALESCE(r."who", r."who") AS "who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7' OFFSET 0) AS "own" GROUP BY who HAVING private.max(who) > 1
>> LIMIT 101

--# in FROM, with its columns
--# as kim
SELECT g.id, g.note, (h).note FROM rows_of(1) g, LATERAL rows_of(g.id) AS h
>> SELECT g.id, g.note, (h).note FROM "public".rows_of(1) g, LATERAL "public".rows_of(g.id) AS h
>> LIMIT 101

--# a renamed one is none; PostgreSQL says so, since there is nothing to call
--# as kim
SELECT g.note FROM rows_of(1) AS g(a, b)
>> SELECT g.note FROM "public".rows_of(1) AS g(a, b)
>> LIMIT 101

--# and no other attribute
--# as kim
SELECT g.peek FROM rows_of(1) g
!! FUNCTION_NOT_ALLOWED attribute peek is not allowed: it is no known column and may call a function 

--# not those that PostgreSQL takes apart
--# as kim
SELECT * FROM cut(1)
!! FUNCTION_NOT_ALLOWED function cut may not stand in FROM: PostgreSQL would take it apart, and conditions could see what it leaves out 

--# elsewhere they stay whole
--# as kim
SELECT cut(1)
>> SELECT "public".cut(1)
>> LIMIT 101

--# others do not exist
--# as kim
SELECT unlisted(1)
!! FUNCTION_NOT_FOUND function unlisted(...) does not exist 

--# not by their schema either
--# as kim
SELECT public.unlisted(1)
!! FUNCTION_NOT_FOUND function public.unlisted(...) does not exist 

--# not one of the same name in another schema
--# as kim
SELECT later.total(1)
!! FUNCTION_NOT_FOUND function later.total(...) does not exist 

--# a schema that is not searched must be written
--# as kim
SELECT fine(1)
!! FUNCTION_NOT_FOUND function fine(...) does not exist 

--# volatile ones may write
--# as kim
SELECT wild()
!! MODEL_NOT_ALLOWED the rules for function "wild" do not fit the database, so it is closed 

--# said to change nothing: not for those whose sessions could write
--# as kim
SELECT vouched()
!! FUNCTION_NOT_ALLOWED function "vouched" is VOLATILE, and a login that may lock rows may not call it 

--# for others yes
--# as bob
SELECT vouched()
>> SELECT "public".vouched()
>> LIMIT 6

--# procedures are not called so
--# as kim
SELECT lost()
!! MODEL_NOT_ALLOWED the rules for function "lost" do not fit the database, so it is closed 

--# names of objects would pass through
--# as kim
SELECT named('{}')
!! MODEL_NOT_ALLOWED the rules for function "named" do not fit the database, so it is closed 

--# a bare name of PostgreSQL's stays its own
--# as kim
SELECT max(id) FROM s
>> SELECT pg_catalog.max(id) FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# as an attribute it is not called
--# as kim
SELECT (s.id).total FROM s
!! FUNCTION_NOT_ALLOWED attribute total is not allowed: it is no known column and may call a function 

--# without the capability it does not exist
SELECT total(1)
!! FUNCTION_NOT_FOUND function total(...) does not exist
