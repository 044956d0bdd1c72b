import { expect, test } from '@jest/globals';
import { Fingerprinter } from '../../../src/engine/compare/fingerprint.ts';

const fingerprinter = new Fingerprinter(Buffer.alloc(8, 7));

function fingerprint(...values: unknown[]): string {
  expect(fingerprinter.compute(values)).toBe(true);
  return `${fingerprinter.low} ${fingerprinter.high}`;
}

test('the same values have the same fingerprint, whoever wrote them', () => {
  expect(fingerprint(1, 'a', true)).toBe(fingerprint(1, 'a', true));
  expect(fingerprint(undefined)).toBe(fingerprint(null));
  expect(fingerprint(-0)).toBe(fingerprint(0));
});

test('values that differ in type, order, length or a single bit have different fingerprints', () => {
  const rows: unknown[][] = [
    [],
    [null],
    [null, null],
    [0],
    [1],
    [-1],
    [1.5],
    [2 ** 31],
    [2 ** 53],
    [2 ** 53 - 1],
    [0.1 + 0.2],
    [0.3],
    ['9001300000000000123'],
    [true],
    [false],
    [''],
    ['1'],
    ['a'],
    ['a\0'],
    ['aa'],
    ['a', 'a'],
    ['aaa'],
    ['2026-11-28T03:04:37Z'],
    ['2026-11-28T03:04:38Z'],
    ['2026-11-28T03:04:37+01:00'],
    [1, 2],
    [2, 1],
  ];
  expect(new Set(rows.map((row) => fingerprint(...row))).size).toBe(rows.length);
});

test('a list or an object has no fingerprint', () => {
  expect(fingerprinter.compute([1, []])).toBe(false);
  expect(fingerprinter.compute([{}])).toBe(false);
});

test('each process has its own fingerprints', () => {
  const other = new Fingerprinter();
  other.compute([1]);
  expect(`${other.low} ${other.high}`).not.toBe(fingerprint(1));
});

test('a change of any of the 32 bits of a number changes about half of the bits of the fingerprint', () => {
  const bitsOf = (word: number) => (word >>> 0).toString(2).replaceAll('0', '').length;
  const words = (value: number) => {
    fingerprinter.compute([34, value, 5.25]);
    return [fingerprinter.low, fingerprinter.high] as const;
  };
  for (let bit = 0; bit < 32; bit++) {
    let changed = 0;
    for (let value = 0; value < 100; value++) {
      const [low, high] = words(value);
      const [otherLow, otherHigh] = words(value ^ (1 << bit));
      changed += bitsOf(low ^ otherLow) + bitsOf(high ^ otherHigh);
    }
    expect(changed / 100).toBeGreaterThan(28);
    expect(changed / 100).toBeLessThan(36);
  }
});
