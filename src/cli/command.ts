import type { Log } from '../lib/log.ts';
import type { Config } from '../app/settings.ts';
import { findRunning } from '../app/endpoints.ts';
import { type App, createApp } from '../app/create-app.ts';

/** What a command prints: for people, and as one JSON value. `ok` false makes the exit code 1. */
export interface Printed {
  readonly text: string;
  readonly json: unknown;
  readonly ok: boolean;
}

/** A command: what it does with the settings, and what it prints. */
export type Work = (config: Config, log: Log) => Promise<Printed>;

/** Works with all parts, on the servers of a running `up` or those that the settings name. */
export async function withApp<T>(config: Config, log: Log, work: (app: App) => Promise<T>): Promise<T> {
  const app = await createApp(config, (await findRunning(config)).databaseUrl, log);
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}
