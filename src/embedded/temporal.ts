import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, type Clock } from '../lib/clock.ts';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { freePort, isListening, isPortFree } from './ports.ts';
import { endProcess, plainEnvironment } from './processes.ts';
import { boundLogFile, logTail } from './server-log.ts';
import { findTemporalCli } from './temporal-cli.ts';
import { checkNamespace } from './temporal-namespace.ts';
import {
  GRACE_MS,
  dbArgument,
  endOrphans,
  lastPorts,
  recordServer,
  rememberPorts,
  setAsideOtherVersion,
} from './temporal-state.ts';

/** A running embedded Temporal development server. */
export interface EmbeddedTemporal {
  /** `host:port` for clients and workers. */
  address: string;
  /** Address of its web page. */
  ui: string;
  pid: number;
  stop(): Promise<void>;
}

export interface EmbeddedTemporalOptions {
  /** Folder of the server's own: state, pid, ports and log. */
  dir: string;
  namespace: string;
  /** An executable to use; undefined: searched for, and downloaded into `dir` when there is none. */
  cliPath?: string;
  /** Undefined or 0: the last used port, else the usual one, else any. */
  port?: number;
  uiPort?: number;
  /** For tests: keeps nothing. */
  inMemory?: boolean;
  log: Log;
  clock?: Clock;
  extraArgs?: string[];
}

/** Temporal's own defaults, which people and tools expect. */
const PORT = 7233;
const UI_PORT = 8233;

const SERVER_ARGS = [
  '--ip=127.0.0.1',
  '--log-level=warn',
  '--log-format=json',
  // One partition per queue: with several, each gets its share of the rate limit and a slow one starves.
  '--dynamic-config-value=matching.numTaskqueueReadPartitions=1',
  '--dynamic-config-value=matching.numTaskqueueWritePartitions=1',
];

/** The write-ahead log survives kill -9; NORMAL saves a sync per step and risks the last moments on a power cut only. */
const FILE_ARGS = ['--sqlite-pragma=journal_mode=WAL', '--sqlite-pragma=synchronous=NORMAL'];

/** Starts take 0.2 to 2 s; after an ungraceful end and on a slow disk longer. */
const READY_MS = 60_000;
const READY_POLL_MS = 50;

async function choosePort(
  wanted: number | undefined,
  usual: number | undefined,
  other?: number,
): Promise<number> {
  if (wanted) {
    if (await isPortFree(wanted)) return wanted;
    throw new AppError(
      `Port ${wanted} for the embedded Temporal server is taken by another program. Free it, or choose another port ` +
        '(0: any free one).',
      { code: 'TEMPORAL_PORT', verdict: 'fail' },
    );
  }
  let port = await freePort(usual);
  while (port === other) port = await freePort();
  return port;
}

/** Starts the server in a session of its own, so that the terminal's Ctrl-C does not reach it. */
async function spawnServer(cli: string, args: string[], dir: string, logFile: string): Promise<ChildProcess> {
  const output = await open(logFile, 'a', 0o600);
  try {
    const child = spawn(cli, args, {
      cwd: dir,
      detached: true,
      env: plainEnvironment(),
      stdio: ['ignore', output.fd, output.fd],
    });
    child.once('error', () => undefined); // Seen as a missing pid or an exit below.
    child.unref();
    return child;
  } finally {
    await output.close();
  }
}

function startFailed(dir: string, said: string, logFile: string): AppError {
  return new AppError(
    `The embedded Temporal server in ${dir} does not start. It said: ${said} (all of it: ${logFile}). Repair that, or ` +
      'move that folder aside (schedules are made again; runs under way are lost), or set TEMPORAL_ADDRESS to a ' +
      'Temporal server of your own.',
    { code: 'TEMPORAL_START', verdict: 'fail' },
  );
}

interface Place {
  dir: string;
  logFile: string;
  cli: string;
}

async function waitUntilReady(
  child: ChildProcess,
  { dir, logFile }: Place,
  isReady: () => Promise<boolean>,
): Promise<void> {
  let last: unknown;
  // A server takes real time, whatever clock the rest of the program runs on.
  for (const until = Date.now() + READY_MS; Date.now() < until; await sleep(READY_POLL_MS)) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw startFailed(
        dir,
        (await logTail(logFile, 1)) || `exit ${child.exitCode ?? child.signalCode}`,
        logFile,
      );
    }
    try {
      if (await isReady()) return;
    } catch (error) {
      last = error;
    }
  }
  throw startFailed(dir, describeError(last ?? 'nothing'), logFile);
}

/** A port that was free a moment ago and is taken now: the next attempt chooses another. */
const ATTEMPTS = 3;

async function startOnce(
  options: EmbeddedTemporalOptions,
  place: Place,
): Promise<Omit<EmbeddedTemporal, 'stop'>> {
  const { dir, logFile, cli } = place;
  const last = await lastPorts(dir);
  const port = await choosePort(options.port, last.port ?? PORT);
  const uiPort = await choosePort(options.uiPort, last.uiPort ?? UI_PORT, port);
  const state = options.inMemory ? [] : [dbArgument(dir), ...FILE_ARGS];
  const own = [`--port=${port}`, `--ui-port=${uiPort}`, `--namespace=${options.namespace}`];
  const args = ['server', 'start-dev', ...SERVER_ARGS, ...own, ...state, ...(options.extraArgs ?? [])];

  const child = await spawnServer(cli, args, dir, logFile);
  const { pid } = child;
  if (pid === undefined) throw startFailed(dir, `${cli} cannot be started`, logFile);
  try {
    await recordServer(dir, pid);
    const address = `127.0.0.1:${port}`;
    const ports = args.includes('--headless') ? [port] : [port, uiPort];
    await waitUntilReady(child, place, async () => {
      for (const each of ports) if (!(await isListening(each))) return false;
      await checkNamespace(address, options.namespace);
      return true;
    });
    await rememberPorts(dir, { port, uiPort });
    return { address, ui: `http://127.0.0.1:${uiPort}`, pid };
  } catch (error) {
    await endProcess(pid, GRACE_MS);
    throw error;
  }
}

/**
 * Starts the Temporal CLI's development server with its web page, on loopback only. Takes over what an earlier, killed
 * process left: its state, its ports, and its still running server, which is ended first.
 */
export async function startEmbeddedTemporal(options: EmbeddedTemporalOptions): Promise<EmbeddedTemporal> {
  const { log, clock = systemClock } = options;
  await mkdir(options.dir, { recursive: true });
  const dir = await realpath(options.dir);
  const logFile = join(dir, 'temporal.log');
  const named = options.cliPath ? { cliPath: options.cliPath } : {};
  const cli = await findTemporalCli({ ...named, cacheDir: join(dir, 'cli'), log });
  await endOrphans(dir, log);
  if (!options.inMemory) await setAsideOtherVersion(dir, cli, clock, log);

  const stopBounding = await boundLogFile(logFile);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const running = await startOnce(options, { dir, logFile, cli });
      log.info({ address: running.address, ui: running.ui, dir }, 'embedded Temporal server is ready');
      const stop = async () => {
        stopBounding();
        await endProcess(running.pid, GRACE_MS);
      };
      return { ...running, stop };
    } catch (error) {
      const mayPass = error instanceof AppError && error.code === 'TEMPORAL_START' && attempt < ATTEMPTS;
      if (!mayPass) {
        stopBounding();
        throw error;
      }
      log.warn({ attempt, error: describeError(error) }, 'the Temporal server did not start, trying again');
    }
  }
}
