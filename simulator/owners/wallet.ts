import { DAY_MS } from '../cache-times.ts';
import { isoSeconds } from '../order-maker.ts';
import type { JournalRow, TransactionRow } from './owner-rows.ts';

/** ESI serves the journal of 30 days. */
const JOURNAL_MS = 30 * DAY_MS;

const IDS_FROM = Date.UTC(2026, 0, 1);
const FIRST_ENTRY = 22_000_000_000;
const FIRST_DEAL = 26_000_000_000;

/** Ids per second: eight for each of 500 owners, then those of trades between two owners. */
const IDS_PER_SECOND = 4_096;

const OWNER_IDS_PER_SECOND = 4_000;

/** An offset for a second, an owner and a division, so that two wallets do not share ids. */
export function idOffset(slot: number, division: number): number {
  return (slot % (OWNER_IDS_PER_SECOND / 8)) * 8 + division;
}

/** The offset of trades between the owners in this slot and the next one. */
export function sharedIdOffset(slot: number): number {
  return OWNER_IDS_PER_SECOND + (slot % (IDS_PER_SECOND - OWNER_IDS_PER_SECOND));
}

const idAt = (first: number, time: number, offset: number): number =>
  first + Math.floor((time - IDS_FROM) / 1_000) * IDS_PER_SECOND + offset;

/** Ids grow with time. */
export const entryId = (time: number, offset: number): number => idAt(FIRST_ENTRY, time, offset);
export const dealId = (time: number, offset: number): number => idAt(FIRST_DEAL, time, offset);

/** A movement of money that is not in a wallet yet. Amounts are in hundredths of ISK, so they add up. */
export interface Movement {
  time: number;
  id: number;
  cents: number;
  refType: string;
  description: string;
  firstParty?: number;
  secondParty?: number;
  reason?: string;
  context?: { id: number; type: string };
  tax?: { cents: number; receiver: number };
}

/** A trade from the view of one party. */
export interface Deal {
  time: number;
  transactionId: number;
  journalId: number;
  typeId: number;
  quantity: number;
  unitCents: number;
  isBuy: boolean;
  clientId: number;
  locationId: number;
  /** The character that made it for its corporation. */
  by?: number | undefined;
}

/** The wallet of a character, or one of the seven of a corporation. */
export class Wallet {
  /** Oldest first. */
  readonly journal: JournalRow[] = [];
  readonly deals: { row: TransactionRow; by: number | undefined }[] = [];
  cents: number;

  constructor(cents: number) {
    this.cents = cents;
  }

  get balance(): number {
    return this.cents / 100;
  }

  /** Changes the balance and adds a row to the journal. */
  recordMovement(movement: Movement): JournalRow {
    const { time, id, cents, refType, description, firstParty, secondParty, reason, context, tax } = movement;
    this.cents += cents;
    const row: JournalRow = {
      amount: cents / 100,
      balance: this.balance,
      ...(context ? { context_id: context.id, context_id_type: context.type } : {}),
      date: isoSeconds(time),
      description,
      ...(firstParty === undefined ? {} : { first_party_id: firstParty }),
      id,
      ...(reason === undefined ? {} : { reason }),
      ref_type: refType,
      ...(secondParty === undefined ? {} : { second_party_id: secondParty }),
      ...(tax ? { tax: tax.cents / 100, tax_receiver_id: tax.receiver } : {}),
    };
    this.journal.push(row);
    return row;
  }

  /** Adds a trade, with its row in the journal. */
  recordTrade(ownerId: number, deal: Deal): void {
    const { time, transactionId, journalId, typeId, quantity, unitCents, isBuy, clientId, locationId } = deal;
    this.recordMovement({
      time,
      id: journalId,
      cents: quantity * unitCents * (isBuy ? -1 : 1),
      refType: 'market_transaction',
      description: `Market: ${isBuy ? 'bought' : 'sold'} stuff`,
      firstParty: isBuy ? ownerId : clientId,
      secondParty: isBuy ? clientId : ownerId,
      context: { id: transactionId, type: 'market_transaction_id' },
    });
    const row = {
      client_id: clientId,
      date: isoSeconds(time),
      is_buy: isBuy,
      journal_ref_id: journalId,
      location_id: locationId,
      quantity,
      transaction_id: transactionId,
      type_id: typeId,
      unit_price: unitCents / 100,
    };
    this.deals.push({ row, by: deal.by });
  }

  /** The id of the newest row; the next one must be higher. */
  get lastId(): number {
    return this.journal.at(-1)?.id ?? 0;
  }

  get lastDealId(): number {
    return this.deals.at(-1)?.row.transaction_id ?? 0;
  }

  /** Removes rows and leaves the other balances as they are, which makes a gap visible. */
  drop(which: readonly number[] | number): number[] {
    const count = typeof which === 'number' ? which : 0;
    const from = Math.max(0, Math.floor((this.journal.length - count) / 2)); // from the middle
    const ids = new Set(
      typeof which === 'number' ? this.journal.slice(from, from + count).map((row) => row.id) : which,
    );
    const kept = this.journal.filter((row) => !ids.has(row.id));
    const dropped = this.journal.filter((row) => ids.has(row.id)).map((row) => row.id);
    this.journal.length = 0;
    for (const row of kept) this.journal.push(row);
    return dropped;
  }

  /** The journal that ESI serves: 30 days, newest first. */
  journalAt(now: number): JournalRow[] {
    const oldest = isoSeconds(now - JOURNAL_MS);
    return this.journal.filter((row) => row.date >= oldest).toReversed();
  }
}
