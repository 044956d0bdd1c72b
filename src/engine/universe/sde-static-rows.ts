import { z } from 'zod';
import {
  placeholderLabel,
  type StaticRow,
  type StaticTableName,
  STATIC_TABLES,
} from '../../store/universe/static-tables.ts';
import { parseRowOrThrow } from '../../esi/facts/parse-row.ts';
import { positionColumns } from './esi-static-rows.ts';
import type { SdeArchive } from './sde-archive.ts';

/** One file of the SDE. */
export interface SdeSource {
  readonly file: string;
  /** Converts a record to a row. Throws ZodError. */
  readonly toRow: (record: unknown, names: SdeNames) => StaticRow;
}

/** Names that station names consist of, by id. */
export interface SdeNames {
  readonly systems: ReadonlyMap<number, string>;
  readonly corporations: ReadonlyMap<number, string>;
  readonly operations: ReadonlyMap<number, string>;
}

const id = z.int().nonnegative();
/** An id that may be absent, as which 0 counts. */
const existingId = z.int().positive();
/** A text in English. A text without it counts as left out. */
const text = z
  .object({ en: z.string().min(1).nullish().catch(null) })
  .optional()
  .transform((names) => names?.en ?? undefined);
/** False where it is left out, as CCP says of everything that has its default. */
const published = z.boolean().default(false);
const position = z.object({ x: z.number(), y: z.number(), z: z.number() }).optional();

/** A converter by schema. A row without a name is a placeholder, whose name ESI may know. */
const by = (table: StaticTableName, schema: z.ZodType<StaticRow>) => (record: unknown) => {
  const row = parseRowOrThrow(schema, record);
  if (row['name'] !== undefined) return row;
  const id = row[STATIC_TABLES[table].key] as number;
  return { ...row, name: `${placeholderLabel(table)} ${id}`, is_placeholder: true };
};

const category = z
  .object({ _key: id, name: text, published })
  .transform(({ _key, ...row }) => ({ category_id: _key, ...row }));
const group = z
  .object({ _key: id, categoryID: id, name: text, published })
  .transform(({ _key, categoryID, ...row }) => ({ group_id: _key, category_id: categoryID, ...row }));
const marketGroup = z
  .object({ _key: id, parentGroupID: existingId.optional(), name: text, description: text })
  .transform(({ _key, parentGroupID, ...row }) => ({
    market_group_id: _key,
    parent_group_id: parentGroupID,
    ...row,
  }));
const type = z
  .object({
    _key: id,
    groupID: id,
    name: text,
    description: text,
    mass: z.number().optional(),
    volume: z.number().optional(),
    packagedVolume: z.number().optional(),
    capacity: z.number().optional(),
    portionSize: z.int().optional(),
    published,
    marketGroupID: existingId.optional(),
  })
  .transform(({ _key, groupID, packagedVolume, portionSize, marketGroupID, ...row }) => ({
    type_id: _key,
    group_id: groupID,
    packaged_volume: packagedVolume,
    portion_size: portionSize,
    market_group_id: marketGroupID,
    ...row,
  }));
const region = z
  .object({ _key: id, name: text, description: text })
  .transform(({ _key, ...row }) => ({ region_id: _key, ...row }));
const constellation = z
  .object({ _key: id, name: text, regionID: id, position })
  .transform(({ _key, name, regionID, position: at }) => ({
    constellation_id: _key,
    region_id: regionID,
    name,
    ...positionColumns(at),
  }));
const system = z
  .object({
    _key: id,
    name: text,
    constellationID: id,
    securityStatus: z.number().optional(),
    starID: existingId.optional(),
    position,
  })
  .transform(({ _key, name, constellationID, securityStatus, starID, position: at }) => ({
    system_id: _key,
    constellation_id: constellationID,
    name,
    security_status: securityStatus,
    star_id: starID,
    ...positionColumns(at),
  }));
const station = z.object({
  _key: id,
  solarSystemID: id,
  ownerID: existingId.optional(),
  typeID: id.optional(),
  operationID: id.optional(),
  useOperationName: z.boolean().optional(),
  celestialIndex: z.int().optional(),
  orbitIndex: z.int().optional(),
  position,
});
const schematic = z
  .object({ _key: id, name: text, cycleTime: z.int().optional() })
  .transform(({ _key, name, cycleTime }) => ({ schematic_id: _key, name, cycle_time: cycleTime }));

const ROMAN: readonly (readonly [number, string])[] = [
  [50, 'L'],
  [40, 'XL'],
  [10, 'X'],
  [9, 'IX'],
  [5, 'V'],
  [4, 'IV'],
  [1, 'I'],
];

/** Converts a number to Roman numerals, as planets have in the names of stations: 4 becomes IV. */
function roman(n: number): string {
  let left = n;
  let numerals = '';
  for (const [value, letters] of ROMAN) for (; left >= value; left -= value) numerals += letters;
  return numerals;
}

/**
 * The name of a station, which the SDE does not contain: `Jita IV - Moon 4 - Caldari Navy Assembly Plant`. Undefined when
 * a part is missing.
 */
function stationName(s: z.infer<typeof station>, names: SdeNames): string | undefined {
  const systemName = names.systems.get(s.solarSystemID);
  const owner = names.corporations.get(s.ownerID ?? -1);
  const operation = s.useOperationName === false ? '' : names.operations.get(s.operationID ?? -1);
  if (systemName === undefined || owner === undefined || operation === undefined) return undefined;
  const planet = s.celestialIndex === undefined ? '' : ` ${roman(s.celestialIndex)}`;
  const moon = s.orbitIndex === undefined ? '' : ` - Moon ${s.orbitIndex}`;
  return `${systemName}${planet}${moon} - ${owner}${operation === '' ? '' : ` ${operation}`}`;
}

export const SDE_SOURCES: Readonly<Record<StaticTableName, SdeSource>> = {
  categories: { file: 'categories', toRow: by('categories', category) },
  groups: { file: 'groups', toRow: by('groups', group) },
  market_groups: { file: 'marketGroups', toRow: by('market_groups', marketGroup) },
  types: { file: 'types', toRow: by('types', type) },
  regions: { file: 'mapRegions', toRow: by('regions', region) },
  constellations: { file: 'mapConstellations', toRow: by('constellations', constellation) },
  systems: { file: 'mapSolarSystems', toRow: by('systems', system) },
  stations: {
    file: 'npcStations',
    toRow: (record, names) => {
      const parsed = parseRowOrThrow(station, record);
      const { _key, solarSystemID, typeID, ownerID, position: at } = parsed;
      const name = stationName(parsed, names);
      return {
        station_id: _key,
        system_id: solarSystemID,
        type_id: typeID,
        owner: ownerID,
        name: name ?? `${placeholderLabel('stations')} ${_key}`,
        is_placeholder: name === undefined,
        ...positionColumns(at),
      };
    },
  },
  schematics: { file: 'planetSchematics', toRow: by('schematics', schematic) },
};

/** Reads the names that station names consist of: about 9,000 short texts. */
export async function readNames(archive: SdeArchive): Promise<SdeNames> {
  const read = async (file: string, field: string) => {
    const shape = z.object({ _key: id, [field]: text });
    const names = new Map<number, string>();
    for await (const record of archive.records(file)) {
      const { data } = shape.safeParse(record);
      if (data?.[field] !== undefined) names.set(data['_key'] as number, data[field] as string);
    }
    return names;
  };
  return {
    systems: await read('mapSolarSystems', 'name'),
    corporations: await read('npcCorporations', 'name'),
    operations: await read('stationOperations', 'operationName'),
  };
}
