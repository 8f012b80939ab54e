CREATE TYPE mood AS ENUM ('a');
CREATE TABLE t (id serial PRIMARY KEY, org integer, a text, mail text, secret text, n numeric, mood mood);
CREATE TABLE tags (id serial PRIMARY KEY, x text, n integer);
CREATE TABLE jobs (
    id serial PRIMARY KEY, org integer NOT NULL, who integer, title text, mail text,
    secret text DEFAULT 'hidden', state text DEFAULT 'new', price numeric, t_id integer REFERENCES t,
    tag_id integer REFERENCES tags, parts jsonb, died date, hidden_id integer,
    CONSTRAINT jobs_title_key UNIQUE (org, title)
);
CREATE TABLE pairs (a integer, b integer DEFAULT 0, org integer, x text, y text, PRIMARY KEY (a, b));
INSERT INTO t (id, org, a) VALUES (1, 1, 'own'), (2, 2, 'foreign');
INSERT INTO tags (id, x, n) VALUES (1, 'one', 1), (2, 'two', 2);
INSERT INTO jobs (id, org, title, mail, died) VALUES
    (1, 1, 'one', 'ada@one', NULL), (2, 2, 'two', 'bob@two', NULL), (3, 1, 'dead', 'x', '2020-01-01');
INSERT INTO pairs VALUES (1, 1, 1, 'own', 'y'), (2, 1, 2, 'foreign', 'z');
SELECT setval('jobs_id_seq', 10), setval('tags_id_seq', 10);
