import { cached } from '../lib/cached.ts';
import type { Clock } from '../lib/clock.ts';
import { SECOND } from '../lib/duration.ts';
import type { Database } from './database.ts';

/** The pause is read at most this often, so that it reaches every worker within two seconds. */
const MAX_AGE = SECOND;

/** Reads the operator's pause; undefined when there is none. */
export async function readPause(
  db: Pick<Database, 'prisma'>,
): Promise<{ since: Date; reason: string } | undefined> {
  const row = await db.prisma.esiControl.findUnique({ where: { id: 1 } });
  return row?.paused_at ? { since: row.paused_at, reason: row.reason ?? 'no reason given' } : undefined;
}

/** Pauses the ESI requests of all workers of this database, or resumes them when `reason` is undefined. */
export async function writePause(db: Pick<Database, 'prisma'>, reason: string | undefined): Promise<void> {
  const pause = { paused_at: reason === undefined ? null : new Date(), reason: reason ?? null };
  await db.prisma.esiControl.upsert({ where: { id: 1 }, create: { id: 1, ...pause }, update: pause });
}

/** Creates the pause check of the ESI client, which returns the reason of a pause. */
export function createPauseReader(
  db: Pick<Database, 'prisma'>,
  clock: Clock,
): () => Promise<string | undefined> {
  const pause = cached(clock, MAX_AGE, () => readPause(db));
  return async () => (await pause.get())?.reason;
}
