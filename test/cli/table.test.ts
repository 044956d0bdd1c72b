import { expect, test } from '@jest/globals';
import { startBanner, withoutPassword } from '../../src/cli/banner.ts';
import { table } from '../../src/cli/table.ts';

test('columns are as wide as their widest cell, and numbers stand to the right', () => {
  const text = table(
    ['target', 'rows', ''],
    [
      ['region/10000002', 418_148, 'late'],
      ['', 7, ''],
    ],
  );
  expect(text.split('\n')).toEqual([
    'target              rows',
    '---------------  -------  ----',
    'region/10000002  418,148  late',
    '                       7',
  ]);
});

test('a table without rows is its heading', () => {
  expect(table(['schedule', 'state'], [])).toBe('schedule  state\n--------  -----');
});

test('an address is shown without its password', () => {
  expect(withoutPassword('postgresql://eve:secret@127.0.0.1:5432/eve')).toBe(
    'postgresql://eve:***@127.0.0.1:5432/eve',
  );
  expect(withoutPassword('postgresql://eve@db/eve')).toBe('postgresql://eve@db/eve');
});

test('the first screen names every address, what is collected, and what is missing', () => {
  const data = {
    version: '1.2.3',
    page: 'http://127.0.0.1:8080',
    temporalUi: 'http://127.0.0.1:8233',
    database: 'postgresql://eve:***@127.0.0.1/eve',
    metrics: undefined,
    esi: { ok: false, detail: 'connection refused' },
    collecting: ['market-orders'],
    demand: [],
    missing: ['No SSO application.'],
  };
  const text = startBanner(data);
  for (const part of [data.page, data.temporalUi, data.database, ...data.collecting, ...data.missing])
    expect(text).toContain(part);
  expect(text).toMatch(/ESI +out of reach \(connection refused\)/);
  expect(text).not.toContain('metrics');
  expect(startBanner({ ...data, missing: [] })).not.toContain('Missing');
});
