import type { Client } from '@temporalio/client';
import { collectors } from '../collectors/index.ts';
import { listTargets } from '../engine/list-targets.ts';
import { listAssignments } from '../engine/owners/assignment-service.ts';
import { listTokens } from '../engine/owners/token-service.ts';
import { resourcesOf } from '../engine/run/resources.ts';
import { type Check, checkHealth, type Health } from '../http/health.ts';
import type { HttpStatus } from '../http/http-sources.ts';
import { cronPeriod } from '../lib/cron.ts';
import { MINUTE } from '../lib/duration.ts';
import { describeError } from '../lib/errors.ts';
import { readDrifts } from '../store/esi-limits.ts';
import { readPause } from '../store/pause.ts';
import { readAssignedTargets } from '../store/owners/due-assignments.ts';
import { countOpenGaps, readOpenGaps } from '../store/sets/journal-gap-store.ts';
import { readStatus, type WantedTarget } from '../store/target-status.ts';
import { intervalOf, isScheduled, type ScheduleSettings } from '../temporal/schedules/plan-schedules.ts';
import type { RunningWorkers } from '../temporal/workers.ts';
import type { App } from './create-app.ts';

/** The parts of the app that reading its state needs: neither ESI nor SSO. */
export type StatusContext = Pick<App, 'db' | 'clock' | 'settings'>;

/** The targets that the settings and the assignments name. */
async function wantedTargets(app: StatusContext, settings: ScheduleSettings): Promise<WantedTarget[]> {
  const wanted: WantedTarget[] = await assignedTargets(app);
  for (const collector of collectors) {
    if (!isScheduled(collector, settings)) continue;
    const { schedule } = collector;
    const every =
      'cronSetting' in schedule
        ? cronPeriod(settings.crons[schedule.cronSetting])
        : intervalOf(schedule, settings);
    // Before the first import of the universe the list of all regions is unknown: the collector is shown without a target.
    const targets = await listTargets(app, collector).catch(() => ['']);
    for (const target of targets) wanted.push({ collector: collector.name, target, every });
  }
  return wanted;
}

/** The assignments, disabled ones included, with the resources that each collector reads for its owner. */
async function assignedTargets(app: StatusContext): Promise<WantedTarget[]> {
  const rows = await readAssignedTargets(app.db.pool);
  return rows.flatMap(({ collector: name, target, minutes, isEnabled, note }) => {
    const collector = collectors.find((one) => one.name === name);
    if (!collector || !('resources' in collector)) return [];
    const resources = resourcesOf(collector.resources, target).map((resource) => resource.name);
    return [{ collector: name, target, every: minutes * MINUTE, resources, isDisabled: !isEnabled, note }];
  });
}

/** The state of every target, and of the pause. */
export type Progress = Pick<HttpStatus, 'targets' | 'paused'>;

/** The state of every target that the settings and the assignments name. */
export async function currentProgress(app: StatusContext, settings: ScheduleSettings): Promise<Progress> {
  const [wanted, pause] = await Promise.all([wantedTargets(app, settings), readPause(app.db)]);
  return { targets: await readStatus(app.db, wanted, new Date()), paused: pause?.reason ?? null };
}

/** The progress, the owners, gaps of journals, and changes of ESI's limits. */
export async function currentStatus(app: StatusContext, settings: ScheduleSettings): Promise<HttpStatus> {
  const [progress, drifts, tokens, assignments, gaps] = await Promise.all([
    currentProgress(app, settings),
    readDrifts(app.db),
    listTokens(app),
    listAssignments(app),
    readOpenGaps(app.db.pool),
  ]);
  return { ...progress, drifts, tokens, assignments, gaps };
}

/** Names of late or failing targets that /health shows; the status shows all. */
const MAX_NAMES = 3;

function checkProgress({ targets, paused }: Progress, gaps: number, workers: RunningWorkers): Check {
  const state = workers.state();
  if (state !== 'RUNNING') return { status: 'down', detail: `the workers are not running (${state})` };
  if (paused !== null) return { status: 'degraded', detail: `paused: ${paused}` };
  const bad = targets.filter((t) => t.state === 'late' || t.state === 'failing');
  if (bad.length === 0) {
    const enabled = targets.filter((t) => t.state !== 'disabled');
    const collected = enabled.filter((t) => t.readAt !== null).length;
    const detail = `${collected} of ${enabled.length} targets have data`;
    // A gap is lost data that nothing running can mend, so it is told and degrades nothing.
    if (gaps === 0) return { status: 'ok', detail };
    return { status: 'ok', detail: `${detail}; gaps in wallet journals: ${gaps} (see "eve-collector gaps")` };
  }
  const names = bad.slice(0, MAX_NAMES).map((t) => `${t.collector} ${t.target}`.trim());
  const more = bad.length > MAX_NAMES ? ', …' : '';
  return {
    status: 'degraded',
    detail: `${bad.length} late or failing: ${names.join(', ')}${more}`,
  };
}

/** Runs the checks of /health. */
export function currentHealth(
  app: App,
  client: Client,
  settings: ScheduleSettings,
  workers: RunningWorkers,
): Promise<Health> {
  return checkHealth({
    async database() {
      const started = performance.now();
      await app.db.pool.query('SELECT 1');
      return { status: 'ok', detail: `responds in ${Math.ceil(performance.now() - started)} ms` };
    },
    async temporal() {
      await client.workflowService.getSystemInfo({});
      return { status: 'ok', detail: 'responds' };
    },
    async esi() {
      const { status, detail } = app.esi.health();
      return { status: status === 'unknown' ? 'ok' : status, detail };
    },
    async progress() {
      const [progress, gaps] = await Promise.all([
        currentProgress(app, settings),
        countOpenGaps(app.db.pool),
      ]);
      return checkProgress(progress, gaps, workers);
    },
  });
}

/** Whether ESI responds, and how many players are online or what went wrong. */
export interface EsiProbe {
  readonly ok: boolean;
  readonly detail: string;
}

/** The start of `up` waits for ESI no longer than this (ms). */
const PROBE_TIMEOUT = 3_000;

/** Requests ESI's status once. No request is sent while paused. */
export async function probeEsi(app: Pick<App, 'esi'>): Promise<EsiProbe> {
  try {
    const { json } = await app.esi.get({
      route: '/status',
      shared: true,
      signal: AbortSignal.timeout(PROBE_TIMEOUT),
    });
    const { players } = json as { players?: unknown };
    const detail =
      typeof players === 'number' ? `${players.toLocaleString('en')} players online` : 'responds';
    return { ok: true, detail };
  } catch (error) {
    const isTimeout = error instanceof Error && error.name === 'TimeoutError';
    return { ok: false, detail: isTimeout ? app.esi.health().detail : describeError(error) };
  }
}
