import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a finished program ended, and what it printed. */
export interface Finished {
  /** Exit code; undefined when it could not be started or was ended by a signal. */
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

const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'SystemRoot', 'LD_LIBRARY_PATH', 'TZ'];

/**
 * The environment of the servers: the little that programs need. Ours holds secrets, which are none of their business,
 * and a person's settings for other servers (PGPORT, TEMPORAL_ADDRESS), which would mislead them.
 */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const known = PASSED_ON.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...Object.fromEntries(known), LC_ALL: 'C' } as NodeJS.ProcessEnv;
}

/** Long enough for the longest answer we read (a list of all processes), short enough to stop a runaway. */
const MAX_OUTPUT = 8 * 1024 * 1024;

/** Runs a program to its end; never throws: a program that cannot be started has no exit code. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve) => {
    try {
      const all = { ...options, maxBuffer: MAX_OUTPUT, windowsHide: true };
      execFile(file, [...args], all, (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : undefined) : 0;
        const started = `${stdout}${stderr}`.trim();
        resolve({ code, output: started || (error?.message ?? '') });
      });
    } catch (error) {
      resolve({ code: undefined, output: String(error) });
    }
  });
}

/** Ticks since boot repeat after a reboot, so the boot is part of the mark. Eight characters are distinct enough. */
async function bootMark(): Promise<string> {
  const id = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'boot');
  return id.slice(0, 8);
}

/**
 * A mark that changes when a process id is given to another process: its start time. Undefined when there is no such
 * process, or only its not yet collected remains. Only letters, digits and dashes, so that it can name a file.
 */
export async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    // The second field is the program's name in parentheses and may hold anything; count from its end.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, ticks] = [fields?.[0], fields?.[19]]; // fields 3 and 22 of the file
    if (!ticks || state === 'Z' || state === 'X') return undefined;
    return `${await bootMark()}-${ticks}`;
  }
  if (process.platform === 'win32') return isTaken(pid) ? 'alive' : undefined;
  const { code, output } = await run('ps', ['-o', 'lstart=', '-p', String(pid)]);
  return code === 0 && output ? output.replaceAll(/[^A-Za-z0-9]+/g, '-') : undefined;
}

/** True when the process id is taken, if only by the remains of a process that nobody has collected yet. */
export function isTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The command line of a process, its arguments separated by spaces; undefined when there is no such process. */
export async function processCommand(pid: number): Promise<string | undefined> {
  if ((await processStart(pid)) === undefined) return undefined;
  if (process.platform === 'linux') {
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
    return raw?.replaceAll('\0', ' ').trim();
  }
  const { code, output } = await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)]);
  return code === 0 ? output : undefined;
}

/** Ids of all processes whose command line holds all of these texts. Our own is never among them. */
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
    // It ended by itself in the meantime, which is what we wanted.
  }
}

/** Between two looks at a process that is expected to end within seconds. */
const POLL_MS = 25;
/** What the kernel may need to clear away a process after SIGKILL. */
const KILL_MS = 5_000;

async function ended(pid: number, mark: string, ms: number): Promise<boolean> {
  for (let waited = 0; waited < ms; waited += POLL_MS) {
    if ((await processStart(pid)) !== mark) return true;
    await sleep(POLL_MS);
  }
  return false;
}

/** Asks a process to end (SIGTERM), and ends it (SIGKILL) when it has not within `graceMs`. True when it is gone. */
export async function endProcess(pid: number, graceMs: number): Promise<boolean> {
  const mark = await processStart(pid);
  if (mark === undefined) return true;
  signal(pid, 'SIGTERM');
  if (await ended(pid, mark, graceMs)) return true;
  signal(pid, 'SIGKILL');
  return ended(pid, mark, KILL_MS);
}
