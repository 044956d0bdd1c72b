import type { Mishap, Plan, Round } from './plan.ts';

/** Whether a plan still fails. */
export type Fails = (plan: Plan) => Promise<boolean>;

/**
 * The shortest plan that still fails, as far as leaving out one round or one mishap after the other finds it. `fails` is
 * called some dozens of times.
 */
export async function shrink(plan: Plan, fails: Fails): Promise<Plan> {
  let shortest = plan;
  const keepIfFailing = async (rounds: readonly Round[]) => {
    const shorter = { ...shortest, rounds };
    if (await fails(shorter)) shortest = shorter;
  };
  for (let index = plan.rounds.length - 1; index >= 0; index--)
    await keepIfFailing(shortest.rounds.toSpliced(index, 1));
  for (let index = 0; index < shortest.rounds.length; index++)
    for (const mishap of shortest.rounds[index]!.mishaps)
      await keepIfFailing(
        shortest.rounds.map((round, at) => (at === index ? without(round, mishap) : round)),
      );
  return shortest;
}

const without = (round: Round, mishap: Mishap): Round => ({
  ...round,
  mishaps: round.mishaps.filter((one) => one !== mishap),
});
