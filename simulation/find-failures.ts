import type { Database } from '../src/store/database.ts';
import { playHistory } from './history.ts';
import { drawPlan, type Plan } from './plan.ts';
import { shrink } from './shrink.ts';
import type { Finding } from './subjects.ts';

/** A history in which the product did something wrong. */
export interface Failure {
  readonly seed: number;
  readonly findings: readonly Finding[];
  /** The shortest plan that still fails. */
  readonly plan: Plan;
  /** What happens in the shortest history: steps, statements and requests in their order. */
  readonly story: readonly string[];
}

/**
 * Histories at once in one process. While one waits for the database another goes on, and two would leave a core idle now
 * and then.
 */
const AT_ONCE = 4;

/** Ids of a world in the database: no two histories may share one, and no shortened one either. */
let nextWorld = 1;

/** Plays the histories of seeds, and shortens those that fail if asked to. `report` is called after each. */
export async function findFailures(
  db: Database,
  seeds: readonly number[],
  isShortened: boolean,
  report: (seed: number, failure: Failure | undefined) => void,
): Promise<void> {
  const left = [...seeds];
  const playNext = async () => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift())
      report(seed, await findFailure(db, seed, isShortened));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, playNext));
}

/** Plays one history; undefined when the product does everything right. */
async function findFailure(db: Database, seed: number, isShortened: boolean): Promise<Failure | undefined> {
  const play = (one: Plan, trace?: (line: string) => void) =>
    playHistory(one, { db, number: nextWorld++, ...(trace ? { trace } : {}) });
  const drawn = drawPlan(seed);
  const first = await play(drawn);
  if (first.length === 0) return undefined;
  if (!isShortened) return { seed, findings: first, plan: drawn, story: [] };
  const plan = await shrink(drawn, async (shorter) => (await play(shorter)).length > 0);
  const story: string[] = [];
  const findings = await play(plan, (line) => story.push(line));
  return { seed, findings, plan, story };
}
