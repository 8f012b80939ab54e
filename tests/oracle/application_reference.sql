-- What the subject sees of application.sql, by hand: row-level security says which rows, a
-- security-barrier view which columns. The tables were moved to the schema base.
ALTER TABLE base.tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.tenants TO oracle_owner USING (id = 2);
CREATE VIEW tenants WITH (security_barrier) AS SELECT id, name, plan FROM base.tenants;

ALTER TABLE base.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.users TO oracle_owner USING (tenant_id = 2 AND deleted_at IS NULL);
CREATE VIEW users WITH (security_barrier) AS
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
FROM base.users;

ALTER TABLE base.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.orders TO oracle_owner USING (tenant_id = 2 AND status <> 'cancelled');
CREATE VIEW orders WITH (security_barrier) AS
SELECT id, tenant_id, user_id, status, total, note, reference, due, created_at, code, meta
FROM base.orders;

CREATE VIEW products WITH (security_barrier) AS
SELECT id, sku, name, price, category, attrs, dims, discontinued FROM base.products;

ALTER TABLE base.order_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.order_items TO oracle_owner USING (tenant_id = 2);
CREATE VIEW order_items WITH (security_barrier) AS
SELECT order_id, line, tenant_id, product_id, quantity, unit_price, discount FROM base.order_items;

ALTER TABLE base.tags ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.tags TO oracle_owner USING (tenant_id = 2);
CREATE VIEW tags WITH (security_barrier) AS SELECT id, tenant_id, name FROM base.tags;

ALTER TABLE base.order_tags ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.order_tags TO oracle_owner USING (tenant_id = 2);
CREATE VIEW order_tags WITH (security_barrier) AS
SELECT order_id, tag_id, tenant_id FROM base.order_tags;

ALTER TABLE base.events ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.events TO oracle_owner USING (tenant_id = 2);
CREATE VIEW events WITH (security_barrier) AS
SELECT id, tenant_id, happened, kind, amount, payload FROM base.events;

ALTER TABLE base.events_2026 ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.events_2026 TO oracle_owner USING (tenant_id = 2 AND kind IS NOT NULL);
CREATE VIEW events_2026 WITH (security_barrier) AS
SELECT id, tenant_id, happened, kind, amount, payload FROM base.events_2026;

ALTER TABLE base.documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.documents TO oracle_owner USING (tenant_id = 2);
CREATE VIEW documents WITH (security_barrier) AS
SELECT id, tenant_id, title, owner_id, pages FROM base.documents;
-- ONLY means nothing before a view; the statement for the reference names this one instead.
CREATE VIEW documents_only WITH (security_barrier) AS
SELECT id, tenant_id, title, owner_id, pages FROM ONLY base.documents;

ALTER TABLE base.contracts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.contracts TO oracle_owner USING (tenant_id = 2);
CREATE VIEW contracts WITH (security_barrier) AS
SELECT id, tenant_id, title, owner_id, pages, party, signed FROM base.contracts;

ALTER TABLE base.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.notes TO oracle_owner USING (tenant_id = 2 AND author_id = 12);
CREATE VIEW notes WITH (security_barrier) AS
SELECT id, tenant_id, author_id, body, private, score, written FROM base.notes;

ALTER TABLE base.metrics ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.metrics TO oracle_owner USING (tenant_id = 2);
CREATE VIEW metrics WITH (security_barrier) AS SELECT tenant_id, name, day, value FROM base.metrics;

ALTER TABLE base.kinds ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base.kinds TO oracle_owner
USING (tenant_id = 2 AND (medium < 900 OR medium IS NULL));
CREATE VIEW kinds WITH (security_barrier) AS
SELECT id, tenant_id, small, medium, large, amount, words, short, fixed, digits, token_id, flag,
       day, moment, data, numbers, names, state,
       CASE WHEN char_length(shape) < 5 THEN '***'
            ELSE substring(shape from '^.') || '***' || substring(shape from '.$') END AS shape,
       CASE WHEN char_length(prefix) < 4 THEN '***'
            ELSE substring(prefix from '^..') || '***' END AS prefix,
       (floor(bucket / 10) * 10)::numeric(12, 2) AS bucket,
       make_date(extract(year from month)::int, extract(month from month)::int, 1) AS month,
       to_timestamp(floor(extract(epoch from hour) / 3600) * 3600) AS hour,
       text 'hidden' AS constant,
       substring(keyed_digest('twins', twin::text) for 32)::uuid AS twin
FROM base.kinds;

ALTER TABLE base."Order Log" ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON base."Order Log" TO oracle_owner USING ("tenantId" = 2);
CREATE VIEW "Order Log" WITH (security_barrier) AS
SELECT "Id", "tenantId", "group", "select", "Größe" FROM base."Order Log";

ALTER TABLE "base sales".targets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON "base sales".targets TO oracle_owner USING (tenant_id = 2);
CREATE VIEW sales.targets WITH (security_barrier) AS
SELECT id, tenant_id, region, goal, year FROM "base sales".targets;
