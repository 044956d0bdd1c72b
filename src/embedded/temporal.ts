import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, type Clock } from '../lib/clock.ts';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { choosePort, freePort, isListening } from './ports.ts';
import { endProcess, plainEnvironment } from './processes.ts';
import { boundLogFile, logTail } from './server-log.ts';
import { findTemporalCli } from './temporal-cli.ts';
import { applyRetention, keepRetention } from './temporal-retention.ts';
import {
  GRACE_MS,
  dbArgument,
  endOrphans,
  lastPorts,
  recordServer,
  moveOtherVersionAside,
  storePorts,
} from './temporal-state.ts';

/** A running embedded Temporal development server. */
export interface EmbeddedTemporal {
  /** `host:port` for clients and workers. */
  address: string;
  /** Address of its Web UI; undefined when it is not served. */
  ui: string | undefined;
  pid: number;
  stop(): Promise<void>;
}

export interface EmbeddedTemporalOptions {
  /** Folder of the server: state, pid, ports and log. */
  dir: string;
  namespace: string;
  /** An executable to use; undefined: one is searched, and downloaded into `dir` when there is none. */
  cliPath?: string;
  /** Undefined or 0: the port used last, else the default, else any. */
  port?: number;
  uiPort?: number;
  /** Whether the Web UI is served. Default: true. */
  webUi?: boolean;
  /** Bytes of state from which on closed runs are retained for a day instead of a week. Default: 1 GB. */
  maxStateBytes?: number;
  /** For tests: stores nothing. */
  inMemory?: boolean;
  log: Log;
  clock?: Clock;
  extraArgs?: string[];
}

/** Temporal's default ports, which people and tools expect. */
const PORT = 7233;
const UI_PORT = 8233;

const SERVER_ARGS = [
  '--ip=127.0.0.1',
  '--log-level=warn',
  '--log-format=json',
  // One partition per queue, because several would share its rate limit and a slow one would starve.
  '--dynamic-config-value=matching.numTaskqueueReadPartitions=1',
  '--dynamic-config-value=matching.numTaskqueueWritePartitions=1',
];

/** The write-ahead log survives kill -9. NORMAL saves a sync per step and risks the last moments only on a power cut. */
const FILE_ARGS = ['--sqlite-pragma=journal_mode=WAL', '--sqlite-pragma=synchronous=NORMAL'];

/** A start takes 0.2 to 2 s, and longer after a crash and on a slow disk. */
const READY_MS = 60_000;
const READY_POLL_MS = 50;

const PORT_OWNER = { name: 'Temporal server', code: 'TEMPORAL_PORT' };

async function choosePorts(
  { port: wanted, uiPort: wantedUi }: EmbeddedTemporalOptions,
  dir: string,
): Promise<{ port: number; uiPort: number }> {
  const last = await lastPorts(dir);
  const port = await choosePort(PORT_OWNER, wanted, last.port ?? PORT);
  let uiPort = await choosePort(PORT_OWNER, wantedUi, last.uiPort ?? UI_PORT);
  while (uiPort === port) uiPort = await freePort();
  return { port, uiPort };
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
    child.once('error', () => undefined); // detected as a missing pid or an exit
    child.unref();
    return child;
  } finally {
    await output.close();
  }
}

function startFailed(dir: string, reason: string, logFile: string): AppError {
  return new AppError(
    `The embedded Temporal server in ${dir} did not start: ${reason} (full log: ${logFile}). Fix the cause, or move ` +
      'that folder aside (schedules are created again; open runs are lost), or set TEMPORAL_ADDRESS to your own ' +
      'Temporal server.',
    { code: 'TEMPORAL_START', verdict: 'fail' },
  );
}

/** Where a server runs. */
interface ServerFiles {
  dir: string;
  logFile: string;
  cli: string;
}

async function waitUntilReady(
  child: ChildProcess,
  { dir, logFile }: ServerFiles,
  isReady: () => Promise<boolean>,
): Promise<void> {
  let lastError: unknown;
  // A server takes real time, whatever clock the rest of the process uses.
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
      lastError = error;
    }
  }
  throw startFailed(dir, describeError(lastError ?? 'it does not listen'), logFile);
}

/** Another program may take a port between its check and the start. The next attempt chooses another. */
const MAX_ATTEMPTS = 3;

async function startOnce(
  options: EmbeddedTemporalOptions,
  files: ServerFiles,
): Promise<Omit<EmbeddedTemporal, 'stop'>> {
  const { dir, logFile, cli } = files;
  const { port, uiPort } = await choosePorts(options, dir);
  const state = options.inMemory ? [] : [dbArgument(dir), ...FILE_ARGS];
  const addresses = [`--port=${port}`, `--ui-port=${uiPort}`, `--namespace=${options.namespace}`];
  const webUi = options.webUi ?? true;
  const args = [
    'server',
    'start-dev',
    ...SERVER_ARGS,
    ...addresses,
    ...(webUi ? [] : ['--headless']),
    ...state,
  ];
  args.push(...(options.extraArgs ?? []));

  const child = await spawnServer(cli, args, dir, logFile);
  const { pid } = child;
  if (pid === undefined) throw startFailed(dir, `${cli} cannot be started`, logFile);
  try {
    await recordServer(dir, pid);
    const address = `127.0.0.1:${port}`;
    const ports = webUi ? [port, uiPort] : [port];
    await waitUntilReady(child, files, async () => {
      for (const each of ports) if (!(await isListening(each))) return false;
      await applyRetention({ dir, address, namespace: options.namespace, maxBytes: options.maxStateBytes });
      return true;
    });
    await storePorts(dir, { port, uiPort });
    return { address, ui: webUi ? `http://127.0.0.1:${uiPort}` : undefined, pid };
  } catch (error) {
    await endProcess(pid, GRACE_MS);
    throw error;
  }
}

/**
 * Starts the Temporal CLI's development server, with its Web UI unless that is switched off, on loopback only. Takes over what an earlier, killed
 * process left: its state, its ports, and its running server, which is ended first.
 */
export async function startEmbeddedTemporal(options: EmbeddedTemporalOptions): Promise<EmbeddedTemporal> {
  const { log, clock = systemClock } = options;
  await mkdir(options.dir, { recursive: true });
  const dir = await realpath(options.dir);
  const logFile = join(dir, 'temporal.log');
  const cli = await findTemporalCli({ cliPath: options.cliPath, cacheDir: join(dir, 'cli'), log });
  await endOrphans(dir, log);
  if (!options.inMemory) await moveOtherVersionAside(dir, cli, clock, log);

  const stopBounding = await boundLogFile(logFile);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const running = await startOnce(options, { dir, logFile, cli });
      log.info({ address: running.address, ui: running.ui, dir }, 'embedded Temporal server is ready');
      const { namespace, maxStateBytes: maxBytes } = options;
      const stopRetention = keepRetention({ dir, address: running.address, namespace, maxBytes });
      const stop = async () => {
        stopBounding();
        stopRetention();
        await endProcess(running.pid, GRACE_MS);
      };
      return { ...running, stop };
    } catch (error) {
      const isRetryable = error instanceof AppError && error.code === 'TEMPORAL_START';
      if (!isRetryable || attempt === MAX_ATTEMPTS) {
        stopBounding();
        throw error;
      }
      log.warn(
        { attempt, error: describeError(error) },
        'the Temporal server did not start and is tried again',
      );
    }
  }
}
