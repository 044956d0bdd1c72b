import { expect } from '@jest/globals';
import { type TestEngine, testEngine } from './test-engine.ts';

export const METROPOLIS_ID = 10000042;
export const METROPOLIS = `region/${METROPOLIS_ID}`;
export const HISTORY_ROUTE = '/markets/{region_id}/history';

/** An engine with the universe and 120 orders in Metropolis, which does not stop at the daily downtime. */
export async function marketHistoryEngine(): Promise<TestEngine> {
  const engine = await testEngine({
    client: { downtime: false },
    churn: 0,
    regions: { [METROPOLIS_ID]: 120 },
  });
  await engine.collect('universe');
  engine.sim.resetCounters();
  return engine;
}

/** Closes the engine after checking that ESI's rules and its hidden limit of 300 requests a minute were respected. */
export async function closeMarketHistoryEngine(engine: TestEngine): Promise<void> {
  const usage = engine.sim.limitUsage().find(({ name }) => name === `hidden ${HISTORY_ROUTE}`);
  expect(usage?.most ?? 0).toBeLessThanOrEqual(300);
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
}

export const collectHistory = (engine: TestEngine) => engine.collect('market-history', METROPOLIS);

/** The types with orders that can have a history: published ones in a market group. */
export function tradableTypes({ sim: { world } }: TestEngine): number[] {
  const ids = new Set(world.snapshot(METROPOLIS_ID).rows.map((row) => row.type_id));
  return [...ids].filter((id) => {
    const type = world.types.get(id);
    return type?.published === true && type.market_group_id !== undefined;
  });
}

/** The types whose history was requested, in order. */
export const requestedTypes = ({ sim }: TestEngine): number[] =>
  sim
    .requests()
    .filter(({ route }) => route === HISTORY_ROUTE)
    .map(({ path }) => Number(/type_id=(\d+)/.exec(path)?.[1]));

/** The requests for the list of types. */
export const typeListRequests = ({ sim }: TestEngine) =>
  sim.requests().filter(({ route }) => route === '/markets/{region_id}/types');

export const sorted = (ids: readonly number[]) => ids.toSorted((a, b) => a - b);

/** Expects that every day that ESI serves is stored exactly. Older days stay, although ESI no longer serves them. */
export async function expectExactHistory(engine: TestEngine): Promise<void> {
  const { world } = engine.sim;
  const served = sorted(tradableTypes(engine))
    .filter((id) => !world.untradable.has(id))
    .flatMap((type_id) => world.history(METROPOLIS_ID, type_id).map((day) => ({ type_id, ...day })));
  const since = served.map(({ date }) => date).toSorted()[0];
  const rows = await engine.db.rows(
    `SELECT type_id, date::text, average, highest, lowest, order_count, volume FROM market_history
      WHERE region_id = $1 AND date >= $2 ORDER BY type_id, date`,
    [METROPOLIS_ID, since],
  );
  expect(rows).toEqual(served);
}
