-- Nobody behind the proxy changes data or reads files.

-- as: agent_acme
-- expect: deny
UPDATE users SET email = 'x@example.com' WHERE id = 1;

-- as: agent_acme
-- expect: deny
DELETE FROM orders WHERE id = 1;

-- as: agent_bolt
-- expect: deny
SELECT pg_read_file('/etc/passwd');

-- as: agent_bolt
-- expect: deny
COPY users TO PROGRAM 'cat';
