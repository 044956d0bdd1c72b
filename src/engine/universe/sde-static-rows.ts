import { z } from 'zod';
import type { StaticRow, StaticTableName } from '../../store/universe/static-tables.ts';
import type { SdeArchive } from './sde-archive.ts';

/** One file of the SDE and what becomes of its records. Records that do not fit throw ZodError. */
export interface SdeSource {
  readonly file: string;
  readonly toRow: (record: unknown, names: SdeNames) => StaticRow;
}

/** Names that station names are made of, by id. */
export interface SdeNames {
  readonly systems: ReadonlyMap<number, string>;
  readonly corporations: ReadonlyMap<number, string>;
  readonly operations: ReadonlyMap<number, string>;
}

const id = z.int().nonnegative();
const text = z.object({ en: z.string() }).transform((t) => t.en);
const xyz = z.object({ x: z.number(), y: z.number(), z: z.number() }).optional();
const spread = (p: z.infer<typeof xyz>) => ({ position_x: p?.x, position_y: p?.y, position_z: p?.z });

const category = z.object({ _key: id, name: text, published: z.boolean() });
const group = z.object({ _key: id, categoryID: id, name: text, published: z.boolean() });
const marketGroup = z.object({
  _key: id,
  parentGroupID: id.optional(),
  name: text,
  description: text.optional(),
});
const type = z.object({
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
});
const region = z.object({ _key: id, name: text, description: text.optional() });
const constellation = z.object({ _key: id, name: text, regionID: id, position: xyz });
const system = z.object({
  _key: id,
  name: text,
  constellationID: id,
  securityStatus: z.number().optional(),
  starID: id.optional(),
  position: xyz,
});
const station = z.object({
  _key: id,
  solarSystemID: id,
  ownerID: id.optional(),
  typeID: id.optional(),
  operationID: id.optional(),
  useOperationName: z.boolean().optional(),
  celestialIndex: z.int().optional(),
  orbitIndex: z.int().optional(),
  position: xyz,
});
const schematic = z.object({ _key: id, name: text, cycleTime: z.int() });

const ROMAN: readonly (readonly [number, string])[] = [
  [50, 'L'],
  [40, 'XL'],
  [10, 'X'],
  [9, 'IX'],
  [5, 'V'],
  [4, 'IV'],
  [1, 'I'],
];

/** 4 to IV: planets are numbered so in the names of stations. */
export function roman(n: number): string {
  let text = '';
  for (const [value, letters] of ROMAN) for (; n >= value; n -= value) text += letters;
  return text;
}

/** `Jita IV - Moon 4 - Caldari Navy Assembly Plant`; undefined when a part is missing. The SDE stores no names. */
export function stationName(s: z.infer<typeof station>, names: SdeNames): string | undefined {
  const where = names.systems.get(s.solarSystemID);
  const owner = names.corporations.get(s.ownerID ?? -1);
  const operation = s.useOperationName === false ? '' : names.operations.get(s.operationID ?? -1);
  if (where === undefined || owner === undefined || operation === undefined) return undefined;
  const planet = s.celestialIndex === undefined ? '' : ` ${roman(s.celestialIndex)}`;
  const moon = s.orbitIndex === undefined ? '' : ` - Moon ${s.orbitIndex}`;
  return `${where}${planet}${moon} - ${owner}${operation === '' ? '' : ` ${operation}`}`;
}

export const SDE_SOURCES: Readonly<Record<StaticTableName, SdeSource>> = {
  categories: {
    file: 'categories',
    toRow: (record) => {
      const { _key, ...row } = category.parse(record);
      return { category_id: _key, ...row };
    },
  },
  groups: {
    file: 'groups',
    toRow: (record) => {
      const { _key, categoryID, ...row } = group.parse(record);
      return { group_id: _key, category_id: categoryID, ...row };
    },
  },
  market_groups: {
    file: 'marketGroups',
    toRow: (record) => {
      const { _key, parentGroupID, name, description } = marketGroup.parse(record);
      return { market_group_id: _key, parent_group_id: parentGroupID, name, description };
    },
  },
  types: {
    file: 'types',
    toRow: (record) => {
      const t = type.parse(record);
      return {
        ...{ type_id: t._key, name: t.name, description: t.description, group_id: t.groupID },
        ...{ market_group_id: t.marketGroupID, volume: t.volume, capacity: t.capacity, mass: t.mass },
        ...{ packaged_volume: t.packagedVolume, portion_size: t.portionSize, published: t.published },
      };
    },
  },
  regions: {
    file: 'mapRegions',
    toRow: (record) => {
      const { _key, name, description } = region.parse(record);
      return { region_id: _key, name, description };
    },
  },
  constellations: {
    file: 'mapConstellations',
    toRow: (record) => {
      const { _key, name, regionID, position } = constellation.parse(record);
      return { constellation_id: _key, region_id: regionID, name, ...spread(position) };
    },
  },
  systems: {
    file: 'mapSolarSystems',
    toRow: (record) => {
      const s = system.parse(record);
      return {
        ...{ system_id: s._key, constellation_id: s.constellationID, name: s.name },
        ...{ security_status: s.securityStatus, star_id: s.starID, ...spread(s.position) },
      };
    },
  },
  stations: {
    file: 'npcStations',
    toRow: (record, names) => {
      const s = station.parse(record);
      const name = stationName(s, names);
      return {
        ...{ station_id: s._key, system_id: s.solarSystemID, type_id: s.typeID, owner: s.ownerID },
        ...{
          name: name ?? `unknown station ${s._key}`,
          is_placeholder: name === undefined,
          ...spread(s.position),
        },
      };
    },
  },
  schematics: {
    file: 'planetSchematics',
    toRow: (record) => {
      const { _key, name, cycleTime } = schematic.parse(record);
      return { schematic_id: _key, name, cycle_time: cycleTime };
    },
  },
};

/** Reads the names that station names need: some 9,000 short texts. */
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
