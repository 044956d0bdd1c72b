import { distance } from 'fastest-levenshtein';
import type { AnyCollector } from '../collectors/define.ts';
import { parseTarget } from '../collectors/targets.ts';
import { AppError } from '../lib/errors.ts';
import { readAssignedTargets } from '../store/owners/due-assignments.ts';
import { readImportedRegions, readStaticIds } from '../store/universe/static-rows.ts';
import type { EngineContext } from './engine-context.ts';
import { targetKinds } from './run/resources.ts';

/** Lists the configured targets of a collector: `region/10000002`, or one empty target where it takes none. */
export async function listTargets(
  engine: Pick<EngineContext, 'db' | 'settings'>,
  collector: AnyCollector,
): Promise<string[]> {
  if ('resources' in collector) {
    const assigned = await readAssignedTargets(engine.db.pool, collector.name);
    return assigned.filter(({ isEnabled }) => isEnabled).map(({ target }) => target);
  }
  if (collector.for !== 'region') return [''];
  const { marketRegions } = engine.settings;
  const ids = marketRegions === 'all' ? await readRegions(engine) : marketRegions;
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

/** Nearest regions that a message names: one mistyped digit has up to nine neighbours, and nobody reads them all. */
const MAX_SUGGESTIONS = 3;

/**
 * Throws AppError UNKNOWN_REGION, with the regions whose ids are nearest, where one is not part of the imported universe.
 * Before the import nobody but ESI knows, and nothing is thrown.
 */
export async function checkRegions(
  engine: Pick<EngineContext, 'db'>,
  ids: readonly number[] | 'all',
): Promise<void> {
  if (ids === 'all') return;
  const known = await readImportedRegions(engine.db.pool);
  const unknown = ids.find((id) => known.size > 0 && !known.has(id));
  if (unknown === undefined) return;
  const distanceOf = ([id]: readonly [number, string]) => distance(String(id), String(unknown));
  const nearest = [...known]
    .toSorted((a, b) => distanceOf(a) - distanceOf(b))
    .slice(0, MAX_SUGGESTIONS)
    .map(([id, name]) => `${id} (${name})`);
  throw new AppError(
    `Region ${unknown} does not exist. The nearest are ${nearest.join(', ')}. Correct MARKET_REGIONS or the target.`,
    { code: 'UNKNOWN_REGION', verdict: 'fail' },
  );
}

async function readRegions(engine: Pick<EngineContext, 'db'>): Promise<number[]> {
  const ids = await readStaticIds(engine.db.pool, 'regions');
  if (ids.length > 0) return ids;
  throw new AppError(
    'The universe is not imported yet. It is imported automatically; the run waits for it.',
    {
      code: 'NO_UNIVERSE',
      verdict: 'wait',
      retryAfter: 15_000,
    },
  );
}
