--# joined through a listed column, and on from there
--# as kim
SELECT l.id FROM lines l JOIN s ON s.id = l.s_id LEFT JOIN own o ON o.who = s.id
>> SELECT l.id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) l JOIN (SELECT r."id", r."x" FROM "public"."s" r) AS "s" ON s.id = l.s_id LEFT JOIN (SELECT r."org", r."who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7') o ON o.who = s.id
>> LIMIT 101

--# in WHERE
--# as kim
SELECT l.id FROM lines AS l, s, own WHERE l.s_id = s.id AND who = s.id
>> SELECT l.id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) AS l, (SELECT r."id", r."x" FROM "public"."s" r) AS "s", (SELECT r."org", r."who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7') AS "own" WHERE l.s_id = s.id AND who = s.id
>> LIMIT 101

--# with USING
--# as kim
SELECT s_id FROM lines JOIN s USING (id)
>> SELECT s_id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) AS "lines" JOIN (SELECT r."id", r."x" FROM "public"."s" r) AS "s" USING (id)
>> LIMIT 101

--# by another column
--# as kim
SELECT l.id FROM lines l JOIN s ON s.x::int = l.s_id
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# by something else than an equality
--# as kim
SELECT l.id FROM lines l JOIN s ON s.id >= l.s_id
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# one of several possibilities
--# as kim
SELECT l.id FROM lines l JOIN s ON s.id = l.s_id OR l.id > 0
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# everything with everything
--# as kim
SELECT l.id FROM lines l, s
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# by every column of the same name
--# as kim
SELECT l.id FROM lines l NATURAL JOIN s
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# what is not listed
--# as kim
SELECT l.id FROM lines l JOIN own o ON o.who = l.s_id
!! RELATION_NOT_ALLOWED "lines" may not be combined with "own" in this way 

--# one that is joined does not cover the other
--# as kim
SELECT l.id FROM lines l JOIN s a ON a.id = l.s_id CROSS JOIN s b
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# of its own kind
--# as kim
SELECT a.id FROM lines a, lines b WHERE a.s_id > b.s_id
>> SELECT a.id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) a, (SELECT r."id", r."s_id" FROM "public"."lines" r) b WHERE a.s_id > b.s_id
>> LIMIT 101

--# subqueries count: IN
--# as kim
SELECT id FROM lines WHERE s_id IN (SELECT id FROM s WHERE x = 'a')
>> SELECT id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) AS "lines" WHERE s_id IN (SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE x = 'a')
>> LIMIT 101

--# EXISTS
--# as kim
SELECT id FROM lines l WHERE NOT EXISTS (SELECT FROM s WHERE s.id = l.s_id)
>> SELECT id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) l WHERE NOT EXISTS (SELECT FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE s.id = l.s_id)
>> LIMIT 101

--# a single value
--# as kim
SELECT (SELECT s.x FROM s WHERE s.id = s_id) FROM lines
>> SELECT (SELECT s.x FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE s.id = s_id) FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) AS "lines"
>> LIMIT 101

--# without a connection
--# as kim
SELECT id FROM lines WHERE EXISTS (SELECT FROM s WHERE x = 'a')
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# through another column
--# as kim
SELECT id FROM lines WHERE s_id IN (SELECT who FROM own)
!! RELATION_NOT_ALLOWED "lines" may not be combined with "own" in this way 

--# the other way round
--# as kim
SELECT id FROM own WHERE who IN (SELECT s_id FROM lines)
!! RELATION_NOT_ALLOWED "lines" may not be combined with "own" in this way 

--# in a derived table
--# as kim
SELECT 1 FROM (SELECT s_id FROM lines) l JOIN s ON s.id = l.s_id
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# beside a derived table
--# as kim
SELECT 1 FROM lines l JOIN (SELECT id FROM s) x ON x.id = l.s_id
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# in a WITH query
--# as kim
WITH w AS (SELECT s_id FROM lines) SELECT 1 FROM w, s WHERE s.id = w.s_id
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# renamed columns are not followed
--# as kim
SELECT 1 FROM lines l (s_id, id) JOIN s ON s.id = l.s_id
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# what reads nothing may stand beside it
--# as kim
SELECT l.id FROM lines l, generate_series(1, 2) g, (VALUES (1)) v(x)
>> SELECT l.id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) l, pg_catalog.generate_series(1, 2) g, (VALUES (1)) v(x)
>> LIMIT 101

--# set operations of the same entity
--# as kim
SELECT id FROM lines EXCEPT SELECT s_id FROM lines
>> SELECT id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) AS "lines" EXCEPT SELECT s_id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) AS "lines"
>> LIMIT 101

--# and of others, which join like INTERSECT or can be made to
--# as kim
SELECT id FROM lines UNION SELECT id FROM s
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# alone it is read
--# as kim
SELECT id FROM alone WHERE y = 1
>> SELECT id FROM (SELECT r."id", r."y" FROM "public"."alone" r) AS "alone" WHERE y = 1
>> LIMIT 101

--# but with nothing else
--# as kim
SELECT 1 FROM alone JOIN s USING (id)
!! RELATION_NOT_ALLOWED "alone" may not be combined with "s" in this way 

--# not the catalog either
--# as kim
SELECT 1 FROM alone, pg_class
!! RELATION_NOT_ALLOWED "alone" may not be combined with "pg_catalog.pg_class" in this way 

--# a derived table is looked at by itself
--# as kim
SELECT x.id FROM (SELECT l.id FROM lines l JOIN s ON s.id = l.s_id) x
>> SELECT x.id FROM (SELECT l.id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) l JOIN (SELECT r."id", r."x" FROM "public"."s" r) AS "s" ON s.id = l.s_id) x
>> LIMIT 101

--# and so are subqueries beside a set operation
--# as kim
SELECT 1 UNION SELECT 2 LIMIT (SELECT count(*) FROM alone, s)
!! RELATION_NOT_ALLOWED "alone" may not be combined with "s" in this way 

--# and those given to a function in FROM
--# as kim
SELECT 1 FROM generate_series(1, (SELECT count(*) FROM alone, s)) g
!! RELATION_NOT_ALLOWED "alone" may not be combined with "s" in this way 

--# the condition of an outer join says nothing of others
--# as kim
SELECT 1 FROM lines l CROSS JOIN s LEFT JOIN own o ON s.id = l.s_id
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# two joined tables inside one subquery
--# as kim
SELECT id FROM lines l WHERE EXISTS (SELECT FROM s JOIN own ON own.who = s.id WHERE s.id = l.s_id)
>> SELECT id FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) l WHERE EXISTS (SELECT FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" JOIN (SELECT r."org", r."who" FROM "public"."own" r WHERE r."org" = '1' AND r."who" = '7') AS "own" ON own.who = s.id WHERE s.id = l.s_id)
>> LIMIT 101

--# a subquery's own table of the same name is the one it means
--# as kim
SELECT l.id FROM lines l, s WHERE l.s_id = s.id AND EXISTS (SELECT FROM own AS s WHERE s.who = 1)
!! RELATION_NOT_ALLOWED "lines" may not be combined with "own" in this way 

--# in the condition of a join
--# as kim
SELECT l.id FROM lines l JOIN s ON s.id = l.s_id AND EXISTS (SELECT FROM own)
!! RELATION_NOT_ALLOWED "lines" may not be combined with "own" in this way 

--# two such queries in WITH
--# as kim
WITH a AS (SELECT id FROM lines), b AS (SELECT id FROM a) SELECT 1 FROM b, s
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# in a derived table that counts
--# as kim
SELECT id FROM (SELECT id FROM s UNION ALL SELECT s_id FROM lines) x GROUP BY id HAVING count(*) > 1
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# over a WITH query
--# as kim
WITH w AS (SELECT s_id FROM lines) SELECT id FROM s INTERSECT SELECT s_id FROM w
!! RELATION_NOT_ALLOWED "lines" may not be combined with "s" in this way 

--# LEAST is none
--# as kim
SELECT least(id, 2) FROM lines
>> SELECT least(id, 2) FROM (SELECT r."id", r."s_id" FROM "public"."lines" r) AS "lines"
>> LIMIT 101
