import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';
import type { HttpStatus } from '../../src/http/http-sources.ts';
import type { JournalGap } from '../../src/store/sets/journal-gap-store.ts';
import { startTestUp, type TestUp } from '../support/running-up.ts';

let up: TestUp;
beforeAll(async () => {
  up = await startTestUp({ regions: { 10000032: 800 } });
  const client = new Client({ connectionString: up.databaseUrl });
  await client.connect();
  await client.query(
    `INSERT INTO wallet_journal_gaps (character_id, corporation_id, division, after_journal_id, before_journal_id,
                                      after_date, before_date, missing_amount, found_at)
     VALUES (90000001, NULL, NULL, 1, 5, '2026-11-01', '2026-11-02', -12.5, now()),
            (NULL, 98000001, 3, 2, 7, '2026-10-01', '2026-10-02', 4000, now())`,
  );
  await client.end();
}, 90_000);
afterAll(() => up.close());

const text = async (url: string) => (await fetch(url)).text();

test('a gap of a journal is told everywhere with what to do, until it is accepted', async () => {
  const { runner, running } = up;
  const { http, metrics } = running.endpoints;
  const list = await runner.json<JournalGap[]>('gaps');
  expect(list).toMatchObject({
    code: 0,
    value: [
      { target: 'character/90000001', division: null, missingAmount: '-12.50', afterJournalId: 1 },
      { target: 'corporation/98000001', division: 3, missingAmount: '4000.00', beforeJournalId: 7 },
    ],
  });
  expect((await runner.run('gaps')).stdout).toMatch(/-12\.50 ISK[^]*gaps accept ID/);
  expect((await runner.run('status')).stdout).toMatch(
    /Gaps in wallet journals: 2\. Run "eve-collector gaps"/,
  );
  expect(JSON.parse(await text(`${http}/api/status`)) as HttpStatus).toMatchObject({ gaps: list.value });
  expect(await text(http)).toMatch(/Gaps in wallet journals[^]*-12\.50 ISK[^]*gaps accept ID/);
  expect(await text(metrics!)).toContain('wallet_journal_gaps 2');
  const health = JSON.parse(await text(`${http}/health`)) as { checks: { progress: unknown } };
  expect(health.checks.progress).toMatchObject({
    status: 'ok',
    detail: expect.stringContaining('journals: 2'),
  });

  const ids = list.value.map(({ id }) => String(id));
  expect(await runner.json('gaps', 'accept', ids[0]!)).toEqual({
    code: 0,
    value: { accepted: [Number(ids[0])] },
  });
  expect((await runner.json<JournalGap[]>('gaps')).value).toEqual([list.value[1]]);
  expect(await runner.run('gaps', 'accept', ids[1]!, '9999')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no gap 9999'),
  });
  expect(await runner.run('gaps', 'accept')).toMatchObject({ code: 2 });
  expect((await runner.run('gaps')).stdout).toBe('No wallet journal has a gap that is not accepted.\n');
  expect((await runner.run('status')).stdout).not.toContain('Gaps');
  expect(await text(http)).not.toContain('Gaps');
  expect(await text(metrics!)).toContain('wallet_journal_gaps 0');
}, 60_000);

test('accept confirms what the newest run of a target refused, and nothing else', async () => {
  const { runner } = up;
  const client = new Client({ connectionString: up.databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ run_id: string }>(
    `INSERT INTO collection_runs (collector, target, finished_at, outcome, last_modified)
     VALUES ('market-orders', 'region/1', now(), 'refused', '2026-11-01'),
            ('market-orders', 'region/1', now(), 'refused', '2026-11-02') RETURNING run_id`,
  );
  await client.query(
    `INSERT INTO published_sets (collector, target, resource, run_id, read_at, pages, rows, suspect_last_modified, suspect_rows,
                                 suspect_reason)
     VALUES ('market-orders', 'region/1', '', 0, now(), 1, 100, '2026-11-02', 10, 'rows-missing')`,
  );
  const isAccepted = async () =>
    (
      await client.query<{ suspect_accepted: boolean }>(
        `SELECT suspect_accepted FROM published_sets WHERE target = 'region/1'`,
      )
    ).rows[0]!.suspect_accepted;
  const [older, newest] = rows.map(({ run_id }) => run_id);
  expect(await runner.run('accept', older!)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is not the newest refused run'),
  });
  expect(await isAccepted()).toBe(false);
  expect(await runner.json('accept', newest!)).toEqual({ code: 0, value: { accepted: Number(newest) } });
  expect(await isAccepted()).toBe(true);
  expect(await runner.run('accept', 'x')).toMatchObject({ code: 2 });
  await client.end();
});
