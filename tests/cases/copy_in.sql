--# rows are looked at before they are written as wes
COPY pairs (a, b, org) FROM STDIN
>> COPY "public"."pairs" ("a", "b", "org") FROM STDIN WHERE CASE WHEN ("pairs"."org" = '1') IS NOT TRUE THEN CAST(CAST(CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) AS pg_catalog.text) AS boolean) ELSE true END

--# the form is as for TO, and an alias is none as wes
COPY public.pairs (a, org) FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';', NULL 'x')
>> COPY "public"."pairs" ("a", "org") FROM STDIN (FORMAT 'csv', HEADER true, DELIMITER ';', NULL 'x') WHERE CASE WHEN ("pairs"."org" = '1') IS NOT TRUE THEN CAST(CAST(CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) AS pg_catalog.text) AS boolean) ELSE true END

--# of a shared table there is nothing to look at as wes
COPY tags (x, n) FROM STDIN CSV
>> COPY "public"."tags" ("x", "n") FROM STDIN (FORMAT 'csv')

--# nothing can be filled in as wes
COPY pairs (a, b) FROM STDIN
!! UNSUPPORTED_SYNTAX COPY cannot fill in org of "pairs"

--# without columns it gives values to all that are visible as wes
COPY tags FROM STDIN
!! FIELD_NOT_ALLOWED column "id" of "tags" cannot be written

--# what is more than tenant and owner as una
COPY jobs (org, who, title, state) FROM STDIN
>> COPY "public"."jobs" ("org", "who", "title", "state") FROM STDIN WHERE CASE WHEN ("jobs"."org" = '1') IS NOT TRUE THEN CAST(CAST(CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) AS pg_catalog.text) AS boolean) WHEN ("jobs"."who" = '7') IS NOT TRUE THEN CAST(CAST(CAST(pg_catalog.concat('querywarden:1') AS pg_catalog.int4) AS pg_catalog.text) AS boolean) WHEN ("jobs"."org" = '1' AND "jobs"."who" = '7' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(CAST(CAST(pg_catalog.concat('querywarden:2') AS pg_catalog.int4) AS pg_catalog.text) AS boolean) ELSE true END

--# rows that refer to others as wes
COPY jobs (org, title, t_id) FROM STDIN
!! UNSUPPORTED_SYNTAX COPY into "jobs" is not supported: its rows refer to rows of which you see only some

--# to those everybody sees as wes
COPY jobs (org, title, tag_id) FROM STDIN BINARY
>> COPY "public"."jobs" ("org", "title", "tag_id") FROM STDIN (FORMAT 'binary') WHERE CASE WHEN ("jobs"."org" = '1') IS NOT TRUE THEN CAST(CAST(CAST(pg_catalog.concat('querywarden:0') AS pg_catalog.int4) AS pg_catalog.text) AS boolean) WHEN ("jobs"."org" = '1' AND "jobs"."died" IS NULL AND ("jobs".state <> 'draft'
>> )) IS NOT TRUE THEN CAST(CAST(CAST(pg_catalog.concat('querywarden:1') AS pg_catalog.int4) AS pg_catalog.text) AS boolean) ELSE true END

--# a hidden column does not exist as wes
COPY jobs (org, secret) FROM STDIN
!! COLUMN_NOT_FOUND column "secret" of relation "jobs" does not exist

--# neither does one there is not as wes
COPY jobs (org, nothing) FROM STDIN
!! COLUMN_NOT_FOUND column "nothing" of relation "jobs" does not exist

--# a column that may not be given a value as wes
COPY jobs (org, who) FROM STDIN
!! FIELD_NOT_ALLOWED column "who" of "jobs" cannot be written

--# conditions of one's own as wes
COPY tags (x, n) FROM STDIN WHERE n > 1
!! UNSUPPORTED_SYNTAX COPY FROM STDIN takes no WHERE here

--# files as wes
COPY tags (x, n) FROM '/etc/passwd'
!! STATEMENT_NOT_ALLOWED COPY with a file is not allowed

--# programs as wes
COPY tags (x, n) FROM PROGRAM 'id'
!! STATEMENT_NOT_ALLOWED COPY with PROGRAM is not allowed

--# options nobody knows as wes
COPY tags (x, n) FROM STDIN (ON_ERROR ignore)
!! UNSUPPORTED_SYNTAX COPY has no option on_error here

--# options of TO as wes
COPY tags (x, n) FROM STDIN (FORMAT csv, FORCE_QUOTE (x))
!! UNSUPPORTED_SYNTAX COPY FROM STDIN has no option force_quote

--# tables nobody may insert into as wes
COPY t (id) FROM STDIN
!! WRITE_DISABLED COPY on "t" is not allowed: your login may not

--# hidden tables as wes
COPY hidden FROM STDIN
!! RELATION_NOT_ALLOWED relation "hidden" does not exist or is not visible to you

--# views as wes
COPY board FROM STDIN
!! RELATION_NOT_ALLOWED relation "board" does not exist or is not visible to you

--# a login that reads
COPY tags (x, n) FROM STDIN
!! WRITE_DISABLED COPY FROM is not allowed: this login may only read
