import { describeError } from '../lib/errors.ts';
import { redactSecrets } from '../lib/redact.ts';

/** One check of /health: `detail` is for people. */
export interface Check {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly detail: string;
}

export interface Health {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly checks: Readonly<Record<'database' | 'temporal' | 'esi' | 'progress', Check>>;
}

/** A probe that hangs says as much as one that fails. */
const LONGEST_PROBE = 3_000;

async function probe(ask: () => Promise<Check>): Promise<Check> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Check>((resolve) => {
    timer = setTimeout(
      () => resolve({ status: 'down', detail: 'does not answer within 3 s' }),
      LONGEST_PROBE,
    );
  });
  try {
    const { status, detail } = await Promise.race([ask(), late]);
    return { status, detail: redactSecrets(detail) }; // it may repeat an error, and whoever asks reads it
  } catch (error) {
    return { status: 'down', detail: describeError(error).slice(0, 200) };
  } finally {
    clearTimeout(timer);
  }
}

export type HealthProbes = Readonly<Record<keyof Health['checks'], () => Promise<Check>>>;

/**
 * All checks at once. The product is down without its database or Temporal; with ESI away or runs failing it is
 * degraded: it stays up and goes on by itself.
 */
export async function checkHealth(probes: HealthProbes): Promise<Health> {
  const [database, temporal, esi, progress] = await Promise.all([
    probe(probes.database),
    probe(probes.temporal),
    probe(probes.esi),
    probe(probes.progress),
  ]);
  const checks = { database, temporal, esi, progress };
  const down = database.status === 'down' || temporal.status === 'down';
  const fine = Object.values(checks).every((check) => check.status === 'ok');
  return { status: down ? 'down' : fine ? 'ok' : 'degraded', checks };
}
