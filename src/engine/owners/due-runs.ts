import { collectors } from '../../collectors/index.ts';
import {
  readUnservedAssignments,
  reconcileAssignments,
  setAssignmentNotes,
  type UnservedAssignment,
} from '../../store/owners/assignments.ts';
import { noteUnknownCollector, takeDue } from '../../store/owners/due-assignments.ts';
import { DISABLED_BY_HAND } from '../../store/owners/tokens.ts';
import type { EngineContext } from '../engine-context.ts';
import { targetKinds } from '../run/resources.ts';

/** A run of an assignment that is due. */
export interface DueRun {
  readonly collector: string;
  readonly target: string;
}

/**
 * Runs started by one dispatch. 10,000 assignments an hour are 170 a minute, so that assignments that were all added at
 * once are started within some minutes without filling the task queues.
 */
const MAX_RUNS = 500;

/** Characters of a note. */
const MAX_NOTE_LENGTH = 2_000;

/** Takes the assignments that are due: each is returned once, to the first caller. */
export async function takeDueRuns(engine: EngineContext): Promise<DueRun[]> {
  const { pool } = engine.db;
  const now = new Date(engine.clock.now());
  await reconcileAssignments(pool);
  const unserved = await readUnservedAssignments(pool);
  const notes = unserved.map((one) => ({ id: one.id, note: unservedNote(one).slice(0, MAX_NOTE_LENGTH) }));
  await setAssignmentNotes(pool, notes, now);
  const runs: DueRun[] = [];
  for (const assignment of await takeDue(pool, now, MAX_RUNS)) {
    const { collector, kind, ownerId } = assignment;
    const found = collectors.find((one) => one.name === collector);
    if (found && 'resources' in found && targetKinds(found).includes(kind)) {
      runs.push({ collector, target: `${kind}/${ownerId}` });
    } else {
      await noteUnknownCollector(pool, assignment, unknownCollectorNote());
    }
  }
  return runs;
}

/** Why nothing can be requested for an assignment: nobody is logged in, or every login is off. */
function unservedNote({ kind, ownerId, logins }: UnservedAssignment): string {
  if (logins.length > 0)
    return logins
      .map(
        ({ characterId, name, reason }) =>
          `${name || `character ${characterId}`}: ${reason ?? DISABLED_BY_HAND}`,
      )
      .join(' ');
  const nobody =
    kind === 'corporation'
      ? `No member of corporation ${ownerId} is logged in`
      : `Character ${ownerId} is not logged in`;
  return `${nobody}. Use "eve-collector tokens add".`;
}

function unknownCollectorNote(): string {
  const names = collectors.filter((one) => 'resources' in one).map((one) => one.name.toUpperCase());
  return `There is no collector of this name for characters and corporations. Available: ${names.join(', ')}.`;
}
