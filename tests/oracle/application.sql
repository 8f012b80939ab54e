-- The application of the reference oracle: the usual kinds of tables, several tenants in each.
-- Rows come from rows.py. Columns whose values break an expression on rows of others only
-- (orders.reference, order_items.quantity, kinds.digits) show at once when a foreign row was seen.
CREATE TYPE order_status AS ENUM ('new', 'paid', 'shipped', 'returned', 'cancelled');
CREATE SCHEMA sales;

CREATE TABLE tenants (id bigint PRIMARY KEY, name text NOT NULL, plan varchar(10));
CREATE TABLE users (
    id bigint PRIMARY KEY, tenant_id bigint NOT NULL, email text, full_name text, phone varchar(20),
    ssn text, birth_date date, balance numeric(12, 2), nick varchar(12), active boolean,
    manager_id bigint, age integer, created_at timestamptz NOT NULL, deleted_at timestamptz,
    prefs jsonb, labels text[]
);
CREATE INDEX ON users (tenant_id);
CREATE INDEX ON users (nick);
CREATE TABLE orders (
    id bigint PRIMARY KEY, tenant_id bigint NOT NULL, user_id bigint, status order_status NOT NULL,
    total numeric(12, 2), note text, reference text NOT NULL, due date, created_at timestamptz,
    code uuid NOT NULL, meta jsonb
);
CREATE INDEX ON orders (user_id);
CREATE INDEX ON orders (created_at, id);
CREATE TABLE products (
    id integer PRIMARY KEY, sku varchar(12) NOT NULL UNIQUE, name text NOT NULL,
    price numeric(10, 2), category text, attrs jsonb, dims integer[], discontinued boolean NOT NULL
);
CREATE TABLE order_items (
    order_id bigint, line integer, tenant_id bigint NOT NULL, product_id integer,
    quantity integer NOT NULL, unit_price numeric(10, 2), discount numeric(5, 2),
    PRIMARY KEY (order_id, line)
);
CREATE TABLE tags (id integer PRIMARY KEY, tenant_id bigint NOT NULL, name text);
CREATE TABLE order_tags (
    order_id bigint, tag_id integer, tenant_id bigint NOT NULL, PRIMARY KEY (order_id, tag_id)
);
CREATE TABLE events (
    id bigint, tenant_id bigint NOT NULL, happened date NOT NULL, kind text, amount integer,
    payload jsonb, PRIMARY KEY (id, happened)
) PARTITION BY RANGE (happened);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE events_other PARTITION OF events DEFAULT;
CREATE TABLE documents (
    id bigint PRIMARY KEY, tenant_id bigint NOT NULL, title text, owner_id bigint, pages integer
);
CREATE TABLE contracts (party text, signed date, PRIMARY KEY (id)) INHERITS (documents);
CREATE TABLE notes (
    id bigint PRIMARY KEY, tenant_id bigint NOT NULL, author_id bigint, body text,
    private boolean, score integer, written timestamptz
);
CREATE TABLE metrics (tenant_id bigint NOT NULL, name text, day date, value integer);
CREATE TABLE kinds (
    id integer PRIMARY KEY, tenant_id bigint NOT NULL, small smallint, medium integer, large bigint,
    amount numeric(12, 2), words text, short varchar(12), fixed character(6), digits text NOT NULL,
    token_id uuid, flag boolean, day date, moment timestamptz, data jsonb, numbers integer[],
    names text[], state order_status, hidden text, shape text, prefix text, bucket numeric(12, 2),
    month date, hour timestamptz, constant text, twin uuid
);
CREATE TABLE "Order Log" (
    "Id" integer PRIMARY KEY, "tenantId" bigint NOT NULL, "group" text, "select" integer,
    "Größe" numeric(8, 2)
);
CREATE TABLE sales.targets (
    id integer PRIMARY KEY, tenant_id bigint NOT NULL, region text, goal numeric(12, 2), year integer
);
CREATE TABLE secrets (id integer PRIMARY KEY, tenant_id bigint, value text);
