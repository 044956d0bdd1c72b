import { collectors } from '../../collectors/index.ts';
import { reconcileAssignments } from '../../store/owners/assignments.ts';
import { noteUnknownCollector, takeDue } from '../../store/owners/due-assignments.ts';
import type { EngineContext } from '../engine-context.ts';
import { targetKinds } from '../run/resources.ts';

export interface DueRun {
  readonly collector: string;
  readonly target: string;
}

/**
 * Runs begun by one look, a minute apart: 10,000 assignments an hour are 170 a minute, and what was assigned all at once
 * is begun within some minutes without filling the queues.
 */
const AT_ONCE = 500;

/** What of the assignments is due now: each is given once, to whoever asks first. */
export async function takeDueRuns(engine: EngineContext): Promise<DueRun[]> {
  const now = new Date(engine.clock.now());
  await reconcileAssignments(engine.db.pool, now);
  const due = await takeDue(engine.db.pool, now, AT_ONCE);
  const runs: DueRun[] = [];
  for (const assignment of due) {
    const { collector, kind, ownerId } = assignment;
    const found = collectors.find((one) => one.name === collector);
    if (found && 'resources' in found && targetKinds(found).includes(kind)) {
      runs.push({ collector, target: `${kind}/${ownerId}` });
    } else {
      const names = collectors.filter((one) => 'resources' in one).map((one) => one.name.toUpperCase());
      const note = `There is no collector of this name for owners. There are: ${names.join(', ')}.`;
      await noteUnknownCollector(engine.db.pool, assignment, note);
    }
  }
  return runs;
}
