import type { EsiRequest } from '../esi/esi-request.ts';
import { AppError } from '../lib/errors.ts';
import type { EngineContext } from './engine-context.ts';

/** The ids in an answer. Throws AppError ESI_BAD_SHAPE (`retry`) when it is not a list. */
export function parseIds(route: string, json: unknown): number[] {
  if (Array.isArray(json)) return json.filter((id): id is number => Number.isSafeInteger(id));
  throw new AppError(`ESI answered ${route} with data that is not a list.`, {
    code: 'ESI_BAD_SHAPE',
    verdict: 'retry',
  });
}

/** Fetches all pages of a route that lists ids. Throws what the client throws, and AppError ESI_BAD_SHAPE. */
export async function fetchIds(
  engine: EngineContext,
  request: EsiRequest,
): Promise<{ ids: number[]; requests: number }> {
  const ids: number[] = [];
  let requests = 0;
  for (let page = 1, pages = 1; page <= pages; page++) {
    const answer = await engine.esi.get({
      ...request,
      shared: true,
      ...(page === 1 ? {} : { query: { page: String(page) } }),
    });
    requests += answer.requests;
    pages = answer.pages ?? 1;
    ids.push(...parseIds(request.route, answer.json));
  }
  return { ids, requests };
}
