// Runs an application as two tenants at a time and prints what each saw.
import { visit } from './app.mjs';

const seen = {};
await Promise.all(
  [['acme', process.env.ACME_DSN, 201], ['bolt', process.env.BOLT_DSN, 101]].map(
    async ([login, url, foreign]) => {
      seen[login] = await visit(url, foreign);
    },
  ),
);
console.log(JSON.stringify(seen));
