import type { Clock } from '../../src/lib/clock.ts';
import type { World } from '../world.ts';
import { OwnerData } from './owner-data.ts';
import { addChurn, addTrade, type OwnerMemory } from './owner-memory.ts';
import type { OwnerOptions } from './owner-options.ts';
import { OwnerRegistry, type Character, type Corporation, type Structure } from './owner-registry.ts';
import type { AssetRow, JobRow, JournalRow, OwnerOrderRow, TransactionRow } from './owner-rows.ts';
import { SnapshotCache } from './snapshot-cache.ts';
import { recordPayment, recordTrade, type Payment, type Trade, type TradeIds } from './record-trade.ts';

/** The kinds of snapshots of an owner; `orders` includes their history. */
export type OwnerSnapshotKind =
  'profile' | 'roles' | 'wallet' | 'journal' | 'transactions' | 'divisions' | 'assets' | 'orders' | 'jobs';

/**
 * Characters, corporations and structures. Tests change them, the server serves them. A change is visible in the owner's
 * next snapshot: at `takeSnapshots`, or at the first request after Expires. Access (roles, corporations, access lists of
 * structures) and the answers of POST routes change at once.
 */
export class Owners {
  readonly registry: OwnerRegistry;
  readonly data: OwnerData;
  readonly snapshots: SnapshotCache;
  readonly #clock: Clock;
  readonly #memory: OwnerMemory;

  /** `memory`: what an earlier simulator with the same options remembered. */
  constructor(options: OwnerOptions, world: World, clock: Clock, memory?: OwnerMemory) {
    this.#clock = clock;
    this.registry = new OwnerRegistry(options, world.universe, world.seed);
    const startedAt = memory?.startedAt ?? clock.now();
    this.data = new OwnerData(this.registry, world, startedAt);
    this.snapshots = new SnapshotCache(clock, world.ownerCacheSeconds);
    this.#memory = { startedAt, churns: [], trades: [], happened: [] };
    if (memory) this.#repeat(memory);
  }

  /** What a later simulator needs to have the same owners: of changes, trades and the churn of assets. */
  remember(): OwnerMemory {
    return structuredClone(this.#memory);
  }

  #repeat(memory: OwnerMemory): void {
    for (const { ownerId, share, times } of memory.churns)
      for (let left = times; left > 0; left--) this.churnAssets(ownerId, share);
    for (const [index, at] of memory.happened) this.#tradeAt(memory.trades[index]!, at);
  }

  now(): number {
    return this.#clock.now();
  }

  /** The characters that can log in. */
  list(): { id: number; name: string }[] {
    return [...this.registry.characters.values()].map(({ id, name }) => ({ id, name }));
  }

  nameOf(characterId: number): string | undefined {
    return this.registry.characters.get(characterId)?.name;
  }

  findCharacter(id: number): Character | undefined {
    return this.registry.characters.get(id);
  }

  character(id: number): Character {
    return known(this.registry.characters.get(id), 'character', id);
  }

  corporation(id: number): Corporation {
    return known(this.registry.corporations.get(id), 'corporation', id);
  }

  structure(id: number): Structure {
    return known(this.registry.structures.get(id), 'structure', id);
  }

  setRoles(characterId: number, roles: readonly string[]): void {
    this.character(characterId).roles = [...roles];
  }

  /** Moves a character to another corporation, which is created if necessary. The roles are lost. */
  move(characterId: number, corporationId: number): void {
    this.registry.addCorporation({ id: corporationId });
    Object.assign(this.character(characterId), { corporationId, roles: [] });
  }

  grant(structureId: number, characterId: number): void {
    const structure = this.structure(structureId);
    if (structure.acl !== 'public') structure.acl.add(characterId);
  }

  /** Removes a character's access. A public structure becomes private, with all other present owners on its list. */
  deny(structureId: number, characterId: number): void {
    const structure = this.structure(structureId);
    if (structure.acl === 'public') structure.acl = new Set(this.registry.characters.keys());
    structure.acl.delete(characterId);
  }

  /** The rows that are served now, or will be at the first request. */
  assets(ownerId: number): AssetRow[] {
    const { value } = this.snapshots.read(`${ownerId}/assets`, ASSETS_SECONDS, () =>
      this.data.assets(ownerId).table.copy(),
    );
    return value.slice(0, value.length);
  }

  addAsset(ownerId: number, partial: Partial<AssetRow> = {}): AssetRow {
    return this.data.assets(ownerId).add(partial);
  }

  /** Removes an asset with everything in it and returns the number of rows. */
  removeAsset(ownerId: number, itemId: number): number {
    return this.data.assets(ownerId).remove(itemId);
  }

  changeAsset(ownerId: number, itemId: number, patch: Partial<AssetRow>): AssetRow {
    return this.data.assets(ownerId).change(itemId, patch);
  }

  churnAssets(ownerId: number, share: number): void {
    this.data.assets(ownerId).churn(share);
    addChurn(this.#memory, ownerId, share);
  }

  /** Removes a share of the rows, whatever they contain. */
  loseAssets(ownerId: number, share: number): void {
    this.data.assets(ownerId).lose(share);
  }

  rename(ownerId: number, itemId: number, name: string): void {
    this.data.assets(ownerId).rename(itemId, name);
  }

  /** The live journal of a wallet, newest first. */
  journal(ownerId: number, division = 1): JournalRow[] {
    return this.data.wallet(ownerId, division).journal.toReversed();
  }

  balance(ownerId: number, division = 1): number {
    return this.data.wallet(ownerId, division).balance;
  }

  /** The transactions that a snapshot has, newest first. A character's include those it made for its corporation. */
  transactions(ownerId: number, division = 1): TransactionRow[] {
    const own = this.data.wallet(ownerId, division).deals.map(({ row }) => row);
    const member = this.registry.characters.get(ownerId);
    const rows = member
      ? [...own.map((row) => ({ ...row, is_personal: true })), ...this.#forCorporation(member)]
      : own;
    return rows.sort((a, b) => b.transaction_id - a.transaction_id);
  }

  #forCorporation({ id, corporationId }: Character): TransactionRow[] {
    if (!this.registry.corporations.has(corporationId)) return [];
    const deals = this.data.openWallets(corporationId).flatMap((wallet) => wallet.deals);
    return deals.filter(({ by }) => by === id).map(({ row }) => ({ ...row, is_personal: false }));
  }

  /** Trades between two parties. Either may be an entity without data of its own. */
  trade(deal: Trade): TradeIds {
    return this.#tradeAt(deal, this.#clock.now());
  }

  #tradeAt(deal: Trade, at: number): TradeIds {
    addTrade(this.#memory, deal, at);
    return recordTrade(this.registry, this.data, at, deal);
  }

  /** Moves money into a wallet, or out of it when the amount is negative. */
  pay(ownerId: number, amount: number, refType?: string, division?: number): JournalRow;
  pay(payment: Payment): JournalRow;
  pay(first: number | Payment, amount = 0, refType = 'player_donation', division = 1): JournalRow {
    const payment = typeof first === 'number' ? { ownerId: first, amount, refType, division } : first;
    return recordPayment(this.data, this.#clock.now(), payment);
  }

  /** Removes rows from the journal: these ids, or this many from the middle. The balances then show a gap. */
  dropJournal(ownerId: number, which: readonly number[] | number, division = 1): number[] {
    return this.data.wallet(ownerId, division).drop(which);
  }

  /** The live open orders. */
  orders(ownerId: number): OwnerOrderRow[] {
    return [...this.data.orders(ownerId).open];
  }

  placeOrder(ownerId: number, partial: Partial<OwnerOrderRow> = {}): OwnerOrderRow {
    return this.data.orders(ownerId).place(this.#clock.now(), partial);
  }

  /** Removes an order from both routes. `trade` moves the money. */
  fillOrder(ownerId: number, orderId: number): void {
    this.data.orders(ownerId).fill(orderId);
  }

  /** Default: half of what is left. */
  partFill(ownerId: number, orderId: number, quantity?: number): OwnerOrderRow {
    return this.data.orders(ownerId).partFill(orderId, quantity);
  }

  cancelOrder(ownerId: number, orderId: number): void {
    this.data.orders(ownerId).end(orderId, 'cancelled', this.#clock.now());
  }

  expireOrder(ownerId: number, orderId: number): void {
    this.data.orders(ownerId).end(orderId, 'expired', this.#clock.now());
  }

  /** The live jobs, including delivered ones. */
  jobs(ownerId: number): JobRow[] {
    return this.data.jobs(ownerId).listAt(this.#clock.now(), true);
  }

  startJob(ownerId: number, partial: Partial<JobRow> = {}): JobRow {
    return this.data.jobs(ownerId).start(this.#clock.now(), partial);
  }

  /** Changes any field of a job, for example `{ status: 'paused' }`. */
  changeJob(ownerId: number, jobId: number, patch: Partial<JobRow>): JobRow {
    return this.data.jobs(ownerId).change(jobId, patch);
  }

  /** Makes a job ready before its end. A job is ready by itself after its end. */
  finishJob(ownerId: number, jobId: number): JobRow {
    return this.data.jobs(ownerId).change(jobId, { status: 'ready' });
  }

  deliverJob(ownerId: number, jobId: number): JobRow {
    return this.data.jobs(ownerId).deliver(jobId, this.#clock.now());
  }

  /** Removes a job as if it had never existed. */
  forgetJob(ownerId: number, jobId: number): void {
    this.data.jobs(ownerId).forget(jobId);
  }

  /** Takes new snapshots of everything read so far: of all owners, of one owner, or of one kind of its data. */
  takeSnapshots(ownerId?: number, what?: OwnerSnapshotKind): void {
    this.snapshots.takeAll((key) => {
      const [id, kind] = key.split('/');
      return (ownerId === undefined || id === String(ownerId)) && (what === undefined || kind === what);
    });
  }
}

/** ESI's cache time for assets. */
export const ASSETS_SECONDS = 3_600;

function known<T>(found: T | undefined, kind: string, id: number): T {
  if (!found) throw new Error(`The simulator has no ${kind} ${id}.`);
  return found;
}
