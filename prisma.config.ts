import { defineConfig } from 'prisma/config';

// Only `prisma generate` and `prisma validate` run through this: migrations are applied by `eve-collector migrate`.
export default defineConfig({ schema: 'prisma/schema.prisma', migrations: { path: 'prisma/migrations' } });
