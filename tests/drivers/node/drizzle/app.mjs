// A market of four models in Drizzle.
import {
  and, arrayContains, asc, avg, between, count, countDistinct, desc, eq, exists, gt, gte, ilike, inArray,
  isNull, lt, max, min, not, notExists, or, relations, sql, sum,
} from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import {
  boolean, customType, date, doublePrecision, integer, jsonb, numeric, pgEnum, pgTable, primaryKey,
  text, timestamp, uuid, varchar,
} from 'drizzle-orm/pg-core';
import pg from 'pg';
import { refusal } from './sqlstate.mjs';

const bytea = customType({ dataType: () => 'bytea' });
const status = pgEnum('order_status', ['open', 'paid', 'sent']);
const customers = pgTable('customers', {
  id: integer('id').primaryKey(),
  email: text('email').notNull(),
  name: varchar('name', { length: 80 }).notNull(),
  publicId: uuid('public_id').notNull(),
  active: boolean('active').notNull(),
  born: date('born').notNull(),
  settings: jsonb('settings').notNull(),
  tags: text('tags').array().notNull(),
  score: doublePrecision('score').notNull(),
  managerId: integer('manager_id'),
  avatar: bytea('avatar').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
});
const products = pgTable('products', {
  id: integer('id').primaryKey(), name: text('name').notNull(), price: numeric('price').notNull(),
});
const orders = pgTable('orders', {
  id: integer('id').primaryKey(), customerId: integer('customer_id').notNull(),
  status: status('status').notNull(), total: numeric('total', { mode: 'number' }).notNull(),
  note: text('note'),
});
const items = pgTable('order_items', {
  orderId: integer('order_id').notNull(), productId: integer('product_id').notNull(),
  quantity: integer('quantity').notNull(),
}, (table) => [primaryKey({ columns: [table.orderId, table.productId] })]);
const vault = pgTable('vault', { id: integer('id').primaryKey(), value: text('value') });
const schema = {
  customers, products, orders, items,
  customerRelations: relations(customers, ({ one, many }) => ({
    orders: many(orders),
    manager: one(customers, { fields: [customers.managerId], references: [customers.id] }),
  })),
  orderRelations: relations(orders, ({ one, many }) => ({
    customer: one(customers, { fields: [orders.customerId], references: [customers.id] }),
    items: many(items),
  })),
  itemRelations: relations(items, ({ one }) => ({
    order: one(orders, { fields: [items.orderId], references: [orders.id] }),
    product: one(products, { fields: [items.productId], references: [products.id] }),
  })),
};

export async function visit(connectionString, foreign) {
  const pool = new pg.Pool({ connectionString, max: 2 });
  const db = drizzle(pool, { schema });
  const ids = async (table, condition) =>
    (await db.select({ id: table.id }).from(table).where(condition).orderBy(asc(table.id)))
      .map((row) => row.id);
  const seen = {};

  seen.count = await db.$count(customers);
  seen.second_page = (await db.select({ id: customers.id }).from(customers)
    .orderBy(asc(customers.id)).limit(4).offset(4)).map((row) => row.id);
  const [first] = await db.select({ id: min(orders.id) }).from(orders);
  seen.after_cursor = (await db.select({ id: orders.id }).from(orders)
    .where(gt(orders.id, first.id + 9)).orderBy(asc(orders.id)).limit(3)).map((row) => row.id);
  const one = await db.query.customers.findFirst({ orderBy: asc(customers.id) });
  seen.first_email = one.email;
  seen.types = [
    one.name, one.publicId, one.active, one.born, one.settings, one.tags, one.score, one.managerId,
    one.avatar.toString('hex'), one.createdAt.toISOString().slice(0, 10),
  ];
  const nested = await db.query.customers.findMany({
    columns: { id: true }, orderBy: asc(customers.id), limit: 2,
    with: {
      orders: {
        columns: { id: true }, orderBy: asc(orders.id),
        with: { items: { orderBy: asc(items.productId), with: { product: true } } },
      },
    },
  });
  seen.nested = nested.map((c) => [c.id, c.orders.map((o) =>
    [o.id, o.items.length ? o.items.map((i) => [i.product.name, i.quantity]) : null])]);
  const managers = await db.query.customers.findMany({
    columns: { id: true }, with: { manager: { columns: { name: true } } }, orderBy: asc(customers.id),
  });
  seen.managers = managers.map((c) => [c.id, c.manager?.name ?? null]);

  seen.in_list = await ids(customers, inArray(customers.id, [101, 102, 201, 202]));
  seen.contains = await ids(customers, ilike(customers.name, '%CANARY 1%'));
  seen.between = await ids(customers, between(customers.born, '1984-01-01', '1988-01-01'));
  seen.since = await ids(customers, gte(customers.createdAt, new Date('2024-01-08T00:00:00Z')));
  seen.inactive = await ids(customers, not(customers.active));
  seen.dark = await ids(customers, eq(sql`${customers.settings} ->> 'theme'`, 'dark'));
  seen.tagged = await ids(customers, arrayContains(customers.tags, ['t1']));
  seen.by_uuid = await ids(customers, inArray(customers.publicId, [
    '00000000-0000-4000-8000-000000000021', '00000000-0000-4000-8000-000000000041']));
  seen.no_note = await db.$count(orders, isNull(orders.note));
  seen.expensive = await ids(orders, and(gt(orders.total, 30.5), eq(orders.status, 'paid')));
  seen.either = await ids(orders,
    and(eq(orders.status, 'sent'), or(lt(orders.total, 5), gt(orders.total, 35))));
  const own = eq(orders.customerId, customers.id);
  seen.some_paid = await ids(customers, exists(db.select({ one: sql`1` }).from(orders)
    .where(and(own, eq(orders.status, 'paid'), gt(orders.total, 20)))));
  seen.none_open = await ids(customers, notExists(db.select({ one: sql`1` }).from(orders)
    .where(and(own, eq(orders.status, 'open')))));

  seen.by_status = (await db.select({ status: orders.status, n: count(), total: sum(orders.total) })
    .from(orders).groupBy(orders.status).orderBy(asc(orders.status)))
    .map((row) => [row.status, row.n, Number(row.total)]);
  const [totals] = await db.select({
    n: count(), least: min(orders.total), most: max(orders.total), mean: avg(orders.total),
  }).from(orders);
  seen.totals = [totals.n, Number(totals.least), Number(totals.most), Number(Number(totals.mean).toFixed(4))];
  seen.busy = (await db.select({ id: orders.customerId }).from(orders).groupBy(orders.customerId)
    .having(gt(count(), 3)).orderBy(asc(orders.customerId))).map((row) => row.id);
  seen.distinct = (await db.selectDistinct({ status: orders.status }).from(orders)
    .orderBy(asc(orders.status))).map((row) => row.status);
  const ranked = db.$with('ranked').as(db.select({
    id: customers.id, n: countDistinct(orders.id).as('n'),
  }).from(customers).leftJoin(orders, own).groupBy(customers.id));
  seen.raw = (await db.with(ranked).select().from(ranked).orderBy(desc(ranked.n), asc(ranked.id)))
    .map((row) => [row.id, row.n]);
  const raw = await db.execute(sql`SELECT c.id, count(o.id)::int AS n FROM ${customers} c
    LEFT JOIN ${orders} o ON o.customer_id = c.id GROUP BY c.id ORDER BY n DESC, c.id LIMIT ${1000}`);
  if (JSON.stringify(raw.rows.map((row) => [row.id, row.n])) !== JSON.stringify(seen.raw)) seen.raw = raw.rows;
  seen.transaction = await db.transaction(async (tx) => [await tx.$count(orders), await tx.$count(customers)],
    { isolationLevel: 'repeatable read', accessMode: 'read only' });

  seen.foreign = (await db.query.customers.findFirst({ where: eq(customers.id, foreign) }))?.id ?? null;
  seen.hidden_column = await refusal(db.execute(sql`SELECT ssn FROM customers`));
  seen.hidden_table = await refusal(db.select().from(vault));
  seen.write = await refusal(db.transaction(async (tx) => {
    await tx.update(customers).set({ name: 'x' }).where(eq(customers.id, seen.in_list[0]));
  }));
  seen.after = (await Promise.all([1, 2, 3].map(() => db.$count(customers)))).every((n) => n === seen.count);
  await pool.end();
  return seen;
}
