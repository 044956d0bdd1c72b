import type { Client } from '@temporalio/client';
import { collectors } from '../collectors/index.ts';
import { listTargets } from '../engine/targets.ts';
import type { Check, Health } from '../http/health.ts';
import { checkHealth } from '../http/health.ts';
import { describeError } from '../kernel/errors.ts';
import { intervalOf, type ScheduleSettings } from '../schedules/plan.ts';
import { readPause } from '../store/control.ts';
import { readDrifts } from '../store/limits.ts';
import { readStatus, type TargetStatus, type WantedTarget } from '../store/status.ts';
import { cronPeriod } from './cron.ts';
import type { RunningWorkers } from './worker.ts';
import type { House } from './wire.ts';

/** The targets that the settings ask for. */
export async function wantedTargets(house: House, settings: ScheduleSettings): Promise<WantedTarget[]> {
  const wanted: WantedTarget[] = [];
  for (const collector of collectors) {
    if (collector.switch !== undefined && !settings.switches[collector.switch]) continue;
    const { rhythm } = collector;
    const every =
      'cronSetting' in rhythm ? cronPeriod(settings.crons[rhythm.cronSetting]) : intervalOf(rhythm, settings);
    // Before the first import of the universe "all regions" is not known yet: the collector is shown without a target.
    const targets = await listTargets(house, collector).catch(() => ['']);
    for (const target of targets) wanted.push({ collector: collector.name, target, every });
  }
  return wanted;
}

export interface Status {
  readonly targets: readonly TargetStatus[];
  readonly paused: string | null;
  /** What ESI's own description says otherwise than we shipped with. */
  readonly drifts: readonly { readonly route: string; readonly drift: string; readonly adopted: boolean }[];
}

/** How everything that is wanted stands now. */
export async function currentStatus(house: House, settings: ScheduleSettings): Promise<Status> {
  const [wanted, pause, drifts] = await Promise.all([
    wantedTargets(house, settings),
    readPause(house.db),
    readDrifts(house.db),
  ]);
  return { targets: await readStatus(house.db, wanted, new Date()), paused: pause?.reason ?? null, drifts };
}

function judgeProgress({ targets, paused }: Status, workers: RunningWorkers | undefined): Check {
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
      return judgeProgress(await currentStatus(house, settings), workers);
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
