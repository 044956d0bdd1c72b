import { expect, test } from '@jest/globals';
import type { UpSummary } from '../../src/app/up.ts';
import { formatBanner, hidePassword } from '../../src/cli/banner.ts';
import { formatTable } from '../../src/cli/table.ts';

test('formatTable makes columns as wide as their widest cell and aligns numbers to the right', () => {
  const text = formatTable(
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

test('formatTable without rows prints the heading', () => {
  expect(formatTable(['schedule', 'state'], [])).toBe('schedule  state\n--------  -----');
});

test('formatTable shows invisible characters of a cell and aligns what is shown', () => {
  const text = formatTable(['name', 'login'], [['\u001B[2JEve\n\u202Ex', 'enabled']]);
  expect(text.split('\n')).toEqual([
    'name               login',
    '-----------------  -------',
    '\u241B[2JEve\u240A\\u{202e}x  enabled',
  ]);
});

test('hidePassword masks the password of an address', () => {
  expect(hidePassword('postgresql://eve:secret@127.0.0.1:5432/eve')).toBe(
    'postgresql://eve:***@127.0.0.1:5432/eve',
  );
  expect(hidePassword('postgresql://eve@db/eve')).toBe('postgresql://eve@db/eve');
});

test('the banner shows every address, what is collected, and what is missing', () => {
  const summary: UpSummary = {
    endpoints: {
      pid: 1,
      http: 'http://127.0.0.1:8080',
      temporalUi: null,
      temporalAddress: '127.0.0.1:7233',
      temporalNamespace: 'default',
      databaseUrl: 'postgresql://eve:secret@127.0.0.1/eve',
      metrics: null,
    },
    callback: 'http://localhost:8080/callback',
    isSimulated: false,
    esi: { ok: false, detail: 'connection refused' },
    schedules: [{ id: 'market-orders', description: 'Public market orders' }],
    capacity: [{ collector: 'market-orders', fits: false, text: 'Too many pages.' }],
    missing: ['No SSO application.'],
  };
  expect(formatBanner(summary).split('\n').slice(2)).toEqual([
    '',
    '  page        http://127.0.0.1:8080',
    '  callback    http://localhost:8080/callback (EVE redirects logins to it)',
    '  Temporal    127.0.0.1:7233 (namespace default)',
    '  database    postgresql://eve:***@127.0.0.1/eve',
    '  ESI         unreachable (connection refused)',
    '',
    'Collecting',
    '  market-orders        Public market orders',
    '',
    'Capacity',
    '  ! market-orders: Too many pages.',
    '',
    'Missing',
    '  No SSO application.',
    '',
  ]);
  expect(formatBanner({ ...summary, isSimulated: true })).toContain(
    "\nDemo: ESI is simulated, and nothing here is EVE's data.\n\n  page ",
  );
  expect(formatBanner({ ...summary, callback: undefined })).not.toContain('callback');
  const complete = formatBanner({ ...summary, missing: [], capacity: [] });
  expect(complete).not.toMatch(/Missing|Capacity/);
});
