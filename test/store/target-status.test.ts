import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readStatus, type TargetStatus, type WantedTarget } from '../../src/store/target-status.ts';
import { type TestDatabase, testDatabase } from '../support/test-database.ts';

let db: TestDatabase;
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

const NOW = new Date('2026-11-20T14:00:00Z');
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000);

const REGION = { collector: 'market-orders', target: 'region/10000002', every: 300_000 };
const WALLET = { collector: 'wallet', target: 'character/90000001', every: 600_000 };

interface Run {
  readonly resource?: string;
  readonly target?: string;
  readonly outcome: string | null;
  readonly error?: string;
  /** Minutes ago. */
  readonly started: number;
}

async function addRun({ collector }: WantedTarget, target: string, run: Run): Promise<void> {
  await db.rows(
    `INSERT INTO collection_runs (collector, target, resource, outcome, error, started_at, finished_at, progress_done, progress_total)
     VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $4::text IS NOT NULL THEN $6::timestamptz END, 264, 785)`,
    [collector, target, run.resource ?? '', run.outcome, run.error ?? null, minutesAgo(run.started)],
  );
}

const addSet = (
  { collector, target }: WantedTarget,
  resource: string,
  { rows, readAt }: { rows: number; readAt: number },
) =>
  db.rows(
    `INSERT INTO published_sets (collector, target, resource, run_id, last_modified, expires, read_at, pages, rows)
     VALUES ($1, $2, $3, 1, $4, $4, $4, 1, $5)`,
    [collector, target, resource, minutesAgo(readAt), rows],
  );

const status = async (wanted: WantedTarget): Promise<TargetStatus> =>
  (await readStatus(db, [wanted], NOW))[0]!;

test('the newest finished run of a target states how it is, whatever other targets do', async () => {
  await addSet(REGION, '', { rows: 7, readAt: 4 });
  expect(await status(REGION)).toMatchObject({ state: 'ok', detail: '', rows: 7, running: false });
  await addRun(REGION, 'region/10000043', { outcome: 'failed', error: 'not mine', started: 1 });
  await addRun(WALLET, REGION.target, { outcome: 'failed', error: 'not mine', started: 1 });
  await addRun(REGION, REGION.target, { resource: 'open', outcome: 'failed', error: 'not mine', started: 1 });
  await addRun(REGION, REGION.target, { outcome: 'failed', error: 'an old one', started: 9 });
  await addRun(REGION, REGION.target, { outcome: 'published', started: 5 });
  expect(await status(REGION)).toMatchObject({ state: 'ok', lastOutcome: 'published' });
  await addRun(REGION, REGION.target, { outcome: null, started: 3 });
  expect(await status(REGION)).toMatchObject({ state: 'ok', detail: 'updating (264 of 785)', running: true });
  await addRun(REGION, REGION.target, { outcome: 'refused', error: 'rows are missing', started: 2 });
  expect(await status(REGION)).toMatchObject({ state: 'refused', detail: 'rows are missing', running: true });
});

test('a target is late after three intervals without an update', async () => {
  await addSet(REGION, '', { rows: 7, readAt: 15 });
  expect(await status(REGION)).toMatchObject({ state: 'ok' });
  await db.rows('UPDATE published_sets SET read_at = $1', [minutesAgo(16)]);
  expect(await status(REGION)).toMatchObject({ state: 'late', detail: 'the last update was 16 minutes ago' });
});

test('a target that was never collected says whether its first run is under way', async () => {
  expect(await status(REGION)).toMatchObject({ state: 'never', readAt: null });
  await addRun(REGION, REGION.target, { outcome: null, started: 1 });
  expect(await status(REGION)).toMatchObject({
    state: 'running',
    detail: 'first update is running (264 of 785)',
  });
});

test('a target of several resources is as bad as the worst of them, and as old as the oldest', async () => {
  const wallet = { ...WALLET, resources: ['balance', 'journal', 'transactions'] };
  await addSet(wallet, 'balance', { rows: 1, readAt: 2 });
  await addSet(wallet, 'journal', { rows: 40, readAt: 20 });
  await addSet(wallet, 'transactions', { rows: 5, readAt: 3 });
  const readAt = minutesAgo(20).toISOString();
  expect(await status(wallet)).toMatchObject({ state: 'ok', rows: 46, readAt, lastModified: readAt });
  await addRun(wallet, wallet.target, { resource: 'journal', outcome: 'torn', error: 'a page', started: 2 });
  expect(await status(wallet)).toMatchObject({ state: 'torn', detail: 'a page', rows: 46, readAt });
  await addRun(wallet, wallet.target, {
    resource: 'balance',
    outcome: 'failed',
    error: 'a balance',
    started: 1,
  });
  expect(await status(wallet)).toMatchObject({ state: 'failing', detail: 'a balance' });
});

test('a note of the assignment is told unless the runs tell more', async () => {
  await addSet(REGION, '', { rows: 7, readAt: 4 });
  const noted = { ...REGION, note: 'no role' };
  expect(await status(noted)).toMatchObject({ state: 'blocked', detail: 'no role', rows: 7 });
  await addRun(REGION, REGION.target, { outcome: 'failed', error: 'broken', started: 1 });
  expect(await status(noted)).toMatchObject({ state: 'failing', detail: 'broken' });
});
