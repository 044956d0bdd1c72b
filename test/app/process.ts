import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Endpoints } from '../../src/app/endpoints.ts';
import { eventually } from '../support/temporal.ts';

const BIN = path.join(import.meta.dirname, '..', '..', 'bin', 'eve-collector.mjs');

/** The schedules that there are when only the universe and the market's orders are collected. */
export const SCHEDULES = ['universe', 'market-orders', 'market-prices', 'maintenance'];

/** The little of our environment that a program needs; settings of the person who runs the tests are none of it. */
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'SystemRoot'];

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command with --json printed. */
export interface Printed<T> {
  readonly code: number | null;
  readonly value: T;
}

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it has printed so far. */
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<Ended>;
}

/** A place to run commands in: a data directory and settings of its own, and a working folder without `.env`. */
export interface Place {
  readonly dataDir: string;
  /** Starts a command. */
  start(args: readonly string[], settings?: Record<string, string>): Running;
  /** Runs a command to its end. */
  run(...args: string[]): Promise<Ended>;
  /** Runs a command with --json; its standard output has to be one JSON value and nothing else. */
  json<T>(...args: string[]): Promise<Printed<T>>;
  /** Starts `up` and waits until it has shown its screen. */
  up(settings?: Record<string, string>): Promise<Running & { readonly endpoints: Endpoints }>;
  readEndpoints(): Promise<Endpoints | undefined>;
  /** Ends what is left, and removes the folder. */
  close(): Promise<void>;
}

export async function makePlace(settings: Record<string, string>): Promise<Place> {
  const dir = await mkdtemp(path.join(process.env['EVE_TEST_TMP'] ?? tmpdir(), 'eve-up-'));
  const dataDir = path.join(dir, 'data');
  const children = new Set<Running>();
  const base = Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]]));
  const own = {
    ESI_USER_AGENT: 'eve-collector-test (test@example.com)',
    ...{ HTTP_PORT: '0', METRICS_PORT: '0' },
    ...{ COLLECT_MARKET_HISTORY: 'false', COLLECT_INDUSTRY_DATA: 'false', COLLECT_KILLMAILS: 'false' },
  };

  const start: Place['start'] = (args, more = {}) => {
    const env = { ...base, ...own, DATA_DIR: dataDir, ...settings, ...more };
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: dir,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const text = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (text.stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (text.stderr += String(chunk)));
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...text }));
    const running = { child, pid: child.pid!, ended, stdout: () => text.stdout, stderr: () => text.stderr };
    children.add(running);
    void ended.then(() => children.delete(running));
    return running;
  };
  const run: Place['run'] = (...args) => start(args).ended;
  const readEndpoints = async () => {
    const text = await readFile(path.join(dataDir, 'endpoints.json'), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Endpoints);
  };
  return {
    ...{ dataDir, start, run, readEndpoints },
    async json<T>(...args: string[]): Promise<Printed<T>> {
      const { code, stdout, stderr } = await run(...args, '--json');
      if (!/^[^\n]+\n$/.test(stdout)) throw new Error(`no single value on stdout: ${stdout}\n${stderr}`);
      return { code, value: JSON.parse(stdout) as T };
    },
    async up(more) {
      const running = start(['up'], more);
      const ready = async () =>
        running.child.exitCode !== null || running.stdout().includes('Ctrl-C ends it');
      await eventually('the screen', ready, 60_000);
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
