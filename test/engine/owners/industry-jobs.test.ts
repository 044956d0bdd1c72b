import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  advance,
  ANNA,
  CORPORATION,
  characterTarget,
  corporationTarget,
  ownerEngine,
} from '../../support/owner-engine.ts';

const FRESH = 301_000; // ESI caches jobs for five minutes

let engine: TestEngine;
beforeEach(async () => {
  engine = await ownerEngine();
});
afterEach(() => engine.close());

const later = (ms: number, change: () => unknown) => advance(engine, ms, change);

const collect = (target = characterTarget(ANNA)) => engine.collect('industry', target);
const rowOf = async (jobId: number) =>
  (
    await engine.db.rows<{ status: string; xmin: string }>(
      'SELECT status, xmin::text FROM industry_jobs WHERE job_id = $1',
      [jobId],
    )
  )[0];

test('industry jobs are stored including completed ones', async () => {
  expect(await collect()).toMatchObject({ outcome: 'published' });
  const served = engine.sim.owners.jobs(ANNA);
  const rows = await engine.db.rows('SELECT job_id, status, station_id FROM industry_jobs ORDER BY 1');
  expect(rows).toEqual(
    served
      .map((job) => ({ job_id: job.job_id, status: job.status, station_id: job.station_id }))
      .toSorted((a, b) => a.job_id - b.job_id),
  );
  expect(rows.some((row) => row['status'] === 'delivered')).toBe(true);
  expect(engine.sim.offences()).toEqual([]);
});

test('a job is updated until its end and stays after ESI drops it', async () => {
  const { job_id } = engine.sim.owners.startJob(ANNA);
  engine.sim.owners.takeSnapshots();
  await collect();
  expect(await rowOf(job_id)).toMatchObject({ status: 'active' });
  await later(FRESH, () => engine.sim.owners.finishJob(ANNA, job_id));
  await collect();
  expect(await rowOf(job_id)).toMatchObject({ status: 'ready' });
  await later(FRESH, () => engine.sim.owners.deliverJob(ANNA, job_id));
  await collect();
  const delivered = await rowOf(job_id);
  expect(delivered).toMatchObject({ status: 'delivered' });
  await later(FRESH, () => engine.sim.owners.forgetJob(ANNA, job_id));
  await collect();
  expect(await rowOf(job_id)).toEqual(delivered);
});

test("a corporation's jobs are stored separately, with their location as station_id", async () => {
  expect(await collect(corporationTarget(CORPORATION))).toMatchObject({ outcome: 'published' });
  const rows = await engine.db.rows('SELECT station_id, character_id, corporation_id FROM industry_jobs');
  expect(rows).toHaveLength(engine.sim.owners.jobs(CORPORATION).length);
  for (const row of rows)
    expect(row).toEqual({
      station_id: expect.any(Number),
      character_id: null,
      corporation_id: CORPORATION,
    });
});
