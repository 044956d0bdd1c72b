import { describeError } from '../lib/errors.ts';
import { redactSecrets } from '../lib/redact.ts';

/** The result of one check of /health. `detail` is for people. */
export interface Check {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly detail: string;
}

export interface Health {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly checks: Readonly<Record<'database' | 'temporal' | 'esi' | 'progress', Check>>;
}

/** A probe that takes longer (ms) counts as failed. */
const PROBE_TIMEOUT = 3_000;

async function runProbe(probe: () => Promise<Check>): Promise<Check> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Check>((resolve) => {
    timer = setTimeout(() => resolve({ status: 'down', detail: 'no response within 3 s' }), PROBE_TIMEOUT);
  });
  try {
    const { status, detail } = await Promise.race([probe(), timeout]);
    return { status, detail: redactSecrets(detail) }; // it may quote an error, and /health is public
  } catch (error) {
    return { status: 'down', detail: describeError(error).slice(0, 200) };
  } finally {
    clearTimeout(timer);
  }
}

export type HealthProbes = Readonly<Record<keyof Health['checks'], () => Promise<Check>>>;

/**
 * Runs all checks at once. The product is down without its database or Temporal. While ESI is unreachable or runs fail it is
 * degraded: it keeps running and recovers by itself.
 */
export async function checkHealth(probes: HealthProbes): Promise<Health> {
  const [database, temporal, esi, progress] = await Promise.all([
    runProbe(probes.database),
    runProbe(probes.temporal),
    runProbe(probes.esi),
    runProbe(probes.progress),
  ]);
  const checks = { database, temporal, esi, progress };
  const down = database.status === 'down' || temporal.status === 'down';
  const allOk = Object.values(checks).every((check) => check.status === 'ok');
  return { status: down ? 'down' : allOk ? 'ok' : 'degraded', checks };
}
