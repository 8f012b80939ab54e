-- Run before each application, so that all begin with the same rows and the same next keys.
TRUNCATE projects, tasks, labels, task_labels, notes, preferences, events, currencies, vault RESTART IDENTITY;
INSERT INTO projects (tenant_id, name, owner_email, budget, settings, tags, started)
  SELECT t, format('%s-canary project %s', c, n), format('%s%s@%s-canary.example', chr(96 + n), n, c),
    100 * n, jsonb_build_object('level', n), ARRAY['t' || n], date '2024-01-01' + n
  FROM generate_series(1, 6) n, (VALUES (2, 'bolt'), (1, 'acme')) v(t, c) ORDER BY n, t DESC;
INSERT INTO tasks (tenant_id, project_id, title, estimate, due)
  SELECT p.tenant_id, p.id, format('%s-canary task %s', split_part(p.name, '-', 1), n), n, date '2024-03-01' + n
  FROM projects p, generate_series(1, 4) n WHERE p.id <= 8 ORDER BY n, p.id;
INSERT INTO labels (tenant_id, name, uses)
  SELECT t, c || '-canary ' || n, 1 FROM unnest(ARRAY['red', 'green', 'blue']) n,
    (VALUES (2, 'bolt'), (1, 'acme')) v(t, c) ORDER BY n, t DESC;
INSERT INTO labels (tenant_id, name) VALUES (2, 'common'), (1, 'common');
INSERT INTO task_labels (task_id, label_id, tenant_id)
  SELECT t.id, l.id, t.tenant_id FROM tasks t JOIN labels l USING (tenant_id) WHERE (t.id + l.id) % 3 = 0;
INSERT INTO notes (id, tenant_id, body)
  SELECT format('00000000-0000-4000-8000-0000000000%s%s', t, n)::uuid, t, format('%s-canary note %s', c, n)
  FROM generate_series(1, 5) n, (VALUES (2, 'bolt'), (1, 'acme')) v(t, c);
INSERT INTO preferences
  SELECT t, n, jsonb_build_object('of', c || '-canary')
  FROM unnest(ARRAY['theme', 'language']) n, (VALUES (2, 'bolt'), (1, 'acme')) v(t, c);
INSERT INTO events (tenant_id, kind) SELECT t, c || '-canary' FROM (VALUES (2, 'bolt'), (1, 'acme')) v(t, c);
INSERT INTO currencies VALUES ('EUR', 1), ('USD', 1.1);
INSERT INTO vault VALUES (1, 1, 'hidden-canary'), (2, 2, 'hidden-canary');
