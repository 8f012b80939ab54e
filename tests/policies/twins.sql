-- What a subject sees: every kind of object a definition can name.
CREATE TYPE mood AS ENUM ('ok', 'sad');
CREATE DOMAIN short AS text DEFAULT 'x' CONSTRAINT short_check CHECK (length(VALUE) < 10);
CREATE TYPE pair AS (a int, b text);
CREATE SCHEMA shop;
CREATE TABLE orgs (id serial PRIMARY KEY, name short NOT NULL);
CREATE TABLE users (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, org_id int NOT NULL REFERENCES orgs (id),
  mood mood NOT NULL DEFAULT 'ok', email text UNIQUE CHECK (email LIKE '%@%'), tags text[],
  coin pair, name text, loud text GENERATED ALWAYS AS (upper(name)) STORED, secret_was text);
ALTER TABLE users DROP COLUMN secret_was;
CREATE INDEX users_lower ON users (lower(name)) WHERE mood = 'ok';
CREATE TABLE shop.events (id bigint, at date NOT NULL, org_id int) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2024 PARTITION OF shop.events
  FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE notes (
  id int PRIMARY KEY, a int, b int, c int, d int, e int, f int, g int, h int,
  total int GENERATED ALWAYS AS (g + h) STORED);
CREATE TABLE parent (id int);
CREATE TABLE child () INHERITS (parent);
CREATE VIEW moods AS SELECT mood, count(*) AS n FROM users GROUP BY mood;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM users;
CREATE FUNCTION shop.twice(n int DEFAULT 2) RETURNS int STABLE LANGUAGE sql AS 'SELECT n * 2';
COMMENT ON FUNCTION shop.twice IS 'doubles';
COMMENT ON TABLE users IS 'people'; COMMENT ON COLUMN users.name IS 'full';
COMMENT ON TYPE mood IS 'how one is'; COMMENT ON INDEX users_lower IS 'for search';
INSERT INTO orgs (name) SELECT 'o' || g FROM generate_series(1, 20) g;
CREATE ROLE twins_app LOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public, shop TO twins_app;
GRANT USAGE ON SCHEMA shop TO twins_app;
