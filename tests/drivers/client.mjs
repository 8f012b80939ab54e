// node-postgres through the proxy: prints one JSON object of what it saw.
import pg from 'pg';

const connectionString = process.env.PROXY_DSN;
const seen = {};
const client = new pg.Client({ connectionString });
await client.connect();
seen.users = (await client.query('SELECT id, email, balance, tags, tier FROM users ORDER BY id')).rows;
seen.foreign = (await client.query('SELECT id FROM users WHERE id = $1', [11])).rows;
const named = { name: 'by-amount', text: 'SELECT id FROM orders WHERE amount > $1 ORDER BY id' };
seen.prepared = [];
for (const amount of [0, 15]) {
  seen.prepared.push((await client.query({ ...named, values: [amount] })).rows.map((row) => row.id));
}
seen.fields = (await client.query('SELECT * FROM users')).fields.map((field) => field.name);
try {
  await client.query('DELETE FROM users WHERE id = $1', [1]);
} catch (error) {
  seen.refused = { code: error.code, message: error.message, hint: error.hint };
}
await client.query('BEGIN');
seen.transaction = (await client.query('SELECT count(*)::int AS n FROM orders')).rows[0].n;
await client.query('ROLLBACK');
seen.several = (await client.query('SELECT 1 AS a; SELECT 2 AS b')).map((result) => result.rows[0]);
await client.end();

const pool = new pg.Pool({ connectionString, max: 3 });
const counts = await Promise.all(
  Array.from({ length: 12 }, () => pool.query('SELECT count(*)::int AS n FROM users')),
);
seen.pool = counts.map((result) => result.rows[0].n);
await pool.end();
console.log(JSON.stringify(seen));
