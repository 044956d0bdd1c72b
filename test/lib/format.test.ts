import { expect, test } from '@jest/globals';
import { formatAge, formatInterval, formatTime } from '../../src/lib/format.ts';

const NOW = new Date('2026-11-20T14:00:00Z');

test.each([
  [null, 'never'],
  ['2026-11-20T13:59:59Z', '1 s ago'],
  ['2026-11-20T14:00:30Z', '0 s ago'],
  ['2026-11-20T13:50:00Z', '10 min ago'],
  ['2026-11-20T09:00:00Z', '5 h ago'],
  ['2026-11-10T14:00:00Z', '10 days ago'],
])('formatAge gives %s as %s', (moment, text) => {
  expect(formatAge(moment, NOW)).toBe(text);
});

test.each([
  [30_000, 'every 30 seconds'],
  [60_000, 'every minute'],
  [2_700_000, 'every 45 minutes'],
  [3_600_000, 'every hour'],
  [86_400_000, 'every 24 hours'],
])('formatInterval gives %d ms as "%s"', (ms, text) => {
  expect(formatInterval(ms)).toBe(text);
});

test.each([
  ['2026-11-20T18:23:09.719Z', '18:23 UTC'],
  ['2026-11-21T02:00:00Z', '2026-11-21 02:00 UTC'],
])('formatTime gives %s as %s', (moment, text) => {
  expect(formatTime(new Date(moment), NOW)).toBe(text);
});
