import { DAY_MS } from '../cache-times.ts';
import { basePrice } from '../order-maker.ts';
import { between, createRandom, mixSeed, pick, weighted, type Random } from '../random.ts';
import type { Catalog } from './catalog.ts';
import { OTHER_ENTITIES } from './public-entities.ts';
import { dealId, entryId, idOffset, sharedIdOffset, Wallet, type Deal, type Movement } from './wallet.ts';

/** Within the 30 days that ESI serves, with half a day to spare. */
const SPAN_MS = 29.5 * DAY_MS;

/** Trades between two owners in adjacent slots. */
const SHARED_DEALS = 2;

/** Enough for the trades with both neighbours. */
export const MIN_DEALS = 2 * SHARED_DEALS;

/** The highest value of a generated trade, in ISK. */
const MAX_DEAL_ISK = 100_000_000;

/** In hundredths of ISK. An owner whose balance would become negative starts with more. */
const MIN_START_CENTS = 100_000_000;

/** The wallet to make. */
export interface WalletPlan {
  ownerId: number;
  slot: number;
  division: number;
  journal: number;
  transactions: number;
  balance: number | undefined;
  /** NPC corporations that receive taxes and pay bounties. */
  npcs: readonly number[];
  members: readonly number[];
  /** The owners in the previous and the next slot, if they trade. */
  before: number | undefined;
  after: number | undefined;
}

type Other = Omit<Movement, 'time' | 'id'>;

/** The movements besides trades: name, lowest and highest ISK, and weight. */
const MOVEMENT_KINDS: readonly (readonly [
  readonly [name: string, low: number, high: number],
  weight: number,
])[] = [
  [['transaction_tax', -2_000_000, -1], 20],
  [['brokers_fee', -1_000_000, -100], 15],
  [['bounty_prizes', 1_000, 3_000_000], 30],
  [['player_donation', -50_000_000, 50_000_000], 5],
  [['agent_mission_reward', 10_000, 900_000], 8],
  [['industry_job_tax', -700_000, -500], 8],
  [['planetary_import_tax', -90_000, -10], 6],
  [['contract_price', -80_000_000, 80_000_000], 3],
  [['insurance', 100_000, 20_000_000], 2],
];

/** Makes the wallets of all owners of a world. */
export class WalletMaker {
  readonly #catalog: Catalog;
  readonly #seed: number;
  readonly #today: number;

  /** `now` determines the dates of everything that has happened. */
  constructor(catalog: Catalog, seed: number, now: number) {
    this.#catalog = catalog;
    this.#seed = seed;
    this.#today = Math.floor(now / DAY_MS) * DAY_MS; // two worlds of one day are alike
  }

  make(plan: WalletPlan): Wallet {
    const random = createRandom(mixSeed(mixSeed(this.#seed, 7 + plan.division), plan.ownerId));
    const shared = this.#sharedDeals(plan);
    const own = this.#happenings(plan, random, shared.length);
    const all = [...own, ...shared].sort((a, b) => a.time - b.time || a.journalId - b.journalId);
    const wallet = new Wallet(0);
    for (const { movement, deal } of all) {
      if (deal) wallet.recordTrade(plan.ownerId, deal);
      else if (movement) wallet.recordMovement(movement);
    }
    raiseBalances(wallet, plan.balance);
    return wallet;
  }

  /** Times that no two rows share. */
  #times(count: number, random: Random): number[] {
    const step = SPAN_MS / Math.max(count, 1);
    let last = 0;
    return Array.from({ length: count }, (_, index) => {
      const time = this.#today - SPAN_MS + Math.floor((index + random() * 0.9) * step);
      last = Math.max(Math.floor(time / 1_000), last + 1);
      return last * 1_000;
    });
  }

  #happenings(plan: WalletPlan, random: Random, shared: number): WalletEvent[] {
    const rows = Math.max(plan.journal, plan.transactions) - shared;
    let deals = plan.transactions - shared;
    const offset = idOffset(plan.slot, plan.division);
    return this.#times(Math.max(0, rows), random).map((time, index) => {
      const journalId = entryId(time, offset);
      if (random() >= deals / (rows - index)) {
        return { time, journalId, movement: { time, id: journalId, ...this.#other(plan, random) } };
      }
      deals--;
      return {
        time,
        journalId,
        deal: this.#deal(plan.members, random, time, journalId, dealId(time, offset)),
      };
    });
  }

  #deal(
    members: readonly number[],
    random: Random,
    time: number,
    journalId: number,
    transactionId: number,
  ): Deal {
    const typeId = pick(random, this.#catalog.marketTypes);
    const unitCents = Math.max(1, Math.round(basePrice(typeId) * (0.8 + random() * 0.4) * 100));
    const most = Math.max(1, Math.min(1_000, Math.floor((MAX_DEAL_ISK * 100) / unitCents)));
    return {
      time,
      journalId,
      transactionId,
      typeId,
      unitCents,
      quantity: between(random, 1, most),
      isBuy: random() < 0.5,
      clientId: OTHER_ENTITIES.characters + between(random, 0, OTHER_ENTITIES.count - 1),
      locationId: pick(random, this.#catalog.stations),
      by: members.length > 0 ? pick(random, members) : undefined,
    };
  }

  #other({ ownerId, npcs }: WalletPlan, random: Random): Other {
    const [refType, low, high] = weighted(random, MOVEMENT_KINDS);
    const cents = between(random, low * 100, high * 100) || 1;
    const other = OTHER_ENTITIES.characters + between(random, 0, OTHER_ENTITIES.count - 1);
    const partner = /donation|contract/.test(refType) ? other : pick(random, npcs);
    const parties = cents < 0 ? [ownerId, partner] : [partner, ownerId];
    const context = contextOf(refType, random, this.#catalog);
    return {
      cents,
      refType,
      description: refType.replaceAll('_', ' '),
      firstParty: parties[0] as number,
      secondParty: parties[1] as number,
      ...(context ? { context } : {}),
      ...(refType === 'player_donation'
        ? { reason: pick(random, ['', 'thanks ★', 'DESC: loan, part 2']) }
        : {}),
      ...(refType === 'agent_mission_reward'
        ? { tax: { cents: Math.floor(cents / 20), receiver: OTHER_ENTITIES.corporations } }
        : {}),
    };
  }

  /** The trades with both neighbours. Both parties generate the same trade, because its values depend only on the pair. */
  #sharedDeals({ slot, division, before, after }: WalletPlan): WalletEvent[] {
    if (division > 1) return [];
    return [
      ...(before === undefined ? [] : this.#pair(slot - 1, before, false)),
      ...(after === undefined ? [] : this.#pair(slot, after, true)),
    ];
  }

  #pair(slot: number, partner: number, isFirst: boolean): WalletEvent[] {
    const random = createRandom(mixSeed(mixSeed(this.#seed, 20), slot)); // 7 to 14 are the divisions'
    const offset = sharedIdOffset(slot);
    return this.#times(SHARED_DEALS, random).map((time) => {
      const journalId = entryId(time, offset);
      const deal = this.#deal([], random, time, journalId, dealId(time, offset));
      return { time, journalId, deal: { ...deal, clientId: partner, isBuy: deal.isBuy === isFirst } };
    });
  }
}

interface WalletEvent {
  time: number;
  journalId: number;
  movement?: Movement;
  deal?: Deal;
}

function contextOf(refType: string, random: Random, catalog: Catalog): Movement['context'] | undefined {
  if (refType === 'bounty_prizes') return { id: pick(random, catalog.systems), type: 'system_id' };
  if (refType === 'industry_job_tax')
    return { id: between(random, 600_000_000, 650_000_000), type: 'industry_job_id' };
  if (refType === 'planetary_import_tax')
    return { id: between(random, 40_000_001, 40_009_999), type: 'planet_id' };
  if (refType === 'contract_price')
    return { id: between(random, 200_000_000, 220_000_000), type: 'contract_id' };
  return undefined;
}

/** Raises all balances so that the wallet ends with the wanted balance, or is never negative. */
function raiseBalances(wallet: Wallet, wanted: number | undefined): void {
  let lowest = 0;
  for (const row of wallet.journal) lowest = Math.min(lowest, Math.round((row.balance ?? 0) * 100));
  const difference =
    wanted === undefined ? MIN_START_CENTS - lowest : Math.round(wanted * 100) - wallet.cents;
  wallet.cents += difference;
  for (const row of wallet.journal) row.balance = (Math.round((row.balance ?? 0) * 100) + difference) / 100;
}
