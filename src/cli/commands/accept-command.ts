import { AppError } from '../../lib/errors.ts';
import { acceptSuspect } from '../../store/sets/published-snapshots.ts';
import { type PrintingCommand, succeeded, withDatabase } from '../command.ts';

/** Confirms what a run refused, so that the next snapshot is believed. Throws AppError NOT_REFUSED. */
export const acceptCommand =
  (runId: number): PrintingCommand =>
  (config, log) =>
    withDatabase(config, log, async ({ db }) => {
      if (!(await acceptSuspect(db.pool, runId)))
        throw new AppError(
          `Run ${runId} is not the newest refused run of its target. "eve-collector status" shows what is refused.`,
          { code: 'NOT_REFUSED', verdict: 'fail' },
        );
      return succeeded('Accepted: the next snapshot is believed as it is.', { accepted: runId });
    });
