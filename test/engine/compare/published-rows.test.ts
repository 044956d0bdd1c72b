import { expect, test } from '@jest/globals';
import { Fingerprinter } from '../../../src/engine/compare/fingerprint.ts';
import { KeyList, toKey } from '../../../src/engine/compare/key-list.ts';
import { PublishedRows } from '../../../src/engine/compare/published-rows.ts';

const fingerprinter = new Fingerprinter();

function keyList(keys: readonly (number | bigint)[]): KeyList {
  const list = new KeyList();
  for (const key of keys) list.add(key);
  return list;
}

const keysOf = (list: KeyList) =>
  Array.from({ length: list.size }, (_, i) => (BigInt(list.high(i)) << 32n) | BigInt(list.low(i)));

const ascending = (keys: readonly bigint[]) => keys.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));

/** Numbers from 0 to `below`, the same in every run of the tests. */
function* pseudoRandom(below: number): Generator<number> {
  for (let state = 1; ;) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    yield Math.floor((state / 2 ** 32) * below);
  }
}

test('keys up to 64 bits survive being written and read, with repetitions, in ascending order', () => {
  const keys = [
    2 ** 53 - 1,
    1,
    2 ** 32,
    2 ** 32 - 1,
    7_000_000_001,
    7_000_000_001,
    9_001_300_000_000_000_123n,
    2n ** 63n - 1n,
    60_003_760,
  ];
  const read = KeyList.decode(keyList(keys).encode());
  expect(keysOf(read)).toEqual(ascending(keys.map(BigInt)));
  expect(read.repeated()).toEqual([7_000_000_001n]);
  expect(KeyList.decode(new KeyList().encode()).size).toBe(0);
});

test('a page of 1,000 order ids takes less than 5 kB', () => {
  const ids = pseudoRandom(1_000_000_000);
  const page = Array.from({ length: 1_000 }, () => 6_500_000_000 + ids.next().value!);
  expect(keyList(page).encode().length).toBeLessThan(5_000);
});

test('only positive integers that are exact are keys', () => {
  expect([1, 2 ** 53 - 1, '9001300000000000123'].map(toKey)).toEqual([1, 2 ** 53 - 1, 9001300000000000123n]);
  for (const value of [0, -1, 1.5, 2 ** 53, NaN, '1', '-9001300000000000123', null, undefined, {}])
    expect(toKey(value)).toBeUndefined();
});

test('follows any sequence of changes as a map does', () => {
  const truth = new Map<number, number>();
  const rows = new PublishedRows(1, 10);
  const random = pseudoRandom(1_000);
  const next = () => random.next().value!;
  for (let step = 0; step < 20_000; step++) {
    const key = 1 + next() * 4_294_967 + (next() % 3);
    const value = next() % 5;
    if (next() % 3 === 0) {
      rows.remove(key);
      truth.delete(key);
    } else {
      fingerprinter.compute([value]);
      rows.set(key, fingerprinter);
      truth.set(key, value);
    }
    fingerprinter.compute([value]);
    expect(rows.has(key, fingerprinter)).toBe(truth.get(key) === value);
  }
  expect(rows.size).toBe(truth.size);
  expect(ascending(rows.tickOff().absent())).toEqual(ascending([...truth.keys()].map(BigInt)));
});

test('ticks off what a new snapshot shows, and tells what is absent, unknown and repeated', () => {
  const rows = new PublishedRows(1, 4);
  fingerprinter.compute(['a']);
  for (const key of [1, 2, 3, 2n ** 60n]) rows.set(key, fingerprinter);
  rows.remove(3);
  const unknown = new KeyList();
  const ticks = rows.tickOff();
  ticks.see(keyList([2, 5]), unknown);
  ticks.see(keyList([2, 3]), unknown);
  expect(ascending(ticks.absent())).toEqual([1n, 2n ** 60n]);
  expect(ticks.repeated()).toEqual([2n]);
  expect(keysOf(unknown)).toEqual([5n, 3n]);
});
