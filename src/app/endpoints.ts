import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { assertNotWritableByOthers } from '../embedded/data-dir.ts';
import { AppError } from '../lib/errors.ts';
import { hidePasswordOf } from '../lib/redact.ts';
import type { Config } from './settings.ts';

/** The addresses of a running `up`. */
export interface Endpoints {
  readonly pid: number;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
  readonly temporalUi: string | null;
  readonly http: string;
  readonly metrics: string | null;
}

const file = (dataDir: string) => path.join(dataDir, 'endpoints.json');

/** Writes DATA_DIR/endpoints.json in one step. Mode 0600, because it contains the database's password. */
export async function writeEndpoints(dataDir: string, endpoints: Endpoints): Promise<void> {
  const temporary = `${file(dataDir)}.${endpoints.pid}`;
  await writeFile(temporary, JSON.stringify(endpoints, null, 2) + '\n', { mode: 0o600 });
  await rename(temporary, file(dataDir));
}

/** Removes the file at a clean stop. */
export async function removeEndpoints(dataDir: string): Promise<void> {
  await rm(file(dataDir), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function readEndpoints(dataDir: string): Promise<Endpoints | undefined> {
  const text = await readFile(file(dataDir), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const endpoints = JSON.parse(text) as Endpoints;
  hidePasswordOf(endpoints.databaseUrl);
  return isAlive(endpoints.pid) ? endpoints : undefined;
}

/** The servers that a command uses, and all other addresses while an `up` is running. */
export type Reachable = Pick<Endpoints, 'databaseUrl' | 'temporalAddress' | 'temporalNamespace'> &
  Partial<Endpoints>;

/** Finds the running `up` of the same DATA_DIR, else the servers that the settings name. Throws AppError NOT_RUNNING and DATA_DIR_OPEN. */
export async function findRunning(config: Config): Promise<Reachable> {
  await assertNotWritableByOthers(config.DATA_DIR); // they could name servers of their own
  const running = await readEndpoints(config.DATA_DIR);
  if (running) return running;
  const { DATABASE_URL, TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE } = config;
  if (DATABASE_URL !== undefined && TEMPORAL_ADDRESS !== undefined) {
    return {
      databaseUrl: DATABASE_URL,
      temporalAddress: TEMPORAL_ADDRESS,
      temporalNamespace: TEMPORAL_NAMESPACE,
    };
  }
  throw new AppError(
    `Nothing is running on ${config.DATA_DIR}. Start it with "npm start" (or "eve-collector up"), or set DATABASE_URL ` +
      'and TEMPORAL_ADDRESS.',
    { code: 'NOT_RUNNING', verdict: 'fail' },
  );
}
