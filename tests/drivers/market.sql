-- Two tenants with equally many rows of every kind, in many types. What one tenant may not see says
-- so: values of tenant 2 hold "bolt-canary", of tenant 1 "acme-canary", hidden ones "hidden-canary".
CREATE TYPE order_status AS ENUM ('open', 'paid', 'sent');
CREATE TABLE customers (
  id int PRIMARY KEY, tenant_id int NOT NULL, email text NOT NULL, name varchar(80) NOT NULL,
  ssn text NOT NULL, public_id uuid NOT NULL UNIQUE, active boolean NOT NULL,
  born date NOT NULL, settings jsonb NOT NULL, tags text[] NOT NULL, score double precision NOT NULL,
  manager_id int REFERENCES customers (id), avatar bytea NOT NULL,
  created_at timestamptz NOT NULL, deleted_at timestamptz);
CREATE TABLE products (
  id int PRIMARY KEY, name text NOT NULL, price numeric(10, 2) NOT NULL, attributes jsonb NOT NULL);
CREATE TABLE orders (
  id int PRIMARY KEY, tenant_id int NOT NULL, customer_id int NOT NULL REFERENCES customers (id),
  status order_status NOT NULL, total numeric(12, 2) NOT NULL, note text,
  placed_at timestamptz NOT NULL);
CREATE TABLE order_items (
  order_id int NOT NULL REFERENCES orders (id), product_id int NOT NULL REFERENCES products (id),
  tenant_id int NOT NULL, quantity int NOT NULL, PRIMARY KEY (order_id, product_id));
CREATE TABLE vault (id int PRIMARY KEY, tenant_id int NOT NULL, value text NOT NULL);
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON order_items (product_id);

INSERT INTO products SELECT n, 'product ' || n, n * 2.5, jsonb_build_object('color',
    (ARRAY['red', 'green', 'blue'])[n % 3 + 1], 'size', n) FROM generate_series(1, 6) n;
-- Tenant 2 first, so that its rows are met first.
INSERT INTO customers SELECT t * 100 + n, t, format('%s%s@%s-canary.example', chr(96 + n), n, c),
    format('%s-canary %s', c, n), 'hidden-canary ' || n,
    ('00000000-0000-4000-8000-0000000000' || lpad((t * 20 + n)::text, 2, '0'))::uuid, n % 3 <> 0,
    date '1980-01-01' + n * 400, jsonb_build_object('theme', (ARRAY['dark', 'light'])[n % 2 + 1],
    'level', n), ARRAY['t' || n % 4, c || '-canary'], n / 4.0, CASE WHEN n > 3 THEN t * 100 + n % 3 + 1 END,
    decode(lpad(to_hex(t * 100 + n), 8, '0'), 'hex'), timestamptz '2024-01-01 12:00Z' + n * interval '1 day',
    CASE WHEN n = 12 THEN timestamptz '2024-06-01Z' END
  FROM (VALUES (2, 'bolt'), (1, 'acme')) v(t, c), generate_series(1, 12) n;
INSERT INTO orders SELECT t * 1000 + n, t, t * 100 + n % 9 + 1, (ARRAY['open', 'paid', 'sent'])[n % 3 + 1]::order_status,
    t * n * 1.25, CASE WHEN n % 4 = 0 THEN c || '-canary note' END,
    timestamptz '2024-02-01Z' + n * interval '7 hours'
  FROM (VALUES (2, 'bolt'), (1, 'acme')) v(t, c), generate_series(1, 30) n;
INSERT INTO order_items SELECT o.id, p, o.tenant_id, (o.id + p) % 4 + 1
  FROM orders o, generate_series(1, 6) p WHERE (o.id + p) % 3 = 0;
INSERT INTO vault VALUES (1, 1, 'hidden-canary'), (2, 2, 'hidden-canary');
ANALYZE;
CREATE ROLE market_app LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO market_app;
