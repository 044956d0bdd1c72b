import type { Client } from '@temporalio/client';
import { collectors } from '../collectors/index.ts';
import { listAssignments } from '../engine/owners/assignments.ts';
import { listTokens } from '../engine/owners/tokens.ts';
import { partsOf } from '../engine/set-spec.ts';
import { listTargets } from '../engine/targets.ts';
import type { Check, Health } from '../http/health.ts';
import { checkHealth } from '../http/health.ts';
import type { HttpStatus } from '../http/sources.ts';
import { describeError } from '../kernel/errors.ts';
import { intervalOf, isScheduled, type ScheduleSettings } from '../schedules/plan.ts';
import { readPause } from '../store/control.ts';
import { readEnabledAssignments } from '../store/dispatch.ts';
import { readDrifts } from '../store/limits.ts';
import { readStatus, type WantedTarget } from '../store/status.ts';
import { cronPeriod } from './cron.ts';
import type { RunningWorkers } from './worker.ts';
import type { House } from './wire.ts';

/** The targets that the settings and the assignments ask for. */
export async function wantedTargets(house: House, settings: ScheduleSettings): Promise<WantedTarget[]> {
  const wanted: WantedTarget[] = await assignedTargets(house);
  for (const collector of collectors) {
    if (!isScheduled(collector, settings)) continue;
    const { rhythm } = collector;
    const every =
      'cronSetting' in rhythm ? cronPeriod(settings.crons[rhythm.cronSetting]) : intervalOf(rhythm, settings);
    // Before the first import of the universe "all regions" is not known yet: the collector is shown without a target.
    const targets = await listTargets(house, collector).catch(() => ['']);
    for (const target of targets) wanted.push({ collector: collector.name, target, every });
  }
  return wanted;
}

/** What is assigned to owners, with the parts that each collector reads for them. */
async function assignedTargets(house: House): Promise<WantedTarget[]> {
  const rows = await readEnabledAssignments(house.db.pool);
  return rows.flatMap(({ collector: name, target, minutes, note }) => {
    const collector = collectors.find((one) => one.name === name);
    if (!collector || !('parts' in collector)) return [];
    const parts = partsOf(collector.parts, target).map(({ part }) => part);
    return [{ collector: name, target, every: minutes * 60_000, parts, note }];
  });
}

/** What is collected, and how it stands. */
export type Progress = Pick<HttpStatus, 'targets' | 'paused'>;

/** The same with the owners, and what ESI says of its limits. */
export type Status = HttpStatus;

/** How everything that is wanted stands now. */
export async function currentProgress(house: House, settings: ScheduleSettings): Promise<Progress> {
  const [wanted, pause] = await Promise.all([wantedTargets(house, settings), readPause(house.db)]);
  return { targets: await readStatus(house.db, wanted, new Date()), paused: pause?.reason ?? null };
}

/** All that there is to know. */
export async function currentStatus(house: House, settings: ScheduleSettings): Promise<Status> {
  const [progress, drifts, tokens, assignments] = await Promise.all([
    currentProgress(house, settings),
    readDrifts(house.db),
    listTokens(house),
    listAssignments(house),
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
  house: House,
  client: Client,
  settings: ScheduleSettings,
  workers: RunningWorkers | undefined,
): Promise<Health> {
  return checkHealth({
    async database() {
      const started = performance.now();
      await house.db.pool.query('SELECT 1');
      return { status: 'ok', detail: `answers in ${Math.ceil(performance.now() - started)} ms` };
    },
    async temporal() {
      await client.workflowService.getSystemInfo({});
      return { status: 'ok', detail: 'answers' };
    },
    async esi() {
      const { status, detail } = house.esi.health();
      return { status: status === 'unknown' ? 'ok' : status, detail };
    },
    async progress() {
      return judgeProgress(await currentProgress(house, settings), workers);
    },
  });
}

/** One look whether ESI answers; nothing is sent while paused. */
export async function askEsi(house: House): Promise<{ ok: boolean; detail: string }> {
  try {
    const { json } = await house.esi.get({ route: '/status', signal: AbortSignal.timeout(3_000) });
    const players = (json as { players?: unknown }).players;
    return { ok: true, detail: typeof players === 'number' ? `${players} players online` : 'answers' };
  } catch (error) {
    const { detail } = house.esi.health();
    return {
      ok: false,
      detail: error instanceof Error && error.name === 'TimeoutError' ? detail : describeError(error),
    };
  }
}
