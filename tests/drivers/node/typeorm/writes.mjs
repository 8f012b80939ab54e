// A tracker written to by TypeORM.
import 'reflect-metadata';
import { DataSource, EntitySchema, In, Like, MoreThan } from 'typeorm';
import { refusal } from './sqlstate.mjs';

const number = { from: Number, to: (value) => value };
const id = { type: 'int', primary: true, generated: 'increment' };
const tenantId = { type: 'int', name: 'tenant_id' };
const Project = new EntitySchema({
  name: 'Project', tableName: 'projects',
  columns: {
    id, tenantId,
    name: { type: 'varchar', length: 80 },
    ownerEmail: { type: 'text', name: 'owner_email' },
    status: { type: 'enum', enum: ['open', 'paused', 'closed'], enumName: 'project_status', default: 'open' },
    budget: { type: 'numeric', precision: 12, scale: 2, default: 0, transformer: number },
    settings: { type: 'jsonb', default: {} },
    tags: { type: 'text', array: true, default: [] },
    version: { type: 'int', version: true },
    started: { type: 'date', nullable: true },
    updatedAt: { type: 'timestamptz', name: 'updated_at', updateDate: true },
  },
  relations: { tasks: { type: 'one-to-many', target: 'Task', inverseSide: 'project', cascade: true } },
});
const Task = new EntitySchema({
  name: 'Task', tableName: 'tasks',
  columns: {
    id, tenantId,
    title: { type: 'text' },
    estimate: { type: 'int', default: 1 },
    done: { type: 'boolean', default: false },
    due: { type: 'date', nullable: true },
    archivedAt: { type: 'timestamptz', name: 'archived_at', nullable: true, deleteDate: true },
  },
  relations: {
    project: {
      type: 'many-to-one', target: 'Project', inverseSide: 'tasks', joinColumn: { name: 'project_id' },
      orphanedRowAction: 'delete',
    },
    parent: { type: 'many-to-one', target: 'Task', joinColumn: { name: 'parent_id' }, nullable: true },
    labels: {
      type: 'many-to-many', target: 'Label', cascade: true,
      joinTable: { name: 'task_labels', joinColumn: { name: 'task_id' }, inverseJoinColumn: { name: 'label_id' } },
    },
  },
});
const Label = new EntitySchema({
  name: 'Label', tableName: 'labels',
  columns: {
    id, tenantId: { ...tenantId, default: 0 }, name: { type: 'text' },
    color: { type: 'text', default: 'grey' }, uses: { type: 'int', default: 0 },
  },
});
const Note = new EntitySchema({
  name: 'Note', tableName: 'notes',
  columns: {
    id: { type: 'uuid', primary: true, generated: 'uuid' }, tenantId, body: { type: 'text' },
  },
});
const Preference = new EntitySchema({
  name: 'Preference', tableName: 'preferences',
  columns: { tenantId: { ...tenantId, primary: true }, name: { type: 'text', primary: true }, value: { type: 'jsonb' } },
});
const Event = new EntitySchema({
  name: 'Event', tableName: 'events',
  columns: { id: { type: 'bigint', primary: true, generated: 'identity' }, tenantId, kind: { type: 'text' } },
});
const Currency = new EntitySchema({
  name: 'Currency', tableName: 'currencies',
  columns: { code: { type: 'text', primary: true }, rate: { type: 'numeric', transformer: number } },
});
const entities = [Project, Task, Label, Note, Preference];

export async function work(url, own) {
  const source = new DataSource({ type: 'postgres', url, entities, poolSize: 2, installExtensions: false });
  await source.initialize();
  const [projects, tasks, labels, notes, preferences] =
    entities.map((entity) => source.getRepository(entity.options.name));
  const did = {};
  const plain = ({ updatedAt, ownerEmail, ...row }) => row;

  const created = await projects.save({
    tenantId: own, name: 'created', ownerEmail: 'c@example.org', tags: ['a'],
    tasks: [{ tenantId: own, title: 'task 0' }, { tenantId: own, title: 'task 1', labels: [{ name: 'child' }] }],
  });
  did.created = [created.id, created.version, created.tasks.map((t) => t.id)];
  did.label = await labels.save({ name: 'made' });
  const many = await tasks.save(Array.from({ length: 12 }, (_, n) =>
    ({ tenantId: own, project: { id: created.id }, title: `bulk ${n}`, estimate: n })), { chunk: 5 });
  did.many = many.map((t) => t.id);
  did.inserted = (await tasks.insert(Array.from({ length: 12 }, (_, n) =>
    ({ tenantId: own, project: { id: created.id }, title: `bulk again ${n}` })))).identifiers;
  await notes.save([{ tenantId: own, body: 'one' }, { tenantId: own, body: 'two' }]);
  await preferences.save({ tenantId: own, name: 'font', value: { size: [1, null] } });

  delete created.tasks; // or those it does not name would be orphans
  created.budget = 12.5;
  created.status = 'paused';
  created.settings = { deep: { a: [1, null] } };
  created.tags = ['a', 'b'];
  await projects.save(created);
  did.changed = plain(await projects.findOneByOrFail({ id: created.id }));
  const loaded = await projects.findOneOrFail({ where: { id: created.id }, relations: { tasks: true } });
  loaded.tasks = loaded.tasks.filter((t) => t.title !== 'task 0');
  await projects.save(loaded); // an orphan
  for (const task of many) task.done = true;
  await tasks.save(many);
  did.bulk = (await tasks.update({ title: Like('bulk%'), estimate: MoreThan(3) }, { due: '2026-01-02' })).affected;
  did.incremented = (await tasks.increment({ title: Like('bulk%') }, 'estimate', 5)).affected;
  did.returned = (await tasks.createQueryBuilder().update().set({ title: () => 'upper(title)' })
    .where({ id: In(did.many.slice(0, 3)) }).returning(['id', 'title']).execute()).raw;

  const rows = () => [{ tenantId: own, name: 'common', uses: 5 }, { tenantId: own, name: 'fresh', uses: 5 }];
  did.upserted = (await labels.upsert(rows(), ['tenantId', 'name'])).identifiers;
  did.skipped = (await labels.upsert(rows(), {
    conflictPaths: ['tenantId', 'name'], skipUpdateIfNoValuesChanged: true,
  })).raw;
  did.or_update = (await labels.createQueryBuilder().insert().values(rows())
    .orUpdate(['uses', 'color'], ['tenant_id', 'name']).returning('*').execute()).raw;
  did.or_ignore = (await labels.createQueryBuilder().insert().values(rows()).orIgnore().execute()).raw;
  await preferences.upsert({ tenantId: own, name: 'theme', value: 'dark' }, ['tenantId', 'name']);
  await preferences.save({ tenantId: own, name: 'theme', value: 'light' });

  did.transaction = await source.transaction(async (manager) => {
    await manager.save('Label', { name: 'kept' });
    const failed = await refusal(manager.transaction((inner) => inner.insert('Label', { name: 'common' })));
    const locked = await manager.findOneOrFail('Project', {
      where: { id: created.id }, lock: { mode: 'pessimistic_write' } });
    locked.budget += 7;
    await manager.save('Project', locked);
    const stale = await manager.update('Project', { id: locked.id, version: locked.version - 1 }, { name: 'stale' });
    return [failed, stale.affected, locked.version];
  });
  await source.transaction(async (manager) => {
    await manager.save('Label', { name: 'rolled back' });
    throw new Error('undo');
  }).catch(() => undefined);
  did.labels = (await labels.find({ order: { id: 'ASC' } })).map((l) => l.name);

  const labelled = await tasks.findOneOrFail({ where: { title: 'task 1' }, relations: { labels: true } });
  labelled.labels = [did.label];
  await tasks.save(labelled);
  await source.createQueryBuilder().relation('Task', 'labels').of(labelled).remove(did.label);
  const [archived] = await tasks.softRemove(await tasks.findBy({ title: In(['bulk again 1', 'bulk again 2']) }));
  did.archived = [archived.archivedAt instanceof Date, (await tasks.softDelete(many[5].id)).affected,
    (await tasks.restore({ title: 'bulk again 2' })).affected, await tasks.count()];
  did.removed = (await tasks.remove(await tasks.findBy({ title: Like('BULK%') }))).length;
  did.deleted = (await tasks.delete({ title: Like('bulk again%') })).affected;
  await notes.save([{ tenantId: own, body: 'three' }, { tenantId: own, body: 'four' }]);
  did.note = (await notes.delete(await notes.findOneByOrFail({ body: 'one' }))).affected;
  await notes.remove(await notes.findBy({ body: In(['two', 'three']) }));
  did.left = (await notes.find({ order: { body: 'ASC' } })).map((n) => n.body);
  did.preference = (await preferences.delete({ tenantId: own, name: 'font' })).affected;
  await source.destroy();
  return did;
}

export async function forbidden(url) {
  const source = new DataSource({ type: 'postgres', url, entities: [...entities, Event, Currency], poolSize: 1, installExtensions: false });
  await source.initialize();
  const { manager } = source;
  const note = (tenantId, n) => ({ tenantId, body: `note ${n}` });
  const got = {
    foreign: await refusal(manager.save('Label', { tenantId: 2, name: 'foreign' })),
    among_own: await refusal(manager.save('Note', [note(1, 1), note(2, 2)])),
    moved: await refusal(manager.save('Task', { id: 2, tenantId: 2 })),
    parent: await refusal(manager.save('Task', { tenantId: 1, project: { id: 1 }, title: 'x' })),
    shared: await refusal(manager.update('Currency', { code: 'EUR' }, { rate: 2 })),
    many: await refusal(manager.insert('Note', Array.from({ length: 41 }, (_, n) => note(1, n)))),
    no_key: await refusal(manager.createQueryBuilder().delete().from('Project').execute()),
    no_reason: await refusal(manager.insert('Event', { tenantId: 1, kind: 'x' })),
  };
  await source.transaction(async (inner) => {
    await inner.createQueryBuilder().insert().into('Event').values({ tenantId: 1, kind: 'x' })
      .comment("reason='it%20was%20asked%20for'").execute();
    got.reason = await inner.count('Event');
    throw new Error('undo');
  }).catch((error) => { if (error.message !== 'undo') throw error; });
  await source.destroy();
  return got;
}
