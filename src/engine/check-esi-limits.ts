import { ZodError } from 'zod';
import { checkRoutes } from '../esi/compare-openapi.ts';
import { HOUR } from '../lib/duration.ts';
import { AppError } from '../lib/errors.ts';
import { readLimitsAge, writeLimits } from '../store/esi-limits.ts';
import type { EngineContext, StepContext } from './engine-context.ts';

/** Once a day, less two hours so that the hourly maintenance does not drift around the clock. */
const CHECK_EVERY = 22 * HOUR;

/**
 * Reads ESI's own description once a day and compares it with the shipped facts. A stricter limit is adopted, and any
 * difference is logged. Returns the number of differences; undefined when the check is not due.
 */
export async function checkEsiLimits(
  engine: EngineContext,
  step: StepContext,
): Promise<{ drifts: number } | undefined> {
  const checkedAt = await readLimitsAge(engine.db);
  const now = engine.clock.now();
  if (checkedAt && now - checkedAt.getTime() < CHECK_EVERY) return undefined;
  const query = { compatibility_date: engine.settings.compatibilityDate };
  const { json } = await engine.esi.get({ route: '/meta/openapi.json', query, ...step });
  try {
    const checks = checkRoutes(json);
    await writeLimits(engine.db, checks, new Date(now));
    const drifts = checks.filter(({ drift }) => drift !== undefined);
    for (const { route, drift, stricter } of drifts)
      engine.log.warn(
        { route, adopted: stricter },
        `ESI's description differs from the shipped facts: ${drift}`,
      );
    return { drifts: drifts.length };
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    throw new AppError("Could not read ESI's description. The shipped limits stay in force.", {
      code: 'ESI_BAD_SHAPE',
      verdict: 'fail',
      cause: error,
    });
  }
}
