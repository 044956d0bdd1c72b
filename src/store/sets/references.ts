import type { Pool, PoolClient } from 'pg';
import type { ReferenceKind } from '../../collectors/vocabulary.ts';
import { within } from './merge.sql.ts';
import { type SnapshotSpec, stageTable } from './snapshot-spec.ts';

type Queryable = Pick<Pool | PoolClient, 'query'>;

/** Ids of NPC stations; outposts that became structures have kept theirs. */
const STATIONS = { first: 60_000_000, last: 63_999_999 };

/** Ids of player structures, and of everything else that players have, begin at a thousand milliards. */
const FIRST_STRUCTURE = 1_000_000_000_000;

const missing = (table: string, key: string, c: string, and = '') =>
  `NOT EXISTS (SELECT FROM ${table} k WHERE k."${key}" = ${c}${and})`;

const noStation = (c: string) => missing('stations', 'station_id', c);
const noStructure = (c: string) => missing('structures', 'structure_id', c);

/** Conditions that no table knows an id that it should; each EXISTS by itself, so that they become joins. */
const UNKNOWN: Record<ReferenceKind, (column: string, spec: SnapshotSpec, runId: number) => string> = {
  types: (c) => missing('types', 'type_id', c),
  systems: (c) => missing('systems', 'system_id', c),
  locations: (c) => `${noStation(c)} AND ${noStructure(c)}`,
  // An asset lies in a station, in a structure, or in another asset of the set; else it is nowhere that can be asked for.
  places: (c, spec, runId) =>
    [
      `(${c} BETWEEN ${STATIONS.first} AND ${STATIONS.last} OR ${c} >= ${FIRST_STRUCTURE})`,
      noStation(c),
      noStructure(c),
      missing(stageTable(runId), spec.key[0]!, c),
      missing(spec.table, spec.key[0]!, c, ` AND ${within(spec, 'k')}`),
    ].join(' AND '),
};

/** Flags of what lies in a ship, a container or a fitting, never in a station or structure itself (facts c.1). */
const INSIDE =
  '(Slot|Bay|Hold|Tube)[0-9]*$|^(Cargo|Locked|Unlocked|FleetHangar|ShipHangar|Implant|Booster|Skill|Wardrobe)$';

/**
 * Those of the unknown places that may be structures. Not what holds things that only ships and containers hold, though
 * their own row is missing: ESI bans those who try ids.
 */
async function onlyPlaces<T extends { readonly id: number }>(
  db: Queryable,
  column: string,
  source: string,
  unknown: readonly T[],
): Promise<T[]> {
  if (unknown.length === 0) return [];
  const { rows } = await db.query<{ id: number }>(
    // Each flag of a place is looked at once (OFFSET keeps it so): at each row the pattern takes 70 ms of 50,000 rows.
    `SELECT DISTINCT id FROM (SELECT DISTINCT "${column}" AS id, location_flag FROM ${source} r
                               WHERE "${column}" = ANY($1::bigint[]) OFFSET 0) d
      WHERE location_flag !~ '${INSIDE}'`,
    [unknown.map(({ id }) => id)],
  );
  const places = new Set(rows.map(({ id }) => id));
  return unknown.filter(({ id }) => places.has(id));
}

/** Whether a row of `source` names an id that its table does not hold. */
export async function findUnknown(
  db: Queryable,
  spec: SnapshotSpec,
  source: string,
  runId: number,
): Promise<boolean> {
  for (const [column, lookup] of spec.lookups) {
    const isPlace = lookup === 'places';
    // Each id is looked up once: a region's 400,000 orders name 20,000 types. That takes a fifth of the time.
    const { rows } = await db.query<{ id: number }>(
      `SELECT d.id FROM (SELECT DISTINCT "${column}" AS id FROM ${source}) d
        WHERE d.id IS NOT NULL AND ${UNKNOWN[lookup]('d.id', spec, runId)} ${isPlace ? '' : 'LIMIT 1'}`,
    );
    const found = isPlace ? await onlyPlaces(db, column, source, rows) : rows;
    if (found.length > 0) return true;
  }
  return false;
}

export interface UnknownIds {
  readonly types: number[];
  readonly systems: number[];
  readonly stations: number[];
  /** With the system that the same row names, where it does. */
  readonly structures: { readonly id: number; readonly systemId: number | undefined }[];
}

/** The ids that a run's staged rows name and no table holds. */
export async function readUnknownIds(db: Queryable, spec: SnapshotSpec, runId: number): Promise<UnknownIds> {
  const unknown: UnknownIds = { types: [], systems: [], stations: [], structures: [] };
  const system = spec.lookups.find(([, lookup]) => lookup === 'systems')?.[0];
  for (const [column, lookup] of spec.lookups) {
    const { rows } = await db.query<{ id: number; system_id: number | null }>(
      `SELECT id, system_id
         FROM (SELECT "${column}" AS id, ${system ? `min("${system}")` : 'NULL::bigint'} AS system_id
                 FROM ${stageTable(runId)} GROUP BY 1) d
        WHERE d.id IS NOT NULL AND ${UNKNOWN[lookup]('d.id', spec, runId)} ORDER BY 1`,
    );
    const found = lookup === 'places' ? await onlyPlaces(db, column, stageTable(runId), rows) : rows;
    for (const { id, system_id } of found) {
      if (lookup === 'types' || lookup === 'systems') unknown[lookup].push(id);
      else if (id < FIRST_STRUCTURE) unknown.stations.push(id);
      else unknown.structures.push({ id, systemId: system_id ?? undefined });
    }
  }
  return unknown;
}
