import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse as parseDotenv } from 'dotenv';
import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { AppError } from '../lib/errors.ts';
import { COMPATIBILITY_DATE } from '../esi/facts/routes.ts';
import {
  apiToken,
  bool,
  callback,
  count,
  cron,
  duration,
  host,
  http,
  port,
  retention,
  tokenKeys,
  url,
  userAgent,
} from './setting-types.ts';

/** Settings with one of these beginnings are ours: an unknown one is a slip of the pen, and is refused. */
const PREFIXES = [
  'DATABASE_',
  'METRICS_',
  'ESI_',
  'SSO_',
  'SDE_',
  'R2Z2_',
  'COLLECT_',
  'MARKET_',
  'UNIVERSE_',
  'INDUSTRY_',
  'RETENTION_',
];

/** Names of Temporal's own programs that are near ones of ours. */
const OTHERS = /^TEMPORAL_(CLI_(?!PATH)|TLS_\w+_DATA$)/;

/** Requests at once, unless the rate allows fewer. */
const DEFAULT_BURST = 50;

/** The five regions of the trade hubs: Jita, Amarr, Dodixie, Rens, Hek. */
const DEFAULT_REGIONS = '10000002,10000043,10000032,10000030,10000042';

const settings = {
  DATABASE_URL: url('postgres:', 'postgresql:').optional(),
  DATABASE_MAX_CONNECTIONS: count(5, 500).default(25),
  DATABASE_MIN_CONNECTIONS: count(0, 500).default(5),
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s/:]+:\d+$/, 'host:port')
    .optional(),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_TLS: bool.optional(),
  TEMPORAL_TLS_CLIENT_CERT_PATH: z.string().optional(),
  TEMPORAL_TLS_CLIENT_KEY_PATH: z.string().optional(),
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: z.string().optional(),
  TEMPORAL_TLS_SERVER_NAME: z.string().optional(),
  TEMPORAL_CLI_PATH: z.string().optional(),
  DATA_DIR: z
    .string()
    .min(1)
    .default('./data')
    .transform((dir) => path.resolve(dir)),
  ESI_USER_AGENT: userAgent,
  ESI_CLIENT_ID: z.string().optional(),
  ESI_CLIENT_SECRET: z.string().optional(),
  ESI_CALLBACK_URL: callback.default('http://localhost:8080/callback'),
  ESI_BASE_URL: http.default('https://esi.evetech.net'),
  SSO_BASE_URL: http.default('https://login.eveonline.com'),
  SDE_BASE_URL: http.default('https://developers.eveonline.com/static-data'),
  R2Z2_BASE_URL: http.default('https://r2z2.zkillboard.com'),
  ESI_RATE_LIMIT: count(1, 1_000_000).default(300),
  ESI_BURST_LIMIT: count(1, 1_000_000).optional(),
  ESI_COMPATIBILITY_DATE: z.iso.date('a date such as 2026-08-18').default(COMPATIBILITY_DATE),
  COLLECT_UNIVERSE_DATA: bool.default(true),
  COLLECT_MARKET_ORDERS: bool.default(true),
  COLLECT_MARKET_HISTORY: bool.default(true),
  COLLECT_INDUSTRY_DATA: bool.default(true),
  COLLECT_KILLMAILS: bool.default(false),
  MARKET_REGIONS: z
    .string()
    .regex(/^(all|\d{8}(\s*,\s*\d{8})*)$/, 'region ids separated by commas, or "all"')
    .default(DEFAULT_REGIONS)
    .transform((text) => (text === 'all' ? ('all' as const) : [...new Set(text.split(',').map(Number))])),
  MARKET_ORDERS_INTERVAL: duration('10s').default('5m'),
  MARKET_HISTORY_CRON: cron.default('0 12 * * *'),
  UNIVERSE_UPDATE_CRON: cron.default('0 2 * * 0'),
  INDUSTRY_UPDATE_CRON: cron.default('30 11 * * *'),
  UNIVERSE_SOURCE: z.enum(['sde', 'esi']).default('sde'),
  RETENTION_MARKET_ORDER_CHANGES: retention.default('0'),
  RETENTION_MARKET_TYPE_SERIES: retention.default('0'),
  RETENTION_MARKET_PRICES: retention.default('0'),
  RETENTION_COLLECTION_RUNS: retention.default('90d'),
  RETENTION_REJECTED_ROWS: retention.default('30d'),
  TOKEN_ENCRYPTION_KEY: tokenKeys.optional(),
  HTTP_HOST: host.default('127.0.0.1'),
  HTTP_PORT: port.default(8080),
  API_TOKEN: apiToken.optional(),
  METRICS_ENABLED: bool.default(true),
  METRICS_PORT: port.default(9090),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  LOG_FORMAT: z.enum(['json', 'pretty']).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: http.optional(),
} as const;

/** Settings are compared with each other when each is good by itself. */
const when = ({ issues }: z.core.ParsePayload) => issues.length === 0;

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
  .refine((s) => s.MARKET_REGIONS !== 'all' || s.COLLECT_UNIVERSE_DATA, {
    path: ['MARKET_REGIONS'],
    message: 'a list of ids when COLLECT_UNIVERSE_DATA is false: "all" is read from the universe',
  })
  .refine((s) => s.API_TOKEN !== undefined || isLoopback(s.HTTP_HOST), {
    path: ['HTTP_HOST'],
    message: 'a loopback address (127.0.0.1, ::1, localhost) unless API_TOKEN is set',
    when,
  })
  .transform((s) => ({
    ...s,
    ESI_BURST_LIMIT: s.ESI_BURST_LIMIT ?? Math.min(DEFAULT_BURST, s.ESI_RATE_LIMIT),
  }));

export type Config = z.infer<typeof schema>;
export type SettingName = keyof typeof settings;

export const SETTING_NAMES = Object.keys(settings) as SettingName[];

/** Values of these are never shown. */
const SECRET = /SECRET|KEY|TOKEN|DATABASE_URL/;

/** Nor are values that may have user and password in them. */
const USER_INFO = /:.*@/s;

/** Whether an address is this machine's own. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** The environment with `.env` of the working folder beneath it: what is set outside wins. */
export function readEnvironment(cwd = process.cwd()): NodeJS.ProcessEnv {
  let file = {};
  try {
    file = parseDotenv(readFileSync(path.join(cwd, '.env')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw badSettings([`.env cannot be read: ${String(error)}`]);
  }
  return { ...file, ...process.env };
}

/**
 * The settings, checked. An empty value counts as not set. Throws AppError BAD_SETTINGS with a sentence per setting
 * that is malformed, out of range, or a slip of the pen.
 */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim() !== ''));
  const unknown = Object.keys(given)
    .filter((name) => !(name in settings) && isSlip(name))
    .map((name) => `${name} is no setting of ours${hint(name)}`);
  const parsed = schema.safeParse(given);
  const bad = parsed.success ? [] : parsed.error.issues.map((issue) => sentence(issue, given));
  if (unknown.length + bad.length > 0 || !parsed.success) throw badSettings([...unknown, ...bad]);
  return parsed.data;
}

function sentence(issue: z.core.$ZodIssue, given: Record<string, string | undefined>): string {
  const name = String(issue.path[0]);
  const value = given[name];
  const isSecret = SECRET.test(name) || USER_INFO.test(value ?? '');
  const found = value === undefined ? 'is not set' : isSecret ? 'is set to something else' : `is "${value}"`;
  return `${name} ${found}; accepted is ${accepted(issue)}`;
}

function accepted(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small' && issue.origin === 'number') return `${issue.minimum} or more`;
  if (issue.code === 'too_big' && issue.origin === 'number') return `${issue.maximum} or less`;
  return issue.message;
}

/** Beginnings that are not ours alone (HTTP_PROXY, OTEL_SERVICE_NAME): there a slip is what is near one of ours. */
function isSlip(name: string): boolean {
  if (PREFIXES.some((prefix) => name.startsWith(prefix))) return true;
  const [firstWord] = name.split('_', 1);
  return !OTHERS.test(name) && (nearest(name)?.startsWith(`${firstWord}_`) ?? false);
}

/** The known setting that differs by a letter or two. */
const nearest = (name: string) => SETTING_NAMES.find((known) => distance(known, name) <= 2);

function hint(name: string): string {
  const near = nearest(name);
  return near ? `; did you mean ${near}?` : '; see the list in README.md';
}

function badSettings(sentences: readonly string[]): AppError {
  return new AppError(sentences.map((s) => (s.endsWith('?') ? s : `${s}.`)).join('\n'), {
    code: 'BAD_SETTINGS',
    verdict: 'fail',
  });
}
