import { findRunning } from '../../app/endpoints.ts';
import type { Config } from '../../app/settings.ts';
import { protectDataDir } from '../../embedded/data-dir.ts';
import { lockDataDir } from '../../embedded/lock.ts';
import { startEmbeddedPostgres } from '../../embedded/postgres.ts';
import type { Log } from '../../lib/log.ts';
import { migrate } from '../../store/migrate.ts';
import { type PrintingCommand, succeeded } from '../command.ts';

/** Migrates the database that the settings name, else that of a running `up`, else the embedded one, started for it. */
export const migrateCommand: PrintingCommand = async (config, log) => {
  const url = config.DATABASE_URL ?? (await findRunning(config).catch(() => undefined))?.databaseUrl;
  const applied = url === undefined ? await migrateEmbedded(config, log) : await migrate(url, new Date());
  const text =
    applied.length === 0 ? 'The database is up to date.' : `Applied migrations: ${applied.join(', ')}`;
  return succeeded(text, { applied });
};

async function migrateEmbedded(config: Config, log: Log): Promise<string[]> {
  await protectDataDir(config.DATA_DIR);
  const lock = await lockDataDir(config.DATA_DIR);
  try {
    const server = await startEmbeddedPostgres({ dir: `${config.DATA_DIR}/postgres`, log });
    try {
      return await migrate(server.url, new Date());
    } finally {
      await server.stop();
    }
  } finally {
    await lock.release();
  }
}
