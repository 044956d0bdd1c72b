import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { playHistory } from '../../simulation/history.ts';
import { drawPlan, type Mishap, type Plan, type Round } from '../../simulation/plan.ts';
import { insertSharedRows } from '../../simulation/shared-rows.ts';
import { shrink } from '../../simulation/shrink.ts';
import { type TestDatabase, testDatabase } from '../support/test-database.ts';

let db: TestDatabase;
let world = 0;
beforeAll(async () => {
  db = await testDatabase();
  await insertSharedRows(db);
});
afterAll(() => db.drop());

const play = (plan: Plan, trace?: (line: string) => void) =>
  playHistory(plan, { db, number: ++world, ...(trace ? { trace } : {}) });

/** A history of one seed with these rounds. */
const planOf = (seed: number, ...rounds: Round[]): Plan => ({ seed, marketTokens: undefined, rounds });
const round = (collector: Round['collector'], ...mishaps: Mishap[]): Round => ({
  collector,
  delay: 5,
  mishaps,
});

test('the product does everything right in histories of eight seeds', async () => {
  const seeds = Array.from({ length: 8 }, (_, index) => index + 1);
  const findings = await Promise.all(seeds.map((seed) => play(drawPlan(seed))));
  expect(findings).toEqual(seeds.map(() => []));
});

test('a seed gives the same history again', async () => {
  const plan = drawPlan(5);
  const stories = [];
  for (let time = 0; time < 2; time++) {
    const own = await testDatabase();
    await insertSharedRows(own);
    const story: string[] = [];
    await playHistory(plan, { db: own, number: 1, trace: (line) => story.push(line) });
    await own.drop();
    stories.push(story);
  }
  expect(stories[0]!.length).toBeGreaterThan(500);
  expect(stories[1]).toEqual(stories[0]);
});

test('a failing history is shortened to what makes it fail', async () => {
  const plan = drawPlan(5);
  const culprit = plan.rounds.flatMap(({ mishaps }) => mishaps)[0]!;
  const fails = (one: Plan) => Promise.resolve(one.rounds.some(({ mishaps }) => mishaps.includes(culprit)));
  const shortest = await shrink(plan, fails);
  expect(shortest.rounds.map(({ mishaps }) => mishaps)).toEqual([[culprit]]);
});

describe('what the simulation has found stays mended', () => {
  test.each<[string, Plan]>([
    [
      'a page without Last-Modified makes no other page old',
      planOf(19, round('orders'), round('orders', { kind: 'request', number: 2, fault: 'no-last-modified' })),
    ],
    [
      'a transaction that was rejected once is stored when it is right',
      planOf(
        20,
        round('wallet'),
        round('wallet', { kind: 'rows', source: 2, fault: 'bad' }),
        round('wallet'),
      ),
    ],
    [
      'the last page is not read a second time after a torn reading',
      planOf(168, round('market-orders', { kind: 'request', number: 3, fault: 'status-429' })),
    ],
    [
      'what a process has read is known when it dies while a run is abandoned',
      planOf(
        3_020,
        round('market-orders', { kind: 'terminate', step: 1 }),
        round('market-orders', { kind: 'kill', turn: 10, when: 'before' }),
        round('market-orders'),
      ),
    ],
    [
      'what a run has read is known when it was closed meanwhile',
      {
        seed: 344,
        marketTokens: undefined,
        rounds: [
          { collector: 'assets', delay: 6_217, mishaps: [{ kind: 'terminate', step: 1 }] },
          { collector: 'assets', delay: -14, mishaps: [{ kind: 'kill', turn: 25, when: 'after' }] },
          { collector: 'assets', delay: 32, mishaps: [] },
        ],
      },
    ],
  ])('%s', async (_, plan) => {
    expect(await play(plan)).toEqual([]);
  });
});
