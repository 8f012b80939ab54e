// The schema engine as the CLI brings it, in WebAssembly: none is fetched. Its adapter does not know
// columns of types "name" and "char", which the engine's questions to the catalogs have.
import { PrismaPg } from '@prisma/adapter-pg';
import { ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { defineConfig } from 'prisma/config';

const [CHAR, NAME, TEXT] = [18, 19, 25];
let characters = []; // columns of the last result; the engine asks one question at a time

class Pool extends pg.Pool {
  async query(...parts) {
    const result = await super.query(...parts);
    characters = (result.fields ?? []).map((field) => field.dataTypeID === CHAR);
    for (const field of result.fields ?? []) {
      if ([CHAR, NAME].includes(field.dataTypeID)) field.dataTypeID = TEXT;
    }
    return result;
  }
}

async function adapter() {
  const factory = new PrismaPg(new Pool({ connectionString: process.env.PULL_DSN }));
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const made = await connect();
    const ask = made.queryRaw.bind(made);
    made.queryRaw = async (query) => {
      const result = await ask(query);
      const columnTypes = result.columnTypes.map((type, at) =>
        characters[at] ? ColumnTypeEnum.Character : type);
      return { ...result, columnTypes };
    };
    return made;
  };
  return factory;
}

export default defineConfig({
  schema: process.env.PRISMA_SCHEMA ?? 'schema.prisma',
  engine: 'js',
  experimental: { adapter: true },
  adapter,
});
