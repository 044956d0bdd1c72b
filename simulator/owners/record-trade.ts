import type { OwnerData } from './owner-data.ts';
import type { OwnerRegistry } from './owner-registry.ts';
import type { JournalRow } from './owner-rows.ts';
import type { Deal } from './wallet.ts';

/** A trade that happens now. */
export interface Trade {
  sellerId: number;
  buyerId: number;
  typeId: number;
  quantity: number;
  /** ISK per unit. */
  price: number;
  /** Default: the first station. */
  locationId?: number;
  /** The wallet of a party that is a corporation. Default: 1. */
  sellerDivision?: number;
  buyerDivision?: number;
  /** The member that trades for a corporation; its own transactions include the trade. Default: the first director. */
  by?: number;
}

/** Both parties have the same ids. */
export interface TradeIds {
  transactionId: number;
  journalId: number;
}

/** A payment; a negative amount is paid by the owner. */
export interface Payment {
  ownerId: number;
  amount: number;
  refType?: string;
  division?: number;
  /** The other party. */
  partyId?: number;
  reason?: string;
  description?: string;
  context?: { id: number; type: string };
}

const toCents = (isk: number): number => Math.round(isk * 100);

/** The character that acts for a corporation; undefined for a character. */
function actorOf(registry: OwnerRegistry, ownerId: number, by: number | undefined): number | undefined {
  if (!registry.corporations.has(ownerId)) return undefined;
  const members = registry.membersOf(ownerId);
  const director = members.find(({ roles }) => roles.includes('Director')) ?? members[0];
  return by ?? director?.id;
}

/** Moves the money of a trade and adds the rows of both parties. */
export function recordTrade(registry: OwnerRegistry, data: OwnerData, now: number, order: Trade): TradeIds {
  const { sellerId, buyerId, typeId, quantity, price, by, sellerDivision = 1, buyerDivision = 1 } = order;
  const sides = [
    { id: sellerId, division: sellerDivision, clientId: buyerId, isBuy: false },
    { id: buyerId, division: buyerDivision, clientId: sellerId, isBuy: true },
  ].filter(({ id }) => registry.counts.has(id));
  const wallets = sides.map((side) => ({ ...side, wallet: data.wallet(side.id, side.division) }));
  const { journalId, transactionId } = data.nextIds(
    now,
    wallets.map(({ wallet }) => wallet),
  );
  for (const { id, clientId, isBuy, wallet } of wallets) {
    const deal: Deal = {
      time: now,
      transactionId,
      journalId,
      typeId,
      quantity,
      isBuy,
      clientId,
      unitCents: toCents(price),
      locationId: order.locationId ?? (data.catalog.stations[0] as number),
      by: actorOf(registry, id, by),
    };
    wallet.recordTrade(id, deal);
  }
  return { transactionId, journalId };
}

export function recordPayment(data: OwnerData, now: number, payment: Payment): JournalRow {
  const { ownerId, amount, refType = 'player_donation', division = 1, partyId, reason, context } = payment;
  const wallet = data.wallet(ownerId, division);
  const [first, second] = amount < 0 ? [ownerId, partyId] : [partyId, ownerId];
  return wallet.recordMovement({
    time: now,
    id: data.nextIds(now, [wallet]).journalId,
    cents: toCents(amount),
    refType,
    description: payment.description ?? refType.replaceAll('_', ' '),
    ...(first === undefined ? {} : { firstParty: first }),
    ...(second === undefined ? {} : { secondParty: second }),
    ...(reason === undefined ? {} : { reason }),
    ...(context ? { context } : {}),
  });
}
