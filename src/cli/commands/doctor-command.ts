import { statfs } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { currentCapacity } from '../../app/current-capacity.ts';
import { findRunning } from '../../app/endpoints.ts';
import type { Config } from '../../app/settings.ts';
import { protectDataDir } from '../../embedded/data-dir.ts';
import { listUnknownFields } from '../../engine/run/unknown-fields.ts';
import { probeEsi } from '../../app/status.ts';
import { describeError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { readDrifts } from '../../store/esi-limits.ts';
import { readPause } from '../../store/pause.ts';
import { type PrintingCommand, withApp, withDatabase, withTemporal } from '../command.ts';
import { formatTable } from '../table.ts';

/** What a check found. */
interface Result {
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to do about it. */
  readonly advice?: string;
}

export interface Finding extends Result {
  readonly check: string;
}

type Check = () => Promise<Result>;

/** The full universe with a year of changes of five regions takes about 10 GB; less than 5 GB free is too little. */
const MIN_FREE_DISK = 5 * 2 ** 30;

/** A clock that is off by more than this (ms) misjudges ESI's Expires, which is in whole seconds; a set lives five minutes. */
const MAX_CLOCK_SKEW = 5_000;

const REQUEST_TIMEOUT = 5_000;

/** Checks settings, machine, servers and sources, and says what to do. Changes nothing. */
export const doctorCommand: PrintingCommand = async (config) => {
  const findings = await runChecks(config);
  const rows = findings.map((f) => [
    f.check,
    f.status,
    f.advice === undefined ? f.detail : `${f.detail}. ${f.advice}`,
  ]);
  return {
    text: formatTable(['check', 'state', ''], rows),
    json: findings,
    ok: findings.every((f) => f.status !== 'fail'),
  };
};

async function runChecks(config: Config): Promise<Finding[]> {
  const agent = new Agent({ connect: { timeout: REQUEST_TIMEOUT } });
  const notRunning = await findRunning(config).then(
    () => undefined,
    (error: unknown) => describeError(error),
  );
  const ifRunning =
    (check: Check): Check =>
    async () =>
      notRunning === undefined ? check() : { status: 'warn', detail: notRunning };
  const wait = "Check the network. During EVE's daily downtime (11:00 UTC), wait half an hour.";
  const checkUrl = (url: string, advice: string) => () => checkRemote(config, agent, url, advice);
  const checks: Record<string, Check> = {
    settings: async () => ({ status: 'ok', detail: `contact: ${config.ESI_USER_AGENT}` }),
    node: async () => checkNode(),
    disk: () => checkDisk(config),
    database: ifRunning(() => checkDatabase(config)),
    temporal: ifRunning(() => checkTemporal(config)),
    // Without the database no limit and no earlier answer is known. The clock is compared by the checks below as well.
    'ESI and clock':
      notRunning === undefined
        ? () => unlessPaused(config, () => checkEsi(config, wait))
        : checkUrl(`${config.ESI_BASE_URL}/status`, wait),
    capacity: ifRunning(() => checkCapacity(config)),
    "ESI's limits": ifRunning(() => checkDrifts(config)),
    "ESI's fields": ifRunning(() => checkFields(config)),
    SSO: checkUrl(`${config.SSO_BASE_URL}/.well-known/oauth-authorization-server`, wait),
    'static data': checkUrl(
      `${config.SDE_BASE_URL}/tranquility/latest.jsonl`,
      'If it stays unreachable, set UNIVERSE_SOURCE=esi.',
    ),
    'SSO application': async () => checkApplication(config),
  };
  try {
    return await Promise.all(
      Object.entries(checks).map(async ([name, check]): Promise<Finding> => {
        try {
          return { check: name, ...(await check()) };
        } catch (error) {
          return { check: name, status: 'fail', detail: describeError(error) };
        }
      }),
    );
  } finally {
    await agent.destroy();
  }
}

function checkNode(): Result {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const detail = `Node ${process.versions.node}`;
  const isSupported = major >= 24 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
  if (isSupported) return { status: 'ok', detail };
  return { status: 'fail', detail, advice: 'Install Node 20.19, 22.12, or 24 or newer.' };
}

async function checkDisk(config: Config): Promise<Result> {
  await protectDataDir(config.DATA_DIR);
  const { bavail, bsize } = await statfs(config.DATA_DIR);
  const free = bavail * bsize;
  const detail = `${Math.round(free / 2 ** 30)} GB free at ${config.DATA_DIR}`;
  if (free >= MIN_FREE_DISK) return { status: 'ok', detail };
  return {
    status: 'warn',
    detail,
    advice: 'Free disk space, move DATA_DIR, or set RETENTION_… to keep less.',
  };
}

const checkDatabase = (config: Config): Promise<Result> =>
  withDatabase(config, silentLog, async ({ db }) => {
    const { rows } = await db.pool.query<{ version: string; tables: number }>(
      `SELECT current_setting('server_version') AS version,
              (SELECT count(*) FROM information_schema.tables WHERE table_name = 'collection_runs') AS tables`,
    );
    if (rows[0]?.tables === 0)
      return { status: 'fail', detail: 'the tables are missing', advice: 'Run "eve-collector migrate".' };
    return { status: 'ok', detail: `PostgreSQL ${rows[0]?.version}` };
  });

const checkTemporal = (config: Config): Promise<Result> =>
  withTemporal(config, async (client) => {
    const { serverVersion } = await client.workflowService.getSystemInfo({});
    return { status: 'ok', detail: `Temporal ${serverVersion}` };
  });

async function checkRemote(config: Config, agent: Agent, url: string, advice: string): Promise<Result> {
  const started = performance.now();
  let date: number;
  try {
    const response = await request(url, {
      dispatcher: agent,
      headers: {
        'user-agent': config.ESI_USER_AGENT,
        'x-compatibility-date': config.ESI_COMPATIBILITY_DATE,
        accept: '*/*',
        'accept-encoding': 'gzip',
      },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT),
    });
    await response.body.dump();
    if (response.statusCode >= 400) throw new Error(`status ${response.statusCode}`);
    date = Date.parse(String(response.headers['date'] ?? ''));
  } catch (error) {
    return { status: 'warn', detail: `unreachable: ${describeError(error)}`, advice };
  }
  const skew = Date.now() - date; // NaN without a date
  if (Math.abs(skew) > MAX_CLOCK_SKEW) {
    const detail = `responds, but this machine's clock is off by ${Math.round(skew / 1_000)} s`;
    return { status: 'warn', detail, advice: 'Set the clock (NTP).' };
  }
  return { status: 'ok', detail: `responds in ${((performance.now() - started) / 1_000).toFixed(2)} s` };
}

/** Asks for ESI's status as every process does: within the limits, and not again before the last answer expires. */
async function checkEsi(config: Config, advice: string): Promise<Result> {
  const { ok, detail } = await withApp(config, silentLog, probeEsi);
  return ok ? { status: 'ok', detail } : { status: 'warn', detail, advice };
}

/** A pause stops every request to ESI, including this one. */
async function unlessPaused(config: Config, check: Check): Promise<Result> {
  const pause = await withDatabase(config, silentLog, ({ db }) => readPause(db));
  if (!pause) return check();
  return {
    status: 'warn',
    detail: `not checked: paused (reason: ${pause.reason})`,
    advice: 'Run "eve-collector resume" to continue.',
  };
}

/** Compares the configured work with the limits of ESI and ours. */
async function checkCapacity(config: Config): Promise<Result> {
  const lines = await withDatabase(config, silentLog, (context) => currentCapacity(config, context));
  const detail = lines.map((line) => `${line.collector}: ${line.text}`).join(' ');
  const fits = lines.every((line) => line.fits);
  return {
    status: fits ? 'ok' : 'warn',
    detail: detail || 'no market is collected, or its size is not known yet',
  };
}

/** Compares ESI's own description with the limits of this release. */
async function checkDrifts(config: Config): Promise<Result> {
  const drifts = await withDatabase(config, silentLog, ({ db }) => readDrifts(db));
  if (drifts.length === 0) return { status: 'ok', detail: 'as in this release, or not compared yet' };
  const detail = drifts.map((d) => `${d.route}: ${d.drift}${d.adopted ? ' (adopted)' : ''}`).join('. ');
  return { status: 'warn', detail, advice: 'Check for a newer version of eve-data-collector.' };
}

/** Names what ESI sends and this release does not know. */
async function checkFields(config: Config): Promise<Result> {
  const found = await withDatabase(config, silentLog, listUnknownFields);
  if (found.length === 0) return { status: 'ok', detail: 'all are known' };
  const detail = `not collected, because they are new: ${found.map((one) => `${one.field} of ${one.route}`).join(', ')}`;
  return { status: 'warn', detail, advice: 'Check for a newer version of eve-data-collector.' };
}

function checkApplication(config: Config): Result {
  if (config.ESI_CLIENT_ID !== undefined)
    return { status: 'ok', detail: `set; its callback URL must be ${config.ESI_CALLBACK_URL}` };
  return {
    status: 'warn',
    detail: 'none: data of characters and corporations is not collected',
    advice:
      'Create one at https://developers.eveonline.com with the callback URL of ESI_CALLBACK_URL, then set ESI_CLIENT_ID and ESI_CLIENT_SECRET.',
  };
}
