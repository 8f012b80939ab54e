-- What the rules in demo.yaml must answer; each statement is decided, never run.
-- Above a statement:  as: LOGIN   and   expect: allow   or   expect: deny [REASON]   or   expect: hold,
-- which is allowed when somebody consents.
-- A statement ends with a semicolon at the end of a line.

-- as: agent_acme
-- expect: allow
SELECT id, email, phone FROM users WHERE id = 1;

-- as: agent_acme
-- expect: allow
SELECT u.full_name, count(*), sum(o.total)
  FROM users u JOIN orders o ON o.user_id = u.id
 GROUP BY u.full_name;

-- as: agent_bolt
-- expect: allow
SELECT * FROM users;

-- secrets are hidden on purpose
-- as: agent_bolt
-- expect: deny
SELECT value FROM secrets;

-- a table that no rule names
-- as: agent_acme
-- expect: deny
SELECT * FROM pg_catalog.pg_authid;
