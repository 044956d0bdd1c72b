import type { Clock } from '../../lib/clock.ts';
import type { Database } from '../database.ts';

/** A route as ESI's description had it, for the table `esi_limits`. */
export interface LimitRow {
  readonly route: string;
  readonly group: string | undefined;
  readonly tokens: number | undefined;
  readonly windowSeconds: number | undefined;
  readonly cacheSeconds: number | undefined;
  readonly drift: string | undefined;
  readonly stricter: boolean;
}

/** Replaces what is known of ESI's description. */
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

/** When the description was last read; undefined: never. */
export async function readLimitsAge(db: Pick<Database, 'prisma'>): Promise<Date | undefined> {
  return (await db.prisma.esiLimit.findFirst({ select: { checked_at: true } }))?.checked_at;
}

/** What differs from the shipped facts, for people. */
export async function readDrifts(
  db: Pick<Database, 'prisma'>,
): Promise<{ route: string; drift: string; adopted: boolean }[]> {
  const rows = await db.prisma.esiLimit.findMany({
    where: { drift: { not: null } },
    orderBy: { route: 'asc' },
  });
  return rows.map(({ route, drift, adopted }) => ({ route, drift: drift ?? '', adopted }));
}

type Stricter = ReadonlyMap<string, { name: string; tokens: number; windowSeconds: number }>;

/** Stricter limits that are in force, by route. */
async function readStricter(db: Pick<Database, 'prisma'>): Promise<Stricter> {
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

/** They change once a day; a minute is soon enough. */
const FRESH = 60_000;

/** Stricter limits for who cannot wait for the database: the last known, looked up anew behind the caller's back. */
export function createStricterReader(
  db: Pick<Database, 'prisma'>,
  clock: Pick<Clock, 'now'>,
): () => Stricter {
  let known: Stricter = new Map();
  let at = -Infinity;
  return () => {
    if (clock.now() - at > FRESH) {
      at = clock.now();
      // A database that is away stops requests by itself; until it is back the last known limits stand.
      void readStricter(db).then(
        (found) => (known = found),
        () => undefined,
      );
    }
    return known;
  };
}
