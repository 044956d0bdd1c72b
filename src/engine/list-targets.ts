import type { AnyCollector } from '../collectors/define.ts';
import { AppError } from '../lib/errors.ts';
import { parseTarget } from '../collectors/targets.ts';
import { readEnabledAssignments } from '../store/owners/due-assignments.ts';
import type { EngineContext } from './engine-context.ts';
import { targetKinds } from './run/resources.ts';

/** The targets of a collector as configured now: `region/10000002`, or one empty target where it takes none. */
export async function listTargets(
  engine: Pick<EngineContext, 'db' | 'settings'>,
  collector: AnyCollector,
): Promise<string[]> {
  if ('resources' in collector) {
    const assigned = await readEnabledAssignments(engine.db.pool, collector.name);
    return assigned.map(({ target }) => target);
  }
  if (collector.for !== 'region') return [''];
  const { marketRegions } = engine.settings;
  const ids = marketRegions === 'all' ? await allRegions(engine) : marketRegions;
  return ids.map((id) => `region/${id}`);
}

/** Throws AppError BAD_TARGET when the collector takes no such target. */
export function checkTarget(collector: AnyCollector, target: string): void {
  const kinds = targetKinds(collector);
  const kind = kinds.find((one) => target.startsWith(`${one}/`)) ?? kinds[0];
  if (kind !== undefined) parseTarget(target, kind);
  else if (target !== '') {
    throw new AppError(`${collector.name} takes no target.`, { code: 'BAD_TARGET', verdict: 'fail' });
  }
}

async function allRegions(engine: Pick<EngineContext, 'db'>): Promise<number[]> {
  const { rows } = await engine.db.pool.query<{ region_id: number }>(
    `SELECT region_id FROM regions ORDER BY 1`,
  );
  if (rows.length > 0) return rows.map((row) => row.region_id);
  throw new AppError(
    'The regions are not known yet: the universe has to be imported first. That begins by itself.',
    {
      code: 'NO_UNIVERSE',
      verdict: 'wait',
      retryAfter: 15_000,
    },
  );
}
