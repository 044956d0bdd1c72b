import type { Kind, Universe } from './esi-rows.ts';
import type { World } from './world.ts';
import { makeZip, type ZipEntry } from './zip.ts';

const LANGUAGES = ['de', 'en', 'es', 'fr', 'ja', 'ko', 'ru', 'zh'];

/** A localized name in eight languages. Only the English one has no suffix. */
function name(text: string): Record<string, string> {
  return Object.fromEntries(
    LANGUAGES.map((language) => [language, language === 'en' ? text : `${text} (${language})`]),
  );
}

/** Long texts have two languages only, because the archive is made while a test waits. */
function longText(text: string | undefined): object {
  return text ? { description: { de: text, en: text } } : {};
}

/** One file: rows with `_key` first. Absent fields are left out. */
function lines<T>(rows: Iterable<readonly [number, T]>, shape: (row: T, id: number) => object): Buffer {
  let text = '';
  for (const [id, row] of rows) text += `${JSON.stringify({ _key: id, ...shape(row, id) })}\n`;
  return Buffer.from(text);
}

type Visible = <K extends Kind>(kind: K) => [number, Universe[K] extends Map<number, infer R> ? R : never][];

function typesFile(rows: Visible): Buffer {
  return lines(rows('types'), (row) => ({
    groupID: row.group_id,
    name: name(row.name),
    ...longText(row.description),
    mass: row.mass,
    volume: row.volume,
    packagedVolume: row.packaged_volume,
    capacity: row.capacity || undefined, // the archive has no zeros
    radius: row.radius,
    portionSize: row.portion_size,
    published: row.published,
    marketGroupID: row.market_group_id,
    graphicID: row.graphic_id,
    iconID: row.icon_id,
  }));
}

function itemFiles(rows: Visible): Record<string, Buffer> {
  return {
    types: typesFile(rows),
    categories: lines(rows('categories'), (row) => ({ name: name(row.name), published: row.published })),
    groups: lines(rows('groups'), (row) => ({
      categoryID: row.category_id,
      name: name(row.name),
      published: row.published,
    })),
    marketGroups: lines(rows('marketGroups'), (row) => ({
      parentGroupID: row.parent_group_id,
      name: name(row.name),
      ...longText(row.description),
      hasTypes: row.types.length > 0,
    })),
    planetSchematics: lines(rows('schematics'), (row) => ({
      name: name(row.schematic_name),
      cycleTime: row.cycle_time,
      pins: row.pins,
      types: row.types.map((type) => ({
        _key: type.type_id,
        isInput: type.is_input,
        quantity: type.quantity,
      })),
    })),
  };
}

function mapFiles(rows: Visible, universe: Universe): Record<string, Buffer> {
  return {
    mapRegions: lines(rows('regions'), (row) => ({
      name: name(row.name),
      ...longText(row.description),
      constellationIDs: row.constellations,
    })),
    mapConstellations: lines(rows('constellations'), (row) => ({
      name: name(row.name),
      regionID: row.region_id,
      solarSystemIDs: row.systems,
      position: row.position,
    })),
    mapSolarSystems: lines(rows('systems'), (row) => ({
      name: name(row.name),
      constellationID: row.constellation_id,
      regionID: universe.constellations.get(row.constellation_id)?.region_id,
      securityStatus: row.security_status,
      securityClass: row.security_class,
      starID: row.star_id,
      planetIDs: row.planets?.map((planet) => planet.planet_id),
      stargateIDs: row.stargates,
      position: row.position,
    })),
    npcStations: lines(rows('stations'), (row, id) => ({
      solarSystemID: row.system_id,
      ownerID: row.owner,
      typeID: row.type_id,
      ...universe.orbits.get(id),
      position: row.position,
    })),
    stationOperations: lines(universe.operations, (text) => ({ operationName: name(text) })),
    npcCorporations: lines(universe.corporations, (text) => ({ name: name(text) })),
  };
}

/** The only line of `latest.jsonl` and of `_sde.jsonl`. */
export function sdeHeader(world: World): string {
  return `${JSON.stringify({ _key: 'sde', buildNumber: world.build, releaseDate: world.buildDate })}\n`;
}

/** The archive of the current build. */
export function sdeArchive(world: World): Buffer {
  const visible: Visible = (kind) => {
    const all = [...world.universe[kind]] as [number, never][];
    return all.filter(([id]) => !world.isHidden(kind, id) && !world.isForgotten(kind, id));
  };
  const files = { ...itemFiles(visible), ...mapFiles(visible, world.universe) };
  const entries: ZipEntry[] = Object.entries(files).map(([file, data]) => ({ name: `${file}.jsonl`, data }));
  return makeZip([{ name: '_sde.jsonl', data: Buffer.from(sdeHeader(world)) }, ...entries]);
}
