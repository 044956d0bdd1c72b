import { afterEach, expect, test } from '@jest/globals';
import { esiAuth } from '../../../src/engine/owners/access-token.ts';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';
import { ANNA, logIn } from '../../support/owner-engine.ts';

/** Many logins that expire at the same time. */
let engine: TestEngine;
afterEach(() => engine.close());

/** More logins than the pool of the test database has connections, which is ten. */
const MANY = Array.from({ length: 14 }, (_, n) => ({ id: ANNA + n }));

async function begin(): Promise<void> {
  engine = await testEngine({ owners: { characters: MANY } });
  engine.sim.sso.setRotation('strict');
  for (const { id } of MANY) await logIn(engine, id);
  engine.clock.advance(20 * 60_000);
}

const tokenFor = (id: number) => esiAuth(engine.context, id, {}).token();

test('more simultaneous refreshes than database connections do not deadlock', async () => {
  await begin();
  const tokens = await Promise.all(MANY.map(({ id }) => tokenFor(id)));
  expect(new Set(tokens).size).toBe(MANY.length);
  expect(engine.sim.sso.requests().refresh_token).toBe(MANY.length);
  expect(engine.sim.offences()).toEqual([]);
});

test('more runs of one character than database connections refresh its login once', async () => {
  await begin();
  const tokens = await Promise.all(MANY.map(() => tokenFor(ANNA)));
  expect(new Set(tokens).size).toBe(1);
  expect(engine.sim.sso.requests().refresh_token).toBe(1);
  expect(engine.sim.offences()).toEqual([]);
});
