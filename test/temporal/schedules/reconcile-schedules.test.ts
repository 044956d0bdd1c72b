import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { collectors } from '../../../src/collectors/index.ts';
import { readConfig } from '../../../src/app/settings.ts';
import { scheduleSettings } from '../../../src/app/derived-settings.ts';
import { planSchedules, type ScheduleSettings } from '../../../src/temporal/schedules/plan-schedules.ts';
import { reconcileSchedules } from '../../../src/temporal/schedules/reconcile-schedules.ts';
import { type TestTemporal, testTemporal } from '../../support/test-temporal.ts';

const SETTINGS = scheduleSettings(readConfig({ ESI_USER_AGENT: 'test (me@example.com)' }));
const OURS = collectors.map((collector) => collector.name);
const plan = (settings: Partial<ScheduleSettings> = {}) =>
  planSchedules(collectors, { ...SETTINGS, ...settings });
const NO_MARKET = { enabled: { ...SETTINGS.enabled, COLLECT_MARKET_ORDERS: false } };
const EVERY_MINUTE = { intervals: { ...SETTINGS.intervals, MARKET_ORDERS_INTERVAL: '1m' } };
const MARKET = collectors
  .filter((collector) => collector.enabledBy === 'COLLECT_MARKET_ORDERS')
  .map((collector) => collector.name);

/** `action` for each of these schedules. */
const all = (ids: readonly string[], action: string) => Object.fromEntries(ids.map((id) => [id, action]));
const ids = (settings?: Partial<ScheduleSettings>) => plan(settings).map(({ id }) => id);

describe('planSchedules', () => {
  test('planSchedules returns a schedule for each enabled collector and for maintenance', () => {
    expect(ids()).toEqual(
      expect.arrayContaining(['universe', 'market-orders', 'market-prices', 'maintenance']),
    );
    expect(MARKET).toEqual(expect.arrayContaining(['market-orders', 'market-prices']));
    expect(ids(NO_MARKET)).toEqual(ids().filter((id) => !MARKET.some((name) => name === id)));
  });

  test('a changed setting changes only the hash of its schedule', () => {
    const hashes = (settings?: Partial<ScheduleSettings>) =>
      Object.fromEntries(plan(settings).map(({ id, hash }) => [id, hash]));
    expect(hashes()).toEqual(hashes());
    const { 'market-orders': before, ...others } = hashes();
    const { 'market-orders': after, ...same } = hashes(EVERY_MINUTE);
    expect(after).not.toBe(before);
    expect(same).toEqual(others);
  });

  test('schedules allow overlap where targets are independent, do not catch up, and have a timeout', () => {
    for (const { id, policies, action } of plan()) {
      const hasIndependentTargets = ['market-orders', 'market-history'].includes(id);
      expect(policies.overlap).toBe(hasIndependentTargets ? 'ALLOW_ALL' : 'SKIP');
      expect(action).toMatchObject({ taskQueue: 'collect', workflowExecutionTimeout: '24 hours' });
    }
    const orders = plan({ intervals: { ...SETTINGS.intervals, MARKET_ORDERS_INTERVAL: '10s' } }).find(
      (s) => s.id === 'market-orders',
    )!;
    expect(orders.policies.catchupWindow).toBe(10_000);
    expect(orders.action.args).toEqual([
      { collector: 'market-orders', waitUntilDue: true, staleAfter: 10_000 },
    ]);
  });
});

describe('reconcileSchedules', () => {
  let temporal: TestTemporal;
  beforeEach(async () => {
    temporal = await testTemporal();
  });
  afterEach(() => temporal.close());

  const sync = (settings?: Partial<ScheduleSettings>) =>
    reconcileSchedules(temporal.client, plan(settings), OURS);
  const describeSchedule = (id: string) => temporal.client.schedule.getHandle(id).describe();

  test('reconcileSchedules creates missing schedules and updates changed ones', async () => {
    expect(await sync()).toEqual(all(ids(), 'created'));
    expect(await sync()).toEqual(all(ids(), 'unchanged'));
    expect(await sync(EVERY_MINUTE)).toEqual({ ...all(ids(), 'unchanged'), 'market-orders': 'updated' });
    const { spec, action } = await describeSchedule('market-orders');
    expect(spec.intervals?.map(({ every }) => every)).toEqual([60_000]);
    expect(action.args).toEqual([{ collector: 'market-orders', waitUntilDue: true, staleAfter: 60_000 }]);
    expect(await sync(EVERY_MINUTE)).toMatchObject({ 'market-orders': 'unchanged' });
  });

  test("an operator's pause and its note survive an update of the schedule", async () => {
    await sync();
    await temporal.client.schedule.getHandle('market-orders').pause('ESI is being repaired');
    expect(await sync(EVERY_MINUTE)).toMatchObject({ 'market-orders': 'updated' });
    expect((await describeSchedule('market-orders')).state).toMatchObject({
      paused: true,
      note: 'ESI is being repaired',
    });
  });

  test('the schedule of a disabled collector is deleted, schedules of others stay', async () => {
    await temporal.client.schedule.create({
      scheduleId: 'backup',
      spec: { intervals: [{ every: '1 day' }] },
      action: { type: 'startWorkflow', workflowType: 'backup', taskQueue: 'theirs' },
    });
    await sync();
    expect(await sync(NO_MARKET)).toEqual({ ...all(ids(NO_MARKET), 'unchanged'), ...all(MARKET, 'deleted') });
    await expect(describeSchedule('market-orders')).rejects.toThrow(/not found/i);
    expect((await describeSchedule('backup')).action).toMatchObject({ workflowType: 'backup' });
    expect(await sync(NO_MARKET)).toEqual(all(ids(NO_MARKET), 'unchanged'));
    expect(await sync()).toMatchObject({ 'market-orders': 'created' });
  });

  test('simultaneous calls of reconcileSchedules create each schedule once', async () => {
    const results = await Promise.all([sync(), sync(), sync()]);
    for (const id of ids()) {
      expect(results.filter((result) => result[id] === 'created')).toHaveLength(1);
      expect(await describeSchedule(id)).toBeDefined();
    }
    await Promise.all([sync(EVERY_MINUTE), sync(EVERY_MINUTE), sync(EVERY_MINUTE)]);
    const { spec } = await describeSchedule('market-orders');
    expect(spec.intervals?.map(({ every }) => every)).toEqual([60_000]);
    expect(await sync(EVERY_MINUTE)).toMatchObject({ 'market-orders': 'unchanged' });
  });
});
