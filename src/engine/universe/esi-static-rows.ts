import { z } from 'zod';
import type { Route } from '../../esi/facts/routes.ts';
import type { StaticRow, StaticTableName } from '../../store/universe/static-tables.ts';

/** How a static table's rows are had from ESI: a list of ids where there is one, and a detail for each id. */
export interface EsiStaticSource {
  readonly list?: Route;
  readonly detail: Route;
  readonly param: string;
  /** Body of the detail to row. Throws ZodError. */
  readonly toRow: (json: unknown, id: number) => StaticRow;
}

const id = z.int().nonnegative();
const xyz = z.object({ x: z.number(), y: z.number(), z: z.number() });
const spread = (p: z.infer<typeof xyz>) => ({ position_x: p.x, position_y: p.y, position_z: p.z });

const group = z.object({ group_id: id, category_id: id, name: z.string(), published: z.boolean() });
const category = z.object({ category_id: id, name: z.string(), published: z.boolean() });
const marketGroup = z.object({
  market_group_id: id,
  parent_group_id: id.optional(),
  name: z.string(),
  description: z.string(),
});
const type = z.object({
  type_id: id,
  name: z.string(),
  description: z.string(),
  group_id: id,
  market_group_id: id.optional(),
  volume: z.number().optional(),
  capacity: z.number().optional(),
  packaged_volume: z.number().optional(),
  mass: z.number().optional(),
  portion_size: z.int().optional(),
  published: z.boolean(),
});
const region = z.object({ region_id: id, name: z.string(), description: z.string().optional() });
const constellation = z.object({ constellation_id: id, region_id: id, name: z.string(), position: xyz });
const system = z.object({
  system_id: id,
  constellation_id: id,
  name: z.string(),
  security_status: z.number(),
  star_id: id.optional(),
  position: xyz,
});
const station = z.object({
  station_id: id,
  system_id: id,
  name: z.string(),
  type_id: id,
  owner: id.optional(),
  position: xyz,
});
const schematic = z.object({ schematic_name: z.string(), cycle_time: z.int() });

const flat = <T extends { position: z.infer<typeof xyz> }>({ position, ...row }: T) => ({
  ...row,
  ...spread(position),
});

export const ESI_SOURCES: Readonly<Record<StaticTableName, EsiStaticSource>> = {
  categories: {
    list: '/universe/categories',
    detail: '/universe/categories/{category_id}',
    param: 'category_id',
    toRow: (json) => category.parse(json),
  },
  groups: {
    list: '/universe/groups',
    detail: '/universe/groups/{group_id}',
    param: 'group_id',
    toRow: (json) => group.parse(json),
  },
  market_groups: {
    list: '/markets/groups',
    detail: '/markets/groups/{market_group_id}',
    param: 'market_group_id',
    toRow: (json) => marketGroup.parse(json),
  },
  types: {
    list: '/universe/types',
    detail: '/universe/types/{type_id}',
    param: 'type_id',
    toRow: (json) => type.parse(json),
  },
  regions: {
    list: '/universe/regions',
    detail: '/universe/regions/{region_id}',
    param: 'region_id',
    toRow: (json) => region.parse(json),
  },
  constellations: {
    list: '/universe/constellations',
    detail: '/universe/constellations/{constellation_id}',
    param: 'constellation_id',
    toRow: (json) => flat(constellation.parse(json)),
  },
  systems: {
    list: '/universe/systems',
    detail: '/universe/systems/{system_id}',
    param: 'system_id',
    toRow: (json) => flat(system.parse(json)),
  },
  // ESI lists no stations; systems name theirs.
  stations: {
    detail: '/universe/stations/{station_id}',
    param: 'station_id',
    toRow: (json) => flat(station.parse(json)),
  },
  // Nor schematics: only ids known from elsewhere can be asked for.
  schematics: {
    detail: '/universe/schematics/{schematic_id}',
    param: 'schematic_id',
    toRow: (json, schematic_id) => {
      const { schematic_name, cycle_time } = schematic.parse(json);
      return { schematic_id, name: schematic_name, cycle_time };
    },
  },
};

/** The stations that a system's detail names. */
export function stationsOf(json: unknown): number[] {
  const parsed = z.object({ stations: z.array(id).optional() }).safeParse(json);
  return parsed.success ? (parsed.data.stations ?? []) : [];
}
