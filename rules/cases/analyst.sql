-- Analysts see numbers, not people.

-- as: analyst_acme
-- expect: allow
SELECT status, count(*), avg(total) FROM orders GROUP BY status;

-- as: analyst_acme
-- expect: allow
SELECT p.category, sum(i.quantity * i.unit_price)
  FROM order_items i JOIN products p ON p.id = i.product_id
 GROUP BY p.category;

-- as: analyst_acme
-- expect: deny
SELECT email FROM users;
