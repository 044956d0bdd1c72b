import type { Log } from '../kernel/log.ts';
import type { Config } from './config.ts';
import { findRunning } from './endpoints.ts';
import { type House, wire } from './wire.ts';

/** What a command prints: for people, and as one JSON value. `ok` false makes the exit code 1. */
export interface Printed {
  readonly text: string;
  readonly json: unknown;
  readonly ok: boolean;
}

/** A command: what it does with the settings, and what it prints. */
export type Work = (config: Config, log: Log) => Promise<Printed>;

/** Works with all parts, on the servers of a running `up` or those that the settings name. */
export async function withHouse<T>(config: Config, log: Log, work: (house: House) => Promise<T>): Promise<T> {
  const house = await wire(config, (await findRunning(config)).databaseUrl, log);
  try {
    return await work(house);
  } finally {
    await house.close();
  }
}
