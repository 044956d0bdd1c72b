import { between, createRandom, mixSeed, pick, weighted, type Random } from '../random.ts';
import { AssetTable } from './asset-table.ts';
import type { Catalog } from './catalog.ts';
import type { AssetRow } from './owner-rows.ts';

/** The place of an asset. */
export type Place = Pick<AssetRow, 'location_id' | 'location_type' | 'location_flag'>;

/** Above all structures. */
const FIRST_ITEM = 1_040_000_000_000;

/** Room for six million items 8 apart. */
const ITEMS_AN_OWNER = 50_000_000;

/** An id that no route resolves. */
const CUSTOMS_OFFICE = 1_028_000_000_000;

/** The location of assets in asset safety that wait for delivery. */
export const SAFETY = 2_004;

export const WRAP_TYPE = 60;
const OFFICE_TYPE = 27;

/** Stations of one owner. */
const HOMES = 6;

const ITEMS_AN_OFFICE = 500;

/** The most offices of a corporation. */
const OFFICES = 20;

const FITTING_SLOTS = [
  'HiSlot0',
  'HiSlot1',
  'HiSlot2',
  'MedSlot0',
  'MedSlot1',
  'LoSlot0',
  'LoSlot1',
  'RigSlot0',
];
const CARGO_HOLDS = ['Cargo', 'Cargo', 'DroneBay'];

/** What an owner has, by observed frequency: mostly stacks in hangars. */
const MIX = [
  ['stack', 60],
  ['copy', 8],
  ['ship', 5],
  ['container', 6],
  ['wrap', 0.3],
  ['space', 0.3],
  ['customs', 0.4],
] as const;
type Kind = (typeof MIX)[number][0];

/** Every kind once, so that a small owner has all of them. */
const FIRST: readonly Kind[] = ['ship', 'container', 'copy', 'wrap', 'space', 'customs', 'stack', 'ship'];

/** The place for a location id, in ESI's terms. */
function placeAt(location_id: number): Place {
  const block = Math.floor(location_id / 1e6);
  const location_type =
    block >= 60 && block < 64 ? 'station' : block >= 30 && block < 35 ? 'solar_system' : 'item';
  return { location_id, location_type, location_flag: 'Hangar' };
}

/** Makes the assets of one owner. The same seed makes the same assets. */
export class AssetMaker {
  readonly random: Random;
  readonly #catalog: Catalog;
  readonly #isCorporation: boolean;
  readonly #roots: Place[];
  #nextItem: number;
  #table = new AssetTable();
  #room = 0;
  /** True while every kind is made once: no choice is random then. */
  #sampling = true;

  /** `slot` numbers the owners, so that each has item ids of its own. */
  constructor(catalog: Catalog, owner: { id: number; slot: number; isCorporation: boolean }, seed: number) {
    this.#catalog = catalog;
    this.#isCorporation = owner.isCorporation;
    this.random = createRandom(mixSeed(mixSeed(seed, 6), owner.id)); // 1 to 5 are the world's
    this.#nextItem = FIRST_ITEM + owner.slot * ITEMS_AN_OWNER;
    this.#roots = [
      ...catalog.stations.slice(0, 1),
      ...Array.from({ length: HOMES }, () => pick(this.random, catalog.stations)),
    ].map((station) => ({ location_id: station, location_type: 'station', location_flag: 'Hangar' }));
    for (const id of catalog.structures)
      this.#roots.push({ location_id: id, location_type: 'item', location_flag: 'Hangar' });
  }

  /** Makes this many rows. Every asset in a container, ship or office comes with what contains it. */
  make(count: number): AssetTable {
    this.#table = new AssetTable();
    this.#room = count;
    if (this.#isCorporation) this.#rentOffices(count);
    this.#sampling = true;
    for (const kind of FIRST) this.#add(kind);
    this.#sampling = false;
    while (this.#room > 0) this.#add(weighted(this.random, MIX));
    this.#table.shuffle(this.random);
    return this.#table;
  }

  /** Makes a single row. Given fields are not generated, because a million rows have to be made in seconds. */
  one(given: Partial<AssetRow> = {}): AssetRow {
    this.#nextItem += between(this.random, 1, 15); // 8 on average, see ITEMS_AN_OWNER
    const place = given.location_id === undefined ? this.root() : placeAt(given.location_id);
    const row: AssetRow = {
      is_singleton: given.is_singleton ?? false,
      item_id: given.item_id ?? this.#nextItem,
      location_flag: given.location_flag ?? place.location_flag,
      location_id: place.location_id,
      location_type: given.location_type ?? place.location_type,
      quantity: given.quantity ?? this.#amount(),
      type_id: given.type_id ?? pick(this.random, this.#catalog.marketTypes),
    };
    if (given.is_blueprint_copy !== undefined) row.is_blueprint_copy = given.is_blueprint_copy;
    return row;
  }

  /** A hangar of the owner. */
  root(): Place {
    const place = pick(this.random, this.#roots);
    return this.#isCorporation && place.location_flag !== 'CorpDeliveries'
      ? { ...place, location_flag: `CorpSAG${between(this.random, 1, 7)}` }
      : place;
  }

  #amount(): number {
    return Math.ceil(10 ** (this.random() ** 2 * 6)); // most stacks are small
  }

  #put(partial: Partial<AssetRow>): number {
    if (this.#room <= 0) return 0;
    this.#room--;
    const row = this.one(partial);
    this.#table.push(row);
    return row.item_id;
  }

  #single(type_id: number, place: Place): number {
    return this.#put({ ...place, is_singleton: true, quantity: 1, type_id });
  }

  /** Puts a corporation's assets in offices. One office is impounded, and deliveries are outside of offices. */
  #rentOffices(count: number): void {
    const places = this.#roots.splice(0);
    const wanted = Math.min(places.length, OFFICES, 3 + Math.floor(count / ITEMS_AN_OFFICE));
    const chosen = [...places.slice(0, 2), ...places.slice(-Math.max(0, wanted - 2))].slice(
      0,
      Math.max(2, wanted),
    );
    for (const [index, place] of chosen.entries()) {
      const location_flag = index === 1 ? 'Impounded' : 'OfficeFolder';
      const id = this.#single(OFFICE_TYPE, { ...place, location_flag });
      this.#roots.push({ location_id: id, location_type: 'item', location_flag: 'CorpSAG1' });
    }
    this.#roots.push({ ...(places[0] as Place), location_flag: 'CorpDeliveries' });
  }

  #add(kind: Kind): void {
    const { systems } = this.#catalog;
    if (kind === 'stack') this.#put({});
    else if (kind === 'copy') this.#put({ is_blueprint_copy: true, is_singleton: true, quantity: 1 });
    else if (kind === 'ship') this.#addShip(this.root());
    else if (kind === 'container') this.#addContainer(this.root(), true);
    else if (kind === 'wrap') this.#addWrap();
    else if (kind === 'customs')
      this.#put({
        location_id: CUSTOMS_OFFICE + between(this.random, 1, 99),
        location_type: 'item',
        location_flag: 'Hangar',
      });
    else
      this.#addContainer(
        { location_id: pick(this.random, systems), location_type: 'solar_system', location_flag: 'AutoFit' },
        false,
      );
  }

  #inside(holder: number, location_flag: string): Place {
    return { location_id: holder, location_type: 'item', location_flag };
  }

  #addShip(place: Place): void {
    const ship = this.#single(pick(this.random, this.#catalog.ships), place);
    for (const flag of FITTING_SLOTS)
      this.#single(pick(this.random, this.#catalog.marketTypes), this.#inside(ship, flag));
    for (const flag of CARGO_HOLDS) this.#put(this.#inside(ship, flag));
  }

  #addContainer(place: Place, nested: boolean): void {
    const activeFaults = this.#single(pick(this.random, this.#catalog.containers), place);
    for (let left = between(this.random, 2, 6); left > 0; left--)
      this.#put(this.#inside(activeFaults, 'AutoFit'));
    if (nested && (this.#sampling || this.random() < 0.5))
      this.#addContainer(this.#inside(activeFaults, 'AutoFit'), false);
  }

  /** Adds what a destroyed structure leaves: in transit, or delivered to a station. */
  #addWrap(): void {
    const { stations } = this.#catalog;
    const place: Place =
      this.#sampling || this.random() < 0.7
        ? { location_id: SAFETY, location_type: 'other', location_flag: 'AssetSafety' }
        : {
            location_id: pick(this.random, stations),
            location_type: 'station',
            location_flag: 'AssetSafety',
          };
    const wrap = this.#single(WRAP_TYPE, place);
    this.#addShip(this.#inside(wrap, 'Hangar'));
    this.#put(this.#inside(wrap, 'Hangar'));
  }
}
