-- What an application should report of the market, by name: one value as JSON each. :tenant is its
-- tenant; customers, orders and order_items are that tenant's living rows.

-- count
SELECT count(*) FROM customers

-- second_page
SELECT json_agg(id) FROM (SELECT id FROM customers ORDER BY id LIMIT 4 OFFSET 4) q

-- after_cursor
SELECT json_agg(id) FROM (SELECT id FROM orders WHERE id > :tenant * 1000 + 10 ORDER BY id LIMIT 3) q

-- first_email
SELECT substr(email, 1, 1) || '***@' || split_part(email, '@', 2) FROM customers ORDER BY id LIMIT
1

-- types
SELECT json_build_array(name, public_id, active, born::text, settings, tags, score, manager_id,
encode(avatar, 'hex'), to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')) FROM customers ORDER
BY id LIMIT 1

-- nested
SELECT json_agg(json_build_array(id, (SELECT json_agg(json_build_array(o.id, (SELECT
json_agg(json_build_array(p.name, i.quantity) ORDER BY p.id) FROM order_items i JOIN products p ON
p.id = i.product_id WHERE i.order_id = o.id)) ORDER BY o.id) FROM orders o WHERE o.customer_id =
c.id)) ORDER BY id) FROM (SELECT id FROM customers ORDER BY id LIMIT 2) c

-- managers
SELECT json_agg(json_build_array(c.id, m.name) ORDER BY c.id) FROM customers c LEFT JOIN customers
m ON m.id = c.manager_id

-- in_list
SELECT json_agg(id ORDER BY id) FROM customers WHERE id IN (101, 102, 201, 202)

-- contains
SELECT json_agg(id ORDER BY id) FROM customers WHERE name ILIKE '%CANARY 1%'

-- between
SELECT json_agg(id ORDER BY id) FROM customers WHERE born BETWEEN '1984-01-01' AND '1988-01-01'

-- since
SELECT json_agg(id ORDER BY id) FROM customers WHERE created_at >= '2024-01-08T00:00Z'

-- inactive
SELECT json_agg(id ORDER BY id) FROM customers WHERE NOT active

-- dark
SELECT json_agg(id ORDER BY id) FROM customers WHERE settings ->> 'theme' = 'dark'

-- tagged
SELECT json_agg(id ORDER BY id) FROM customers WHERE tags @> ARRAY['t1']

-- by_uuid
SELECT json_agg(id ORDER BY id) FROM customers WHERE public_id IN
('00000000-0000-4000-8000-000000000021', '00000000-0000-4000-8000-000000000041')

-- no_note
SELECT count(*) FROM orders WHERE note IS NULL

-- expensive
SELECT json_agg(id ORDER BY id) FROM orders WHERE total > 30.5 AND status = 'paid'

-- either
SELECT json_agg(id ORDER BY id) FROM orders WHERE status = 'sent' AND (total < 5 OR total > 35)

-- some_paid
SELECT json_agg(id ORDER BY id) FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE
o.customer_id = c.id AND o.status = 'paid' AND o.total > 20)

-- none_open
SELECT json_agg(id ORDER BY id) FROM customers c WHERE NOT EXISTS (SELECT FROM orders o WHERE
o.customer_id = c.id AND o.status = 'open')

-- by_status
SELECT json_agg(json_build_array(status, n, total) ORDER BY status) FROM (SELECT status, count(*)
n, sum(total)::float8 total FROM orders GROUP BY status) q

-- totals
SELECT json_build_array(count(*), min(total)::float8, max(total)::float8, round(avg(total),
4)::float8) FROM orders

-- busy
SELECT json_agg(customer_id ORDER BY customer_id) FROM (SELECT customer_id FROM orders GROUP BY
customer_id HAVING count(*) > 3) q

-- distinct
SELECT json_agg(DISTINCT status) FROM orders

-- raw
SELECT json_agg(json_build_array(id, n) ORDER BY n DESC, id) FROM (SELECT c.id, count(o.id) n FROM
customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id) q

-- transaction
SELECT json_build_array((SELECT count(*) FROM orders), (SELECT count(*) FROM customers))
