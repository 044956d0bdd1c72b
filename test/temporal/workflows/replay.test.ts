import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { systemClock } from '../../../src/lib/clock.ts';
import { ANNA, CORPORATION, logIn, characterTarget } from '../../support/owner-engine.ts';
import { installSilentRuntime, type TestApp, testApp } from '../../support/test-app.ts';
import { eventually } from '../../support/test-temporal.ts';
import { TEST_APPLICATION } from '../../support/test-secrets.ts';

/**
 * Replays histories of real runs with the present workflow code. A changed order of commands, which would break running
 * workflows at an update, fails here. After an intended change: RECORD_HISTORIES=1 npm test -- replay
 */
const FOLDER = path.join(import.meta.dirname, '..', '..', 'replay');
const BUNDLE = path.join(import.meta.dirname, '..', '..', '..', 'dist', 'workflow-bundle.js');
const NAMES = [
  'published',
  'torn',
  'one-page',
  'wait',
  'all-targets',
  'cancelled',
  'maintain',
  'owner',
  'dispatch',
];
const SMALL = 30_000; // bytes of JSON: what a run of a few pages needs

const bundle = () => ({ workflowBundle: { codePath: BUNDLE } });

/** Replays histories and returns an error for each, or undefined where the workflow followed it. */
async function replay(texts: readonly string[]): Promise<unknown[]> {
  const errors: unknown[] = [];
  const histories = texts.map((text) => {
    const history = historyFromJSON(JSON.parse(text));
    // Under its business id the workflow does the work itself, under another it starts a child.
    const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
    return { workflowId: started?.workflowId ?? '', history };
  });
  for await (const { error } of Worker.runReplayHistories(bundle(), histories)) errors.push(error);
  return errors;
}

if (process.env['RECORD_HISTORIES']) {
  describe('recording', () => {
    let app: TestApp;
    const [FORGE_ID, SINQ_ID] = [10000002, 10000032];
    const orders = (regionId: number) => ({ collector: 'market-orders', target: `region/${regionId}` });
    beforeAll(async () => {
      app = await testApp({
        // Several pages, so that chunks and publishing are steps of their own.
        owners: { characters: [{ id: ANNA, assets: 2_500 }], corporations: [{ id: CORPORATION }] },
        settings: {
          MARKET_REGIONS: `${FORGE_ID},${SINQ_ID}`,
          ESI_CLIENT_ID: TEST_APPLICATION.clientId,
          ESI_CLIENT_SECRET: TEST_APPLICATION.clientSecret,
        },
      });
      await app.startWorkers();
      await app.collect({ collector: 'universe' });
    });
    afterAll(() => app.close());

    async function record(name: string, handle: WorkflowHandle): Promise<void> {
      await handle.result().catch(() => undefined);
      const json = JSON.stringify(JSON.parse(historyToJSON(await handle.fetchHistory())));
      const anonymous = json.replaceAll(/"\d+@[^"]*"/g, '"worker"');
      writeFileSync(path.join(FOLDER, `${name}.json`), `${anonymous}\n`);
    }

    test('records the histories of owners', async () => {
      const { db, temporal } = app;
      await logIn({ ...app, clock: systemClock }, ANNA);
      await record('owner', await app.start({ collector: 'assets', target: characterTarget(ANNA) }));
      await db.rows(
        `INSERT INTO collector_assignments (character_id, collector_type) VALUES ($1, 'ORDERS'), ($1, 'INDUSTRY')`,
        [ANNA],
      );
      const options = { taskQueue: 'collect', workflowId: 'owners', args: [] };
      await record('dispatch', await temporal.client.workflow.start('dispatch', options));
    });

    test('records the histories of markets', async () => {
      await record('published', await app.start(orders(FORGE_ID)));
      await app.nextSnapshot(FORGE_ID);
      app.sim.faults.tear({ times: 1 });
      await record('torn', await app.start(orders(FORGE_ID)));
      await record('one-page', await app.start(orders(SINQ_ID)));
      await app.nextSnapshot(SINQ_ID, new Date(Date.now() + 2_000));
      await record('wait', await app.start({ ...orders(SINQ_ID), waitUntilDue: true }));
      await record('all-targets', await app.start({ collector: 'market-orders' }, 'all-targets'));
      await app.nextSnapshot(FORGE_ID);
      app.sim.faults.latency(2_000);
      const handle = await app.start(orders(FORGE_ID));
      const open = 'SELECT FROM collection_runs WHERE finished_at IS NULL';
      await eventually('the run', async () => (await app.db.rows(open)).length === 1);
      await handle.cancel();
      await record('cancelled', handle);
      const { client } = app.temporal;
      const maintenance = { taskQueue: 'collect', workflowId: 'maintenance', args: [] };
      await record('maintain', await client.workflow.start('maintain', maintenance));
    });
  });
}

describe('recorded histories', () => {
  beforeAll(installSilentRuntime);
  const read = (name: string) => readFileSync(path.join(FOLDER, `${name}.json`), 'utf8');

  test('a recorded history exists for every course of a run, and is small', () => {
    expect(readdirSync(FOLDER).toSorted()).toEqual(NAMES.map((name) => `${name}.json`).toSorted());
    for (const name of NAMES) expect(read(name).length).toBeLessThan(SMALL);
  });

  test('recorded histories contain what their names say', () => {
    expect(read('published')).toMatch(/readChunk[^]*enrich[^]*publish/);
    expect(read('torn').match(/"activityType":\{"name":"publish"\}/g)?.length).toBeGreaterThan(1);
    expect(read('one-page')).not.toMatch(/"activityType":\{"name":"(readChunk|publish)"/);
    expect(read('wait')).toContain('timerFiredEventAttributes');
    expect(read('all-targets')).toContain('childWorkflowExecutionCompletedEventAttributes');
    expect(read('owner')).toMatch(/readChunk[^]*"enrich"[^]*"publish"/);
    expect(read('dispatch')).toMatch(/encryptTokens[^]*takeDueRuns[^]*childWorkflowExecutionStarted/);
    expect(read('cancelled')).toContain('workflowExecutionCanceledEventAttributes');
  });

  test('recorded histories replay with the present workflows', async () => {
    expect(await replay(NAMES.map(read))).toEqual(NAMES.map(() => undefined));
  });

  test('a recorded history with another activity fails to replay', async () => {
    const other = read('published').replaceAll('"name":"readChunk"', '"name":"readPages"');
    expect(String((await replay([other]))[0])).toMatch(/nondeterminism/i);
  });
});
