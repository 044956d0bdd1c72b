import type { Universe } from '../esi-rows.ts';
import {
  DEFAULT_OWNERS,
  DEFAULT_COUNTS,
  FIRST_CORPORATION,
  type CharacterOptions,
  type OwnerOptions,
  type StructureOptions,
} from './owner-options.ts';
import {
  isOtherCharacter,
  isOtherCorporation,
  nameFor,
  OTHER_ENTITIES,
  universeName,
} from './public-entities.ts';

/** The number of rows of each kind that an owner starts with. */
export interface Counts {
  assets: number;
  /** Rows of each wallet. */
  journal: number;
  transactions: number;
  orders: number;
  jobs: number;
  balance: number | undefined;
}

export interface Character {
  readonly id: number;
  readonly name: string;
  corporationId: number;
  roles: string[];
}

export interface Corporation {
  readonly id: number;
  readonly name: string;
  readonly ticker: string;
}

export interface Structure {
  readonly id: number;
  name: string;
  readonly systemId: number;
  readonly ownerId: number;
  readonly typeId: number;
  acl: Set<number> | 'public';
}

const JITA = 30_000_142; // The Forge's hub, which exists in every simulated universe with that region.

/** The most common structure. */
const ASTRAHUS = 35_832;

/** The counts that the options give. */
type Given = { [K in keyof Counts]?: Counts[K] | undefined };

const countsOf = (few: Omit<Counts, 'balance'>, given: Given): Counts => ({
  assets: given.assets ?? few.assets,
  journal: given.journal ?? few.journal,
  transactions: given.transactions ?? few.transactions,
  orders: given.orders ?? few.orders,
  jobs: given.jobs ?? few.jobs,
  balance: given.balance,
});

/** The characters, corporations and structures. */
export class OwnerRegistry {
  readonly characters = new Map<number, Character>();
  readonly corporations = new Map<number, Corporation>();
  readonly structures = new Map<number, Structure>();
  readonly counts = new Map<number, Counts>();
  /** All owners in order. The position of an owner determines its ids. */
  readonly order: number[] = [];
  /** The number of owners at the start. Only those have traded with each other. */
  readonly initialCount: number;
  readonly home: number;
  readonly #universe: Universe;
  readonly #seed: number;

  constructor(options: OwnerOptions, universe: Universe, seed: number) {
    this.#universe = universe;
    this.#seed = seed;
    this.home = universe.systems.has(JITA) ? JITA : (universe.systems.keys().next().value as number);
    const isDefault = options.characters === undefined && options.corporations === undefined;
    const { characters = [], corporations = [] } = isDefault ? DEFAULT_OWNERS : options;
    const { structures = DEFAULT_OWNERS.structures } = options;
    const first = corporations[0]?.id ?? FIRST_CORPORATION;
    for (const given of characters as CharacterOptions[]) {
      const { id, name = nameFor(seed, id), corporationId = first, roles = [] } = given;
      this.characters.set(id, { id, name, corporationId, roles: [...roles] });
      this.counts.set(id, countsOf(DEFAULT_COUNTS.character, given));
      this.order.push(id);
    }
    const missing = [...this.characters.values()].map(({ corporationId }) => ({ id: corporationId }));
    for (const given of [...corporations, ...missing]) this.addCorporation(given);
    this.initialCount = this.order.length;
    for (const given of structures) this.#addStructure(given, first);
  }

  /** The owners among a corporation's members. */
  membersOf(corporationId: number): Character[] {
    return [...this.characters.values()].filter((member) => member.corporationId === corporationId);
  }

  /** Any character: an owner, or one that only the public routes have. */
  character(id: number): Character | undefined {
    const known = this.characters.get(id);
    if (known || !isOtherCharacter(id)) return known;
    return {
      id,
      name: nameFor(this.#seed, id),
      corporationId: OTHER_ENTITIES.corporations + (id % 100),
      roles: [],
    };
  }

  /** Any corporation, including those of NPCs. */
  corporation(id: number): Corporation | undefined {
    const known = this.corporations.get(id);
    if (known) return known;
    const npc = this.#universe.corporations.get(id);
    if (npc === undefined && !isOtherCorporation(id)) return undefined;
    return { id, name: npc ?? nameFor(this.#seed, id), ticker: `S${id % OTHER_ENTITIES.count}` };
  }

  /** The entry of `/universe/names` for an id. */
  named(id: number): { category: string; id: number; name: string } | undefined {
    const character = this.character(id);
    if (character) return { category: 'character', id, name: character.name };
    const corporation = this.corporation(id);
    if (corporation) return { category: 'corporation', id, name: corporation.name };
    return universeName(this.#universe, id);
  }

  /** Whether a character has access to a structure. Everybody has access to public ones. */
  isVisibleTo(structure: Structure, characterId: number): boolean {
    return structure.acl === 'public' || structure.acl.has(characterId);
  }

  /** Adds a corporation if it does not exist. */
  addCorporation(given: { id: number; name?: string; ticker?: string } & Given): void {
    const { id, name = `${nameFor(this.#seed, id)} Incorporated`, ticker = `C${id % 10_000}` } = given;
    if (this.corporations.has(id)) return;
    this.corporations.set(id, { id, name, ticker });
    this.counts.set(id, countsOf(DEFAULT_COUNTS.corporation, given));
    this.order.push(id);
  }

  #addStructure({ id, name, systemId, ownerId, typeId, acl = [] }: StructureOptions, owner: number): void {
    this.structures.set(id, {
      id,
      name: name ?? `${this.#universe.systems.get(this.home)?.name} - ${nameFor(this.#seed, id)}`,
      systemId: systemId ?? this.home,
      ownerId: ownerId ?? owner,
      typeId: typeId ?? ASTRAHUS,
      acl: acl === 'public' ? acl : new Set(acl),
    });
  }
}
