import { type ChildProcess, spawn } from 'node:child_process';
import { lchown, lstat, readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import { AppError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { plainEnvironment, run, type Finished, type RunOptions } from './processes.ts';

// PostgreSQL refuses to run as root. When this process is root, its programs run as another OS user, who must be able to
// reach the cluster and the programs. Folders that are closed to that user are entered with a Linux capability. Their
// modes are not changed, because a closed home directory is closed on purpose.

/** The OS user that PostgreSQL runs as when this process is root. */
export interface OsUser {
  name: string;
  uid: number;
  gid: number;
}

/** Runs PostgreSQL's programs as the right OS user. */
export interface PostgresRunner {
  /** Undefined when the programs run as this process's user. */
  user: OsUser | undefined;
  run(file: string, args: readonly string[], timeout?: number): Promise<Finished>;
  /** Starts a program in a session of its own, which outlives this process. Its output goes to an open file. */
  start(file: string, args: readonly string[], output: number): ChildProcess;
}

/** Mode bits of `stat` for others. The owner's are shifted by 6, the group's by 3. */
const READ = 4;
const EXECUTE = 1;

async function allows(user: OsUser, path: string, bits: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return true; // a missing file is reported by the program that needs it
  const shift = found.uid === user.uid ? 6 : found.gid === user.gid ? 3 : 0;
  return ((found.mode >> shift) & bits) === bits;
}

/** The first folder above `path` that the user may not enter. */
async function blockedAbove(user: OsUser, path: string): Promise<string | undefined> {
  const { root } = parse(path);
  const above: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    above.unshift(at);
    if (at === root) break;
  }
  for (const folder of above) if (!(await allows(user, folder, EXECUTE))) return folder;
  return undefined;
}

/** The user to run as: the owner of an existing cluster, else `postgres`, else `nobody`. Undefined: this one. */
async function chooseUser(cluster: string): Promise<OsUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(cluster).catch(() => undefined);
  if (owner && owner.uid !== 0) return { name: `uid ${owner.uid}`, uid: owner.uid, gid: owner.gid };
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    // `>>> 0`: macOS writes the user nobody as -2.
    if (uid && gid && uid !== '0') return { name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
  }
  throw new AppError(
    'PostgreSQL does not run as root, and this system has neither a user "postgres" nor a user "nobody". ' +
      'Start as an ordinary user, or set DATABASE_URL to your own PostgreSQL.',
    { code: 'POSTGRES_NO_USER', verdict: 'fail' },
  );
}

/**
 * Makes a user the owner of a file, or of a folder and everything in it. Links are not followed, and a folder is given away
 * after its content: until then the user cannot put links to files of others there.
 */
export async function changeOwner(user: OsUser | undefined, path: string): Promise<void> {
  if (!user) return;
  if ((await lstat(path)).isDirectory())
    for (const name of await readdir(path)) await changeOwner(user, join(path, name));
  await lchown(path, user.uid, user.gid);
}

/** `true` starts in milliseconds; a program that takes longer than this hangs. */
const PROBE_MS = 10_000;

/**
 * The arguments of `setpriv` that let `user` enter closed folders. `dac_read_search` grants entering and reading only.
 * Containers often withhold it from root and leave the wider `dac_override`, which root has there anyway.
 */
async function capabilityArguments(user: OsUser, blocked: string, log: Log): Promise<string[]> {
  const tried: string[] = [];
  for (const capability of ['dac_read_search', 'dac_override']) {
    const args = [
      `--reuid=${user.uid}`,
      `--regid=${user.gid}`,
      '--clear-groups',
      `--inh-caps=+${capability}`,
      `--ambient-caps=+${capability}`,
      // Without it access(2), with which initdb looks for its own program, ignores capabilities of ordinary users.
      '--securebits=+no_setuid_fixup',
      '--',
    ];
    const { code, output } = await run('setpriv', [...args, 'true'], { cwd: '/', timeout: PROBE_MS });
    if (code === 0) {
      log.debug({ folder: blocked, user: user.name, capability }, 'PostgreSQL enters a closed folder');
      return args;
    }
    tried.push(output);
  }
  throw new AppError(
    `PostgreSQL does not run as root, and the OS user ${user.name} that it runs as instead cannot enter the folder ` +
      `${blocked} (the program "setpriv" did not help: ${tried[0]}). Start as an ordinary user, or move DATA_DIR and ` +
      `the program where others may enter (chmod o+x ${blocked}), or set DATABASE_URL to your own PostgreSQL.`,
    { code: 'POSTGRES_BLOCKED', verdict: 'fail' },
  );
}

/**
 * Chooses how PostgreSQL's programs are run for this cluster. `needed` are files of the program that its user must be
 * able to read.
 */
export async function postgresRunner(cluster: string, needed: string[], log: Log): Promise<PostgresRunner> {
  const user = await chooseUser(cluster);
  // The current folder may be closed to the user, the root folder is not.
  const options = { cwd: parse(cluster).root, env: plainEnvironment() };
  if (!user) return runnerWith(user, [], options);

  let blocked: string | undefined;
  for (const path of [cluster, ...needed]) blocked ??= await blockedAbove(user, path);
  for (const path of needed) if (!(await allows(user, path, READ))) blocked ??= path;
  if (blocked) {
    const prefix = await capabilityArguments(user, blocked, log);
    return runnerWith(user, ['setpriv', ...prefix], options);
  }
  const { uid, gid } = user;
  return runnerWith(user, [], { ...options, uid, gid });
}

/** A runner that puts `prefix` before each command. No command passes a shell, because paths may contain anything. */
function runnerWith(
  user: OsUser | undefined,
  prefix: readonly string[],
  options: RunOptions,
): PostgresRunner {
  const commandOf = (file: string, args: readonly string[]) => {
    const [program = file, ...rest] = [...prefix, file, ...args];
    return [program, rest] as const;
  };
  return {
    user,
    run: (file, args, timeout) =>
      run(...commandOf(file, args), timeout === undefined ? options : { ...options, timeout }),
    start(file, args, output) {
      const [program, rest] = commandOf(file, args);
      const child = spawn(program, rest, { ...options, detached: true, stdio: ['ignore', output, output] });
      child.on('error', () => undefined); // a program that cannot be started has no process id
      child.unref();
      return child;
    },
  };
}
