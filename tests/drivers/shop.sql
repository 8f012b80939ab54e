-- Two tenants, hidden columns and a hidden table, and types that drivers look up in the catalogs.
CREATE TYPE tier AS ENUM ('free', 'paid');
CREATE TYPE hidden_tier AS ENUM ('never', 'shown');
CREATE TABLE orgs (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (
  id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES orgs (id), email text NOT NULL UNIQUE,
  full_name text NOT NULL, ssn text NOT NULL, tier tier NOT NULL DEFAULT 'free',
  tags text[] NOT NULL DEFAULT '{}', tiers tier[] NOT NULL DEFAULT '{}',
  balance numeric(12, 2), created_at timestamptz NOT NULL DEFAULT '2024-01-01');
CREATE TABLE orders (
  id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES orgs (id),
  user_id int NOT NULL REFERENCES users (id), amount numeric(12, 2) NOT NULL, status text NOT NULL);
CREATE TABLE secrets (id int PRIMARY KEY, tenant_id int NOT NULL, value text, kind hidden_tier);
CREATE INDEX orders_user ON orders (user_id);
INSERT INTO orgs VALUES (1, 'Acme'), (2, 'Bolt');
INSERT INTO users (id, tenant_id, email, full_name, ssn, tier, tags, tiers, balance) VALUES
  (11, 2, 'zoe@bolt.example', 'Zoe Zimmer', '222-20-0011', 'paid', '{z}', '{paid}', 22.22),
  (1, 1, 'alice@acme.example', 'Alice Anders', '111-10-0001', 'paid', '{a,b}', '{free,paid}', 10.01),
  (2, 1, 'adam@acme.example', 'Adam Avery', '111-10-0002', 'free', '{}', '{}', 20.02);
INSERT INTO orders VALUES
  (201, 2, 11, 777.77, 'paid'), (101, 1, 1, 10.50, 'paid'), (102, 1, 2, 20.00, 'open');
INSERT INTO secrets VALUES (1, 1, 'never seen', 'shown');
CREATE ROLE shop_app LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shop_app;
