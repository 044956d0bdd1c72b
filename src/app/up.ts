import type { Client } from '@temporalio/client';
import { collectors } from '../collectors/index.ts';
import { protectDataDir } from '../embedded/data-dir.ts';
import { lockDataDir } from '../embedded/lock.ts';
import { checkRegions } from '../engine/list-targets.ts';
import { listen } from '../http/listen.ts';
import { createHttpApp } from '../http/server.ts';
import { describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { migrate } from '../store/migrate.ts';
import { connectWorker } from '../temporal/connect-worker.ts';
import { connectClient } from '../temporal/connect.ts';
import { keepSchedules } from '../temporal/schedules/keep-schedules.ts';
import { DISPATCHER, planSchedules, type WantedSchedule } from '../temporal/schedules/plan-schedules.ts';
import { reconcileSchedules } from '../temporal/schedules/reconcile-schedules.ts';
import { installTemporalLog } from '../temporal/temporal-log.ts';
import { terminateRuns } from '../temporal/terminate-runs.ts';
import { type RunningWorkers, startWorkers } from '../temporal/workers.ts';
import type { CapacityLine } from './capacity.ts';
import { type App, createApp } from './create-app.ts';
import { describeCallbackMismatch, webSources } from './create-http-sources.ts';
import { currentCapacity } from './current-capacity.ts';
import { isSimulated, scheduleSettings, temporalOptions } from './derived-settings.ts';
import { type Endpoints, removeEndpoints, writeEndpoints } from './endpoints.ts';
import { startFirstRuns } from './first-runs.ts';
import { METRICS_SETTINGS, serveMetrics } from './serve-metrics.ts';
import { type Servers, startServers } from './servers.ts';
import type { Config } from './settings.ts';
import { currentHealth, currentStatus, type EsiProbe, probeEsi } from './status.ts';

/** What runs, where, and what is collected. */
export interface UpSummary {
  readonly endpoints: Endpoints;
  /** ESI_CALLBACK_URL, where EVE redirects a login to; undefined without an SSO application. */
  readonly callback: string | undefined;
  readonly esi: EsiProbe;
  /** Whether ESI is simulated, as in the demo. */
  readonly isSimulated: boolean;
  readonly schedules: readonly Pick<WantedSchedule, 'id' | 'description'>[];
  readonly capacity: readonly CapacityLine[];
  /** What is not set up or not reachable, and what to do about it, in sentences. */
  readonly missing: readonly string[];
}

export interface RunningUp {
  readonly summary: UpSummary;
  /** Waits for the abort of the signal, then stops everything. Rejects, after the same stop, when a worker fails. */
  runUntilAborted(): Promise<void>;
}

/** Clean-up functions, to be called in the opposite order of their creation. */
class CleanupStack {
  private readonly steps: (() => Promise<unknown>)[] = [];
  private readonly log: Log;
  constructor(log: Log) {
    this.log = log;
  }
  push(step: () => Promise<unknown>): void {
    this.steps.push(step);
  }
  async run(): Promise<void> {
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      await step().catch((error: unknown) =>
        this.log.warn({ error: describeError(error) }, 'could not stop everything cleanly'),
      );
    }
  }
}

/**
 * Starts everything on this machine: servers, migrations, schedules, workers, page. Throws, with nothing left running, when
 * that fails or `signal` is aborted meanwhile.
 */
export async function up(config: Config, log: Log, signal: AbortSignal): Promise<RunningUp> {
  installTemporalLog(log);
  const cleanup = new CleanupStack(log);
  try {
    const { workers, summary } = await startAll(config, log, cleanup, signal);
    return { summary, runUntilAborted: () => runUntilAborted(workers, cleanup, log, signal) };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function runUntilAborted(
  workers: RunningWorkers,
  cleanup: CleanupStack,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    await Promise.race([aborted, workers.done]);
    if (signal.aborted) log.info({}, 'stopping');
  } finally {
    await cleanup.run();
  }
}

async function startAll(
  config: Config,
  log: Log,
  cleanup: CleanupStack,
  signal: AbortSignal,
): Promise<{ workers: RunningWorkers; summary: UpSummary }> {
  await protectDataDir(config.DATA_DIR);
  const lock = await lockDataDir(config.DATA_DIR);
  cleanup.push(() => lock.release());
  await assertPortsFree(config);
  const servers = await startServers(config, log);
  cleanup.push(() => servers.stop());
  signal.throwIfAborted(); // Ctrl-C during the start stops what is running already
  const applied = await migrate(servers.databaseUrl, new Date());
  if (applied.length > 0) log.info({ applied }, 'applied migrations');
  signal.throwIfAborted();
  const parts = await startParts(config, log, servers, cleanup, applied.length > 0);
  signal.throwIfAborted();
  const schedules = planSchedules(collectors, scheduleSettings(config));
  const owned = [...collectors.map((collector) => collector.name), DISPATCHER];
  const changes = await reconcileSchedules(parts.client, schedules, owned);
  log.info({ schedules: changes }, 'schedules match the settings');
  watchSchedules(parts.client, schedules, log, cleanup);
  const { http, metrics } = await serveHttp(config, parts, servers.temporalUi, cleanup);
  const endpoints = {
    pid: process.pid,
    databaseUrl: servers.databaseUrl,
    temporalAddress: servers.temporalAddress,
    temporalNamespace: servers.temporalNamespace,
    temporalUi: servers.temporalUi ?? null,
    http,
    metrics: metrics ?? null,
  };
  await writeEndpoints(config.DATA_DIR, endpoints);
  cleanup.push(() => removeEndpoints(config.DATA_DIR));
  triggerFirstRuns(config, log, parts, cleanup);
  const summary = {
    endpoints,
    callback: config.ESI_CLIENT_ID === undefined ? undefined : config.ESI_CALLBACK_URL,
    esi: await probeEsi(parts.app),
    isSimulated: isSimulated(config),
    schedules: schedules.filter(({ id }) => owned.includes(id)),
    capacity: await currentCapacity(config, parts.app),
    missing: describeMissing(config, parts.app, http),
  };
  return { workers: parts.workers, summary };
}

/** Throws AppError PORT_TAKEN, before anything is started that would have to be stopped again. */
async function assertPortsFree(config: Config): Promise<void> {
  const { HTTP_HOST, HTTP_PORT, METRICS_HOST, METRICS_PORT } = config;
  const wanted = [
    { host: HTTP_HOST, port: HTTP_PORT, setting: 'HTTP_PORT' },
    ...(config.METRICS_ENABLED ? [{ host: METRICS_HOST, port: METRICS_PORT, ...METRICS_SETTINGS }] : []),
  ];
  for (const one of wanted) await (await listen(() => new Response(), one)).close();
}

interface Parts {
  readonly app: App;
  readonly client: Client;
  readonly workers: RunningWorkers;
}

/** Connects to the servers and starts the workers. */
async function startParts(
  config: Config,
  log: Log,
  servers: Servers,
  cleanup: CleanupStack,
  isUpgraded: boolean,
): Promise<Parts> {
  const app = await createApp(config, servers.databaseUrl, log);
  cleanup.push(() => app.close());
  await checkRegions(app, config.MARKET_REGIONS);
  const options = temporalOptions(config, servers);
  const client = await connectClient(options);
  cleanup.push(() => client.connection.close());
  if (isUpgraded) {
    const terminated = await terminateRuns(client, 'The collector was upgraded.');
    if (terminated > 0) log.info({ terminated }, 'terminated workflows of the previous version');
  }
  const connection = await connectWorker(options);
  cleanup.push(() => connection.close());
  const { namespace } = options;
  const workers = await startWorkers(app, { connection, namespace, esiRateLimit: config.ESI_RATE_LIMIT });
  cleanup.push(() => workers.stop());
  return { app, client, workers };
}

function watchSchedules(
  client: Client,
  schedules: readonly WantedSchedule[],
  log: Log,
  cleanup: CleanupStack,
): void {
  const stop = new AbortController();
  const watching = keepSchedules(client, schedules, { log, signal: stop.signal });
  cleanup.push(() => {
    stop.abort();
    return watching;
  });
}

function triggerFirstRuns(config: Config, log: Log, { app, client }: Parts, cleanup: CleanupStack): void {
  const stop = new AbortController();
  const runs = startFirstRuns(app, client, scheduleSettings(config), stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted)
      log.warn(
        { error: describeError(error) },
        'could not trigger the first runs; their schedules start them',
      );
  });
  cleanup.push(() => {
    stop.abort();
    return runs;
  });
}

async function serveHttp(
  config: Config,
  { app, client, workers }: Parts,
  temporalUi: string | undefined,
  cleanup: CleanupStack,
): Promise<{ http: string; metrics: string | undefined }> {
  const settings = scheduleSettings(config);
  const pages = createHttpApp({
    health: () => currentHealth(app, client, settings, workers),
    status: () => currentStatus(app, settings),
    ...webSources(config, app, client),
    temporalUi,
    isSimulated: isSimulated(config),
  });
  const http = await listen(pages.fetch, {
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    setting: 'HTTP_PORT',
  });
  cleanup.push(() => http.close());
  const metrics = config.METRICS_ENABLED ? await serveMetrics(config, app) : undefined;
  cleanup.push(async () => metrics?.close());
  return { http: http.url, metrics: metrics && `${metrics.url}/metrics` };
}

function describeMissing(config: Config, app: App, http: string): string[] {
  const lines: string[] = [];
  if (config.ESI_CLIENT_ID === undefined) {
    lines.push(
      'No SSO application (ESI_CLIENT_ID, ESI_CLIENT_SECRET): data of characters and corporations is not collected.',
      `Create one at https://developers.eveonline.com with the callback URL ${config.ESI_CALLBACK_URL}, then set both in .env.`,
    );
  } else {
    lines.push(...describeCallbackMismatch(config.ESI_CALLBACK_URL, http));
  }
  const { status, detail } = app.esi.health();
  if (status === 'down' || status === 'degraded') {
    lines.push(
      `ESI is unreachable: ${detail}`,
      "During EVE's daily downtime no action is needed. Collection starts when ESI responds.",
    );
  }
  return lines;
}
