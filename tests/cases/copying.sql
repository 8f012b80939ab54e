--# a table becomes the query PostgreSQL would make of it
COPY s TO STDOUT
>> COPY (SELECT "id", "x" FROM (SELECT r."id", r."x" FROM ONLY "public"."s" r) AS "s"
>> LIMIT 101
>> ) TO STDOUT

--# named columns, the old spelling of options
COPY public.t (id, a) TO STDOUT WITH CSV HEADER DELIMITER ';' NULL AS '' QUOTE '"' ESCAPE '\' FORCE QUOTE a
>> COPY (SELECT "id", "a" FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM ONLY "public"."t" r WHERE r."org" = '1') AS "t"
>> LIMIT 101
>> ) TO STDOUT (FORMAT 'csv', HEADER true, DELIMITER ';', NULL '', QUOTE '"', ESCAPE '\', FORCE_QUOTE ("a"))

--# the old spelling of the binary form
COPY BINARY s TO STDOUT
>> COPY (SELECT "id", "x" FROM (SELECT r."id", r."x" FROM ONLY "public"."s" r) AS "s"
>> LIMIT 101
>> ) TO STDOUT (FORMAT 'binary')

--# a query
COPY (SELECT id FROM t WHERE n > 1) TO STDOUT (FORMAT csv, HEADER on, FORCE_QUOTE *)
>> COPY ((SELECT id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", COALESCE(r."n", r."n") AS "n", r."mood" FROM "public"."t" r WHERE r."org" = '1' OFFSET 0) AS "t" WHERE n > 1)
>> LIMIT 101
>> ) TO STDOUT (FORMAT 'csv', HEADER true, FORCE_QUOTE *)

--# its own limit within the cap
COPY (SELECT id FROM s LIMIT 3) TO STDOUT (FORMAT binary, HEADER off, ENCODING 'UTF-8')
>> COPY ((SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LIMIT 3)
>> ) TO STDOUT (FORMAT 'binary')

--# a row budget of 5 as bob
COPY s (x) TO STDOUT
>> COPY (SELECT "x" FROM (SELECT r."id", r."x" FROM ONLY "public"."s" r) AS "s"
>> LIMIT 6
>> ) TO STDOUT

--# a condition that may leak
COPY (TABLE t ORDER BY lower(a)) TO STDOUT
>> COPY ((SELECT * FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" ORDER BY pg_catalog.lower(a))
>> LIMIT 101
>> ) TO STDOUT

--# a column that is hidden does not exist, as PostgreSQL will say
COPY t (secret) TO STDOUT
>> COPY (SELECT "secret" FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM ONLY "public"."t" r WHERE r."org" = '1') AS "t"
>> LIMIT 101
>> ) TO STDOUT

--# a view is no plain table as kim
COPY sums TO STDOUT
!! UNSUPPORTED_SYNTAX cannot copy from "sums": it is no plain table 

--# a hidden table
COPY hidden TO STDOUT
!! RELATION_NOT_ALLOWED relation "hidden" does not exist or is not visible to you 

--# a system catalog that is not shown
COPY pg_catalog.pg_statistic TO STDOUT
!! RELATION_NOT_ALLOWED relation "pg_catalog.pg_statistic" does not exist or is not visible to you 

--# writing inside
COPY (DELETE FROM t RETURNING *) TO STDOUT
!! WRITE_DISABLED DELETE is not allowed: this login may only read 

--# writing inside WITH
COPY (WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d) TO STDOUT
!! WRITE_DISABLED DELETE is not allowed: this login may only read 

--# into the database
COPY s FROM STDIN
!! WRITE_DISABLED COPY FROM is not allowed: this login may only read 

--# a program
COPY s TO PROGRAM 'cat'
!! STATEMENT_NOT_ALLOWED COPY with PROGRAM is not allowed 

--# a program
COPY s FROM PROGRAM 'cat'
!! STATEMENT_NOT_ALLOWED COPY with PROGRAM is not allowed 

--# a file
COPY (SELECT 1) TO '/tmp/x'
!! STATEMENT_NOT_ALLOWED COPY with a file is not allowed 

--# a file
COPY s FROM '/etc/passwd'
!! WRITE_DISABLED COPY FROM is not allowed: this login may only read 

--# another encoding
COPY s TO STDOUT (ENCODING 'LATIN1')
!! VALIDATION_ERROR COPY is available in the encoding UTF8 only 

--# options of COPY FROM
COPY s TO STDOUT (FREEZE)
!! UNSUPPORTED_SYNTAX COPY has no option freeze here 

--# options of COPY FROM
COPY s TO STDOUT (HEADER match)
!! VALIDATION_ERROR the option header must be true or false here 

--# an option given twice
COPY s TO STDOUT (HEADER off, HEADER on)
!! VALIDATION_ERROR COPY has the option header more than once 

--# an unknown form
COPY s TO STDOUT (FORMAT 'CSV')
!! VALIDATION_ERROR the format of COPY must be text, csv or binary 

--# a value of another kind
COPY s TO STDOUT (DELIMITER 1)
!! UNSUPPORTED_SYNTAX this form of a COPY option is not supported 
