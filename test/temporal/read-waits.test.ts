import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writePause } from '../../src/store/pause.ts';
import { readWaits } from '../../src/temporal/read-waits.ts';
import { type TestApp, testApp } from '../support/test-app.ts';
import { eventually } from '../support/test-temporal.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp({ settings: { MARKET_REGIONS: '10000032,10000043' } });
  await app.startWorkers();
});
afterAll(() => app.close());

test('a run that is paused says so, also among the runs of all targets, and says nothing else later', async () => {
  await writePause(app.context.db, 'repairs');
  const paused = [
    'Paused: no requests are sent to ESI (reason: repairs). Run "eve-collector resume" to continue.',
  ];
  const one = await app.start({ collector: 'market-prices' });
  const all = await app.start({ collector: 'market-orders' });
  const waitsOf = (run: typeof one) => readWaits(app.temporal.client, [run]);
  for (const run of [one, all])
    expect(
      await eventually('the reason', async () => {
        const waits = await waitsOf(run);
        return waits.length > 0 && waits;
      }),
    ).toEqual(paused);
  await writePause(app.context.db, undefined);
  await Promise.all([one.result(), all.result()]);
  expect(await waitsOf(one)).toEqual([]);
  const again = await app.collect({ collector: 'market-orders' }, 'again');
  expect(again).toMatchObject({ outcomes: { 'not-due': 2 } });
  expect(again['nextUpdate']).toBeGreaterThan(Date.now());
}, 60_000);

test('a run that waits for the next snapshot says until when, and nothing once it has ended', async () => {
  const target = 'region/10000032';
  await app.nextSnapshot(10000032, new Date(Date.now() + 4_000));
  const run = await app.start({ collector: 'market-orders', target, waitUntilDue: true });
  const waits = await eventually('the moment', async () => {
    const found = await readWaits(app.temporal.client, [run]);
    return found.length > 0 && found;
  });
  expect(waits).toEqual([
    expect.stringMatching(/^The run is waiting until .*\d\d:\d\d UTC, when ESI has a newer snapshot\.$/),
  ]);
  expect(await run.result()).toMatchObject({ outcome: 'published' });
  expect(await readWaits(app.temporal.client, [run])).toEqual([]);
}, 60_000);
