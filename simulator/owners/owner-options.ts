/** A character and the number of its rows. Numbers that are not given are small. */
export interface CharacterOptions {
  id: number;
  name?: string;
  /** Default: the first corporation. A corporation that is not listed is created. */
  corporationId?: number;
  /** ESI's names, for example `Director`, `Accountant`. Default: none. */
  roles?: string[];
  /** Rows of each kind. */
  assets?: number;
  journal?: number;
  transactions?: number;
  orders?: number;
  jobs?: number;
  /** ISK, with two decimals. The journal ends with it. */
  balance?: number;
}

export interface CorporationOptions {
  id: number;
  name?: string;
  ticker?: string;
  assets?: number;
  /** Rows of each of the seven wallets. */
  journal?: number;
  transactions?: number;
  orders?: number;
  jobs?: number;
  /** ISK in each wallet. */
  balance?: number;
}

export interface StructureOptions {
  id: number;
  name?: string;
  /** Default: The Forge's hub. */
  systemId?: number;
  /** Default: the first corporation. */
  ownerId?: number;
  typeId?: number;
  /** The characters with access. `public` gives everybody access, and the public list has the structure. Default: nobody. */
  acl?: number[] | 'public';
}

export interface OwnerOptions {
  characters?: CharacterOptions[];
  corporations?: CorporationOptions[];
  structures?: StructureOptions[];
  /** The longest cache time for data of owners, for demos and benches. Default: ESI's own times. */
  cacheSeconds?: number;
}

/** The roles of a director of the default corporation: ESI lists each role by name. */
export const DIRECTOR_ROLES: readonly string[] = [
  'Accountant',
  'Director',
  'Factory_Manager',
  'Junior_Accountant',
  'Trader',
];

/** The ids that `--characters` and `--corporations` count from, and those of the default owners. */
export const FIRST_CHARACTER = 90_000_001;

export const FIRST_CORPORATION = 98_000_001;

/** Between the ids of other structures and those of items. */
const FIRST_STRUCTURE = 1_035_000_000_001;

/** The owners if the options name none. */
export const DEFAULT_OWNERS = {
  characters: [
    {
      id: FIRST_CHARACTER,
      name: 'Anna Testa',
      corporationId: FIRST_CORPORATION,
      roles: [...DIRECTOR_ROLES],
    },
    { id: FIRST_CHARACTER + 1, name: 'Bram Proof', corporationId: FIRST_CORPORATION },
  ],
  corporations: [{ id: FIRST_CORPORATION, name: 'Proof of Concept', ticker: 'PROOF' }],
  structures: [
    { id: FIRST_STRUCTURE, name: 'Jita - Common Ground', acl: [FIRST_CHARACTER, FIRST_CHARACTER + 1] },
    { id: FIRST_STRUCTURE + 1, name: 'Jita - Private Hall', acl: [FIRST_CHARACTER] },
    { id: FIRST_STRUCTURE + 2, name: 'Jita - Closed Gates', acl: [] },
  ],
} satisfies OwnerOptions;

/** The number of rows by default: enough for every kind of row, and few enough for a thousand characters. */
export const DEFAULT_COUNTS = {
  character: { assets: 120, journal: 60, transactions: 20, orders: 8, jobs: 6 },
  corporation: { assets: 300, journal: 30, transactions: 8, orders: 12, jobs: 8 },
} as const;
