import type { ExactInt } from '../lib/exact-int.ts';
import { EsiError } from '../esi/esi-error.ts';

/** Statuses with which ESI rejects a whole batch because of one bad id. */
const BAD_BATCH = new Set([400, 404, 422]);

/**
 * Requests many ids at once. Where ESI rejects a batch because of one bad id, its halves are requested, down to the bad
 * id itself, which is left out. One bad id in a thousand costs twenty requests, of which half are errors. When `goOn`
 * returns false after a rejection, all ids of that batch are left out.
 */
export async function splitOnBadRequest<T, I extends ExactInt = number>(
  ids: readonly I[],
  request: (ids: readonly I[]) => Promise<readonly T[]>,
  goOn: () => boolean = () => true,
): Promise<T[]> {
  if (ids.length === 0) return [];
  try {
    return [...(await request(ids))];
  } catch (error) {
    if (!(error instanceof EsiError) || error.status === undefined || !BAD_BATCH.has(error.status))
      throw error;
    if (!goOn() || ids.length === 1) return [];
  }
  const half = Math.ceil(ids.length / 2);
  const first = await splitOnBadRequest(ids.slice(0, half), request, goOn);
  return [...first, ...(await splitOnBadRequest(ids.slice(half), request, goOn))];
}
