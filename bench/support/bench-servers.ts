import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { silentLog } from '../../src/lib/log.ts';

/** Calls the control interface of a simulator (see simulator/control-handler.ts) and returns the result. */
export type Control = (action: string, body?: object) => Promise<unknown>;

/** A simulated ESI in a process of its own, whose cost is not measured. */
export interface BenchSimulator {
  readonly url: string;
  readonly sdeUrl: string;
  readonly ssoUrl: string;
  readonly control: Control;
  stop(): Promise<void>;
}

/** Command line options of simulator/main.ts. */
export type SimulatorFlags = Readonly<Record<string, string | number | true>>;

export interface BenchServers {
  /** A folder that is removed after the bench. */
  readonly dir: string;
  readonly postgresVersion: string;
  /** Connection string of a database of the server. */
  databaseUrl(name: string): string;
  /** Runs a statement outside of the measured databases. */
  admin<T extends object>(text: string): Promise<T[]>;
  /** Starts a simulator with the command line options of simulator/main.ts. */
  simulator(options?: SimulatorFlags): Promise<BenchSimulator>;
  /** Registers a function that is called before the servers stop. */
  atEnd(stop: () => Promise<unknown>): void;
}

/** Runs a bench on new servers and stops them at its end, when it fails, and on Ctrl-C. */
export async function withServers(work: (servers: BenchServers) => Promise<void>): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  let stopping: Promise<void> | undefined;
  const stopEach = async () => {
    for (let stop = stops.pop(); stop; stop = stops.pop()) await stop().catch(() => undefined);
  };
  // Once: an interrupted bench fails as well, and must not end before its servers have.
  const stopAll = () => (stopping ??= stopEach());
  const interrupted = () => void stopAll().then(() => process.exit(130)); // as shells write "ended by SIGINT"
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const dir = await mkdtemp(join(tmpdir(), 'eve-bench-'));
    stops.push(() => rm(dir, { recursive: true, force: true }));
    await chmod(dir, 0o711); // as root PostgreSQL runs as another user, who has to pass
    await work(await startServers(dir, stops));
  } finally {
    await stopAll();
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  }
}

async function startServers(dir: string, stops: (() => Promise<unknown>)[]): Promise<BenchServers> {
  // The product's own settings: fsync and synchronous_commit are on.
  const postgres = await startEmbeddedPostgres({ dir: join(dir, 'postgres'), log: silentLog });
  stops.push(() => postgres.stop());
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  stops.push(() => admin.end());
  const { rows } = await admin.query<{ server_version: string }>('SHOW server_version');
  return {
    dir,
    postgresVersion: rows[0]!.server_version,
    databaseUrl: (name) => Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href,
    admin: async <T extends object>(text: string) => (await admin.query<T>(text)).rows,
    async simulator(options = {}) {
      const simulator = await startSimulator(options);
      stops.push(() => simulator.stop());
      return simulator;
    },
    atEnd: (stop) => stops.push(stop),
  };
}

async function startSimulator(options: SimulatorFlags): Promise<BenchSimulator> {
  const script = fileURLToPath(new URL('../../simulator/main.js', import.meta.url));
  const args = Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
  // Standard input is a pipe, so the simulator ends by itself when the bench is killed.
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  type Ready = Pick<BenchSimulator, 'url' | 'sdeUrl' | 'ssoUrl'>;
  const { url, sdeUrl, ssoUrl } = JSON.parse(await firstLine(child)) as Ready;
  return {
    url,
    sdeUrl,
    ssoUrl,
    control: controlOf(url),
    stop: () => ended(child),
  };
}

/** The control interface of the simulator at this address. */
export function controlOf(url: string): Control {
  return async (action, body = {}) => {
    const answer = await fetch(`${url}/__simulator/${action}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`the simulator refused ${action}: ${await answer.text()}`);
    return ((await answer.json()) as { result?: unknown }).result;
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout! }).once('line', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the simulator ended with ${code} before it was ready`)));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
