import type { World } from '../world.ts';
import { AssetMaker } from './asset-maker.ts';
import { Assets } from './owner-assets.ts';
import { readCatalog, type Catalog } from './catalog.ts';
import { Jobs } from './industry-jobs.ts';
import { Orders } from './owner-orders.ts';
import type { OwnerRegistry } from './owner-registry.ts';
import { MIN_DEALS, WalletMaker } from './wallet-maker.ts';
import { dealId, entryId, type Wallet } from './wallet.ts';

/** A corporation has seven wallets and hangars. */
export const DIVISIONS = 7;

/** The data of one owner. Each part is made when it is first needed. */
interface DataOfOwner {
  assets?: Assets;
  orders?: Orders;
  jobs?: Jobs;
  wallets: Map<number, Wallet>;
}

/** The live data of all owners. */
export class OwnerData {
  readonly catalog: Catalog;
  readonly #registry: OwnerRegistry;
  readonly #world: World;
  readonly #wallets: WalletMaker;
  readonly #dataByOwner = new Map<number, DataOfOwner>();
  readonly #started: number;
  #lastIds = { journalId: 0, transactionId: 0 };

  /** `startedAt` (ms): what owners did before depends on it. */
  constructor(registry: OwnerRegistry, world: World, startedAt: number) {
    this.#registry = registry;
    this.#world = world;
    this.#started = startedAt;
    this.catalog = readCatalog(world.universe, [...registry.structures.values()], registry.home);
    this.#wallets = new WalletMaker(this.catalog, world.seed, this.#started);
  }

  assets(ownerId: number): Assets {
    const data = this.#dataOf(ownerId);
    const { seed } = this.#world;
    return (data.assets ??= new Assets(
      new AssetMaker(this.catalog, this.#owner(ownerId), seed),
      this.catalog,
      this.#counts(ownerId).assets,
      seed,
    ));
  }

  orders(ownerId: number): Orders {
    const owner = { ...this.#owner(ownerId), issuers: this.#members(ownerId) };
    return (this.#dataOf(ownerId).orders ??= new Orders(
      this.catalog,
      owner,
      this.#counts(ownerId).orders,
      this.#world.seed,
      this.#started,
    ));
  }

  jobs(ownerId: number): Jobs {
    const owner = { ...this.#owner(ownerId), installers: this.#members(ownerId) };
    return (this.#dataOf(ownerId).jobs ??= new Jobs(
      this.catalog,
      owner,
      this.#counts(ownerId).jobs,
      this.#world.seed,
      this.#started,
    ));
  }

  wallet(ownerId: number, division = 1): Wallet {
    const { wallets } = this.#dataOf(ownerId);
    if (division < 1 || division > DIVISIONS) throw new Error(`There is no wallet division ${division}.`);
    const wallet = wallets.get(division) ?? this.#makeWallet(ownerId, division);
    wallets.set(division, wallet);
    return wallet;
  }

  /** The wallets that have been read so far, and always the first one. */
  openWallets(ownerId: number): Wallet[] {
    this.wallet(ownerId);
    return [...this.#dataOf(ownerId).wallets.values()];
  }

  /** New ids for what happens now: above all ids in these wallets, and never used twice. */
  nextIds(now: number, wallets: readonly Wallet[]): { journalId: number; transactionId: number } {
    const { journalId, transactionId } = this.#lastIds;
    this.#lastIds = {
      journalId: Math.max(entryId(now, 0), journalId + 1, ...wallets.map(({ lastId }) => lastId + 1)),
      transactionId: Math.max(
        dealId(now, 0),
        transactionId + 1,
        ...wallets.map(({ lastDealId }) => lastDealId + 1),
      ),
    };
    return this.#lastIds;
  }

  #makeWallet(ownerId: number, division: number): Wallet {
    const { journal, transactions, balance } = this.#counts(ownerId);
    const { slot } = this.#owner(ownerId);
    const npcs = [...this.#world.universe.corporations.keys()];
    const [before, after] = [slot - 1, slot + 1].map((place) => this.#initialOwner(slot, place));
    const trades = (id: number | undefined) =>
      id !== undefined && this.#counts(id).transactions >= MIN_DEALS && transactions >= MIN_DEALS;
    return this.#wallets.make({
      ownerId,
      slot,
      division,
      journal,
      transactions,
      balance,
      npcs,
      members: this.#members(ownerId),
      before: trades(before) ? before : undefined,
      after: trades(after) ? after : undefined,
    });
  }

  /** The owner in a slot, if both it and the owner of the other slot exist from the start. */
  #initialOwner(slot: number, place: number): number | undefined {
    const { order, initialCount } = this.#registry;
    return Math.max(slot, place) < initialCount ? order[place] : undefined;
  }

  #members(ownerId: number): number[] {
    return this.#registry.membersOf(ownerId).map(({ id }) => id);
  }

  #counts(ownerId: number) {
    const counts = this.#registry.counts.get(ownerId);
    if (!counts) throw new Error(`The simulator has no owner ${ownerId}.`);
    return counts;
  }

  #owner(id: number): { id: number; slot: number; isCorporation: boolean } {
    return { id, slot: this.#registry.order.indexOf(id), isCorporation: this.#registry.corporations.has(id) };
  }

  #dataOf(ownerId: number): DataOfOwner {
    this.#counts(ownerId); // throws for an unknown owner
    const data = this.#dataByOwner.get(ownerId) ?? { wallets: new Map<number, Wallet>() };
    this.#dataByOwner.set(ownerId, data);
    return data;
  }
}
