/** A table of static data: its columns, and the columns that refer to other static tables. */
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

/** The static tables in the order in which they can be written: parents first. */
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
      'type_id',
      'name',
      'description',
      'group_id',
      'market_group_id',
      'volume',
      'capacity',
      'packaged_volume',
      'mass',
      'portion_size',
      'published',
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

/** A row of a static table. `is_placeholder` is true where its source lacks something that another may have. */
export type StaticRow = Readonly<Record<string, string | number | boolean | undefined>>;

/** The name of a placeholder without its id: `unknown market group`. */
export function placeholderLabel(table: StaticTableName | 'structures'): string {
  return `unknown ${table.replace('_', ' ').replace(/ies$/, 'y').replace(/s$/, '')}`;
}

/** A row for an id whose data is unknown. */
export function placeholderRow(table: StaticTableName, id: number): StaticRow {
  const { key, columns } = STATIC_TABLES[table];
  const row = { [key]: id, name: `${placeholderLabel(table)} ${id}`, is_placeholder: true };
  return columns.includes('published') ? { ...row, published: false } : row;
}
