import { mkdir } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import { startBanner, withoutPassword } from '../cli/banner.ts';
import { collectors } from '../collectors/index.ts';
import { lockDataDir } from '../embedded/lock.ts';
import { createHttpApp, listen } from '../http/server.ts';
import { describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { DISPATCHER, planSchedules } from '../temporal/schedules/plan-schedules.ts';
import { reconcileSchedules } from '../temporal/schedules/reconcile-schedules.ts';
import { migrate } from '../store/migrate.ts';
import type { Config } from './settings.ts';
import { removeEndpoints, writeEndpoints } from './endpoints.ts';
import { startFirstRuns } from './first-runs.ts';
import { currentCapacity } from './current-capacity.ts';
import { type Servers, startServers } from './servers.ts';
import { probeEsi, currentHealth, currentStatus } from './status.ts';
import { connectClient, connectWorker } from '../temporal/connect.ts';
import { VERSION } from './version.ts';
import { callbackTrouble, webSources } from './http-sources.ts';
import { type App, scheduleSettings, createApp } from './create-app.ts';
import { type RunningWorkers, startWorkers } from '../temporal/workers.ts';

/** Things to end, in the order opposite to their making. */
class Stack {
  private readonly ends: (() => Promise<unknown>)[] = [];
  push(end: () => Promise<unknown>): void {
    this.ends.push(end);
  }
  async unwind(log: Log): Promise<void> {
    for (let end = this.ends.pop(); end; end = this.ends.pop()) {
      await end().catch((error: unknown) =>
        log.warn({ error: describeError(error) }, 'something did not end cleanly'),
      );
    }
  }
}

/**
 * Everything on this machine: servers, migrations, schedules, workers, page. Resolves with the exit code after a stop
 * by `signal`, or when a worker fails. `show` gets the start screen.
 */
export async function up(
  config: Config,
  log: Log,
  signal: AbortSignal,
  show: (text: string) => void,
): Promise<number> {
  const stack = new Stack();
  try {
    const running = await start(config, log, stack, show, signal);
    const stopped = new Promise<'stop'>((resolve) => {
      if (signal.aborted) resolve('stop');
      signal.addEventListener('abort', () => resolve('stop'), { once: true });
    });
    const end = await Promise.race([stopped, running.done.then(() => 'ended' as const)]);
    if (end === 'stop') log.info({}, 'stopping');
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    throw error;
  } finally {
    await stack.unwind(log);
  }
}

/** The parts that a running `up` is made of. */
interface Running {
  readonly servers: Servers;
  readonly app: App;
  readonly client: Client;
  readonly workers: RunningWorkers;
}

async function start(
  config: Config,
  log: Log,
  stack: Stack,
  show: (text: string) => void,
  signal: AbortSignal,
): Promise<RunningWorkers> {
  await mkdir(config.DATA_DIR, { recursive: true });
  const lock = await lockDataDir(config.DATA_DIR);
  stack.push(() => lock.release());
  const servers = await startServers(config, log);
  stack.push(() => servers.stop());
  signal.throwIfAborted(); // Ctrl-C while it starts: what is up already goes down again
  const applied = await migrate(servers.databaseUrl, new Date());
  if (applied.length > 0) log.info({ applied }, 'the database is up to date');
  signal.throwIfAborted();
  const running = await startCollecting(config, log, servers, stack);
  signal.throwIfAborted();
  const wanted = planSchedules(collectors, scheduleSettings(config));
  const ours = [...collectors.map((collector) => collector.name), DISPATCHER];
  log.info(
    { schedules: await reconcileSchedules(running.client, wanted, ours) },
    'schedules agree with the settings',
  );
  const { http, metrics } = await serveHttp(config, running, stack);
  await announce(config, servers, http, metrics, stack);
  beginFirstRuns(config, log, running, stack);
  const data = {
    version: VERSION,
    page: http,
    temporalUi: servers.temporalUi ?? `${servers.temporalAddress} (namespace ${servers.temporalNamespace})`,
    database: withoutPassword(servers.databaseUrl),
    metrics,
    esi: await probeEsi(running.app),
    demand: (await currentCapacity(config, running.app)).map(
      (l) => `${l.fits ? ' ' : '!'} ${l.collector}: ${l.text}`,
    ),
    collecting: wanted.filter((s) => ours.includes(s.id)).map((s) => `${s.id.padEnd(21)}${s.description}`),
  };
  show(startBanner({ ...data, missing: missing(config, running.app, http) }));
  return running.workers;
}

/** Connects to the servers and starts the workers. */
async function startCollecting(config: Config, log: Log, servers: Servers, stack: Stack): Promise<Running> {
  const app = await createApp(config, servers.databaseUrl, log);
  stack.push(() => app.close());
  const address = { address: servers.temporalAddress, namespace: servers.temporalNamespace };
  const client = await connectClient(config, address);
  stack.push(() => client.connection.close());
  const connection = await connectWorker(config, address);
  stack.push(() => connection.close());
  const { namespace } = address;
  const workers = await startWorkers(app, { connection, namespace, esiRateLimit: config.ESI_RATE_LIMIT });
  stack.push(() => workers.stop());
  return { servers, app, client, workers };
}

/** Tells commands of the same DATA_DIR where everything is. */
async function announce(
  config: Config,
  servers: Servers,
  http: string,
  metrics: string | undefined,
  stack: Stack,
): Promise<void> {
  await writeEndpoints(config.DATA_DIR, {
    pid: process.pid,
    databaseUrl: servers.databaseUrl,
    temporalAddress: servers.temporalAddress,
    temporalNamespace: servers.temporalNamespace,
    temporalUi: servers.temporalUi ?? null,
    http,
    metrics: metrics ?? null,
  });
  stack.push(() => removeEndpoints(config.DATA_DIR));
}

function beginFirstRuns(config: Config, log: Log, { app, client }: Running, stack: Stack): void {
  const stop = new AbortController();
  const runs = startFirstRuns(app, client, scheduleSettings(config), stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted)
      log.warn({ error: describeError(error) }, 'the first runs begin with their schedules');
  });
  stack.push(() => {
    stop.abort();
    return runs;
  });
}

async function serveHttp(
  config: Config,
  { servers, app, client, workers }: Running,
  stack: Stack,
): Promise<{ http: string; metrics: string | undefined }> {
  const settings = scheduleSettings(config);
  const pages = createHttpApp({
    health: () => currentHealth(app, client, settings, workers),
    status: () => currentStatus(app, settings),
    ...webSources(config, app, client),
    temporalUi: servers.temporalUi,
  });
  const http = await listen(pages.fetch, {
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    setting: 'HTTP_PORT',
  });
  stack.push(() => http.close());
  if (!config.METRICS_ENABLED) return { http: http.url, metrics: undefined };
  const metrics = await listen(metricsHandler(app), {
    host: config.HTTP_HOST,
    port: config.METRICS_PORT,
    setting: 'METRICS_PORT',
  });
  stack.push(() => metrics.close());
  return { http: http.url, metrics: `${metrics.url}/metrics` };
}

/** Prometheus' text at /metrics, nothing else. */
export function metricsHandler(app: Pick<App, 'metrics'>): (request: Request) => Promise<Response> {
  return async (request) => {
    const { registry } = app.metrics;
    if (new URL(request.url).pathname !== '/metrics') return new Response('See /metrics\n', { status: 404 });
    return new Response(await registry.metrics(), { headers: { 'content-type': registry.contentType } });
  };
}

function missing(config: Config, app: App, http: string): string[] {
  const lines: string[] = [];
  if (config.ESI_CLIENT_ID === undefined) {
    lines.push(
      'No SSO application (ESI_CLIENT_ID, ESI_CLIENT_SECRET): data of characters and corporations is not collected.',
      `Make one at https://developers.eveonline.com with the callback ${config.ESI_CALLBACK_URL}, and put both into .env.`,
    );
  } else {
    lines.push(...callbackTrouble(config.ESI_CALLBACK_URL, http));
  }
  const { status, detail } = app.esi.health();
  if (status === 'down' || status === 'degraded') {
    lines.push(
      `ESI is out of reach: ${detail}`,
      "Nothing is to be done if it is EVE's downtime; collecting begins when ESI answers.",
    );
  }
  return lines;
}
