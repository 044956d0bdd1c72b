import { readPublishedSet, writePublishedSet } from '../../store/published-sets.ts';
import {
  closeAbandoned,
  closeRun,
  countRequests,
  noteAge,
  readAge,
  openRun,
  readRunResult,
  type RunKey,
} from '../../store/runs.ts';
import { readPlaceholders } from '../../store/static.ts';
import { adoptUnits, dropOldUnits, dropUnits, hasUnits, mergeUnits } from '../../store/units.ts';
import type { Ports, StepContext } from '../ports.ts';
import type { RunRef, Step } from '../steps.ts';
import { importFromEsi, listUnits } from './import-esi.ts';
import { importSde } from './import-sde.ts';
import { type Asked, resolveIds } from './resolve.ts';

/** Placeholders asked of ESI after an import: what live data named and the export lacks. A minute at the ceiling. */
const COMPLETED_PER_RUN = 300;

/**
 * The universe collector: from the SDE when its build is new, or wholly from ESI; then what is still a placeholder is
 * asked of ESI. Call it again while it answers `more`. Safe to repeat and to kill: tables change in one transaction.
 */
export async function collectUniverse(ports: Ports, key: RunKey, context: StepContext): Promise<Step> {
  const now = new Date(ports.clock.now());
  const runId = await openRun(ports.db.pool, key, now);
  const run = { collector: key.collector, target: key.target, runId };
  const earlier = await readRunResult(ports.db.pool, runId);
  if (earlier) return { state: 'done', summary: { ...earlier, runId } };
  await closeAbandoned(ports.db.pool, key, runId, now);
  const fromSde = ports.settings.universeSource === 'sde';
  if (fromSde) await dropOldUnits(ports.db.pool, runId);
  else if (!(await hasUnits(ports.db.pool, runId))) await adoptUnits(ports.db, runId);
  const done = fromSde ? await fromExport(ports, run, context) : await fromEsi(ports, run, context);
  if ('state' in done) return done;
  const completed = await complete(ports, run, context);
  const touched = done.inserted + done.changed + completed > 0;
  const result = { outcome: touched ? ('published' as const) : ('unchanged' as const), ...done, removed: 0 };
  await closeRun(ports.db.pool, runId, result, new Date(ports.clock.now()));
  ports.metrics.runFinished(key.collector, result.outcome, done.inserted + done.changed, ports.clock.now());
  return { state: 'done', summary: { ...result, runId } };
}

interface Counts {
  readonly inserted: number;
  readonly changed: number;
}

const UNCHANGED: Counts = { inserted: 0, changed: 0 };

async function fromExport(ports: Ports, run: RunRef, context: StepContext): Promise<Counts> {
  const { build } = await ports.sde.latest(context.signal);
  const version = `sde ${build}`;
  const previous = await readPublishedSet(ports.db.pool, run);
  if (previous?.version === version) return UNCHANGED;
  const file = await ports.sde.download(build, context.signal, context.alive);
  return ports.db.transaction(async (client) => {
    const counts = await importSde(ports, client, run, file, context);
    await client.query(
      `UPDATE collection_runs SET rows_read = $2, rows_rejected = $3, pages = 1 WHERE run_id = $1`,
      [run.runId, counts.read, counts.rejected],
    );
    const set = {
      runId: run.runId,
      lastModified: undefined,
      expires: undefined,
      pages: 1,
      rows: counts.read,
      version,
    };
    await writePublishedSet(client, run, set, new Date(ports.clock.now()));
    return counts;
  });
}

async function fromEsi(ports: Ports, run: RunRef, context: StepContext): Promise<Counts | Step> {
  const { pool } = ports.db;
  if (!(await hasUnits(pool, run.runId))) {
    const previous = await readPublishedSet(pool, run);
    const isOurs = previous?.version?.startsWith('esi ') ?? false;
    if (isOurs && (previous?.expires?.getTime() ?? 0) > ports.clock.now()) return UNCHANGED;
    // Static routes share one Last-Modified a day: one small request tells whether anything can have changed.
    const first = await ports.esi.get({ route: '/universe/categories', ...context });
    await countRequests(pool, run.runId, first.requests);
    if (first.lastModified && previous?.version === versionOf(first.lastModified)) return UNCHANGED;
    await noteAge(pool, run.runId, first);
    await listUnits(ports, run, first.json, context);
  }
  const { done, total } = await importFromEsi(ports, run, context);
  if (done < total) return { state: 'more', runId: run.runId, done, total };
  const counts = await ports.db.transaction(async (client) => {
    const merged = await mergeUnits(client, run.runId);
    await client.query(`UPDATE collection_runs SET rows_read = $2 WHERE run_id = $1`, [run.runId, total]);
    const { lastModified, expires } = await readAge(client, run.runId);
    const version = lastModified && versionOf(lastModified);
    const set = { runId: run.runId, lastModified, expires, pages: 1, rows: total, version };
    await writePublishedSet(client, run, set, new Date(ports.clock.now()));
    return merged;
  });
  await dropUnits(pool, run.runId);
  return counts;
}

const versionOf = (lastModified: Date) => `esi ${lastModified.toISOString()}`;

async function complete(ports: Ports, run: RunRef, context: StepContext): Promise<number> {
  let found = 0;
  const asked: Asked = new Map();
  for (const table of [
    'categories',
    'groups',
    'market_groups',
    'regions',
    'constellations',
    'systems',
    'types',
    'stations',
  ] as const) {
    const ids = await readPlaceholders(ports.db.pool, table, COMPLETED_PER_RUN);
    if (ids.length === 0) continue;
    const resolved = await resolveIds(ports, table, ids, context, asked);
    await countRequests(ports.db.pool, run.runId, resolved.requests);
    found += resolved.found;
    if (resolved.waiting) break; // ESI is away, or a limit is reached: the next run goes on
  }
  return found;
}
