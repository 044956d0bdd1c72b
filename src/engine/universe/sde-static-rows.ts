import { z } from 'zod';
import {
  placeholderLabel,
  type StaticRow,
  type StaticTableName,
} from '../../store/universe/static-tables.ts';
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
const text = z.object({ en: z.string() }).transform((names) => names.en);
const position = z.object({ x: z.number(), y: z.number(), z: z.number() }).optional();

/** A converter by schema. */
const by = (schema: z.ZodType<StaticRow>) => (record: unknown) => schema.parse(record);

const category = z
  .object({ _key: id, name: text, published: z.boolean() })
  .transform(({ _key, ...row }) => ({ category_id: _key, ...row }));
const group = z
  .object({ _key: id, categoryID: id, name: text, published: z.boolean() })
  .transform(({ _key, categoryID, ...row }) => ({ group_id: _key, category_id: categoryID, ...row }));
const marketGroup = z
  .object({ _key: id, parentGroupID: id.optional(), name: text, description: text.optional() })
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
    description: text.optional(),
    mass: z.number().optional(),
    volume: z.number().optional(),
    packagedVolume: z.number().optional(),
    capacity: z.number().optional(),
    portionSize: z.int().optional(),
    published: z.boolean(),
    marketGroupID: id.optional(),
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
  .object({ _key: id, name: text, description: text.optional() })
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
    starID: id.optional(),
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
  ownerID: id.optional(),
  typeID: id.optional(),
  operationID: id.optional(),
  useOperationName: z.boolean().optional(),
  celestialIndex: z.int().optional(),
  orbitIndex: z.int().optional(),
  position,
});
const schematic = z
  .object({ _key: id, name: text, cycleTime: z.int() })
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
  categories: { file: 'categories', toRow: by(category) },
  groups: { file: 'groups', toRow: by(group) },
  market_groups: { file: 'marketGroups', toRow: by(marketGroup) },
  types: { file: 'types', toRow: by(type) },
  regions: { file: 'mapRegions', toRow: by(region) },
  constellations: { file: 'mapConstellations', toRow: by(constellation) },
  systems: { file: 'mapSolarSystems', toRow: by(system) },
  stations: {
    file: 'npcStations',
    toRow: (record, names) => {
      const parsed = station.parse(record);
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
  schematics: { file: 'planetSchematics', toRow: by(schematic) },
};

/** Reads the names that station names consist of: about 9,000 short texts. */
export async function readNames(archive: SdeArchive): Promise<SdeNames> {
  const read = async (file: string, field: string) => {
    const shape = z.object({ _key: id, [field]: text });
    const names = new Map<number, string>();
    for await (const record of archive.records(file)) {
      const parsed = shape.safeParse(record);
      if (parsed.success) names.set(parsed.data['_key'] as number, parsed.data[field] as string);
    }
    return names;
  };
  return {
    systems: await read('mapSolarSystems', 'name'),
    corporations: await read('npcCorporations', 'name'),
    operations: await read('stationOperations', 'operationName'),
  };
}
