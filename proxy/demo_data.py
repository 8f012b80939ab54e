"""The demo's sample database: six companies sharing one shop, made inside PostgreSQL from one seed.

Holds SQL and nothing else; `proxy.demo` runs it. Every start gives the same rows, so a figure
printed in the documentation is the figure a reader sees.
"""

from __future__ import annotations

from typing import Final

DATABASE: Final = "shop"
APPROVALS: Final = "approvals"  # a database of its own, out of clients' reach
UPSTREAM_ROLE: Final = "querywarden_app"

TABLES: Final = """
CREATE TABLE orgs (
    id         bigint PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    plan       text NOT NULL
);
CREATE TABLE users (
    id            bigint PRIMARY KEY,
    tenant_id     bigint NOT NULL REFERENCES orgs (id),
    email         text NOT NULL UNIQUE,
    full_name     text NOT NULL,
    phone         text,
    ssn           text NOT NULL,
    password_hash text NOT NULL,
    balance       numeric(12, 2) NOT NULL,
    birth_date    date NOT NULL,
    role          text NOT NULL,
    created_at    timestamptz NOT NULL,
    deleted_at    timestamptz
);
CREATE TABLE products (
    id         bigint PRIMARY KEY,
    sku        text NOT NULL UNIQUE,
    name       text NOT NULL,
    price      numeric(10, 2) NOT NULL,
    category   text NOT NULL
);
CREATE TABLE orders (
    id         bigint PRIMARY KEY,
    tenant_id  bigint NOT NULL REFERENCES orgs (id),
    user_id    bigint NOT NULL REFERENCES users (id),
    status     text NOT NULL,
    total      numeric(12, 2) NOT NULL,
    note       text,
    created_at timestamptz NOT NULL
);
CREATE TABLE order_items (
    id         bigint PRIMARY KEY,
    tenant_id  bigint NOT NULL REFERENCES orgs (id),
    order_id   bigint NOT NULL REFERENCES orders (id),
    product_id bigint NOT NULL REFERENCES products (id),
    quantity   integer NOT NULL,
    unit_price numeric(10, 2) NOT NULL
);
CREATE TABLE secrets (
    id         bigint PRIMARY KEY,
    tenant_id  bigint NOT NULL REFERENCES orgs (id),
    name       text NOT NULL,
    value      text NOT NULL,
    UNIQUE (tenant_id, name)
);
"""

# random() is seeded for the session, and INSERT ... SELECT with it never runs in parallel, so the
# rows are the same on every start. Dates count back from a fixed day for the same reason; numbers
# that identify people come from ranges nobody was ever given (SSN 9xx, telephone 555 01nn).
ROWS: Final = """
SET timezone = 'UTC';
SELECT setseed(0.20260131);

INSERT INTO orgs VALUES
    (1, 'Acme Tools', 'enterprise'), (2, 'Bolt Supply', 'team'), (3, 'Cedar Homes', 'team'),
    (4, 'Delta Marine', 'enterprise'), (5, 'Ember Kitchens', 'free'), (6, 'Fjord Outdoor', 'team');

INSERT INTO products
SELECT i,
       upper(left(kind, 3)) || '-' || lpad(i::text, 4, '0'),
       grade || ' ' || kind,
       (4 + random() * random() * 240)::numeric(10, 2),
       category
  FROM (SELECT i,
               (ARRAY['Compact', 'Classic', 'Heavy', 'Cordless', 'Folding', 'Marine', 'Workshop',
                      'Travel', 'Silent', 'Garden'])[1 + i % 10] AS grade,
               (ARRAY['drill', 'lamp', 'kettle', 'rope', 'tent', 'stove', 'saw', 'anchor', 'desk',
                      'chair', 'clamp', 'lantern', 'pan', 'shelf', 'ladder', 'jacket', 'level',
                      'pump', 'grill', 'bench'])[1 + (i / 10) % 20] AS kind,
               (ARRAY['tools', 'lighting', 'kitchen', 'marine', 'outdoor', 'kitchen', 'tools',
                      'marine', 'furniture', 'furniture', 'tools', 'lighting', 'kitchen',
                      'furniture', 'tools', 'outdoor', 'tools', 'marine', 'outdoor',
                      'furniture'])[1 + (i / 10) % 20] AS category
          FROM generate_series(1, 400) AS i) AS made;

INSERT INTO users
SELECT i,
       tenant,
       lower(translate(first || '.' || last, 'éüöíøñç', 'euoionc')) || i || '@'
           || (ARRAY['acme', 'bolt', 'cedar', 'delta', 'ember', 'fjord'])[tenant] || '.example',
       first || ' ' || last,
       CASE WHEN random() < 0.9
            THEN '+1 ' || 200 + floor(random() * 700)::int || ' 555 01'
                 || lpad(floor(random() * 100)::int::text, 2, '0') END,
       (900 + floor(random() * 100)::int)::text || '-'
           || lpad((1 + floor(random() * 99))::int::text, 2, '0') || '-'
           || lpad((1 + floor(random() * 9999))::int::text, 4, '0'),
       'scrypt$' || md5(random()::text),
       (random() * random() * 9000)::numeric(12, 2),
       date '1950-01-01' + floor(random() * 20000)::int,
       CASE WHEN random() < 0.03 THEN 'admin' WHEN random() < 0.1 THEN 'manager' ELSE 'member' END,
       timestamptz '2026-01-31' - floor(random() * 7e7) * interval '1 second',
       CASE WHEN random() < 0.05
            THEN timestamptz '2026-01-31' - floor(random() * 2e6) * interval '1 second' END
  FROM (SELECT i,
               CASE WHEN i <= 12 THEN 1 + (i - 1) % 6
                    ELSE 1 + floor(6 * random() ^ 1.3)::int END AS tenant,
               (ARRAY['Ada', 'Ben', 'Carla', 'Diego', 'Elif', 'Farid', 'Grace', 'Hana', 'Ivan',
                      'Jörg', 'Kofi', 'Lena', 'Mateo', 'Nina', 'Omar', 'Priya', 'Quinn', 'Rosa',
                      'Søren', 'Tara', 'Umar', 'Vera', 'Wen', 'Ximena', 'Yuki', 'Zoé']
               )[1 + floor(random() * 26)::int] AS first,
               (ARRAY['Adler', 'Baker', 'Castillo', 'Dube', 'Eriksen', 'Fischer', 'Garcia',
                      'Haddad', 'Ito', 'Jansen', 'Kaplan', 'Lopes', 'Müller', 'Novak',
                      'Okafor', 'Patel', 'Quiroga', 'Rossi', 'Silva', 'Tanaka', 'Usman',
                      'Vargas', 'Weiss', 'Xu', 'Yilmaz', 'Zhang']
               )[1 + floor(random() * 26)::int] AS last
          FROM generate_series(1, 6000) AS i) AS made;

-- Orders are bought by their own tenant's users; totals are the sum of their lines.
CREATE TEMP TABLE bought AS
SELECT i AS id, 1 + floor(random() * 6000)::bigint AS user_id,
       1 + floor(random() * 3)::int AS lines, random() AS fate, random() AS chatter,
       timestamptz '2026-01-31' - floor(random() * random() * 6e7) * interval '1 second'
           AS created_at
  FROM generate_series(1, 20000) AS i;
CREATE TEMP TABLE lines AS
SELECT row_number() OVER (ORDER BY made.order_id, made.line) AS id, order_id, product_id, quantity,
       price
  FROM (SELECT bought.id AS order_id, line, 1 + floor(random() * 400)::bigint AS product_id,
               1 + floor(random() * random() * 5)::int AS quantity
          FROM bought, generate_series(1, bought.lines) AS line) AS made
  JOIN products ON products.id = made.product_id;

INSERT INTO orders
SELECT bought.id, users.tenant_id, users.id,
       CASE WHEN fate < 0.55 THEN 'paid' WHEN fate < 0.80 THEN 'shipped'
            WHEN fate < 0.90 THEN 'open' WHEN fate < 0.95 THEN 'cancelled' ELSE 'draft' END,
       sums.total,
       CASE WHEN chatter < 0.08 THEN 'leave at the reception'
            WHEN chatter < 0.14 THEN 'call before delivery'
            WHEN chatter < 0.17 THEN 'gift, no invoice in the box' END,
       greatest(bought.created_at, users.created_at)
  FROM bought
  JOIN users ON users.id = bought.user_id
  JOIN (SELECT order_id, sum(quantity * price) AS total FROM lines GROUP BY order_id) AS sums
    ON sums.order_id = bought.id
 ORDER BY bought.id;

INSERT INTO order_items
SELECT lines.id, orders.tenant_id, lines.order_id, product_id, quantity, price
  FROM lines JOIN orders ON orders.id = lines.order_id
 ORDER BY lines.id;

INSERT INTO secrets
SELECT row_number() OVER (), orgs.id, kind.name, kind.prefix || md5(orgs.name || kind.name)
  FROM orgs, (VALUES ('payment_api', 'pk_live_'), ('mail_api', 'mail-'), ('backup', 'bk:'))
             AS kind (name, prefix);
DROP TABLE bought, lines;
"""

INDEXES: Final = """
CREATE INDEX users_tenant_id ON users (tenant_id, id);
CREATE INDEX orders_tenant_id ON orders (tenant_id, id);
CREATE INDEX orders_user_id ON orders (user_id);
CREATE INDEX orders_created_at ON orders (tenant_id, created_at);
CREATE INDEX order_items_order_id ON order_items (order_id);
CREATE INDEX order_items_tenant_id ON order_items (tenant_id, id);
CREATE INDEX order_items_product_id ON order_items (product_id);
ANALYZE;
"""

# What the proxy logs in as: it may read the tables and nothing more.
ROLE: Final = f"""
CREATE ROLE {UPSTREAM_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT;
REVOKE CREATE, TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {UPSTREAM_ROLE};
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {UPSTREAM_ROLE};
"""

# Foreign keys are declared with the tables and checked at the end of each INSERT: about a second.
SHOP: Final = f"{TABLES}\n{ROWS}\n{INDEXES}\n{ROLE}"
