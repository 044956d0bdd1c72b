/** Words of a list that was just made: the rows of most pages fit. */
const FIRST_CAPACITY = 2_000;

const TWO_32 = 2 ** 32;

/** A varint of 32 bits takes up to five bytes, and a key is written as two of them. */
const MAX_ENCODED = 10;

/** Where keys are encoded, before the bytes that were needed are copied. */
let scratch = Buffer.allocUnsafe(MAX_ENCODED * FIRST_CAPACITY);

/** The lower 32 bits of a key, see `highWord`. */
export const lowWord = (key: number | bigint): number =>
  typeof key === 'number' ? key >>> 0 : Number(key & 0xffff_ffffn);

/** The upper 32 bits of a key: together they are exact for every id of 64 bits. */
export const highWord = (key: number | bigint): number =>
  typeof key === 'number' ? Math.floor(key / TWO_32) : Number(key >> 32n);

/** The key of a row, where the value can be one: a positive integer that is exact, see ExactInt. */
export function toKey(value: unknown): number | bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? value : undefined;
  return typeof value === 'string' && /^[1-9]\d{15,18}$/.test(value) ? BigInt(value) : undefined;
}

/** Keys of rows, as pairs of 32-bit words: a hundredth of the memory of objects, and exact beyond 2^53. */
export class KeyList {
  size = 0;
  private words = new Uint32Array(FIRST_CAPACITY);

  add(key: number | bigint): void {
    this.addWords(lowWord(key), highWord(key));
  }

  addWords(low: number, high: number): void {
    if (this.words.length < 2 * this.size + 2) {
      const larger = new Uint32Array(2 * this.words.length);
      larger.set(this.words);
      this.words = larger;
    }
    this.words[2 * this.size] = low;
    this.words[2 * this.size + 1] = high;
    this.size++;
  }

  low(index: number): number {
    return this.words[2 * index]!;
  }

  high(index: number): number {
    return this.words[2 * index + 1]!;
  }

  /** The keys in their order. */
  *values(): Generator<bigint> {
    yield* new BigUint64Array(this.words.buffer, 0, this.size);
  }

  /** The keys that are in the list more than once. Sorts the list. */
  repeated(): bigint[] {
    this.sort();
    const keys = new BigUint64Array(this.words.buffer, 0, this.size);
    const repeated = new Set<bigint>();
    for (let i = 1; i < this.size; i++)
      if (this.low(i) === this.low(i - 1) && this.high(i) === this.high(i - 1)) repeated.add(keys[i]!);
    return [...repeated];
  }

  /** The keys in ascending order as differences, in a third of their size. Repeated keys stay repeated. */
  encode(): Buffer {
    this.sort();
    if (scratch.length < this.size * MAX_ENCODED) scratch = Buffer.allocUnsafe(this.size * MAX_ENCODED);
    const bytes = scratch;
    let end = 0;
    let lastLow = 0;
    let lastHigh = 0;
    for (let i = 0; i < this.size; i++) {
      const low = this.low(i);
      const high = this.high(i);
      end = writeVarint(bytes, end, high - lastHigh);
      end = writeVarint(bytes, end, high === lastHigh ? low - lastLow : low);
      lastLow = low;
      lastHigh = high;
    }
    return Buffer.from(bytes.subarray(0, end));
  }

  /** Reads what `encode` wrote. */
  static decode(bytes: Buffer): KeyList {
    const list = new KeyList();
    let low = 0;
    let high = 0;
    const cursor = { at: 0 };
    while (cursor.at < bytes.length) {
      const highStep = readVarint(bytes, cursor);
      const lowStep = readVarint(bytes, cursor);
      low = highStep === 0 ? low + lowStep : lowStep;
      high += highStep;
      list.addWords(low, high);
    }
    return list;
  }

  private sort(): void {
    // The platforms of Node store the lower word first, so a pair is one integer of 64 bits.
    new BigUint64Array(this.words.buffer, 0, this.size).sort();
  }
}

function writeVarint(bytes: Buffer, at: number, value: number): number {
  let rest = value;
  let end = at;
  while (rest > 127) {
    bytes[end++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[end++] = rest;
  return end;
}

function readVarint(bytes: Buffer, cursor: { at: number }): number {
  let value = 0;
  for (let weight = 1; ; weight *= 128) {
    const byte = bytes[cursor.at++] ?? 0;
    value += (byte & 127) * weight;
    if (byte < 128) return value;
  }
}
