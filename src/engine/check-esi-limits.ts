import { ZodError } from 'zod';
import { checkRoutes } from '../esi/compare-openapi.ts';
import { AppError } from '../lib/errors.ts';
import { readLimitsAge, writeLimits } from '../store/limits/esi-limits.ts';
import type { EngineContext, StepContext } from './engine-context.ts';

/** Once a day; two hours less, so that an hourly housekeeper does not drift around the clock. */
const EVERY = 22 * 3_600_000;

/**
 * Reads ESI's own description once a day and compares it with the facts we shipped with: a stricter limit is adopted, any
 * difference is told. Returns the number of differences; undefined when it is not due.
 */
export async function checkEsiLimits(
  engine: EngineContext,
  context: StepContext,
): Promise<{ drifts: number } | undefined> {
  const last = await readLimitsAge(engine.db);
  const now = engine.clock.now();
  if (last && now - last.getTime() < EVERY) return undefined;
  const query = { compatibility_date: engine.settings.compatibilityDate };
  const { json } = await engine.esi.get({ route: '/meta/openapi.json', query, ...context });
  try {
    const checks = checkRoutes(json);
    await writeLimits(engine.db, checks, new Date(now));
    const drifts = checks.filter((check) => check.drift !== undefined);
    for (const { route, drift, stricter } of drifts) {
      engine.log.warn({ route, adopted: stricter }, `ESI's description differs from what we know: ${drift}`);
    }
    return { drifts: drifts.length };
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    throw new AppError("ESI's description could not be read; the shipped limits stay in force.", {
      code: 'ESI_BAD_SHAPE',
      verdict: 'fail',
      cause: error,
    });
  }
}
