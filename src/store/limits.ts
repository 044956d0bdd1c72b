import type { Database } from './database.ts';

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

/** Stricter limits that are in force, by route. */
export async function readStricter(
  db: Pick<Database, 'prisma'>,
): Promise<Map<string, { name: string; tokens: number; windowSeconds: number }>> {
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
