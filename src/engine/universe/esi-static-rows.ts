import { z } from 'zod';
import { double, position as esiPosition } from '../../esi/facts/bounds.ts';
import { parseRowOrThrow } from '../../esi/facts/parse-row.ts';
import type { Route } from '../../esi/facts/routes.ts';
import type { StaticRow, StaticTableName } from '../../store/universe/static-tables.ts';

/** The routes of a static table: a list of ids where ESI has one, and the data of one id. */
export interface EsiStaticSource {
  readonly list?: Route;
  /** Its path parameter is the key of the table. */
  readonly detail: Route;
  /** Converts a body of `detail` to a row. Throws ZodError. */
  readonly toRow: (json: unknown, id: number) => StaticRow;
}

const id = z.int().nonnegative();
/** An id that may be absent, as which 0 counts. */
const existingId = z.int().positive();
const position = esiPosition.optional();
/** False where it is left out, as CCP says of everything that has its default. */
const published = z.boolean().default(false);

/** The columns of a position. */
export const positionColumns = (at: z.infer<typeof position> | undefined) => ({
  position_x: at?.x,
  position_y: at?.y,
  position_z: at?.z,
});

const withPosition = <T extends { position?: z.infer<typeof position> }>({ position: at, ...row }: T) => ({
  ...row,
  ...positionColumns(at),
});

/** A converter by schema. */
const by = (schema: z.ZodType<StaticRow>) => (json: unknown) => parseRowOrThrow(schema, json);

const category = z.object({ category_id: id, name: z.string(), published });
const group = z.object({ group_id: id, category_id: id, name: z.string(), published });
const marketGroup = z.object({
  market_group_id: id,
  parent_group_id: existingId.optional(),
  name: z.string(),
  description: z.string().optional(),
});
const type = z.object({
  type_id: id,
  name: z.string(),
  description: z.string().optional(),
  group_id: id,
  market_group_id: existingId.optional(),
  volume: double().optional(),
  capacity: double().optional(),
  packaged_volume: double().optional(),
  mass: double().optional(),
  portion_size: z.int().optional(),
  published,
});
const region = z.object({ region_id: id, name: z.string(), description: z.string().optional() });
const constellation = z
  .object({ constellation_id: id, region_id: id, name: z.string(), position })
  .transform(withPosition);
const system = z
  .object({
    system_id: id,
    constellation_id: id,
    name: z.string(),
    security_status: double().optional(),
    star_id: existingId.optional(),
    position,
  })
  .transform(withPosition);
const station = z
  .object({
    station_id: id,
    system_id: id,
    name: z.string(),
    type_id: id.optional(),
    owner: existingId.optional(),
    position,
  })
  .transform(withPosition);
const schematic = z.object({ schematic_name: z.string(), cycle_time: z.int().optional() });

export const ESI_SOURCES: Readonly<Record<StaticTableName, EsiStaticSource>> = {
  categories: {
    list: '/universe/categories',
    detail: '/universe/categories/{category_id}',
    toRow: by(category),
  },
  groups: { list: '/universe/groups', detail: '/universe/groups/{group_id}', toRow: by(group) },
  market_groups: {
    list: '/markets/groups',
    detail: '/markets/groups/{market_group_id}',
    toRow: by(marketGroup),
  },
  types: { list: '/universe/types', detail: '/universe/types/{type_id}', toRow: by(type) },
  regions: { list: '/universe/regions', detail: '/universe/regions/{region_id}', toRow: by(region) },
  constellations: {
    list: '/universe/constellations',
    detail: '/universe/constellations/{constellation_id}',
    toRow: by(constellation),
  },
  systems: { list: '/universe/systems', detail: '/universe/systems/{system_id}', toRow: by(system) },
  // ESI lists no stations; their systems refer to them.
  stations: { detail: '/universe/stations/{station_id}', toRow: by(station) },
  // ESI lists no schematics: only ids known from elsewhere can be requested.
  schematics: {
    detail: '/universe/schematics/{schematic_id}',
    toRow: (json, schematic_id) => {
      const { schematic_name, cycle_time } = parseRowOrThrow(schematic, json);
      return { schematic_id, name: schematic_name, cycle_time };
    },
  },
};

/** The stations that a system's data refers to. */
export function stationsOf(json: unknown): number[] {
  const parsed = z.object({ stations: z.array(id).optional() }).safeParse(json);
  return parsed.data?.stations ?? [];
}
