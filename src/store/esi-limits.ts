import type { Clock } from '../lib/clock.ts';
import { MINUTE } from '../lib/duration.ts';
import type { Database } from './database.ts';

/** A route as ESI's description has it, for the table `esi_limits`. */
export interface LimitRow {
  readonly route: string;
  readonly group: string | undefined;
  readonly tokens: number | undefined;
  readonly windowSeconds: number | undefined;
  readonly cacheSeconds: number | undefined;
  /** The difference from the shipped facts; undefined where there is none. */
  readonly drift: string | undefined;
  /** Whether the limit is stricter than the shipped one. Stricter limits are adopted. */
  readonly stricter: boolean;
}

/** Replaces the stored limits of ESI's description. */
export async function writeLimits(
  db: Pick<Database, 'prisma'>,
  rows: readonly LimitRow[],
  now: Date,
): Promise<void> {
  await db.prisma.$transaction([
    db.prisma.esiLimit.deleteMany({}),
    db.prisma.esiLimit.createMany({
      data: rows.map((row) => ({
        route: row.route,
        group_name: row.group ?? null,
        tokens: row.tokens ?? null,
        window_seconds: row.windowSeconds ?? null,
        cache_seconds: row.cacheSeconds ?? null,
        drift: row.drift ?? null,
        adopted: row.stricter,
        checked_at: now,
      })),
    }),
  ]);
}

/** When ESI's description was last read; undefined: never. */
export async function readLimitsAge(db: Pick<Database, 'prisma'>): Promise<Date | undefined> {
  return (await db.prisma.esiLimit.findFirst({ select: { checked_at: true } }))?.checked_at;
}

/** The differences from the shipped facts, for display. */
export async function readDrifts(
  db: Pick<Database, 'prisma'>,
): Promise<{ route: string; drift: string; adopted: boolean }[]> {
  const rows = await db.prisma.esiLimit.findMany({
    where: { drift: { not: null } },
    orderBy: { route: 'asc' },
  });
  return rows.map(({ route, drift, adopted }) => ({ route, drift: drift ?? '', adopted }));
}

type StricterLimits = ReadonlyMap<string, { name: string; tokens: number; windowSeconds: number }>;

/** The adopted limits, by route. */
async function readStricterLimits(db: Pick<Database, 'prisma'>): Promise<StricterLimits> {
  const rows = await db.prisma.esiLimit.findMany({ where: { adopted: true } });
  return new Map(
    rows.map((row) => [
      row.route,
      {
        name: row.group_name ?? row.route,
        tokens: row.tokens ?? 1,
        windowSeconds: row.window_seconds ?? 900,
      },
    ]),
  );
}

/** Creates a reader of the adopted limits that never waits: it returns the last known ones and refreshes them later. */
export function createStricterReader(
  db: Pick<Database, 'prisma'>,
  clock: Pick<Clock, 'now'>,
): () => StricterLimits {
  let known: StricterLimits = new Map();
  let readAt = -Infinity;
  return () => {
    // The limits change once a day, so a minute is soon enough.
    if (clock.now() - readAt > MINUTE) {
      readAt = clock.now();
      // Without the database no request is admitted anyway; until it is back the last known limits apply.
      void readStricterLimits(db).then(
        (limits) => (known = limits),
        () => undefined,
      );
    }
    return known;
  };
}
