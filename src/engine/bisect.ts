import { EsiError } from '../esi/errors.ts';

/** What ESI answers when one id of a batch is no good: the whole batch is refused. */
const BAD_BATCH = new Set([400, 404, 422]);

/**
 * Asks for many ids at once; where ESI refuses a batch for one bad id, for its halves, down to the bad id itself, which
 * is left out. A bad id in a thousand costs twenty requests, of which half are errors.
 */
export async function bisect<T>(
  ids: readonly number[],
  ask: (ids: readonly number[]) => Promise<readonly T[]>,
): Promise<T[]> {
  if (ids.length === 0) return [];
  try {
    return [...(await ask(ids))];
  } catch (error) {
    if (!(error instanceof EsiError) || error.status === undefined || !BAD_BATCH.has(error.status))
      throw error;
    if (ids.length === 1) return [];
  }
  const half = Math.ceil(ids.length / 2);
  return [...(await bisect(ids.slice(0, half), ask)), ...(await bisect(ids.slice(half), ask))];
}
