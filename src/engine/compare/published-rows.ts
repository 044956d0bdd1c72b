import type { Fingerprinter } from './fingerprint.ts';
import { highWord, type KeyList, lowWord } from './key-list.ts';

/** A slot holds four words: the key's lower and upper one, then the fingerprint's. */
const SLOT = 4;
const BYTES_PER_SLOT = 4 * SLOT;

/** The share of slots that may be taken. Above it a search looks at more and more of them. */
const MAX_LOAD = 0.75;

/** Bytes that so many rows take in memory. */
export const bytesOfRows = (rows: number): number => capacityFor(rows) * BYTES_PER_SLOT;

const capacityFor = (rows: number): number => Math.ceil((rows + 16) / MAX_LOAD);

/**
 * The rows of one published snapshot, as key and fingerprint: an open-addressing hash table of 21 bytes a row. A key of
 * zero marks a free slot, and a fingerprint of zero a row that was removed, which keeps its slot.
 */
export class PublishedRows {
  /** The run that published the snapshot. It changes with the rows, when this process publishes the next one. */
  runId: number;
  /** Rows of the snapshot. */
  size = 0;
  private taken = 0;
  private capacity: number;
  private slots: Uint32Array;

  constructor(runId: number, rows: number) {
    this.runId = runId;
    this.capacity = capacityFor(rows);
    this.slots = new Uint32Array(this.capacity * SLOT);
  }

  get bytes(): number {
    return this.slots.byteLength;
  }

  /** Adds a row with the fingerprint that was computed last, or replaces the one of its key. */
  set(key: number | bigint, { low, high }: Fingerprinter): void {
    if (this.taken >= this.capacity * MAX_LOAD) this.grow();
    const at = this.search(lowWord(key), highWord(key));
    if (this.isFree(at)) {
      this.slots[at] = lowWord(key);
      this.slots[at + 1] = highWord(key);
      this.taken++;
    }
    if (!this.holdsRow(at)) this.size++;
    this.slots[at + 2] = low;
    this.slots[at + 3] = high;
  }

  /** Whether the snapshot holds this key with the fingerprint that was computed last. */
  has(key: number | bigint, { low, high }: Fingerprinter): boolean {
    const at = this.search(lowWord(key), highWord(key));
    return this.holdsRow(at) && this.slots[at + 2] === low >>> 0 && this.slots[at + 3] === high >>> 0;
  }

  remove(key: number | bigint): void {
    const at = this.search(lowWord(key), highWord(key));
    if (!this.holdsRow(at)) return;
    this.slots[at + 2] = 0;
    this.slots[at + 3] = 0;
    this.size--;
  }

  /** Starts to tick off the keys of a new snapshot against this one. Of no use any more when `runId` has changed. */
  tickOff(): SeenKeys {
    const seen = new Uint8Array(this.capacity);
    const repeated = new Set<bigint>();
    return {
      see: (keys, unknown) => {
        for (let i = 0; i < keys.size; i++) {
          const at = this.search(keys.low(i), keys.high(i));
          if (!this.holdsRow(at)) unknown.addWords(keys.low(i), keys.high(i));
          else if (seen[at / SLOT] === 1) repeated.add(this.keyAt(at));
          else seen[at / SLOT] = 1;
        }
      },
      repeated: () => [...repeated],
      absent: () => this.keysWhere((at) => seen[at / SLOT] === 0),
    };
  }

  private keysWhere(matches: (at: number) => boolean): bigint[] {
    const keys: bigint[] = [];
    for (let at = 0; at < this.slots.length; at += SLOT)
      if (this.holdsRow(at) && matches(at)) keys.push(this.keyAt(at));
    return keys;
  }

  private keyAt(at: number): bigint {
    return (BigInt(this.slots[at + 1]!) << 32n) | BigInt(this.slots[at]!);
  }

  /** The slot of a key, or the free one where it would stand. */
  private search(low: number, high: number): number {
    const { slots, capacity } = this;
    let slot = Math.floor(
      ((Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> 0) / 2 ** 32) * capacity,
    );
    for (;;) {
      const at = slot * SLOT;
      if (slots[at] === low && slots[at + 1] === high) return at;
      if (this.isFree(at)) return at;
      slot = slot + 1 === capacity ? 0 : slot + 1;
    }
  }

  private isFree(at: number): boolean {
    return this.slots[at] === 0 && this.slots[at + 1] === 0;
  }

  private holdsRow(at: number): boolean {
    return this.slots[at + 2] !== 0 || this.slots[at + 3] !== 0;
  }

  /** Makes room for half as many rows again, and drops the removed ones. */
  private grow(): void {
    const { slots } = this;
    this.capacity = capacityFor(this.size * 1.5);
    this.slots = new Uint32Array(this.capacity * SLOT);
    this.taken = this.size;
    for (let at = 0; at < slots.length; at += SLOT)
      if (slots[at + 2] !== 0 || slots[at + 3] !== 0)
        this.slots.set(slots.subarray(at, at + SLOT), this.search(slots[at]!, slots[at + 1]!));
  }
}

/** Which keys of a published snapshot a new one shows. */
export interface SeenKeys {
  /** Ticks off keys. Those that the published snapshot lacks are added to `unknown`. */
  see(keys: KeyList, unknown: KeyList): void;
  /** Keys that were ticked off more than once. */
  repeated(): bigint[];
  /** The keys that no page showed. */
  absent(): bigint[];
}
