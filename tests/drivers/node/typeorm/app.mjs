// A market of four models in TypeORM.
import 'reflect-metadata';
import typeorm from 'typeorm';
import { refusal } from './sqlstate.mjs';

const {
  ArrayContains, Between, DataSource, EntitySchema, ILike, In, IsNull, LessThan, MoreThan,
  MoreThanOrEqual, Raw,
} = typeorm;
const number = { to: (value) => value, from: (value) => (value === null ? null : Number(value)) };
const Customer = new EntitySchema({
  name: 'Customer', tableName: 'customers',
  columns: {
    id: { type: 'int', primary: true },
    email: { type: 'text' },
    name: { type: 'varchar', length: 80 },
    publicId: { type: 'uuid', name: 'public_id' },
    active: { type: 'boolean' },
    born: { type: 'date' },
    settings: { type: 'jsonb' },
    tags: { type: 'text', array: true },
    score: { type: 'double precision' },
    managerId: { type: 'int', name: 'manager_id', nullable: true },
    avatar: { type: 'bytea' },
    createdAt: { type: 'timestamptz', name: 'created_at' },
    deletedAt: { type: 'timestamptz', name: 'deleted_at', deleteDate: true },
  },
  relations: {
    orders: { type: 'one-to-many', target: 'Order', inverseSide: 'customer' },
    manager: { type: 'many-to-one', target: 'Customer', joinColumn: { name: 'manager_id' } },
  },
});
const Product = new EntitySchema({
  name: 'Product', tableName: 'products',
  columns: { id: { type: 'int', primary: true }, name: { type: 'text' } },
});
const Order = new EntitySchema({
  name: 'Order', tableName: 'orders',
  columns: {
    id: { type: 'int', primary: true },
    customerId: { type: 'int', name: 'customer_id' },
    status: { type: 'enum', enum: ['open', 'paid', 'sent'], enumName: 'order_status' },
    total: { type: 'numeric', transformer: number },
    note: { type: 'text', nullable: true },
  },
  relations: {
    customer: { type: 'many-to-one', target: 'Customer', inverseSide: 'orders', joinColumn: { name: 'customer_id' } },
    items: { type: 'one-to-many', target: 'Item', inverseSide: 'order' },
  },
});
const Item = new EntitySchema({
  name: 'Item', tableName: 'order_items',
  columns: {
    orderId: { type: 'int', primary: true, name: 'order_id' },
    productId: { type: 'int', primary: true, name: 'product_id' },
    quantity: { type: 'int' },
  },
  relations: {
    order: { type: 'many-to-one', target: 'Order', inverseSide: 'items', joinColumn: { name: 'order_id' } },
    product: { type: 'many-to-one', target: 'Product', joinColumn: { name: 'product_id' } },
  },
});

export async function visit(url, foreign) {
  const source = new DataSource({ type: 'postgres', url, entities: [Customer, Product, Order, Item], poolSize: 2 });
  await source.initialize();
  const [customers, orders] = [source.getRepository('Customer'), source.getRepository('Order')];
  const ids = async (repository, where) =>
    (await repository.find({ select: { id: true }, where, order: { id: 'ASC' } })).map((row) => row.id);
  const seen = {};

  seen.count = await customers.count();
  seen.second_page = (await customers.find({ order: { id: 'ASC' }, take: 4, skip: 4 })).map((c) => c.id);
  const least = await orders.minimum('id');
  seen.after_cursor = (await orders.find({ where: { id: MoreThan(least + 9) }, order: { id: 'ASC' }, take: 3 }))
    .map((order) => order.id);
  const [one] = await customers.find({ order: { id: 'ASC' }, take: 1 });
  seen.first_email = one.email;
  seen.types = [
    one.name, one.publicId, one.active, one.born, one.settings, one.tags, one.score, one.managerId,
    one.avatar.toString('hex'), one.createdAt.toISOString().slice(0, 10),
  ];
  const nested = await customers.find({
    relations: { orders: { items: { product: true } } }, take: 2, order: { id: 'ASC' },
  });
  const sorted = (list, key) => list.toSorted((one, other) => one[key] - other[key]);
  seen.nested = nested.map((c) => [c.id, sorted(c.orders, 'id').map((o) => [o.id, o.items.length
    ? sorted(o.items, 'productId').map((i) => [i.product.name, i.quantity]) : null])]);
  const managers = await customers.createQueryBuilder('c').leftJoinAndSelect('c.manager', 'm')
    .orderBy('c.id').getMany();
  seen.managers = managers.map((c) => [c.id, c.manager?.name ?? null]);

  seen.in_list = await ids(customers, { id: In([101, 102, 201, 202]) });
  seen.contains = await ids(customers, { name: ILike('%CANARY 1%') });
  seen.between = await ids(customers, { born: Between('1984-01-01', '1988-01-01') });
  seen.since = await ids(customers, { createdAt: MoreThanOrEqual(new Date('2024-01-08T00:00:00Z')) });
  seen.inactive = await ids(customers, { active: false });
  seen.dark = await ids(customers, { settings: Raw((column) => `${column} ->> 'theme' = :theme`, { theme: 'dark' }) });
  seen.tagged = await ids(customers, { tags: ArrayContains(['t1']) });
  seen.by_uuid = await ids(customers, { publicId: In([
    '00000000-0000-4000-8000-000000000021', '00000000-0000-4000-8000-000000000041']) });
  seen.no_note = await orders.countBy({ note: IsNull() });
  seen.expensive = await ids(orders, { total: MoreThan(30.5), status: 'paid' });
  seen.either = await ids(orders, [
    { status: 'sent', total: LessThan(5) }, { status: 'sent', total: MoreThan(35) }]);
  const placed = (alias) => (query) => {
    const inner = query.subQuery().select('1').from('Order', alias)
      .where(`${alias}.customer_id = c.id`);
    return inner;
  };
  seen.some_paid = (await customers.createQueryBuilder('c').select('c.id')
    .where((query) => `EXISTS ${placed('o')(query).andWhere("o.status = 'paid'").andWhere('o.total > :t').getQuery()}`)
    .setParameter('t', 20).orderBy('c.id').getMany()).map((c) => c.id);
  seen.none_open = (await customers.createQueryBuilder('c').select('c.id')
    .where((query) => `NOT EXISTS ${placed('o')(query).andWhere("o.status = 'open'").getQuery()}`)
    .orderBy('c.id').getMany()).map((c) => c.id);

  seen.by_status = (await orders.createQueryBuilder('o').select('o.status', 'status')
    .addSelect('COUNT(*)', 'n').addSelect('SUM(o.total)', 'total').groupBy('o.status')
    .orderBy('o.status').getRawMany()).map((row) => [row.status, Number(row.n), Number(row.total)]);
  seen.totals = [await orders.count(), Number(await orders.minimum('total')), Number(await orders.maximum('total')),
    Number(Number(await orders.average('total')).toFixed(4))];
  seen.busy = (await orders.createQueryBuilder('o').select('o.customer_id', 'id').groupBy('o.customer_id')
    .having('COUNT(*) > :n', { n: 3 }).orderBy('o.customer_id').getRawMany()).map((row) => row.id);
  seen.distinct = (await orders.createQueryBuilder('o').select('o.status', 'status').distinct(true)
    .orderBy('o.status').getRawMany()).map((row) => row.status);
  seen.raw = (await source.query(`SELECT c.id, count(o.id)::int AS n FROM customers c
    LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY n DESC, c.id LIMIT $1`, [1000]))
    .map((row) => [row.id, row.n]);
  seen.transaction = await source.transaction('REPEATABLE READ', async (manager) =>
    [await manager.count('Order'), await manager.count('Customer')]);

  seen.foreign = (await customers.findOneBy({ id: foreign }))?.id ?? null;
  seen.hidden_column = await refusal(source.query('SELECT ssn FROM customers'));
  seen.hidden_table = await refusal(source.query('SELECT * FROM vault'));
  seen.write = await refusal(customers.save({ id: seen.in_list[0], name: 'x' }));
  seen.after = (await Promise.all([1, 2, 3].map(() => customers.count()))).every((n) => n === seen.count);
  await source.destroy();
  return seen;
}
