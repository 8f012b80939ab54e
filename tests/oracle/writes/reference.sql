-- What the subject may do, by hand, in PostgreSQL's own means: run after ../application_reference.sql.
-- Row-level security says which rows may be seen, changed and written; grants which columns; the
-- views which columns are masked. RLS cannot hide rows that its own UPDATE hides (soft delete), so
-- that is said by the views; "_d" of a view is the one whose rows may be hidden, "_w" the one
-- that takes values of masked columns.
ALTER POLICY own ON base.users USING (tenant_id = 2);
CREATE OR REPLACE VIEW users WITH (security_barrier, check_option = cascaded) AS
SELECT id, tenant_id,
       CASE WHEN email !~ '@' THEN '***'
            WHEN email ~ '^.?@' THEN '***@' || substring(email from '[^@]*$')
            ELSE substring(email from '^.') || '***@' || substring(email from '[^@]*$') END AS email,
       keyed_digest('names', full_name) AS full_name,
       (CASE WHEN char_length(phone) >= 8 THEN '***' || substring(phone from '.{4}$')
             WHEN phone IS NOT NULL THEN '***' END)::varchar(20) AS phone,
       make_date(extract(year from birth_date)::int, 1, 1) AS birth_date,
       NULL::numeric(12, 2) AS balance,
       nick, active, manager_id, age, created_at, deleted_at, prefs, labels
FROM base.users WHERE deleted_at IS NULL;
CREATE VIEW users_d WITH (security_barrier) AS
SELECT id, tenant_id,
       CASE WHEN email !~ '@' THEN '***'
            WHEN email ~ '^.?@' THEN '***@' || substring(email from '[^@]*$')
            ELSE substring(email from '^.') || '***@' || substring(email from '[^@]*$') END AS email,
       keyed_digest('names', full_name) AS full_name,
       (CASE WHEN char_length(phone) >= 8 THEN '***' || substring(phone from '.{4}$')
             WHEN phone IS NOT NULL THEN '***' END)::varchar(20) AS phone,
       make_date(extract(year from birth_date)::int, 1, 1) AS birth_date,
       NULL::numeric(12, 2) AS balance,
       nick, active, manager_id, age, created_at, deleted_at, prefs, labels
FROM base.users WHERE deleted_at IS NULL;
CREATE VIEW users_w WITH (security_barrier, check_option = cascaded) AS
SELECT id, tenant_id,
       CASE WHEN email !~ '@' THEN '***'
            WHEN email ~ '^.?@' THEN '***@' || substring(email from '[^@]*$')
            ELSE substring(email from '^.') || '***@' || substring(email from '[^@]*$') END AS email,
       keyed_digest('names', full_name) AS full_name,
       (CASE WHEN char_length(phone) >= 8 THEN '***' || substring(phone from '.{4}$')
             WHEN phone IS NOT NULL THEN '***' END)::varchar(20) AS phone,
       make_date(extract(year from birth_date)::int, 1, 1) AS birth_date,
       NULL::numeric(12, 2) AS balance,
       nick, active, manager_id, age, created_at, deleted_at, prefs, labels,
       email AS email_w, phone AS phone_w, birth_date AS birth_date_w
FROM base.users WHERE deleted_at IS NULL;

-- Whether anybody has such a row: a reference to nothing is an error of PostgreSQL's own.
CREATE FUNCTION oracle.known(name text, id text) RETURNS boolean STABLE SECURITY DEFINER
LANGUAGE plpgsql AS $$ DECLARE found boolean; BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM base.%I WHERE id::text = $1)', name)
    INTO found USING id;
    RETURN found;
END $$;

ALTER TABLE base.accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.accounts TO oracle_owner USING (tenant_id = 2);
CREATE VIEW accounts WITH (security_barrier) AS
SELECT id, tenant_id, code, level, credit, doubled, names, data FROM base.accounts;

ALTER TABLE base.tickets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.tickets TO oracle_owner USING (tenant_id = 2);
CREATE POLICY refs ON base.tickets AS RESTRICTIVE FOR ALL TO oracle_owner USING (true)
WITH CHECK (account_id IS NULL OR account_id IN (SELECT a.id FROM accounts a)
            OR NOT oracle.known('accounts', account_id::text));
CREATE VIEW tickets WITH (security_barrier, check_option = cascaded) AS
SELECT id, tenant_id, account_id, title, priority,
       CASE WHEN contact !~ '@' THEN '***'
            WHEN contact ~ '^.?@' THEN '***@' || substring(contact from '[^@]*$')
            ELSE substring(contact from '^.') || '***@' || substring(contact from '[^@]*$')
       END AS contact,
       state, due, opened, closed_at
FROM base.tickets WHERE closed_at IS NULL;
CREATE VIEW tickets_d WITH (security_barrier) AS
SELECT id, tenant_id, account_id, title, priority,
       CASE WHEN contact !~ '@' THEN '***'
            WHEN contact ~ '^.?@' THEN '***@' || substring(contact from '[^@]*$')
            ELSE substring(contact from '^.') || '***@' || substring(contact from '[^@]*$')
       END AS contact,
       state, due, opened, closed_at
FROM base.tickets WHERE closed_at IS NULL;
CREATE VIEW tickets_w WITH (security_barrier, check_option = cascaded) AS
SELECT id, tenant_id, account_id, title, priority,
       CASE WHEN contact !~ '@' THEN '***'
            WHEN contact ~ '^.?@' THEN '***@' || substring(contact from '[^@]*$')
            ELSE substring(contact from '^.') || '***@' || substring(contact from '[^@]*$')
       END AS contact,
       state, due, opened, closed_at, contact AS contact_w
FROM base.tickets WHERE closed_at IS NULL;

ALTER TABLE base.ticket_lines ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.ticket_lines TO oracle_owner USING (tenant_id = 2);
CREATE POLICY refs ON base.ticket_lines AS RESTRICTIVE FOR ALL TO oracle_owner USING (true)
WITH CHECK (ticket_id IN (SELECT t.id FROM tickets t)
            OR NOT oracle.known('tickets', ticket_id::text));
CREATE VIEW ticket_lines WITH (security_barrier) AS
SELECT ticket_id, line, tenant_id, sku, quantity, price, total FROM base.ticket_lines;

ALTER TABLE base.memos ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.memos TO oracle_owner
USING (tenant_id = 2 AND author_id = 12 AND state <> 'locked');
CREATE POLICY refs ON base.memos AS RESTRICTIVE FOR ALL TO oracle_owner USING (true)
WITH CHECK (ticket_id IS NULL OR ticket_id IN (SELECT t.id FROM tickets t)
            OR NOT oracle.known('tickets', ticket_id::text));
CREATE VIEW memos WITH (security_barrier) AS
SELECT id, tenant_id, author_id, body, state, stars, ticket_id, numbers, data FROM base.memos;

ALTER TABLE base.places ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.places TO oracle_owner USING (tenant_id = 2);
CREATE VIEW places WITH (security_barrier) AS
SELECT id, tenant_id, slug, region, size, open FROM base.places;

-- What the proxy fills in.
DO $$ DECLARE v text; BEGIN
  FOREACH v IN ARRAY '{users,users_w,orders,order_items,tags,order_tags,events,events_2026,
                       documents,contracts,notes,metrics,kinds,sales.targets,accounts,tickets,
                       tickets_w,ticket_lines,memos,places}'::text[] LOOP
    EXECUTE format('ALTER VIEW %s ALTER tenant_id SET DEFAULT 2', v);
  END LOOP; END $$;
ALTER VIEW "Order Log" ALTER "tenantId" SET DEFAULT 2;
ALTER VIEW notes ALTER author_id SET DEFAULT 12;
ALTER VIEW memos ALTER author_id SET DEFAULT 12;

-- A view has no defaults of its table's where a statement says SET x = DEFAULT.
ALTER VIEW accounts ALTER level SET DEFAULT 1, ALTER credit SET DEFAULT 0.00,
    ALTER names SET DEFAULT '{}', ALTER data SET DEFAULT '{"n": 1}';
ALTER VIEW tickets ALTER priority SET DEFAULT 3, ALTER state SET DEFAULT 'new',
    ALTER opened SET DEFAULT '2026-01-01 00:00Z';
ALTER VIEW tickets_w ALTER priority SET DEFAULT 3, ALTER state SET DEFAULT 'new',
    ALTER opened SET DEFAULT '2026-01-01 00:00Z';
ALTER VIEW ticket_lines ALTER price SET DEFAULT 1.00;
ALTER VIEW memos ALTER state SET DEFAULT 'open';
ALTER VIEW places ALTER open SET DEFAULT true;

-- What may be written: columns inserted, columns updated.
GRANT INSERT (id, tenant_id, email, nick, active, manager_id, age, created_at, deleted_at, prefs,
              labels), UPDATE (nick, active, manager_id, age, prefs, labels)
ON users TO oracle_subject;
GRANT INSERT (id, tenant_id, email_w, phone_w, birth_date_w, nick, active, manager_id, age,
              created_at, deleted_at, prefs, labels),
      UPDATE (email_w, phone_w, birth_date_w, nick, active, manager_id, age, prefs, labels)
ON users_w TO oracle_subject;
GRANT UPDATE (deleted_at) ON users_d TO oracle_subject;
GRANT INSERT (id, tenant_id, user_id, status, total, note, reference, due, code, meta),
      UPDATE (user_id, status, total, note, due, meta), DELETE ON orders TO oracle_subject;
GRANT INSERT (id, sku, name, price, category, attrs, dims, discontinued),
      UPDATE (name, price, category, attrs, dims, discontinued), DELETE ON products
TO oracle_subject;
GRANT INSERT (order_id, line, tenant_id, product_id, quantity, unit_price, discount),
      UPDATE (product_id, quantity, unit_price, discount), DELETE ON order_items TO oracle_subject;
GRANT INSERT (id, tenant_id, name), UPDATE (name), DELETE ON tags TO oracle_subject;
GRANT INSERT (order_id, tag_id, tenant_id), DELETE ON order_tags TO oracle_subject;
GRANT INSERT (id, tenant_id, happened, kind, amount, payload), UPDATE (kind, amount, payload),
      DELETE ON events TO oracle_subject;
GRANT INSERT (id, tenant_id, happened, kind, amount, payload), UPDATE (kind, amount, payload),
      DELETE ON events_2026 TO oracle_subject;
GRANT INSERT (id, tenant_id, title, owner_id, pages), UPDATE (title, owner_id, pages), DELETE
ON documents TO oracle_subject;
GRANT UPDATE (title, owner_id, pages), DELETE ON documents_only TO oracle_subject;
GRANT INSERT (id, tenant_id, author_id, body, private, score, written),
      UPDATE (body, private, score, written), DELETE ON notes TO oracle_subject;
GRANT INSERT (tenant_id, name, day, value), UPDATE (name, day, value), DELETE ON metrics
TO oracle_subject;
GRANT INSERT (id, tenant_id, small, medium, large, amount, words, short, fixed, digits, flag, day,
              moment, data, numbers, names, state),
      UPDATE (small, medium, large, amount, words, short, fixed, flag, day, moment, data, numbers,
              names, state), DELETE ON kinds TO oracle_subject;
GRANT INSERT ("Id", "tenantId", "group", "select", "Größe"), UPDATE ("group", "select", "Größe"),
      DELETE ON "Order Log" TO oracle_subject;
GRANT INSERT (id, tenant_id, region, goal, year), UPDATE (region, goal, year), DELETE
ON sales.targets TO oracle_subject;
GRANT INSERT (id, tenant_id, code, level, credit, names, data),
      UPDATE (code, level, credit, names, data), DELETE ON accounts TO oracle_subject;
GRANT INSERT (id, tenant_id, account_id, title, priority, state, due, opened, closed_at),
      UPDATE (account_id, title, priority, state, due) ON tickets TO oracle_subject;
GRANT INSERT (id, tenant_id, account_id, title, priority, contact_w, state, due, opened, closed_at),
      UPDATE (account_id, title, priority, contact_w, state, due) ON tickets_w TO oracle_subject;
GRANT UPDATE (closed_at) ON tickets_d TO oracle_subject;
GRANT INSERT (ticket_id, line, tenant_id, sku, quantity, price), UPDATE (sku, quantity, price),
      DELETE ON ticket_lines TO oracle_subject;
GRANT INSERT (id, tenant_id, author_id, body, state, stars, ticket_id, numbers, data),
      UPDATE (body, state, stars, ticket_id, numbers, data), DELETE ON memos TO oracle_subject;
GRANT INSERT (id, tenant_id, slug, region, size, open), UPDATE (slug, region, size, open), DELETE
ON places TO oracle_subject;
-- Tenant and owner may be assigned what they are; row-level security looks at it. So may a key, where
-- the proxy wants it to be excluded.key.
DO $$ DECLARE v text; c text; BEGIN
  FOR v, c IN SELECT attrelid::regclass, quote_ident(attname) FROM pg_attribute
           JOIN pg_class r ON r.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
           WHERE nspname IN ('public', 'sales') AND relkind = 'v'
             AND attname IN ('tenant_id', 'tenantId', 'author_id', 'id', 'Id', 'order_id', 'line',
                             'tag_id', 'ticket_id', 'happened')
             AND (relname, attname) <> ('memos', 'ticket_id') AND relname !~ '_d$'
             AND relname NOT IN ('tenants', 'contracts') LOOP
    EXECUTE format('GRANT UPDATE (%s) ON %s TO oracle_subject', c, v);
  END LOOP; END $$;
-- Rows of these two are marked; this door is for the login that may really delete them.
GRANT DELETE ON users, tickets TO oracle_subject;
