/** A table of static data: its columns, and the columns that name rows of other static tables. */
export interface StaticTable {
  readonly key: string;
  readonly columns: readonly string[];
  readonly parents: readonly (readonly [column: string, table: StaticTableName])[];
}

export type StaticTableName =
  | 'categories'
  | 'groups'
  | 'market_groups'
  | 'types'
  | 'regions'
  | 'constellations'
  | 'systems'
  | 'stations'
  | 'schematics';

const position = ['position_x', 'position_y', 'position_z'];

/** In the order in which they can be written: parents first. */
export const STATIC_TABLES: Readonly<Record<StaticTableName, StaticTable>> = {
  categories: { key: 'category_id', columns: ['category_id', 'name', 'published'], parents: [] },
  groups: {
    key: 'group_id',
    columns: ['group_id', 'category_id', 'name', 'published'],
    parents: [['category_id', 'categories']],
  },
  market_groups: {
    key: 'market_group_id',
    columns: ['market_group_id', 'parent_group_id', 'name', 'description'],
    parents: [],
  },
  types: {
    key: 'type_id',
    columns: [
      ...[
        'type_id',
        'name',
        'description',
        'group_id',
        'market_group_id',
        'volume',
        'capacity',
        'packaged_volume',
      ],
      ...['mass', 'portion_size', 'published'],
    ],
    parents: [['group_id', 'groups']],
  },
  regions: { key: 'region_id', columns: ['region_id', 'name', 'description'], parents: [] },
  constellations: {
    key: 'constellation_id',
    columns: ['constellation_id', 'region_id', 'name', ...position],
    parents: [['region_id', 'regions']],
  },
  systems: {
    key: 'system_id',
    columns: ['system_id', 'constellation_id', 'name', 'security_status', 'star_id', ...position],
    parents: [['constellation_id', 'constellations']],
  },
  stations: {
    key: 'station_id',
    columns: ['station_id', 'system_id', 'name', 'type_id', 'owner', ...position],
    parents: [['system_id', 'systems']],
  },
  schematics: { key: 'schematic_id', columns: ['schematic_id', 'name', 'cycle_time'], parents: [] },
};

export const STATIC_TABLE_NAMES = Object.keys(STATIC_TABLES) as StaticTableName[];

/** A row of a static table; `is_placeholder` where the source left something out that another may know. */
export type StaticRow = Readonly<Record<string, string | number | boolean | undefined>>;
