import type { OwnerCollector } from '../../collectors/define.ts';
import { findCollector } from '../../collectors/index.ts';
import { AppError } from '../../lib/errors.ts';
import { type OwnerKind, parseTarget } from '../../collectors/targets.ts';
import {
  addAssignment,
  type AssignmentRow,
  changeAssignment,
  findAssignment,
  isOwnerKnown,
  readAssignment,
  readAssignments,
  removeAssignment,
} from '../../store/owners/assignments.ts';
import type { EngineContext } from '../engine-context.ts';
import { minutesOf } from './default-assignments.ts';
import { nameOfType, ownerCollector, resourcesFor, typeOf } from './login-rights.ts';

/** An assignment as the API and the CLI show it. */
export interface AssignmentView {
  readonly id: number;
  /** `character/90000001` */
  readonly target: string;
  /** The owner's name; empty while it is unknown. */
  readonly owner: string;
  readonly collector: string;
  readonly isEnabled: boolean;
  readonly intervalMinutes: number;
  readonly lastCollectedAt: string | null;
  /** Null: at once. */
  readonly nextCollectionAt: string | null;
  /** Why nothing, or not everything, is collected, in plain words; null when all is well. */
  readonly note: string | null;
}

/** What to change of an assignment. */
export interface AssignmentChange {
  readonly isEnabled?: boolean | undefined;
  readonly intervalMinutes?: number | undefined;
}

type Db = Pick<EngineContext, 'db' | 'clock'>;

const fail = (code: string, message: string) => new AppError(message, { code, verdict: 'fail' });

const unknownAssignment = (what: string) =>
  fail(
    'UNKNOWN_ASSIGNMENT',
    `There is no assignment ${what}. "eve-collector assign list" shows all assignments.`,
  );

/** Minutes: a month. To collect less often, disable the assignment. */
export const LONGEST_INTERVAL = 31 * 24 * 60;

const view = ({ type, lastCollectedAt, nextCollectionAt, ...row }: AssignmentRow): AssignmentView => ({
  ...row,
  collector: nameOfType(type),
  lastCollectedAt: lastCollectedAt?.toISOString() ?? null,
  nextCollectionAt: nextCollectionAt?.toISOString() ?? null,
});

/** All assignments, characters first. */
export async function listAssignments(engine: Pick<EngineContext, 'db'>): Promise<AssignmentView[]> {
  return (await readAssignments(engine.db.pool)).map(view);
}

/**
 * Assigns a collector to an owner, due at once, with the collector's own interval unless one (minutes) is given. Throws
 * AppError UNKNOWN_COLLECTOR, BAD_TARGET, BAD_INTERVAL, UNKNOWN_OWNER, and ASSIGNMENT_EXISTS.
 */
export async function createAssignment(
  engine: Db,
  wanted: {
    readonly collector: string;
    readonly target: string;
    readonly intervalMinutes?: number | undefined;
  },
): Promise<AssignmentView> {
  const collector = ownerCollector(wanted.collector);
  const { kind, id: ownerId } = ownerOf(wanted.target, collector);
  const intervalMinutes = checkInterval(wanted.intervalMinutes) ?? minutesOf(collector);
  const db = engine.db.pool;
  if (!(await isOwnerKnown(db, kind, ownerId))) throw unknownOwner(kind, ownerId);
  const draft = { kind, ownerId, type: typeOf(collector.name), intervalMinutes };
  const id = await addAssignment(db, draft, new Date(engine.clock.now()));
  if (id === undefined) {
    throw fail(
      'ASSIGNMENT_EXISTS',
      `${collector.name} is already assigned to ${kind}/${ownerId}. Use "eve-collector assign enable" (with --every for another interval), or remove it first.`,
    );
  }
  return getAssignment(engine, id);
}

/** Throws AppError UNKNOWN_ASSIGNMENT. */
export async function getAssignment(engine: Pick<EngineContext, 'db'>, id: number): Promise<AssignmentView> {
  const row = await readAssignment(engine.db.pool, id);
  if (!row) throw unknownAssignment(String(id));
  return view(row);
}

/** The assignment of a collector to an owner. Throws AppError UNKNOWN_COLLECTOR, BAD_TARGET, UNKNOWN_ASSIGNMENT. */
export async function assignmentOf(
  engine: Pick<EngineContext, 'db'>,
  collectorName: string,
  target: string,
): Promise<AssignmentView> {
  const collector = ownerCollector(collectorName);
  const { kind, id: ownerId } = ownerOf(target, collector);
  const row = await findAssignment(engine.db.pool, { kind, ownerId, type: typeOf(collector.name) });
  if (!row) throw unknownAssignment(`of ${collector.name} to ${kind}/${ownerId}`);
  return view(row);
}

/** Changes an assignment. One that is enabled is due at once. Throws AppError UNKNOWN_ASSIGNMENT and BAD_INTERVAL. */
export async function updateAssignment(
  engine: Db,
  id: number,
  change: AssignmentChange,
): Promise<AssignmentView> {
  checkInterval(change.intervalMinutes);
  if (!(await changeAssignment(engine.db.pool, id, change, new Date(engine.clock.now()))))
    throw unknownAssignment(String(id));
  return getAssignment(engine, id);
}

/** Deletes an assignment. What was collected stays. Throws AppError UNKNOWN_ASSIGNMENT. */
export async function deleteAssignment(engine: Pick<EngineContext, 'db'>, id: number): Promise<void> {
  if (!(await removeAssignment(engine.db.pool, id))) throw unknownAssignment(String(id));
}

/** The owner that a target names. Throws AppError BAD_TARGET when the collector has nothing for its kind. */
function ownerOf(target: string, collector: OwnerCollector): { kind: OwnerKind; id: number } {
  const kind: OwnerKind = target.startsWith('corporation') ? 'corporation' : 'character';
  const { id } = parseTarget(target, kind);
  if (resourcesFor(collector, kind).length > 0) return { kind, id };
  throw fail('BAD_TARGET', `${collector.name} has nothing to collect for a ${kind}.`);
}

/**
 * Throws AppError UNKNOWN_OWNER where a target is an owner of whom nothing is known: a run would only say that no login has
 * access. Targets of other collectors are not looked at.
 */
export async function checkOwners(
  engine: Pick<EngineContext, 'db'>,
  collectorName: string,
  targets: readonly string[],
): Promise<void> {
  const collector = findCollector(collectorName);
  if (!('resources' in collector)) return;
  for (const target of targets) {
    const { kind, id } = ownerOf(target, collector);
    if (!(await isOwnerKnown(engine.db.pool, kind, id))) throw unknownOwner(kind, id);
  }
}

function checkInterval(minutes: number | undefined): number | undefined {
  if (minutes === undefined || (Number.isInteger(minutes) && minutes >= 1 && minutes <= LONGEST_INTERVAL))
    return minutes;
  throw fail(
    'BAD_INTERVAL',
    `Invalid interval. Use a whole number of minutes from 1 to ${LONGEST_INTERVAL}.`,
  );
}

function unknownOwner(kind: OwnerKind, id: number): AppError {
  const how = kind === 'character' ? 'Log the character in first' : 'Log one of its members in first';
  return fail('UNKNOWN_OWNER', `${kind}/${id} is unknown. ${how} ("eve-collector tokens add").`);
}
