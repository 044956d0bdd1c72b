import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Endpoints } from '../../src/app/endpoints.ts';
import type { HttpStatus } from '../../src/http/http-sources.ts';
import type { Simulator } from '../../simulator/index.ts';
import { eventually } from './test-temporal.ts';
import { TEST_USER_AGENT } from './test-user-agent.ts';

const BIN = path.join(import.meta.dirname, '..', '..', 'bin', 'eve-collector.mjs');

/** The schedules that exist when only the universe and market orders are collected. */
export const SCHEDULES = ['universe', 'market-orders', 'market-prices', 'maintenance'];

/** The variables that a process inherits. Settings of the person who runs the tests must not reach it. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'SystemRoot'];

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command with --json printed. */
export interface PrintedJson<T> {
  readonly code: number | null;
  readonly value: T;
}

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The output so far. */
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<Ended>;
}

export type RunningUp = Running & { readonly endpoints: Endpoints };

/** Runs commands with a data directory and settings of their own, in a folder without `.env`. */
export interface CommandRunner {
  readonly dataDir: string;
  /** Starts a command. */
  start(args: readonly string[], settings?: Record<string, string>): Running;
  /** Runs a command to its end. */
  run(...args: string[]): Promise<Ended>;
  /** Runs a command with --json. Throws when its stdout is anything but one JSON value. */
  json<T>(...args: string[]): Promise<PrintedJson<T>>;
  /** Starts `up` and waits for its banner. */
  up(settings?: Record<string, string>): Promise<RunningUp>;
  readEndpoints(): Promise<Endpoints | undefined>;
  /** Kills what still runs, and removes the folder. */
  close(): Promise<void>;
}

/** The process ids of the embedded servers of a running `up`: PostgreSQL and Temporal. */
export async function embeddedServerPids(dataDir: string): Promise<[postgres: number, temporal: number]> {
  const postmaster = await readFile(path.join(dataDir, 'postgres/cluster/postmaster.pid'), 'utf8');
  const temporal = await readFile(path.join(dataDir, 'temporal/temporal.pid'), 'utf8');
  return [Number.parseInt(postmaster, 10), (JSON.parse(temporal) as { pid: number }).pid];
}

/** What GET /api/status of a running `up` returns. */
export const fetchStatus = async ({ endpoints }: RunningUp): Promise<HttpStatus> =>
  (await (await fetch(`${endpoints.http}/api/status`)).json()) as HttpStatus;

/** The settings that make a process use a simulated ESI. */
export const simulatorSettings = (sim: Simulator) => ({
  ESI_BASE_URL: sim.url,
  SDE_BASE_URL: sim.sdeUrl,
  SSO_BASE_URL: sim.ssoUrl,
});

export async function createCommandRunner(settings: Record<string, string>): Promise<CommandRunner> {
  const dir = await mkdtemp(path.join(process.env['EVE_TEST_TMP'] ?? tmpdir(), 'eve-up-'));
  const dataDir = path.join(dir, 'data');
  const children = new Set<Running>();
  const environment = {
    ...Object.fromEntries(INHERITED.map((name) => [name, process.env[name]])),
    ESI_USER_AGENT: TEST_USER_AGENT,
    HTTP_PORT: '0',
    METRICS_PORT: '0',
    COLLECT_MARKET_HISTORY: 'false',
    COLLECT_INDUSTRY_DATA: 'false',
    COLLECT_KILLMAILS: 'false',
    DATA_DIR: dataDir,
    ...settings,
  };

  const start: CommandRunner['start'] = (args, overrides = {}) => {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: dir,
      env: { ...environment, ...overrides },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (output.stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (output.stderr += String(chunk)));
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }));
    const running = {
      child,
      pid: child.pid!,
      ended,
      stdout: () => output.stdout,
      stderr: () => output.stderr,
    };
    children.add(running);
    void ended.then(() => children.delete(running));
    return running;
  };
  const run: CommandRunner['run'] = (...args) => start(args).ended;
  const readEndpoints = async () => {
    const text = await readFile(path.join(dataDir, 'endpoints.json'), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Endpoints);
  };
  return {
    dataDir,
    start,
    run,
    readEndpoints,
    async json<T>(...args: string[]): Promise<PrintedJson<T>> {
      const { code, stdout, stderr } = await run(...args, '--json');
      if (!/^[^\n]+\n$/.test(stdout)) throw new Error(`no single value on stdout: ${stdout}\n${stderr}`);
      return { code, value: JSON.parse(stdout) as T };
    },
    async up(overrides) {
      const running = start(['up'], overrides);
      const isReady = async () =>
        running.child.exitCode !== null || running.stdout().includes('Press Ctrl-C to stop it');
      await eventually('the banner', isReady, 60_000);
      const endpoints = await readEndpoints();
      if (running.child.exitCode !== null || endpoints?.pid !== running.pid)
        throw new Error(`up did not start:\n${running.stdout()}${running.stderr()}`);
      return { ...running, endpoints };
    },
    async close() {
      for (const running of children) {
        running.child.kill('SIGKILL');
        await running.ended;
      }
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Sends a signal (Ctrl-C) and returns the milliseconds until the process ended. */
export async function interrupt(
  { child, ended }: Running,
  signal: NodeJS.Signals = 'SIGINT',
): Promise<number> {
  const started = Date.now();
  if (child.exitCode === null) child.kill(signal);
  await ended;
  return Date.now() - started;
}
