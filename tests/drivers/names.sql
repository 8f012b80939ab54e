-- Statements, one a line, for every way PostgreSQL has to name the columns of a result.
SELECT 1, 'a', NULL, true, 1.5, $$x$$, B'1', -1, 1 + 1, NOT true
SELECT id, c.id, c.id AS "Other", (c.id), public_id, tags, tags[1], settings, settings -> 'theme' FROM customers c
SELECT c.id, o.id, c.name, o.* FROM customers c JOIN orders o ON o.customer_id = c.id
SELECT o.*, i.*, o.*, id FROM orders o JOIN order_items i ON i.order_id = o.id
SELECT * FROM orders JOIN order_items USING (tenant_id)
SELECT * FROM orders o NATURAL JOIN order_items i
SELECT count(*), count(DISTINCT id), max(id), sum(total), lower('A'), pg_catalog.upper('a'), now() FROM orders
SELECT count(*) FILTER (WHERE id > 1) OVER (), row_number() OVER (), lag(id) OVER w FROM orders WINDOW w AS (ORDER BY id)
SELECT id::text, CAST(id AS bigint), '1'::int, '2024-01-01'::date, date '2024-01-01', (id + 1)::text FROM orders
SELECT status::text, total::int::text, note::varchar(3), '{1}'::int[], '1'::numeric(5, 2), interval '1 day' FROM orders
SELECT COALESCE(note, 'x'), NULLIF(note, 'x'), GREATEST(id, 1), LEAST(id, 1), COALESCE(id, 1)::text FROM orders
SELECT CASE WHEN true THEN id END, CASE id WHEN 1 THEN 'a' ELSE note END, (CASE WHEN true THEN 1 END)::text FROM orders
SELECT EXISTS (SELECT 1), ARRAY(SELECT 1), (SELECT 1), (SELECT 2 AS two), (SELECT max(id) FROM orders), 1 IN (SELECT 1)
SELECT ARRAY[1, 2], ARRAY[1]::text[], ROW(1, 2), ROW(1), (1, 2), (ARRAY[1])[1]
SELECT (o).id, (o.*)::text, o, (o).status::text, row_to_json(o), to_jsonb(o.*) FROM orders o
SELECT CURRENT_DATE, CURRENT_TIMESTAMP, CURRENT_TIME(0), LOCALTIME, LOCALTIMESTAMP, CURRENT_USER, CURRENT_CATALOG
SELECT extract(year FROM placed_at), date_trunc('day', placed_at), placed_at AT TIME ZONE 'UTC', age(placed_at) FROM orders
SELECT position('a' IN note), substring(note FROM 1 FOR 2), overlay(note PLACING 'x' FROM 1), trim(note), trim(LEADING 'a' FROM note) FROM orders
SELECT note COLLATE "C", note || 'x', note LIKE 'a', note IS NULL, id BETWEEN 1 AND 2, id IN (1), id = ANY (ARRAY[1]) FROM orders
SELECT x, y FROM (SELECT id, name FROM customers) AS q (x, y)
SELECT * FROM (VALUES (1, 'a')) AS v
SELECT * FROM (VALUES (1, 'a')) AS v (n, t)
VALUES (1, 2), (3, 4)
TABLE products
SELECT * FROM generate_series(1, 2)
SELECT * FROM generate_series(1, 2) AS g
SELECT g, g.n FROM generate_series(1, 2) AS g (n)
SELECT * FROM unnest(ARRAY[1], ARRAY['a']) WITH ORDINALITY
SELECT * FROM jsonb_each('{"a": 1}'), jsonb_to_record('{"a": 1}') AS r (a int, "B" text)
SELECT generate_series(1, 2), unnest(ARRAY[1]), jsonb_array_elements('[1]'), regexp_matches('a', 'a')
WITH w AS (SELECT id, count(*) FROM orders GROUP BY id) SELECT * FROM w
WITH w (a) AS (SELECT id, total FROM orders) SELECT w.*, w.a FROM w
WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n, r.n + 1 FROM r
SELECT id FROM customers UNION ALL SELECT id AS other FROM orders
SELECT 1 AS "?column?", 1 AS "select", 1 "Ünïcode", 1 AS "with ""quotes"""
SELECT DISTINCT ON (customer_id) customer_id, status FROM orders ORDER BY customer_id, id
SELECT customers.id, public.customers.name, public.orders.id FROM public.customers, public.orders
SELECT c.name, (SELECT o.status FROM orders o WHERE o.customer_id = c.id LIMIT 1) FROM customers c
SELECT c.id, c.name, c.settings, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id
SELECT status, GROUPING(status), count(*) FROM orders GROUP BY ROLLUP (status)
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total), mode() WITHIN GROUP (ORDER BY status) FROM orders
SELECT string_agg(note, ',' ORDER BY id), array_agg(id), json_agg(o), jsonb_build_object('a', 1), bool_and(true) FROM orders o
SELECT lpad(note, id), rpad('a', 3), repeat('x', id % 3), lpad(note, $1) FROM orders
SELECT 'orders'::regclass, 'orders'::regclass::text, 'orders'::regclass::oid, 'int4'::regtype, pg_typeof(1)
SELECT oid::regclass, c.oid::regclass::text, relname, oid, relnamespace::regnamespace FROM pg_class c WHERE relname = 'orders'
SELECT ('or' || 'ders')::regclass, (proargtypes[0])::regtype, proargtypes[0]::regtype FROM pg_proc LIMIT 1
SELECT format_type(23, NULL), pg_get_indexdef(indexrelid), obj_description(indrelid) FROM pg_index LIMIT 1
SELECT to_regclass('orders'), to_regtype('int4'), to_regclass('orders') IS NULL
SELECT current_setting('TimeZone'), has_table_privilege('orders', 'SELECT'), current_database(), version()
SELECT JSON_OBJECT('a': 1), JSON_ARRAY(1, 2), JSON_VALUE('{"a": 1}'::jsonb, '$.a'), '{}' IS JSON
