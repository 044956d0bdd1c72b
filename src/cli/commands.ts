import { table } from './table.ts';
import { collectors } from '../collectors/index.ts';
import { lockDataDir } from '../embedded/lock.ts';
import { startEmbeddedPostgres } from '../embedded/postgres.ts';
import type { RunSummary } from '../engine/run/run-steps.ts';
import { ago } from '../http/html-table.ts';
import { listen } from '../http/server.ts';
import { viewBucket } from '../lib/token-bucket-view.ts';
import type { Log } from '../lib/log.ts';
import { writePause } from '../store/limits/pause.ts';
import { readBuckets } from '../store/limits/rate-limit-store.ts';
import { migrate } from '../store/migrate.ts';
import { type Printed, withApp } from './command.ts';
import { ownersTrouble } from './owner-commands.ts';
import type { Config } from '../app/settings.ts';
import { examine } from './doctor.ts';
import { findRunning } from '../app/endpoints.ts';
import { type RunReport, runNow } from './run-now.ts';
import { listSchedules } from '../temporal/schedules/list-schedules.ts';
import { currentStatus } from '../app/status.ts';
import { connectClient, connectWorker } from '../temporal/connect.ts';
import { metricsHandler } from '../app/up.ts';
import { scheduleSettings, createApp } from '../app/create-app.ts';
import { startWorkers } from '../temporal/workers.ts';

export function statusCommand(config: Config, log: Log): Promise<Printed> {
  return withApp(config, log, async (app) => {
    const status = await currentStatus(app, scheduleSettings(config));
    const now = new Date();
    const rows = status.targets.map((t) => [
      t.collector,
      t.target,
      t.state,
      t.rows,
      ago(t.readAt, now),
      t.detail,
    ]);
    const paused =
      status.paused === null ? '' : `Paused: ${status.paused}. "eve-collector resume" goes on.\n\n`;
    const drifts = status.drifts.map((d) => `\n${d.route}: ${d.drift}${d.adopted ? ' (adopted)' : ''}`);
    const told = drifts.length === 0 ? '' : `\n\nESI's limits differ from those shipped:${drifts.join('')}`;
    const trouble = ownersTrouble(status.tokens, status.assignments);
    const owners = trouble.length === 0 ? '' : `\n\nOwners:\n${trouble.join('\n')}`;
    const targets = table(['collector', 'target', 'state', 'rows', 'newest set', ''], rows);
    const text = `${paused}${targets}${owners}${told}`;
    return { text, json: status, ok: true };
  });
}

export function pauseCommand(config: Config, log: Log, reason: string | undefined): Promise<Printed> {
  return withApp(config, log, async (app) => {
    await writePause(app.db, reason);
    const paused = reason !== undefined;
    const text = paused ? `Paused: no ESI request leaves any more (${reason}).` : 'Resumed.';
    return { text, json: { paused, reason: reason ?? null }, ok: true };
  });
}

export async function schedulesCommand(config: Config): Promise<Printed> {
  const running = await findRunning(config);
  const client = await connectClient(config, {
    address: running.temporalAddress,
    namespace: running.temporalNamespace,
  });
  try {
    const found = await listSchedules(client, [...collectors.map((c) => c.name), 'maintenance']);
    const rows = found.map((s) => [
      s.id,
      s.paused ? `paused (${s.note})` : 'on',
      s.spec,
      s.next ?? '-',
      s.last ?? '-',
    ]);
    return { text: table(['schedule', 'state', 'rhythm', 'next', 'last'], rows), json: found, ok: true };
  } finally {
    await client.connection.close();
  }
}

export async function runCommand(
  config: Config,
  log: Log,
  collector: string,
  targets: readonly string[],
  options: { wait: boolean; quiet: boolean },
): Promise<Printed> {
  const running = await findRunning(config);
  return withApp(config, log, async (app) => {
    const client = await connectClient(config, {
      address: running.temporalAddress,
      namespace: running.temporalNamespace,
    });
    try {
      const reports = await runNow(app, client, collector, targets, options);
      const text = reports.map(
        (r) => `${r.workflowId}: ${r.error ?? (r.result === undefined ? 'started' : told(r.result))}`,
      );
      return { text: text.join('\n'), json: reports, ok: reports.every(isWell) };
    } finally {
      await client.connection.close();
    }
  });
}

/** Nothing failed: neither the run itself nor a target of a sweep. */
function isWell({ error, result }: RunReport): boolean {
  const { outcomes } = (result ?? {}) as { outcomes?: Record<string, number> };
  return error === undefined && (outcomes?.['failed'] ?? 0) === 0;
}

/** Every bucket of the ledger: limit, used, free, when the next tokens come back, and who spent what. */
export function budgetCommand(config: Config, log: Log): Promise<Printed> {
  return withApp(config, log, async (app) => {
    const buckets = (await readBuckets(app.db)).map(({ bucket, state, now }) =>
      viewBucket(bucket, state, now),
    );
    const rows = buckets.map((b) => [
      b.bucket,
      `${b.limit} in ${b.windowSeconds} s`,
      b.used,
      b.leased,
      b.foreign,
      b.free,
      b.held ??
        (b.nextAt === undefined ? '' : `next back at ${new Date(b.nextAt).toISOString().slice(11, 19)}`),
      Object.entries(b.spenders)
        .map(([who, tokens]) => `${who} ${tokens}`)
        .join(', '),
    ]);
    const headings = ['bucket', 'limit', 'used', 'leased', 'others', 'free', '', 'spent by'];
    return { text: table(headings, rows), json: buckets, ok: true };
  });
}

/** A run's summary in words. */
function told(result: unknown): string {
  const summary = result as RunSummary | { targets: number; outcomes: Record<string, number> };
  if ('outcomes' in summary) {
    const outcomes = Object.entries(summary.outcomes).map(([outcome, n]) => `${n} ${outcome}`);
    return `${summary.targets} targets: ${outcomes.join(', ')}`;
  }
  const { outcome, inserted, changed, removed, detail } = summary;
  const counts =
    inserted === undefined ? '' : ` (${inserted} new, ${changed ?? 0} changed, ${removed ?? 0} gone)`;
  return `${outcome}${counts}${detail === undefined ? '' : `: ${detail}`}`;
}

export async function doctorCommand(config: Config): Promise<Printed> {
  const findings = await examine(config);
  const rows = findings.map((f) => [
    f.check,
    f.status,
    f.advice === undefined ? f.detail : `${f.detail}. ${f.advice}`,
  ]);
  return {
    text: table(['check', 'state', ''], rows),
    json: findings,
    ok: findings.every((f) => f.status !== 'fail'),
  };
}

/** Migrates the database that the settings name, that of a running `up`, or the embedded one, started for it. */
export async function migrateCommand(config: Config, log: Log): Promise<Printed> {
  const url = config.DATABASE_URL ?? (await findRunning(config).catch(() => undefined))?.databaseUrl;
  if (url !== undefined) return migrated(await migrate(url, new Date()));
  const lock = await lockDataDir(config.DATA_DIR);
  try {
    const server = await startEmbeddedPostgres({ dir: `${config.DATA_DIR}/postgres`, log });
    try {
      return migrated(await migrate(server.url, new Date()));
    } finally {
      await server.stop();
    }
  } finally {
    await lock.release();
  }
}

function migrated(applied: readonly string[]): Printed {
  const text = applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`;
  return { text, json: { applied }, ok: true };
}

/** Workers alone, beside a running `up` or on servers that the settings name: for more hands. Ends by `signal`. */
export async function workerCommand(config: Config, log: Log, signal: AbortSignal): Promise<void> {
  const running = await findRunning(config);
  const app = await createApp(config, running.databaseUrl, log);
  const connection = await connectWorker(config, {
    address: running.temporalAddress,
    namespace: running.temporalNamespace,
  });
  const workers = await startWorkers(app, {
    connection,
    namespace: running.temporalNamespace,
    esiRateLimit: config.ESI_RATE_LIMIT,
  });
  const where = { host: config.HTTP_HOST, port: config.METRICS_PORT, setting: 'METRICS_PORT' };
  const metrics = config.METRICS_ENABLED
    ? await listen(metricsHandler(app), where).catch(() => undefined)
    : undefined;
  log.info(
    { temporal: running.temporalAddress, metrics: metrics?.url ?? 'off or port taken' },
    'the worker runs',
  );
  signal.addEventListener('abort', () => void workers.stop(), { once: true });
  if (signal.aborted) void workers.stop();
  try {
    await workers.done;
  } finally {
    await metrics?.close();
    await app.close();
    await connection.close();
  }
}
