import type { AnyResource } from '../../collectors/define.ts';
import { factOf } from '../../esi/facts/routes.ts';
import { readOldest } from '../../store/sets/oldest-row.ts';
import { readPageRecords, stagePages } from '../../store/sets/stage.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { prepare, readPage, type Reading, withReading } from './read-pages.ts';
import type { RunRef } from './run-steps.ts';

/** 2,500 rows a page: half a million trades in ESI's thirty days are more than anybody makes. */
const MOST_PAGES = 200;

/**
 * Reads a list that goes backwards by id, newest first, until a row comes that the table holds, or none that is older.
 * Pages are staged one by one, so that a repeated step goes on where the last one was. Gives how many it went through.
 */
export async function readBackwards(
  engine: EngineContext,
  set: AnyResource,
  run: RunRef,
  context: StepContext,
): Promise<number> {
  return withReading(engine, set, run, context, async (reading) => {
    const records = await readPageRecords(engine.db.pool, run.runId);
    // Nothing has changed since, or an earlier try of this step came to the end.
    if (records.some(({ notModified, rows }) => notModified || rows === 0)) return 0;
    for (let page = records.length + 1; page <= MOST_PAGES; page++) {
      if (!(await readNext(reading, page))) return page - records.length;
    }
    engine.log.warn({ ...run }, `the list is longer than ${MOST_PAGES} pages; the rest is left out`);
    return MOST_PAGES - records.length;
  });
}

/** Reads one page further back. False when there is nothing more to be had. */
async function readNext(reading: Reading, page: number): Promise<boolean> {
  const { engine, set, spec, run, context } = reading;
  const field = factOf(set.route).fromId!;
  const oldest = page === 1 ? undefined : await readOldest(engine.db.pool, spec, run.runId, field);
  if (oldest?.known || (page > 1 && !oldest)) return false;
  const [prepared] = await prepare(reading, [1]);
  const { etag: _, ...plain } = prepared!.request;
  const request = oldest
    ? { ...plain, query: { ...plain.query, from_id: String(oldest.id) } }
    : prepared!.request;
  context.heartbeat?.({ page });
  const staged = await readPage(reading, page, request, (row) => !oldest || Number(row[field]) < oldest.id);
  if (!staged) return false;
  await stagePages(engine.db, spec, run.runId, [{ ...staged, pages: page }], new Date(engine.clock.now()));
  return !staged.notModified && staged.rows > 0;
}
