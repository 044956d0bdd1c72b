import { EsiError } from '../esi/esi-error.ts';

/** What ESI answers when one id of a batch is no good: the whole batch is refused. */
const BAD_BATCH = new Set([400, 404, 422]);

/**
 * Asks for many ids at once; where ESI refuses a batch for one bad id, for its halves, down to the bad id itself, which
 * is left out. A bad id in a thousand costs twenty requests, of which half are errors; when `goOn` says after one of
 * these that it is enough, all ids of that batch are left out.
 */
export async function splitOnBadRequest<T>(
  ids: readonly number[],
  ask: (ids: readonly number[]) => Promise<readonly T[]>,
  goOn: () => boolean = () => true,
): Promise<T[]> {
  if (ids.length === 0) return [];
  try {
    return [...(await ask(ids))];
  } catch (error) {
    if (!(error instanceof EsiError) || error.status === undefined || !BAD_BATCH.has(error.status))
      throw error;
    if (!goOn() || ids.length === 1) return [];
  }
  const half = Math.ceil(ids.length / 2);
  return [
    ...(await splitOnBadRequest(ids.slice(0, half), ask, goOn)),
    ...(await splitOnBadRequest(ids.slice(half), ask, goOn)),
  ];
}
