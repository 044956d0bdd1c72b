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

const listTokens = async () => (await runner.json<TokenView[]>('tokens', 'list')).value;

async function startDemo(): Promise<RunningUp> {
  const running = runner.start(['demo']);
  await eventually('the banner', async () => running.stdout().includes('Press Ctrl-C'), 60_000);
  const endpoints = await runner.readEndpoints();
  return { ...running, endpoints: endpoints! };
}

/** The demo's characters trade with each other every 20 s. */
const TRADE_INTERVAL = 20_000;

/** Reads the wallets of both characters, although their `Expires` has not come. */
async function readWallets({ endpoints }: RunningUp): Promise<void> {
  const client = new Client({ connectionString: endpoints.databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ id: string }>('SELECT character_id AS id FROM characters');
  await client.query(`UPDATE published_sets SET expires = NULL WHERE collector = 'wallet'`);
  await client.end();
  expect(rows).toHaveLength(2);
  for (const { id } of rows)
    expect(await runner.run('run', 'wallet', `character/${id}`)).toMatchObject({ code: 0 });
}

test('the demo says that it is one, warns of no capacity of EVE, and goes on with its owners after a restart', async () => {
  const first = await startDemo();
  expect(first.stdout()).toContain("Demo: ESI is simulated, and nothing here is EVE's data.");
  expect(first.stdout()).not.toMatch(/^ +! /m);
  expect(await (await fetch(first.endpoints.http)).text()).toContain('Demo: ESI is simulated');
  await eventually('the logins', async () => (await listTokens()).length === 2, 30_000);
  await readWallets(first);
  await interrupt(first);

  const second = await startDemo();
  // A trade whose balance follows from what was read before the restart.
  const traded = Date.now() + TRADE_INTERVAL + 5_000;
  await eventually('a trade', async () => Date.now() > traded, 60_000);
  await readWallets(second);
  expect((await runner.json<JournalGap[]>('gaps')).value).toEqual([]);
  const tokens = await listTokens();
  expect(tokens.map(({ isActive }) => isActive)).toEqual([true, true]);
  const { targets } = await fetchStatus(second);
  expect(targets.filter(({ state }) => ['failing', 'blocked', 'refused'].includes(state))).toEqual([]);
  expect(second.stderr()).not.toMatch(/login|EVE rejected/);
  await interrupt(second);
}, 400_000);
