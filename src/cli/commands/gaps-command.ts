import { AppError } from '../../lib/errors.ts';
import { acceptGaps, readOpenGaps } from '../../store/sets/journal-gap-store.ts';
import { type PrintingCommand, succeeded, withDatabase } from '../command.ts';
import { formatTable } from '../table.ts';

const ADVICE =
  'Rows of these journals are missing. ESI lists 30 days: rows that it still lists come with the next run unless they are in ' +
  'rejected_rows, older ones are lost. "eve-collector gaps accept ID" acknowledges a gap.';

/** Lists the gaps of wallet journals that nobody has accepted. */
export const listGapsCommand: PrintingCommand = (config, log) =>
  withDatabase(config, log, async ({ db }) => {
    const gaps = await readOpenGaps(db.pool);
    if (gaps.length === 0) return succeeded('No wallet journal has a gap that is not accepted.', gaps);
    const rows = gaps.map((gap) => [
      String(gap.id),
      gap.target,
      gap.owner,
      gap.division === null ? '' : String(gap.division),
      gap.afterDate,
      gap.beforeDate,
      `${gap.missingAmount} ISK`,
    ]);
    const headings = ['id', 'target', 'name', 'division', 'after', 'before', 'missing'];
    return succeeded(`${formatTable(headings, rows)}\n\n${ADVICE}`, gaps);
  });

/** Accepts gaps, which are not told any more. Throws AppError UNKNOWN_GAP. */
export const acceptGapsCommand =
  (ids: readonly number[]): PrintingCommand =>
  (config, log) =>
    withDatabase(config, log, async ({ db, clock }) => {
      const accepted = await acceptGaps(db.pool, ids, new Date(clock.now()));
      const unknown = ids.filter((id) => !accepted.includes(id));
      if (unknown.length > 0)
        throw new AppError(`There is no gap ${unknown.join(', ')}. "eve-collector gaps" lists all gaps.`, {
          code: 'UNKNOWN_GAP',
          verdict: 'fail',
        });
      return succeeded(`Accepted: ${accepted.join(', ')}.`, { accepted });
    });
