-- Between world_a.sql and world_b.sql: thousands of foreign rows before those of tenant 1, so that
-- the planner has reason to choose among indexes, and statistics are made of foreign values.
INSERT INTO users(id, tenant_id, email, ssn, full_name, role, balance, prefs)
  SELECT 100000 + g, 2 + g % 2, 'g' || g || '@t2.example', '222-20-' || lpad(g::text, 4, '0'),
         'Zoe Zimmer ' || g, CASE g % 3 WHEN 0 THEN 'admin' ELSE 'T2PREF' END, 2011.11, '{"k":"T2PREF"}'
    FROM generate_series(100, 3099) g;
INSERT INTO orders
  SELECT 100000 + g, 2 + g % 2, 100100 + g % 3000, 777.77, CASE g % 5 WHEN 0 THEN 'open' ELSE 'paid' END,
         'T2NOTE-' || g
    FROM generate_series(1, 6000) g;
INSERT INTO events SELECT 100000 + g, 2, 'T2EVENT' FROM generate_series(1, 2000) g;
CREATE INDEX orders_user ON orders(user_id); CREATE INDEX orders_note ON orders(note);
CREATE INDEX tmp_u ON users((tenant_id=1), id); CREATE INDEX tmp_o ON orders((tenant_id=1), id);
CLUSTER users USING tmp_u; CLUSTER orders USING tmp_o; DROP INDEX tmp_u, tmp_o;
ALTER TABLE users SET WITHOUT CLUSTER; ALTER TABLE orders SET WITHOUT CLUSTER;
ANALYZE;
