import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { formatStatus } from '../../../src/cli/commands/status-command.ts';
import { createAssignment, listAssignments } from '../../../src/engine/owners/assignment-service.ts';
import { listTokens } from '../../../src/engine/owners/token-service.ts';
import { EMPTY_STATUS, testApp } from '../../http/support.ts';
import { ANNA, characterTarget, CORPORATION, corporationTarget, logIn } from '../../support/owner-engine.ts';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine();
  await logIn(engine, ANNA);
});
afterEach(() => engine.close());

const OWN = ['wallet', 'assets', 'orders', 'industry'];
const OF_CORPORATION = ['wallet', 'orders'];
const ASSIGNED = [
  ...OWN.map((collector) => [collector, characterTarget(ANNA)] as const),
  ...OF_CORPORATION.map((collector) => [collector, corporationTarget(CORPORATION)] as const),
];

async function collectAll(): Promise<void> {
  for (const [collector, target] of ASSIGNED) await engine.collect(collector, target);
}

/** How often a text is on the page and in the output of `status`. */
async function count(text: RegExp): Promise<{ page: number; status: number }> {
  const [tokens, assignments] = await Promise.all([
    listTokens(engine.context),
    listAssignments(engine.context),
  ]);
  const status = { ...EMPTY_STATUS, tokens, assignments };
  const page = await (await testApp({ status: async () => status }).request('/')).text();
  const times = (where: string) => [...where.matchAll(text)].length;
  return { page: times(page), status: times(formatStatus(status, new Date())) };
}

test('a dead login is one line on the page and of status, whatever it blocks', async () => {
  for (const [collector, target] of ASSIGNED) await createAssignment(engine.context, { collector, target });
  await collectAll();
  engine.clock.advance(3_600_000);
  engine.sim.faults.status(400, { route: '/sso/v2/oauth/token', body: { error: 'invalid_grant' } });
  await collectAll();
  expect(await count(/EVE rejected the login of/g)).toEqual({ page: 1, status: 1 });
  const dead = /EVE no longer accepts this character(?:'|&#39;)s login/g;
  for (let n = 0; n < 2; n++) {
    engine.clock.advance(16 * 60_000);
    await collectAll();
    expect(await count(dead)).toEqual({ page: 1, status: 1 });
    expect(await count(/see above/g)).toEqual({ page: 1, status: 0 });
  }
  expect(
    await count(/\(login, assets, industry, orders, wallet, orders of .+, wallet of .+\)$/g),
  ).toMatchObject({
    status: 1,
  });
});

test('the moment a login is lost, its reason is told once', async () => {
  for (const [collector, target] of ASSIGNED) await createAssignment(engine.context, { collector, target });
  await engine.db.rows(`UPDATE esi_tokens SET is_active = false, inactive_reason = 'It was lost.'`);
  await engine.db.rows(`UPDATE collector_assignments SET note = 'It was lost.'`);
  expect(await count(/It was lost\./g)).toEqual({ page: 1, status: 1 });
});
