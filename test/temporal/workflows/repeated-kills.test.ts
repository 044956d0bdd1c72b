import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type TestApp, testApp, testSettings } from '../../support/test-app.ts';
import { type CommandRunner, createCommandRunner, type Running } from '../../support/collector-process.ts';
import { eventually } from '../../support/test-temporal.ts';

const [FORGE_ID, ROWS] = [10000002, 25_000];
const ORDERS = '/markets/{region_id}/orders';

/** Milliseconds from a kill: five until the worker's heartbeat is overdue, one of the retry, and room for a busy machine. */
const MAX_STANDSTILL = 10_000;

/** A retry whose interval grew with each of them would be late by the third. */
const KILLS = 3;

let app: TestApp;
let runner: CommandRunner;
beforeAll(async () => {
  app = await testApp({ regions: { [FORGE_ID]: ROWS }, enforceLimits: false });
  runner = await createCommandRunner({
    ...testSettings(app.sim, app.config.DATA_DIR),
    DATABASE_URL: app.db.url,
    TEMPORAL_ADDRESS: app.temporal.address,
    TEMPORAL_NAMESPACE: app.temporal.namespace,
  });
}, 60_000);
afterAll(async () => {
  await runner.close();
  await app.close();
});

async function startWorker(): Promise<Running> {
  const worker = runner.start(['worker']);
  await eventually('the worker', async () => worker.stderr().includes('the worker is running'));
  return worker;
}

const requests = () => app.sim.requests().filter(({ route }) => route === ORDERS).length;

/** Waits until ESI is asked for another page. Returns the milliseconds since `since`. */
async function timeToRequest(since: number, before: number): Promise<number> {
  await eventually('a request', async () => requests() > before);
  return Date.now() - since;
}

test('a run whose only worker is killed three times in a row goes on within ten seconds each time', async () => {
  const handle = await app.start({ collector: 'market-orders', target: `region/${FORGE_ID}` });
  app.sim.faults.latency(60_000, { route: 'page=' }); // every page but the first
  let worker = await startWorker();
  await timeToRequest(Date.now(), 1);
  for (let kill = 1; kill <= KILLS; kill++) {
    worker.child.kill('SIGKILL');
    await worker.ended;
    const [killed, before] = [Date.now(), requests()];
    worker = await startWorker();
    if (kill === KILLS) app.sim.faults.clear();
    expect(await timeToRequest(killed, before)).toBeLessThan(MAX_STANDSTILL);
  }
  expect(await handle.result()).toMatchObject({ outcome: 'published', inserted: ROWS });
}, 90_000);
