// A tracker written to by Prisma: its client without an engine, over node-postgres.
import { PrismaPg } from '@prisma/adapter-pg';
import generated from './generated-tracker/index.js';
import { refusal } from './sqlstate.mjs';

const { PrismaClient } = generated;

export async function work(connectionString, own) {
  const db = new PrismaClient({ adapter: new PrismaPg({ connectionString, max: 2 }) });
  const did = {};
  const plain = ({ updatedAt, ownerEmail, ...row }) => row;

  const created = await db.project.create({
    data: { tenantId: own, name: 'created', ownerEmail: 'c@example.org', tags: ['a'], budget: 12.5 },
  });
  did.created = plain(created);
  did.family = await db.project.create({
    data: {
      tenantId: own, name: 'family', ownerEmail: 'f@example.org', settings: { n: 1 },
      tasks: { create: [
        { tenantId: own, title: 'task 0' },
        { tenantId: own, title: 'task 1', labels: { create: [{ label: { create: { name: 'child' } } }] } },
        { tenantId: own, title: 'task 2', labels: { create: [{ label: {
          connectOrCreate: { where: { tenantId_name: { tenantId: own, name: 'common' } }, create: { name: 'common' } } } }] } },
      ] },
    },
    select: { id: true, tasks: { select: { id: true, labels: true }, orderBy: { id: 'asc' } } },
  });
  did.label = await db.label.create({ data: { name: 'made' } });
  const rows = Array.from({ length: 12 }, (_, n) =>
    ({ tenantId: own, projectId: created.id, title: `bulk ${n}`, estimate: n }));
  did.many = await db.task.createMany({ data: rows });
  const returned = await db.task.createManyAndReturn({ data: rows });
  did.returned = returned.map((t) => t.id);
  await db.note.createMany({ data: [{ tenantId: own, body: 'one' }, { tenantId: own, body: 'two' }] });
  did.skipped = await db.label.createMany({
    data: [{ tenantId: own, name: 'common' }, { tenantId: own, name: 'fresh' }], skipDuplicates: true });
  await db.preference.create({ data: { tenantId: own, name: 'font', value: { size: [1, null] } } });

  did.changed = plain(await db.project.update({
    where: { id: created.id },
    data: { budget: { increment: 7 }, status: 'paused', settings: { deep: { a: [1, null] } }, tags: { push: 'b' } },
  }));
  did.bulk = await db.task.updateMany({
    where: { title: { startsWith: 'bulk' }, estimate: { gt: 3 } }, data: { estimate: { multiply: 2 }, done: true } });
  did.bulk_returned = (await db.task.updateManyAndReturn({
    where: { estimate: { gt: 15 } }, data: { due: new Date('2026-01-02') } })).map((t) => t.id).sort((a, b) => a - b);
  did.inner = await db.task.updateMany({ where: { project: { name: 'family' } }, data: { title: 'renamed' } });
  did.nested = plain(await db.project.update({
    where: { id: did.family.id },
    data: { tasks: {
      update: { where: { id: did.family.tasks[0].id }, data: { estimate: 9 } },
      updateMany: { where: { estimate: 1 }, data: { estimate: 2 } },
      create: { tenantId: own, title: 'more' },
      connect: { id: returned[0].id },
    } },
    include: { tasks: { orderBy: { id: 'asc' } } },
  }));

  const key = (name) => ({ tenantId_name: { tenantId: own, name } });
  const upsert = (name) => db.label.upsert({
    where: key(name), create: { tenantId: own, name, uses: 5 }, update: { uses: { increment: 5 } } });
  did.upserted = [await upsert('common'), await upsert('newest')];
  did.preference = await db.preference.upsert({
    where: key('theme'), create: { tenantId: own, name: 'theme', value: 'dark' }, update: { value: 'dark' } });

  did.transaction = await db.$transaction(async (tx) => {
    await tx.label.create({ data: { name: 'kept' } });
    const [locked] = await tx.$queryRaw`SELECT id, version FROM projects WHERE id = ${created.id} FOR UPDATE`;
    const fresh = await tx.project.updateMany({
      where: { id: locked.id, version: locked.version }, data: { version: { increment: 1 } } });
    const stale = await tx.project.updateMany({
      where: { id: locked.id, version: locked.version }, data: { version: 9 } });
    return [fresh, stale];
  });
  did.undone = await refusal(db.$transaction(async (tx) => {
    await tx.label.create({ data: { name: 'undone' } });
    await tx.label.create({ data: { name: 'common', tenantId: own } });
  }));
  did.batch = (await db.$transaction([
    db.label.create({ data: { name: 'batch' } }), db.label.count(), db.label.deleteMany({ where: { name: 'batch' } }),
  ])).slice(1);
  did.raw = await db.$executeRaw`UPDATE labels SET uses = uses + ${1} WHERE name = ${'made'}`;
  did.labels = (await db.label.findMany({ orderBy: { id: 'asc' } })).map((l) => l.name);

  did.unlabelled = await db.taskLabel.deleteMany({ where: { label: { name: 'child' } } });
  did.gone = await db.taskLabel.delete({ where: {
    taskId_labelId: { taskId: did.family.tasks[2].id, labelId: did.family.tasks[2].labels[0].labelId } } });
  did.deleted = (await db.task.delete({ where: { id: returned[1].id } })).title;
  did.bulk_deleted = await db.task.deleteMany({ where: { title: { startsWith: 'bulk' }, done: false } });
  did.note = (await db.note.delete({
    where: { id: (await db.note.findFirstOrThrow({ where: { body: 'one' } })).id } })).body;
  const others = await db.note.findMany({ where: { body: 'two' }, select: { id: true } });
  did.notes = await db.note.deleteMany({ where: { id: { in: others.map((n) => n.id) } } });
  await db.preference.delete({ where: key('font') });
  did.missing = await db.label.delete({ where: { id: 10_000 } }).then(() => 'deleted', (error) => error.code);
  did.left = (await db.note.findMany({ orderBy: { body: 'asc' } })).map((n) => n.body);
  await db.$disconnect();
  return did;
}

export async function forbidden(connectionString) {
  const db = new PrismaClient({ adapter: new PrismaPg({ connectionString, max: 1 }) });
  const note = (tenantId, n) => ({ tenantId, body: `note ${n}` });
  const got = {
    foreign: await refusal(db.label.create({ data: { tenantId: 2, name: 'foreign' } })),
    among_own: await refusal(db.note.createMany({ data: [note(1, 1), note(2, 2)] })),
    moved: await refusal(db.task.update({ where: { id: 2 }, data: { tenantId: 2 } })),
    parent: await refusal(db.task.create({ data: { tenantId: 1, projectId: 1, title: 'x' } })),
    shared: await refusal(db.currency.update({ where: { code: 'EUR' }, data: { rate: 2 } })),
    many: await refusal(db.note.createMany({ data: Array.from({ length: 41 }, (_, n) => note(1, n)) })),
    no_key: await refusal(db.project.deleteMany()),
    no_reason: await refusal(db.event.create({ data: { tenantId: 1, kind: 'x' } })),
  };
  await db.$transaction(async (tx) => {
    await tx.$executeRaw`SET LOCAL querywarden.reason = 'it was asked for'`;
    await tx.event.create({ data: { tenantId: 1, kind: 'x' } });
    got.reason = await tx.event.count();
    throw new Error('undo');
  }).catch((error) => { if (error.message !== 'undo') throw error; });
  await db.$disconnect();
  return got;
}
