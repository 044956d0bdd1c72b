import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** The result of a finished program. */
export interface Finished {
  /** Undefined when it could not be started or was ended by a signal. */
  code: number | undefined;
  output: string;
}

export interface RunOptions {
  uid?: number;
  gid?: number;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  timeout?: number;
}

const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'SystemRoot', 'LD_LIBRARY_PATH', 'TZ'];

/**
 * The environment of the servers: only what programs need. Ours contains secrets, which they must not get, and settings
 * for other servers (PGPORT, TEMPORAL_ADDRESS), which would mislead them.
 */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const known = INHERITED.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...Object.fromEntries(known), LC_ALL: 'C' } as NodeJS.ProcessEnv;
}

/** Enough for the longest output that is read (a list of all processes), and a limit for a runaway. */
const MAX_OUTPUT = 8 * 1024 * 1024;

/** Runs a program to its end. Never throws: a program that cannot be started has no exit code. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve) => {
    try {
      const all = { ...options, maxBuffer: MAX_OUTPUT, windowsHide: true };
      execFile(file, [...args], all, (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : undefined) : 0;
        const printed = `${stdout}${stderr}`.trim();
        resolve({ code, output: printed || (error?.message ?? '') });
      });
    } catch (error) {
      resolve({ code: undefined, output: String(error) });
    }
  });
}

/** Ticks since boot repeat after a reboot, so the boot is part of the start time. Eight characters are enough. */
async function bootId(): Promise<string> {
  const id = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'boot');
  return id.slice(0, 8);
}

/**
 * The start time of a process, which differs when its id is reused. Undefined when there is no such process, or only a
 * zombie. It consists of letters, digits and dashes, so that it can be part of a file name.
 */
export async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    // The second field is the program's name in parentheses and may contain anything, so fields count from its end.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    const state = fields?.[0]; // field 3 of the file
    const ticks = fields?.[19]; // field 22
    if (!ticks || state === 'Z' || state === 'X') return undefined;
    return `${await bootId()}-${ticks}`;
  }
  if (process.platform === 'win32') return isTaken(pid) ? 'alive' : undefined;
  const { code, output } = await run('ps', ['-o', 'lstart=', '-p', String(pid)]);
  return code === 0 && output ? output.replaceAll(/[^A-Za-z0-9]+/g, '-') : undefined;
}

/** Whether the process id is in use, if only by a zombie. */
export function isTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The command line of a process with its arguments separated by spaces; undefined when there is no such process. */
export async function processCommand(pid: number): Promise<string | undefined> {
  if ((await processStart(pid)) === undefined) return undefined;
  if (process.platform === 'linux') {
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
    return raw?.replaceAll('\0', ' ').trim();
  }
  const { code, output } = await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)]);
  return code === 0 ? output : undefined;
}

/** Ids of all other processes whose command line contains all of these texts. */
export async function findProcesses(...texts: string[]): Promise<number[]> {
  const matches = (command: string | undefined) => !!command && texts.every((text) => command.includes(text));
  const found: number[] = [];
  if (process.platform === 'linux') {
    for (const name of await readdir('/proc')) {
      if (/^\d+$/.test(name) && matches(await processCommand(Number(name)))) found.push(Number(name));
    }
  } else if (process.platform !== 'win32') {
    const { output } = await run('ps', ['-axww', '-o', 'pid=,command=']);
    for (const line of output.split('\n')) if (matches(line)) found.push(Number.parseInt(line, 10));
  }
  return found.filter((pid) => pid !== process.pid);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

/** Poll interval for a process that is expected to end within seconds. */
const POLL_MS = 25;
/** The kernel may need this long to remove a process after SIGKILL. */
const KILL_MS = 5_000;

async function hasEnded(pid: number, start: string, ms: number): Promise<boolean> {
  for (let waited = 0; waited < ms; waited += POLL_MS) {
    if ((await processStart(pid)) !== start) return true;
    await sleep(POLL_MS);
  }
  return false;
}

/** Ends a process with SIGTERM, and with SIGKILL when it is still there after `graceMs`. Returns whether it ended. */
export async function endProcess(pid: number, graceMs: number): Promise<boolean> {
  const start = await processStart(pid);
  if (start === undefined) return true;
  signal(pid, 'SIGTERM');
  if (await hasEnded(pid, start, graceMs)) return true;
  signal(pid, 'SIGKILL');
  return hasEnded(pid, start, KILL_MS);
}
