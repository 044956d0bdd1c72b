import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse as parseDotenv } from 'dotenv';
import { z } from 'zod';
import { COMPATIBILITY_DATE } from '../esi/facts/routes.ts';
import { AppError } from '../lib/errors.ts';
import { isLoopback } from '../lib/loopback.ts';
import { escapeInvisible } from '../lib/text.ts';
import { hideSecretsOf } from './hide-secrets.ts';
import * as types from './setting-types.ts';
import { describeUnknownSettings } from './unknown-settings.ts';

/** Requests at once, unless the rate allows fewer. */
const DEFAULT_BURST = 50;

/** The regions of the trade hubs Jita, Amarr, Dodixie, Rens and Hek, and the one where PLEX is sold since July 2025. */
const DEFAULT_REGIONS = '10000002,10000043,10000032,10000030,10000042,19000001';

/** Every setting with its default and its meaning. docs/settings.md is generated from it (`npm run docs`). */
export const settings = {
  DATABASE_URL: types
    .url('postgres:', 'postgresql:')
    .optional()
    .describe('PostgreSQL 16 or newer. Unset: an embedded PostgreSQL under `DATA_DIR`.'),
  DATABASE_MAX_CONNECTIONS: types
    .wholeNumber(5, 500)
    .default(25)
    .describe('Connections that a process opens at most.'),
  DATABASE_MIN_CONNECTIONS: types
    .wholeNumber(0, 500)
    .default(5)
    .describe('Connections that a process keeps open. No more than `DATABASE_MAX_CONNECTIONS`.'),
  TEMPORAL_ADDRESS: types.hostAndPort
    .optional()
    .describe('Temporal server. Unset: an embedded one under `DATA_DIR`, with its Web UI.'),
  TEMPORAL_NAMESPACE: types.anyText.default('default').describe('Temporal namespace.'),
  TEMPORAL_API_KEY: types.anyText.optional().describe('API key of Temporal Cloud. Turns TLS on.'),
  TEMPORAL_TLS: types.boolean
    .optional()
    .describe('TLS to the Temporal server. Unset: on when an API key or another TLS setting is set.'),
  TEMPORAL_TLS_CLIENT_CERT_PATH: types.filePath
    .optional()
    .describe('File of the client certificate for mTLS.'),
  TEMPORAL_TLS_CLIENT_KEY_PATH: types.filePath.optional().describe('File of the client key for mTLS.'),
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: types.filePath
    .optional()
    .describe("File of the CA that signed the Temporal server's certificate."),
  TEMPORAL_TLS_SERVER_NAME: types.anyText
    .optional()
    .describe("Name in the Temporal server's certificate, where it differs from the address."),
  TEMPORAL_CLI_PATH: types.filePath
    .optional()
    .describe('An existing `temporal` executable for the embedded server.'),
  TEMPORAL_UI: types.boolean
    .default(true)
    .describe('Serve the Web UI of the embedded Temporal server, which has no login.'),
  DATA_DIR: types.filePath
    .default('./data')
    .transform((dir) => path.resolve(dir))
    .describe(
      'Folder of the embedded servers, downloads, the encryption key and `endpoints.json`. Closed to other users.',
    ),
  ESI_USER_AGENT: types.userAgent.describe(
    'Sent with every request, so that CCP can reach you. Required (not for the demo).',
  ),
  ESI_CLIENT_ID: types.anyText
    .optional()
    .describe('SSO application. Unset: data of characters and corporations is not collected.'),
  ESI_CLIENT_SECRET: types.anyText
    .optional()
    .describe('Secret of the SSO application. Only with `ESI_CLIENT_ID`.'),
  ESI_CALLBACK_URL: types.callbackUrl
    .default('http://localhost:8080/callback')
    .describe('Callback URL, exactly as registered with the SSO application. Must lead to `HTTP_PORT`.'),
  ESI_BASE_URL: types.secureAddress.default('https://esi.evetech.net').describe('ESI.'),
  SSO_BASE_URL: types.secureAddress
    .default('https://login.eveonline.com')
    .describe("EVE's login server. Its endpoints are read from its metadata document."),
  SDE_BASE_URL: types.secureAddress
    .default('https://developers.eveonline.com/static-data')
    .describe('Static data export.'),
  R2Z2_BASE_URL: types.secureAddress
    .default('https://r2z2.zkillboard.com')
    .describe("zKillboard's feed of killmails. Not used yet."),
  ESI_RATE_LIMIT: types
    .wholeNumber(1, 1_000_000)
    .default(300)
    .describe('Requests to ESI per minute, of all workers together.'),
  ESI_BURST_LIMIT: types
    .wholeNumber(1, 1_000_000)
    .optional()
    .describe(
      `Requests to ESI at once, no more than \`ESI_RATE_LIMIT\`. Unset: ${DEFAULT_BURST}, or \`ESI_RATE_LIMIT\` when that is lower.`,
    ),
  SNAPSHOT_CACHE_MB: types
    .wholeNumber(1, 100_000)
    .default(128)
    .describe(
      'Memory of each process for the published rows that it compares new ones with, 21 bytes a row. The largest ' +
        'snapshots that do not fit are compared in the database.',
    ),
  ESI_COMPATIBILITY_DATE: types.day
    .default(COMPATIBILITY_DATE)
    .describe(
      'Compatibility date that each request to ESI carries. The default is the one this release was built against.',
    ),
  COLLECT_UNIVERSE_DATA: types.boolean.default(true).describe('Collect static data.'),
  COLLECT_MARKET_ORDERS: types.boolean
    .default(true)
    .describe('Collect public market orders and market prices.'),
  COLLECT_MARKET_HISTORY: types.boolean.default(true).describe('Collect market history.'),
  COLLECT_INDUSTRY_DATA: types.boolean.default(true).describe('Collect industry indices and facilities.'),
  COLLECT_KILLMAILS: types.boolean.default(false).describe('Collect killmails. Not available yet.'),
  MARKET_REGIONS: types.regions
    .default(DEFAULT_REGIONS)
    .transform((text) => (text === 'all' ? ('all' as const) : [...new Set(text.split(',').map(Number))]))
    .describe(
      'Regions whose market is collected: the trade hubs, and 19000001, where PLEX is sold. `all` needs `COLLECT_UNIVERSE_DATA`.',
    ),
  MARKET_ORDERS_INTERVAL: types
    .duration('10s')
    .default('5m')
    .describe('Time between two runs of `market-orders`.'),
  MARKET_HISTORY_CRON: types.cron.default('0 12 * * *').describe('When `market-history` runs (UTC).'),
  UNIVERSE_UPDATE_CRON: types.cron.default('0 2 * * 0').describe('When `universe` runs (UTC).'),
  INDUSTRY_UPDATE_CRON: types.cron
    .default('30 11 * * *')
    .describe('When `industry-indices` and `industry-facilities` run (UTC).'),
  UNIVERSE_SOURCE: types
    .oneOf('sde', 'esi')
    .default('sde')
    .describe('Source of static data: the export (one download) or ESI (many requests).'),
  RETENTION_MARKET_ORDER_CHANGES: types.retention
    .default('0')
    .describe('How long superseded versions of market orders are kept.'),
  RETENTION_MARKET_TYPE_SERIES: types.retention
    .default('0')
    .describe('How long best prices and volumes per type are kept.'),
  RETENTION_MARKET_PRICES: types.retention.default('0').describe('How long market prices are kept.'),
  RETENTION_COLLECTION_RUNS: types.retention.default('90d').describe('How long finished runs are kept.'),
  RETENTION_REJECTED_ROWS: types.retention
    .default('30d')
    .describe('How long rows that failed validation are kept.'),
  TOKEN_ENCRYPTION_KEY: types.encryptionKeys
    .optional()
    .describe(
      'Keys of the stored tokens: the first encrypts, all decrypt. Unset: created once in `DATA_DIR/token.key`.',
    ),
  HTTP_HOST: types.listenHost
    .default('127.0.0.1')
    .describe('Address that page and API listen on. Beyond loopback `API_TOKEN` is required.'),
  HTTP_PORT: types.port
    .default(8080)
    .describe('Port of the page, the API and the login callback. 0: any free one.'),
  API_TOKEN: types.apiToken
    .optional()
    .describe('Bearer token of the API, and password of the page. Without it only this machine is served.'),
  METRICS_ENABLED: types.boolean.default(true).describe('Serve Prometheus metrics at `/metrics`.'),
  METRICS_HOST: types.listenHost
    .default('127.0.0.1')
    .describe(
      'Address that the metrics listen on. Beyond loopback `METRICS_TOKEN` or `API_TOKEN` is required.',
    ),
  METRICS_TOKEN: types.apiToken
    .optional()
    .describe('Bearer token of the metrics, which reads nothing else. `API_TOKEN` is accepted as well.'),
  METRICS_PORT: types.port.default(9090).describe('Port of the metrics. 0: any free one.'),
  LOG_LEVEL: types
    .oneOf('debug', 'info', 'warn', 'error')
    .default('info')
    .describe('Least severe messages that are logged.'),
  LOG_FORMAT: types
    .oneOf('json', 'pretty')
    .optional()
    .describe('Format of the log on stderr. Unset: `pretty` on a terminal, else `json`.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: types.webAddress.optional().describe('Receiver of traces. Not used yet.'),
} as const;

/** Settings are compared with each other only when each is valid by itself. */
const when = ({ issues }: z.core.ParsePayload) => issues.length === 0;

const hasMetricsToken = (s: { API_TOKEN?: string | undefined; METRICS_TOKEN?: string | undefined }) =>
  s.API_TOKEN !== undefined || s.METRICS_TOKEN !== undefined;

/** Whether a `host:port` is on another machine. The embedded server is not. */
const isRemote = (address = 'localhost:0') => !isLoopback(address.slice(0, address.lastIndexOf(':')));

const schema = z
  .object(settings)
  .refine((s) => s.DATABASE_MIN_CONNECTIONS <= s.DATABASE_MAX_CONNECTIONS, {
    path: ['DATABASE_MIN_CONNECTIONS'],
    message: 'no more than DATABASE_MAX_CONNECTIONS',
    when,
  })
  .refine((s) => (s.ESI_BURST_LIMIT ?? 1) <= s.ESI_RATE_LIMIT, {
    path: ['ESI_BURST_LIMIT'],
    message: 'no more than ESI_RATE_LIMIT',
    when,
  })
  .refine((s) => !s.METRICS_ENABLED || s.METRICS_PORT === 0 || s.METRICS_PORT !== s.HTTP_PORT, {
    path: ['METRICS_PORT'],
    message: 'another port than HTTP_PORT (0: any free one)',
    when,
  })
  .refine((s) => s.MARKET_REGIONS !== 'all' || s.COLLECT_UNIVERSE_DATA, {
    path: ['MARKET_REGIONS'],
    message: 'a list of ids when COLLECT_UNIVERSE_DATA is false: "all" is read from the universe',
  })
  .refine((s) => s.ESI_CLIENT_SECRET === undefined || s.ESI_CLIENT_ID !== undefined, {
    path: ['ESI_CLIENT_ID'],
    message: 'the client id that belongs to ESI_CLIENT_SECRET, or leave both out',
    when,
  })
  .refine((s) => s.API_TOKEN !== undefined || isLoopback(s.HTTP_HOST), {
    path: ['HTTP_HOST'],
    message: 'a loopback address (127.0.0.1, ::1, localhost), or set API_TOKEN',
    when,
  })
  .refine((s) => !s.METRICS_ENABLED || isLoopback(s.METRICS_HOST) || hasMetricsToken(s), {
    path: ['METRICS_HOST'],
    message: 'a loopback address (127.0.0.1, ::1, localhost), or set METRICS_TOKEN or API_TOKEN',
    when,
  })
  .refine(
    (s) => !(s.TEMPORAL_API_KEY !== undefined && s.TEMPORAL_TLS === false && isRemote(s.TEMPORAL_ADDRESS)),
    {
      path: ['TEMPORAL_TLS'],
      message: 'true, because TEMPORAL_API_KEY would be sent in the clear',
      when,
    },
  )
  .transform((s) => ({
    ...s,
    ESI_BURST_LIMIT: s.ESI_BURST_LIMIT ?? Math.min(DEFAULT_BURST, s.ESI_RATE_LIMIT),
  }));

/** The settings of a process, with defaults filled in. */
export type Config = z.infer<typeof schema>;

/** Values of these settings are never shown. */
const SECRET = /SECRET|KEY|TOKEN|DATABASE_URL/;

/** Values that may contain a user and a password are never shown either. */
const mayHaveUserInfo = (value: string): boolean => {
  const colon = value.indexOf(':');
  return colon >= 0 && value.includes('@', colon);
};

/** The environment, with `.env` of the working folder for what the environment does not set. */
export function readEnvironment(cwd = process.cwd()): NodeJS.ProcessEnv {
  let file = {};
  try {
    file = parseDotenv(readFileSync(path.join(cwd, '.env')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw badSettings([`Could not read .env: ${String(error)}.`]);
  }
  return { ...file, ...process.env };
}

/** The environment without `.env`: the demo must not use the servers and the data of a real installation. */
export const readProcessEnvironment = (): NodeJS.ProcessEnv => ({ ...process.env });

/**
 * Validates the settings. An empty value counts as not set. Throws AppError BAD_SETTINGS with a line for each setting that
 * is unknown or not valid.
 */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim() !== ''));
  const unknown = describeUnknownSettings(Object.keys(given), Object.keys(settings));
  const parsed = schema.safeParse(given);
  const invalid = parsed.success ? [] : parsed.error.issues.map((issue) => formatInvalid(issue, given));
  if (unknown.length + invalid.length > 0 || !parsed.success) throw badSettings([...unknown, ...invalid]);
  hideSecretsOf(parsed.data);
  return parsed.data;
}

function formatInvalid(issue: z.core.$ZodIssue, given: Record<string, string | undefined>): string {
  const name = String(issue.path[0]);
  const value = given[name];
  if (value === undefined) return `${name} is not set. Use ${issue.message}.`;
  if (issue.code === 'too_small') return `${name} is too short: use ${issue.message}.`;
  const isSecret = SECRET.test(name) || mayHaveUserInfo(value);
  return `${isSecret ? name : `${name}="${escapeInvisible(value)}"`} is not valid. Use ${issue.message}.`;
}

const badSettings = (lines: readonly string[]) =>
  new AppError(lines.join('\n'), { code: 'BAD_SETTINGS', verdict: 'fail' });
