import type { ReferenceKind } from '../../collectors/vocabulary.ts';
import type { ExactInt } from '../../lib/exact-int.ts';
import type { Queryable } from '../database.ts';
import { isOfTarget, type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/** Ids of NPC stations. Outposts that became structures have kept theirs. */
const STATIONS = { first: 60_000_000, last: 63_999_999 };

/** Ids of player structures, and of everything else that players own, start here. */
const FIRST_STRUCTURE = 1_000_000_000_000;

const isMissing = (table: string, key: string, id: string, and = '') =>
  `NOT EXISTS (SELECT FROM ${table} k WHERE k."${key}" = ${id}${and})`;

const isNoStation = (id: string) => isMissing('stations', 'station_id', id);
const isNoStructure = (id: string) => isMissing('structures', 'structure_id', id);

/** Conditions that an id is unknown. Each EXISTS is a condition of its own, so that the planner turns it into a join. */
const IS_UNKNOWN: Record<ReferenceKind, (id: string, spec: SnapshotSpec, runId: number) => string> = {
  types: (id) => isMissing('types', 'type_id', id),
  systems: (id) => isMissing('systems', 'system_id', id),
  locations: (id) => `${isNoStation(id)} AND ${isNoStructure(id)}`,
  // An asset lies in a station, in a structure, or in another asset of the snapshot. Other ids cannot be resolved.
  'asset-locations': (id, spec, runId) =>
    [
      `(${id} BETWEEN ${STATIONS.first} AND ${STATIONS.last} OR ${id} >= ${FIRST_STRUCTURE})`,
      isNoStation(id),
      isNoStructure(id),
      isMissing(stageTable(runId), spec.key[0]!, id),
      isMissing(spec.table, spec.key[0]!, id, ` AND ${isOfTarget(spec, 'k')}`),
    ].join(' AND '),
};

/** Location flags of what lies in a ship, a container or a fitting, never in a station or structure itself (facts c.1). */
const INSIDE_AN_ASSET =
  '(Slot|Bay|Hold|Tube)[0-9]*$|^(Cargo|Locked|Unlocked|FleetHangar|ShipHangar|Implant|Booster|Skill|Wardrobe)$';

/**
 * Those of the unknown asset locations that may be structures. An id that holds what only ships and containers hold is
 * left out, though its own row is missing: ESI bans clients that try ids.
 */
async function keepPossibleStructures<T extends { readonly id: ExactInt }>(
  db: Queryable,
  column: string,
  runId: number,
  unknown: readonly T[],
): Promise<T[]> {
  if (unknown.length === 0) return [];
  const { rows } = await db.query<{ id: ExactInt }>(
    // OFFSET 0 keeps the subquery, so that the pattern is matched once per flag and location: per row it takes 70 ms of
    // 50,000 rows.
    `SELECT DISTINCT id FROM (SELECT DISTINCT "${column}" AS id, location_flag FROM ${stageTable(runId)} r
                               WHERE "${column}" = ANY($1::bigint[]) OFFSET 0) d
      WHERE location_flag !~ '${INSIDE_AN_ASSET}'`,
    [unknown.map(({ id }) => id)],
  );
  const possible = new Set(rows.map(({ id }) => id));
  return unknown.filter(({ id }) => possible.has(id));
}

/** Ids that rows refer to and no table holds. */
export interface UnknownIds {
  readonly types: number[];
  readonly systems: number[];
  readonly stations: number[];
  /** With the system that the same row names, where it names one. */
  readonly structures: { readonly id: ExactInt; readonly systemId: number | undefined }[];
}

/** The unknown ids that a run's staged rows refer to. Rows of pages that answered 304 refer to known ids only. */
export async function readUnknownIds(db: Queryable, spec: SnapshotSpec, runId: number): Promise<UnknownIds> {
  const unknown: UnknownIds = { types: [], systems: [], stations: [], structures: [] };
  const system = spec.references.find(([, kind]) => kind === 'systems')?.[0];
  for (const [column, kind] of spec.references) {
    // Each id is looked up once: a region's 400,000 orders refer to 20,000 types, so that takes a fifth of the time.
    const { rows } = await db.query<{ id: ExactInt; system_id: number | null }>(
      `SELECT id, system_id
         FROM (SELECT "${column}" AS id, ${system ? `min("${system}")` : 'NULL::bigint'} AS system_id
                 FROM ${stageTable(runId)} GROUP BY 1) d
        WHERE d.id IS NOT NULL AND ${IS_UNKNOWN[kind]('d.id', spec, runId)} ORDER BY 1`,
    );
    const found = kind === 'asset-locations' ? await keepPossibleStructures(db, column, runId, rows) : rows;
    for (const { id, system_id } of found) {
      if (kind === 'types' || kind === 'systems') {
        if (typeof id === 'number') unknown[kind].push(id); // EVE's static ids are small
      } else if (typeof id === 'number' && id < FIRST_STRUCTURE) unknown.stations.push(id);
      else unknown.structures.push({ id, systemId: system_id ?? undefined });
    }
  }
  return unknown;
}
