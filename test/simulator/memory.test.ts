import { afterEach, expect, test } from '@jest/globals';
import type { Simulator, SimulatorMemory } from '../../simulator/index.ts';
import { refresh } from './sso-requests.ts';
import { ANNA, BRAM, closeSimulators, CORPORATION, START, startTestSimulator } from './test-simulator.ts';
import { testClock } from '../support/test-clock.ts';

afterEach(closeSimulators);

const DAY = 86_400_000;

/** Everything that an owner has. */
const ownedBy = ({ owners }: Simulator, id: number) => ({
  assets: owners.assets(id),
  journal: owners.journal(id),
  transactions: owners.transactions(id),
  balance: owners.balance(id),
  orders: owners.orders(id),
  jobs: owners.jobs(id),
});

test('a simulator with the memory of an earlier one has the same owners and logins, and goes on with them', async () => {
  const { simulator: first, clock } = await startTestSimulator();
  const { refreshToken } = await first.sso.issue(ANNA);
  const used = await refresh(first, refreshToken);
  for (let n = 0; n < 5; n++) {
    for (const id of [ANNA, BRAM]) first.owners.churnAssets(id, 0.1);
    first.owners.trade({ sellerId: ANNA, buyerId: BRAM, typeId: 34, quantity: n + 1, price: 4.2 });
    first.owners.trade({ sellerId: BRAM, buyerId: ANNA, typeId: 35, quantity: 1, price: 7 });
    clock.advance(20_000);
  }
  first.owners.takeSnapshots();
  const memory = JSON.parse(JSON.stringify(first.remember())) as SimulatorMemory;

  const later = testClock(START + 2 * DAY + 100_000); // when some jobs are still active, as without a restart
  const { simulator: second } = await startTestSimulator({ clock: later, memory });
  clock.advance(2 * DAY);
  for (const id of [ANNA, BRAM, CORPORATION]) expect(ownedBy(second, id)).toEqual(ownedBy(first, id));

  const before = second.owners.journal(ANNA);
  second.owners.trade({ sellerId: ANNA, buyerId: BRAM, typeId: 34, quantity: 1, price: 1 });
  const [newest, ...older] = second.owners.journal(ANNA);
  expect(older).toEqual(before);
  expect(newest!.id).toBeGreaterThan(before[0]!.id);
  expect(newest!.balance).toBeCloseTo(before[0]!.balance! + newest!.amount!, 2);
  expect((await refresh(second, used.json.refresh_token)).status).toBe(200);
  expect((await refresh(second, 'another')).status).toBe(400);
  expect(second.remember().owners.happened).toHaveLength(11);
});
