/** The rows that the simulator serves, in the shapes of ESI. */
export interface Order {
  duration: number;
  is_buy_order: boolean;
  issued: string;
  location_id: number;
  min_volume: number;
  order_id: number;
  price: number;
  range: string;
  system_id: number;
  type_id: number;
  volume_remain: number;
  volume_total: number;
}

export interface Price {
  adjusted_price?: number;
  average_price?: number;
  type_id: number;
}

/** One day of a type's market in a region. */
export interface HistoryRow {
  average: number;
  /** For example `2026-08-19`. */
  date: string;
  highest: number;
  lowest: number;
  order_count: number;
  volume: number;
}

export interface IndustrySystem {
  cost_indices: { activity: string; cost_index: number }[];
  solar_system_id: number;
}

export interface Facility {
  facility_id: number;
  owner_id: number;
  region_id: number;
  solar_system_id: number;
  tax?: number;
  type_id: number;
}

export interface Position {
  x: number;
  y: number;
  z: number;
}

export interface TypeRow {
  capacity?: number;
  description: string;
  graphic_id?: number;
  group_id: number;
  icon_id?: number;
  market_group_id?: number;
  mass?: number;
  name: string;
  packaged_volume?: number;
  portion_size?: number;
  published: boolean;
  radius?: number;
  type_id: number;
  volume?: number;
}

export interface GroupRow {
  category_id: number;
  group_id: number;
  name: string;
  published: boolean;
  types: number[];
}

export interface CategoryRow {
  category_id: number;
  groups: number[];
  name: string;
  published: boolean;
}

export interface MarketGroupRow {
  description: string;
  market_group_id: number;
  name: string;
  parent_group_id?: number;
  types: number[];
}

export interface RegionRow {
  constellations: number[];
  description?: string;
  name: string;
  region_id: number;
}

export interface ConstellationRow {
  constellation_id: number;
  name: string;
  position: Position;
  region_id: number;
  systems: number[];
}

export interface PlanetRow {
  moons?: number[];
  planet_id: number;
}

export interface SystemRow {
  constellation_id: number;
  name: string;
  planets?: PlanetRow[];
  position: Position;
  security_class?: string;
  security_status: number;
  star_id?: number;
  stargates?: number[];
  stations?: number[];
  system_id: number;
}

export interface StationRow {
  max_dockable_ship_volume: number;
  name: string;
  office_rental_cost: number;
  owner?: number;
  position: Position;
  race_id?: number;
  reprocessing_efficiency: number;
  reprocessing_stations_take: number;
  services: string[];
  station_id: number;
  system_id: number;
  type_id: number;
}

/** ESI returns only the first two fields; the static data export has all. */
export interface SchematicRow {
  cycle_time: number;
  schematic_name: string;
  pins: number[];
  types: { type_id: number; is_input: boolean; quantity: number }[];
}

/** What the static data export has of a station instead of its name. */
export interface StationOrbit {
  operationID: number;
  useOperationName: boolean;
  orbitID: number;
  celestialIndex: number;
  orbitIndex?: number;
}

/** The kinds of static rows, as `world.hide` and similar methods take them. */
export interface UniverseRows {
  types: TypeRow;
  groups: GroupRow;
  categories: CategoryRow;
  marketGroups: MarketGroupRow;
  regions: RegionRow;
  constellations: ConstellationRow;
  systems: SystemRow;
  stations: StationRow;
  schematics: SchematicRow;
}

export type Kind = keyof UniverseRows;

export type Universe = { [K in Kind]: Map<number, UniverseRows[K]> } & {
  orbits: Map<number, StationOrbit>;
  operations: Map<number, string>;
  corporations: Map<number, string>;
};
