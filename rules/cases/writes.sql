-- What is written: what a capability permits, with a reason and with consent; nothing else.

-- as: agent_acme
-- expect: hold
/* reason='ticket 4711' */
UPDATE orders SET status = 'refunded', refunded_at = '2026-01-31' WHERE id = 43;

-- as: agent_acme
-- expect: deny REASON_REQUIRED
UPDATE orders SET status = 'refunded', refunded_at = '2026-01-31' WHERE id = 43;

-- as: agent_acme
-- expect: deny QUERY_TOO_BROAD
/* reason='all of them' */
UPDATE orders SET status = 'refunded', refunded_at = '2026-01-31' WHERE status = 'paid';

-- as: agent_acme
-- expect: deny FIELD_NOT_ALLOWED
/* reason='a discount' */
UPDATE orders SET total = 0 WHERE id = 43;

-- as: agent_acme
-- expect: deny
UPDATE users SET email = 'x@example.com' WHERE id = 1;

-- as: agent_acme
-- expect: deny
DELETE FROM orders WHERE id = 1;

-- as: office_acme
-- expect: allow
INSERT INTO users (email, full_name, birth_date) VALUES ('new@acme.example', 'Ann New', '1990-01-01');

-- as: office_acme
-- expect: allow
UPDATE users SET role = 'manager' WHERE id = 7;

-- as: office_acme
-- expect: allow
DELETE FROM users WHERE id = 7;

-- as: office_acme
-- expect: deny FIELD_NOT_ALLOWED
UPDATE users SET balance = 1000000 WHERE id = 7;

-- as: agent_bolt
-- expect: deny
SELECT pg_read_file('/etc/passwd');

-- as: agent_bolt
-- expect: deny
COPY users TO PROGRAM 'cat';
