import type { Clock } from '../../lib/clock.ts';
import type { Database } from '../database.ts';

type Queryable = Pick<Database, 'prisma'>;

/** A pause reaches every worker within two seconds: each looks at most this old. */
const FRESH = 1_000;

/** The operator's pause, when there is one. */
export async function readPause(db: Queryable): Promise<{ since: Date; reason: string } | undefined> {
  const row = await db.prisma.esiControl.findUnique({ where: { id: 1 } });
  return row?.paused_at ? { since: row.paused_at, reason: row.reason ?? 'no reason given' } : undefined;
}

/** Stops every ESI request of every worker on this database, or lets them go on (`reason` undefined). */
export async function writePause(db: Queryable, reason: string | undefined): Promise<void> {
  const pause = { paused_at: reason === undefined ? null : new Date(), reason: reason ?? null };
  await db.prisma.esiControl.upsert({ where: { id: 1 }, create: { id: 1, ...pause }, update: pause });
}

/** For the ESI client: why nothing may be sent, asked of the database at most once a second. */
export function createPauseReader(db: Queryable, clock: Clock): () => Promise<string | undefined> {
  let last: { at: number; answer: Promise<string | undefined> } | undefined;
  return () => {
    const now = clock.now();
    if (!last || now - last.at > FRESH)
      last = { at: now, answer: readPause(db).then((pause) => pause?.reason) };
    return last.answer;
  };
}
