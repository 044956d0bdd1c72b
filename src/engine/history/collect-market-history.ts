import { AppError } from '../../lib/errors.ts';
import { LOW_PRIORITY } from '../../esi/facts/priorities.ts';
import { parseTarget } from '../../collectors/targets.ts';
import {
  addHistoryTypes,
  addToRun,
  countHistoryTypes,
  readDueTypes,
  wereTypesListed,
} from '../../store/history/market-history.ts';
import { writePublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import {
  closeAbandoned,
  closeRun,
  openRun,
  readRunResult,
  readRunStart,
  type RunKey,
} from '../../store/sets/runs.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import type { RunRef, Step } from '../run/run-steps.ts';
import { fetchTypeHistories, historyDay, ROLLS_AT } from './fetch-type-history.ts';

/** A call works this long and then reports: the Web UI and the CLI see progress, and a kill costs one batch. */
const WORK = 45_000;

/** Types asked between two writes: four seconds at 300 a minute, twenty where five regions share that. */
const BATCH = 20;

/**
 * Daily history of all types of a region: one request each, some 19,000 for The Forge, within a hidden limit of 300 a
 * minute. Publishes as it goes, resumes where it stopped, asks for nothing twice in a day, and ends when the day rolls
 * over: the next run begins with those that waited longest. Call it again while it answers `more`.
 */
export async function collectMarketHistory(
  engine: EngineContext,
  key: RunKey,
  context: StepContext,
): Promise<Step> {
  const regionId = parseTarget(key.target, 'region').id;
  const now = engine.clock.now();
  const runId = await openRun(engine.db.pool, key, new Date(now));
  const run = { collector: key.collector, target: key.target, runId };
  const earlier = await readRunResult(engine.db.pool, runId);
  if (earlier) return { state: 'done', summary: { ...earlier, runId } };
  await closeAbandoned(engine.db.pool, key, runId, new Date(now));
  const started = await readRunStart(engine.db.pool, runId);
  const today = historyDay(started.getTime());
  const rolled = new Date(Date.parse(today) + ROLLS_AT);
  if (!(await wereTypesListed(engine.db.pool, key.target, rolled)))
    await listTypes(engine, run, regionId, context);
  const until = now + WORK;
  while (engine.clock.now() < until && historyDay(engine.clock.now()) === today) {
    context.signal?.throwIfAborted();
    const types = await readDueTypes(engine.db.pool, regionId, today, BATCH);
    if (types.length === 0) break;
    await fetchTypeHistories(engine, run, regionId, today, types, context);
  }
  return report(engine, run, regionId, today, started.getTime());
}

async function report(
  engine: EngineContext,
  run: RunRef,
  regionId: number,
  today: string,
  started: number,
): Promise<Step> {
  const { done, due } = await countHistoryTypes(engine.db.pool, regionId, today);
  const now = engine.clock.now();
  if (due > 0 && historyDay(now) === today) {
    const minutes = done > 0 ? Math.ceil((((now - started) / done) * due) / 60_000) : undefined;
    const detail = minutes === undefined ? '' : `about ${minutes} minutes left`;
    return { state: 'continue', done, total: done + due, detail };
  }
  const error =
    due > 0
      ? `The day ended with ${due} of ${done + due} types not asked; the next run begins with them.`
      : undefined;
  const outcome = 'published' as const;
  const set = {
    runId: run.runId,
    lastModified: undefined,
    expires: undefined,
    pages: 0,
    rows: done,
    version: today,
  };
  await writePublishedSnapshot(engine.db.pool, run, set, new Date(now));
  await closeRun(engine.db.pool, run.runId, { outcome, error }, new Date(now));
  engine.metrics.runFinished(run.collector, outcome, 0, now);
  const result = await readRunResult(engine.db.pool, run.runId);
  return { state: 'done', summary: { outcome, ...result, runId: run.runId } };
}

/** The types that ESI lists for the region; together with those of orders seen they are the ones to ask for. */
async function listTypes(
  engine: EngineContext,
  run: RunRef,
  regionId: number,
  context: StepContext,
): Promise<void> {
  const route = '/markets/{region_id}/types';
  const listed: number[] = [];
  let requests = 0;
  for (let page = 1, pages = 1; page <= pages; page++) {
    const query: Record<string, string> = page > 1 ? { page: String(page) } : {};
    const answer = await engine.esi.get({
      route,
      params: { region_id: regionId },
      query,
      ...context,
      priority: LOW_PRIORITY,
    });
    requests += answer.requests;
    pages = answer.pages ?? 1;
    if (!Array.isArray(answer.json))
      throw new AppError(`ESI answered ${route} with something that is no list.`, {
        code: 'ESI_BAD_SHAPE',
        verdict: 'retry',
      });
    for (const id of answer.json) if (Number.isSafeInteger(id)) listed.push(id as number);
  }
  await addHistoryTypes(engine.db.pool, regionId, listed);
  await addToRun(
    engine.db.pool,
    run.runId,
    { read: 0, inserted: 0, changed: 0, rejected: 0, requests },
    { done: 0, total: listed.length },
  );
}
