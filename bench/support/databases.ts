import { join } from 'node:path';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import { migrate } from '../../src/store/migrate.ts';
import { benchEngine } from './bench-engine.ts';
import type { BenchServers, BenchSimulator } from './bench-servers.ts';

/** Creates a database with the schema and, if a simulator is given, its universe. Every round copies it. */
export async function makeTemplate(
  servers: BenchServers,
  name: string,
  simulator: BenchSimulator | undefined,
): Promise<void> {
  await servers.admin(`CREATE DATABASE ${name}`);
  const databaseUrl = servers.databaseUrl(name);
  await migrate(databaseUrl, new Date());
  if (!simulator) return;
  const engine = benchEngine({
    databaseUrl,
    esiUrl: simulator.url,
    sdeUrl: simulator.sdeUrl,
    dataDir: join(servers.dir, 'sde'),
  });
  try {
    await collectTarget(engine.context, { collector: 'universe', target: '' });
    await engine.context.db.pool.query('VACUUM ANALYZE'); // as autovacuum leaves it within a minute
  } finally {
    await engine.close();
  }
}

/** Runs `work` on a new copy of a template. */
export async function onCopy<T>(
  servers: BenchServers,
  template: string,
  work: (databaseUrl: string) => Promise<T>,
): Promise<T> {
  const name = `${template}_copy`;
  await servers.admin(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  try {
    return await work(servers.databaseUrl(name));
  } finally {
    await servers.admin(`DROP DATABASE ${name} WITH (FORCE)`);
  }
}

/** Bytes of write-ahead log that the server writes while `work` runs. */
export async function walOf<T>(
  servers: BenchServers,
  work: () => Promise<T>,
): Promise<{ wal: number; result: T }> {
  const lsn = async () =>
    Number((await servers.admin<{ at: string }>(`SELECT pg_current_wal_lsn() - '0/0' AS at`))[0]!.at);
  const before = await lsn();
  const result = await work();
  return { wal: (await lsn()) - before, result };
}
