import type { App } from '../app/create-app.ts';
import { databaseOptions, engineSettings, temporalOptions } from '../app/derived-settings.ts';
import { findRunning } from '../app/endpoints.ts';
import type { Config } from '../app/settings.ts';
import type { StatusContext } from '../app/status.ts';
import { systemClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Client } from '@temporalio/client';

/** What a command prints: text for people, or one JSON value. `ok` false makes the exit code 1. */
export interface CommandOutput {
  readonly text: string;
  readonly json: unknown;
  readonly ok: boolean;
}

/** A command that ends by itself and prints once. */
export type PrintingCommand = (config: Config, log: Log) => Promise<CommandOutput>;

export const succeeded = (text: string, json: unknown): CommandOutput => ({ text, json, ok: true });

/** Works on the database of a running `up`, or on the one that the settings name. Throws AppError NOT_RUNNING. */
export async function withDatabase<T>(
  config: Config,
  log: Log,
  work: (context: StatusContext) => Promise<T>,
): Promise<T> {
  const { openDatabase } = await import('../store/database.ts');
  const db = openDatabase(databaseOptions(config, (await findRunning(config)).databaseUrl, log));
  try {
    return await work({ db, clock: systemClock, settings: engineSettings(config) });
  } finally {
    await db.close();
  }
}

/** Works with all parts of a process, for commands that also need ESI or SSO. Throws AppError NOT_RUNNING. */
export async function withApp<T>(config: Config, log: Log, work: (app: App) => Promise<T>): Promise<T> {
  const { createApp } = await import('../app/create-app.ts');
  const app = await createApp(config, (await findRunning(config)).databaseUrl, log);
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}

/** Works with the Temporal server of a running `up`, or with the one that the settings name. Throws AppError NOT_RUNNING. */
export async function withTemporal<T>(config: Config, work: (client: Client) => Promise<T>): Promise<T> {
  const { connectClient } = await import('../temporal/connect.ts');
  const client = await connectClient(temporalOptions(config, await findRunning(config)));
  try {
    return await work(client);
  } finally {
    await client.connection.close();
  }
}
