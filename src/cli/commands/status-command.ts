import { scheduleSettings } from '../../app/derived-settings.ts';
import { currentStatus } from '../../app/status.ts';
import type { AssignmentView } from '../../engine/owners/assignment-service.ts';
import { causeOfAssignment, causeOfLogin } from '../../engine/owners/causes.ts';
import type { TokenView } from '../../engine/owners/token-service.ts';
import type { HttpStatus } from '../../http/http-sources.ts';
import { formatAge } from '../../lib/format.ts';
import { detailsForPeople } from '../../store/target-status.ts';
import { type PrintingCommand, succeeded, withDatabase } from '../command.ts';
import { formatTable } from '../table.ts';

/** Shows what is collected, how fresh it is, and what is wrong. */
export const statusCommand: PrintingCommand = (config, log) =>
  withDatabase(config, log, async (context) => {
    const status = await currentStatus(context, scheduleSettings(config));
    return succeeded(formatStatus(status, new Date()), status);
  });

/** The status as `status` prints it. */
export function formatStatus(status: HttpStatus, now: Date): string {
  const details = detailsForPeople(status.targets, 'see Owners');
  const rows = status.targets.map((t, i) => [
    t.collector,
    t.target,
    t.state,
    t.rows,
    formatAge(t.readAt, now),
    details[i]!,
  ]);
  const sections = [formatTable(['collector', 'target', 'state', 'rows', 'updated', ''], rows)];
  if (status.paused !== null)
    sections.unshift(
      `Paused: no requests are sent to ESI (reason: ${status.paused}). Run "eve-collector resume" to continue.`,
    );
  const problems = formatOwnerProblems(status.tokens, status.assignments);
  if (problems.length > 0) sections.push(['Owners:', ...problems].join('\n'));
  if (status.gaps.length > 0)
    sections.push(
      `Gaps in wallet journals: ${status.gaps.length}. Run "eve-collector gaps" to see them and what to do.`,
    );
  const drifts = status.drifts.map((d) => `${d.route}: ${d.drift}${d.adopted ? ' (adopted)' : ''}`);
  if (drifts.length > 0)
    sections.push(["ESI's limits differ from those of this release:", ...drifts].join('\n'));
  return sections.join('\n\n');
}

/** Nobody reads more lines than these; the lists show all. */
const MAX_PROBLEMS = 20;

/** A line for each cause that keeps owners' data from being collected, with what it concerns. */
function formatOwnerProblems(
  tokens: readonly TokenView[],
  assignments: readonly AssignmentView[],
): readonly string[] {
  const subjects = new Map<string, string[]>();
  const add = (cause: string, subject: string) =>
    subjects.set(cause, [...(subjects.get(cause) ?? []), subject]);
  for (const token of tokens) if (!token.isActive) add(causeOfLogin(token), 'login');
  for (const assignment of assignments) {
    const cause = causeOfAssignment(assignment, tokens);
    const owner = assignment.owner || assignment.target;
    const { collector } = assignment;
    if (cause !== null) add(cause, cause.startsWith(`${owner}: `) ? collector : `${collector} of ${owner}`);
  }
  const lines = [...subjects].map(([cause, list]) => `${cause} (${list.join(', ')})`);
  const left = lines.length - MAX_PROBLEMS;
  if (left <= 0) return lines;
  return [...lines.slice(0, MAX_PROBLEMS), `… and ${left} more: run "tokens list" and "assign list".`];
}
