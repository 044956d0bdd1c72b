import type { EsiAuth } from '../../esi/esi-request.ts';
import { factOf } from '../../esi/facts/routes.ts';
import { readOldest } from '../../store/sets/oldest-row.ts';
import { hasLeftRowsOut, recordPageFailure } from '../../store/sets/runs.ts';
import { readPageRecords, stagePages } from '../../store/sets/stage.ts';
import { withAccess } from '../owners/with-access.ts';
import { leaveOut, pageRequests, readPage } from './read-pages.ts';
import type { RunContext } from './run-context.ts';

/** 2,500 rows a page: half a million trades in ESI's thirty days are more than anybody makes. */
const MAX_PAGES = 200;

/**
 * Reads a list backwards by id, newest first, until a row comes that the table holds, or none that is older. Where the
 * published list ended at a page that failed, or had rows that were rejected, rows older than known ones are missing, and all
 * are read. Pages are staged one by one, so that a repeated step continues. Returns the number of pages read.
 */
export async function readBackwards(context: RunContext): Promise<number> {
  const { engine, run, resource, spec, step, previous } = context;
  const isToEnd = previous !== undefined && (await hasLeftRowsOut(engine.db.pool, previous.runId));
  return withAccess(engine, spec.parsedTarget, resource.route, step, async (auth) => {
    await recordPageFailure(engine.db.pool, run.runId, undefined);
    const records = await readPageRecords(engine.db.pool, run.runId);
    // Nothing has changed since the last run, or an earlier attempt of this step came to the end.
    if (records.some(({ notModified, rows }) => notModified || rows === 0)) return 0;
    for (let page = records.length + 1; page <= MAX_PAGES; page++) {
      if (!(await readNext(context, auth, page, isToEnd))) return page - records.length;
    }
    engine.log.warn({ ...run }, `the list has more than ${MAX_PAGES} pages; the others are left out`);
    return MAX_PAGES - records.length;
  });
}

/** Reads one page further back. Returns whether there may be more. */
async function readNext(
  context: RunContext,
  auth: EsiAuth | undefined,
  page: number,
  isToEnd: boolean,
): Promise<boolean> {
  const { engine, run, resource, spec, step } = context;
  const field = factOf(resource.route).fromId!;
  const oldest = page === 1 ? undefined : await readOldest(engine.db.pool, spec, run.runId, field);
  if ((oldest?.known && !isToEnd) || (page > 1 && !oldest)) return false;
  const [first] = await pageRequests(context, auth, [1]);
  const { etag, ...plain } = first!.request;
  const request = oldest
    ? { ...plain, query: { ...plain.query, from_id: String(oldest.id) } }
    : { ...plain, etag };
  step.heartbeat?.({ page });
  const after = oldest && { field, ...oldest };
  const staged = await readPage(context, page, request, after).catch(async (error: unknown) => {
    if (await leaveOut(context, page, error)) return undefined;
    throw error;
  });
  if (!staged) return false;
  await stagePages(engine.db, spec, run.runId, [{ ...staged, pages: page }], new Date(engine.clock.now()));
  return !staged.notModified && staged.rows > 0;
}
