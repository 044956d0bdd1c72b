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
await findFailures(db, seeds, isShortened, (seed, failure) =>
  process.send?.({ seed, failure } satisfies Played),
);
await db.close();
process.exit();
