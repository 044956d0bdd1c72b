import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { terminateRuns } from '../../src/temporal/terminate-runs.ts';
import { eventually, type TestTemporal, testTemporal } from '../support/test-temporal.ts';

let temporal: TestTemporal;
beforeAll(async () => {
  temporal = await testTemporal();
});
afterAll(() => temporal.close());

test('terminateRuns terminates the workflows of the collector, and leaves those of others', async () => {
  const start = (workflowId: string, taskQueue: string) =>
    temporal.client.workflow.start('collect', { workflowId, taskQueue, args: [] });
  const [ours, other] = await Promise.all([
    start('market-orders', 'collect'),
    start('other', 'another-queue'),
  ]);
  // The list of workflows is eventually consistent.
  let count = 0;
  await eventually('the termination', async () => {
    count += await terminateRuns(temporal.client, 'upgraded');
    return count > 0;
  });
  expect(count).toBe(1);
  expect((await ours.describe()).status.name).toBe('TERMINATED');
  expect((await other.describe()).status.name).toBe('RUNNING');
  expect(await terminateRuns(temporal.client, 'upgraded')).toBe(0);
});
