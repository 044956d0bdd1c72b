import { silentLog } from '../src/lib/log.ts';
import { openDatabase } from '../src/store/database.ts';
import { type Failure, findFailures } from './find-failures.ts';

/** What a player is started with, as JSON in its first argument. */
export interface PlayerInput {
  readonly url: string;
  readonly seeds: readonly number[];
  /** Whether failing histories are shortened. */
  readonly isShortened: boolean;
}

/** What a player tells after each history. */
export interface Played {
  readonly seed: number;
  readonly failure: Failure | undefined;
}

/** Connections: each history has up to three processes with some statements at once. */
const CONNECTIONS = 100;

const { url, seeds, isShortened } = JSON.parse(process.argv[2] ?? '') as PlayerInput;
const db = openDatabase({ url, maxConnections: CONNECTIONS, minConnections: 0, log: silentLog });
const told: Promise<void>[] = [];
await findFailures(db, seeds, isShortened, (seed, failure) => {
  const played: Played = { seed, failure };
  told.push(new Promise((resolve) => process.send?.(played, () => resolve())));
});
await Promise.all(told); // a message on its way is lost with the process
await db.close();
process.exit();
