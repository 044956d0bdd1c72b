import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';
import type { JournalGap } from '../../src/store/sets/journal-gap-store.ts';
import type { TokenView } from '../../src/engine/owners/token-service.ts';
import {
  type CommandRunner,
  createCommandRunner,
  fetchStatus,
  interrupt,
  type RunningUp,
} from '../support/collector-process.ts';
import { eventually } from '../support/test-temporal.ts';

let runner: CommandRunner;
beforeAll(async () => {
  // The smallest of its regions: the demo is the same with all of them.
  runner = await createCommandRunner({ MARKET_REGIONS: '19000001' });
});
afterAll(() => runner.close());

async function startDemo(): Promise<RunningUp> {
  const running = runner.start(['demo']);
  await eventually('the banner', async () => running.stdout().includes('Press Ctrl-C'), 60_000);
  const endpoints = await runner.readEndpoints();
  return { ...running, endpoints: endpoints! };
}

/** Waits until a trade that happened after `since` is in the journals of both characters. */
async function tradesCollected({ endpoints }: RunningUp, since: Date): Promise<void> {
  const client = new Client({ connectionString: endpoints.databaseUrl });
  await client.connect();
  try {
    const sql =
      'SELECT DISTINCT character_id FROM wallet_journal WHERE date > $1 AND character_id IS NOT NULL';
    await eventually('the trades', async () => (await client.query(sql, [since])).rowCount === 2, 150_000);
  } finally {
    await client.end();
  }
}

test('the demo says that it is one, warns of no capacity of EVE, and goes on with its owners after a restart', async () => {
  const started = new Date();
  const first = await startDemo();
  expect(first.stdout()).toContain("Demo: ESI is simulated, and nothing here is EVE's data.");
  expect(first.stdout()).not.toMatch(/^ +! /m);
  expect(await (await fetch(first.endpoints.http)).text()).toContain('Demo: ESI is simulated');
  await tradesCollected(first, started);
  await interrupt(first);

  const restarted = new Date();
  const second = await startDemo();
  await tradesCollected(second, restarted);
  expect((await runner.json<JournalGap[]>('gaps')).value).toEqual([]);
  const tokens = (await runner.json<TokenView[]>('tokens', 'list')).value;
  expect(tokens.map(({ isActive }) => isActive)).toEqual([true, true]);
  const { targets } = await fetchStatus(second);
  expect(targets.filter(({ state }) => ['failing', 'blocked', 'refused'].includes(state))).toEqual([]);
  expect(second.stderr()).not.toMatch(/login|EVE rejected/);
  await interrupt(second);
}, 400_000);
