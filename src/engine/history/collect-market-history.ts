import { parseTarget } from '../../collectors/targets.ts';
import { LOW_PRIORITY } from '../../esi/facts/priorities.ts';
import {
  addHistoryTypes,
  countHistoryRows,
  countHistoryTypes,
  readDueTypes,
  wereTypesListed,
} from '../../store/history/history-store.ts';
import { writePublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import { writeProgress } from '../../store/sets/run-progress.ts';
import { countRequests, readRunStart, type RunKey } from '../../store/sets/runs.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { fetchIds } from '../fetch-ids.ts';
import { closeProcedureRun, openProcedureRun } from '../run/procedure-run.ts';
import type { Step } from '../run/run-steps.ts';
import { fetchTypeHistories, historyDay, type HistoryRun, ROLLOVER } from './fetch-type-history.ts';

/** Milliseconds that one call works before it reports, so that the Web UI and the CLI show progress. */
const MAX_WORK = 45_000;

/** Types requested between two writes: four seconds at 300 a minute, twenty where five regions share that. */
const BATCH = 20;

/**
 * Collects the daily history of all types of a region: one request per type, about 19,000 for The Forge, within a hidden
 * limit of 300 a minute. It publishes batch by batch, resumes where it stopped, requests each type once a day, and ends
 * when the day rolls over; the next run begins with the types that waited longest. Returns `continue` until it is
 * complete.
 */
export async function collectMarketHistory(
  engine: EngineContext,
  key: RunKey,
  step: StepContext,
): Promise<Step> {
  const { pool } = engine.db;
  const regionId = parseTarget(key.target, 'region').id;
  const until = engine.clock.now() + MAX_WORK;
  const opened = await openProcedureRun(engine, key);
  if ('closed' in opened) return opened.closed;
  const { run } = opened;
  const started = await readRunStart(pool, run.runId);
  const today = historyDay(started.getTime());
  const history = { engine, run, regionId, today, step };
  const dayStart = new Date(Date.parse(today) + ROLLOVER);
  if (!(await wereTypesListed(pool, key.target, dayStart))) await listTypes(history);
  while (engine.clock.now() < until && historyDay(engine.clock.now()) === today) {
    step.signal?.throwIfAborted();
    const types = await readDueTypes(pool, regionId, today, BATCH);
    if (types.length === 0) break;
    await fetchTypeHistories(history, types);
  }
  return reportOrClose(history, started.getTime());
}

async function reportOrClose({ engine, run, regionId, today }: HistoryRun, started: number): Promise<Step> {
  const { done, due } = await countHistoryTypes(engine.db.pool, regionId, today);
  const now = engine.clock.now();
  if (due > 0 && historyDay(now) === today) {
    const minutes = done > 0 ? Math.ceil((((now - started) / done) * due) / 60_000) : undefined;
    const detail = minutes === undefined ? '' : `about ${minutes.toLocaleString('en')} minutes left`;
    return { state: 'continue', done, total: done + due, detail };
  }
  const error =
    due > 0
      ? `The day ended before ${due} of ${done + due} types were requested. The next run begins with them.`
      : undefined;
  const rows = await countHistoryRows(engine.db.pool, regionId);
  const published = { runId: run.runId, pages: 0, rows, version: today };
  await writePublishedSnapshot(engine.db.pool, run, published, new Date(now));
  return closeProcedureRun(engine, run, { outcome: 'published', rows: 0, error });
}

/** Adds the types that ESI lists for the region. Together with those of known orders they are the types to request. */
async function listTypes({ engine, run, regionId, step }: HistoryRun): Promise<void> {
  const { pool } = engine.db;
  const { ids, requests } = await fetchIds(engine, {
    route: '/markets/{region_id}/types',
    params: { region_id: regionId },
    ...step,
    priority: LOW_PRIORITY,
  });
  await addHistoryTypes(pool, regionId, ids);
  await countRequests(pool, run.runId, requests);
  await writeProgress(pool, run.runId, { done: 0, total: ids.length });
}
