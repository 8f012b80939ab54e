// A market of four models in Prisma: its client without an engine, over node-postgres.
import { PrismaPg } from '@prisma/adapter-pg';
import generated from './generated/index.js';
import { refusal } from './sqlstate.mjs';

const { Prisma, PrismaClient } = generated;

export async function visit(connectionString, foreign) {
  const db = new PrismaClient({ adapter: new PrismaPg({ connectionString, max: 2 }) });
  const ids = async (model, where) =>
    (await model.findMany({ where, select: { id: true }, orderBy: { id: 'asc' } })).map((row) => row.id);
  const seen = {};

  seen.count = await db.customer.count();
  seen.second_page = (await db.customer.findMany({ orderBy: { id: 'asc' }, take: 4, skip: 4 })).map((c) => c.id);
  const first = await db.order.aggregate({ _min: { id: true } });
  seen.after_cursor = (await db.order.findMany({
    cursor: { id: first._min.id + 9 }, skip: 1, take: 3, orderBy: { id: 'asc' },
  })).map((order) => order.id);
  const one = await db.customer.findFirst({ orderBy: { id: 'asc' } });
  seen.first_email = one.email;
  seen.types = [
    one.name, one.publicId, one.active, one.born.toISOString().slice(0, 10), one.settings, one.tags, one.score,
    one.managerId, Buffer.from(one.avatar).toString('hex'), one.createdAt.toISOString().slice(0, 10),
  ];
  const nested = await db.customer.findMany({
    orderBy: { id: 'asc' }, take: 2,
    include: { orders: { orderBy: { id: 'asc' }, include: {
      items: { orderBy: { productId: 'asc' }, include: { product: true } } } } },
  });
  seen.nested = nested.map((c) => [c.id, c.orders.map((o) =>
    [o.id, o.items.length ? o.items.map((i) => [i.product.name, i.quantity]) : null])]);
  const managers = await db.customer.findMany({ orderBy: { id: 'asc' }, include: { manager: true } });
  seen.managers = managers.map((c) => [c.id, c.manager?.name ?? null]);

  seen.in_list = await ids(db.customer, { id: { in: [101, 102, 201, 202] } });
  seen.contains = await ids(db.customer, { name: { contains: 'CANARY 1', mode: 'insensitive' } });
  seen.between = await ids(db.customer, { born: { gte: new Date('1984-01-01'), lte: new Date('1988-01-01') } });
  seen.since = await ids(db.customer, { createdAt: { gte: new Date('2024-01-08T00:00:00Z') } });
  seen.inactive = await ids(db.customer, { active: false });
  seen.dark = await ids(db.customer, { settings: { path: ['theme'], equals: 'dark' } });
  seen.tagged = await ids(db.customer, { tags: { has: 't1' } });
  seen.by_uuid = await ids(db.customer, { publicId: { in: [
    '00000000-0000-4000-8000-000000000021', '00000000-0000-4000-8000-000000000041'] } });
  seen.no_note = await db.order.count({ where: { note: null } });
  seen.expensive = await ids(db.order, { total: { gt: new Prisma.Decimal('30.5') }, status: 'paid' });
  seen.either = await ids(db.order, { status: 'sent', OR: [{ total: { lt: 5 } }, { total: { gt: 35 } }] });
  seen.some_paid = await ids(db.customer, { orders: { some: { status: 'paid', total: { gt: 20 } } } });
  seen.none_open = await ids(db.customer, { orders: { none: { status: 'open' } } });

  seen.by_status = (await db.order.groupBy({
    by: ['status'], _count: { _all: true }, _sum: { total: true }, orderBy: { status: 'asc' },
  })).map((row) => [row.status, row._count._all, Number(row._sum.total)]);
  const totals = await db.order.aggregate({
    _count: true, _min: { total: true }, _max: { total: true }, _avg: { total: true } });
  seen.totals = [totals._count, Number(totals._min.total), Number(totals._max.total),
    Number(Number(totals._avg.total).toFixed(4))];
  seen.busy = (await db.order.groupBy({
    by: ['customerId'], having: { id: { _count: { gt: 3 } } }, orderBy: { customerId: 'asc' },
  })).map((row) => row.customerId);
  seen.distinct = (await db.order.findMany({
    distinct: ['status'], select: { status: true }, orderBy: { status: 'asc' },
  })).map((row) => row.status);
  seen.raw = (await db.$queryRaw`SELECT c.id, count(o.id)::int AS n FROM customers c
    LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY n DESC, c.id LIMIT ${1000}`)
    .map((row) => [row.id, row.n]);
  seen.transaction = await db.$transaction(async (tx) => [await tx.order.count(), await tx.customer.count()],
    { isolationLevel: 'RepeatableRead' });
  const batch = await db.$transaction([db.order.count(), db.customer.count()]);
  if (JSON.stringify(batch) !== JSON.stringify(seen.transaction)) seen.transaction = batch;

  seen.foreign = (await db.customer.findUnique({ where: { id: foreign } }))?.id ?? null;
  seen.hidden_column = await refusal(db.$queryRaw`SELECT ssn FROM customers`);
  seen.hidden_table = await refusal(db.vault.findMany());
  seen.write = await refusal(db.customer.update({ where: { id: seen.in_list[0] }, data: { name: 'x' } }));
  seen.after = (await Promise.all([1, 2, 3].map(() => db.customer.count()))).every((n) => n === seen.count);
  await db.$disconnect();
  return seen;
}
