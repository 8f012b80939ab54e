// A tracker written to by Drizzle: it writes `default` for each column that is not given.
import { and, asc, eq, gt, inArray, like, lt, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import {
  bigint, boolean, date, integer, jsonb, numeric, pgEnum, pgTable, primaryKey, serial, text,
  timestamp, uuid, varchar,
} from 'drizzle-orm/pg-core';
import pg from 'pg';
import { refusal } from './sqlstate.mjs';

const status = pgEnum('project_status', ['open', 'paused', 'closed']);
const projects = pgTable('projects', {
  id: integer('id').primaryKey().generatedByDefaultAsIdentity(),
  tenantId: integer('tenant_id').notNull(),
  name: varchar('name', { length: 80 }).notNull(),
  ownerEmail: text('owner_email').notNull(),
  status: status('status').notNull().default('open'),
  budget: numeric('budget', { precision: 12, scale: 2 }).notNull().default('0'),
  settings: jsonb('settings').notNull().default({}),
  tags: text('tags').array().notNull().default([]),
  version: integer('version').notNull().default(1),
  started: date('started'),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', { withTimezone: true }).$onUpdate(() => new Date()),
});
const tasks = pgTable('tasks', {
  id: serial('id').primaryKey(), tenantId: integer('tenant_id').notNull(),
  projectId: integer('project_id').notNull(), parentId: integer('parent_id'),
  title: text('title').notNull(), estimate: integer('estimate').notNull().default(1),
  done: boolean('done').notNull().default(false), due: date('due'),
});
const labels = pgTable('labels', {
  id: serial('id').primaryKey(), tenantId: integer('tenant_id').notNull().default(sql`0`),
  name: text('name').notNull(), color: text('color').notNull().default('grey'),
  uses: integer('uses').notNull().default(0),
});
const taskLabels = pgTable('task_labels', {
  taskId: integer('task_id').notNull(), labelId: integer('label_id').notNull(),
}, (table) => [primaryKey({ columns: [table.taskId, table.labelId] })]);
const notes = pgTable('notes', {
  id: uuid('id').primaryKey().defaultRandom(), tenantId: integer('tenant_id').notNull(),
  body: text('body').notNull(),
});
const preferences = pgTable('preferences', {
  tenantId: integer('tenant_id').notNull(), name: text('name').notNull(),
  value: jsonb('value').notNull(),
}, (table) => [primaryKey({ columns: [table.tenantId, table.name] })]);
const events = pgTable('events', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  tenantId: integer('tenant_id').notNull(), kind: text('kind').notNull(),
});
const currencies = pgTable('currencies', { code: text('code').primaryKey(), rate: numeric('rate') });

export async function work(connectionString, own) {
  const pool = new pg.Pool({ connectionString, max: 2 });
  const db = drizzle(pool);
  const did = {};
  const plain = ({ updatedAt, ownerEmail, ...row }) => row;

  const [created] = await db.insert(projects).values({
    tenantId: own, name: 'created', ownerEmail: 'c@example.org', tags: ['a'], budget: '12.5',
  }).returning();
  did.created = plain(created);
  const [label] = await db.insert(labels).values({ name: 'made' }).returning();
  did.label = label;
  const rows = Array.from({ length: 24 }, (_, n) =>
    ({ tenantId: own, projectId: created.id, title: `bulk ${n}`, estimate: n }));
  did.many = await db.insert(tasks).values(rows).returning({ id: tasks.id, done: tasks.done });
  await db.insert(notes).values([{ tenantId: own, body: 'one' }, { tenantId: own, body: 'two' }]);
  await db.insert(preferences).values({ tenantId: own, name: 'font', value: { size: [1, null] } });
  await db.insert(taskLabels).values(did.many.slice(0, 3).map((t) => ({ taskId: t.id, labelId: label.id })));

  did.changed = (await db.update(projects)
    .set({ budget: sql`${projects.budget} + 7`, status: 'paused', settings: { deep: { a: [1, null] } } })
    .where(eq(projects.id, created.id)).returning()).map(plain);
  did.bulk = (await db.update(tasks).set({ estimate: sql`${tasks.estimate} * 2`, title: sql`upper(${tasks.title})` })
    .where(and(like(tasks.title, 'bulk%'), gt(tasks.estimate, 3)))).rowCount;
  did.joined = (await db.update(tasks).set({ due: '2026-01-02' }).from(projects)
    .where(and(eq(tasks.projectId, projects.id), eq(projects.status, 'paused'), lt(tasks.estimate, 3)))
    .returning({ id: tasks.id, project: projects.name })).length;
  did.inner = (await db.update(tasks).set({ done: true }).where(inArray(tasks.projectId,
    db.select({ id: projects.id }).from(projects).where(eq(projects.status, 'paused'))))).rowCount;

  const upsert = () => db.insert(labels).values([
    { tenantId: own, name: 'common', uses: 5 }, { tenantId: own, name: 'fresh', uses: 5 }]);
  did.upserted = await upsert().onConflictDoUpdate({
    target: [labels.tenantId, labels.name], set: { uses: sql`${labels.uses} + excluded.uses`, color: 'gold' },
  }).returning();
  did.where = await upsert().onConflictDoUpdate({
    target: [labels.tenantId, labels.name], set: { uses: 9 }, setWhere: sql`${labels.uses} >= 5`,
  }).returning({ name: labels.name, uses: labels.uses });
  did.nothing = (await upsert().onConflictDoNothing()).rowCount;
  did.preference = await db.insert(preferences).values({ tenantId: own, name: 'theme', value: 'dark' })
    .onConflictDoUpdate({ target: [preferences.tenantId, preferences.name], set: { value: 'dark' } }).returning();

  did.transaction = await db.transaction(async (tx) => {
    await tx.insert(labels).values({ name: 'kept' });
    await tx.transaction(async (inner) => {
      await inner.insert(labels).values({ name: 'undone' });
      inner.rollback();
    }).catch(() => undefined);
    const failed = await refusal(tx.transaction((inner) => inner.insert(labels).values({ name: 'common' })));
    const [locked] = await tx.select().from(projects).where(eq(projects.id, created.id)).for('update');
    await tx.update(projects).set({ version: locked.version + 1 })
      .where(and(eq(projects.id, locked.id), eq(projects.version, locked.version)));
    const stale = await tx.update(projects).set({ version: 9 })
      .where(and(eq(projects.id, locked.id), eq(projects.version, locked.version)));
    return [failed, stale.rowCount];
  });
  did.labels = (await db.select({ name: labels.name }).from(labels).orderBy(asc(labels.id))).map((l) => l.name);

  did.unlabelled = (await db.delete(taskLabels).where(eq(taskLabels.labelId, label.id))).rowCount;
  did.deleted = (await db.delete(tasks).where(eq(tasks.id, did.many[0].id)).returning()).map((t) => t.title);
  did.bulk_deleted = (await db.delete(tasks).where(and(like(tasks.title, 'BULK%'), gt(tasks.estimate, 20)))).rowCount;
  const [note] = await db.select().from(notes).where(eq(notes.body, 'one'));
  did.note = (await db.delete(notes).where(eq(notes.id, note.id)).returning()).map((n) => n.body);
  await db.delete(preferences).where(and(eq(preferences.tenantId, own), eq(preferences.name, 'font')));
  did.left = (await db.select().from(notes).orderBy(asc(notes.body))).map((n) => n.body);
  await pool.end();
  return did;
}

export async function forbidden(connectionString) {
  const pool = new pg.Pool({ connectionString, max: 1 });
  const db = drizzle(pool);
  const note = (tenantId, n) => ({ tenantId, body: `note ${n}` });
  const got = {
    foreign: await refusal(db.insert(labels).values({ tenantId: 2, name: 'foreign' })),
    among_own: await refusal(db.insert(notes).values([note(1, 1), note(2, 2)])),
    moved: await refusal(db.update(tasks).set({ tenantId: 2 }).where(eq(tasks.id, 2))),
    parent: await refusal(db.insert(tasks).values({ tenantId: 1, projectId: 1, title: 'x' })),
    shared: await refusal(db.update(currencies).set({ rate: '2' }).where(eq(currencies.code, 'EUR'))),
    many: await refusal(db.insert(notes).values(Array.from({ length: 41 }, (_, n) => note(1, n)))),
    no_key: await refusal(db.delete(projects)),
    no_reason: await refusal(db.insert(events).values({ tenantId: 1, kind: 'x' })),
  };
  await db.transaction(async (tx) => {
    await tx.execute(sql`SET LOCAL querywarden.reason = 'it was asked for'`);
    await tx.insert(events).values({ tenantId: 1, kind: 'x' });
    got.reason = await tx.$count(events);
    tx.rollback();
  }).catch(() => undefined);
  await pool.end();
  return got;
}
