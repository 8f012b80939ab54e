--# one join is allowed by profile prod as ray
SELECT t.id FROM t JOIN s ON s.id = t.id
>> SELECT t.id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" JOIN (SELECT r."id", r."x" FROM "public"."s" r) AS "s" ON s.id = t.id
>> LIMIT 101

--# two are not, wherever they stand as ray
SELECT t.id FROM t JOIN s ON s.id = t.id WHERE t.n IN (SELECT k.n FROM kinds k, own WHERE own.who = k.n)
!! QUERY_BUDGET_EXCEEDED the statement has 2 joins, at most 1 is allowed 

--# a role with a larger budget may
SELECT a.id FROM t a, t b JOIN t c ON c.id = b.id WHERE a.id = b.id
>> SELECT a.id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') a, (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') b JOIN (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') c ON c.id = b.id WHERE a.id = b.id
>> LIMIT 101

--# the subquery of EXISTS is no join as ray
SELECT id FROM t WHERE EXISTS (SELECT FROM s WHERE s.id = t.id)
>> SELECT id FROM (SELECT r."id", r."org", r."a", NULL::text AS "mail", r."n", r."mood" FROM "public"."t" r WHERE r."org" = '1') AS "t" WHERE EXISTS (SELECT FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE s.id = t.id)
>> LIMIT 101

--# the visible columns of * are counted as ray
SELECT a.*, a.*, a.*, a.*, a.*, a.*, a.*, a.* FROM t a
!! QUERY_BUDGET_EXCEEDED the statement has 48 columns, at most 40 are allowed 

--# and those of whole rows as ray
SELECT w, w, w, w, w, to_jsonb(w), w, w FROM t w
!! QUERY_BUDGET_EXCEEDED the statement has 48 columns, at most 40 are allowed 

--# columns a WITH query gives are known as ray
WITH q AS (SELECT a.*, a.* FROM t a) SELECT x.*, x.*, x.*, q.* FROM q x JOIN q ON true
!! QUERY_BUDGET_EXCEEDED the statement has 48 columns, at most 40 are allowed 

--# columns of a subquery are known, and USING makes one of two as ray
SELECT * FROM (SELECT id, 1 AS one FROM s) q JOIN s USING (id)
>> SELECT * FROM (SELECT id, 1 AS one FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s") q JOIN (SELECT r."id", r."x" FROM "public"."s" r) AS "s" USING (id)
>> LIMIT 101

--# a join without a condition scores 100 as ray
SELECT a.id FROM s a, s b
!! COMPLEXITY_EXCEEDED the statement's complexity is 102, at most 100 is allowed 

--# so does a series that is not tied to anything as ray
SELECT a.id FROM s a, generate_series(1, 100000) g
!! COMPLEXITY_EXCEEDED the statement's complexity is 102, at most 100 is allowed 

--# a function of the row it stands beside is tied to it as ray
SELECT a.id, w FROM s a, unnest(string_to_array(a.x, ' ')) w
>> SELECT a.id, w FROM (SELECT r."id", r."x" FROM "public"."s" r) a, pg_catalog.unnest(pg_catalog.string_to_array(a.x, ' ')) w
>> LIMIT 101

--# a condition in WHERE ties as well as ray
SELECT a.id FROM s a, s b WHERE a.id = b.id
>> SELECT a.id FROM (SELECT r."id", r."x" FROM "public"."s" r) a, (SELECT r."id", r."x" FROM "public"."s" r) b WHERE a.id = b.id
>> LIMIT 101

--# unless it need not hold as ray
SELECT a.id FROM s a, s b WHERE a.id = b.id OR a.x = 'all'
!! COMPLEXITY_EXCEEDED the statement's complexity is 106, at most 100 is allowed 

--# or is tied in every branch as ray
SELECT a.id FROM s a, s b WHERE a.id = b.id OR a.x = b.x
>> SELECT a.id FROM (SELECT r."id", r."x" FROM "public"."s" r) a, (SELECT r."id", r."x" FROM "public"."s" r) b WHERE a.id = b.id OR a.x = b.x
>> LIMIT 101

--# IN counts each item as ray
SELECT id FROM s WHERE id IN (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49)
!! COMPLEXITY_EXCEEDED the statement's complexity is 102, at most 100 is allowed 

--# an array counts once as ray
SELECT id FROM s WHERE id = ANY($1)
>> SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" WHERE id = ANY($1)
>> LIMIT 101

--# system catalogs alone cost nothing as bob
SELECT a.relname FROM pg_class a, pg_class b, pg_class c
>> SELECT a.relname FROM (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20002}'::pg_catalog.oid[]))) a, (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20002}'::pg_catalog.oid[]))) b, (SELECT r."oid", r."relname", (-1)::pg_catalog.float4 AS "reltuples" FROM "pg_catalog"."pg_class" r WHERE (oid < 16384 OR oid = ANY ('{20002}'::pg_catalog.oid[]))) c
>> LIMIT 10001

--# with a table beside them they do as ray
SELECT a.relname FROM pg_class a, pg_class b, s c
!! QUERY_BUDGET_EXCEEDED the statement has 2 joins, at most 1 is allowed 

--# recursion as ray
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n ORDER BY i LIMIT 5
>> WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n ORDER BY i LIMIT 5

--# recursion twice is too much as ray
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5), m AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM m WHERE i < 5) SELECT i FROM n
!! COMPLEXITY_EXCEEDED the statement's complexity is 150, at most 100 is allowed 

--# a large table needs a condition as ray
SELECT x FROM big
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# on a column that leads an index as ray
SELECT x FROM big WHERE id = $1
>> SELECT x FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big" WHERE id = $1
>> LIMIT 101

--# another column does not do as ray
SELECT x FROM big WHERE other = 5
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# nor a masked one, whose index holds the values as ray
SELECT x FROM big WHERE mail = 'a***@example.com'
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# a range will do as ray
SELECT x FROM big WHERE made BETWEEN '2026-01-01' AND '2026-02-01'
>> SELECT x FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big" WHERE made BETWEEN '2026-01-01' AND '2026-02-01'
>> LIMIT 101

--# a negation will not as ray
SELECT x FROM big WHERE id <> 5 AND NOT id = 6 AND id NOT IN (7)
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# each side of OR needs one as ray
SELECT x FROM big WHERE id = 5 OR other = 6
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# as here as ray
SELECT x FROM big WHERE (id = 5 AND x = 'a') OR made = '2026-01-01'
>> SELECT x FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big" WHERE (id = 5 AND x = 'a') OR made = '2026-01-01'
>> LIMIT 101

--# keyset pagination as ray
SELECT x FROM big WHERE (id, x) > ($1, $2) ORDER BY id, x
>> SELECT x FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big" WHERE (id, x) > ($1, $2) ORDER BY id, x
>> LIMIT 101

--# keys from a subquery as ray
SELECT x FROM big WHERE id IN (SELECT id FROM s)
>> SELECT x FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big" WHERE id IN (SELECT id FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s")
>> LIMIT 101

--# a column compared with itself is no condition as ray
SELECT x FROM big WHERE id = id + 0
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# an index on an expression as ray
SELECT x FROM big WHERE lower(x) = 'a'
>> SELECT x FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big" WHERE pg_catalog.lower(x) = 'a'
>> LIMIT 101

--# a cast hides the column from its index as ray
SELECT x FROM big WHERE id::text = '5'
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# reached through a join from a small one as ray
SELECT b.x FROM s JOIN big b ON b.id = s.id
>> SELECT b.x FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" JOIN (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) b ON b.id = s.id
>> LIMIT 101

--# in either order, and by USING as ray
SELECT b.x FROM big b JOIN s USING (id)
>> SELECT b.x FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) b JOIN (SELECT r."id", r."x" FROM "public"."s" r) AS "s" USING (id)
>> LIMIT 101

--# an outer join keeps every row of the large one as ray
SELECT b.x FROM big b LEFT JOIN s ON b.id = s.id
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# and none without a partner of the other as ray
SELECT b.x FROM s LEFT JOIN big b ON b.id = s.id
>> SELECT b.x FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s" LEFT JOIN (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) b ON b.id = s.id
>> LIMIT 101

--# two large ones reach each other only as ray
SELECT i.n FROM big b JOIN items i ON i.big_id = b.id
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# until one of them has a condition as ray
SELECT i.n FROM big b JOIN items i ON i.big_id = b.id WHERE b.id = 7
>> SELECT i.n FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) b JOIN (SELECT r."id", r."org", r."big_id", r."n" FROM "public"."items" r WHERE r."org" = '1') i ON i.big_id = b.id WHERE b.id = 7
>> LIMIT 101

--# the scope of the view is no condition of the statement as ray
SELECT n FROM items
!! QUERY_TOO_BROAD "items" is large and the statement has no condition on an indexed column of it 

--# nor is it when said again as ray
SELECT n FROM items WHERE org = 1
!! QUERY_TOO_BROAD "items" is large and the statement has no condition on an indexed column of it 

--# but a column behind the tenant in an index leads it as ray
SELECT n FROM items WHERE n = 3
>> SELECT n FROM (SELECT r."id", r."org", r."big_id", r."n" FROM "public"."items" r WHERE r."org" = '1') AS "items" WHERE n = 3
>> LIMIT 101

--# counting reads everything as ray
SELECT count(*) FROM big
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# the beginning of a table is cheap as ray
SELECT x FROM big LIMIT 10
>> SELECT x FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big" LIMIT 10

--# so is the beginning of an index as ray
SELECT x FROM big ORDER BY made DESC LIMIT 10 OFFSET 20
>> SELECT x FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big" ORDER BY made DESC LIMIT 10 OFFSET 20

--# but not of an order nothing keeps as ray
SELECT x FROM big ORDER BY other LIMIT 10
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# nor with a condition that may never hold as ray
SELECT x FROM big WHERE other = 5 LIMIT 10
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# nor far behind the beginning as ray
SELECT x FROM big ORDER BY id LIMIT 10 OFFSET 1000000
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# nor when all is grouped first as ray
SELECT DISTINCT x FROM big LIMIT 10
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# joins from the beginning of a table as ray
SELECT b.x, i.n FROM big b LEFT JOIN items i ON i.big_id = b.id ORDER BY b.id LIMIT 10
>> SELECT b.x, i.n FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) b LEFT JOIN (SELECT r."id", r."org", r."big_id", r."n" FROM "public"."items" r WHERE r."org" = '1') i ON i.big_id = b.id ORDER BY b.id LIMIT 10

--# inside a statement a limit must be small as ray
SELECT count(*) FROM (SELECT 1 FROM big LIMIT 1000000) q
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# like this as ray
SELECT count(*) FROM (SELECT 1 FROM big LIMIT 1000) q
>> SELECT pg_catalog.count(*) FROM (SELECT 1 FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big" LIMIT 1000) q
>> LIMIT 101

--# every SELECT is looked at as ray
SELECT id FROM s UNION SELECT other FROM big
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# also one that depends on the row around it as ray
SELECT id, (SELECT count(*) FROM items i WHERE i.big_id = s.id) FROM s
>> SELECT id, (SELECT pg_catalog.count(*) FROM (SELECT r."id", r."org", r."big_id", r."n" FROM "public"."items" r WHERE r."org" = '1') i WHERE i.big_id = s.id) FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"
>> LIMIT 101

--# a renamed column as ray
SELECT a FROM big AS b(a, c) WHERE a = 5
>> SELECT a FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS b(a, c) WHERE a = 5
>> LIMIT 101

--# a pattern with a beginning as ray
SELECT x FROM big WHERE made::text LIKE '2026%' AND id > 0
>> SELECT x FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big" WHERE made::text LIKE '2026%' AND id > 0
>> LIMIT 101

--# the ends of an index are read without the rest as ray
SELECT max(id), min(made) FROM big
>> SELECT pg_catalog.max(id), pg_catalog.min(made) FROM (SELECT r."id", NULL::text AS "mail", r."x", r."other", r."made" FROM "public"."big" r) AS "big"
>> LIMIT 101

--# but not those of a column without one as ray
SELECT max(other) FROM big
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 

--# nor when rows are counted with them as ray
SELECT max(id), count(*) FROM big
!! QUERY_TOO_BROAD "big" is large and the statement has no condition on an indexed column of it 
