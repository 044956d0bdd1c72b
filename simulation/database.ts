import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEmbeddedPostgres } from '../src/embedded/postgres.ts';
import { clusterPaths } from '../src/embedded/postgres-cluster.ts';
import { silentLog } from '../src/lib/log.ts';
import { migrate } from '../src/store/migrate.ts';
import { type Database, openDatabase } from '../src/store/database.ts';
import { insertSharedRows } from './shared-rows.ts';

/** The data is discarded, so nothing is synced to disk. */
const SETTINGS = {
  unix_socket_directories: '.', // in the cluster's folder; a statement over it costs half of one over TCP
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '300',
  max_locks_per_transaction: '256',
};

/** The partitions of the month in which every history begins. */
const MONTH = new Date('2026-11-20T14:00:00Z');

/** A PostgreSQL server for one simulation. */
export interface SimulationServer {
  /** Creates a database with all tables and what all worlds refer to. */
  create(): Promise<SimulationDatabase>;
  stop(): Promise<void>;
}

export interface SimulationDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

const TEMPLATE = 'simulation_template';

/** Starts PostgreSQL in a folder of its own, which `stop` removes. */
export async function startServer(): Promise<SimulationServer> {
  const dir = await mkdtemp(path.join(tmpdir(), 'eve-simulation-'));
  await chmod(dir, 0o711); // under root PostgreSQL runs as another user, who must be able to enter the folder
  const postgres = await startEmbeddedPostgres({
    dir: path.join(dir, 'postgres'),
    log: silentLog,
    settings: SETTINGS,
    noSync: true,
  });
  const { username, password, port } = new URL(postgres.url);
  const { cluster } = clusterPaths(path.join(dir, 'postgres'));
  const urlOf = (name: string) =>
    `postgresql://${username}:${password}@/${name}?host=${encodeURIComponent(cluster)}&port=${port}`;
  const send = (statement: string) => withDatabase(postgres.url, ({ pool }) => pool.query(statement));
  await send(`CREATE DATABASE ${TEMPLATE}`);
  await migrate(urlOf(TEMPLATE), MONTH);
  await withDatabase(urlOf(TEMPLATE), insertSharedRows);
  let created = 0;
  return {
    async create() {
      const name = `simulation_${++created}`;
      await send(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE} STRATEGY FILE_COPY`);
      return {
        url: urlOf(name),
        drop: async () => {
          await send(`DROP DATABASE ${name} WITH (FORCE)`);
        },
      };
    },
    async stop() {
      await postgres.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function withDatabase(url: string, work: (db: Database) => Promise<unknown>): Promise<void> {
  const db = openDatabase({ url, maxConnections: 1, minConnections: 0, log: silentLog });
  try {
    await work(db);
  } finally {
    await db.close();
  }
}
