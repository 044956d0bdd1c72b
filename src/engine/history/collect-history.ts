import { z } from 'zod';
import { EsiError } from '../../esi/errors.ts';
import { AppError } from '../../kernel/errors.ts';
import { LOW_PRIORITY } from '../../spec/priorities.ts';
import { parseTarget } from '../../spec/targets.ts';
import {
  addHistoryTypes,
  addToRun,
  countHistoryTypes,
  countRejectedTypes,
  type HistoryAnswer,
  type HistoryDay,
  readDueTypes,
  storeHistory,
  wereTypesListed,
} from '../../store/history.ts';
import {
  closeAbandoned,
  closeRun,
  openRun,
  readRunResult,
  readRunStart,
  type RunKey,
  writePublishedSet,
} from '../../store/runs.ts';
import { keepRejected, type RejectedRow } from '../../store/stage.ts';
import type { Ports, StepContext } from '../ports.ts';
import type { RunRef, Step } from '../steps.ts';

/** A call works this long and then reports: the Web UI and the CLI see progress, and a kill costs one batch. */
const WORK = 45_000;

/** Types asked between two writes: four seconds at 300 a minute, twenty where five regions share that. */
const BATCH = 20;

/** History rolls over at 11:05 UTC with the static routes. */
const ROLLS_AT = (11 * 60 + 5) * 60_000;

/** The day of the history clock: `2026-11-24` until 11:05 UTC of the 25th. */
export const historyDay = (now: number) => new Date(now - ROLLS_AT).toISOString().slice(0, 10);

/** Prices above are no prices; see market-orders. Volumes of a day reach 3e10. */
const price = z.number().nonnegative().max(1e14);
const day = z.object({
  date: z.iso.date().refine((d) => d > '2003' && d < '2100', 'no day of EVE'), // it began in May 2003
  average: price,
  highest: price,
  lowest: price,
  order_count: z.int().nonnegative(),
  volume: z.int().nonnegative(),
});

/**
 * Daily history of all types of a region: one request each, some 19,000 for The Forge, within a hidden limit of 300 a
 * minute. Publishes as it goes, resumes where it stopped, asks for nothing twice in a day, and ends when the day rolls
 * over: the next run begins with those that waited longest. Call it again while it answers `more`.
 */
export async function collectHistory(ports: Ports, key: RunKey, context: StepContext): Promise<Step> {
  const regionId = parseTarget(key.target, 'region').id;
  const now = ports.clock.now();
  const runId = await openRun(ports.db.pool, key, new Date(now));
  const run = { collector: key.collector, target: key.target, runId };
  const earlier = await readRunResult(ports.db.pool, runId);
  if (earlier) return { state: 'done', summary: { ...earlier, runId } };
  await closeAbandoned(ports.db.pool, key, runId, new Date(now));
  const started = await readRunStart(ports.db.pool, runId);
  const today = historyDay(started.getTime());
  const rolled = new Date(Date.parse(today) + ROLLS_AT);
  if (!(await wereTypesListed(ports.db.pool, key.target, rolled)))
    await listTypes(ports, run, regionId, context);
  const until = now + WORK;
  while (ports.clock.now() < until && historyDay(ports.clock.now()) === today) {
    context.signal?.throwIfAborted();
    const types = await readDueTypes(ports.db.pool, regionId, today, BATCH);
    if (types.length === 0) break;
    await askTypes(ports, run, regionId, today, types, context);
  }
  return report(ports, run, regionId, today, started.getTime());
}

async function report(
  ports: Ports,
  run: RunRef,
  regionId: number,
  today: string,
  started: number,
): Promise<Step> {
  const { done, due } = await countHistoryTypes(ports.db.pool, regionId, today);
  const now = ports.clock.now();
  if (due > 0 && historyDay(now) === today) {
    const minutes = done > 0 ? Math.ceil((((now - started) / done) * due) / 60_000) : undefined;
    const detail = minutes === undefined ? '' : `about ${minutes} minutes left`;
    return { state: 'more', runId: run.runId, done, total: done + due, detail };
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
  await writePublishedSet(ports.db.pool, run.collector, run.target, set, new Date(now));
  await closeRun(ports.db.pool, run.runId, { outcome, error }, new Date(now));
  ports.metrics.runFinished(run.collector, outcome, 0, now);
  const result = await readRunResult(ports.db.pool, run.runId);
  return { state: 'done', summary: { outcome, ...result, runId: run.runId } };
}

/** The types that ESI lists for the region; together with those of orders seen they are the ones to ask for. */
async function listTypes(ports: Ports, run: RunRef, regionId: number, context: StepContext): Promise<void> {
  const route = '/markets/{region_id}/types';
  const listed: number[] = [];
  let requests = 0;
  for (let page = 1, pages = 1; page <= pages; page++) {
    const query: Record<string, string> = page > 1 ? { page: String(page) } : {};
    const answer = await ports.esi.get({
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
  await addHistoryTypes(ports.db.pool, regionId, listed);
  await addToRun(
    ports.db.pool,
    run.runId,
    { read: 0, inserted: 0, changed: 0, rejected: 0, requests },
    { done: 0, total: listed.length },
  );
}

/** What became of a batch. */
interface Batch {
  readonly answers: HistoryAnswer[];
  /** Of the next day, which began while the batch was under way. */
  readonly early: HistoryAnswer[];
  readonly rejected: RejectedRow[];
  readonly failures: { readonly typeId: number; readonly error: unknown }[];
  requests: number;
}

/** Asks for a batch and stores what came, also when some failed: nothing that was had is asked for again. */
async function askTypes(
  ports: Ports,
  run: RunRef,
  regionId: number,
  today: string,
  types: readonly number[],
  context: StepContext,
): Promise<void> {
  const batch: Batch = { answers: [], early: [], rejected: [], failures: [], requests: 0 };
  await Promise.all(types.map((typeId) => askType(ports, regionId, today, typeId, batch, context)));
  const { answers, early, rejected, failures, requests } = batch;
  await doubtRejections(ports, regionId, answers);
  // Where others were answered, a type that ESI cannot answer is at fault itself: it waits for tomorrow, and its days
  // come then. Or it would be asked with every batch, and in the end fail the run.
  if (answers.length > 0)
    answers.push(...failures.filter(isItsOwn).map(({ typeId }) => ({ typeId, days: [] })));
  const counts = await storeHistory(ports.db, regionId, today, answers);
  if (early.length > 0) {
    const more = await storeHistory(ports.db, regionId, historyDay(ports.clock.now()), early);
    for (const name of ['read', 'inserted', 'changed'] as const) counts[name] += more[name];
  }
  await keepRejected(ports.db.pool, run, run.runId, rejected, new Date(ports.clock.now()));
  const { done, due } = await countHistoryTypes(ports.db.pool, regionId, today);
  await addToRun(
    ports.db.pool,
    run.runId,
    { ...counts, rejected: rejected.length, requests },
    { done, total: done + due },
  );
  context.alive?.({ done, total: done + due });
  // A wait, or a batch of nothing but failures, is for the caller.
  const wait = failures.find(({ error }) => !(error instanceof EsiError) || error.verdict === 'wait');
  if (wait) throw wait.error;
  if (answers.length + early.length === 0 && failures[0]) throw failures[0].error;
}

/** So many types in a row are not all untradable by chance. */
const REJECTED_TOGETHER = 3;

/** When every type of a batch is rejected that never was before, the route is at fault and not the types. */
async function doubtRejections(
  ports: Ports,
  regionId: number,
  answers: readonly HistoryAnswer[],
): Promise<void> {
  if (answers.length < REJECTED_TOGETHER || answers.some((answer) => answer.days !== undefined)) return;
  const known = await countRejectedTypes(
    ports.db.pool,
    regionId,
    answers.map((answer) => answer.typeId),
  );
  if (known > 0) return;
  throw new AppError(
    `ESI rejects every type of region ${regionId}: that is not believed. The route may have changed, or the region has no market.`,
    { code: 'ESI_REJECTS_ALL', verdict: 'fail' },
  );
}

/** An answer of the server's trouble with just this request. */
function isItsOwn({ error }: Batch['failures'][number]): boolean {
  return error instanceof EsiError && error.verdict === 'retry' && error.status !== undefined;
}

async function askType(
  ports: Ports,
  regionId: number,
  today: string,
  typeId: number,
  batch: Batch,
  context: StepContext,
): Promise<void> {
  try {
    const answer = await ports.esi.get({
      route: '/markets/{region_id}/history',
      params: { region_id: regionId },
      query: { type_id: String(typeId) },
      ...context,
      priority: LOW_PRIORITY,
    });
    batch.requests += answer.requests;
    const isEarly = answer.lastModified && historyDay(answer.lastModified.getTime()) > today;
    const days = readDays(answer.json, typeId, batch.rejected);
    (isEarly ? batch.early : batch.answers).push({ typeId, days });
  } catch (error) {
    if (error instanceof EsiError) batch.requests += error.requests;
    // 400 and 404: not tradable, or a region without a market. It is remembered, and asked ever more rarely.
    const isRejected = error instanceof EsiError && (error.status === 400 || error.status === 404);
    if (isRejected) batch.answers.push({ typeId, days: undefined });
    else batch.failures.push({ typeId, error });
  }
}

function readDays(json: unknown, typeId: number, rejected: RejectedRow[]): HistoryDay[] {
  if (!Array.isArray(json)) {
    rejected.push({ row: json, reason: `type ${typeId}: the answer is no list`, key: undefined });
    return [];
  }
  const days = new Map<string, HistoryDay>();
  for (const row of json as unknown[]) {
    const parsed = day.safeParse(row);
    if (parsed.success) days.set(parsed.data.date, parsed.data);
    else
      rejected.push({
        row,
        reason:
          `type ${typeId}: ${parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join(', ')}`.slice(
            0,
            500,
          ),
        key: undefined,
      });
  }
  return [...days.values()];
}
