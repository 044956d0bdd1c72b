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
