import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { errorOf, PRICES, type TestEsi, testEsi } from '../support/test-esi.ts';

let esi: TestEsi;
beforeEach(async () => {
  esi = await testEsi();
});
afterEach(() => esi.close());

async function read(text: string): Promise<unknown> {
  esi.sim.faults.rawBody(text, { times: 1 });
  return (await esi.client.get(PRICES)).json;
}

test.each([
  ['[9007199254740991,-9007199254740991]', [9007199254740991, -9007199254740991]],
  ['[9007199254740993]', ['9007199254740993']],
  [
    '{"id": 9001300000000000123, "n":-9001300000000000123}',
    { id: '9001300000000000123', n: '-9001300000000000123' },
  ],
  [
    '[1234567890123456.5, 12345678901234567890e-2, 0.12345678901234567890]',
    [1234567890123456.5, 123456789012345680, 0.12345678901234568],
  ],
  [
    String.raw`["9001300000000000123","a\"9001300000000000123\\", 9001300000000000123]`,
    ['9001300000000000123', 'a"9001300000000000123\\', '9001300000000000123'],
  ],
  ['[NaN,-Infinity,"NaN",9001300000000000123]', [null, null, 'NaN', '9001300000000000123']],
  ['9001300000000000123', '9001300000000000123'],
])('%s is read without losing a digit', async (text, expected) => {
  expect(await read(text)).toEqual(expected);
});

const HOSTILE: Record<string, string> = {
  'a string that never ends': `["${String.raw`\"`.repeat(500_000)}`,
  'quotes alone': '"'.repeat(1_000_001),
  backslashes: `["${'\\'.repeat(1_000_001)}`,
  'digits alone': '9'.repeat(1_000_000) + 'x',
  'minus signs': '-'.repeat(1_000_000),
  'many large numbers': `[${'9001300000000000123,'.repeat(50_000)}`,
  'open brackets': '['.repeat(1_000_000),
  whitespace: ' '.repeat(1_000_000),
  'whitespace and a bracket': `${' '.repeat(1_000_000)}<`,
};

test.each(Object.entries(HOSTILE))(
  'a megabyte of %s is refused at once',
  async (_, text) => {
    esi.sim.faults.rawBody(text);
    expect(await errorOf(esi.client.get(PRICES))).toMatchObject({ code: 'ESI_BAD_BODY', verdict: 'retry' });
  },
  10_000, // it takes some milliseconds, and took minutes where the time grew with the square of the length
);
