import type { Client } from '@temporalio/client';
import { collectors } from '../collectors/index.ts';
import { listAssignments } from '../engine/owners/assignment-service.ts';
import { listTokens } from '../engine/owners/token-service.ts';
import { resourcesOf } from '../engine/run/resources.ts';
import { listTargets } from '../engine/list-targets.ts';
import type { Check, Health } from '../http/health.ts';
import { checkHealth } from '../http/health.ts';
import type { HttpStatus } from '../http/http-sources.ts';
import { describeError } from '../lib/errors.ts';
import { intervalOf, isScheduled, type ScheduleSettings } from '../temporal/schedules/plan-schedules.ts';
import { readPause } from '../store/limits/pause.ts';
import { readEnabledAssignments } from '../store/owners/due-assignments.ts';
import { readDrifts } from '../store/limits/esi-limits.ts';
import { readStatus, type WantedTarget } from '../store/target-status.ts';
import { cronPeriod } from '../lib/cron.ts';
import type { RunningWorkers } from '../temporal/workers.ts';
import type { App } from './create-app.ts';

/** The targets that the settings and the assignments ask for. */
export async function wantedTargets(app: App, settings: ScheduleSettings): Promise<WantedTarget[]> {
  const wanted: WantedTarget[] = await assignedTargets(app);
  for (const collector of collectors) {
    if (!isScheduled(collector, settings)) continue;
    const { schedule } = collector;
    const every =
      'cronSetting' in schedule
        ? cronPeriod(settings.crons[schedule.cronSetting])
        : intervalOf(schedule, settings);
    // Before the first import of the universe "all regions" is not known yet: the collector is shown without a target.
    const targets = await listTargets(app, collector).catch(() => ['']);
    for (const target of targets) wanted.push({ collector: collector.name, target, every });
  }
  return wanted;
}

/** What is assigned to owners, with the parts that each collector reads for them. */
async function assignedTargets(app: App): Promise<WantedTarget[]> {
  const rows = await readEnabledAssignments(app.db.pool);
  return rows.flatMap(({ collector: name, target, minutes, note }) => {
    const collector = collectors.find((one) => one.name === name);
    if (!collector || !('resources' in collector)) return [];
    const names = resourcesOf(collector.resources, target).map(({ name }) => name);
    return [{ collector: name, target, every: minutes * 60_000, resources: names, note }];
  });
}

/** What is collected, and how it stands. */
export type Progress = Pick<HttpStatus, 'targets' | 'paused'>;

/** The same with the owners, and what ESI says of its limits. */
export type Status = HttpStatus;

/** How everything that is wanted stands now. */
export async function currentProgress(app: App, settings: ScheduleSettings): Promise<Progress> {
  const [wanted, pause] = await Promise.all([wantedTargets(app, settings), readPause(app.db)]);
  return { targets: await readStatus(app.db, wanted, new Date()), paused: pause?.reason ?? null };
}

/** All that there is to know. */
export async function currentStatus(app: App, settings: ScheduleSettings): Promise<Status> {
  const [progress, drifts, tokens, assignments] = await Promise.all([
    currentProgress(app, settings),
    readDrifts(app.db),
    listTokens(app),
    listAssignments(app),
  ]);
  return { ...progress, drifts, tokens, assignments };
}

function judgeProgress({ targets, paused }: Progress, workers: RunningWorkers | undefined): Check {
  if (workers && workers.state() !== 'RUNNING')
    return { status: 'down', detail: `the workers are ${workers.state()}` };
  if (paused !== null) return { status: 'degraded', detail: `paused: ${paused}` };
  const bad = targets.filter((t) => t.state === 'late' || t.state === 'failing');
  if (bad.length === 0)
    return {
      status: 'ok',
      detail: `${targets.filter((t) => t.readAt !== null).length} of ${targets.length} targets have data`,
    };
  const names = bad.slice(0, 3).map((t) => `${t.collector} ${t.target}`.trim());
  return {
    status: 'degraded',
    detail: `${bad.length} late or failing: ${names.join(', ')}${bad.length > 3 ? ', …' : ''}`,
  };
}

/** What /health says. */
export function currentHealth(
  app: App,
  client: Client,
  settings: ScheduleSettings,
  workers: RunningWorkers | undefined,
): Promise<Health> {
  return checkHealth({
    async database() {
      const started = performance.now();
      await app.db.pool.query('SELECT 1');
      return { status: 'ok', detail: `answers in ${Math.ceil(performance.now() - started)} ms` };
    },
    async temporal() {
      await client.workflowService.getSystemInfo({});
      return { status: 'ok', detail: 'answers' };
    },
    async esi() {
      const { status, detail } = app.esi.health();
      return { status: status === 'unknown' ? 'ok' : status, detail };
    },
    async progress() {
      return judgeProgress(await currentProgress(app, settings), workers);
    },
  });
}

/** One look whether ESI answers; nothing is sent while paused. */
export async function probeEsi(app: App): Promise<{ ok: boolean; detail: string }> {
  try {
    const { json } = await app.esi.get({ route: '/status', signal: AbortSignal.timeout(3_000) });
    const players = (json as { players?: unknown }).players;
    return { ok: true, detail: typeof players === 'number' ? `${players} players online` : 'answers' };
  } catch (error) {
    const { detail } = app.esi.health();
    return {
      ok: false,
      detail: error instanceof Error && error.name === 'TimeoutError' ? detail : describeError(error),
    };
  }
}
