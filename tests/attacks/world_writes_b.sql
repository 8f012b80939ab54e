-- After world_b.sql: what tenant 1 may not see of the tables of world_writes.sql is different.
UPDATE notes SET pin = 'WBPIN' || id;
UPDATE notes SET body = 'WB' || id, stars = 3, mail = NULL WHERE tenant_id <> 1 OR gone IS NOT NULL;
UPDATE notes SET mail = 'a' || substr(mail, 3) WHERE tenant_id = 1 AND id < 13;
INSERT INTO notes(tenant_id, id, user_id, body) SELECT 2, 6000 + g, 500 + g, 'WB' FROM generate_series(1, 20) g;
UPDATE tickets SET title = 'WB', state = CASE state WHEN 'draft' THEN 'draft' ELSE 'held' END WHERE id <> 41;
INSERT INTO tickets(tenant_id, id, title, owner_id) OVERRIDING SYSTEM VALUE SELECT 2, 6000 + g, 'WB', 500 + g
  FROM generate_series(1, 20) g;
UPDATE parcels SET pin = 'WBPIN';
UPDATE parcels SET label = 'WB', weight = 3 WHERE tenant_id <> 1;
UPDATE codes SET pin = 'WBPIN';
UPDATE codes SET value = 'WB' WHERE tenant_id <> 1;
INSERT INTO codes VALUES ('c3', 2, 'WB');
INSERT INTO trees SELECT 500 + g, 2, NULL, 'WB' FROM generate_series(1, 20) g;
INSERT INTO dials VALUES (93, 'cc');
ALTER TABLE users ALTER ssn SET DEFAULT '900-00-0000';
ALTER TABLE notes ALTER pin SET DEFAULT 'WBPIN';
UPDATE users_archive SET email = 'odd@t1.example', full_name = 'A' WHERE id = 98;
SELECT setval('user_ids', 705);  -- keys that count up tell of volumes, which is said where they are permitted
-- keep foreign rows physically first after the updates
CREATE INDEX tmp_n ON notes((tenant_id = 1 AND gone IS NULL), id);
CREATE INDEX tmp_t ON tickets((id = 41), id);
CREATE INDEX tmp_p ON parcels((tenant_id = 1), id);
CLUSTER notes USING tmp_n; CLUSTER tickets USING tmp_t; CLUSTER parcels USING tmp_p;
DROP INDEX tmp_n, tmp_t, tmp_p;
ALTER TABLE notes SET WITHOUT CLUSTER; ALTER TABLE tickets SET WITHOUT CLUSTER;
ALTER TABLE parcels SET WITHOUT CLUSTER;
ANALYZE;
