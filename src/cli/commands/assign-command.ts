import {
  assignmentOf,
  type AssignmentView,
  createAssignment,
  deleteAssignment,
  listAssignments,
  updateAssignment,
} from '../../engine/owners/assignment-service.ts';
import { MINUTE } from '../../lib/duration.ts';
import { formatAge, formatInterval } from '../../lib/format.ts';
import { type PrintingCommand, succeeded, withDatabase } from '../command.ts';
import { formatTable } from '../table.ts';

/** Lists all assignments. */
export const listAssignmentsCommand: PrintingCommand = (config, log) =>
  withDatabase(config, log, async (context) => {
    const assignments = await listAssignments(context);
    if (assignments.length === 0) return succeeded('There are no assignments.', assignments);
    const now = new Date();
    const rows = assignments.map((assignment) => [
      assignment.collector,
      assignment.target,
      assignment.owner,
      assignment.isEnabled ? 'enabled' : 'disabled',
      `${assignment.intervalMinutes} min`,
      formatAge(assignment.lastCollectedAt, now),
      assignment.note ?? '',
    ]);
    const headings = ['collector', 'target', 'name', 'state', 'every', 'collected', ''];
    return succeeded(formatTable(headings, rows), assignments);
  });

const formatCollected = ({ collector, target, intervalMinutes }: AssignmentView) =>
  `${collector} of ${target} is collected ${formatInterval(intervalMinutes * MINUTE)}, starting now.`;

/** Assigns a collector to an owner. `every`: minutes; undefined for the collector's own interval. */
export const addAssignmentCommand =
  (collector: string, target: string, every: number | undefined): PrintingCommand =>
  (config, log) =>
    withDatabase(config, log, async (context) => {
      const created = await createAssignment(context, { collector, target, intervalMinutes: every });
      return succeeded(formatCollected(created), created);
    });

/** Removes an assignment. What was collected stays. */
export const removeAssignmentCommand =
  (collector: string, target: string): PrintingCommand =>
  (config, log) =>
    withDatabase(config, log, async (context) => {
      const removed = await assignmentOf(context, collector, target);
      await deleteAssignment(context, removed.id);
      const text = `${removed.collector} of ${removed.target} is no longer collected. Collected data stays.`;
      return succeeded(text, removed);
    });

/** Enables an assignment. `every`: minutes; undefined leaves the interval as it is. */
export const enableAssignmentCommand =
  (collector: string, target: string, every: number | undefined): PrintingCommand =>
  (config, log) =>
    withDatabase(config, log, async (context) => {
      const { id } = await assignmentOf(context, collector, target);
      const changed = await updateAssignment(context, id, { isEnabled: true, intervalMinutes: every });
      return succeeded(formatCollected(changed), changed);
    });

/** Disables an assignment. */
export const disableAssignmentCommand =
  (collector: string, target: string): PrintingCommand =>
  (config, log) =>
    withDatabase(config, log, async (context) => {
      const { id } = await assignmentOf(context, collector, target);
      const changed = await updateAssignment(context, id, { isEnabled: false });
      return succeeded(`${changed.collector} of ${changed.target} is disabled.`, changed);
    });
