import { mkdir, statfs } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { describeError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import type { Config } from '../app/settings.ts';
import { findRunning, type Reachable } from '../app/endpoints.ts';
import { connectClient } from '../temporal/connect.ts';
import { readPause } from '../store/limits/pause.ts';
import { readDrifts } from '../store/limits/esi-limits.ts';
import { currentCapacity } from '../app/current-capacity.ts';
import { type App, createApp } from '../app/create-app.ts';

export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** The full universe with a year of five regions' changes takes some 10 GB; below 5 GB free it gets tight. */
const LOW_DISK = 5 * 2 ** 30;

/** ESI's Expires is whole seconds; five minutes is as long as a set lives. */
const CLOCK_SKEW = 5_000;

const PROBE = 5_000;

type Check = () => Promise<Omit<Finding, 'check'>>;

async function disk(config: Config): Promise<Omit<Finding, 'check'>> {
  await mkdir(config.DATA_DIR, { recursive: true });
  const { bavail, bsize } = await statfs(config.DATA_DIR);
  const free = `${Math.round((bavail * bsize) / 2 ** 30)} GB free at ${config.DATA_DIR}`;
  if (bavail * bsize >= LOW_DISK) return { status: 'ok', detail: free };
  return {
    status: 'warn',
    detail: free,
    advice: 'Make room, move DATA_DIR, or set RETENTION_… to keep less.',
  };
}

function node(): Omit<Finding, 'check'> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fits = major >= 24 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
  if (fits) return { status: 'ok', detail: `Node ${process.versions.node}` };
  return {
    status: 'fail',
    detail: `Node ${process.versions.node}`,
    advice: 'Install Node 20.19, 22.12 or 24 and newer.',
  };
}

async function database(config: Config, running: Reachable): Promise<Omit<Finding, 'check'>> {
  return withApp(config, running, async (app) => {
    const { rows } = await app.db.pool.query<{ version: string; tables: number }>(
      `SELECT current_setting('server_version') AS version,
              (SELECT count(*) FROM information_schema.tables WHERE table_name = 'collection_runs') AS tables`,
    );
    if (rows[0]?.tables === 0) {
      return { status: 'fail', detail: 'the tables are missing', advice: 'Run "eve-collector migrate".' };
    }
    return { status: 'ok', detail: `PostgreSQL ${rows[0]?.version}` };
  });
}

async function temporal(config: Config, running: Reachable): Promise<Omit<Finding, 'check'>> {
  const client = await connectClient(config, {
    address: running.temporalAddress,
    namespace: running.temporalNamespace,
  });
  try {
    const info = await client.workflowService.getSystemInfo({});
    return { status: 'ok', detail: `Temporal ${info.serverVersion} at ${running.temporalAddress}` };
  } finally {
    await client.connection.close();
  }
}

async function remote(
  config: Config,
  url: string,
  agent: Agent,
): Promise<{ seconds: number; skew: number | undefined }> {
  const started = performance.now();
  const answer = await request(url, {
    dispatcher: agent,
    headers: {
      'user-agent': config.ESI_USER_AGENT,
      'x-compatibility-date': config.ESI_COMPATIBILITY_DATE,
      accept: '*/*',
      'accept-encoding': 'gzip',
    },
    signal: AbortSignal.timeout(PROBE),
  });
  await answer.body.dump();
  if (answer.statusCode >= 400) throw new Error(`status ${answer.statusCode}`);
  const date = Date.parse(String(answer.headers['date'] ?? ''));
  return {
    seconds: (performance.now() - started) / 1_000,
    skew: Number.isNaN(date) ? undefined : Date.now() - date,
  };
}

function remoteCheck(config: Config, agent: Agent, url: string, advice: string): Check {
  return async () => {
    try {
      const { seconds, skew } = await remote(config, url, agent);
      if (skew !== undefined && Math.abs(skew) > CLOCK_SKEW) {
        const detail = `answers, but this machine's clock differs by ${Math.round(skew / 1_000)} s`;
        return { status: 'warn', detail, advice: 'Set the clock (NTP).' };
      }
      return { status: 'ok', detail: `answers in ${seconds.toFixed(2)} s` };
    } catch (error) {
      return { status: 'warn', detail: `out of reach: ${describeError(error)}`, advice };
    }
  };
}

/** While an operator's pause holds no request leaves, not even this one. */
function unlessPaused(config: Config, running: Reachable | string, ask: Check): Check {
  return async () => {
    if (typeof running === 'string') return ask();
    const pause = await withApp(config, running, (app) => readPause(app.db));
    if (!pause) return ask();
    return {
      status: 'warn',
      detail: `not asked: paused (${pause.reason})`,
      advice: '"eve-collector resume" goes on.',
    };
  };
}

/** What is configured against what ESI and we allow. */
async function demand(config: Config, running: Reachable): Promise<Omit<Finding, 'check'>> {
  const lines = await withApp(config, running, (app) => currentCapacity(config, app));
  const detail =
    lines.map((line) => `${line.collector}: ${line.text}`).join(' ') || 'nothing is asked for regularly';
  return { status: lines.every((line) => line.fits) ? 'ok' : 'warn', detail };
}

/** What ESI's own description says otherwise than we shipped with. */
async function drifts(config: Config, running: Reachable): Promise<Omit<Finding, 'check'>> {
  const found = await withApp(config, running, (app) => readDrifts(app.db));
  if (found.length === 0) return { status: 'ok', detail: 'as shipped, or not read yet' };
  const detail = found.map((d) => `${d.route}: ${d.drift}${d.adopted ? ' (adopted)' : ''}`).join('. ');
  return { status: 'warn', detail, advice: 'Look for a newer version of eve-data-collector.' };
}

async function withApp<T>(config: Config, running: Reachable, work: (app: App) => Promise<T>): Promise<T> {
  const app = await createApp(config, running.databaseUrl, silentLog);
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}

function application(config: Config): Omit<Finding, 'check'> {
  if (config.ESI_CLIENT_ID !== undefined)
    return { status: 'ok', detail: `set; its callback has to be ${config.ESI_CALLBACK_URL}` };
  return {
    status: 'warn',
    detail: 'none: data of characters and corporations is not collected',
    advice:
      'Make one at https://developers.eveonline.com, with the callback URL of ESI_CALLBACK_URL, then set ESI_CLIENT_ID and ESI_CLIENT_SECRET.',
  };
}

/** Looks at settings, machine, servers and sources, and says what to do. Changes nothing. */
export async function examine(config: Config): Promise<Finding[]> {
  const agent = new Agent({ connect: { timeout: PROBE } });
  const running = await findRunning(config).catch((error: unknown) => describeError(error));
  const needs = (ask: (running: Reachable) => Promise<Omit<Finding, 'check'>>): Check => {
    return async () => (typeof running === 'string' ? { status: 'warn', detail: running } : ask(running));
  };
  const away = "Check the network; during EVE's downtime (11:00 UTC) wait half an hour.";
  const checks: Record<string, Check> = {
    settings: async () => ({ status: 'ok', detail: `contact: ${config.ESI_USER_AGENT}` }),
    node: async () => node(),
    disk: () => disk(config),
    database: needs((r) => database(config, r)),
    temporal: needs((r) => temporal(config, r)),
    'ESI and clock': unlessPaused(
      config,
      running,
      remoteCheck(config, agent, `${config.ESI_BASE_URL}/status`, away),
    ),
    demand: needs((r) => demand(config, r)),
    "ESI's limits": needs((r) => drifts(config, r)),
    SSO: remoteCheck(config, agent, `${config.SSO_BASE_URL}/.well-known/oauth-authorization-server`, away),
    'static data': remoteCheck(
      config,
      agent,
      `${config.SDE_BASE_URL}/tranquility/latest.jsonl`,
      'Or set UNIVERSE_SOURCE=esi.',
    ),
    'SSO application': async () => application(config),
  };
  try {
    return await Promise.all(
      Object.entries(checks).map(async ([check, ask]): Promise<Finding> => {
        try {
          return { check, ...(await ask()) };
        } catch (error) {
          return { check, status: 'fail', detail: describeError(error) };
        }
      }),
    );
  } finally {
    await agent.destroy();
  }
}
